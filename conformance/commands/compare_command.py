"""`arkor-conformance compare`: compare saved runs of clients or backends."""

from collections.abc import Sequence
from pathlib import Path

import click

from conformance.commands import options
from conformance.plain import say
from conformance.reports import check_file
from conformance.reports.comparison.contrast import Change, Contrast, changed
from conformance.reports.comparison.reports import check_names, write
from conformance.reports.comparison.sides import check_same_side, sides_of
from conformance.reports.comparison.terminal import ShortForm
from conformance.reports.run_json.saved import load
from conformance.reports.screen import Page
from conformance.verdict.statuses import Exit

_NOTHING = "no case was judged under the same profile in all the runs, so nothing was compared"


@click.command()
@click.argument("runs", nargs=-1, metavar="RUN RUN...", type=options.FILE)
@click.option(
    "--report",
    "reports",
    multiple=True,
    metavar="PATH",
    type=options.FILE,
    show_default="none",
    help="Write the full comparison as a page (*.html) or as a CI comment (*.md); may be repeated.",
)
@click.option(
    "--fail-on-regression",
    is_flag=True,
    help="Exit with status 1 if a case fails in the last run but did not fail in the first.",
)
def command(*, runs: Sequence[Path], reports: Sequence[Path], fail_on_regression: bool) -> int:
    """Compare saved runs (run.json) of clients or of backends.

    If all runs are of the same client or backend, they are compared as its history, in the order
    given.

    \b
    example:
      arkor-conformance compare mine.json theirs.json --report compare.html
      arkor-conformance compare before.json after.json --fail-on-regression
    """  # noqa: D301 - \b is click's mark for lines to keep
    if len(runs) < 2:  # noqa: PLR2004 - a single run has nothing to compare with
        raise click.UsageError("give at least two saved runs, such as before.json and after.json")
    check_names(reports)
    for path in reports:
        check_file(path, "report")
    sides = sides_of((path, load(path)) for path in runs)
    check_same_side(sides)
    contrast = Contrast(sides)
    if fail_on_regression and not contrast.is_history:
        names = ", ".join(dict.fromkeys(side.client for side in contrast.sides))
        raise click.UsageError(
            f"--fail-on-regression needs runs of a single {contrast.judged}; these are runs of {names}"
        )
    if not contrast.keys:
        say(f"arkor-conformance: {_NOTHING}", err=True)
        return Exit.NOTHING_RAN
    ShortForm(Page(highlight=False, soft_wrap=False)).print(contrast)
    write(reports, contrast)
    for path in reports:
        say(f"wrote {path}")
    if not reports:
        say("To see every rule and case that differs, add --report compare.html")
    worse = fail_on_regression and changed(contrast.whole.cases, Change.BROKE)
    return Exit.FAILED if worse else Exit.OK
