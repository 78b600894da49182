"""`arkor-conformance diff`: play the same schedules with two clients, and show a difference."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import anyio
import click
from attrs import evolve, frozen

from arkor_proto.cli import quoting
from conformance.casefile.requirements import PROFILE_NAMES, Requirement, load_requirements
from conformance.commands import options
from conformance.commands.baselines import passing_over
from conformance.commands.explore_command import BATCH, rolled
from conformance.drive.process import DriverUnusable
from conformance.explore.known import Broken, PassingOver, broken, cited
from conformance.explore.oracle import Schedule
from conformance.explore.schedules import as_case, case_file, smaller
from conformance.plain import say
from conformance.reports import check_file, write_file
from conformance.runner.player import driver_of
from conformance.runner.run import PATIENCE, Plan, run
from conformance.trace.events import CallbackRan, Requested, Settled, Slept, Trace
from conformance.verdict.known_failures import Known
from conformance.verdict.result import CaseResult
from conformance.verdict.statuses import Exit, Verdict
from mock_server.net.kernel import LOOP
from mock_server.strict.shapes import count_of

_SIDES: Final = ("left", "right")


@frozen
class Played:
    """What one client did where the two clients differ, and the rules that this client broke."""

    seen: str
    broken: tuple[Broken, ...]


@frozen
class Difference:
    """A schedule that two clients handle differently: where they differ, and what each one did."""

    place: int
    schedule: Schedule
    about: str
    left: Played
    right: Played


@click.command()
@click.argument("left")
@click.argument("right")
@options.seed
@options.schedules(100)
@options.profile
@options.lanes("drivers", None)
@options.patience(PATIENCE)
@options.baseline
@options.out("parted.toml", "the schedule on which the clients differ, as a case file")
@click.option(
    "--shrink/--no-shrink",
    default=True,
    help="Reduce the schedule found to as few steps as possible.",
)
def command(
    *,
    left: str,
    right: str,
    seed: int,
    schedules: int,
    profile: str | None,
    lanes: int | None,
    patience: float,
    baseline: Path | None,
    out: Path,
    shrink: bool,
) -> int:
    """Play the same fault schedules with two drivers, and show the first difference.

    LEFT and RIGHT are command lines of drivers, each in quotes.

    \b
    example:
      arkor-conformance diff 'node my-driver.mjs' 'node another-driver.mjs'
    """  # noqa: D301 - \b is click's mark for lines to keep
    check_file(out, "--out")
    known = load_requirements()
    plan = Plan(command=(), cases=(), lanes=lanes, patience=patience)
    commands = (_words("LEFT", left), _words("RIGHT", right))
    search = _Search(plan, commands, known, passing_over(baseline, known))
    try:
        profiles = anyio.run(search.profiles, profile, backend_options=LOOP)
        rolls = list(itertools.islice(rolled(seed, profiles), schedules))
        found = anyio.run(search.first, rolls, backend_options=LOOP)
        for line in search.passing.said(len(rolls) if found is None else found.place):
            say(line)
        other = "other " if search.passing.is_used else ""
        if found is None:
            under = f"under {', '.join(profiles)}"
            played = count_of(len(rolls), "schedule")
            say(f"seed {seed}: {played} {under}, no {other}difference")
            return Exit.OK
        article = "another" if other else "a"
        say(f"seed {seed}: schedule {found.place + 1} shows {article} difference")
        if shrink:
            say("minimising it …")
            found = anyio.run(search.smallest, found, backend_options=LOOP)
    except DriverUnusable as error:
        say(f"arkor-conformance: cannot compare: {error}", err=True)
        return Exit.UNUSABLE
    for line in told(found, known):
        say(line)
    rule = cited(found.schedule, found.left.broken or found.right.broken, known)
    case = as_case(f"diff-{seed}", found.schedule, known, rule)
    write_file(out, case_file(case), "--out")
    say(f"written to {out}; to play it: arkor-conformance run --file {out} -- DRIVER")
    return Exit.FAILED


def _words(name: str, line: str) -> Sequence[str]:
    try:
        words = quoting.split(line)
    except ValueError as error:
        raise click.UsageError(f"{name}: a quote is not closed") from error
    if not words or not words[0]:
        raise click.UsageError(
            f"{name}: empty; give the command line that starts a driver, in quotes"
        )
    return words


def told(found: Difference, rules: Mapping[str, Requirement]) -> Iterator[str]:
    """Yield lines that say what each client did, and which rule it broke."""
    yield f"Under {found.schedule.profile} the two clients differ at {found.about}:"
    width = max(len(found.left.seen), len(found.right.seen))
    for name, side in (("left", found.left), ("right", found.right)):
        keeps = (
            f"breaks {side.broken[0].rule or 'the protocol'}"
            if side.broken
            else "follows the rules"
        )
        yield f"  {name:<5}  {side.seen:<{width}}  {keeps}"
    if not found.left.broken and not found.right.broken:
        yield "Both behaviours are allowed: the specification leaves this to the client."
    for name, side in (("left", found.left), ("right", found.right)):
        if side.broken and side.broken[0].rule:
            rule = rules[side.broken[0].rule]
            yield f"{rule.id} {rule.level.value}: {' '.join(rule.text.split())}"
        if side.broken:
            yield f"  {name}: {side.broken[0].said}"


@frozen
class _Search:
    """Searches for a schedule on which two clients differ, ignoring known failures."""

    plan: Plan
    commands: tuple[Sequence[str], Sequence[str]]
    rules: Mapping[str, Requirement]
    passing: PassingOver

    async def profiles(self, wanted: str | None) -> tuple[str, ...]:
        """Return the profile `wanted`, or by default all profiles that both drivers declare.

        Raise DriverUnusable if there is no such profile.
        """
        declared = [
            await _declared(side, each, self.plan.patience)
            for side, each in zip(_SIDES, self.commands, strict=True)
        ]
        for side, own in zip(_SIDES, declared, strict=True):
            if wanted is not None and wanted not in own:
                raise DriverUnusable(f"the {side} driver does not declare the profile {wanted}")
        shared = [name for name in PROFILE_NAMES if all(name in own for own in declared)]
        if not shared:
            each = [f"{side} {', '.join(own)}" for side, own in zip(_SIDES, declared, strict=True)]
            raise DriverUnusable(f"the drivers have no profile in common ({'; '.join(each)})")
        if len(shared) < len(PROFILE_NAMES) and wanted is None:
            say(f"comparing under {', '.join(shared)}, which both drivers declare")
        return (wanted,) if wanted is not None else tuple(shared)

    async def first(self, schedules: Sequence[Schedule]) -> Difference | None:
        """Return the first new difference between the clients; known ones are only counted."""
        for start in range(0, len(schedules), BATCH):
            found = await self._first_of(schedules[start : start + BATCH], start, counts=True)
            if found is not None:
                return found
        return None

    async def smallest(self, found: Difference) -> Difference:
        """Reduce a schedule step by step, for as long as the clients still differ on it."""
        while True:
            steps = list(smaller(found.schedule))
            smaller_one = await self._first_of(steps, 0, counts=False) if steps else None
            if smaller_one is None:
                return found
            found = smaller_one

    async def _first_of(
        self, schedules: Sequence[Schedule], start: int, *, counts: bool
    ) -> Difference | None:
        cases = [as_case(f"try-{n}", each, self.rules) for n, each in enumerate(schedules)]
        left, right = [
            await _played(side, evolve(self.plan, command=each, cases=cases))
            for side, each in zip(_SIDES, self.commands, strict=True)
        ]
        for n, (schedule, case) in enumerate(zip(schedules, cases, strict=True), start):
            found = _difference(n, schedule, left[case.id], right[case.id])
            if found is None:
                continue
            known = self._known(found)
            if known is None:
                return found
            if counts:
                self.passing.note(n, known)
        return None

    def _known(self, found: Difference) -> Known | None:
        """Return the first entry that covers the difference if all its breaches are known, or None."""
        profile = found.schedule.profile
        broken_here = [each.broken for each in (found.left, found.right) if each.broken]
        entries = [self.passing.covers(profile, each) for each in broken_here]
        return entries[0] if entries and None not in entries else None


async def _declared(side: str, command: Sequence[str], patience: float) -> tuple[str, ...]:
    """Return the profiles that a driver declares."""
    try:
        async with driver_of(command, patience, None) as connection:
            return connection.introduced().profiles
    except DriverUnusable as error:
        raise DriverUnusable(f"{_named(side, command)}: {error}") from error


def _named(side: str, command: Sequence[str]) -> str:
    return f"the {side} driver ({quoting.joined(command)})"


async def _played(side: str, plan: Plan) -> Mapping[str, CaseResult]:
    named = _named(side, plan.command)
    try:
        outcome = await run(plan)
    except DriverUnusable as error:
        raise DriverUnusable(f"{named}: {error}") from error
    for result in outcome.results:
        if result.verdict is Verdict.NOT_APPLICABLE:
            raise DriverUnusable(f"{named}: {result.reason}")
    return {result.case.id: result for result in outcome.results}


def _difference(
    place: int, schedule: Schedule, left: CaseResult, right: CaseResult
) -> Difference | None:
    both = zip(_observed(left.trace), _observed(right.trace), strict=True)
    for (about, ours), (_, theirs) in both:
        pairs = itertools.zip_longest(ours, theirs, fillvalue="nothing")
        for n, (mine, other) in enumerate(pairs, 1):
            if mine != other:
                return Difference(
                    place,
                    schedule,
                    f"{about} {n}",
                    Played(mine, broken(schedule, left)),
                    Played(other, broken(schedule, right)),
                )
    return None


def _observed(trace: Trace) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield what a client visibly did, grouped by kind, and in order within each kind."""
    yield "request", [_request(fact) for _, fact in trace.of(Requested)]
    yield "callback", [fact.name for _, fact in trace.of(CallbackRan)]
    reconnects = (fact for _, fact in trace.of(Slept) if fact.purpose != "idle")
    yield "sleep", [f"{fact.ms:g} ms" for fact in reconnects]
    yield "result", [_settled(fact) for _, fact in trace.of(Settled) if fact.operation == "wait"]


def _request(fact: Requested) -> str:
    cursor = fact.header("last-event-id")
    return f"{fact.method} {fact.route}" + ("" if cursor is None else f" after {cursor!r}")


def _settled(fact: Settled) -> str:
    if fact.failure is not None:
        return f"error {fact.failure.kind} {fact.failure.code or ''}".strip()
    job = fact.ok.get("job")
    status = job.get("status") if isinstance(job, Mapping) else None
    return f"{fact.operation} resolved, job {status}"
