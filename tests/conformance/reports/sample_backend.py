"""Runs about backends as data, for the tests of the reports."""

from collections.abc import Mapping, Sequence
from typing import Final

from attrs import evolve

from conformance.backends.cases import backend_cases
from conformance.backends.record import Asked, backend_record
from conformance.backends.requirements import backend_requirements
from conformance.backends.run import BackendPlan, Outcome, Played
from conformance.backends.target import Address, Target
from conformance.backends.verdict import as_cases, results_of
from conformance.casefile.requirements import PROFILE_NAMES
from conformance.expect.mismatch import Divergence
from conformance.reports.run_json.circumstances import Circumstances
from conformance.strict_data import Json
from conformance.trace.events import Noted, Requested, Responded, Trace
from conformance.verdict.result import Finding
from conformance.verdict.scope import Scope

URL: Final = "http://127.0.0.1:8077"
TOKEN: Final = "a-token-of-the-kit"
WORDS: Final = frozenset({"job", "emit", "finish"})
PROGRAM: Final = ("python", "my control.py")
PASSING: Final = "stream.first-head"
GAP: Final = "resume.every-id-lacks-nothing"
GAP_TOO: Final = "resume.kept-cursor-after-forgetting"
SLASH: Final = "limits.encoded-slash"
FORGOTTEN: Final = "resume.forgotten-cursor"


def passing(case: str = PASSING) -> Played:
    """Return a case without findings."""
    return Played(case=backend_cases()[case], trace=_trace(), seconds=0.5)


def failing(case: str, rule: str, expected: str, actual: str, *, reached: bool = True) -> Played:
    """Return a case in which a rule was found to be broken, at the answer."""
    trace = _trace()
    found = Divergence(expected, actual, trace.events[-1])
    finding = Finding.of(rule, (rule,), found, not_reached=not reached)
    return Played(case=backend_cases()[case], trace=trace, findings=(finding,), seconds=0.5)


def lacking(case: str, *words: str) -> Played:
    """Return a case that a control program cannot play."""
    missed = f"needs a control program with the command {words[0]}"
    return Played(case=backend_cases()[case], trace=Trace(), missed=missed, lacking=words)


def _trace() -> Trace:
    trace = Trace()
    trace.append(Noted("kit", "to the control program: job"), 0.0)
    headers = (("authorization", "Bearer [secret]"),)
    trace.append(Requested("job", 1, "GET", "/v1/jobs/job-1", headers, "", 1), 0.001)
    trace.append(Responded("job", 1, 404), 0.002)
    return trace


BROKEN: Final = (
    passing(),
    failing(GAP, "ARK-SRV-33", "every event after '1'", "'3' came without '2'"),
    failing(GAP_TOO, "ARK-SRV-33", "the events ['7', '8']", "no event"),
    failing(SLASH, "ARK-SRV-58", "404", "200: the job was cancelled"),
    lacking(FORGOTTEN, "forget"),
)
"""Two cases that break one rule, one that breaks a SHOULD, one that cannot be played."""


def backend_run(
    played: Sequence[Played],
    *,
    implementation: str = "probe",
    version: str = "1",
    words: frozenset[str] = WORDS,
    notes: Sequence[str] = (),
    left: Sequence[str] = (),
) -> Mapping[str, Json]:
    """Return the run of a backend; without an `implementation` it has no control program."""
    rules = backend_requirements()
    cases = [each.case for each in played]
    target = Target(address=Address.of(URL), org="acme", project="llm", token=TOKEN)
    outcome = Outcome(
        plan=BackendPlan(target=evolve(target), cases=cases),
        target=target,
        played=played,
        seconds=1.5,
        made=("job-1", "job-2"),
        left=left,
        notes=notes,
        implementation=implementation,
        version=version,
        words=words,
    )
    catalogue = as_cases(tuple(backend_cases().values()), rules)
    scope = Scope.of(catalogue, as_cases(cases, rules), PROFILE_NAMES)
    asked = Asked(base_url=URL, control=PROGRAM if implementation else ())
    about = Circumstances("2026-05-01T12:00:00+00:00", "Linux 6.1 x86_64, CPython 3.13.0")
    return backend_record(
        outcome, results_of(outcome, rules, PROFILE_NAMES), rules, scope, asked, about
    )
