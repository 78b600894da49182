"""Check every output of a session, and its state after every move, against the promises."""

from typing import Final

from arkor_proto import (
    Aborted,
    Accepted,
    CancelSent,
    GaveUp,
    NothingToCancel,
    Operation,
    Outcome,
    Reconnecting,
    Rejected,
    Request,
    Resolved,
    TrainingEvent,
)
from conformance.states.facts import MAX_ATTEMPTS, Before, Facts
from conformance.states.promises import CLOSES, Violated, violated
from conformance.states.samples import JOB, KEY, place_of

BUG: Final = RuntimeError("bug in a callback")
_SERVER_ERROR: Final = 500
_TWICE: Final = {
    "create": "ARK-CRE-3",
    "stream": "ARK-STR-6",
    "cancel": "ARK-CAN-8",
    "job": "ARK-STR-18",
}


def check_send(facts: Facts, move: str, call: str, request: Request) -> None:
    """Check a request that the session sends."""
    if call in facts.calls:
        raise violated(_TWICE[call], f"a {call} request was sent while another was in progress")
    if move == "abort":
        raise violated("ARK-ABT-4", f"abort() sent a {call} request")
    match call:
        case "create":
            _check_create(facts, move, request)
        case "stream":
            _check_open(facts, move, request)
        case "cancel" if Operation.CANCEL not in facts.asked:
            raise violated(
                "ARK-CAN-5", "a cancel request was sent although no cancel() was pending"
            )
        case "job" if not facts.profile.asks_for_the_job:
            raise violated(
                "ARK-STR-18", "a job request was sent, but this profile does not use job requests"
            )
        case _:
            pass


def _check_create(facts: Facts, move: str, request: Request) -> None:
    if facts.attached:
        raise violated("ARK-CRE-13", "a create request was sent for an existing job")
    if facts.accepted:
        raise violated("ARK-CRE-2", "a second create request was sent after one had been accepted")
    if move == "follow" and facts.aborted:
        raise violated("ARK-ABT-6", "wait() sent a create request after the abort")
    if move not in {"start", "follow"}:
        raise violated("ARK-CRE-6", "a create request was sent outside a call to start() or wait()")
    key = dict(request.headers).get(b"Idempotency-Key", b"").decode()
    if facts.profile.idempotency_key and key != KEY:
        raise violated(
            "ARK-CRE-11", f"the create has the Idempotency-Key {key!r} instead of {KEY!r}"
        )


def _check_open(facts: Facts, move: str, request: Request) -> None:
    if facts.aborted:
        rule = "ARK-ABT-6" if move == "follow" else "ARK-ABT-4"
        raise violated(rule, "a stream was opened after the abort")
    if Operation.FOLLOW not in facts.asked:
        raise violated("ARK-CRE-4", "a stream was opened although no wait() was pending")
    _check_cursor(facts, dict(request.headers).get(b"Last-Event-ID"))
    if facts.remembers and facts.failures > MAX_ATTEMPTS:
        failures = f"after {facts.failures} failures in a row; the budget allows {MAX_ATTEMPTS}"
        raise violated("ARK-BUD-6", f"the stream was reopened {failures}")


def _check_cursor(facts: Facts, cursor: bytes | None) -> None:
    sent = None if cursor is None else cursor.decode()
    due = str(facts.heard) if facts.heard else None
    if sent == due or not facts.remembers:
        return
    shown = "without a cursor" if sent is None else f"with cursor {sent!r}"
    if due is None:
        rule = "ARK-RES-16" if sent and sent.isdigit() and sent != "0" else "ARK-RES-1"
        raise violated(rule, f"the stream was opened {shown} before any event was delivered")
    ahead = sent is not None and sent.isdigit() and int(sent) > facts.heard
    rule = "ARK-RES-16" if ahead else "ARK-RES-2"
    raise violated(rule, f"the stream was opened {shown}, but the cursor should be {due!r}")


def check_close(facts: Facts, number: int) -> None:
    """Check that an exchange was open when the session closed it."""
    if number not in facts.lines:
        raise Violated(CLOSES, f"exchange {number} was closed although it was not open")


def check_delivery(facts: Facts, event: TrainingEvent) -> None:
    """Check an event that the session delivers."""
    place = place_of(event)
    if facts.aborted:
        raise violated("ARK-ABT-7", f"event {place + 1} was delivered after the abort")
    if facts.is_busy:
        raise violated("ARK-EVT-2", f"event {place + 1} was delivered during another callback")
    if place > facts.heard:
        raise violated(
            "ARK-EVT-1", f"event {place + 1} was delivered before event {facts.heard + 1}"
        )
    if place < facts.heard and facts.remembers:
        raise violated("ARK-RES-2", f"event {place + 1} was delivered twice")


def check_notice(facts: Facts, notice: Reconnecting) -> None:
    """Check the number of failures in a reconnect notice."""
    if facts.remembers and notice.failures != facts.failures:
        counted = f"failures={notice.failures} instead of {facts.failures}"
        raise violated(_rule_of_the_count(facts), f"the reconnect notice has {counted}")


def _rule_of_the_count(facts: Facts) -> str:
    if not facts.progressed:
        return "ARK-BUD-4"
    return "ARK-BUD-3" if facts.failures else "ARK-BUD-5"


def check_settle(facts: Facts, move: str, operation: Operation, outcome: Outcome) -> None:
    """Check the outcome of an operation."""
    name = "wait" if operation is Operation.FOLLOW else operation.value
    if operation not in facts.asked:
        raise violated("ARK-ERR-10", f"{name}() was settled although it was not pending")
    match operation:
        case Operation.START:
            _check_started(facts, move, outcome)
        case Operation.FOLLOW:
            _check_followed(facts, move, outcome)
        case Operation.CANCEL:
            _check_cancelled(facts, move, outcome)


def _shown(outcome: Outcome) -> str:
    match outcome:
        case Rejected(error):
            return f"the error {error!r}"
        case Resolved():
            return "a result"
        case _:
            return type(outcome).__name__


def _check_started(facts: Facts, move: str, outcome: Outcome) -> None:
    match outcome:
        case Accepted(job_id):
            if not facts.job_known:
                raise violated("ARK-CRE-1", "start() resolved before the job was accepted")
            if job_id != JOB:
                raise violated("ARK-CRE-1", f"start() resolved with {job_id!r} instead of {JOB!r}")
        case _ if move not in {"create refuses", "create breaks"}:
            rule = "ARK-CRE-5" if move == "start" else "ARK-CRE-1"
            raise violated(rule, f"start() ended with {_shown(outcome)} although no create failed")
        case _:
            pass


def _check_followed(facts: Facts, move: str, outcome: Outcome) -> None:
    error = outcome.error if isinstance(outcome, Rejected) else None
    if facts.aborted:
        if not isinstance(error, Aborted):
            rule = "ARK-ABT-6" if move == "follow" else _rule_of_an_abort(facts)
            raise violated(rule, f"the wait ended with {_shown(outcome)} after the abort")
        return
    if move.startswith("cancel"):
        raise violated("ARK-CAN-6", f"the cancel ended the wait with {_shown(outcome)}")
    if error is None:
        if not (isinstance(outcome, Resolved) and facts.is_finished):
            rule = "ARK-STR-19" if move.startswith("job") else "ARK-STR-4"
            raise violated(rule, f"the wait ended with {_shown(outcome)} before the terminal event")
        return
    if isinstance(error, GaveUp):
        _check_gave_up(facts, error)
    elif error is BUG:
        if move != "fails" or facts.retries_callbacks:
            raise violated("ARK-EVT-15", "an exception in a callback rejected the wait")
    elif move not in {"leave", "create refuses", "create breaks"}:
        raise violated(_rule_of_the_rejection(facts, move), f"the wait was rejected with {error!r}")


def _rule_of_an_abort(facts: Facts) -> str:
    return "ARK-ABT-9" if "create" in facts.calls else "ARK-ABT-1"


def _check_gave_up(facts: Facts, error: GaveUp) -> None:
    if not facts.remembers:
        return
    if facts.failures <= MAX_ATTEMPTS:
        count = f"a failure count of {facts.failures}, although the budget allows {MAX_ATTEMPTS}"
        rule = _rule_of_the_count(facts) if facts.progressed else "ARK-BUD-6"
        raise violated(rule, f"the wait gave up with {count}")
    if error.attempts != facts.failures:
        counts = f"a failure count of {error.attempts} instead of {facts.failures}"
        raise violated("ARK-BUD-7", f"the error from wait() reports {counts}")


def _rule_of_the_rejection(facts: Facts, move: str) -> str:
    if move.endswith((" ping", " noise")):
        return "ARK-EVT-5" if move.endswith("ping") else "ARK-EVT-7"
    if move == "follow":
        return "ARK-STR-1" if facts.job_known else "ARK-CRE-5"
    if facts.status == _SERVER_ERROR:
        return "ARK-BUD-2"
    if move.startswith("stream"):
        return "ARK-BUD-4" if facts.status else "ARK-BUD-1"
    return "ARK-ERR-10"


def _check_cancelled(facts: Facts, move: str, outcome: Outcome) -> None:
    match outcome:
        case NothingToCancel() if facts.job_known:
            raise violated(
                "ARK-CAN-2", "cancel() reported nothing to cancel, although the job exists"
            )
        case NothingToCancel() if "create" in facts.calls:
            raise violated(
                "ARK-CAN-7",
                "cancel() reported nothing to cancel, although a create was in progress",
            )
        case CancelSent() if move != "cancel accepts":
            raise violated("ARK-CAN-2", "cancel() resolved before a response arrived")
        case Rejected(error) if move not in {"cancel refuses", "cancel breaks"}:
            raise violated(
                "ARK-CAN-2", f"cancel() was rejected with {error!r} before a response arrived"
            )
        case CancelSent() | NothingToCancel() | Rejected():
            pass
        case _:
            raise violated("ARK-CAN-2", f"cancel() ended with {_shown(outcome)}")


def check_move(facts: Facts, move: str, before: Before, last: "bool | None") -> None:  # noqa: C901
    """Check the state after a move.

    `last` is True if the move ended the callback of the terminal event, False if it ended another
    callback of the current wait, and None otherwise.
    """
    waits = Operation.FOLLOW in facts.asked
    match move:
        case "start":
            _check_a_start(facts, before)
        case "follow":
            _check_a_wait(facts, before)
        case "cancel":
            _check_a_cancel(facts, before)
        case "abort" | "leave":
            after = "the abort" if move == "abort" else "the application stopped waiting"
            if waits:
                rule = _rule_of_an_abort(facts) if move == "abort" else "ARK-ERR-10"
                raise violated(rule, f"the wait is still pending after {after}")
            if "stream" in facts.calls:
                raise violated("ARK-ABT-2", f"the stream is still open after {after}")
        case "handled" if last and waits:
            raise violated("ARK-STR-2", "the wait is still pending after the terminal event")
        case "fails" if last is not None:
            _check_a_failed_callback(facts, last=last)
        case "job is over" if waits:
            raise violated("ARK-STR-18", "the wait is still pending although the job has ended")
        case _:
            _check_an_answer(facts, move)
    if facts.is_finished and not facts.aborted and "stream" in facts.calls:
        raise violated("ARK-STR-7", "the stream is still open after the terminal event")


def _check_a_start(facts: Facts, before: Before) -> None:
    if before.job_known:
        if Operation.START in facts.asked:
            raise violated(
                "ARK-CRE-2", "start() did not resolve although the job was already accepted"
            )
    elif "create" not in facts.calls:
        raise violated("ARK-CRE-1", "start() did not send a create request")


def _check_a_wait(facts: Facts, before: Before) -> None:
    if Operation.FOLLOW not in facts.asked:
        return
    if before.aborted:
        raise violated("ARK-ABT-6", "a wait() called after the abort did not reject")
    if before.finished:
        raise violated("ARK-STR-5", "a wait() called after the job had ended did not resolve")
    if Operation.FOLLOW in before.asked:
        return
    if not before.job_known:
        if "create" not in facts.calls:
            raise violated("ARK-CRE-9", "wait() did not send a create request")
    elif "stream" not in facts.calls:
        raise violated("ARK-STR-15", "wait() did not open the stream immediately")


def _check_a_cancel(facts: Facts, before: Before) -> None:
    if before.job_known:
        if "cancel" not in facts.calls:
            raise violated("ARK-CAN-2", "cancel() did not send a request although the job exists")
    elif "create" not in before.calls and Operation.CANCEL in facts.asked:
        raise violated("ARK-CAN-1", "cancel() did not resolve although there is no job")


def _check_a_failed_callback(facts: Facts, *, last: bool) -> None:
    if "stream" in facts.calls:
        raise violated("ARK-STR-17", "the stream is still open after a callback failed")
    if Operation.FOLLOW not in facts.asked:
        return
    if not facts.retries_callbacks:
        raise violated(
            "ARK-EVT-16", "the wait is still pending after an exception in one of its callbacks"
        )
    if last:
        raise violated(
            "ARK-EVT-17", "the wait is still pending although the last callback has ended"
        )


def _check_an_answer(facts: Facts, move: str) -> None:
    start, wait, cancel = (operation in facts.asked for operation in Operation)
    match move:
        case "create accepts" if start:
            raise violated("ARK-CRE-1", "start() did not resolve although the create was accepted")
        case "create accepts" if cancel and "cancel" not in facts.calls:
            raise violated(
                "ARK-CAN-7", "the pending cancel was not sent although the create was accepted"
            )
        case "create accepts" if wait and "stream" not in facts.calls:
            raise violated(
                "ARK-STR-1", "the stream was not opened although the create was accepted"
            )
        case "create refuses" | "create breaks" if start:
            raise violated("ARK-CRE-7", "start() is still pending although the create failed")
        case "create refuses" | "create breaks" if wait:
            raise violated("ARK-CRE-10", "the wait is still pending although the create failed")
        case "create refuses" | "create breaks" if cancel:
            raise violated("ARK-CAN-10", "cancel() is still pending although the create failed")
        case "cancel accepts" if cancel:
            raise violated("ARK-CAN-2", "cancel() is still pending although its response arrived")
        case "cancel refuses" if cancel:
            raise violated("ARK-CAN-4", "cancel() is still pending although the cancel was refused")
        case "cancel breaks" if cancel:
            raise violated(
                "ARK-CAN-12", "cancel() is still pending although its request's connection broke"
            )
        case _:
            pass
