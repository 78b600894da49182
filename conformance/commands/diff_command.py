"""`arkor-conformance diff`: two clients on the same schedules, and where they first part."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import anyio
import click
from attrs import evolve, frozen

from arkor_proto.cli import quoting
from conformance.casefile.model import Case
from conformance.casefile.requirements import PROFILE_NAMES, load_requirements
from conformance.commands import options
from conformance.commands.explore_command import BATCH, rolled
from conformance.drive.process import DriverUnusable
from conformance.explore.schedules import as_case, case_file
from conformance.plain import say
from conformance.reports import check_file
from conformance.runner.run import PATIENCE, Plan, run
from conformance.trace.events import CallbackRan, Requested, Settled, Slept, Trace
from conformance.verdict.result import CaseResult
from conformance.verdict.statuses import Exit, Verdict
from mock_server.net.kernel import LOOP


@frozen
class Difference:
    """Where two clients part: in which case, about what, and what each of them did."""

    case: Case
    about: str
    left: tuple[str, Verdict]
    right: tuple[str, Verdict]


@click.command()
@click.argument("left")
@click.argument("right")
@options.seed
@options.schedules(100)
@options.profile
@options.lanes("drivers", None)
@options.patience(PATIENCE)
@options.out("parted.toml", "the schedule on which they differ, as a case file")
def command(
    *,
    left: str,
    right: str,
    seed: int,
    schedules: int,
    profile: str | None,
    lanes: int | None,
    patience: float,
    out: Path,
) -> int:
    """Play the same schedules of faults with two drivers, and show where they first differ.

    LEFT and RIGHT are their command lines, each in quotes.

    \b
    example:
      arkor-conformance diff 'node my-driver.mjs' 'node another-driver.mjs'
    """  # noqa: D301 - \b is click's mark for lines to keep
    check_file(out, "--out")
    known = load_requirements()
    plan = Plan(command=(), cases=(), lanes=lanes, patience=patience)
    rolls = itertools.islice(rolled(seed, (profile,) if profile else PROFILE_NAMES), schedules)
    cases = [as_case(f"{seed}-{n}", schedule, known) for n, schedule in enumerate(rolls)]
    commands = (_words("LEFT", left), _words("RIGHT", right))
    try:
        found = anyio.run(_compare, plan, commands, cases, backend_options=LOOP)
    except DriverUnusable as error:
        say(f"arkor-conformance: no comparison: {error}", err=True)
        return Exit.UNUSABLE
    if found is None:
        say(f"seed {seed}: {len(cases)} schedules, no difference")
        return Exit.OK
    say(f"{found.case.id} under {found.case.profiles[0]}: the two differ at {found.about}")
    width = max(len(found.left[0]), len(found.right[0]))
    for side, (seen, verdict) in (("left", found.left), ("right", found.right)):
        allowed = "the oracle allows it" if verdict is Verdict.PASS else "against the oracle"
        say(f"  {side:<5}  {seen:<{width}}  ({allowed})")
    out.write_text(case_file(found.case), "utf-8", errors="backslashreplace")
    say(f"written to {out}; alone: arkor-conformance run --file {out} -- DRIVER")
    return Exit.FAILED


def _words(name: str, line: str) -> Sequence[str]:
    try:
        words = quoting.split(line)
    except ValueError as error:
        raise click.UsageError(f"{name}: a quote in it is not closed") from error
    if not words or not words[0]:
        raise click.UsageError(f"{name}: empty; give the command line of a driver, in quotes")
    return words


async def _compare(
    plan: Plan, commands: tuple[Sequence[str], Sequence[str]], cases: Sequence[Case]
) -> Difference | None:
    for start in range(0, len(cases), BATCH):
        batch = cases[start : start + BATCH]
        left, right = [
            await _played(side, evolve(plan, command=each, cases=batch))
            for side, each in zip(("left", "right"), commands, strict=True)
        ]
        for case in batch:
            found = _difference(case, left[case.id], right[case.id])
            if found is not None:
                return found
    return None


async def _played(side: str, plan: Plan) -> Mapping[str, CaseResult]:
    named = f"the {side} driver ({quoting.joined(plan.command)})"
    try:
        outcome = await run(plan)
    except DriverUnusable as error:
        raise DriverUnusable(f"{named}: {error}") from error
    for result in outcome.results:
        if result.verdict is Verdict.NOT_APPLICABLE:
            raise DriverUnusable(f"{named} cannot be compared: {result.reason}")
    return {result.case.id: result for result in outcome.results}


def _difference(case: Case, left: CaseResult, right: CaseResult) -> Difference | None:
    both = zip(_observed(left.trace), _observed(right.trace), strict=True)
    for (about, ours), (_, theirs) in both:
        pairs = itertools.zip_longest(ours, theirs, fillvalue="nothing")
        for n, (mine, other) in enumerate(pairs, 1):
            if mine != other:
                where = f"{about} {n}"
                return Difference(case, where, (mine, left.verdict), (other, right.verdict))
    return None


def _observed(trace: Trace) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield what a client lets be seen, each kind in its own order."""
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
