"""`arkor-conformance report`: the reports of a saved run, made again."""

from pathlib import Path

import click

from conformance.commands import options
from conformance.plain import say
from conformance.reports import check_reports, write_run
from conformance.reports.run_json.saved import load
from conformance.strict_data import ReadingError
from conformance.verdict.statuses import Exit


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@options.reports(required=True)
def command(*, run: Path, reports: tuple[Path, ...]) -> int:
    """Make the reports of RUN, a saved run.json, again.

    \b
    example:
      arkor-conformance report run.json --report report.html
    """  # noqa: D301 - \b is click's mark for lines to keep
    check_reports(reports)
    saved = load(run)
    try:
        write_run(reports, saved)
    except ReadingError as error:
        raise click.ClickException(str(error)) from error
    for path in reports:
        say(f"wrote {path}")
    return Exit.OK
