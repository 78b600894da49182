"""Cut an event stream into frames without changing a byte, and read their fields.

A block ends at a blank line; lines end with LF, CRLF or CR (WHATWG). The pieces that the framer
returns are, joined, exactly the bytes that it was fed.
"""

import json
import re
from typing import Final

from attrs import define, field, frozen

from mock_server.strict.shapes import is_table

_LONGEST: Final = 9 << 20
"""Bytes of a block: an event has at most 8 MiB."""
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


@define(frozen=True)
class Frame:
    """One frame as it goes over the wire; `raw` is all of it, the other fields are read from it."""

    raw: bytes
    id: str | None = None
    event: str | None = None
    type: str | None = None
    """The `type` of its JSON data."""
    delay: float = 0.0
    """Seconds to wait before it."""
    gate: str | None = None
    """The gate that must open before it."""
    part: bool = False
    """Whether this is the beginning of a frame whose rest follows."""

    @property
    def ends_the_job(self) -> bool:
        """Whether a client stops following after this frame."""
        return self.event == "end" or self.type in {"training.completed", "training.failed"}


@frozen
class Fields:
    """The fields of one block; `data` is None if it has no data line."""

    id: str | None
    event: str | None
    data: str | None


def fields_of(raw: bytes) -> Fields:
    """Read the fields of one block as the WHATWG algorithm does."""
    named: dict[bytes, bytes] = {}
    data: list[bytes] = []
    for line in _LINE_END.split(raw.removeprefix(b"\xef\xbb\xbf")):
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            data.append(value)
        elif name in {b"id", b"event"}:
            named[name] = value
    return Fields(
        _text(named.get(b"id")),
        _text(named.get(b"event")),
        _text(b"\n".join(data)) if data else None,
    )


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")


def type_of(data: str | None) -> str | None:
    """Return the `type` of a JSON object; None for anything else."""
    if data is None or '"type"' not in data:
        return None
    try:
        found: object = json.loads(data)
    except (ValueError, RecursionError):
        return None
    named = found.get("type") if is_table(found) else None
    return named if isinstance(named, str) else None


def frame_of(raw: bytes, *, delay: float = 0.0, gate: str | None = None) -> Frame:
    """Read a whole block into a frame."""
    fields = fields_of(raw)
    return Frame(raw, fields.id, fields.event, type_of(fields.data), delay, gate)


@define
class Framer:
    """Cuts bytes into blocks, each including the blank line that ends it.

    Takes time linear in the bytes, however they are chunked. A block ends as soon as the CR of its
    blank line arrives, unless its lines end in CRLF; then the LF is awaited. A block of more than
    `limit` bytes is returned in several pieces, so that a peer cannot make the framer keep more.
    """

    limit: int = _LONGEST
    _pending: bytearray = field(factory=bytearray, init=False)
    _scanned: int = field(default=0, init=False)
    _line_start: int = field(default=0, init=False)
    """Where the current line begins; -1 if its beginning was already returned."""
    _in_crlf: bool | None = field(default=None, init=False)
    """Whether the lines of the current block end in CRLF; None until its first line has ended."""
    _is_cut: bool = field(default=False, init=False)
    """Whether pieces of the current block were already returned."""

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take bytes, return the blocks that they complete."""
        self._pending += chunk
        found: list[bytes] = []
        while (end := self._block_end()) is not None:
            found.append(bytes(self._pending[:end]))
            del self._pending[:end]
            self._begin_block()
        if len(self._pending) > self.limit:
            found.append(self._cut())
        return found

    def _cut(self) -> bytes:
        """Return what is pending as a piece; a CR at its end stays, because an LF may follow."""
        end = len(self._pending) - self._pending.endswith(b"\r")
        piece = bytes(self._pending[:end])
        del self._pending[:end]
        self._scanned = 0
        self._line_start = 0 if self._line_start == end else -1
        self._is_cut = True
        return piece

    def _begin_block(self) -> None:
        self._scanned = self._line_start = 0
        self._in_crlf = None
        self._is_cut = False

    def close(self) -> bytes:
        """Return the bytes of a block that never ended."""
        rest = bytes(self._pending)
        self._pending.clear()
        self._begin_block()
        return rest

    @property
    def pending(self) -> int:
        """How many bytes wait for the end of their block."""
        return len(self._pending)

    def tail(self, start: int) -> bytes:
        """Return the pending bytes from an offset on, without removing them."""
        return bytes(self._pending[start:])

    def _block_end(self) -> int | None:
        """Find the end of the first block, continuing where the last search stopped."""
        while (match := _LINE_END.search(self._pending, self._scanned)) is not None:
            end = match.end()
            blank = match.start() == self._line_start
            at_the_edge = match.group() == b"\r" and end == len(self._pending)
            if at_the_edge and (not blank or self._in_crlf):
                return None
            if self._in_crlf is None:
                self._in_crlf = match.group() == b"\r\n"
            self._scanned = self._line_start = end
            if blank and (match.start() > 0 or self._is_cut):
                return end
        self._scanned = len(self._pending)
        return None
