"""Mutants that change event ids, which the client must send back unchanged."""

# ruff: noqa: D401

import json
from collections.abc import Callable, Iterable
from urllib.parse import quote

from arkor_proto import Request
from conformance.mutants.around import Call, Client
from conformance.mutants.dialect import Block, change_blocks
from conformance.mutants.filters import edit_requests, edit_stream
from conformance.mutants.patching import ByObject, breaks, cursor_sent, with_cursor


def _send(change: Callable[[str], str | None]) -> None:
    """Change the cursor of every stream request; remove the cursor if `change` returns None."""

    def edit(request: Request) -> Request:
        cursor = cursor_sent(request).decode()
        return with_cursor(request, (change(cursor) or "") if cursor else "")

    edit_stream(edit)


def _is_number(cursor: str) -> bool:
    return cursor.removeprefix("-").isdigit() and cursor.isascii()


@breaks("ARK-RES-9")
def takes_ids_for_whole_numbers() -> None:
    """The client converts ids to integers, so `007` becomes `7`."""
    _send(lambda cursor: str(int(cursor)) if _is_number(cursor) else cursor)


@breaks("ARK-RES-9")
def takes_ids_for_floats() -> None:
    """The client converts ids to floats: long ids lose digits, and `1e3` becomes `1000`."""

    def change(cursor: str) -> str | None:
        try:
            return f"{float(cursor):.0f}"
        except ValueError:
            return cursor

    _send(change)


@breaks("ARK-RES-9")
def sends_positive_numbers_only() -> None:
    """The client does not send `0` or a negative number as the cursor."""
    _send(lambda cursor: None if _is_number(cursor) and int(cursor) <= 0 else cursor)


@breaks("ARK-RES-9")
def takes_ids_for_json() -> None:
    """The client does not send an id that is falsy when parsed as JSON, such as `false`."""

    def change(cursor: str) -> str | None:
        try:
            return cursor if json.loads(cursor) else None
        except ValueError:
            return cursor

    _send(change)


@breaks("ARK-RES-9")
def percent_encodes_ids() -> None:
    """The client percent-encodes the cursor."""
    _send(lambda cursor: quote(cursor) if cursor.isascii() else cursor)


@breaks("ARK-RES-9")
def cuts_long_ids() -> None:
    """The client truncates the cursor to 128 characters."""
    _send(lambda cursor: cursor[:128])


@breaks("ARK-RES-9")
def keeps_the_greatest_id() -> None:
    """The client sends the greatest id that it has seen, not the latest one."""
    greatest = ByObject[str]()

    def change(client: Client, block: Block) -> Iterable[Block]:
        before, new = greatest.get(client, ""), block.id
        if new is not None:
            both = before.isdigit() and new.isdigit()
            greatest[client] = max(before, new, key=int) if both else new
        yield block

    def edit(client: Client, request: Request) -> Request:
        return with_cursor(request, greatest.get(client, cursor_sent(request).decode()))

    change_blocks(change)
    edit_requests(edit, Call.STREAM)


@breaks("ARK-RES-10")
def sends_ids_as_ascii() -> None:
    """The client replaces non-ASCII characters in the cursor with question marks."""
    _send(lambda cursor: cursor.encode("ascii", "replace").decode())
