"""How an input says in which chunks a stream arrives, and over how many connections.

An input is `PLAN|STREAM`. The first byte of the plan is a choice that the target makes something of.
The others are the lengths of the chunks, over and over: 0 is an empty chunk, and 255 ends the
connection. Without a plan the stream comes in large chunks, on one connection.
"""

from collections.abc import Iterator
from itertools import cycle
from typing import Final, TypeAlias

from attrs import frozen

from tests.arkor_proto.sse_vectors import as_bytes, load_vectors

Chunk: TypeAlias = bytes | bytearray | memoryview

RESET: Final = 255
_LARGE: Final = b"\xfe"
_MOST: Final = 64
"""After so many chunks the rest of the stream is the last one."""


@frozen
class Arrival:
    """A stream as it arrives: the chunks of each connection."""

    choice: int
    connections: list[list[Chunk]]


def arrival_of(data: bytes) -> Arrival:
    """Read an input."""
    plan, bar, stream = data.partition(b"|")
    if not bar:
        plan, stream = b"", data
    return Arrival(plan[0] if plan else 0, list(_connections(stream, plan[1:] or _LARGE)))


def _connections(stream: bytes, plan: bytes) -> Iterator[list[Chunk]]:
    chunks: list[Chunk] = []
    at = 0
    for number, size in enumerate(cycle(plan)):
        if at >= len(stream):
            break
        if number > _MOST:
            chunks.append(stream[at:])
            break
        if size == RESET:
            yield chunks
            chunks = []
        else:
            chunks.append(_typed(stream[at : at + size], number))
            at += size
    yield chunks


def _typed(chunk: bytes, number: int) -> Chunk:
    """Return a chunk as one of the types that the parser takes."""
    match number % 3:
        case 0:
            return chunk
        case 1:
            return bytearray(chunk)
        case _:
            return memoryview(chunk)


def vectors(longest: int) -> Iterator[list[bytes]]:
    """Yield the public streams in their own chunks, without those that are too long."""
    for vector in load_vectors():
        chunks = [as_bytes(chunk) for chunk in vector["chunks"]]
        if sum(map(len, chunks)) <= longest:
            yield chunks


def long_streams() -> Iterator[bytes]:
    """Yield streams that are long enough to be read by the shape of their blocks, or nearly."""
    blocks = (
        b"data: a\n\n",
        b"id: 1\nevent: e\ndata: a\n\n",
        b"data: a\nid: 2\n\n",
        b"event:e\r\ndata:a\r\n\r\n",
        b": ping\n\nid: 3\ndata: \xc3\xa9\n\n",
    )
    for number, block in enumerate(blocks):
        many = block * (1200 // len(block))
        yield many
        yield many + blocks[number - 1] + block
        yield many[:-1] + b"retry: 5\n" + many
    yield b"data: " + b"x" * 1100 + b"\n\n"
    yield b"x" * 1100 + b"\ndata: a\n\ndata: " + b"\xff" * 20 + b"\n\n"


def planned(choice: int, lengths: bytes, stream: bytes) -> bytes:
    """Write an input."""
    return bytes([choice]) + lengths + b"|" + stream
