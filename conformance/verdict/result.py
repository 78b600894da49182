"""Verdicts: what a case says about a client under one profile.

Findings become a verdict here, and verdicts an exit status.
"""

from collections.abc import Callable, Sequence
from typing import Final

from attrs import frozen

from conformance.casefile.model import Case
from conformance.casefile.nonces import Nonces
from conformance.trace.events import Event, Trace
from conformance.verdict.statuses import Exit, Verdict
from conformance.verdict.time_modes import Unjudged

OF_THE_DRIVER: Final = "driver"
"""The assertion of a finding that is about the driver and not about its client."""


SETTLES: Final = "ARK-ERR-10"
"""The rule that every operation settles, for cases that are about something else."""


@frozen(kw_only=True)
class Finding:
    """One broken expectation, and the requirements that break with it."""

    assertion: str
    requires: tuple[str, ...]
    expected: str
    actual: str
    event: Event | None
    not_reached: bool = False
    """Whether it says that the client did not get to what the case is about."""

    @property
    def unexplained(self) -> bool:
        """Whether the kit cannot say which rule kept the client from getting there."""
        return self.not_reached and not self.requires

    @property
    def of_the_driver(self) -> bool:
        """Whether the driver itself failed: it died, spoke no protocol, or never answered.

        An operation that never settles is the driver's where the case is not about how it does.
        """
        hangs = self.assertion.startswith("conduct.answer") and self.requires == (SETTLES,)
        return self.assertion == OF_THE_DRIVER or hangs

    @property
    def cut_short(self) -> bool:
        """Whether the case did not come to its end, so that its own rules are open."""
        unsettled = self.assertion.startswith(("conduct.answer", "conduct.end"))
        return self.not_reached or self.of_the_driver or unsettled


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
    lacking: tuple[str, ...] = ()
    """The capabilities for want of which the case was not played."""
    nonces: Nonces | None = None
    """The values of the placeholders of the case."""
    endless: bool = False
    """Whether the client went on without end, so that its first lap says more than its last."""

    @property
    def name(self) -> str:
        """The case and the profile, as `--case` and the baseline write them."""
        return f"{self.case.id}@{self.profile}"


def verdict_of(findings: Sequence[Finding], binding: Callable[[str], bool]) -> Verdict:
    """Weigh the findings of a case that ran; `binding` tells which rules a client must keep."""
    if not findings:
        return Verdict.PASS
    if any(finding.unexplained for finding in findings):
        return Verdict.ERROR
    broken = [
        # A driver that dies fails whatever rule it breaks: else dying would hide a failure.
        f
        for f in findings
        if f.of_the_driver or not f.requires or any(map(binding, f.requires))
    ]
    if not broken:
        return Verdict.WARN
    reached = any(not finding.not_reached for finding in broken)
    return Verdict.FAIL if reached else Verdict.INCONCLUSIVE


def exit_of(results: Sequence[CaseResult]) -> Exit:
    """Return the exit status of a run, baselines apart."""
    ran = [result for result in results if result.verdict is not Verdict.NOT_APPLICABLE]
    if not ran:
        return Exit.NOTHING_RAN
    if any(result.verdict is Verdict.ERROR for result in ran):
        return Exit.UNUSABLE
    return Exit.FAILED if any(result.verdict.fails for result in ran) else Exit.OK
