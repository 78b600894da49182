"""`arkor-conformance explore`: seeded random schedules of faults against the oracle."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import anyio
import click
from attrs import define, evolve

from conformance.casefile.model import Case
from conformance.casefile.requirements import PROFILE_NAMES, Requirement, load_requirements
from conformance.casefile.shards import WHOLE, Shard
from conformance.commands import options
from conformance.commands.run_command import refusal
from conformance.diagnosis.diagnose import REFERENCE, diagnose
from conformance.drive.process import DriverUnusable
from conformance.explore.oracle import Schedule
from conformance.explore.schedules import as_case, case_file, roll, smaller
from conformance.plain import say
from conformance.reports import check_file
from conformance.reports.run_json.circumstances import Circumstances
from conformance.reports.run_json.record import record
from conformance.reports.screen import Page
from conformance.reports.summary import plural
from conformance.reports.terminal import Report
from conformance.runner.run import PATIENCE, Plan, run
from conformance.verdict.result import CaseResult
from conformance.verdict.scope import Scope
from conformance.verdict.statuses import Exit, Verdict
from mock_server.net.kernel import LOOP

BATCH = 50
_BAD = frozenset({Verdict.FAIL, Verdict.WARN, Verdict.INCONCLUSIVE, Verdict.ERROR})


@click.command()
@options.seed
@options.schedules(500)
@options.shard("Only every N-th schedule of the seed, from the I-th; N shards play them all.")
@options.profile
@options.lanes("drivers", None)
@options.patience(PATIENCE)
@options.out("found.toml", "the smallest failing schedule, as a case file")
@click.option("--shrink/--no-shrink", default=True, help="Make the failing schedule smaller first.")
@options.driver
def command(
    *,
    seed: int,
    schedules: int,
    shard: Shard | None,
    profile: str | None,
    lanes: int | None,
    patience: float,
    out: Path,
    shrink: bool,
    driver: Sequence[str],
) -> int:
    """Try a client on random schedules of faults; shrink the first that it does not survive.

    \b
    example:
      arkor-conformance explore --seed 1 --schedules 100 -- node my-driver.mjs
    """  # noqa: D301 - \b is click's mark for lines to keep
    check_file(out, "--out")
    known = load_requirements()
    plan = Plan(command=driver or REFERENCE, cases=(), lanes=lanes, patience=patience)
    profiles = (profile,) if profile else PROFILE_NAMES
    ours, which = (shard or WHOLE).places(schedules), f"seed {seed}"
    if shard is not None:
        which += f", {shard}"
    rolls = itertools.islice(rolled(seed, profiles), ours.start, ours.stop, ours.step)
    try:
        tried, found = anyio.run(_search, plan, rolls, known, backend_options=LOOP)
        if found is None:
            say(f"{which}: {plural(tried, 'schedule')}, none found the client wrong")
            return Exit.OK if tried else Exit.NOTHING_RAN
        say(f"{which}: schedule {ours[tried - 1] + 1} found the client wrong")
        if shrink:
            say("making it smaller …")
            found = anyio.run(_shrink, plan, found, known, backend_options=LOOP)
        case = evolve(as_case(f"seed-{seed}", found, known), file=str(out))
        out.write_text(case_file(case), "utf-8", errors="backslashreplace")
        shown = evolve(plan, cases=(case,))
        outcome = anyio.run(run, shown, backend_options=LOOP)
        explained = anyio.run(diagnose, outcome, shown, known, backend_options=LOOP)
    except DriverUnusable as error:
        say(refusal(error, plan.command), err=True)
        return Exit.UNUSABLE
    recorded = record(
        outcome,
        known,
        driver,
        Scope.of([case], [case], [case.profiles[0]]),
        diagnosis=explained,
        circumstances=Circumstances.here(),
    )
    Report(Page(highlight=False, soft_wrap=False)).print(recorded)
    say(f"written to {out}")
    return Exit.FAILED


def rolled(seed: int, profiles: Sequence[str]) -> Iterator[Schedule]:
    """Yield the schedules of a seed, profile after profile, without end."""
    for number in itertools.count():
        yield roll(seed, number, profiles[number % len(profiles)])


async def _search(
    plan: Plan, schedules: Iterator[Schedule], known: Mapping[str, Requirement]
) -> tuple[int, Schedule | None]:
    """Return how many schedules were tried, and the first that failed."""
    tried = 0
    while batch := list(itertools.islice(schedules, BATCH)):
        failed = await _first_failing(plan, batch, known)
        if failed is not None:
            return tried + failed + 1, batch[failed]
        tried += len(batch)
    return tried, None


async def _shrink(plan: Plan, schedule: Schedule, known: Mapping[str, Requirement]) -> Schedule:
    """Return the smallest schedule that still fails, as far as single steps lead."""
    while True:
        steps = list(smaller(schedule))
        failing = await _first_failing(plan, steps, known) if steps else None
        if failing is None:
            return schedule
        schedule = steps[failing]


@define
class _Earliest:
    """Looks for the first case that fails; cases after one that did need not be played."""

    places: Mapping[str, int]
    first: int

    def heard(self, result: CaseResult) -> None:
        """Take notice of a result."""
        if result.verdict in _BAD:
            self.first = min(self.first, self.places[result.case.id])

    def wants(self, case: Case) -> bool:
        """Tell whether a case could still be the first."""
        return self.places[case.id] < self.first


async def _first_failing(
    plan: Plan, schedules: Sequence[Schedule], known: Mapping[str, Requirement]
) -> int | None:
    cases = [as_case(f"try-{n}", schedule, known) for n, schedule in enumerate(schedules)]
    earliest = _Earliest({case.id: n for n, case in enumerate(cases)}, first=len(cases))
    outcome = await run(evolve(plan, cases=cases, wanted=earliest.wants), earliest.heard)
    unplayed = [r.reason for r in outcome.results if r.verdict is Verdict.NOT_APPLICABLE]
    if len(unplayed) == len(cases):
        raise DriverUnusable(f"cannot be explored: {unplayed[0]}")
    return earliest.first if earliest.first < len(cases) else None
