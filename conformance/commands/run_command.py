"""`arkor-conformance run`: judge a client."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import anyio
import click
from attrs import evolve
from rich.text import Text

from conformance.casefile.loader import load_cases, load_files
from conformance.casefile.requirements import (
    PROFILE_NAMES,
    Requirement,
    load_requirements,
)
from conformance.casefile.selection import select
from conformance.casefile.shards import WHOLE, Shard
from conformance.commands import options
from conformance.commands.baselines import check_new_baseline, without_reasons, write_baseline
from conformance.commands.driver_guide import guide
from conformance.commands.interruption import Interruption
from conformance.commands.progress import Judging
from conformance.diagnosis.diagnose import REFERENCE, Diagnosis, diagnose, explain
from conformance.drive.process import DriverUnusable
from conformance.plain import say
from conformance.reports import check_reports, write_run
from conformance.reports.digest import causes
from conformance.reports.run_json.circumstances import Circumstances
from conformance.reports.run_json.pieces import part_of
from conformance.reports.run_json.record import record
from conformance.reports.screen import Page
from conformance.reports.summary import UNRANKED
from conformance.reports.terminal import Report
from conformance.runner.run import PATIENCE, Outcome, Plan, Run, assignments
from conformance.strict_data import Json, ReadingError, Table
from conformance.verdict.known_failures import declared, read_baseline, weigh
from conformance.verdict.new_baseline import renew
from conformance.verdict.result import CaseResult, exit_of
from conformance.verdict.scope import Scope, check_version, pinned
from conformance.verdict.statuses import Exit
from conformance.verdict.time_modes import TimeMode
from conformance.words import TIMES
from mock_server.net.kernel import LOOP

_HUNG = 6
_MOST_HUNG = 1_000_000
_NAMED = 3


def _max_hung(context: click.Context, option: click.Parameter, given: str | None) -> int | None:
    """Parse the option's value; return 0 for `none`, and None if the option is absent."""
    if given is None or given == "none":
        return None if given is None else 0
    if not (given.isascii() and given.isdigit() and 0 < int(given) <= _MOST_HUNG):
        raise click.BadParameter(
            f"{given!r} is neither 'none' nor a whole number from 1 to {_MOST_HUNG}",
            context,
            option,
        )
    return int(given)


_NOTHING = "no case was selected, so nothing was judged; `arkor-conformance list` lists the cases"


@click.command()
@options.profiles
@options.case_ids
@options.files("Play")
@options.patterns
@options.shard("Only shard I of N; a case's id decides its shard. See `report merge`.")
@click.option(
    "--time",
    "mode",
    type=click.Choice(TIMES),
    metavar="MODE",
    show_default="virtual if the driver supports it, otherwise scaled",
    help=f"The clock that the cases run on: {', '.join(TIMES[:-1])} or {TIMES[-1]}.",
)
@options.lanes("drivers", None)
@click.option("--isolate", is_flag=True, help="Start a new driver process for each case.")
@options.patience(PATIENCE)
@click.option(
    "--max-hung",
    metavar="N|none",
    callback=_max_hung,
    show_default="6 in a row, or 30 in a row if any case has finished",
    help="Stop the run when N case templates have hung; `none`: never.",
)
@options.known_failures
@options.new_baseline
@options.reports(required=False)
@options.strict
@click.option(
    "--spec",
    "version",
    metavar="VERSION",
    show_default="the newest",
    help="Judge against this version of the specification.",
)
@options.driver
def command(
    *,
    profiles: Sequence[str],
    ids: Sequence[str],
    files: Sequence[Path],
    patterns: Sequence[str],
    shard: Shard | None,
    lanes: int | None,
    mode: str | None,
    isolate: bool,
    patience: float,
    max_hung: int | None,
    baseline: Path | None,
    new_baseline: Path | None,
    reports: Sequence[Path],
    strict: bool,
    version: str | None,
    driver: Sequence[str],
) -> int:
    """Judge a client: the reference client, or the driver given after --.

    \b
    example:
      arkor-conformance run --report report.html -- node my-driver.mjs
    """  # noqa: D301 - \b is click's mark for lines to keep
    requirements = load_requirements()
    catalogue = load_files(requirements, files) if files else load_cases(requirements)
    if version is not None:
        check_version(version, requirements, catalogue)
        catalogue = pinned(version, requirements, catalogue)
    baselined = read_baseline(baseline, requirements) if baseline is not None else ()
    if new_baseline is not None:
        check_new_baseline(new_baseline, baseline)
    check_reports(reports)
    chosen = select(catalogue, ids, patterns)
    plan = Plan(
        command=driver or REFERENCE,
        cases=(shard or WHOLE).part(chosen, lambda case: case.id),
        profiles=profiles or PROFILE_NAMES,
        lanes=lanes,
        isolate=isolate,
        patience=patience,
        max_hung=_HUNG if max_hung is None else max_hung or None,
        only_if_useless=max_hung is None,
        time=TimeMode(mode) if mode is not None else None,
        strict=strict,
        version=version or "",
    )
    if not assignments(plan):
        say(f"arkor-conformance: {_nothing(plan, len(chosen), shard)}", err=True)
        return Exit.NOTHING_RAN
    interruption = click.get_current_context().find_object(Interruption) or Interruption()
    try:
        outcome = _play(plan, interruption)
    except DriverUnusable as error:
        say(refusal(error, plan.command), err=True)
        return Exit.UNUSABLE
    gaps = declared(outcome.identity.declared_gaps)
    either = baselined or gaps
    everything = (*catalogue, *load_cases(requirements)) if files and either else catalogue
    results = outcome.results
    renewed = None if new_baseline is None else renew(baselined, gaps, results, everything)
    known = (*(baselined if renewed is None else renewed.kept), *gaps)
    weighed = weigh(outcome.results, known, everything, datetime.now(UTC).date())
    outcome = evolve(outcome, results=weighed.results)
    scope = Scope.of(catalogue, chosen, plan.profiles, version, strict=strict, shard=shard)
    part = None
    if shard is not None:
        part = part_of(
            shard, scope, ids=ids, patterns=patterns, profiles=plan.profiles, known=baselined
        )
    # Only all shards together show whether a known failure is stale.
    stale = weighed.stale if shard is None else ()
    run = record(
        outcome,
        requirements,
        driver,
        scope,
        diagnosis=_explain(outcome, plan, requirements),
        circumstances=Circumstances.here(),
        part=part,
    )
    problem = deliver(reports, run)
    if new_baseline is not None and renewed is not None:
        name = f"{outcome.identity.implementation} {outcome.identity.version}"
        whole = not outcome.interrupted
        write_baseline(new_baseline, renewed, name, outcome.results, requirements, whole=whole)
    if renewed is None and (said := without_reasons(known, str(baseline))):
        say(said, err=True)
    if shard is None:
        next_steps(run, reported=bool(reports), own_driver=bool(driver))
    else:
        say(_to_merge(shard, reported=bool(reports)))
    status = interruption.status if outcome.interrupted else status_of(outcome, run, stale)
    return concluded(status, stale, problem)


def concluded(status: int, stale: Sequence[str], problem: str) -> int:
    """Print the baseline's stale lines and the problem, if there is one; return the exit status."""
    for line in stale:
        say(f"stale baseline: {line}", err=True)
    if problem:
        say(f"arkor-conformance: {problem}", err=True)
    return status if not problem or status > Exit.STALE_BASELINE else Exit.UNUSABLE


def _to_merge(shard: Shard, *, reported: bool) -> str:
    if not reported:
        return f"To merge this shard with the others, add --report shard-{shard.number}.json"
    return f"After the last of the {shard.of} shards: arkor-conformance report merge SHARD.json ..."


def _explain(outcome: Outcome, plan: Plan, requirements: Mapping[str, Requirement]) -> Diagnosis:
    """Explain the failures; compare with the reference client unless the run was interrupted."""
    if outcome.interrupted:
        return explain(outcome, {}, requirements)
    try:
        return anyio.run(diagnose, outcome, plan, requirements, backend_options=LOOP)
    except KeyboardInterrupt:
        return explain(outcome, {}, requirements)


def deliver(reports: Sequence[Path], run: Mapping[str, Json]) -> str:
    """Write the reports, and print the verdict even if that fails; return the error, if any."""
    try:
        write_run(reports, run)
    except ReadingError as error:
        return str(error)
    finally:
        Report(Page(highlight=False, soft_wrap=False)).print(run)
    if reports:
        say(f"The report: {', '.join(map(str, reports))}")
    return ""


def next_steps(run: Mapping[str, Json], *, reported: bool, own_driver: bool) -> None:
    """Print how to see more and, if the reference client was judged, how to judge your own."""
    to_see_more(run, reported=reported)
    if not own_driver:
        say("To judge your own client: arkor-conformance run -- node my-driver.mjs")
        say(f"How to write a driver for it: {guide()}")


def to_see_more(run: Mapping[str, Json], *, reported: bool) -> None:
    """Print how to see more of the results."""
    found = causes(Table("run", run))
    if found and not found[0].values.flag("warning"):
        say(f"To run only the first failure: {found[0].results[0].text('rerun')}")
    if not reported:
        say("For a page with every case and what happened in it, add --report report.html")


def status_of(outcome: Outcome, run: Mapping[str, Json], stale: Sequence[str]) -> Exit:
    """Return the exit status of a run that was not interrupted."""
    status = exit_of(outcome.results)
    if status is Exit.OK and outcome.stopped:
        return Exit.UNUSABLE
    if status is Exit.OK and all(
        profile.text("rank") in UNRANKED for profile in Table("run", run).tables("profiles")
    ):
        return Exit.NOTHING_RAN
    return Exit.STALE_BASELINE if stale and status is Exit.OK else status


def _nothing(plan: Plan, chosen: int, shard: Shard | None) -> str:
    """Return a message that says why there is no case to play."""
    if chosen and not plan.cases:
        return (
            f"none of the chosen cases ({chosen}) is in {shard}, so nothing was judged; "
            "`report merge` does not need this shard"
        )
    if not plan.cases:
        return _NOTHING
    said = [
        f"{each.id} is played only under {', '.join(each.profiles)}" for each in plan.cases[:_NAMED]
    ]
    more = f"; {len(plan.cases) - _NAMED} more not shown" if len(plan.cases) > _NAMED else ""
    return f"{'; '.join(said)}{more}; none of the chosen cases is played under {', '.join(plan.profiles)}, so nothing was judged"


def refusal(error: DriverUnusable, driver: Sequence[str]) -> str:
    """Return the message for a run that has no verdict because its driver cannot be used."""
    named = str(error).startswith((driver[0], "the driver "))
    said = str(error) if named else f"the driver {error}"
    return f"arkor-conformance: no verdict: {said}"


def _play(plan: Plan, interruption: Interruption) -> Outcome:
    """Play the cases; return the results so far if the run is interrupted."""
    judging = Judging.at_terminal(len(assignments(plan)))
    with judging.bar as bar:

        def note(text: str) -> None:
            bar.console.print(Text(text), soft_wrap=True)

        def judged(result: CaseResult) -> None:
            if len(course.results) == 1:
                judging.expect(len(course.declared))
            if course.declares(result.profile):
                judging.add(result)

        course = Run(evolve(plan, note=note), judged)
        try:
            anyio.run(course.play, backend_options=LOOP)
        except KeyboardInterrupt:
            if not course.results:
                raise
            return evolve(course.outcome(str(interruption)), interrupted=True)
    return course.outcome()
