"""The play of a case, its findings and its result, and the exit status of a run."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from attrs import field, frozen

from conformance.casefile.model import Case
from conformance.casefile.nonces import Nonces
from conformance.expect.mismatch import Divergence
from conformance.trace.events import Event, Failure, Settled, Trace
from conformance.verdict.statuses import Exit, Verdict
from conformance.verdict.time_modes import Unjudged

OF_THE_DRIVER: Final = "driver"
"""The `assertion` of findings about the driver rather than its client."""
SETTLES: Final = "ARK-ERR-10"
"""The rule that every operation must settle; also cited if broken in a case for another rule."""


@frozen(kw_only=True)
class Play:
    """A played case: its trace, and what went wrong while the kit played it."""

    case: Case
    trace: Trace
    profile: str
    stuck: Sequence[tuple[str, str]] = ()
    unanswered: Sequence[str] = ()
    broken: str | None = None
    endless: bool = False
    log: str = ""
    """The driver's output on standard error during the case."""


@frozen(kw_only=True)
class Finding:
    """One failed expectation, and the requirements that the failure violates."""

    assertion: str
    requires: tuple[str, ...]
    expected: str
    actual: str
    event: Event | None
    not_reached: bool = False
    """Whether the client failed before reaching the case's own rule."""

    @classmethod
    def of(
        cls,
        assertion: str,
        requires: tuple[str, ...],
        found: Divergence,
        last: Event | None = None,
        *,
        not_reached: bool = False,
    ) -> "Finding":
        """Return a divergence as a finding; if the divergence has no event, `last` is shown."""
        event = found.event or last
        return cls(
            assertion=assertion,
            requires=requires,
            expected=found.expected,
            actual=found.actual,
            event=event,
            not_reached=not_reached,
        )

    @property
    def unexplained(self) -> bool:
        """Whether the client failed before reaching the case's own rule, and no rule says why."""
        return self.not_reached and not self.requires

    @property
    def of_the_driver(self) -> bool:
        """Whether the driver itself failed: it died, broke the protocol, or never answered.

        An operation that never settles counts as the driver's failure, unless the case judges the
        result of that operation.
        """
        hangs = self.assertion.startswith("conduct.answer") and self.requires == (SETTLES,)
        return self.assertion == OF_THE_DRIVER or hangs

    @property
    def cut_short(self) -> bool:
        """Whether the case ended early, so that its own rules were not judged."""
        unsettled = self.assertion.startswith(("conduct.answer", "conduct.end"))
        return self.not_reached or self.of_the_driver or unsettled


@frozen(kw_only=True)
class CaseResult:
    """The result of one case under one profile; `reason` explains a verdict without findings."""

    case: Case
    profile: str
    verdict: Verdict
    findings: tuple[Finding, ...]
    trace: Trace
    reason: str = ""
    seconds: float = 0.0
    unjudged: tuple[Unjudged, ...] = ()
    """The parts of the case that cannot be judged in the run's time mode."""
    lacking: tuple[str, ...] = ()
    """The capabilities that the driver lacks, which is why the case was not played."""
    nonces: Nonces | None = None
    """The values of the case's placeholders."""
    secrets: tuple[str, ...] = field(default=(), repr=False)
    """Texts, other than the case's secrets, that no report may show."""
    endless: bool = False
    """Whether the client never stopped; the start of the trace then tells more than its end."""

    @property
    def name(self) -> str:
        """The case and the profile, in the form used by `--case` and the baseline."""
        return f"{self.case.id}@{self.profile}"


def does_not_apply(play: Play) -> str:
    """Return why a played case does not apply to the client; empty if it applies."""
    for event in play.trace.events:
        match event.fact:
            case Settled(operation="open", failure=Failure(message=message)):
                return f"the driver could not open the case: {message}"
            case Settled(operation=operation, failure=Failure(kind="unsupported", message=message)):
                return f"the driver does not support {operation}: {message}"
            case _:
                pass
    for shape in play.case.applies:
        if play.trace.first(f"{shape.request}.requested") and (found := shape.judge(play.trace)):
            return f"the case applies only to other clients: {found.actual}"
    return ""


def secrets_of(case: Case) -> Iterator[str]:
    """Yield the secrets of a case: its token and the token of its dataset."""
    if "token" in case.config:
        yield str(case.config["token"])
    training = case.config.get("input")
    dataset = training.get("dataset") if isinstance(training, Mapping) else None
    if isinstance(dataset, Mapping) and isinstance(dataset.get("token"), str):
        yield str(dataset["token"])


def verdict_of(findings: Sequence[Finding], binding: Callable[[str], bool]) -> Verdict:
    """Return the verdict on a case with these findings; `binding` tells which rules count."""
    if not findings:
        return Verdict.PASS
    if any(finding.unexplained for finding in findings):
        return Verdict.ERROR
    broken = [
        # A driver that dies always fails the case; otherwise dying could hide a failure.
        f
        for f in findings
        if f.of_the_driver or not f.requires or any(map(binding, f.requires))
    ]
    if not broken:
        return Verdict.WARN
    reached = any(not finding.not_reached for finding in broken)
    return Verdict.FAIL if reached else Verdict.INCONCLUSIVE


def exit_of(results: Sequence[CaseResult]) -> Exit:
    """Return the exit status of a run, before baselines are applied."""
    ran = [result for result in results if result.verdict is not Verdict.NOT_APPLICABLE]
    if not ran:
        return Exit.NOTHING_RAN
    if any(result.verdict is Verdict.ERROR for result in ran):
        return Exit.UNUSABLE
    return Exit.FAILED if any(result.verdict.fails for result in ran) else Exit.OK
