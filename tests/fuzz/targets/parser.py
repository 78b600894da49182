"""The parser: any bytes, whole and byte by byte, against the slow one, and the encoder back."""

from collections.abc import Iterator
from typing import Final

from arkor_proto import encode_event
from tests.arkor_proto.sse_oracle import Dispatched, read
from tests.fuzz.targets import reading
from tests.fuzz.targets.plan import long_streams, vectors

TOKENS: Final = reading.TOKENS
LONGEST: Final = 4096
"""Bytes of the longest input."""


def target(data: bytes) -> None:
    """Read `data` as a stream; raise AssertionError where the two parsers differ."""
    plain = read(data)
    half = len(data) // 2
    reading.agree(reading.parse([data]), plain, "whole")
    reading.agree(reading.parse([data[:half], data[half:]]), plain, "in two halves")
    reading.agree(reading.parse(data[at : at + 1] for at in range(len(data))), plain, "bytewise")
    for event in plain.events:
        _survives(event)


def _survives(event: Dispatched) -> None:
    """Check that an event, encoded, is read as it was."""
    identifier = event.last_event_id if event.has_id else None
    encoded = encode_event(event.data, type=event.type, id=identifier)
    expected = [Dispatched(event.type, event.data, identifier or "", event.has_id)]
    found = reading.parse([encoded]).events
    assert found == expected, f"{event} was written as {encoded!r} and read as {found}"


def seeds() -> Iterator[bytes]:
    """Yield the streams of the vectors, and long ones."""
    for chunks in vectors(LONGEST):
        yield b"".join(chunks)
    yield from long_streams()
