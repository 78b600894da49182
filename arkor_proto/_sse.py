"""Event streams: bytes in, events out, after WHATWG HTML §9.2.

It knows the whole of the standard's parsing: lines, fields, dispatch, the cursor, `retry`. It
refuses to know what an event means, where bytes come from, when to connect again and whether a
cursor can be sent: those belong to the session.

Theory of operation. First every line end becomes an LF and the BOM goes. What is left is cut
behind its last blank line. Behind the cut is an unfinished block; it is kept as bytes, so that it
costs what it weighs, and only its `retry` acts already. Before the cut are whole blocks. They are
decoded at once, which is safe because an LF ends even a broken UTF-8 sequence, and read by
`_interpret_lines`: the standard's own algorithm, line by line, and the last word on what is right.

Two forms of block are nearly all that servers send: one data line, and id, event, data. Text that
consists of one of them only is cut into columns instead of lines; a chunk that is one such frame
takes the shortest way of all. Whatever does not fit exactly goes to `_interpret_lines`.

Where the standard is silent, this is settled: an empty `retry` is ignored and a huge one clamped;
the cursor starts at the one that the stream was resumed with, where the standard's literal text
would erase it at the first blank line (ARK-RES-3).
"""

import re
from collections.abc import Iterable
from itertools import repeat
from typing import Final

from attrs import define, field

from arkor_proto._errors import EventTooLarge, LocalProtocolError
from arkor_proto._event import EventDraft, ServerSentEvent
from arkor_proto._kinds import check_kind, wrong_kind

RETRY_LIMIT: Final = 2**53 - 1
"""The longest reconnection time reported, in milliseconds: exact in every JSON reader."""

_BOM: Final = b"\xef\xbb\xbf"
_CR: Final = ord("\r")
_LF: Final = ord("\n")

_ONE_FRAME: Final = 4096
"""A chunk of up to this many bytes is tried as one frame; trying costs a pass over it."""

# The pattern begins at the line end before the frame: a search that could begin inside a line
# would read the rest of a long line again for every "id: " in it. The blank line behind the frame
# ends it, and its LF begins the next.
_FRAME: Final = re.compile(r"\nid: (.*)\nevent: (.*)\ndata: (.*)\n(?=\n)")


@define(eq=False, weakref_slot=False)
class EventStreamParser:
    """The event stream of one response, parsed as it arrives.

    `last_event_id` is the cursor the stream was resumed with. `max_event_size` bounds what one
    event may weigh: the bytes of all its lines, comments and unknown fields included, each line
    end counted as one byte. Between two calls nothing more than that is held. Raises `ValueError`
    for a bound below 1.
    """

    _cursor: str = field(default="", alias="last_event_id")
    _max: int = field(default=8 * 2**20, alias="max_event_size")
    _retry: int | None = field(default=None, init=False)
    _block: bytearray = field(factory=bytearray, init=False, repr=False)
    _open: bool = field(default=True, init=False)
    _at_start: bool = field(default=True, init=False, repr=False)
    _after_cr: bool = field(default=False, init=False, repr=False)
    _shortcut: int = field(default=0, init=False, repr=False)  # how long a chunk may take it

    def __attrs_post_init__(self) -> None:
        check_kind("last_event_id", self._cursor, str, 'the id as a str, "" for none')
        check_kind("max_event_size", self._max, int, "a whole number of bytes")
        if self._max < 1:
            raise ValueError(f"max_event_size: {self._max} holds no event, use 1 or more")

    @property
    def last_event_id(self) -> str:
        """The cursor: the id in force at the last blank line, to resume the stream with."""
        return self._cursor

    @property
    def retry(self) -> int | None:
        """The reconnection time the stream asked for, in milliseconds, at most `2**53 - 1`."""
        return self._retry

    def feed(self, data: bytes | bytearray | memoryview) -> list[ServerSentEvent]:
        """Take the next bytes of the body and return the events they complete, in order.

        Raises `EventTooLarge` once one event is over the bound: its `events` are those completed
        before, and the parser is closed. Raises `LocalProtocolError` on a closed parser, and
        TypeError for what is not bytes.
        """
        if type(data) is not bytes and not isinstance(data, bytearray):
            data = _as_bytes(data)
        if len(data) > self._shortcut or _CR in data:
            return self._take(data)
        try:
            lines = data.decode().split("\n")
        except UnicodeDecodeError:
            return self._take(data)
        # One frame of a usual form and nothing else: what a live stream brings at a time.
        if len(lines) == 5:  # noqa: PLR2004 - three fields, the blank line, nothing behind it
            first, second, third, blank, rest = lines
            if (
                blank
                or rest
                or (cursor := first.removeprefix("id: ")) == first
                or (kind := second.removeprefix("event: ")) == second
                or (value := third.removeprefix("data: ")) == third
                or "\0" in cursor
            ):
                return self._take(data)
            self._cursor = cursor
            has_id = True
        elif len(lines) == 3:  # noqa: PLR2004 - one field, the blank line, nothing behind it
            first, blank, rest = lines
            if blank or rest or (value := first.removeprefix("data: ")) == first:
                return self._take(data)
            kind, has_id = "", False
        else:
            return self._take(data)
        draft = EventDraft()
        draft.type = kind or "message"
        draft.data = value
        draft.last_event_id = self._cursor
        draft.has_id = has_id
        draft.__class__ = ServerSentEvent
        return [draft]  # type: ignore[list-item]  # it has just become one

    def close(self) -> None:
        """End the stream: an unfinished event is discarded, and its id with it (ARK-SSE-8)."""
        self._open = False
        self._shortcut = 0
        self._block.clear()

    def _take(self, data: bytes | bytearray) -> list[ServerSentEvent]:
        if not self._open:
            raise LocalProtocolError("event stream: fed after its end, use one parser per response")
        if self._at_start:
            data = self._without_bom(data)
        if self._after_cr or _CR in data:
            data = self._with_lf_only(data)
        if len(self._block) + len(data) > self._max:
            events = self._accept_in_steps(data)
        else:
            events = self._accept(data)
        carries = self._block or self._at_start or self._after_cr
        self._shortcut = 0 if carries else min(self._max, _ONE_FRAME)
        return events

    def _without_bom(self, data: bytes | bytearray) -> bytes | bytearray:
        data = self._block + data
        self._block.clear()
        if len(data) < len(_BOM) and _BOM.startswith(data):
            self._block += data
            return b""
        self._at_start = False
        return data.removeprefix(_BOM)

    def _with_lf_only(self, data: bytes | bytearray) -> bytes | bytearray:
        """End every line in LF. A CR ends its line at once, so its LF may come later (ARK-SSE-6)."""
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
        end = self._end_of_blocks(data) if _LF in data else 0
        if not end:
            self._hold(data)
            return []
        # Appended to what is held, never the other way round: a growing line stays linear.
        self._block += data[:end]
        text = self._block.decode(errors="replace")
        self._block.clear()
        events = self._interpret(text)
        if end < len(data):
            self._hold(data[end:])
        return events

    def _end_of_blocks(self, data: bytes | bytearray) -> int:
        """Find where the last blank line in `data` ends; 0 where there is none."""
        last = data.rfind(b"\n")  # a search for one byte is far faster, so it goes first
        blank = data.rfind(b"\n\n", 0, last + 1)
        if blank >= 0:
            return blank + 2
        at_line_start = not self._block or self._block[-1] == _LF
        return 1 if at_line_start and data[0] == _LF else 0

    def _hold(self, data: bytes | bytearray) -> None:
        """Keep what belongs to the unfinished block; only its `retry` acts at once (ARK-SSE-17)."""
        block = self._block
        before = len(block)
        block += data
        if _LF in data:
            lines = block[block.rfind(b"\n", 0, before) + 1 : block.rfind(b"\n")]
            if b"retry" in lines:
                self._interpret_lines(lines.decode(errors="replace").split("\n"))

    def _interpret(self, text: str) -> list[ServerSentEvent]:
        """Read whole blocks: by columns where all have the same usual form, else by lines."""
        if text.startswith("data: "):
            alone = text.find("\n") == len(text) - 2
            values = [text[6:-2]] if alone else text[6:-2].split("\n\ndata: ")
            if "\n" not in "".join(values):
                return _events_of_data(values, self._cursor)
        elif text.startswith(("id: ", ":")) and "\0" not in text:
            parts = _FRAME.split("\n" + text)  # between, id, event, data, between, id, …
            if len(parts) > 1 and _says_nothing(set(parts[::4])):
                self._cursor = parts[-4]
                columns = parts[1::4], parts[2::4], parts[3::4], repeat(True)  # noqa: FBT003 - an iterator of it
                return _events(zip(*columns, strict=False))
        return self._interpret_lines(text.split("\n"))

    def _interpret_lines(self, lines: list[str]) -> list[ServerSentEvent]:
        """Read lines that begin with the first of a block (WHATWG HTML §9.2.6).

        What follows the last blank line dispatches nothing, and leaves nothing but its `retry`.
        """
        rows: list[tuple[str, str, str, bool]] = []
        data: list[str] = []
        kind = ""
        cursor = self._cursor
        has_id = False
        for line in lines:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line:
                self._cursor = cursor  # also where there is nothing to dispatch (ARK-RES-5)
                if data:
                    rows.append((cursor, kind, "\n".join(data), has_id))
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
        return _events(rows)


def _as_bytes(data: bytes | memoryview) -> bytes:
    if isinstance(data, (bytes, memoryview)):  # pyright: ignore[reportUnnecessaryIsInstance]
        return bytes(data)
    raise wrong_kind("feed", data, "the bytes of the body, as they came")


def _says_nothing(texts: Iterable[str]) -> bool:
    """Whether all lines are blank or comments: between two blocks such lines do nothing."""
    return all(line[:1] in ("", ":") for text in texts for line in text.split("\n"))


def _events_of_data(values: list[str], cursor: str) -> list[ServerSentEvent]:
    events: list[EventDraft] = []
    for value in values:
        draft = EventDraft()
        draft.type = "message"
        draft.data = value
        draft.last_event_id = cursor
        draft.has_id = False
        draft.__class__ = ServerSentEvent
        events.append(draft)
    return events  # type: ignore[return-value]  # each has become one


def _events(rows: Iterable[tuple[str, str, str, bool]]) -> list[ServerSentEvent]:
    events: list[EventDraft] = []
    for cursor, kind, data, has_id in rows:
        draft = EventDraft()
        draft.type = kind or "message"
        draft.data = data
        draft.last_event_id = cursor
        draft.has_id = has_id
        draft.__class__ = ServerSentEvent
        events.append(draft)
    return events  # type: ignore[return-value]  # each has become one


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
    `ValueError` for what would come back changed, and `TypeError` for what is not text, such as an
    event or a dict: their JSON is the data.
    """
    if data is not None:
        right = "the text of the data; for an event, json.dumps(encode_event_data(event))"
        check_kind("data", data, str, right)
    check_kind("type", type, str, "the name of the event as a str")
    lines: list[str] = []
    if comment is not None:
        check_kind("comment", comment, str, "the comment as a str")
        lines += [f": {line}" for line in _text("comment", comment, "\r").split("\n")]
    if id is not None:
        check_kind("id", id, str, "the id as a str")
        lines.append("id: " + _text("id", id, "\r\n\0"))
    if type != "message":
        if not type or data is None:
            raise ValueError(f"type: {type!r} is never dispatched, name an event that carries data")
        lines.append("event: " + _text("type", type, "\r\n"))
    if retry is not None:
        check_kind("retry", retry, int, "a whole number of milliseconds")
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
