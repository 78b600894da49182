"""Mutants that fail nearly every case; failures may cite only the rules that the mutant breaks.

No real client is broken like this. These mutants show that a case does not cite its own rule if
the client fails before the step that the case tests.
"""

# ruff: noqa: D401

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


@breaks("ARK-CRE-1", follows=("ARK-EVT-23", "ARK-EVT-24"))  # about create responses
def takes_every_create_for_refused() -> None:
    """The client treats every create request as refused, so `start()` always rejects."""
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
    """The client never reconnects: `wait()` rejects whenever a stream ends."""
    reject_for(lambda _, notice: notice.cause or ArkorError("the stream ended"))


@breaks("ARK-WIR-11")
def never_authorizes() -> None:
    """No request has an `Authorization` header."""

    def anonymous(request: Request) -> Request:
        return without(request, b"authorization")

    for edit in (edit_create, edit_stream, edit_cancel):
        edit(anonymous)
