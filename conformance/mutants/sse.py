"""Mutants of the parser of event streams."""

# Mutants reach into what nobody else may touch.
# ruff: noqa: D401, SLF001
# pyright: reportPrivateUsage=false

from collections.abc import Callable
from functools import partial

from arkor_proto._errors import TransportError
from arkor_proto._event import ServerSentEvent
from arkor_proto._exchange import Pending
from arkor_proto._sse import EventStreamParser
from arkor_proto._wait import Wait
from conformance.mutants.dialect import (
    Dialect,
    after_parsing,
    before_parsing,
    is_unknown,
    plain_field,
    speak,
    with_lines,
)
from conformance.mutants.surgery import breaks, replace


@breaks("ARK-SSE-1")
def decodes_latin_1() -> None:
    """The body is decoded as Latin-1."""
    before_parsing(lambda data: data.decode("latin-1").encode())


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
    before_parsing(lambda data: data.replace(b"\xef\xbb\xbf", b""))


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
    before_parsing(lambda data: data.decode(errors="ignore").encode())


@breaks("ARK-SSE-4")
def knows_only_lf() -> None:
    """A CR is part of the line."""
    with_lines(lambda data: data)


@breaks("ARK-SSE-4")
def knows_no_lone_cr() -> None:
    """Only LF and CRLF end a line."""
    with_lines(lambda data: data.replace(b"\r\n", b"\n"))


@breaks("ARK-SSE-4", "ARK-SSE-6")
def counts_crlf_twice() -> None:
    """CR and LF each end a line, also side by side."""
    with_lines(lambda data: data.replace(b"\r", b"\n"))


@breaks("ARK-SSE-4")
def knows_only_crlf() -> None:
    """Only CRLF ends a line; a lone LF is white space."""
    before_parsing(lambda data: b"\n".join(p.replace(b"\n", b" ") for p in data.split(b"\r\n")))


@breaks("ARK-SSE-5")
def splits_at_any_line_separator() -> None:
    """NEL, U+2028 and others end a line too."""
    speak(Dialect(lines=lambda text: [*text.replace("\n\n", "\n\0\n").splitlines()]))


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


@breaks("ARK-SSE-6", "ARK-SSE-7")
def counts_a_cut_crlf_twice() -> None:
    """A CR at the end of a chunk and the LF at the beginning of the next end a line each."""
    with_lines(lambda data: data.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))


@breaks("ARK-SSE-7")
def forgets_at_chunk_boundaries() -> None:
    """What a chunk leaves unfinished is lost."""

    def hold(parser: EventStreamParser, data: bytes) -> None:
        parser._block += data[:0]

    replace(EventStreamParser, "_hold", hold)


@breaks("ARK-SSE-7")
def reads_one_event_per_chunk() -> None:
    """Of several events that arrive together only the first is seen."""
    after_parsing(lambda _, __, events: events[:1])


@breaks("ARK-SSE-7")
def decodes_chunk_by_chunk() -> None:
    """A character that is cut in two becomes two marks of damage."""
    before_parsing(lambda data: data.decode(errors="replace").encode())


@breaks("ARK-SSE-8")
def dispatches_the_unfinished_block() -> None:
    """What is unfinished at the end of the stream is dispatched all the same."""
    original = Wait._over

    def over(wait: Wait, pending: Pending, error: Exception | None, now: float) -> None:
        wait.reader.feed(b"\n\n")
        original(wait, pending, error, now)

    replace(Wait, "_over", over)


def _comment_is_data(line: str) -> tuple[str, str]:
    return ("data", line[1:].strip()) if line.startswith(":") else plain_field(line)


@breaks("ARK-SSE-9")
def takes_comments_for_data() -> None:
    """A comment is data."""
    speak(Dialect(field=_comment_is_data))


@breaks("ARK-SSE-9")
def looks_behind_the_colon_of_comments() -> None:
    """A comment that looks like a field is one."""
    speak(Dialect(field=lambda line: plain_field(line.lstrip(": "))))


@breaks("ARK-SSE-9")
def ends_the_block_at_a_comment() -> None:
    """A comment throws away what the block has gathered."""
    speak(Dialect(throws_away=lambda name: not name))


def _change_value(change: Callable[[str], str], line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, change(value)


@breaks("ARK-SSE-10")
def strips_values() -> None:
    """All white space around a value is removed."""
    speak(Dialect(field=partial(_change_value, str.strip)))


@breaks("ARK-SSE-10")
def keeps_the_leading_space() -> None:
    """The space after the colon belongs to the value."""
    speak(Dialect(field=partial(_change_value, str)))


def _last_colon(line: str) -> tuple[str, str]:
    name, _, value = line.rpartition(":")
    return (name or line).partition(":")[0], value.removeprefix(" ")


@breaks("ARK-SSE-10")
def splits_at_the_last_colon() -> None:
    """A value begins behind the last colon of its line."""
    speak(Dialect(field=_last_colon))


def _needs_colon(line: str) -> tuple[str, str]:
    return plain_field(line) if ":" in line else ("", "")


@breaks("ARK-SSE-10")
def ignores_lines_without_colon() -> None:
    """A line without a colon is ignored."""
    speak(Dialect(field=_needs_colon))


def _change_name(change: Callable[[str], str], line: str) -> tuple[str, str]:
    name, value = plain_field(line)
    return change(name), value


@breaks("ARK-SSE-11")
def ignores_the_case_of_names() -> None:
    """`Data:` is data."""
    speak(Dialect(field=partial(_change_name, str.lower)))


@breaks("ARK-SSE-11")
def trims_names() -> None:
    """` data:` is data."""
    speak(Dialect(field=partial(_change_name, str.strip)))


@breaks("ARK-SSE-11")
def goes_by_the_first_letter_of_names() -> None:
    """`dat:` and `datas:` are data."""
    names = {"d": "data", "e": "event", "i": "id", "r": "retry"}
    speak(Dialect(field=partial(_change_name, lambda name: names.get(name[:1], name))))


@breaks("ARK-SSE-11")
def knows_another_name_of_the_id() -> None:
    """`lastEventId:` is an id."""
    alias = {"lastEventId": "id"}
    speak(Dialect(field=partial(_change_name, lambda name: alias.get(name, name))))


@breaks("ARK-SSE-11")
def ends_the_block_at_unknown_fields() -> None:
    """A field that it does not know throws the block away."""
    speak(Dialect(throws_away=is_unknown))


@breaks("ARK-SSE-12")
def takes_the_first_event_name() -> None:
    """The first `event` of a block decides."""
    speak(Dialect(first_event_counts=True))


@breaks("ARK-SSE-12")
def carries_the_event_name_over() -> None:
    """An event name holds for the blocks that follow."""
    speak(Dialect(event_carries_over=True))


@breaks("ARK-SSE-13")
def glues_data_together() -> None:
    """Several lines of data are joined with nothing between."""
    speak(Dialect(join="".join))


@breaks("ARK-SSE-13")
def joins_data_with_a_space() -> None:
    """Several lines of data are joined with a space."""
    speak(Dialect(join=" ".join))


@breaks("ARK-SSE-13")
def keeps_the_last_line_of_data() -> None:
    """Of several lines of data only the last counts."""
    speak(Dialect(join=lambda data: data[-1]))


@breaks("ARK-SSE-14")
def takes_ids_with_nul() -> None:
    """An id that holds a NUL is taken without it."""
    speak(Dialect(takes_nul_ids=True))


@breaks("ARK-SSE-15")
def drops_empty_events() -> None:
    """A block with empty data dispatches nothing."""
    speak(Dialect(is_event=lambda data, _: any(data)))


@breaks("ARK-SSE-15")
def dispatches_blocks_without_data() -> None:
    """A block that has only a name is dispatched."""
    speak(Dialect(is_event=lambda data, kind: bool(data or kind)))


@breaks("ARK-SSE-15")
def dispatches_again_at_a_blank_line() -> None:
    """Blank lines dispatch the last event once more."""
    latest: dict[int, list[ServerSentEvent]] = {}

    def again(
        parser: EventStreamParser, data: bytes, events: list[ServerSentEvent]
    ) -> list[ServerSentEvent]:
        before = latest.get(id(parser), [])
        latest[id(parser)] = events[-1:] or before
        first = events[:1] if b"\n\n\n" in data.lstrip(b"\r\n") else []
        return [*(before if data.startswith(b"\n") else []), *first, *events]

    after_parsing(again)


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
