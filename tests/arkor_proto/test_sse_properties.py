"""What holds for every event stream, however it is cut: against an oracle written apart."""

from collections.abc import Iterable
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from arkor_proto import EventStreamParser, EventTooLarge, ServerSentEvent, encode_event
from tests.arkor_proto.sse_oracle import Dispatched, Reading, read

ODD_TEXT = st.text(st.sampled_from("ab: \t\0\u0085\u2028\ufeff€😀\x0b\x0cdtaie"), max_size=8)
PLAIN_TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=12)
LINE_ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
NAMES = st.sampled_from(
    ["data", "event", "id", "retry", "", "foo", "Data", " data", "data ", "\0data", "dat", "datax"]
)
SEPARATORS = st.sampled_from([":", ": ", ":  ", ":\t", "", " "])
RETRIES = st.sampled_from(
    ["0", "7", "03000", "-5", "+5", "1_000", "٣", "5 ", "", "9" * 20, "1" * 5000]
)
INVALID = st.sampled_from(
    [b"\xff", b"\x80", b"\xc3", b"\xe2\x82", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xc0\xaf"]
)


@st.composite
def odd_lines(draw: st.DrawFn) -> bytes:
    """Draw one line, its end included: every field, every mistake."""
    name = draw(NAMES)
    value = draw(RETRIES if name == "retry" else ODD_TEXT)
    line = (name + draw(SEPARATORS) + value).encode()
    if draw(st.booleans()):
        cut = draw(st.integers(0, len(line)))
        line = line[:cut] + draw(INVALID) + line[cut:]
    return line + draw(LINE_ENDS)


@st.composite
def usual_frames(draw: st.DrawFn) -> bytes:
    """Draw a frame as servers send them, now and then with a surprise."""
    end = draw(st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\r"]))
    text = st.one_of(PLAIN_TEXT, ODD_TEXT)
    form = draw(st.sampled_from(["full", "full", "data", "data", "id", "two", "other", "comment"]))
    fields = {
        "full": ["id", "event", "data"],
        "data": ["data"],
        "id": ["id", "data"],
        "two": ["data", "data"],
        "other": ["event", "data", "id"],
        "comment": ["", "id", "event", "data"],
    }[form]
    lines = [f"{name}: {draw(text)}".encode() for name in fields]
    return b"".join(line + end for line in [*lines, b""])


PIECES = st.one_of(
    odd_lines(),
    usual_frames(),
    usual_frames(),
    st.sampled_from([b"\n", b"\n\n", b"\r\n\r\n", b"\r\r", b": keep-alive\n\n", b"\xef\xbb\xbf"]),
    st.binary(max_size=6),
)
STREAMS = st.lists(PIECES, max_size=14).map(b"".join)
FRAME_RUNS = st.lists(usual_frames(), max_size=8).map(b"".join)


@st.composite
def chunked(draw: st.DrawFn, streams: st.SearchStrategy[bytes]) -> list[bytes]:
    stream = draw(streams)
    cuts = draw(st.lists(st.integers(0, len(stream)), max_size=10))
    return [stream[start:stop] for start, stop in pairwise([0, *sorted(cuts), len(stream)])]


LIVE_STREAMS = st.lists(st.one_of(usual_frames(), usual_frames(), odd_lines()), max_size=8)


def parse(chunks: Iterable[bytes], *, cursor: str = "", bound: int = 8 * 2**20) -> Reading:
    """Parse chunks into the oracle's own terms."""
    parser = EventStreamParser(cursor, bound)
    events: list[object] = []
    too_large = False
    try:
        for chunk in chunks:
            events += parser.feed(chunk)
    except EventTooLarge as error:
        events += error.events
        too_large = True
    parser.close()
    return Reading(
        parser.last_event_id, parser.retry, [dispatched(event) for event in events], too_large
    )


def dispatched(event: object) -> Dispatched:
    assert isinstance(event, ServerSentEvent)
    return Dispatched(event.type, event.data, event.last_event_id, event.has_id)


def bytewise(stream: bytes) -> list[bytes]:
    return [stream[at : at + 1] for at in range(len(stream))]


@given(chunks=chunked(STREAMS), cursor=st.sampled_from(["", "seed"]))
@example(chunks=[b": \n", b"data: a\r", b"\n\r", b"\ndata: b\n\n"], cursor="")
@example(chunks=[b"data: a\n\n", b"id: \0\nevent: x\ndata: b\n\n"], cursor="")
@example(chunks=[b"ID: 1\nEVENT: e\nDATA: a\ndata: b\n\n"], cursor="")
@example(chunks=[b"x: data: \nx: id: \nx: event: \ndata: a\n\n"], cursor="")
@example(chunks=[b"\n\n", b"id: \nevent: \ndata: \n\n", b"data: \n\n"], cursor="seed")
@example(
    chunks=[b"\n\n", b"data: a\rdata: b\n\n", b"id: 1\nevent: e\rid: 2\ndata: c\n\n"], cursor=""
)
def test_a_stream_in_chunks_reads_as_the_oracle_reads_it_whole(
    chunks: list[bytes], cursor: str
) -> None:
    assert parse(chunks, cursor=cursor) == read(b"".join(chunks), last_event_id=cursor)


@given(chunks=chunked(FRAME_RUNS))
@example(chunks=[b"id: 1\nevent: a\ndata: x\n\n: c\n\n: c\nid: 2\nevent: b\ndata: y\n\n: d\n\n"])
@example(chunks=[b"id: 1\nevent: a\ndata: x\ndata: z\n\nid: 2\nevent: b\ndata: y\n\n"])
@example(chunks=[b"retry: 1\nid: 1\nevent: a\ndata: x\n\nid: 2\nevent: b\ndata: y\n\nid: 3\n\n"])
@example(chunks=[b": id: 1\nevent: a\ndata: x\n\n", b"data: id: 1\nevent: a\ndata: x\n\n"])
@example(chunks=[b"data: x\n\n\ndata: y\n\n", b"data: x\n\ndata: y\n\n", b"data: x\ndata: y\n\n"])
def test_frames_of_the_usual_forms_read_as_the_oracle_reads_them(chunks: list[bytes]) -> None:
    assert parse(chunks) == read(b"".join(chunks))


@given(chunks=LIVE_STREAMS)
@example(chunks=[b"\n", b"id: 1\nevent: a\ndata: x\ndata: y\n", b"\n"])
@example(chunks=[b"\n", b"id: 1\nevent: a\ndata: x\n\nid", b": 2\n\n"])
@example(chunks=[b"\n", b"data: x\ndata: y\n", b"\n"])
@example(chunks=[b"\n", b"data: x\n\nda", b"ta: y\n\n"])
@example(chunks=[b"\n", b"id: 1\nevent: a\ndata: \xe2\x82\n\n", b"data: \xff\n\n"])
def test_a_live_stream_of_one_frame_a_chunk_reads_as_the_oracle_reads_it(
    chunks: list[bytes],
) -> None:
    assert parse(chunks) == read(b"".join(chunks))


@pytest.mark.parametrize(
    "field", ["data: ", "data:", "DATA: ", "event: e\ndata: ", "id: 1\ndata: "]
)
@pytest.mark.parametrize("before", ["", "\n", "\n\n", ": c\n", "id: 2\n\n\n"])
@pytest.mark.parametrize("after", ["", "\n", ": c\n\n", "id: 3\n\n", "data: y\n\n"])
def test_a_long_line_reads_as_the_oracle_reads_it(field: str, before: str, after: str) -> None:
    stream = f"{before}{field}{'x' * 3000}\n\n{after}".encode()
    assert parse([stream], cursor="seed") == read(stream, last_event_id="seed")


def test_many_blocks_of_another_field_are_no_events() -> None:
    stream = b"data: x\n\n" + b"DATA: y\n\n" * 200
    assert parse([stream]) == read(stream)


@given(stream=STREAMS)
def test_a_stream_reads_the_same_whole_and_byte_by_byte(stream: bytes) -> None:
    assert parse([stream]) == parse(bytewise(stream))


@given(chunks=chunked(STREAMS), bound=st.integers(2, 60))
@example(chunks=[b"retry: 1\n", b"retry: 2"], bound=9)
def test_an_event_over_the_bound_ends_every_chunking_alike(chunks: list[bytes], bound: int) -> None:
    stream = b"".join(chunks)
    expected = read(stream, max_event_size=bound)
    assert parse(chunks, bound=bound) == expected
    assert parse(bytewise(stream), bound=bound) == expected


@given(stream=STREAMS, seed=st.text(max_size=3))
def test_the_end_of_the_stream_adds_nothing(stream: bytes, seed: str) -> None:
    parser = EventStreamParser(seed)
    parser.feed(stream)
    before = (parser.last_event_id, parser.retry)
    parser.close()
    assert (parser.last_event_id, parser.retry) == before


LINE = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"))
IDS = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"))
DATA = st.text(st.characters(codec="utf-8", exclude_characters="\r"))


@given(
    data=DATA,
    type_=LINE.filter(bool),
    id_=st.none() | IDS,
    retry=st.none() | st.integers(0, 2**53 - 1),
    comment=st.none() | DATA,
)
@example(data="", type_="message", id_="", retry=0, comment="")
@example(data="\n", type_=" x", id_=" x", retry=None, comment="\ndata: no")
def test_what_is_encoded_parses_back(
    data: str, type_: str, id_: str | None, retry: int | None, comment: str | None
) -> None:
    parser = EventStreamParser("before")
    block = encode_event(data, type=type_, id=id_, retry=retry, comment=comment)
    cursor = "before" if id_ is None else id_
    assert list(map(dispatched, parser.feed(block))) == [
        Dispatched(type_, data, cursor, id_ is not None)
    ]
    assert (parser.last_event_id, parser.retry) == (cursor, retry)


@given(id_=st.none() | IDS, retry=st.none() | st.integers(0, 2**53 - 1), comment=st.none() | DATA)
def test_a_block_without_data_moves_the_cursor_and_dispatches_nothing(
    id_: str | None, retry: int | None, comment: str | None
) -> None:
    parser = EventStreamParser("before")
    assert parser.feed(encode_event(None, id=id_, retry=retry, comment=comment)) == []
    assert (parser.last_event_id, parser.retry) == ("before" if id_ is None else id_, retry)


@given(events=st.lists(st.tuples(DATA, LINE.filter(bool), st.none() | IDS), max_size=6))
def test_encoded_events_one_after_the_other_stay_apart(
    events: list[tuple[str, str, str | None]],
) -> None:
    stream = b"".join(encode_event(data, type=kind, id=id_) for data, kind, id_ in events)
    parsed = EventStreamParser().feed(stream)
    assert [(event.data, event.type, event.has_id) for event in parsed] == [
        (data, kind, id_ is not None) for data, kind, id_ in events
    ]
