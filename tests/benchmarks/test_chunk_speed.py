"""Benchmarks of reading a body of many small chunks, merged and unmerged."""

import h11
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from arkor_proto import Received, Request
from arkor_proto.transports._http import Conversation, new_connection
from tests.arkor_proto.transports.peer import chunk
from tests.benchmarks.workloads import log_frames

HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
REQUEST = Request("GET", "/", ((b"Host", b"x"),))
READ = 64 * 1024


def reads(first: int, size: int) -> list[bytes]:
    """Return the reads of a response: the head with `first` bytes of the body, then full reads."""
    body = b"".join(map(chunk, log_frames(size)))
    rest = body[first:]
    return [HEAD + body[:first], *(rest[at : at + READ] for at in range(0, len(rest), READ))]


@pytest.mark.parametrize("first", [0, 1, 3, 100], ids=lambda first: f"{first} bytes with the head")
def test_small_chunks_are_read_merged(benchmark: BenchmarkFixture, first: int) -> None:
    pieces = reads(first, 2**20 if benchmark.enabled else 4096)

    def read() -> int:
        conversation = Conversation(1, REQUEST)
        conversation.opening()
        reports = [each for piece in pieces for each in conversation.receive(piece)]
        return sum(len(each.data) for each in reports if isinstance(each, Received))

    assert benchmark(read) == sum(map(len, log_frames(2**20 if benchmark.enabled else 4096)))


def test_small_chunks_are_read_by_h11_alone(benchmark: BenchmarkFixture) -> None:
    """Read the same chunks without merging, for comparison."""
    pieces = reads(0, 2**20 if benchmark.enabled else 4096)

    def read() -> int:
        connection = new_connection()
        connection.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
        connection.send(h11.EndOfMessage())
        size = 0
        for piece in pieces:
            connection.receive_data(piece)
            while (event := connection.next_event()) is not h11.NEED_DATA:
                size += len(event.data) if isinstance(event, h11.Data) else 0
        return size

    assert benchmark(read) == sum(map(len, log_frames(2**20 if benchmark.enabled else 4096)))
