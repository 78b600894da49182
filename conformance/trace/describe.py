"""Describe each event of a trace in one readable line, and name the party that caused it.

`tell` does not shorten its text. A report first hides secrets and only then shortens the text, so
that no part of a secret remains.
"""

import json
from typing import Final, assert_never

from conformance.plain import cut, visible
from conformance.strict_data import Json
from conformance.trace.events import (
    CallbackRan,
    Called,
    Closed,
    Connected,
    Ended,
    Event,
    Fact,
    Framed,
    Noted,
    Quiet,
    Requested,
    Responded,
    Settled,
    SleepEnded,
    Slept,
    Stranger,
    Woken,
)

_LONGEST: Final = 200
CLIENT: Final = "client"
BACKEND: Final = "backend"
KIT: Final = "kit"
APPLICATION: Final = "application"
COMMENT: Final = "(comment)"
"""The event name shown for a block that has only comments."""
STRANGER: Final = "stranger"


def actor(fact: Fact) -> str:  # noqa: PLR0911 - one arm per kind of fact
    """Return who caused a fact: client, backend, application (in the driver), kit or stranger."""
    match fact:
        case Connected() | Requested() | Slept() | SleepEnded():
            return CLIENT
        case Responded() | Framed():
            return BACKEND
        case Ended(by=by) | Closed(by=by):
            return CLIENT if by == "client" else BACKEND
        case CallbackRan() | Settled():
            return APPLICATION
        case Called() | Woken() | Quiet():
            return KIT
        case Stranger():
            return STRANGER
        case Noted(who=who):
            return who
        case _:
            assert_never(fact)


def tell(fact: Fact) -> str:  # noqa: C901, PLR0911, PLR0912 - one arm per fact
    """Return what happened as text, which may be long and quotes the client unchanged."""
    match fact:
        case Connected(connection=connection):
            return f"opens connection {connection}"
        case Requested():
            cursor = fact.header("last-event-id")
            resume = "" if cursor is None else f"  (Last-Event-ID: {cursor})"
            return f"{fact.route}#{fact.attempt}  {fact.method} {fact.target}{resume}"
        case Responded(route=route, attempt=attempt, status=status):
            return f"{route}#{attempt}  answers {status}"
        case Framed(route=route, attempt=attempt, index=index, id=cursor, event=event):
            parts = [f"id {cursor}"] if cursor is not None else []
            if event is not None:
                parts.append(event if event == COMMENT else f"event {event}")
            return f"{route}#{attempt}  frame {index}  {', '.join(parts)}".rstrip()
        case Ended(route=route, attempt=attempt, how=how):
            return f"{route}#{attempt}  ends: {how}"
        case Closed(connection=connection, how=how):
            return f"closes connection {connection}: {how}"
        case Called(operation=operation):
            return f"calls {operation}"
        case Settled(operation=operation, ok=ok, failure=None):
            return f"{operation} succeeds  {_dumped(ok)}" if ok else f"{operation} succeeds"
        case Settled(operation=operation, failure=failure):
            code = "" if failure is None or failure.code is None else f" {failure.code}"
            kind, message = ("", "") if failure is None else (failure.kind, failure.message)
            return f"{operation} fails: {kind}{code}  {message}"
        case CallbackRan(name=name, data=data):
            return f"callback {name}  {_dumped(data)}"
        case Slept(n=n, ms=ms, purpose=purpose):
            what = "starts an idle timer of" if purpose == "idle" else "backs off for"
            return f"{what} {ms:g} ms (sleep {n})"
        case Woken(n=n):
            return f"lets sleep {n} end"
        case SleepEnded(n=n, why=why):
            return f"sleep {n} ends: {why}"
        case Quiet():
            return "has received everything that the client sent before wait settled"
        case Stranger(method=method, path=path):
            return f"{method} {path}  from another program: refused, not judged"
        case Noted(text=text):
            return text
        case _:
            assert_never(fact)


def line(event: Event) -> str:
    """Return an event's line in a timeline: its number, its actor and what happened."""
    return timeline(event.seq, actor(event.fact), tell(event.fact))


def timeline(seq: int, who: str, text: str, longest: int = _LONGEST) -> str:
    """Build a line of a timeline from its fields, shortened to `longest` characters."""
    plain = visible(text).replace("\n", " ").replace("\t", " ")
    return cut(f"{seq:>4}  {who:<11}  {plain}", longest)


def _dumped(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)


def arrow(fact: Fact) -> str | None:
    """Return the party that an event's arrow points to in a diagram; None if nothing was sent."""
    match fact:
        case Connected() | Requested():
            return BACKEND
        case Responded() | Framed():
            return CLIENT
        case Ended(by=by) | Closed(by=by):
            return BACKEND if by == "client" else CLIENT
        case Called() | Woken():
            return CLIENT
        case CallbackRan() | Settled() | Slept() | SleepEnded() | Quiet() | Noted():
            return None
        case Stranger():
            return BACKEND
        case _:
            assert_never(fact)
