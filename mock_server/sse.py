"""Cut an event stream into frames without changing a byte, and read their fields.

A block ends at a blank line; lines end with LF, CRLF or CR (WHATWG). Concatenated, the
pieces that the framer returns are exactly the bytes that it was fed.
"""

import json
import re
from typing import Final

from attrs import define, evolve, field, frozen

from mock_server.strict.shapes import is_table

_LONGEST: Final = 9 << 20
"""The maximum length of a block in bytes: enough for an event, which may have up to 8 MiB."""
_LINE_END: Final = re.compile(rb"\r\n|\r|\n")


@define(frozen=True)
class Frame:
    """A frame to send: `raw` holds the bytes, from which `id`, `event` and `type` were parsed."""

    raw: bytes
    id: str | None = None
    event: str | None = None
    type: str | None = None
    """The `type` in the frame's JSON data."""
    delay: float = 0.0
    """How many seconds to wait before sending the frame."""
    gate: str | None = None
    """The gate that must open before the frame is sent."""
    part: bool = False
    """Whether `raw` is only a piece of a frame, and the rest of the frame follows."""

    @property
    def ends_the_job(self) -> bool:
        """Whether a client stops following after this frame."""
        return self.event == "end" or self.type in {"training.completed", "training.failed"}


@frozen
class Fields:
    """The fields of one block; `data` is None if the block has no data line."""

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
    """Return `type` if `data` is a JSON object in which it is a string, else None."""
    if data is None or '"type"' not in data:
        return None
    try:
        found: object = json.loads(data)
    except (ValueError, RecursionError):
        return None
    named = found.get("type") if is_table(found) else None
    return named if isinstance(named, str) else None


def frame_of(raw: bytes, *, delay: float = 0.0, gate: str | None = None) -> Frame:
    """Parse one complete block into a frame."""
    fields = fields_of(raw)
    return Frame(raw, fields.id, fields.event, type_of(fields.data), delay, gate)


@define
class Framer:
    """Cuts bytes into frames, each including the blank line that ends it.

    It runs in linear time, however the bytes are chunked. A block ends as soon as the CR of its
    blank line arrives, unless its lines end in CRLF; then the framer waits for the LF. A block of
    more than `limit` bytes is returned in several frames, so that a peer cannot make the framer
    buffer more.
    """

    limit: int = _LONGEST
    _pending: bytearray = field(factory=bytearray, init=False)
    _scanned: int = field(default=0, init=False)
    _line_start: int = field(default=0, init=False)
    """Where the current line begins; -1 if its beginning has already been returned."""
    _in_crlf: bool | None = field(default=None, init=False)
    """Whether the lines of the current block end in CRLF; None until its first line has ended."""
    _is_cut: bool = field(default=False, init=False)
    """Whether pieces of the current block have already been returned."""
    _parted: int = field(default=0, init=False)
    """How many of the pending bytes `part` has already returned."""

    def feed(self, chunk: bytes) -> list[Frame]:
        """Add bytes; return the frames they complete, less the bytes that `part` returned."""
        self._pending += chunk
        found: list[Frame] = []
        while (end := self._block_end()) is not None:
            found.append(self._take(end))
            self._begin_block()
        if len(self._pending) > self.limit:
            found.append(self._cut())
        return found

    def _take(self, end: int) -> Frame:
        frame = frame_of(bytes(self._pending[:end]))
        if self._parted:
            frame = evolve(frame, raw=frame.raw[self._parted :])
            self._parted = 0
        del self._pending[:end]
        return frame

    def _cut(self) -> Frame:
        """Return the pending bytes as a piece, but hold back a final CR: its LF may follow."""
        end = len(self._pending) - self._pending.endswith(b"\r")
        self._scanned = 0
        self._line_start = 0 if self._line_start == end else -1
        self._is_cut = True
        return self._take(end)

    def _begin_block(self) -> None:
        self._scanned = self._line_start = 0
        self._in_crlf = None
        self._is_cut = False

    def part(self) -> Frame | None:
        """Return what has arrived of the unfinished frame since the last call; None if nothing."""
        found = bytes(self._pending[self._parted :])
        self._parted = len(self._pending)
        return Frame(found, part=True) if found else None

    def close(self) -> list[Frame]:
        """Return the remaining bytes, if any, as a last frame, which never ended."""
        rest = bytes(self._pending[self._parted :])
        self._pending.clear()
        self._parted = 0
        self._begin_block()
        return [Frame(rest)] if rest else []

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
