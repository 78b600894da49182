"""Long streams whose blocks look alike, which are read by their shape, against the slow oracle."""

import tracemalloc
from collections.abc import Iterator
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from arkor_proto import EventStreamParser, EventTooLarge, ServerSentEvent
from tests.arkor_proto.sse_oracle import read

SHAPES = (
    ("id: {n}", "event: log", "data: {v}"),
    ("data: {v}",),
    ("id:{n}", "data:{v}"),
    ("event: e", "data: {v}", "id: {n}"),
    ("data: {v}", "data: {v}"),
    ("id: {n}", "data: {v}"),
    ("id: {n}", "event: log", "retry: {n}", "data: {v}"),
)
ODD = (
    *("id", "id:", "id:  {n}", "id: a\0b", "event: ", "event", "event: ping", "data", "data:  {v}"),
    *(": c", ":", "retry: {n}", "retry: x", "foo: bar", " data: x", "data: \u2028\x85"),
    *("data: " + "x" * 300, "data: " + "y" * 1500),
)
LINE_ENDS = ("\n",) * 12 + ("\r\n",) * 2 + ("\r",)


def block(random: Random, lines: tuple[str, ...], line_ends: tuple[str, ...] = LINE_ENDS) -> str:
    end = random.choice(line_ends)
    written = (line.format(n=random.randint(0, 99), v=random.random()) + end for line in lines)
    return "".join(written) + end


def blocks(random: Random) -> Iterator[str]:
    for _ in range(random.randint(1, 3)):
        shape = random.choice(SHAPES)
        for _ in range(random.randint(1, 60)):
            odd = tuple(random.choices(ODD, k=random.randint(0, 4)))
            yield block(random, odd if random.random() < 0.03 else shape)


def stream(random: Random) -> bytes:
    whole = bytearray("".join(blocks(random)).encode())
    for _ in range(random.choice((0, 0, 0, 3))):
        whole[random.randrange(len(whole))] = random.choice(b"\xff\xc3\n\r: \0")
    return bytes(whole)


def pieces(random: Random, data: bytes) -> list[bytes]:
    places = [random.randint(0, len(data)) for _ in range(random.choice((0, 1, 5, 100)))]
    if random.random() < 0.3:  # block by block, as from a live stream
        places = [at + 2 for at in range(len(data)) if data[at : at + 2] == b"\n\n"]
    return [data[a:b] for a, b in pairwise(sorted({0, len(data), *places}))]


@given(random=st.randoms(use_true_random=False), limit=st.sampled_from((2**23, 2**23, 300, 2000)))
def test_a_stream_of_few_shapes_is_read_as_the_standard_says(random: Random, limit: int) -> None:
    data = stream(random)
    expected = read(data, last_event_id="seed", max_event_size=limit)
    parser, events, too_large = EventStreamParser("seed", limit), list[ServerSentEvent](), False
    for piece in pieces(random, data):
        try:
            events += parser.feed(piece)
        except EventTooLarge as error:
            events += error.events
            too_large = True
            break
    assert too_large == expected.too_large
    assert [(e.type, e.data, e.last_event_id, e.has_id) for e in events] == [
        (e.type, e.data, e.last_event_id, e.has_id) for e in expected.events
    ]
    if not too_large:
        assert (parser.last_event_id, parser.retry) == (expected.last_event_id, expected.retry)


@pytest.mark.parametrize(
    "shape", [*SHAPES, ("data: {v}", "id: {n}"), (": c", "data: {v}")], ids="|".join
)
def test_a_hundred_blocks_of_a_shape_are_read_as_the_standard_says(shape: tuple[str, ...]) -> None:
    random = Random(7)  # noqa: S311 - the same blocks every time
    data = "".join(block(random, shape, ("\n",)) for _ in range(100)).encode()
    expected = [(e.type, e.data, e.last_event_id, e.has_id) for e in read(data).events]
    for chunks in ([data], [part + b"\n\n" for part in data.split(b"\n\n")[:-1]]):
        parser = EventStreamParser()
        events = [event for chunk in chunks for event in parser.feed(chunk)]
        assert [(e.type, e.data, e.last_event_id, e.has_id) for e in events] == expected


def test_what_a_stream_looked_like_is_forgotten_with_its_parser() -> None:
    """Each of these streams begins with a block of another length, so of another shape."""
    tracemalloc.start()
    try:
        for lines in range(1, 500):
            EventStreamParser().feed(b"data: x\nid: 1\n" * lines + b"\n")
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after < 1_000_000
