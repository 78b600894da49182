"""Restore the results of a saved run: all that a verdict depends on, but not the events."""

from conformance.casefile.model import Case
from conformance.reports.run_json import words
from conformance.trace.events import Called, Failure, Settled, Trace
from conformance.verdict.result import CaseResult, Finding
from conformance.verdict.time_modes import Timing, Unjudged


def restored(told: words.Result, case: Case, timing: Timing) -> CaseResult:
    """Return a result with all that its verdict depends on; `timing` is the run's time mode."""
    return CaseResult(
        case=timing.adapt(case).case if told.trace else case,
        profile=told.profile,
        verdict=told.verdict,
        findings=tuple(map(_finding, told.findings)),
        trace=_trace(told),
        reason=told.reason,
        seconds=told.seconds,
        unjudged=tuple(Unjudged(each.word, each.why) for each in told.unjudged),
        lacking=told.lacking,
        endless=told.endless,
    )


def _finding(told: words.Finding) -> Finding:
    return Finding(
        assertion=told.assertion,
        requires=told.requires,
        expected=told.expected,
        actual=told.actual,
        event=None,
        not_reached=told.not_reached,
    )


def _trace(told: words.Result) -> Trace:
    """Return a trace of what a verdict needs: whether the case was opened, and any refusals."""
    trace = Trace()
    if told.trace:
        trace.append(Called("open"), 0.0)
    message = told.reason.partition(": ")[2]
    for operation in told.refused:
        trace.append(Settled(operation, {}, Failure("unsupported", None, message)), 0.0)
    return trace
