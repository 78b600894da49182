"""Runs of clients that leave the reference, for the tests of the page."""

from collections.abc import Mapping, Sequence
from typing import Final

from attrs import evolve

from conformance.strict_data import Json
from conformance.trace.events import (
    Called,
    Ended,
    Fact,
    Framed,
    Requested,
    Responded,
    Settled,
    SleepEnded,
    Slept,
    Trace,
)
from conformance.verdict.result import CaseResult
from conformance.verdict.statuses import Verdict
from tests.conformance.sample_run import result, run

_LOG: Final = b'data: {"type": "training.log", "step": 1}\n\n'


def _opening(attempt: int, cursor: str | None = None) -> Requested:
    head: tuple[tuple[str, str], ...] = (("accept", "text/event-stream"),)
    head += (("last-event-id", cursor),) if cursor is not None else ()
    return Requested("stream", attempt, "GET", "/v1/jobs/job-1/events/stream", head, "", attempt)


_BEGINS: Final[Sequence[Fact]] = (
    Called("wait"),
    _opening(1),
    Responded("stream", 1, 200),
    Framed("stream", 1, 1, "1", None, _LOG),
    Ended("stream", 1, "rst", "server"),
)
_CLOSES: Final[Sequence[Fact]] = (Called("close"), Settled("close", {}, None))
STOPPING: Final[Sequence[Fact]] = (*_BEGINS, *_CLOSES)
"""The trace of a client that does nothing more when the stream broke off."""


def resuming(cursor: str | None) -> Sequence[Fact]:
    """Return the trace of a client that resumes with this cursor; the reference sends 1."""
    return (
        *_BEGINS,
        *(Slept(1, 1000, "reconnect"), SleepEnded(1, "woken")),
        *(_opening(2, cursor), Responded("stream", 2, 200), Settled("wait", {}, None)),
        *_CLOSES,
    )


def played(
    case: str,
    verdict: Verdict,
    facts: Sequence[Fact],
    *,
    profile: str = "2026-07",
    rule: str = "ARK-BUD-1",
) -> CaseResult:
    """Return a result with this trace; what is found is found at its last event but two."""
    trace = Trace()
    for number, fact in enumerate(facts):
        trace.append(fact, number / 1000)
    sample = result(verdict, profile=profile)
    found = [evolve(each, event=trace.events[-3], requires=(rule,)) for each in sample.findings]
    renamed = evolve(sample.case, id=case)
    return evolve(sample, case=renamed, findings=tuple(found), trace=trace)


def explained(results: Sequence[CaseResult]) -> Mapping[str, Json]:
    """Return a run of these results, compared with a reference that resumes."""
    play = played("resume.sound", Verdict.PASS, resuming("1")).trace
    return run(results, references={each.name: evolve(each, trace=play) for each in results})


def forgetful() -> Mapping[str, Json]:
    """Return the run of a client that forgets the cursor, and in one case stops instead."""
    without = resuming(None)
    return explained(
        [
            played("resume.one", Verdict.FAIL, without, profile="2026-05"),
            played("resume.one", Verdict.FAIL, without),
            played("resume.two[a]", Verdict.INCONCLUSIVE, without),
            played("resume.two[b]", Verdict.INCONCLUSIVE, without),
            played("resume.stops", Verdict.WARN, STOPPING, rule="ARK-BUD-2"),
            played("resume.works", Verdict.PASS, resuming("1")),
        ]
    )
