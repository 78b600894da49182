"""Mutants of the parser of event streams."""

# Mutants reach into what nobody else may touch.
# ruff: noqa: D401, SLF001
# pyright: reportPrivateUsage=false

from collections.abc import Callable, Iterator
from functools import partial

from attrs import frozen

from arkor_proto._errors import TransportError
from arkor_proto._exchange import Pending
from arkor_proto._sse import EventStreamParser, ServerSentEvent
from arkor_proto._wait import Wait
from conformance.mutants.surgery import breaks, replace


def _plain_field(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value.removeprefix(" ")


def _lf_lines(text: str) -> list[str]:
    return text.split("\n")[:-1]


@frozen(kw_only=True)
class _Dialect:
    """The standard's algorithm with one thing changed."""

    lines: Callable[[str], list[str]] = _lf_lines
    field: Callable[[str], tuple[str, str]] = _plain_field
    joint: str = "\n"
    first_event_counts: bool = False
    event_carries_over: bool = False
    takes_nul_ids: bool = False
    drops_empty_data: bool = False
    dispatches_without_data: bool = False
    unknown_ends_block: bool = False

    def interpret(self, parser: EventStreamParser, text: str) -> Iterator[ServerSentEvent]:
        """Interpret whole lines."""
        block = _Block(self, parser._cursor)
        for line in self.lines(text):
            if line:
                block.take(*self.field(line), parser)
            else:
                parser._cursor = block.cursor
                yield from block.dispatch()


class _Block:
    def __init__(self, dialect: _Dialect, cursor: str) -> None:
        self.dialect = dialect
        self.cursor = cursor
        self.kind = ""
        self.data: list[str] = []
        self.has_id = False

    def take(self, name: str, value: str, parser: EventStreamParser) -> None:
        """Take one field."""
        if name == "data":
            self.data.append(value)
        elif name == "event" and not (self.dialect.first_event_counts and self.kind):
            self.kind = value
        elif name == "id" and ("\0" not in value or self.dialect.takes_nul_ids):
            self.cursor, self.has_id = value.replace("\0", ""), True
        elif name == "retry" and value.isascii() and value.isdigit():
            parser._retry = int(value)
        elif name and name not in {"event", "id", "retry"} and self.dialect.unknown_ends_block:
            self.data.clear()

    def dispatch(self) -> Iterator[ServerSentEvent]:
        """End the block."""
        text = self.dialect.joint.join(self.data)
        has_data = bool(self.data) if not self.dialect.drops_empty_data else bool(text)
        if has_data or (self.dialect.dispatches_without_data and self.kind):
            yield ServerSentEvent(self.kind or "message", text, self.cursor, has_id=self.has_id)
        self.data, self.has_id = [], False
        self.kind = self.kind if self.dialect.event_carries_over else ""


def _speak(dialect: _Dialect) -> None:
    def interpret(parser: EventStreamParser, text: str) -> Iterator[ServerSentEvent]:
        return dialect.interpret(parser, text)

    replace(EventStreamParser, "_interpret", interpret)


def _before_parsing(change: Callable[[bytes], bytes]) -> None:
    original = EventStreamParser.feed

    def feed(parser: EventStreamParser, data: bytes) -> list[ServerSentEvent]:
        return original(parser, change(bytes(data)))

    replace(EventStreamParser, "feed", feed)


def _with_lines(change: Callable[[bytes], bytes]) -> None:
    def with_lf_only(_: EventStreamParser, data: bytes) -> bytes:
        return change(data)

    replace(EventStreamParser, "_with_lf_only", with_lf_only)


@breaks("ARK-SSE-1")
def decodes_latin_1() -> None:
    """The body is decoded as Latin-1."""
    _before_parsing(lambda data: data.decode("latin-1").encode())


@breaks("ARK-SSE-2")
def keeps_the_byte_order_mark() -> None:
    """A byte order mark is data."""

    def without_bom(parser: EventStreamParser, data: bytes) -> bytes:
        parser._at_start = False
        return data

    replace(EventStreamParser, "_without_bom", without_bom)


@breaks("ARK-SSE-2")
def strips_every_byte_order_mark() -> None:
    """Byte order marks are removed everywhere."""
    _before_parsing(lambda data: data.replace(b"\xef\xbb\xbf", b""))


@breaks("ARK-SSE-3")
def fails_at_invalid_utf8() -> None:
    """Bytes that are not UTF-8 break the connection."""
    original = Wait._received

    def received(wait: Wait, pending: Pending, data: bytes, now: float) -> None:
        if b"\xff" in data or b"\xc3(" in data or b"\x80" in data:
            wait.outbox.close(pending)
            wait._over(pending, TransportError("invalid UTF-8"), now)
        else:
            original(wait, pending, data, now)

    replace(Wait, "_received", received)


@breaks("ARK-SSE-3")
def drops_invalid_utf8() -> None:
    """Bytes that are not UTF-8 are left out."""
    _before_parsing(lambda data: data.decode(errors="ignore").encode())


@breaks("ARK-SSE-4")
def knows_only_lf() -> None:
    """A CR is part of the line."""
    _with_lines(lambda data: data)


@breaks("ARK-SSE-4")
def knows_no_lone_cr() -> None:
    """Only LF and CRLF end a line."""
    _with_lines(lambda data: data.replace(b"\r\n", b"\n"))


@breaks("ARK-SSE-4", "ARK-SSE-6")
def counts_crlf_twice() -> None:
    """CR and LF each end a line, also side by side."""
    _with_lines(lambda data: data.replace(b"\r", b"\n"))


@breaks("ARK-SSE-5")
def splits_at_any_line_separator() -> None:
    """NEL, U+2028 and others end a line too."""
    _speak(_Dialect(lines=lambda text: [*text.replace("\n\n", "\n\0\n").splitlines()]))


@breaks("ARK-SSE-6")
def waits_behind_a_cr() -> None:
    """A CR at the end of a chunk waits for the next byte."""
    original = EventStreamParser.feed

    def feed(parser: EventStreamParser, data: bytes) -> list[ServerSentEvent]:
        held = bytes(parser._block[-1:]) if parser._block[-1:] == b"\r" else b""
        if held:
            del parser._block[-1:]
        data = held + bytes(data)
        late = data.endswith(b"\r")
        events = original(parser, data[:-1] if late else data)
        if late:
            parser._block += b"\r"
        return events

    replace(EventStreamParser, "feed", feed)


@breaks("ARK-SSE-7")
def forgets_at_chunk_boundaries() -> None:
    """What a chunk leaves unfinished is lost."""

    def hold(parser: EventStreamParser, data: bytes) -> None:
        parser._block += data[:0]

    replace(EventStreamParser, "_hold", hold)


@breaks("ARK-SSE-7")
def decodes_chunk_by_chunk() -> None:
    """A character that is cut in two becomes two marks of damage."""
    _before_parsing(lambda data: data.decode(errors="replace").encode())


@breaks("ARK-SSE-8")
def dispatches_the_unfinished_block() -> None:
    """What is unfinished at the end of the stream is dispatched all the same."""
    original = Wait._over

    def over(wait: Wait, pending: Pending, error: Exception | None, now: float) -> None:
        wait.reader.feed(b"\n\n")
        original(wait, pending, error, now)

    replace(Wait, "_over", over)


def _comment_is_data(line: str) -> tuple[str, str]:
    return ("data", line[1:].strip()) if line.startswith(":") else _plain_field(line)


@breaks("ARK-SSE-9")
def takes_comments_for_data() -> None:
    """A comment is data."""
    _speak(_Dialect(field=_comment_is_data))


def _change_value(change: Callable[[str], str], line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, change(value)


@breaks("ARK-SSE-10")
def strips_values() -> None:
    """All white space around a value is removed."""
    _speak(_Dialect(field=partial(_change_value, str.strip)))


@breaks("ARK-SSE-10")
def keeps_the_leading_space() -> None:
    """The space after the colon belongs to the value."""
    _speak(_Dialect(field=partial(_change_value, str)))


def _last_colon(line: str) -> tuple[str, str]:
    name, _, value = line.rpartition(":")
    return (name or line).partition(":")[0], value.removeprefix(" ")


@breaks("ARK-SSE-10")
def splits_at_the_last_colon() -> None:
    """A value begins behind the last colon of its line."""
    _speak(_Dialect(field=_last_colon))


def _needs_colon(line: str) -> tuple[str, str]:
    return _plain_field(line) if ":" in line else ("", "")


@breaks("ARK-SSE-10")
def ignores_lines_without_colon() -> None:
    """A line without a colon is ignored."""
    _speak(_Dialect(field=_needs_colon))


def _change_name(change: Callable[[str], str], line: str) -> tuple[str, str]:
    name, value = _plain_field(line)
    return change(name), value


@breaks("ARK-SSE-11")
def ignores_the_case_of_names() -> None:
    """`Data:` is data."""
    _speak(_Dialect(field=partial(_change_name, str.lower)))


@breaks("ARK-SSE-11")
def trims_names() -> None:
    """` data:` is data."""
    _speak(_Dialect(field=partial(_change_name, str.strip)))


@breaks("ARK-SSE-11")
def ends_the_block_at_unknown_fields() -> None:
    """A field that it does not know throws the block away."""
    _speak(_Dialect(unknown_ends_block=True))


@breaks("ARK-SSE-12")
def takes_the_first_event_name() -> None:
    """The first `event` of a block decides."""
    _speak(_Dialect(first_event_counts=True))


@breaks("ARK-SSE-12")
def carries_the_event_name_over() -> None:
    """An event name holds for the blocks that follow."""
    _speak(_Dialect(event_carries_over=True))


@breaks("ARK-SSE-13")
def glues_data_together() -> None:
    """Several lines of data are joined with nothing between."""
    _speak(_Dialect(joint=""))


@breaks("ARK-SSE-13")
def joins_data_with_a_space() -> None:
    """Several lines of data are joined with a space."""
    _speak(_Dialect(joint=" "))


@breaks("ARK-SSE-14")
def takes_ids_with_nul() -> None:
    """An id that holds a NUL is taken without it."""
    _speak(_Dialect(takes_nul_ids=True))


@breaks("ARK-SSE-15")
def drops_empty_events() -> None:
    """A block with empty data dispatches nothing."""
    _speak(_Dialect(drops_empty_data=True))


@breaks("ARK-SSE-15")
def dispatches_blocks_without_data() -> None:
    """A block that has only a name is dispatched."""
    _speak(_Dialect(dispatches_without_data=True))


@breaks("ARK-SSE-16")
def dispatches_one_event_late() -> None:
    """An event is dispatched only when more arrives."""
    original = EventStreamParser.feed
    late: dict[int, list[ServerSentEvent]] = {}

    def feed(parser: EventStreamParser, data: bytes) -> list[ServerSentEvent]:
        events = [*late.pop(id(parser), []), *original(parser, data)]
        late[id(parser)] = events[-1:]
        return events[:-1]

    replace(EventStreamParser, "feed", feed)
