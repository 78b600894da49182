"""Infer which rule a client broke, from the backend's last action on each route."""

from collections.abc import Mapping
from typing import Final

from conformance.casefile.model import Case
from conformance.trace.events import Called, Framed, Requested, Settled
from conformance.verdict.not_reached.frames import Kind
from conformance.verdict.not_reached.past import PERMANENT, ROUTES, Past

_STATUS_RULE: Final = {"2026-05": "ARK-ERR-1", "2026-07": "ARK-ERR-2", "hardened": "ARK-ERR-4"}
TERMINAL: Final = {"training.completed": "ARK-STR-2", "training.failed": "ARK-STR-3"}
_SKIPPED: Final[Mapping[Kind, str]] = {
    Kind.MALFORMED: "ARK-EVT-7",
    Kind.NO_OBJECT: "ARK-EVT-26",
    Kind.UNKNOWN: "ARK-EVT-8",
    Kind.PING: "ARK-EVT-5",
}
"""The rules about frames that a client must skip, by kind; the most likely mistake is first."""
_ADDRESSES: Final = frozenset({"ARK-WIR-1", "ARK-WIR-6", "ARK-WIR-10", "ARK-WIR-13"})
_WRONG_CREATE: Final[Mapping[int, str]] = {400: "ARK-WIR-2", 401: "ARK-WIR-11"}
"""The rule that a create request breaks if a correct backend rejects it, by response status."""
_REDIRECT: Final = 300
_REFUSED: Final = 400
_SERVER_ERROR: Final = 500
_NOT_FOUND: Final = 404


def broken_rule(past: Past, case: Case) -> str | None:  # noqa: PLR0911 - one arm per route
    """Return the rule that `past` shows to be broken, or None."""
    if past.requests and past.requests[-1].route not in ROUTES and past.route != "stream":
        return next(
            (rule for rule in case.requires if rule in _ADDRESSES), _of_an_address(past, case)
        )
    if past.settled is not None and past.settled.operation.startswith("cancel"):
        return _of_a_cancel(past)
    if (unheeded := _unheeded_abort(past, case)) is not None:
        return unheeded
    if past.profile == "hardened" and past.requests and past.requests[-1].route == "job":
        return "ARK-STR-19"
    match past.route:
        case "create":
            return _of_the_create(past, case)
        case "stream" if not past.calls("wait", "cancel"):
            return "ARK-CRE-4"
        case "stream":
            return _of_the_stream(past, case)
        case "cancel":
            return _of_a_cancel(past) if past.settled is None else "ARK-CAN-6"
        case _:
            return _before_any_request(past, case)


def _of_an_address(past: Past, case: Case) -> str:
    """Return the rule that governs the address of the expected request."""
    if not past.count("create") and "job" not in case.config:
        return "ARK-WIR-1"
    cancels = past.settled is not None and past.settled.operation.startswith("cancel")
    return "ARK-WIR-10" if cancels or past.awaits("cancel") else "ARK-WIR-6"


def _before_any_request(past: Past, case: Case) -> str | None:
    if not past.calls("start", "wait"):
        return "ARK-CAN-9" if past.calls("cancel") else None
    if "job" in case.config:
        return "ARK-CRE-13" if "ARK-CRE-13" in case.requires else "ARK-STR-1"
    return "ARK-CRE-1" if past.calls("start") else "ARK-CRE-9"


def _unheeded_abort(past: Past, case: Case) -> str | None:
    """Return the broken rule if the running `wait()` ignored an abort, else None."""
    aborted = past.calls("abort") > 0 or past.fired(case.config.get("abort_in"))
    if not aborted or past.failure == "aborted":
        return None
    if past.route == "create" and past.aborted_while_creating:
        return "ARK-ABT-9"
    return "ARK-ABT-3" if past.asleep else "ARK-ABT-1"


def _of_a_cancel(past: Past) -> str:
    """Return the rule broken by a missing cancel request or by a wrong outcome of `cancel()`."""
    sent = past.count("cancel")
    if past.failure or not sent:
        return "ARK-CAN-2"
    if past.settled is not None and sent >= past.calls("cancel"):
        return "ARK-CAN-4"
    over = any(
        isinstance(e.fact, Settled) and e.fact.operation.startswith("wait") for e in past.events
    )
    return "ARK-CAN-3" if over else "ARK-CAN-13"


def _of_the_create(past: Past, case: Case) -> str:  # noqa: PLR0911 - one arm per rule
    if past.count("create") > past.calls("start", "wait"):
        return "ARK-CRE-6"
    if past.settled is not None and past.called_after_the_request(past.settled.operation):
        return _of_a_call_without_a_request(past, past.settled.operation)
    if past.status is None or past.status >= _REDIRECT:
        if past.failure == "http" and "create" not in case.server.answers:
            return _WRONG_CREATE.get(past.status or 0, "ARK-CRE-7")
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


def _of_the_stream(past: Past, case: Case) -> str | None:  # noqa: PLR0911 - one arm per rule
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
    if past.failure == "http":  # the client rejected a stream because of its status
        return "ARK-STR-9" if past.profile == "hardened" else "ARK-STR-8"
    return _of_an_open_stream(past, case)


def _exceeded(past: Past, case: Case) -> bool:
    """Return whether the stream requests since the last frame or callback exceed the budget."""
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
    terminal = terminal_rule(past)
    if past.resolved:
        return _of_a_result(past, case, terminal)
    if terminal is not None and not past.undecoded:
        if past.failure and (skipped := unskipped_rule(past)) is not None:
            return skipped
        return "ARK-EVT-1" if past.lost_on_the_way and not past.failure else terminal
    if (unread := _unread_frame(past, case)) is not None:
        return unread
    return _of_an_end(past, case)


def terminal_rule(past: Past) -> str | None:
    """Return the rule about the last stream's terminal event, or None if it had no such event."""
    for frame in past.frames:
        if frame.kind is Kind.END:
            return "ARK-EVT-6"
        if frame.kind is Kind.EVENT and frame.type in TERMINAL:
            return TERMINAL[frame.type]
    return None


def _of_a_result(past: Past, case: Case, terminal: str | None) -> str:
    """Return the rule that a wrongly resolved `wait()` breaks."""
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
    """Return the rule about the frame at which the client stopped, or None."""
    if past.failure == "callback":
        return _callback_error(past)
    if past.undecoded:
        return "ARK-SSE-3"
    if not past.failure:
        return _unheard(past, case)
    return unskipped_rule(past)


def unskipped_rule(past: Past) -> str | None:
    """If the client failed on a frame that must be skipped, return the rule about it, else None."""
    if past.failure in {"gave_up", "aborted", "http", "transport"}:
        return None
    kinds = {frame.kind for frame in past.frames}
    return next((rule for kind, rule in _SKIPPED.items() if kind in kinds), None)


def _unheard(past: Past, case: Case) -> str | None:
    """Return the rule broken if a callback never ran or its exception had no effect, or None."""
    threw = past.fired(case.config.get("throw_in"))
    if not past.lost:
        return _callback_error(past) if threw else None
    if past.ended is None and past.heard and past.heard == past.sent[:-1]:
        return "ARK-SSE-19" if past.frames and past.frames[-1].ends_in_cr else "ARK-SSE-16"
    return None if threw else "ARK-EVT-1"


def _of_an_end(past: Past, case: Case) -> str:
    if past.settled is None and past.ended is not None and not past.cursor.isascii():
        return "ARK-RES-10"  # the wait continues, but never sends this cursor
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
