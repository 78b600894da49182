"""A run as data, small or hostile, for the tests of the reports."""

from collections.abc import Mapping, Sequence
from typing import Final

from attrs import evolve

from conformance.case import Case
from conformance.catalogue import Outcome
from conformance.drive import Identity
from conformance.probe_words import Stack
from conformance.reading import Json
from conformance.reports.record import record
from conformance.timing import TimeMode, Timing
from conformance.trace import Called, Ended, Failure, Requested, Settled, Slept, Trace
from conformance.verdict import CaseResult, Finding
from conformance.verdict_words import Verdict
from tests.conformance.casefile import RULES, one

HOSTILE: Final = "</script><script>alert(1)</script>]]><!-- `|` *b* \x00\x1b[31m\u202e\ud800\ufffe&"
COMMAND: Final = ("node", "my driver.mjs")


def case(body: str = "expect.connects = 1\n") -> Case:
    """Return a case of the family budget."""
    return one(body)


def result(verdict: Verdict, *, said: str = "2 requests", profile: str = "2026-05") -> CaseResult:
    """Return a result whose driver said `said`; one that fails has a finding at event 2."""
    trace = Trace()
    trace.append(Called("wait"), 0.0)
    asked = Requested("stream", 1, "GET", "/v1/x", (("accept", "text/event-stream"),), said, 1)
    event = trace.append(asked, 0.001)
    trace.append(Slept(1, 1000, "reconnect"), 0.002)
    trace.append(Ended("stream", 1, "rst", "server"), 0.003)
    trace.append(Settled("wait", {}, Failure("other", None, said)), 0.004)
    finding = Finding(
        assertion="requests.stream",
        requires=("ARK-BUD-1",),
        expected="1 request",
        actual=said,
        event=event,
    )
    found = () if verdict in {Verdict.PASS, Verdict.NOT_APPLICABLE} else (finding,)
    return CaseResult(
        case=case(), profile=profile, verdict=verdict, findings=found, trace=trace, reason=""
    )


def run(
    results: Sequence[CaseResult],
    *,
    name: str = "probe",
    command: Sequence[str] = COMMAND,
    time: TimeMode = TimeMode.VIRTUAL,
    stack: Stack | None = None,
) -> Mapping[str, Json]:
    """Return the run of a client called `name` with these results."""
    identity = Identity(
        implementation=name,
        version="1",
        profiles=("2026-05",),
        capabilities=frozenset({"abort"}),
        declared_gaps={},
    )
    timing = Timing(time)
    outcome = Outcome(identity=identity, results=results, seconds=1.5, timing=timing, stack=stack)
    return record(outcome, RULES, command)


def hostile() -> Mapping[str, Json]:
    """Return a failing run in which the driver says whatever could break a report."""
    bad = result(Verdict.FAIL, said=HOSTILE)
    return run([bad, evolve(bad, verdict=Verdict.ERROR, reason=HOSTILE)], name=HOSTILE)
