"""Mutants with a faulty event-stream parser."""

# ruff: noqa: D401

import codecs
import re
from collections.abc import Callable, Iterable
from functools import partial

from attrs import evolve

from arkor_proto import Input, Received, Reconnecting, StreamEnded, TransportError
from conformance.mutants.around import Client
from conformance.mutants.dialect import (
    NOTHING,
    Block,
    Dialect,
    change_blocks,
    change_chunks,
    connection,
    is_unknown,
    lost,
    plain_field,
    speak,
)
from conformance.mutants.filters import before_the_end, change_bytes, filter_inputs, recount
from conformance.mutants.patching import (
    WHERE_FAILURES_COUNT,
    WHERE_THE_CURSOR_SHOWS,
    ByObject,
    breaks,
)


def _before_parsing(change: Callable[[bytes], bytes]) -> None:
    change_bytes(lambda _, data: change(data))


@breaks(
    "ARK-SSE-1",
    follows=(
        "ARK-SSE-2",
        "ARK-SSE-3",
        "ARK-SSE-7",
        "ARK-RES-3",
        "ARK-RES-4",
        "ARK-RES-5",
        "ARK-RES-10",
    ),
)
def decodes_latin_1() -> None:
    """The client decodes the stream as Latin-1 instead of UTF-8."""
    _before_parsing(lambda data: data.decode("latin-1").encode())


@breaks("ARK-SSE-2", follows=("ARK-SSE-7",))
def keeps_the_byte_order_mark() -> None:
    """The client does not strip the byte order mark at the start of a stream."""
    change_bytes(lambda client, data: data if connection(client).received else b"\n" + data)


@breaks("ARK-SSE-2")
def strips_every_byte_order_mark() -> None:
    """The client removes byte order marks everywhere, not only at the start of a stream."""
    _before_parsing(lambda data: data.replace(b"\xef\xbb\xbf", b""))


@breaks("ARK-SSE-3", follows=("ARK-RES-3", "ARK-RES-4", "ARK-RES-5", "ARK-RES-10"))
def fails_at_invalid_utf8() -> None:
    """On bytes that are not valid UTF-8, the client acts as if the connection had broken."""
    decoders = ByObject[codecs.IncrementalDecoder]()
    strict = codecs.getincrementaldecoder("utf-8")

    def change(client: Client, event: Input) -> Iterable[Input]:
        if client.is_of_stream(event) and isinstance(event, Received):
            try:
                decoders.setdefault(connection(client), strict()).decode(event.data)
            except UnicodeDecodeError:
                client.break_off(TransportError("invalid UTF-8"))
                return
        yield event

    filter_inputs(change)


@breaks("ARK-SSE-3")
def drops_invalid_utf8() -> None:
    """The client drops bytes that are not valid UTF-8 instead of replacing them with U+FFFD."""
    _before_parsing(lambda data: data.decode(errors="ignore").encode())


@breaks("ARK-SSE-4", follows=("ARK-SSE-6", "ARK-SSE-19", "ARK-EVT-1"))
def knows_only_lf() -> None:
    """Only LF ends a line; a CR counts as white space."""
    _before_parsing(lambda data: data.replace(b"\r", b" "))


@breaks("ARK-SSE-4", follows=("ARK-SSE-6", "ARK-SSE-7", "ARK-SSE-19"))
def knows_no_lone_cr() -> None:
    """Only LF and CRLF end a line; a lone CR does not."""
    _before_parsing(lambda data: data.replace(b"\r\n", b"\n").replace(b"\r", b" "))


@breaks("ARK-SSE-4", "ARK-SSE-6")
def counts_crlf_twice() -> None:
    """CR and LF each end a line, so a CRLF ends two."""
    _before_parsing(lambda data: data.replace(b"\r", b"\n"))


@breaks("ARK-SSE-4", follows=("ARK-EVT-1", "ARK-STR-2", "ARK-STR-3"))
def knows_only_crlf() -> None:
    """Only CRLF ends a line; a lone LF is white space."""
    _before_parsing(lambda data: b"\n".join(p.replace(b"\n", b" ") for p in data.split(b"\r\n")))


@breaks("ARK-SSE-5")
def splits_at_any_line_separator() -> None:
    """Other line separators, such as NEL and U+2028, also end a line."""
    ends = re.compile("[\n\v\f\x1c\x1d\x1e\x85\u2028\u2029]")
    speak(Dialect(lines=lambda text: ends.split(text)[:-1]))


@breaks("ARK-SSE-19", "ARK-SSE-6")
def waits_behind_a_cr() -> None:
    """A CR at the end of a chunk does not end its line until the next byte arrives."""
    late = ByObject[bytes]()

    def change(client: Client, data: bytes) -> bytes:
        data = late.pop(connection(client), b"") + data
        if data.endswith(b"\r"):
            late[connection(client)] = b"\r"
        return data.removesuffix(b"\r")

    change_bytes(change)


@breaks("ARK-SSE-6", "ARK-SSE-7")
def counts_a_cut_crlf_twice() -> None:
    """A CRLF that is split between two chunks ends two lines."""
    _before_parsing(lambda data: data.replace(b"\r\n", b"\n").replace(b"\r", b"\n"))


@breaks("ARK-SSE-7", follows=("ARK-SSE-2", "ARK-SSE-6", "ARK-SSE-17"))
def forgets_at_chunk_boundaries() -> None:
    """At the end of each chunk, the parser discards any unfinished block."""

    def whole(data: bytes) -> bytes:
        plain = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return plain[: plain.rfind(b"\n\n") + 2] if b"\n\n" in plain else NOTHING

    _before_parsing(whole)


@breaks("ARK-SSE-7", follows=("ARK-EVT-1", "ARK-RES-13"))
def reads_one_event_per_chunk() -> None:
    """The parser reads only the first event in each chunk."""

    def change(_: Client, __: bytes, blocks: list[Block]) -> Iterable[Block]:
        seen = False
        for block in blocks:
            yield lost(block) if seen else block
            seen = seen or block.data is not None

    change_chunks(change)


@breaks("ARK-SSE-7", follows=("ARK-SSE-2",))
def decodes_chunk_by_chunk() -> None:
    """A character that is split between two chunks becomes two replacement characters."""
    _before_parsing(lambda data: data.decode(errors="replace").encode())


@breaks("ARK-SSE-8")
def dispatches_the_unfinished_block() -> None:
    """The client dispatches an unfinished block at the end of the stream."""
    before_the_end(lambda _, __: b"\n\n")


def _comment_is_data(line: str) -> tuple[str, str]:
    return ("data", line[1:].strip()) if line.startswith(":") else plain_field(line)


@breaks("ARK-SSE-9")
def takes_comments_for_data() -> None:
    """The parser reads comments as data."""
    speak(Dialect(field=_comment_is_data))


@breaks("ARK-SSE-9")
def looks_behind_the_colon_of_comments() -> None:
    """If a comment looks like a field, the parser reads it as that field."""
    speak(Dialect(field=lambda line: plain_field(line.lstrip(": "))))


@breaks("ARK-SSE-9")
def ends_the_block_at_a_comment() -> None:
    """On a comment, the parser discards the data read so far in the block."""
    speak(Dialect(throws_away=lambda name: not name))


def _change_value(change: Callable[[str], str], line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, change(value)


@breaks("ARK-SSE-10", follows=("ARK-RES-11",))
def strips_values() -> None:
    """The parser strips all white space around a value, not just one leading space."""
    speak(Dialect(field=partial(_change_value, str.strip)))


@breaks("ARK-SSE-10", follows=("ARK-BUD-3", "ARK-BUD-4", "ARK-BUD-5"))
def keeps_the_leading_space() -> None:
    """The parser keeps the space after the colon as part of the value."""
    speak(Dialect(field=partial(_change_value, str)))


def _last_colon(line: str) -> tuple[str, str]:
    name, _, value = line.rpartition(":")
    return (name or line).partition(":")[0], value.removeprefix(" ")


@breaks("ARK-SSE-10", follows=("ARK-EVT-1", "ARK-STR-2", "ARK-STR-3"))
def splits_at_the_last_colon() -> None:
    """The parser splits a line at its last colon instead of the first."""
    speak(Dialect(field=_last_colon))


def _needs_colon(line: str) -> tuple[str, str]:
    return plain_field(line) if ":" in line else ("", "")


@breaks("ARK-SSE-10", follows=WHERE_THE_CURSOR_SHOWS)
def ignores_lines_without_colon() -> None:
    """The parser ignores a line without a colon."""
    speak(Dialect(field=_needs_colon))


def _change_name(change: Callable[[str], str], line: str) -> tuple[str, str]:
    name, value = plain_field(line)
    return change(name), value


def _spoilt_without_a_colon(line: str) -> tuple[str, str]:
    return plain_field(line) if ":" in line else ("\0", "")


@breaks("ARK-SSE-10")
def gives_a_block_up_at_a_line_without_a_colon() -> None:
    """On a line without a colon, the parser discards the data read so far in the block."""
    spoils = "\0".__eq__
    speak(Dialect(field=_spoilt_without_a_colon, throws_away=spoils))


@breaks("ARK-SSE-10")
def takes_the_space_for_granted() -> None:
    """The parser drops the first character after the colon, even if it is not a space."""

    def field(line: str) -> tuple[str, str]:
        name, _, value = line.partition(":")
        return name, value[1:]

    speak(Dialect(field=field))


@breaks("ARK-SSE-11")
def ignores_the_case_of_names() -> None:
    """The parser ignores the case of field names, so it reads `Data:` as `data:`."""
    speak(Dialect(field=partial(_change_name, str.lower)))


@breaks("ARK-SSE-11")
def trims_names() -> None:
    """The parser trims field names, so it reads ` data:` as `data:`."""
    speak(Dialect(field=partial(_change_name, str.strip)))


@breaks("ARK-SSE-11")
def goes_by_the_first_letter_of_names() -> None:
    """The parser checks only the first letter of a field name, so it reads `dat:` as `data:`."""
    names = {"d": "data", "e": "event", "i": "id", "r": "retry"}
    speak(Dialect(field=partial(_change_name, lambda name: names.get(name[:1], name))))


@breaks("ARK-SSE-11")
def knows_another_name_of_the_id() -> None:
    """The parser reads `lastEventId:` as `id:`."""
    alias = {"lastEventId": "id"}
    speak(Dialect(field=partial(_change_name, lambda name: alias.get(name, name))))


@breaks("ARK-SSE-11")
def ends_the_block_at_unknown_fields() -> None:
    """On an unknown field, the parser discards the data read so far in the block."""
    speak(Dialect(throws_away=is_unknown))


@breaks("ARK-SSE-12")
def takes_the_first_event_name() -> None:
    """Of several `event:` lines in a block, the first one counts instead of the last."""
    speak(Dialect(first_event_counts=True))


@breaks("ARK-SSE-12", follows=("ARK-SSE-15", "ARK-EVT-1"))
def carries_the_event_name_over() -> None:
    """An event name also applies to the following blocks."""
    speak(Dialect(event_carries_over=True))


@breaks("ARK-SSE-13")
def glues_data_together() -> None:
    """Several `data:` lines are joined without a separator instead of with LF."""
    speak(Dialect(join="".join))


@breaks("ARK-SSE-13")
def joins_data_with_a_space() -> None:
    """Several `data:` lines are joined with a space instead of LF."""
    speak(Dialect(join=" ".join))


@breaks("ARK-SSE-13")
def keeps_the_last_line_of_data() -> None:
    """Of several `data:` lines, only the last one counts."""
    speak(Dialect(join=lambda data: data[-1]))


@breaks("ARK-SSE-14")
def takes_ids_with_nul() -> None:
    """If an id contains a NUL, the parser removes the NUL instead of ignoring the id."""
    speak(Dialect(takes_nul_ids=True))


@breaks("ARK-SSE-15", follows=("ARK-EVT-6", "ARK-BUD-11"))
def drops_empty_events() -> None:
    """A block with empty data is not dispatched."""
    speak(Dialect(is_event=lambda data, _: any(data)))


@breaks("ARK-SSE-15")
def dispatches_blocks_without_data() -> None:
    """A block with an event name but no data is dispatched."""
    speak(Dialect(is_event=lambda data, kind: bool(data or kind)))


@breaks("ARK-SSE-15")
def dispatches_again_at_a_blank_line() -> None:
    """An extra blank line makes the client dispatch the last event again."""
    latest = ByObject[list[Block]]()

    def again(client: Client, data: bytes, blocks: list[Block]) -> Iterable[Block]:
        events = [block for block in blocks if block.data is not None]
        before = latest.get(connection(client), [])
        latest[connection(client)] = events[-1:] or before
        first = events[:1] if b"\n\n\n" in data.lstrip(b"\r\n") else []
        return [*(before if data.startswith(b"\n") else []), *first, *blocks]

    change_chunks(again)


@breaks("ARK-SSE-15", follows=("ARK-SSE-7", "ARK-SSE-8", "ARK-BUD-16", "ARK-BUD-20"))
def dispatches_a_chunk_without_an_event() -> None:
    """The client dispatches an empty event for a chunk that completes none and is not a comment."""

    def dispatch(_: Client, data: bytes, blocks: list[Block]) -> Iterable[Block]:
        yield from blocks
        events = any(block.data is not None for block in blocks)
        if not events and data.strip(b"\r\n") and not data.startswith(b":"):
            yield Block(data="")

    change_chunks(dispatch)


@breaks("ARK-SSE-15", follows=("ARK-BUD-4", *WHERE_FAILURES_COUNT))
def takes_an_empty_body_for_an_event() -> None:
    """An empty stream is treated as if it had an event, so its end does not count as a failure."""

    def rule(client: Client, notice: Reconnecting, count: int) -> int:
        empty = isinstance(notice.cause, StreamEnded) and not connection(client).received
        return 0 if empty or notice.cause is None else count + 1

    recount(rule)


@breaks("ARK-SSE-16")
def dispatches_two_texts_and_no_more() -> None:
    """Of a job's events that are not JSON objects, only the first two are dispatched."""
    texts = ByObject[int]()

    def change(client: Client, block: Block) -> Iterable[Block]:
        if block.data is not None and not block.data.startswith("{"):
            texts[client] = texts.get(client, 0) + 1
            yield block if texts[client] <= 2 else lost(block)  # noqa: PLR2004 - as its name says
        else:
            yield block

    change_blocks(change)


@breaks("ARK-SSE-16", follows=("ARK-EVT-1", "ARK-STR-2", "ARK-STR-3"))
def dispatches_one_event_late() -> None:
    """The last event of a chunk is dispatched only when the next chunk arrives."""
    late = ByObject[list[Block]]()

    def change(client: Client, _: bytes, blocks: list[Block]) -> Iterable[Block]:
        yield from late.pop(connection(client), [])
        if blocks and blocks[-1].data is not None:
            late[connection(client)] = [evolve(blocks[-1], id=None)]
            blocks[-1] = lost(blocks[-1])
        yield from blocks

    change_chunks(change)


def _talkative(line: str) -> tuple[str, str]:
    text = line.lstrip(": ")
    return ("data", text) if line.startswith(":") and text.startswith("{") else plain_field(line)


@breaks("ARK-SSE-9")
def reads_json_in_comments() -> None:
    """If a comment contains a JSON object, the parser reads that object as data."""
    speak(Dialect(field=_talkative))


@breaks("ARK-SSE-9")
def reads_a_last_comment() -> None:
    """The parser reads JSON in a comment as an event, even if no line end follows it."""
    speak(Dialect(field=_talkative, reads_a_last_comment=True))
