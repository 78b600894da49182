"""Explain the failures of a run: play the same cases with the reference client, and compare."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from attrs import evolve, field, frozen

from conformance.casefile.requirements import Requirement
from conformance.casefile.sources import SourceKind
from conformance.diagnosis.broken_clients import broken_clients
from conformance.diagnosis.causes import (
    Cause,
    Failure,
    causes,
    failures,
    first_cited,
    passed_plays,
)
from conformance.drive.process import DriverUnusable
from conformance.drivers import own
from conformance.runner.run import Outcome, Plan, run
from conformance.verdict.result import CaseResult
from conformance.verdict.time_modes import TimeMode

REFERENCE: Final = own("drivers.python.reference")
_MOST: Final = 600
"""The reference plays at most this many cases; other failures are assumed to resemble these."""
_SOURCES: Final = tuple(SourceKind)


@frozen(kw_only=True)
class Diagnosis:
    """The failures of a run and their causes."""

    causes: tuple[Cause, ...] = ()
    failures: tuple[Failure, ...] = field(factory=tuple[Failure, ...])
    note: str = ""
    """Why the failures were not compared with the reference, or empty if they were."""


def to_explain(results: Sequence[CaseResult]) -> Sequence[CaseResult]:
    """Return the failed results whose cases the reference should play, at most `_MOST`.

    One result for each combination of template, profile and first cited rule comes first.
    """
    found = [result for result in results if result.verdict.is_wrong and result.trace.events]
    first: dict[tuple[str, str, str], CaseResult] = {}
    for each in found:
        first.setdefault((each.case.template, each.profile, first_cited(each)), each)
    names = {each.name for each in first.values()}
    return [*first.values(), *(each for each in found if each.name not in names)][:_MOST]


async def reference_plays(
    chosen: Sequence[CaseResult], plan: Plan, *, attached: bool
) -> Mapping[str, CaseResult]:
    """Play the cases of these results with the reference; return its results by name.

    Raise DriverUnusable if the reference cannot be started.
    """
    known = {case.id: case for case in plan.cases}
    outcome = await run(
        Plan(
            command=REFERENCE,
            cases=[evolve(known[each.case.id], profiles=(each.profile,)) for each in chosen],
            lanes=plan.lanes,
            patience=plan.patience,
            attached=attached,
        )
    )
    return {result.name: result for result in outcome.results}


async def diagnose(
    outcome: Outcome, plan: Plan, requirements: Mapping[str, Requirement]
) -> Diagnosis:
    """Explain the failures in the outcome of a run; `plan` has the options of the run."""
    chosen = to_explain(outcome.results)
    if not chosen or tuple(plan.command) == tuple(REFERENCE):
        return explain(outcome, {}, requirements)
    try:
        attached = outcome.identity.follows_only  # then the reference only follows jobs, too
        references = await reference_plays(chosen, plan, attached=attached)
    except DriverUnusable as error:
        found = explain(outcome, {}, requirements)
        return evolve(
            found, note=f"the failures were not compared with the reference, which {error}"
        )
    return explain(outcome, references, requirements)


def explain(
    outcome: Outcome,
    references: Mapping[str, CaseResult],
    requirements: Mapping[str, Requirement],
) -> Diagnosis:
    """Explain the failures in the outcome of a run; without a reference, `references` is empty."""
    announced = outcome.timing.mode is TimeMode.VIRTUAL
    found = failures(outcome.results, references, delays=announced)
    if not found:
        return Diagnosis()
    passed = passed_plays(outcome.results)
    explained = causes(found, passed, rank_of(requirements), broken_clients())
    return Diagnosis(causes=explained, failures=tuple(found))


def rank_of(requirements: Mapping[str, Requirement]) -> Callable[[str], int]:
    """Return a sort key that orders rules by kind of source, published rules first."""

    def rank(rule: str) -> int:
        return _SOURCES.index(requirements[rule].source.kind) if rule else -1

    return rank
