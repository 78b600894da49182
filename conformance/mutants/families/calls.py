"""Clients with one thing wrong that every case meets: what they do must be blamed on one rule.

They are toys that no one would ship. They show that a case does not blame its own rule for what
happened before the client got there.
"""

from attrs import evolve

from arkor_proto import ArkorError, Request, Responded
from conformance.mutants.around import Call
from conformance.mutants.filters import (
    change_heads,
    edit_cancel,
    edit_create,
    edit_stream,
    reject_for,
)
from conformance.mutants.patching import breaks, without


def _as_refused(head: Responded) -> Responded:
    return evolve(head, status=500) if 200 <= head.status < 300 else head  # noqa: PLR2004 - 2xx


@breaks("ARK-CRE-1", follows=("ARK-EVT-23", "ARK-EVT-24"))  # of an answer to the create
def takes_every_create_for_refused() -> None:
    """`start()` always rejects."""
    change_heads(lambda _, head: _as_refused(head), Call.CREATE)


@breaks("ARK-CAN-2")
def takes_every_cancel_for_refused() -> None:
    """`cancel()` sends its request and always rejects."""
    change_heads(lambda _, head: _as_refused(head), Call.CANCEL)


@breaks(
    *("ARK-BUD-1", "ARK-BUD-2", "ARK-BUD-4", "ARK-BUD-5", "ARK-BUD-6", "ARK-BUD-8"),
    follows=("ARK-BUD-3", "ARK-ERR-1", "ARK-ERR-2", "ARK-ERR-4", "ARK-ERR-5", "ARK-ERR-11"),
)
def never_reconnects() -> None:
    """Whatever ends a stream ends the wait."""
    reject_for(lambda _, notice: notice.cause or ArkorError("the stream ended"))


@breaks("ARK-WIR-11")
def never_authorizes() -> None:
    """No request carries the token."""

    def anonymous(request: Request) -> Request:
        return without(request, b"authorization")

    for edit in (edit_create, edit_stream, edit_cancel):
        edit(anonymous)
