"""Find out which rule a client broke before it reached the rule that a case tests.

The premise of a case names what the client must do before the rule can be judged. If the client did
not do that, the breach is the first thing that went wrong: an operation settled when it should have
continued, or the client did not react to the backend's last action. That action determines the
broken rule.
"""

from typing import Final

from attrs import frozen

from conformance.casefile.model import Case
from conformance.expect.callbacks import Result
from conformance.expect.mismatch import Assertion, Divergence
from conformance.expect.order import Reached
from conformance.trace.events import (
    CallbackRan,
    Called,
    Event,
    Failure,
    Framed,
    Requested,
    Settled,
    Slept,
    Trace,
)
from conformance.verdict.not_reached.broken_rule import (
    TERMINAL,
    broken_rule,
    terminal_rule,
    unskipped_rule,
)
from conformance.verdict.not_reached.frames import CALLBACK_OF, Kind, frames_of
from conformance.verdict.not_reached.past import Past

_LAST: Final = {CALLBACK_OF[kind]: rule for kind, rule in TERMINAL.items()}
_MARGIN: Final = 10
"""A client that exceeds its budget by more than this many attempts is not merely off by one."""


@frozen
class Breach:
    """The rule that the client broke, and the evidence."""

    rule: str
    divergence: Divergence


def breach_of(
    case: Case, trace: Trace, profile: str, missing: Divergence, awaited: str = ""
) -> Breach | None:
    """Return the breach that explains `missing`, or None if no rule explains it.

    `awaited` is the name of the missing event, or empty if no event is missing.
    """
    settled = _unexpected(case, trace)
    until = trace.events if settled is None else trace.events[: settled.seq]
    past = Past.of(until, profile, settled)
    called = past.calls("cancel") and settled is None
    rule = "ARK-CAN-2" if called and awaited.startswith("cancel#") else broken_rule(past, case)
    if rule is None:
        return None
    if settled is None:
        last = until[-1] if until else None
        after = f"it did not happen; {past}" if past.route else "the client sent no request"
        return Breach(rule, Divergence(missing.expected, after, last))
    fact = settled.fact
    assert isinstance(fact, Settled), "_unexpected() returns only events that settle an operation"
    failure = fact.failure
    how = "resolved" if failure is None else f"failed: {failure.kind} ({failure.message})"
    when = f"after {past}" if past.route else "before any request"
    return Breach(rule, Divergence(missing.expected, f"{fact.operation} {how} {when}", settled))


def went_on(case: Case, trace: Trace) -> Breach | None:
    """Return the breach of a client that reopened the stream after delivering the last event."""
    rule = ""
    for event in trace.events:
        match event.fact:
            case CallbackRan(name=name) if name in _LAST and "throw_in" not in case.config:
                rule = _LAST[name]
            case Called(operation=operation) if operation.startswith("wait"):
                rule = ""
            case Requested(route="stream") if rule:
                expected = "wait does nothing more after the last event of the job"
                return Breach(rule, Divergence(expected, "the client reopened the stream", event))
            case _:
                pass
    return None


def left_early(case: Case, trace: Trace) -> Event | None:
    """Return the event with which an operation settled too early for the case, or None.

    The following do not count as too early: an operation whose result the case itself judges; an
    operation that gave up (the number of stream requests shows whether that was too early); a wait
    that received the end of the job or mistook something for it; a wait that had earlier survived
    the same kind of failure; a wait that the case itself made fail; and a wait that failed with
    `protocol` at the end of the job, where only the case knows whether the stream was at fault.
    """
    settled = _unexpected(case, trace)
    if settled is None or not isinstance(settled.fact, Settled) or _has_given_up(settled):
        return None
    past = Past.of(trace.events[: settled.seq], "", settled)
    at_its_end = terminal_rule(past) is not None or past.heard_the_end
    if past.survived or (past.resolved and at_its_end) or _was_told_to(past, case):
        return None
    if past.failure == "protocol" and at_its_end and unskipped_rule(past) is None:
        return None
    operation = settled.fact.operation
    request = operation.replace("start", "create")
    words = {f"result.{operation}", f"reached {request}.requested"}
    judged = any(each.assertion.word in words for each in case.expect)
    return None if judged and not _missed_the_stream(past, case) else settled


def never_began(trace: Trace) -> bool:
    """Return whether `wait()` was called, and not aborted, but the client sent no request."""
    past = Past.of(trace.events, "")
    return past.calls("wait") > 0 and not past.calls("abort") and not past.requests


def _missed_the_stream(past: Past, case: Case) -> bool:
    """Return whether a wait settled without reading the case's stream.

    Either it resolved without receiving the end of the job, or it failed before it opened the
    stream.
    """
    if past.settled is None or not past.settled.operation.startswith("wait"):
        return False
    if past.resolved:
        return True
    ordinary = "stream" in case.server.answers and "create" not in case.server.answers
    return ordinary and not past.count("stream") and past.failure != "aborted"


def _was_told_to(past: Past, case: Case) -> bool:
    """Return whether a wait failed because the case aborted it or made a callback throw."""
    match past.failure:
        case "aborted":
            return past.calls("abort") > 0 or past.fired(case.config.get("abort_in"))
        case "callback":
            return past.fired(case.config.get("throw_in"))
        case _:
            return False


def overran(case: Case, trace: Trace) -> bool:
    """Return whether the client kept reconnecting long after its budget was exhausted."""
    limit = case.config.get("max_attempts")
    settled = any(fact.operation.startswith("wait") for _, fact in trace.of(Settled))
    if not isinstance(limit, int) or settled:
        return False
    opens = sum(fact.route == "stream" for _, fact in trace.of(Requested))
    sleeps = sum(fact.purpose != "idle" for _, fact in trace.of(Slept))
    return max(opens, sleeps) > limit + _MARGIN


def rule_of_a_callback(event: Event, trace: Trace) -> str:
    """Return the rule that a client breaks by running the wrong callback."""
    name = event.fact.name if isinstance(event.fact, CallbackRan) else ""
    before = frames_of(trace.events[: event.seq])
    pinged = [CALLBACK_OF.get(frame.type) for frame in before if frame.kind is Kind.PING]
    return "ARK-EVT-27" if name in pinged else "ARK-EVT-1"


def rule_of_a_delay(event: Event, trace: Trace, profile: str) -> str:
    """Return the rule that a wrong delay breaks; it depends on what happened before the delay."""
    past = Past.of(trace.events[: event.seq], profile)
    if any(_has_given_up(each) for each in past.events):
        return "ARK-BUD-6"
    if profile == "hardened" and any(
        isinstance(each.fact, Framed) and b"retry" in each.fact.data for each in past.events
    ):
        return "ARK-BAK-10"
    if past.ended_cleanly and past.progressed:
        return "ARK-BAK-5" if profile == "hardened" else "ARK-BAK-4"
    return "ARK-BAK-1"


def _has_given_up(event: Event) -> bool:
    match event.fact:
        case Settled(failure=Failure(kind="gave_up")):
            return True
        case _:
            return False


def _unexpected(case: Case, trace: Trace) -> Event | None:
    """Return the first event that settled an operation in a way the case does not expect."""
    expected: dict[str, Assertion] = {
        each.assertion.word: each.assertion
        for each in case.expect
        if each.assertion.word.startswith("result.")
    }
    expected |= {each.word: each for each in case.premise if isinstance(each, Result)}
    wanted = {each.reference for each in case.premise if isinstance(each, Reached)}
    early: Event | None = None
    for event, fact in trace.of(Settled):
        operation = fact.operation
        if operation.partition("#")[0] not in {"start", "wait", "cancel"}:
            continue
        if (known := expected.get(f"result.{operation}")) is not None:
            right = known.judge(trace) is None
        elif f"{operation}.settled" in wanted and not operation.startswith("wait"):
            right = True
        elif f"{operation}.rejected" in wanted:
            right = fact.failure is not None
        else:
            right = fact.failure is None and not operation.startswith("wait")
        if not right:
            return event
        # The result is as expected, but the last wait must not settle before the premise is met.
        early = event if operation.startswith("wait") else early
    later = () if early is None else trace.events[early.seq :]
    return None if any(_goes_on(event) for event in later) else early


def _goes_on(event: Event) -> bool:
    """Return whether the event is a call to another operation, so that the case continues."""
    return isinstance(event.fact, Called) and event.fact.operation != "close"
