"""Telling a trace: every event as one line that a human reads.

It knows how to say each kind of event and who did it. It refuses to judge.
"""

import json
from typing import Final, assert_never

from conformance.reading import Json
from conformance.trace import (
    CallbackRan,
    Called,
    Closed,
    Connected,
    Ended,
    Event,
    Fact,
    Framed,
    Noted,
    Requested,
    Responded,
    Settled,
    SleepEnded,
    Slept,
    Woken,
)

_LONGEST: Final = 160
CLIENT: Final = "client"
BACKEND: Final = "backend"
KIT: Final = "kit"
APPLICATION: Final = "application"


def actor(fact: Fact) -> str:
    """Return who did it: client, backend, application (through the driver) or kit."""
    match fact:
        case Connected() | Requested() | Slept() | SleepEnded():
            return CLIENT
        case Responded() | Framed():
            return BACKEND
        case Ended(by=by) | Closed(by=by):
            return CLIENT if by == "client" else BACKEND
        case CallbackRan() | Settled():
            return APPLICATION
        case Called() | Woken():
            return KIT
        case Noted(who=who):
            return who
        case _:
            assert_never(fact)


def tell(fact: Fact) -> str:  # noqa: C901, PLR0911, PLR0912 - one arm per fact
    """Say in one line what happened."""
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
            parts += [f"event {event}"] if event is not None else []
            return f"{route}#{attempt}  frame {index}  {', '.join(parts)}".rstrip()
        case Ended(route=route, attempt=attempt, how=how):
            return f"{route}#{attempt}  ends: {how}"
        case Closed(connection=connection, how=how):
            return f"closes connection {connection}: {how}"
        case Called(operation=operation):
            return f"asks for {operation}"
        case Settled(operation=operation, ok=ok, failure=None):
            return f"{operation} succeeds  {_short(ok)}" if ok else f"{operation} succeeds"
        case Settled(operation=operation, failure=failure):
            code = "" if failure is None or failure.code is None else f" {failure.code}"
            kind, message = ("", "") if failure is None else (failure.kind, failure.message)
            return f"{operation} fails: {kind}{code}  {message}"
        case CallbackRan(name=name, data=data):
            return f"callback {name}  {_short(data)}"
        case Slept(n=n, ms=ms, purpose=purpose):
            what = "sets a timer" if purpose == "idle" else "backs off"
            return f"{what} of {ms:g} ms (sleep {n})"
        case Woken(n=n):
            return f"lets sleep {n} end"
        case SleepEnded(n=n, why=why):
            return f"sleep {n} ends: {why}"
        case Noted(text=text):
            return text[:_LONGEST]
        case _:
            assert_never(fact)


def line(event: Event) -> str:
    """Return one line of a timeline: number, actor, what happened."""
    return f"{event.seq:>4}  {actor(event.fact):<11}  {tell(event.fact)}"


def _short(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def arrow(fact: Fact) -> str | None:
    """Return to whom something goes, for a picture; None for what stays with who did it."""
    match fact:
        case Connected() | Requested():
            return BACKEND
        case Responded() | Framed():
            return CLIENT
        case Ended(by=by) | Closed(by=by):
            return BACKEND if by == "client" else CLIENT
        case Called() | Woken():
            return CLIENT
        case CallbackRan() | Settled() | Slept() | SleepEnded() | Noted():
            return None
        case _:
            assert_never(fact)
