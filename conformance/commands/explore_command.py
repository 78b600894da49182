"""`arkor-conformance explore`: test a client with random fault schedules and an oracle."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import anyio
import click
from attrs import define, evolve, frozen

from conformance.casefile.model import Case
from conformance.casefile.requirements import PROFILE_NAMES, Requirement, load_requirements
from conformance.casefile.shards import WHOLE, Shard
from conformance.commands import options
from conformance.commands.baselines import passing_over
from conformance.commands.progress import Judging
from conformance.commands.run_command import refusal
from conformance.diagnosis.diagnose import REFERENCE, diagnose
from conformance.drive.process import DriverUnusable
from conformance.explore.known import PassingOver, broken, cited
from conformance.explore.oracle import Schedule
from conformance.explore.schedules import as_case, case_file, roll, smaller
from conformance.plain import say
from conformance.reports import check_file, write_file
from conformance.reports.run_json.circumstances import Circumstances
from conformance.reports.run_json.record import record
from conformance.reports.screen import Page
from conformance.reports.terminal import Report
from conformance.runner.run import PATIENCE, Plan, run
from conformance.verdict.result import CaseResult
from conformance.verdict.scope import Scope
from conformance.verdict.statuses import Exit, Verdict
from mock_server.net.kernel import LOOP
from mock_server.strict.shapes import count_of

BATCH = 50


@click.command()
@options.seed
@options.schedules(500)
@options.shard(
    "Play only every N-th schedule of the seed, starting with the I-th; N shards together play all."
)
@options.profile
@options.lanes("drivers", None)
@options.patience(PATIENCE)
@options.baseline
@options.out("found.toml", "the failing schedule, as a case file")
@click.option(
    "--shrink/--no-shrink",
    default=True,
    help="Reduce the schedule found to as few steps as possible.",
)
@options.driver
def command(
    *,
    seed: int,
    schedules: int,
    shard: Shard | None,
    profile: str | None,
    lanes: int | None,
    patience: float,
    baseline: Path | None,
    out: Path,
    shrink: bool,
    driver: Sequence[str],
) -> int:
    """Test a client with random fault schedules; minimise the first that makes it break a rule.

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
    judging = Judging.at_terminal(len(ours))
    search = _Search(plan, known, passing_over(baseline, known), judging)
    try:
        with search.judging.bar:
            tried, found = anyio.run(search.first, rolls, backend_options=LOOP)
        for line in search.passing.said(tried):
            say(line)
        if found is None:
            said = f"{which}: {count_of(tried, 'schedule')}, none broke a rule"
            say(f"{said}{search.otherwise}")
            return Exit.OK if tried else Exit.NOTHING_RAN
        number = ours[tried - 1] + 1
        say(f"{which}: the client failed on schedule {number}{search.otherwise}")
        if shrink:
            say("minimising it …")
            found = anyio.run(search.smallest, found, backend_options=LOOP)
        case = evolve(as_case(f"seed-{seed}", found.schedule, known, found.rule), file=str(out))
        write_file(out, case_file(case), "--out")
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
    say(f"the first wrong step: {found.said}")
    say(f"written to {out}")
    if found.rule:
        say(
            f'to ignore this failure, add it to a baseline: [[known]] rule = "{found.rule}", reason = "…"'
        )
    return Exit.FAILED


def rolled(seed: int, profiles: Sequence[str]) -> Iterator[Schedule]:
    """Yield a seed's schedules endlessly, cycling through the profiles."""
    for number in itertools.count():
        yield roll(seed, number, profiles[number % len(profiles)])


@frozen
class _Found:
    """A schedule that made the client misbehave, and the rule it broke, if one can be cited."""

    place: int
    schedule: Schedule
    rule: str
    said: str


@define
class _Search:
    """Searches for a schedule that makes a client fail, ignoring known failures."""

    plan: Plan
    rules: Mapping[str, Requirement]
    passing: PassingOver
    judging: Judging

    @property
    def otherwise(self) -> str:
        """The text to append to messages if there are known failures; empty otherwise."""
        return " (not counting known failures)" if self.passing.is_used else ""

    async def first(self, schedules: Iterator[Schedule]) -> tuple[int, _Found | None]:
        """Return how many schedules were tried, and the first on which the client failed, if any."""
        tried = 0
        while batch := list(itertools.islice(schedules, BATCH)):
            found = await self._first_of(batch, tried)
            if found is not None:
                return tried + found.place + 1, found
            tried += len(batch)
        return tried, None

    async def smallest(self, found: _Found) -> _Found:
        """Reduce a schedule step by step, as long as the client still fails on it."""
        while True:
            steps = list(smaller(found.schedule))
            smaller_one = await self._first_of(steps) if steps else None
            if smaller_one is None:
                return found
            found = smaller_one

    async def _first_of(
        self, schedules: Sequence[Schedule], tried: int | None = None
    ) -> _Found | None:
        """Return the first schedule that makes the client fail, ignoring known failures.

        `tried` is the number of schedules played before these; if None, nothing is counted.
        """
        cases = [as_case(f"try-{n}", each, self.rules) for n, each in enumerate(schedules)]
        places = {case.id: n for n, case in enumerate(cases)}
        found: dict[int, _Found] = {}

        def hear(result: CaseResult) -> None:
            place = places[result.case.id]
            schedule = schedules[place]
            seen = broken(schedule, result)
            if tried is not None:
                self.judging.add(result)
            known = self.passing.covers(schedule.profile, seen)
            if known is not None and tried is not None:
                self.passing.note(tried + place, known)
            elif seen and known is None:
                rule = cited(schedule, seen, self.rules)
                found[place] = _Found(place, schedule, rule, seen[0].said)

        def wanted(case: Case) -> bool:
            """Return whether a case could still be the first on which the client fails."""
            return all(places[case.id] < place for place in found)

        outcome = await run(evolve(self.plan, cases=cases, wanted=wanted), hear)
        unplayed = [r.reason for r in outcome.results if r.verdict is Verdict.NOT_APPLICABLE]
        if len(unplayed) == len(cases):
            raise DriverUnusable(f"cannot be explored: {unplayed[0]}")
        return found[min(found)] if found else None
