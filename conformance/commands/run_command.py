"""`arkor-conformance run`: judge a client."""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import anyio
import click
from attrs import evolve
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from conformance.baseline import declared, read_baseline, weigh
from conformance.case_words import TIMES
from conformance.catalogue import PATIENCE, Outcome, Plan, assignments, run
from conformance.console import Report
from conformance.loader import load_cases, load_files
from conformance.process import DriverUnusable
from conformance.reports import check_reports, write_reports
from conformance.selection import select
from conformance.specification import PROFILE_NAMES, load_requirements
from conformance.timing import TimeMode
from conformance.verdict import CaseResult, exit_of
from conformance.verdict_words import Exit

_HUNG = 6
_NOTHING = (
    "arkor-conformance: no case was selected, so nothing was judged; "
    "`arkor-conformance list` shows what there is"
)
REFERENCE = (sys.executable, "-m", "conformance.drivers.reference")


@click.command(context_settings={"ignore_unknown_options": False})
@click.option(
    "--profile", "profiles", multiple=True, type=click.Choice(PROFILE_NAMES), help="Only this."
)
@click.option("--case", "ids", multiple=True, help="Only this case (or template).")
@click.option(
    "--file",
    "files",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Run the cases of this file instead of the catalogue.",
)
@click.option("--filter", "patterns", multiple=True, help="Only cases that match: budget.*")
@click.option(
    "--time",
    "mode",
    type=click.Choice(TIMES),
    help="Whose time to judge by; if not given: virtual where the driver has it, else scaled.",
)
@click.option("-j", "--lanes", default=2, type=click.IntRange(1, 64), help="Drivers at once.")
@click.option("--isolate", is_flag=True, help="A new driver process for every case.")
@click.option(
    "--patience",
    default=PATIENCE,
    type=click.FloatRange(0.05, 3600),
    help="Seconds of silence after which nothing more is expected.",
)
@click.option(
    "--baseline",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Known failures (TOML): [[known]] with case, reason, profile?, assertion?, expires?",
)
@click.option(
    "--report",
    "reports",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Also write reports: a directory for all, or run.json, *.xml (JUnit), *.md, *.html.",
)
@click.argument("driver", nargs=-1, type=click.UNPROCESSED)
def command(
    *,
    profiles: Sequence[str],
    ids: Sequence[str],
    files: Sequence[Path],
    patterns: Sequence[str],
    lanes: int,
    mode: str | None,
    isolate: bool,
    patience: float,
    baseline: Path | None,
    reports: Sequence[Path],
    driver: Sequence[str],
) -> int:
    """Judge a client: the reference, or the driver given after --."""
    requirements = load_requirements()
    catalogue = load_files(requirements, files) if files else load_cases(requirements)
    known = read_baseline(baseline) if baseline is not None else ()
    check_reports(reports)
    cases = select(catalogue, ids, patterns)
    plan = Plan(
        command=driver or REFERENCE,
        cases=cases,
        profiles=profiles or PROFILE_NAMES,
        lanes=lanes,
        isolate=isolate,
        patience=patience,
        give_up_after=_HUNG,
        time=TimeMode(mode) if mode is not None else None,
    )
    if not assignments(plan):
        click.echo(_NOTHING, err=True)
        return Exit.NOTHING_RAN
    try:
        outcome = _play(plan)
    except DriverUnusable as error:
        click.echo(refusal(error, plan.command), err=True)
        return Exit.UNUSABLE
    known = (*known, *declared(outcome.identity.declared_gaps))
    weighed = weigh(outcome.results, known, catalogue, datetime.now(UTC).date())
    outcome = evolve(outcome, results=weighed.results)
    Report(Console(highlight=False, soft_wrap=False), requirements, driver).print(outcome)
    write_reports(reports, outcome, requirements, driver)
    if outcome.left:
        click.echo(
            f"stopped: {_HUNG} cases hung for {patience:g} s each; {outcome.left} were not played",
            err=True,
        )
    for line in weighed.stale:
        click.echo(f"stale baseline: {line}", err=True)
    status = exit_of(outcome.results)
    return Exit.STALE_BASELINE if weighed.stale and status is Exit.OK else status


def refusal(error: DriverUnusable, driver: Sequence[str]) -> str:
    """Say why there is no verdict."""
    named = str(error).startswith((driver[0], "the driver "))
    said = str(error) if named else f"the driver {error}"
    return f"arkor-conformance: no verdict: {said}"


def _play(plan: Plan) -> Outcome:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(
        *columns,
        TimeElapsedColumn(),
        console=console,
        transient=True,
        disable=not sys.stderr.isatty(),  # rich would also draw where FORCE_COLOR is set
    ) as progress:
        task = progress.add_task("judging", total=len(assignments(plan)))

        def advance(_: CaseResult) -> None:
            progress.advance(task)

        return anyio.run(
            run, evolve(plan, note=partial(progress.console.print, soft_wrap=True)), advance
        )
