"""Find out why a case did not get as far as its own rule: which rule the client broke before.

A case names what the client must have done before its rule can be judged. If that did not happen,
the cause is the first thing that went wrong: an operation that settled when it should have gone on,
or a client that did not react to what the backend had just done. The rule that was broken follows
from what the backend did last.
"""

from collections.abc import Mapping
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
from conformance.verdict.past import (
    CALLBACK_OF,
    PERMANENT,
    ROUTES,
    Kind,
    Past,
    frames_of,
)

_STATUS_RULE: Final = {"2026-05": "ARK-ERR-1", "2026-07": "ARK-ERR-2", "hardened": "ARK-ERR-4"}
_TERMINAL: Final = {"training.completed": "ARK-STR-2", "training.failed": "ARK-STR-3"}
_LAST: Final = {CALLBACK_OF[kind]: rule for kind, rule in _TERMINAL.items()}
_SKIPPED: Final[Mapping[Kind, str]] = {
    Kind.MALFORMED: "ARK-EVT-7",
    Kind.NO_OBJECT: "ARK-EVT-26",
    Kind.UNKNOWN: "ARK-EVT-8",
    Kind.PING: "ARK-EVT-5",
}
"""The rule about each kind of frame that a client must skip, the likeliest to stop it first."""
_ADDRESSES: Final = frozenset({"ARK-WIR-1", "ARK-WIR-6", "ARK-WIR-10", "ARK-WIR-13"})
_REDIRECT: Final = 300
_REFUSED: Final = 400
_SERVER_ERROR: Final = 500
_NOT_FOUND: Final = 404
_MARGIN: Final = 10
"""This many opens more than the budget allows are more than an off-by-one mistake."""


@frozen
class Cause:
    """The rule that the client broke, and the evidence for it."""

    rule: str
    divergence: Divergence


def cause_of(
    case: Case, trace: Trace, profile: str, missing: Divergence, awaited: str = ""
) -> Cause | None:
    """Return why `missing` did not happen; None if no rule explains it.

    `awaited` is the event that was missing, if it was an event.
    """
    settled = _unexpected(case, trace)
    until = trace.events if settled is None else trace.events[: settled.seq]
    past = Past.of(until, profile, settled)
    called = past.calls("cancel") and settled is None
    rule = "ARK-CAN-2" if called and awaited.startswith("cancel#") else _rule(past, case)
    if rule is None:
        return None
    if settled is None:
        last = until[-1] if until else None
        after = f"it never came after {past}" if past.route else "the client sent no request"
        return Cause(rule, Divergence(missing.expected, after, last))
    fact = settled.fact
    assert isinstance(fact, Settled), "only operations that settled are unexpected"
    failure = fact.failure
    how = "resolved" if failure is None else f"failed: {failure.kind} ({failure.message})"
    when = f"after {past}" if past.route else "before any request"
    return Cause(rule, Divergence(missing.expected, f"{fact.operation} {how} {when}", settled))


def went_on(case: Case, trace: Trace) -> Cause | None:
    """Return the cause if the client opened the stream again after delivering the last event."""
    rule = ""
    for event in trace.events:
        match event.fact:
            case CallbackRan(name=name) if name in _LAST and "throw_in" not in case.config:
                rule = _LAST[name]
            case Called(operation=operation) if operation.startswith("wait"):
                rule = ""
            case Requested(route="stream") if rule:
                expected = "wait does nothing more after the last event of the job"
                return Cause(rule, Divergence(expected, "the stream was opened again", event))
            case _:
                pass
    return None


def left_early(case: Case, trace: Trace) -> Event | None:
    """Return the event with which an operation settled too early for the case, if one did.

    The following do not count as too early: an operation whose result the case judges itself; one
    that gave up, because the number of opens tells what that means; a wait that received the end of
    the job or mistook something for it; a wait that had survived the same thing before; and a wait
    that failed with `protocol` when only the case can know whether the stream was at fault.
    """
    settled = _unexpected(case, trace)
    if settled is None or not isinstance(settled.fact, Settled) or _has_given_up(settled):
        return None
    past = Past.of(trace.events[: settled.seq], "", settled)
    at_its_end = _terminal(past) is not None or past.heard_the_end
    if past.survived or (past.resolved and at_its_end) or _was_told_to(past, case):
        return None
    if past.failure == "protocol" and at_its_end and _unskipped(past) is None:
        return None
    operation = settled.fact.operation
    request = operation.replace("start", "create")
    words = {f"result.{operation}", f"reached {request}.requested"}
    judged = any(each.assertion.word in words for each in case.expect)
    return None if judged and not _missed_the_stream(past, case) else settled


def never_began(trace: Trace) -> bool:
    """Tell whether `wait()` was called but no request of any kind was sent."""
    past = Past.of(trace.events, "")
    return past.calls("wait") > 0 and not past.calls("abort") and not past.requests


def _missed_the_stream(past: Past, case: Case) -> bool:
    """Tell whether a wait settled without reading the stream of the case.

    Either it resolved without receiving the end of the job, or it failed before it opened the stream.
    """
    if past.settled is None or not past.settled.operation.startswith("wait"):
        return False
    if past.resolved:
        return True
    ordinary = "stream" in case.server.answers and "create" not in case.server.answers
    return ordinary and not past.count("stream") and past.failure != "aborted"


def _was_told_to(past: Past, case: Case) -> bool:
    """Tell whether a wait failed because the case aborted it or made its callback fail."""
    match past.failure:
        case "aborted":
            return past.calls("abort") > 0 or past.fired(case.config.get("abort_in"))
        case "callback":
            return past.fired(case.config.get("throw_in"))
        case _:
            return False


def overran(case: Case, trace: Trace) -> bool:
    """Tell whether the client went on long after its budget must have been exhausted."""
    limit = case.config.get("max_attempts")
    settled = any(fact.operation.startswith("wait") for _, fact in trace.of(Settled))
    if not isinstance(limit, int) or settled:
        return False
    opens = sum(fact.route == "stream" for _, fact in trace.of(Requested))
    sleeps = sum(fact.purpose != "idle" for _, fact in trace.of(Slept))
    return max(opens, sleeps) > limit + _MARGIN


def rule_of_a_callback(event: Event, trace: Trace) -> str:
    """Return the rule that is broken by a callback that ran instead of another."""
    name = event.fact.name if isinstance(event.fact, CallbackRan) else ""
    before = frames_of(trace.events[: event.seq])
    pinged = [CALLBACK_OF.get(frame.type) for frame in before if frame.kind is Kind.PING]
    return "ARK-EVT-27" if name in pinged else "ARK-EVT-1"


def rule_of_a_delay(event: Event, trace: Trace, profile: str) -> str:
    """Return the rule that a wrong delay breaks, which depends on what happened before it."""
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
    """Return the first settling of an operation that the case does not expect."""
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
    """Tell whether the kit called another operation, so that the case was not over yet."""
    return isinstance(event.fact, Called) and event.fact.operation != "close"


def _rule(past: Past, case: Case) -> str | None:  # noqa: PLR0911 - one arm per route
    """Return the broken rule that follows from the past, if one does."""
    if past.requests and past.requests[-1].route not in ROUTES and past.route != "stream":
        return next((rule for rule in case.requires if rule in _ADDRESSES), "ARK-WIR-6")
    if past.settled is not None and past.settled.operation.startswith("cancel"):
        return _of_a_cancel(past)
    if (unheeded := _unheeded_abort(past, case)) is not None:
        return unheeded
    if past.profile == "hardened" and past.requests and past.requests[-1].route == "job":
        return "ARK-STR-19"
    match past.route:
        case "create":
            return _of_the_create(past)
        case "stream":
            return _of_the_stream(past, case)
        case "cancel":
            return _of_a_cancel(past) if past.settled is None else "ARK-CAN-6"
        case _:
            return _before_any_request(past, case)


def _before_any_request(past: Past, case: Case) -> str | None:
    if not past.calls("start", "wait"):
        return "ARK-CAN-9" if past.calls("cancel") else None
    if "job" in case.config:
        return "ARK-CRE-13"
    return "ARK-CRE-1" if past.calls("start") else "ARK-CRE-9"


def _unheeded_abort(past: Past, case: Case) -> str | None:
    """Return the rule that is broken if the running `wait()` ignored an abort."""
    aborted = past.calls("abort") > 0 or past.fired(case.config.get("abort_in"))
    if not aborted or past.failure == "aborted":
        return None
    if past.route == "create" and past.status is None:
        return "ARK-ABT-9"
    return "ARK-ABT-3" if past.asleep else "ARK-ABT-1"


def _of_a_cancel(past: Past) -> str:
    """Return the rule broken by a cancel that was not sent or settled wrongly."""
    sent = past.count("cancel")
    if past.failure or not sent:
        return "ARK-CAN-2"
    if past.settled is not None and sent >= past.calls("cancel"):
        return "ARK-CAN-4"
    over = any(
        isinstance(e.fact, Settled) and e.fact.operation.startswith("wait") for e in past.events
    )
    return "ARK-CAN-3" if over else "ARK-CAN-13"


def _of_the_create(past: Past) -> str:  # noqa: PLR0911 - one arm per rule
    if past.count("create") > past.calls("start", "wait"):
        return "ARK-CRE-6"
    if past.settled is not None and past.called_after_the_request(past.settled.operation):
        return _of_a_call_without_a_request(past, past.settled.operation)
    if past.status is None or past.status >= _REDIRECT:
        return "ARK-CRE-7" if past.settled is not None else "ARK-ERR-10"
    if past.settled is None and past.pending("start"):
        return "ARK-CRE-1"
    if past.failure == "transport" and past.calls("wait") and past.ended is not None:
        return "ARK-BUD-1"  # the job exists, but its stream could not be opened
    if past.failure:
        return "ARK-CRE-1"
    if past.calls("wait"):
        return "ARK-STR-1"
    if past.settled is not None:
        return "ARK-CRE-8"
    return "ARK-CAN-2" if past.calls("cancel") else "ARK-CRE-1"


def _of_a_call_without_a_request(past: Past, operation: str) -> str:
    if past.status is not None and past.status < _REDIRECT:
        return "ARK-STR-1" if operation.startswith("wait") else "ARK-CRE-2"
    return "ARK-CRE-5"


def _of_the_stream(past: Past, case: Case) -> str | None:
    if past.settled is None and _exceeded(past, case):
        return "ARK-BUD-6"
    if past.failure == "gave_up" and past.lost:
        return "ARK-EVT-1"
    if past.failure == "gave_up" and (past.status is None or past.status >= _REFUSED):
        return "ARK-BUD-6" if "max_attempts" in case.config else "ARK-BUD-8"
    if past.status is None:
        return "ARK-BUD-1"
    if past.status >= _REDIRECT:
        return _of_a_status(past.profile, past.status)
    return _of_an_open_stream(past, case)


def _exceeded(past: Past, case: Case) -> bool:
    """Tell whether there were more opens in a row without a frame than the budget allows."""
    budget = case.config.get("max_attempts")
    marks = [event.seq for event in past.events if isinstance(event.fact, Framed | Called)]
    row = sum(
        isinstance(event.fact, Requested) and event.fact.route == "stream"
        for event in past.events[marks[-1] if marks else 0 :]
    )
    return isinstance(budget, int) and row > budget + 1


def _of_a_status(profile: str, status: int) -> str:
    if status < _REFUSED:
        return "ARK-SEC-2"
    if status >= _SERVER_ERROR:
        return "ARK-BUD-2"
    if profile == "hardened" and status in PERMANENT["hardened"]:
        return "ARK-ERR-3"
    if profile == "hardened" and status == _NOT_FOUND:
        return "ARK-ERR-5"
    return _STATUS_RULE[profile]


def _of_an_open_stream(past: Past, case: Case) -> str | None:
    terminal = _terminal(past)
    if past.resolved:
        return _of_a_result(past, case, terminal)
    if terminal is not None and not past.undecoded:
        if past.failure and (skipped := _unskipped(past)) is not None:
            return skipped
        return "ARK-EVT-1" if past.lost_on_the_way and not past.failure else terminal
    if (unread := _unread_frame(past, case)) is not None:
        return unread
    return _of_an_end(past, case)


def _terminal(past: Past) -> str | None:
    for frame in past.frames:
        if frame.kind is Kind.END:
            return "ARK-EVT-6"
        if frame.kind is Kind.EVENT and frame.type in _TERMINAL:
            return _TERMINAL[frame.type]
    return None


def _of_a_result(past: Past, case: Case, terminal: str | None) -> str:
    """Return the rule broken by a `wait()` that resolved without doing what it should."""
    if terminal is None:
        return "ARK-STR-4"
    if past.lost:
        return "ARK-EVT-1"
    if past.fired(case.config.get("throw_in")) and not past.refused:
        return _callback_error(past)
    if (status := past.permanent_status) is not None:
        return _of_a_status(past.profile, status)
    return "ARK-BUD-6" if "max_attempts" in case.config else terminal


def _callback_error(past: Past) -> str:
    return "ARK-EVT-15" if past.profile == "2026-05" else "ARK-EVT-16"


def _unread_frame(past: Past, case: Case) -> str | None:
    """Return the rule about the frame at which the client stopped, if it stopped at one."""
    if past.failure == "callback":
        return _callback_error(past)
    if past.undecoded:
        return "ARK-SSE-3"
    if not past.failure:
        return _unheard(past, case)
    return _unskipped(past)


def _unskipped(past: Past) -> str | None:
    """Return the rule about the frame at which a client failed instead of skipping it."""
    if past.failure in {"gave_up", "aborted", "http", "transport"}:
        return None
    kinds = {frame.kind for frame in past.frames}
    return next((rule for kind, rule in _SKIPPED.items() if kind in kinds), None)


def _unheard(past: Past, case: Case) -> str | None:
    """Return the rule about an event that never reached its callback."""
    threw = past.fired(case.config.get("throw_in"))
    if not past.lost:
        return _callback_error(past) if threw else None
    if past.ended is None and past.heard and past.heard == past.sent[:-1]:
        return "ARK-SSE-19" if past.frames and past.frames[-1].ends_in_cr else "ARK-SSE-16"
    return None if threw else "ARK-EVT-1"


def _of_an_end(past: Past, case: Case) -> str:
    if past.failure == "gave_up" and not (past.ended_cleanly and past.progressed):
        return "ARK-BUD-6" if "max_attempts" in case.config else "ARK-BUD-8"
    if past.ended_cleanly:
        return _of_a_clean_end(past)
    if past.ended is None:
        # The backend is silent; only cases about silence expect the client to do something.
        silence = (rule for rule in case.requires if rule.startswith("ARK-IDL"))
        return next(silence, "ARK-BUD-3" if past.failure else "ARK-SSE-16")
    return "ARK-BUD-3"


def _of_a_clean_end(past: Past) -> str:
    if not past.progressed:
        return "ARK-BUD-4"
    if all(frame.kind is not Kind.EVENT for frame in past.frames):
        return "ARK-BUD-11" if past.profile == "2026-05" else "ARK-BUD-19"
    return "ARK-BUD-5"
