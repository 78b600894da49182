"""`arkor-conformance report`: the reports of a saved run, made again."""

from pathlib import Path

import click

from conformance.commands.streams import say
from conformance.reports import check_reports, write_run
from conformance.reports.saved import load
from conformance.verdict.statuses import Exit


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.option(
    "--output",
    "-o",
    "reports",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    help="A directory for all reports, or *.xml (JUnit), *.md, badge.json, *.html.",
)
def command(*, run: Path, reports: tuple[Path, ...]) -> int:
    """Make the reports of RUN, a saved run.json, again.

    \b
    arkor-conformance report run.json --output report.html
    """  # noqa: D301 - \b is click's word for: keep these lines
    check_reports(reports)
    saved = load(run)
    write_run(reports, saved)
    for path in reports:
        say(f"wrote {path}")
    return Exit.OK
