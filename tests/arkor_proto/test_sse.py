"""The event-stream parser and its encoder, case by case."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import NotRequired, TypeAlias, TypedDict

import pytest

from arkor_proto import EventStreamParser, EventTooLarge, ServerSentEvent

Chunk: TypeAlias = "str | dict[str, str | int] | list[Chunk]"
Outcome: TypeAlias = tuple[list[object], str, int | None, str | None]


class Expected(TypedDict):
    """What a vector expects; an event is its type, its data, its last event id."""

    events: list[tuple[str, str, str]]
    last_event_id: str
    retry: int | None
    error: NotRequired[str]


class Vector(TypedDict):
    """One stream, in the words that `about` in the file explains."""

    id: str
    source: str
    last_event_id: NotRequired[str]
    max_event_size: NotRequired[int]
    chunks: list[Chunk]
    expect: Expected


VECTORS: list[Vector] = json.loads(
    (Path(__file__).parents[2] / "spec" / "vectors" / "sse.json").read_text()
)["vectors"]


def as_bytes(chunk: Chunk) -> bytes:
    match chunk:
        case str():
            return chunk.encode()
        case {"hex": str(digits)}:
            return bytes.fromhex(digits)
        case {"repeat": str(text), "times": int(times)}:
            return text.encode() * times
        case list():
            return b"".join(map(as_bytes, chunk))
        case _:
            raise ValueError(f"chunk {chunk!r}: neither text, hex, repeat nor a list of those")


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
