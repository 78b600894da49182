"""Verdicts: what a case says about a client under one profile.

It knows how findings become a verdict and verdicts an exit status. It refuses to know how a
finding was made.
"""

from collections.abc import Sequence

from attrs import frozen

from conformance.case import Case
from conformance.specification import Level
from conformance.timing import Unjudged
from conformance.trace import Event, Trace
from conformance.verdict_words import Exit, Verdict


@frozen(kw_only=True)
class Finding:
    """One broken expectation, and the requirements that break with it."""

    assertion: str
    requires: tuple[str, ...]
    expected: str
    actual: str
    event: Event | None

    @property
    def inconclusive(self) -> bool:
        """Whether it only says that the case was not carried through."""
        return self.assertion.partition(" ")[0] in {"reached", "step"}


@frozen(kw_only=True)
class CaseResult:
    """What one case under one profile came to. `reason` is for verdicts without findings."""

    case: Case
    profile: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    trace: Trace
    reason: str = ""
    seconds: float = 0.0
    unjudged: tuple[Unjudged, ...] = ()
    """What of the case the time of the run could not judge."""

    @property
    def name(self) -> str:
        """The case and the profile, as `--case` and the baseline write them."""
        return f"{self.case.id}@{self.profile}"


def verdict_of(case: Case, findings: Sequence[Finding]) -> Verdict:
    """Weigh the findings of a case that ran."""
    if not findings:
        return Verdict.PASS
    if all(finding.inconclusive for finding in findings):
        return Verdict.INCONCLUSIVE
    return Verdict.FAIL if case.level is Level.MUST else Verdict.WARN


def exit_of(results: Sequence[CaseResult]) -> Exit:
    """Return the exit status of a run, baselines apart."""
    ran = [result for result in results if result.verdict is not Verdict.NOT_APPLICABLE]
    if not ran:
        return Exit.NOTHING_RAN
    if any(result.verdict is Verdict.ERROR for result in ran):
        return Exit.UNUSABLE
    return Exit.FAILED if any(result.verdict.fails for result in ran) else Exit.OK
