"""Event streams: bytes in, events out, as defined by WHATWG HTML §9.2.

Theory of operation. First, the BOM is removed and every line end is converted to LF. The result is
split after its last blank line. The second part is an unfinished block; it is kept as bytes, so
that it takes no more memory than its size, and only its `retry` takes effect immediately. The first
part consists of complete blocks. They are decoded in one go, which is safe because an LF ends even
a broken UTF-8 sequence, and parsed by `_read_lines`, which is the standard's algorithm, line by
line. All faster paths give the same results.

The blocks of a stream nearly always look alike. The field names of one block make a pattern, its
`_Shape`, which parses many similar blocks at once; blocks that do not match exactly are parsed line
by line.

Where the standard is silent, an empty `retry` is ignored and a huge one is clamped. Also, the
cursor starts as the id with which the stream was resumed; taken literally, the standard would erase
it at the first blank line (ARK-RES-3).
"""

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import repeat
from typing import Final

from attrs import define, field, frozen

from arkor_proto._checks import check_kind, wrong_kind
from arkor_proto._errors import EventTooLarge, LocalProtocolError
from arkor_proto._event import ServerSentEvent
from arkor_proto._value import Value

RETRY_LIMIT: Final = 2**53 - 1
"""The longest reconnection time, in ms: the largest one that every JSON decoder reads exactly."""

_SAFE: Final = len(str(RETRY_LIMIT))
_BOM: Final = b"\xef\xbb\xbf"
_CR: Final = ord("\r")
_LF: Final = ord("\n")
_LONE_CR: Final = re.compile(rb"\r(?!\n)")

_LARGE: Final = 1024
"""The length in characters from which a check for one long line or many blocks pays off."""
_FEW_LINES: Final = 4
"""If a large text has fewer line ends than this at its start, lazy splitting is faster."""
_PAUSE: Final = 64
"""How many texts are parsed line by line after a mismatch, before a shape is tried again."""

_FIRST_BLOCK: Final = re.compile(r"(?::.*\n|\n)*((?:(?:id|event|data):.*\n){1,3})\n")
_FIELD: Final = re.compile(r"^(id|event|data):( ?)", re.MULTILINE)
_VALUES: Final = {"id": r"([^\n\0]*)", "event": "(.+)", "data": "(.*)"}


@frozen(repr=False, eq=False)
class _Shape(Value):
    """The field names of a block's lines: `data` and optionally `id` and `event`, each only once.

    `event`, `data` and `id` are the numbers of regular-expression groups, or 0 for an absent field.
    """

    fits: Callable[[str], re.Match[str] | None]
    """Matches text that consists of exactly one block of this shape."""
    blocks: re.Pattern[str]
    """Finds blocks of this shape. A match starts at the line end before the block: if it could
    start inside a line, a search would rescan the rest of a long line for every "id: " in it."""
    event: int
    data: int
    id: int


@define(eq=False, weakref_slot=False)
class EventStreamParser:
    """Parses the event stream of one response as it arrives.

    `last_event_id` is the cursor from which the stream resumes. `max_event_size` limits the
    size of one event in bytes: all its lines count, comments and unknown fields included, and each
    line end counts as one byte. Between two calls, the parser never holds more than that. Raises
    `ValueError` for a limit below 1.
    """

    _cursor: str = field(default="", alias="last_event_id")
    _max: int = field(default=8 * 2**20, alias="max_event_size")
    _retry: int | None = field(default=None, init=False)
    _block: bytearray = field(factory=bytearray, init=False, repr=False)
    _open: bool = field(default=True, init=False)
    _at_start: bool = field(default=True, init=False, repr=False)
    _after_cr: bool = field(default=False, init=False, repr=False)
    _between_blocks: bool = field(default=False, init=False, repr=False)
    _shape: _Shape | None = field(default=None, init=False, repr=False)
    _pause: int = field(default=0, init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        check_kind("last_event_id", self._cursor, str, 'the id as a str, or "" if there is none')
        check_kind("max_event_size", self._max, int, "a whole number of bytes")
        if self._max < 1:
            raise ValueError(f"max_event_size: {self._max} is too small; use 1 or more")

    @property
    def last_event_id(self) -> str:
        """The cursor from which to resume: the last event id, updated at each blank line."""
        return self._cursor

    @property
    def retry(self) -> int | None:
        """The last reconnection time that the stream set, in ms (at most `2**53 - 1`), or None."""
        return self._retry

    def feed(self, data: bytes | bytearray | memoryview) -> list[ServerSentEvent]:
        """Take the next bytes of the body and return the events they complete, in order.

        If an event exceeds the limit, close the parser and raise `EventTooLarge`; the error's
        `events` are those that this call completed before it. Raise `LocalProtocolError` if the
        parser is closed, and TypeError if `data` is not bytes.
        """
        if type(data) is not bytes and not isinstance(data, bytearray):
            data = _as_bytes(data)
        if self._between_blocks and len(data) <= self._max:
            blocks = _without_cr(data) if _CR in data else data
            shape = self._shape
            if shape is not None and len(blocks) < _LARGE:
                # A live stream nearly always sends one block at a time, all of the same shape.
                try:
                    found = shape.fits(blocks.decode())
                except UnicodeDecodeError:
                    found = None
                if found is not None:
                    if shape.id:
                        self._cursor = found[shape.id]
                    kind = found[shape.event] if shape.event else "message"
                    return [ServerSentEvent(kind, found[shape.data], self._cursor, shape.id > 0)]
            if blocks.endswith(b"\n\n"):
                return self._read(blocks)
        return self._take(data)

    def close(self) -> None:
        """End the stream; discard any unfinished event, including its id (ARK-SSE-8)."""
        self._open = self._between_blocks = False
        self._block.clear()

    def _take(self, data: bytes | bytearray) -> list[ServerSentEvent]:
        if not self._open:
            raise LocalProtocolError(
                "event stream: data was fed after the end; use a new parser for each response"
            )
        if self._at_start:
            data = self._without_bom(data)
        if self._after_cr or _CR in data:
            data = self._with_lf_only(data)
        if len(self._block) + len(data) > self._max:
            events = self._accept_in_steps(data)
        else:
            events = self._accept(data)
        self._between_blocks = not (self._block or self._at_start or self._after_cr)
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
        """Convert line ends to LF. A CR ends its line at once; its LF may follow (ARK-SSE-6)."""
        if not data:
            return data
        if self._after_cr:
            data = data.removeprefix(b"\n")
        self._after_cr = data.endswith(b"\r")
        if _LONE_CR.search(data):
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return data.replace(b"\r", b"")

    def _accept_in_steps(self, data: bytes | bytearray) -> list[ServerSentEvent]:
        """Accept data in steps small enough to notice when an event exceeds the limit.

        The first byte over the limit may still be the blank line that completes the event.
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
        # Append to the held bytes instead of prepending them, which would take quadratic time for
        # a line that arrives in many pieces.
        self._block += data[:end]
        events = self._read(self._block)
        self._block.clear()
        if end < len(data):
            self._hold(data[end:])
        return events

    def _end_of_blocks(self, data: bytes | bytearray) -> int:
        """Return the position after the last blank line in `data`, or 0 if there is none."""
        last = data.rfind(b"\n")  # a search for a single byte is far faster, so it is done first
        blank = data.rfind(b"\n\n", 0, last + 1)
        if blank >= 0:
            return blank + 2
        at_line_start = not self._block or self._block[-1] == _LF
        return 1 if at_line_start and data[0] == _LF else 0

    def _hold(self, data: bytes | bytearray) -> None:
        """Keep the unfinished block; only its `retry` takes effect immediately (ARK-SSE-17)."""
        block = self._block
        before = len(block)
        block += data
        if _LF in data:
            lines = block[block.rfind(b"\n", 0, before) + 1 : block.rfind(b"\n")]
            if b"retry" in lines:
                self._read_lines(lines.decode(errors="replace").split("\n"))

    def _read(self, blocks: bytes | bytearray) -> list[ServerSentEvent]:
        """Read complete blocks: all at once if they have the same shape, else line by line."""
        try:
            text = blocks.decode()
        except UnicodeDecodeError:
            text = blocks.decode(errors="replace")
        if len(text) >= _LARGE:
            data_first = text.startswith("data: ")
            if data_first and text.find("\n") == len(text) - 2:
                return [ServerSentEvent("message", text[6:-2], self._cursor)]
            if text.count("\n", 0, _LARGE) < _FEW_LINES:
                return self._read_lines(_lines_one_by_one(text))
            if data_first:
                values = text[6:-2].split("\n\ndata: ")
                if "\n" not in "".join(values):  # blocks of one line each: the shortest shape
                    return [ServerSentEvent("message", value, self._cursor) for value in values]
        if self._pause:
            self._pause -= 1
            return self._read_lines(text.split("\n"))
        shape = self._shape or _shape_of(text)
        parts = [] if shape is None else shape.blocks.split("\n" + text)
        step = 1 if shape is None else shape.blocks.groups + 1
        if shape is not None and len(parts) > 1 and _says_nothing(set(parts[::step])):
            self._shape = shape
            return self._read_columns(shape, parts, step)
        self._shape = None
        self._pause = _PAUSE
        return self._read_lines(text.split("\n"))

    def _read_columns(self, shape: _Shape, parts: list[str], step: int) -> list[ServerSentEvent]:
        """Return the events in `parts`, the result of splitting similar blocks by `shape`."""
        kinds: Iterable[str] = parts[shape.event :: step] if shape.event else repeat("message")
        cursors: Iterable[str] = parts[shape.id :: step] if shape.id else repeat(self._cursor)
        if shape.id:
            self._cursor = parts[shape.id - step - 1]
        return list(
            map(ServerSentEvent, kinds, parts[shape.data :: step], cursors, repeat(shape.id > 0))
        )

    def _read_lines(self, lines: Iterable[str]) -> list[ServerSentEvent]:  # noqa: C901, PLR0912 - the standard's algorithm, in one place
        """Read lines, starting with the first line of a block (WHATWG HTML §9.2.6).

        Lines after the last blank line dispatch nothing; only a `retry` among them takes effect.
        """
        events: list[ServerSentEvent] = []
        data: str | None = None
        more: list[str] = []
        kind = "message"
        cursor = self._cursor
        has_id = False
        for line in lines:
            if not line:
                if data is not None:
                    if more:
                        data = "\n".join((data, *more))
                        more = []
                    events.append(ServerSentEvent(kind, data, cursor, has_id))
                    data = None
                kind = "message"
                has_id = False
                self._cursor = cursor  # even if there is nothing to dispatch (ARK-RES-5)
            # The usual forms come first: removing a prefix is faster than searching for a colon.
            elif (value := line.removeprefix("data: ")) is not line:
                if data is None:
                    data = value
                else:
                    more.append(value)
            elif (value := line.removeprefix("id: ")) is not line and "\0" not in value:
                cursor = value
                has_id = True
            elif (value := line.removeprefix("event: ")) is not line:
                kind = value or "message"
            else:
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if name == "data" and data is None:
                    data = value
                elif name == "data":
                    more.append(value)
                elif name == "event":
                    kind = value or "message"
                elif name == "id" and "\0" not in value:
                    cursor = value
                    has_id = True
                elif name == "retry" and value.isascii() and value.isdigit():
                    self._retry = int(value) if len(value) < _SAFE else _milliseconds(value)
        return events


def _as_bytes(data: bytes | memoryview) -> bytes:
    if isinstance(data, (bytes, memoryview)):  # pyright: ignore[reportUnnecessaryIsInstance]
        return bytes(data)
    raise wrong_kind("feed", data, "the bytes of the body, as received")


def _without_cr(data: bytes | bytearray) -> bytes | bytearray:
    """Return `data` with each CR LF replaced by LF, or b"" if any CR has no LF after it."""
    return b"" if _LONE_CR.search(data) else data.replace(b"\r", b"")


def _lines_one_by_one(text: str) -> Iterator[str]:
    start = 0
    while (end := text.find("\n", start)) >= 0:
        yield text[start:end]
        start = end + 1


def _shape_of(text: str) -> _Shape | None:
    """Return the shape of the first block, or None if its fields do not make up a `_Shape`."""
    first = _FIRST_BLOCK.match(text)
    return None if first is None else _shape(tuple(_FIELD.findall(first[1])))


@lru_cache  # there are about two hundred shapes
def _shape(fields: tuple[tuple[str, str], ...]) -> _Shape | None:
    names = [name for name, _ in fields]
    if "data" not in names or len(names) != len({*names}):
        return None
    lines = "".join(rf"{name}:{space or '(?! )'}{_VALUES[name]}\n" for name, space in fields)
    place = {name: number for number, name in enumerate(names, 1)}
    return _Shape(
        re.compile(lines + "\n").fullmatch,
        re.compile("\n" + lines + "(?=\n)"),
        place.get("event", 0),
        place["data"],
        place.get("id", 0),
    )


def _says_nothing(texts: Iterable[str]) -> bool:
    """Return whether all lines are blank or comments, which have no effect between blocks."""
    return all(line[:1] in ("", ":") for text in texts for line in text.split("\n"))


def _milliseconds(digits: str) -> int:
    """Convert digits to a number, at most `RETRY_LIMIT`; `int` refuses more than 4300 digits."""
    digits = digits.lstrip("0") or "0"
    return RETRY_LIMIT if len(digits) > len(str(RETRY_LIMIT)) else min(int(digits), RETRY_LIMIT)


def encode_event(
    data: str | None,
    *,
    type: str = "message",  # noqa: A002 - the standard's name
    id: str | None = None,  # noqa: A002 - the standard's name
    retry: int | None = None,
    comment: str | None = None,
) -> bytes:
    """Encode one block, so that parsing it gives back exactly the arguments.

    With `data=None` the block dispatches nothing: it may be a keep-alive comment, or only set
    `retry` (in milliseconds) or `id`. An `id` of `""` is sent, and clears the cursor. Raise
    `ValueError` for values that would not survive the round trip, and `TypeError` for values of
    the wrong type, such as an event or a dict as the data: pass its JSON text instead.
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
            raise ValueError(f"type: {type!r} has no effect here; pass data and a non-empty type")
        lines.append("event: " + _text("type", type, "\r\n"))
    if retry is not None:
        check_kind("retry", retry, int, "a whole number of milliseconds")
        if not 0 <= retry <= RETRY_LIMIT:
            raise ValueError(f"retry: {retry} ms is out of range; use 0 to {RETRY_LIMIT}")
        lines.append(f"retry: {retry}")
    if data is not None:
        lines += [f"data: {line}" for line in _text("data", data, "\r").split("\n")]
    return "".join(f"{line}\n" for line in [*lines, ""]).encode()


def _text(name: str, value: str, forbidden: str) -> str:
    for character in forbidden:
        if character in value:
            raise ValueError(f"{name}: {character!r} would not arrive as sent; leave it out")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{name}: {error.reason}; an event stream must be valid UTF-8") from error
    return value
