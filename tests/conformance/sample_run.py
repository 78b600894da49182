"""Small and hostile runs as data, for the tests of the reports."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from attrs import evolve

from conformance.casefile.model import Case
from conformance.casefile.requirements import Requirement
from conformance.diagnosis.diagnose import explain
from conformance.drive.protocol import Identity
from conformance.reports.run_json.circumstances import Circumstances
from conformance.reports.run_json.record import record
from conformance.runner.run import Outcome
from conformance.runner.stack import Stack
from conformance.strict_data import Json
from conformance.trace.events import Called, Ended, Failure, Requested, Settled, Slept, Trace
from conformance.verdict.result import CaseResult, Finding
from conformance.verdict.scope import Scope
from conformance.verdict.statuses import Verdict
from conformance.verdict.time_modes import TimeMode, Timing
from conformance.words import CAPABILITIES
from tests.conformance.sample_case import RULES, one

HOSTILE: Final = "</script><script>alert(1)</script>]]><!-- `|` *b* \x00\x1b[31m\u202e\ud800\ufffe&"
PROFILES: Final = ("2026-05", "2026-07")
COMMAND: Final = ("node", "my driver.mjs")


WHOLE: Final = """
needs = ["cancel", "abort", "concurrent", "callbacks.async", "config.backoff"]
step = [{ do = "start" }, { do = "wait" }]
expect.connects = 1
"""
"""A case that counts as about every part of the protocol."""


def case(body: str = WHOLE) -> Case:
    """Return a case of the family budget."""
    return one(body)


def result(verdict: Verdict, *, said: str = "2 requests", profile: str = "2026-05") -> CaseResult:
    """Return a result whose driver logged `said`; a failing one has a finding at event 2."""
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


def identity(name: str = "probe", capabilities: Collection[str] = CAPABILITIES) -> Identity:
    """Return a client that declares these capabilities."""
    return Identity(
        implementation=name,
        version="1",
        profiles=PROFILES,
        capabilities=frozenset(capabilities),
        declared_gaps={},
    )


def run(
    results: Sequence[CaseResult],
    *,
    name: str = "probe",
    command: Sequence[str] = COMMAND,
    time: TimeMode = TimeMode.VIRTUAL,
    stack: Stack | None = None,
    scope: Scope | None = None,
    capabilities: Collection[str] = CAPABILITIES,
    references: Mapping[str, CaseResult] | None = None,
    rules: Mapping[str, Requirement] = RULES,
) -> Mapping[str, Json]:
    """Return the run of a client named `name`; without a scope it is complete."""
    client = identity(name, capabilities)
    timing = Timing(time)
    outcome = Outcome(identity=client, results=results, seconds=1.5, timing=timing, stack=stack)
    planned = Counter(result.profile for result in results)
    whole = Scope(version="2", digest="0f" * 32, chosen=planned, total=planned)
    return recorded(outcome, rules, command, scope or whole, references)


def recorded(
    outcome: Outcome,
    rules: Mapping[str, Requirement],
    command: Sequence[str],
    scope: Scope,
    references: Mapping[str, CaseResult] | None = None,
    *,
    part: Mapping[str, Json] | None = None,
) -> Mapping[str, Json]:
    """Return a run as data, its failures explained by the reference's results, by name."""
    return record(
        outcome,
        rules,
        command,
        scope,
        diagnosis=explain(outcome, references or {}, rules),
        circumstances=Circumstances(
            "2026-05-01T12:00:00+00:00", "Linux 6.1 x86_64, CPython 3.13.0"
        ),
        part=part,
    )


def hostile() -> Mapping[str, Json]:
    """Return a failing run in which the driver prints everything that could break a report."""
    bad = result(Verdict.FAIL, said=HOSTILE)
    return run([bad, evolve(bad, verdict=Verdict.ERROR, reason=HOSTILE)], name=HOSTILE)
