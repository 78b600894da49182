"""Clients with one thing wrong that every case meets: what they do must be blamed on one rule.

They are toys: nobody would ship them. They show that a case does not blame its own rule for what
happened before the client got there.
"""

# Mutants reach into what belongs to the core.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from attrs import evolve

from arkor_proto._errors import ArkorError
from arkor_proto._exchange import Answer
from arkor_proto._session import Session
from arkor_proto._types import Request
from arkor_proto._wait import Wait
from conformance.mutants.patching import (
    breaks,
    edit_cancel,
    edit_create,
    edit_stream,
    replace,
    without,
)


@breaks("ARK-CRE-1", follows=("ARK-EVT-23", "ARK-EVT-24"))  # of an answer to the create
def takes_every_create_for_refused() -> None:
    """`start()` always rejects."""
    original = Session._created

    def created(session: Session, answer: Answer) -> None:
        original(session, evolve(answer, status=500) if answer.succeeded else answer)

    replace(Session, "_created", created)


@breaks("ARK-CAN-2")
def takes_every_cancel_for_refused() -> None:
    """`cancel()` sends its request and always rejects."""
    original = Session._cancelled

    def cancelled(session: Session, answer: Answer) -> None:
        original(session, evolve(answer, status=500) if answer.succeeded else answer)

    replace(Session, "_cancelled", cancelled)


@breaks(
    *("ARK-BUD-1", "ARK-BUD-2", "ARK-BUD-4", "ARK-BUD-5", "ARK-BUD-6", "ARK-BUD-8"),
    follows=("ARK-BUD-3", "ARK-ERR-1", "ARK-ERR-2", "ARK-ERR-4", "ARK-ERR-5", "ARK-ERR-11"),
)
def never_reconnects() -> None:
    """Whatever ends a stream ends the wait."""

    def back_off(wait: Wait, _delay: float, cause: Exception | None, _now: float) -> None:
        wait._reject(cause or ArkorError("the stream ended"))

    replace(Wait, "_back_off", back_off)


@breaks("ARK-WIR-11")
def never_authorizes() -> None:
    """No request carries the token."""

    def anonymous(request: Request) -> Request:
        return without(request, b"authorization")

    for edit in (edit_create, edit_stream, edit_cancel):
        edit(anonymous)
