"""The event-stream parser and its encoder, case by case."""

import copy
import pickle
import tracemalloc
from collections.abc import Callable, Iterable
from typing import TypeAlias

import pytest

from arkor_proto import (
    EventStreamParser,
    EventTooLarge,
    LocalProtocolError,
    ServerSentEvent,
    encode_event,
)
from tests.arkor_proto.sse_oracle import read
from tests.arkor_proto.sse_vectors import Vector, as_bytes, is_public, load_vectors

Outcome: TypeAlias = tuple[list[object], str, int | None, str | None]

VECTORS = load_vectors()


def outcome(vector: Vector, chunks: Iterable[bytes]) -> Outcome:
    parser = EventStreamParser(
        vector.get("last_event_id", ""), vector.get("max_event_size", 8 * 2**20)
    )
    events: list[object] = []
    error = None
    try:
        for chunk in chunks:
            events += parser.feed(chunk)
    except EventTooLarge as too_large:
        events += too_large.events
        error = "event too large"
    parser.close()
    return events, parser.last_event_id, parser.retry, error


def expected(vector: Vector) -> Outcome:
    expect = vector["expect"]
    events = [ServerSentEvent(*event) for event in expect["events"]]
    return [*events], expect["last_event_id"], expect["retry"], expect.get("error")


each_vector = pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])


@each_vector
def test_a_vector_parses_as_it_is_cut(vector: Vector) -> None:
    assert outcome(vector, map(as_bytes, vector["chunks"])) == expected(vector)


@each_vector
def test_a_vector_parses_whole(vector: Vector) -> None:
    assert outcome(vector, [as_bytes(vector["chunks"])]) == expected(vector)


@each_vector
def test_a_vector_parses_byte_by_byte(vector: Vector) -> None:
    stream = as_bytes(vector["chunks"])
    assert outcome(vector, (bytes([byte]) for byte in stream)) == expected(vector)


@each_vector
def test_a_vector_parses_cut_in_two_at_every_point(vector: Vector) -> None:
    stream = as_bytes(vector["chunks"])
    for cut in range(len(stream) + 1):
        assert outcome(vector, [stream[:cut], stream[cut:]]) == expected(vector), cut


@each_vector
def test_the_oracle_reads_a_vector_as_it_is_expected(vector: Vector) -> None:
    reading = read(
        as_bytes(vector["chunks"]),
        last_event_id=vector.get("last_event_id", ""),
        max_event_size=vector.get("max_event_size", 8 * 2**20),
    )
    events = [
        ServerSentEvent(event.type, event.data, event.last_event_id) for event in reading.events
    ]
    error = "event too large" if reading.too_large else None
    assert ([*events], reading.last_event_id, reading.retry, error) == expected(vector)


def test_every_public_vector_is_there() -> None:
    assert len([vector for vector in VECTORS if is_public(vector)]) == 70
    assert len({vector["id"] for vector in VECTORS}) == len(VECTORS)


def too_large(parser: EventStreamParser, data: bytes) -> EventTooLarge:
    with pytest.raises(EventTooLarge) as caught:
        parser.feed(data)
    return caught.value


def data_of(events: Iterable[object]) -> list[str]:
    return [event.data for event in events if isinstance(event, ServerSentEvent)]


def test_feeding_a_closed_parser_is_the_callers_mistake() -> None:
    parser = EventStreamParser()
    parser.close()
    complaint = "^event stream: data was fed after the end; use a new parser for each response$"
    with pytest.raises(LocalProtocolError, match=complaint):
        parser.feed(b"data: 1\n\n")


def test_a_frame_after_the_end_is_not_parsed() -> None:
    parser = EventStreamParser()
    parser.feed(b"data: 1\n\n")
    parser.close()
    with pytest.raises(LocalProtocolError, match="data was fed after the end"):
        parser.feed(b"data: 2\n\n")


def test_a_byte_order_mark_behind_an_empty_chunk_and_a_frame_is_data() -> None:
    parser = EventStreamParser()
    chunks = [b"", b"data: 1\n\n", b"\xef\xbb\xbfdata: 2\n\n"]
    assert [data_of(parser.feed(chunk)) for chunk in chunks] == [[], ["1"], []]


def test_feeding_nothing_to_a_closed_parser_is_the_callers_mistake_too() -> None:
    parser = EventStreamParser()
    parser.feed(b"data: 1\n\n")
    parser.close()
    with pytest.raises(LocalProtocolError, match="data was fed after the end"):
        parser.feed(b"")


def test_closing_twice_is_closing_once() -> None:
    parser = EventStreamParser("a")
    parser.close()
    parser.close()
    assert parser.last_event_id == "a"


def test_closing_discards_the_unfinished_event_and_its_id() -> None:
    parser = EventStreamParser()
    parser.feed(b"id: 1\ndata: 1\n\nid: 2\ndata: 2\n")
    parser.close()
    assert parser.last_event_id == "1"


def test_a_carriage_return_dispatches_before_the_next_byte_arrives() -> None:
    parser = EventStreamParser()
    assert data_of(parser.feed(b"data: 1\r\r")) == ["1"]
    assert parser.feed(b"\n") == []
    assert data_of(parser.feed(b"data: 2\n\n")) == ["2"]


def test_an_empty_chunk_between_cr_and_lf_changes_nothing() -> None:
    parser = EventStreamParser()
    chunks = [b"data: 1\r", b"", b"\ndata: 2\n\n"]
    assert [data_of(parser.feed(chunk)) for chunk in chunks] == [[], [], ["1\n2"]]


def test_retry_acts_when_its_line_ends() -> None:
    parser = EventStreamParser()
    seen: list[int | None] = []
    for chunk in (b"retry: 5", b"0\n", b"data: x\nretry: 60", b"\n", b"retry: 70\n\0\n", b"\n"):
        parser.feed(chunk)
        seen.append(parser.retry)
    assert seen == [None, 50, 50, 60, 70, 70]


@pytest.mark.parametrize(
    ("digits", "milliseconds"),
    [
        ("0" * 5000, 0),
        ("0" * 5000 + "7", 7),
        (str(2**53 - 2), 2**53 - 2),
        (str(2**53 - 1), 2**53 - 1),
        (str(2**53), 2**53 - 1),
        ("1" + "0" * 5000, 2**53 - 1),
    ],
)
def test_a_retry_is_read_exactly_up_to_its_limit(digits: str, milliseconds: int) -> None:
    parser = EventStreamParser()
    parser.feed(f"retry: {digits}\n".encode())
    assert parser.retry == milliseconds


def test_the_cursor_moves_at_the_blank_line() -> None:
    parser = EventStreamParser("0")
    seen: list[str] = []
    for chunk in (b"id: 1\n", b"data: x", b"\n", b"\n", b"id\n", b"\n"):
        parser.feed(chunk)
        seen.append(parser.last_event_id)
    assert seen == ["0", "0", "0", "1", "1", ""]


@pytest.mark.parametrize(
    ("block", "has_id"),
    [
        (b"id: 1\nevent: e\ndata: x\n\n", True),
        (b"data: x\nid: 1\n\n", True),
        (b"id\ndata: x\n\n", True),
        (b"id: 1\nid: \0\ndata: x\n\n", True),
        (b"id: \0\nevent: e\ndata: x\n\n", False),
        (b"data: x\n\n", False),
        (b"event: e\ndata: x\n\n", False),
    ],
)
def test_an_event_knows_whether_its_own_block_had_an_id(block: bytes, *, has_id: bool) -> None:
    stream = b"id: 0\n\n" + block
    (whole,) = EventStreamParser().feed(stream)
    parser = EventStreamParser()
    parser.feed(b"id: 0\n\n")
    (alone,) = parser.feed(block)
    assert (whole.has_id, alone.has_id) == (has_id, has_id)


STREAM_TOO_LARGE = b"id: 1\ndata: 1\n\ndata: 2\n\nid: 3\ndata: 34567890\n\ndata: 4\n\n"


def test_an_event_too_large_says_the_bound() -> None:
    error = too_large(EventStreamParser(max_event_size=16), STREAM_TOO_LARGE)
    assert error.limit == 16
    assert "an event is larger than 16 bytes" in str(error)


def test_an_event_too_large_brings_the_events_completed_in_the_same_chunk() -> None:
    error = too_large(EventStreamParser(max_event_size=16), STREAM_TOO_LARGE)
    assert data_of(error.events) == ["1", "2"]


def test_an_event_too_large_brings_no_event_of_an_earlier_chunk() -> None:
    parser = EventStreamParser(max_event_size=16)
    assert data_of(parser.feed(STREAM_TOO_LARGE[:30])) == ["1", "2"]
    assert too_large(parser, STREAM_TOO_LARGE[30:]).events == ()


def test_an_event_too_large_leaves_the_cursor_at_the_last_blank_line() -> None:
    parser = EventStreamParser(max_event_size=16)
    too_large(parser, STREAM_TOO_LARGE)
    assert parser.last_event_id == "1"


def test_a_parser_that_met_its_bound_is_closed() -> None:
    parser = EventStreamParser(max_event_size=16)
    too_large(parser, STREAM_TOO_LARGE)
    with pytest.raises(LocalProtocolError, match="data was fed after the end"):
        parser.feed(b"data: 5\n\n")


def test_the_bound_holds_for_a_frame_that_arrives_alone() -> None:
    parser = EventStreamParser(max_event_size=16)
    assert data_of(parser.feed(b"\ndata: 1\n\n")) == ["1"]
    assert data_of(parser.feed(b"data: 234567890\n\n")) == ["234567890"]
    assert too_large(parser, b"data: 2345678901\n\n").limit == 16


def test_the_bound_holds_from_the_first_byte() -> None:
    assert too_large(EventStreamParser(max_event_size=1), b"ab").limit == 1


def test_a_bound_below_one_byte_is_refused() -> None:
    complaint = "^max_event_size: 0 is too small; use 1 or more$"
    with pytest.raises(ValueError, match=complaint):
        EventStreamParser(max_event_size=0)


def test_a_bound_smaller_than_a_bom_lets_a_bom_pass() -> None:
    parser = EventStreamParser(max_event_size=1)
    assert [parser.feed(chunk) for chunk in (b"\xef\xbb", b"\xbf", b"\n\n")] == [[], [], []]


def test_an_unfinished_event_costs_what_it_weighs() -> None:
    chunk = b"data: \xf0\x9f\x98\x80 and much that is not\n" * 1024
    bound = 64 * len(chunk)
    parser = EventStreamParser(max_event_size=bound)
    tracemalloc.start()
    try:
        for _ in range(64):
            parser.feed(chunk)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held < bound * 5 / 4  # a growing buffer is up to an eighth larger than what it holds


def test_a_line_that_looks_like_a_frame_everywhere_is_read_once() -> None:
    line = "id: " * 2**19  # read again at every "id: " this would take minutes
    stream = f"id: 1\nevent: x\n{line}\ndata: {line}\n\n".encode()
    events = EventStreamParser().feed(stream)
    assert [(event.type, event.data == line) for event in events] == [("x", True)]


def test_the_retries_of_an_unfinished_event_are_read_once() -> None:
    parser = EventStreamParser()
    for number in range(2**16):  # read again with every line this would take minutes
        parser.feed(f"retry: {number}\n".encode())
    assert parser.retry == 2**16 - 1


def test_a_long_line_in_single_bytes_is_read() -> None:
    stream = b"data: " + b"x" * 2**18 + b"\n\n"
    parser = EventStreamParser()
    events = [event for byte in stream for event in parser.feed(bytes([byte]))]
    assert [len(event.data) for event in events] == [2**18]


def test_a_buffer_may_be_reused_after_it_was_fed() -> None:
    parser = EventStreamParser()
    buffer = bytearray(b"\ndata: 1\n\ndata: 2")
    events = parser.feed(buffer)
    buffer[:] = b"?" * len(buffer)
    assert data_of([*events, *parser.feed(bytearray(b"\n\n"))]) == ["1", "2"]


def test_an_event_is_equal_by_what_it_says() -> None:
    event = ServerSentEvent(type="log", data="x", last_event_id="1")
    assert event == ServerSentEvent("log", "x", "1", has_id=True)
    assert hash(event) == hash(ServerSentEvent("log", "x", "1", has_id=True))
    assert event != ServerSentEvent("log", "y", "1")
    assert event != object()


PARSED_WAYS = [
    pytest.param([b"\n\n", b"id: 1\nevent: log\ndata: x\n\n"], id="alone"),
    pytest.param([b"id: 1\nevent: log\ndata: x\n\n"], id="in columns"),
    pytest.param([b"event: log\nid: 1\ndata: x\n\n"], id="by lines"),
]


def parsed(chunks: Iterable[bytes]) -> ServerSentEvent:
    parser = EventStreamParser()
    (event,) = (event for chunk in chunks for event in parser.feed(chunk))
    return event


@pytest.mark.parametrize("chunks", PARSED_WAYS)
def test_a_parsed_event_equals_one_made_by_hand(chunks: list[bytes]) -> None:
    event = parsed(chunks)
    assert type(event) is ServerSentEvent
    assert event == ServerSentEvent("log", "x", "1")
    assert {event: 1}[ServerSentEvent("log", "x", "1")] == 1


@pytest.mark.parametrize("chunks", PARSED_WAYS)
def test_a_parsed_event_survives_copying_and_pickling(chunks: list[bytes]) -> None:
    event = parsed(chunks)
    pickled = pickle.loads(pickle.dumps(event))  # noqa: S301 - our own bytes
    for copied in (copy.copy(event), copy.deepcopy(event), pickled):
        assert (copied, copied.has_id) == (event, True)


def test_an_event_shows_what_it_says() -> None:
    event = parsed([b"id: 1\ndata: x\n\n"])
    assert repr(event) == (
        "ServerSentEvent(type='message', data='x', last_event_id='1', has_id=True)"
    )


def test_an_event_has_no_dictionary() -> None:
    assert not hasattr(ServerSentEvent("log", "x", "1"), "__dict__")


@pytest.mark.parametrize(
    ("block", "encoded"),
    [
        (lambda: encode_event("x"), b"data: x\n\n"),
        (lambda: encode_event(""), b"data: \n\n"),
        (lambda: encode_event("a\nb\n"), b"data: a\ndata: b\ndata: \n\n"),
        (lambda: encode_event("x", type="log", id="1"), b"id: 1\nevent: log\ndata: x\n\n"),
        (lambda: encode_event("x", retry=0, comment="c\nd"), b": c\n: d\nretry: 0\ndata: x\n\n"),
        (lambda: encode_event(" x", id=""), b"id: \ndata:  x\n\n"),
        (lambda: encode_event(None, comment="ping"), b": ping\n\n"),
        (lambda: encode_event(None, comment=" a  b\n"), b":  a  b\n: \n\n"),
        (lambda: encode_event(None, id="7", retry=2), b"id: 7\nretry: 2\n\n"),
        (lambda: encode_event(None, retry=2**53 - 1), b"retry: 9007199254740991\n\n"),
    ],
)
def test_an_event_is_encoded_field_by_field(block: Callable[[], bytes], encoded: bytes) -> None:
    assert block() == encoded


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"id": "a\nb"}, r"id: '\\n' would not arrive as sent"),
        ({"id": "a\rb"}, r"id: '\\r' would not arrive as sent"),
        ({"id": "a\0b"}, r"id: '\\x00' would not arrive as sent"),
        ({"type": "a\nb"}, r"type: '\\n' would not arrive as sent"),
        ({"type": "a\rb"}, r"type: '\\r' would not arrive as sent"),
        ({"type": ""}, "type: '' has no effect here; pass data and a non-empty type$"),
        ({"comment": "a\rb"}, r"comment: '\\r' would not arrive as sent"),
        ({"data": "a\rb"}, r"data: '\\r' would not arrive as sent; leave it out$"),
        ({"data": "\ud800"}, "data: surrogates not allowed; an event stream must be valid UTF-8$"),
    ],
)
def test_what_would_come_back_changed_is_refused(fields: dict[str, str], complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{complaint}"):
        encode_event(
            fields.get("data", "x"),
            type=fields.get("type", "message"),
            id=fields.get("id"),
            comment=fields.get("comment"),
        )


def test_a_type_without_data_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^type: 'log' has no effect here"):
        encode_event(None, type="log")


@pytest.mark.parametrize("retry", [-1, 2**53])
def test_a_retry_out_of_range_is_refused(retry: int) -> None:
    with pytest.raises(
        ValueError, match=f"^retry: {retry} ms is out of range; use 0 to {2**53 - 1}$"
    ):
        encode_event("x", retry=retry)
