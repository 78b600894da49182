"""Merging chunks never changes what HTTP makes of a body, however it is cut, true or not."""

from itertools import pairwise

import h11
from hypothesis import given
from hypothesis import strategies as st

from arkor_proto import Broken, Finished, Received, Request, Responded
from arkor_proto.transports._chunks import ChunkMerger
from arkor_proto.transports._http import Conversation, new_connection
from tests.arkor_proto.transports.peer import LAST_CHUNK, chunk

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
REQUEST = Request("GET", "/", ((b"Host", b"x"),))

bodies = st.lists(st.binary(min_size=1, max_size=40).map(chunk), max_size=8).map(b"".join)
oddities = st.sampled_from(
    [
        LAST_CHUNK,
        b"",
        b"zz\r\n",
        b"3\r\nabcd\r\n",
        b"2;x=y\r\nab\r\n" + LAST_CHUNK,
        b"5\r\nab",
        b"a",
    ]
)
cuts = st.lists(st.integers(0, 300), max_size=12)


def by_h11_alone(data: bytes) -> tuple[bytes, bool]:
    """Return the body that h11 makes of a whole response, and whether it is whole."""
    connection = new_connection()
    connection.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    connection.receive_data(b"")
    body = b""
    try:
        while not isinstance(event := connection.next_event(), h11.EndOfMessage):
            body += event.data if isinstance(event, h11.Data) else b""
    except h11.RemoteProtocolError:
        return body, False
    return body, True


def by_conversation(pieces: list[bytes]) -> tuple[bytes, bool]:
    """Return the body that the conversation reports, and whether it is whole."""
    conversation = Conversation(1, REQUEST)
    conversation.opening()
    reports: list[Responded | Received | Finished | Broken] = []
    for piece in [*pieces, b""]:
        reports += [] if conversation.over else conversation.receive(piece)
    body = b"".join(bytes(report.data) for report in reports if isinstance(report, Received))
    assert isinstance(reports[-1], Finished | Broken)
    return body, isinstance(reports[-1], Finished)


def cut(data: bytes, at: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(place for place in at if place < len(data))})
    return [data[a:b] for a, b in pairwise(places)]


@given(body=bodies, odd=oddities, at=cuts)
def test_a_body_is_the_same_however_it_is_cut(body: bytes, odd: bytes, at: list[int]) -> None:
    response = HEAD + body + odd
    expected, expected_whole = by_h11_alone(response)
    found, whole = by_conversation(cut(response, at))
    assert whole is expected_whole
    assert found.startswith(expected) if not whole else found == expected


@given(body=bodies)
def test_a_body_is_the_same_byte_by_byte(body: bytes) -> None:
    response = HEAD + body + LAST_CHUNK
    assert by_conversation([response[i : i + 1] for i in range(len(response))]) == by_h11_alone(
        response
    )


@given(body=st.binary(min_size=2, max_size=40), size=st.integers(1, 39))
def test_no_byte_of_a_body_waits_for_the_rest_of_its_chunk(body: bytes, size: int) -> None:
    conversation = Conversation(1, REQUEST)
    conversation.opening()
    conversation.receive(HEAD)
    head = b"%x\r\n" % (len(body) + 1)
    reports = conversation.receive(chunk(b"first") + head + body[:size])
    assert b"".join(bytes(r.data) for r in reports if isinstance(r, Received)) == (
        b"first" + body[:size]
    )


@given(
    bodies=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=4), at=st.integers(0)
)
def test_chunks_are_merged_wherever_the_first_read_ends(bodies: list[bytes], at: int) -> None:
    first = b"".join(map(chunk, bodies))
    at %= len(first) + 1
    merger = ChunkMerger()
    merger.skip(first[:at])
    merger.feed(first[at:])
    assert merger.feed(chunk(b"a") + chunk(b"b") + chunk(b"c")) == chunk(b"abc")


@given(bodies=st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=4), at=cuts)
def test_chunks_are_merged_after_any_splits(bodies: list[bytes], at: list[int]) -> None:
    stream = b"".join(map(chunk, bodies))
    first, *others = cut(stream, at)
    merger = ChunkMerger()
    merger.skip(first)
    for piece in others:
        merger.feed(piece)
    assert merger.feed(chunk(b"a") + chunk(b"b") + chunk(b"c")) == chunk(b"abc")
