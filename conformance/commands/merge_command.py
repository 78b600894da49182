"""`arkor-conformance report merge`: merge the shards of a run, and judge the result."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from conformance.casefile.loader import load_cases, load_files
from conformance.casefile.requirements import load_requirements
from conformance.commands import options
from conformance.commands.run_command import concluded, deliver, status_of
from conformance.reports import check_reports
from conformance.reports.run_json.merge import merge
from conformance.reports.run_json.pieces import refuse
from conformance.reports.run_json.saved import Saved, read_saved
from conformance.strict_data import ReadingError


@click.command()
@click.argument("shards", nargs=-1, required=True, metavar="SHARD...", type=options.FILE)
@options.files("The shards are from a run of")
@options.reports(required=False)
def command(*, shards: Sequence[Path], files: Sequence[Path], reports: Sequence[Path]) -> int:
    """Merge the shards of a run, and judge the whole run.

    Each SHARD is the run.json of a `run --shard`. The verdict, reports and exit status are those
    of the same run without shards. The exit status is 3 if a shard or case is missing or
    duplicated, or if the shards are not from the same run. This command checks for stale known
    failures, which `run --shard` does not.

    \b
    example:
      arkor-conformance report merge shard-1.json shard-2.json --report report.html
    """  # noqa: D301 - \b is click's mark for lines to keep
    check_reports(reports)
    saved = _read(shards)
    requirements = load_requirements()
    own = load_cases(requirements)
    catalogue = load_files(requirements, files) if files else own
    merged = merge(saved, requirements, catalogue, own, datetime.now(UTC).date())
    problem = deliver(reports, merged.data)
    return concluded(status_of(merged.outcome, merged.data, merged.stale), merged.stale, problem)


def _read(paths: Sequence[Path]) -> Sequence[Saved]:
    """Read the shards; raise one ReadingError that lists the mistakes in all of them."""
    read: list[Saved] = []
    wrong: list[ReadingError] = []
    for path in paths:
        try:
            read.append(read_saved(path))
        except ReadingError as error:
            wrong.append(error)
    refuse(wrong)
    return read
