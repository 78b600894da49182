"""Mutants of the ids themselves: opaque texts that go back as they came."""

# Mutants patch private names.
# ruff: noqa: D401
# pyright: reportPrivateUsage=false

import json
from collections.abc import Callable
from urllib.parse import quote

from arkor_proto._event import ServerSentEvent
from arkor_proto._reader import FrameReader
from arkor_proto._types import Request
from conformance.mutants.patching import (
    CURSOR,
    breaks,
    cursor_sent,
    edit_stream,
    replace,
    with_header,
    without,
)


def _send(change: Callable[[str], str | None]) -> None:
    """Send the cursor changed, or not at all."""

    def edit(request: Request) -> Request:
        cursor = cursor_sent(request).decode()
        changed = change(cursor) if cursor else None
        if changed is None:
            return without(request, CURSOR.lower())
        return with_header(request, CURSOR, changed.encode())

    edit_stream(edit)


def _is_number(cursor: str) -> bool:
    return cursor.removeprefix("-").isdigit() and cursor.isascii()


@breaks("ARK-RES-9")
def takes_ids_for_whole_numbers() -> None:
    """An id of digits is sent back as a number: `007` becomes `7`."""
    _send(lambda cursor: str(int(cursor)) if _is_number(cursor) else cursor)


@breaks("ARK-RES-9")
def takes_ids_for_floats() -> None:
    """A long id loses its last digits, and `1e3` is `1000`."""

    def change(cursor: str) -> str | None:
        try:
            return f"{float(cursor):.0f}"
        except ValueError:
            return cursor

    _send(change)


@breaks("ARK-RES-9")
def sends_positive_numbers_only() -> None:
    """`0` and `-1` are no cursors."""
    _send(lambda cursor: None if _is_number(cursor) and int(cursor) <= 0 else cursor)


@breaks("ARK-RES-9")
def takes_ids_for_json() -> None:
    """`false` is false, so there is no cursor."""

    def change(cursor: str) -> str | None:
        try:
            return cursor if json.loads(cursor) else None
        except ValueError:
            return cursor

    _send(change)


@breaks("ARK-RES-9")
def percent_encodes_ids() -> None:
    """The cursor is encoded as if it stood in an address."""
    _send(lambda cursor: quote(cursor) if cursor.isascii() else cursor)


@breaks("ARK-RES-9")
def cuts_long_ids() -> None:
    """Of a cursor 128 characters are kept."""
    _send(lambda cursor: cursor[:128])


@breaks("ARK-RES-9")
def keeps_the_greatest_id() -> None:
    """The greatest id seen is sent, not the last one."""
    original = FrameReader.take

    def take(reader: FrameReader) -> ServerSentEvent | None:
        before = reader.cursor
        frame = original(reader)
        if before.isdigit() and reader.cursor.isdigit():
            reader.cursor = max(before, reader.cursor, key=int)
        return frame

    replace(FrameReader, "take", take)


@breaks("ARK-RES-10")
def sends_ids_as_ascii() -> None:
    """Characters of an id beyond ASCII become question marks."""
    _send(lambda cursor: cursor.encode("ascii", "replace").decode())
