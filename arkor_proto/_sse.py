"""Event streams: bytes in, events out, after WHATWG HTML §9.2.

It knows the whole of the standard's parsing: lines, fields, dispatch, the cursor, `retry`. It
refuses to know what an event means, where bytes come from, when to connect again and whether a
cursor can be sent: those belong to the session.

Three steps, each ignorant of the next. `feed` makes every line end an LF and drops the BOM. What
is left is cut behind its last blank line: the part before it holds whole blocks only and is
decoded at once, which is safe because an LF ends any broken UTF-8 sequence; the part behind it is
kept as bytes, so that an unfinished block costs what it weighs. `_interpret` is the standard's
own line algorithm, over lines whose blocks are complete.

Where the standard is silent, this is settled: an empty `retry` is ignored, a huge one is clamped
to `RETRY_LIMIT`, and the cursor starts at the one the stream was resumed with (R-B2), because the
standard's literal text would erase it at the first blank line.
"""

from collections.abc import Iterator
from typing import Final

from attrs import field, frozen

from arkor_proto._errors import EventTooLarge, LocalProtocolError

_BOM: Final = b"\xef\xbb\xbf"
_CR: Final = ord("\r")
_LF: Final = ord("\n")

RETRY_LIMIT: Final = 2**53 - 1
"""The longest reconnection time reported, in milliseconds: exact in every JSON reader."""


@frozen(weakref_slot=False)
class ServerSentEvent:
    """One dispatched event.

    `type` is `"message"` where the stream named none. `last_event_id` is the cursor as of this
    event, wherever it was set; `has_id` says whether this very block carried an `id` that counted
    (it is no part of the event's identity). Source: WHATWG HTML §9.2.6.
    """

    type: str
    data: str
    last_event_id: str
    has_id: bool = field(default=False, eq=False, kw_only=True)


class EventStreamParser:
    """The event stream of one response, parsed as it arrives.

    `last_event_id` is the cursor the stream was resumed with. `max_event_size` bounds what one
    event may weigh: the bytes of all its lines, comments and unknown fields included, each line
    end counted as one byte. Between two calls nothing more than that is held.
    """

    __slots__ = ("_after_cr", "_at_start", "_block", "_cursor", "_max", "_open", "_retry")

    def __init__(self, last_event_id: str = "", max_event_size: int = 8 * 2**20) -> None:
        if max_event_size < 1:
            raise ValueError(f"max_event_size: {max_event_size} holds no event, use 1 or more")
        self._cursor = last_event_id
        self._max = max_event_size
        self._retry: int | None = None
        self._block = bytearray()
        self._at_start = True
        self._after_cr = False
        self._open = True

    @property
    def last_event_id(self) -> str:
        """The cursor: the id in force at the last blank line, to resume the stream with."""
        return self._cursor

    @property
    def retry(self) -> int | None:
        """The reconnection time that the stream asked for, in milliseconds."""
        return self._retry

    def feed(self, data: bytes | bytearray) -> list[ServerSentEvent]:
        """Take the next bytes of the body and return the events they complete, in order.

        Raises `EventTooLarge` once one event is over the bound: its `events` are those completed
        before, and the parser is closed. Raises `LocalProtocolError` on a closed parser.
        """
        if not self._open:
            raise LocalProtocolError("event stream: fed after its end, use one parser per response")
        if self._at_start:
            data = self._without_bom(data)
        if _CR in data or self._after_cr:
            data = self._with_lf_only(data)
        if len(self._block) + len(data) > self._max:
            return self._accept_in_steps(data)
        return self._accept(data)

    def close(self) -> None:
        """End the stream: an unfinished event is discarded, and its id with it (R-A8)."""
        self._open = False
        self._block.clear()

    def _without_bom(self, data: bytes | bytearray) -> bytes | bytearray:
        data = self._block + data
        self._block.clear()
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._block += data
            return b""
        self._at_start = False
        return data.removeprefix(_BOM)

    def _with_lf_only(self, data: bytes | bytearray) -> bytes | bytearray:
        """End every line in LF. A CR ends its line at once, so its LF may come later (R-A6)."""
        if not data:
            return data
        if self._after_cr:
            data = data.removeprefix(b"\n")
        self._after_cr = data.endswith(b"\r")
        return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _accept_in_steps(self, data: bytes | bytearray) -> list[ServerSentEvent]:
        """Accept what may overflow, never so much at once that the overflow could be missed.

        One byte over the bound may still be the blank line that completes the event.
        """
        events: list[ServerSentEvent] = []
        start = 0
        while start < len(data):
            stop = start + self._max + 1 - len(self._block)
            events += self._accept(data[start:stop])
            start = stop
            if len(self._block) > self._max:
                self.close()
                raise EventTooLarge(self._max, tuple(events))
        return events

    def _accept(self, data: bytes | bytearray) -> list[ServerSentEvent]:
        end = self._end_of_blocks(data)
        if not end:
            self._hold(data)
            return []
        lines = (self._block + data[:end]).decode(errors="replace")
        self._block.clear()
        events = list(self._interpret(lines))
        self._hold(data[end:])
        return events

    def _end_of_blocks(self, data: bytes | bytearray) -> int:
        """Find where the last blank line in `data` ends; 0 where there is none."""
        blank = data.rfind(b"\n\n")
        if blank >= 0:
            return blank + 2
        at_line_start = not self._block or self._block[-1] == _LF
        return 1 if at_line_start and data.startswith(b"\n") else 0

    def _hold(self, data: bytes | bytearray) -> None:
        """Keep what belongs to the unfinished block; only its `retry` acts at once (R-C9)."""
        block = self._block
        before = len(block)
        block += data
        if _LF in data:
            lines = block[block.rfind(b"\n", 0, before) + 1 : block.rfind(b"\n") + 1]
            if b"retry" in lines:
                for _ in self._interpret(lines.decode(errors="replace")):
                    pass

    def _interpret(self, text: str) -> Iterator[ServerSentEvent]:
        """Interpret whole lines, beginning with the first of a block (§9.2.6, R-C and R-D)."""
        data: list[str] = []
        kind = ""
        cursor = self._cursor
        has_id = False
        for line in text.split("\n")[:-1]:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line:
                self._cursor = cursor
                if data:
                    yield ServerSentEvent(kind or "message", "\n".join(data), cursor, has_id=has_id)
                data, kind, has_id = [], "", False
            elif name == "data":
                data.append(value)
            elif name == "event":
                kind = value
            elif name == "id" and "\0" not in value:
                cursor = value
                has_id = True
            elif name == "retry" and value.isascii() and value.isdigit():
                self._retry = _milliseconds(value)


def _milliseconds(digits: str) -> int:
    """Read a decimal of any length; `int` alone refuses more than 4300 digits."""
    digits = digits.lstrip("0") or "0"
    return RETRY_LIMIT if len(digits) > len(str(RETRY_LIMIT)) else min(int(digits), RETRY_LIMIT)


def encode_event(
    data: str | None,
    *,
    type: str = "message",  # noqa: A002 - the standard's own word
    id: str | None = None,  # noqa: A002 - the standard's own word
    retry: int | None = None,
    comment: str | None = None,
) -> bytes:
    """Encode one block, so that parsing it gives back exactly what was given.

    `data` of `None` makes a block that dispatches nothing: a keep-alive comment, a lone `retry`
    in milliseconds, a lone `id`. An `id` of `""` is sent, and clears the cursor. Raises
    `ValueError` for what would come back changed.
    """
    lines: list[str] = []
    if comment is not None:
        lines += [f": {line}" for line in _text("comment", comment, "\r").split("\n")]
    if id is not None:
        lines.append("id: " + _text("id", id, "\r\n\0"))
    if type != "message":
        if not type or data is None:
            raise ValueError(f"type: {type!r} is never dispatched, name an event that carries data")
        lines.append("event: " + _text("type", type, "\r\n"))
    if retry is not None:
        if not 0 <= retry <= RETRY_LIMIT:
            raise ValueError(f"retry: {retry} ms is out of range, use 0 to {RETRY_LIMIT}")
        lines.append(f"retry: {retry}")
    if data is not None:
        lines += [f"data: {line}" for line in _text("data", data, "\r").split("\n")]
    return "".join(f"{line}\n" for line in [*lines, ""]).encode()


def _text(name: str, value: str, forbidden: str) -> str:
    for character in forbidden:
        if character in value:
            raise ValueError(f"{name}: {character!r} would not arrive as sent, leave it out")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{name}: {error.reason}, an event stream is UTF-8") from error
    return value
