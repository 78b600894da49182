"""Frames per second from the socket to an awaited callback, beside other clients.

`python -m tests.benchmarks.client` prints one Markdown table. A child process sends the same bytes
to each reader in turn; the readers are interleaved, and only ratios of medians are worth reading,
on a busy machine only those of the reader's own CPU time, that of all its threads. Blocking readers
are compared with each other.
It installs nothing: a peer that is not there is left out.

`httpx + httpx-sse + json` is what to compare with: what its user would write to have each frame's
JSON awaited, though as a plain dict, without a cursor kept or a reconnect. `httpx + httpx-sse`
hands on the bare text. Raw reads look at nothing at all: they are what the sender can do.
"""

import asyncio
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Final, TypeAlias

from attrs import frozen

from arkor_proto import TrainingLog
from arkor_proto.transports import blocking
from arkor_proto.transports.anyio import ArkorClient, Callbacks
from tests.benchmarks.workloads import Workload, workloads

ROUNDS: Final = 7
SIZE: Final = 4 * 2**20
HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
END: Final = b'id: end\ndata: {"type":"training.completed"}\n\n'
OURS: Final = "arkor-proto"
BLOCKING: Final = " (blocking)"
CHUNKINGS: Final = {"W2": "one frame a send", "W1": "64 KiB a send"}

Reader: TypeAlias = Callable[[str, int], Awaitable[int]]
"""Reads the stream at a port whole; returns how many frames it saw, or bytes if it only reads."""


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def send_forever(name: str) -> None:
    """Answer every connection with the workload `name`; print the port first."""
    chunks = [chunk(piece) for piece in _workload(name).chunks]
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        while True:
            accepted, _ = listener.accept()
            with accepted:
                accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                accepted.recv(65_536)
                accepted.sendall(HEAD)
                for piece in chunks:
                    accepted.sendall(piece)
                accepted.sendall(chunk(END) + b"0\r\n\r\n")
                accepted.shutdown(socket.SHUT_WR)
                accepted.recv(65_536)


async def with_arkor(host: str, port: int) -> int:
    """Read with the client under test, each frame to an awaited callback."""
    seen = 0

    async def hear(_: TrainingLog) -> None:
        nonlocal seen
        seen += 1

    async with ArkorClient(f"http://{host}:{port}", token="t") as client:
        await client.attach("j", callbacks=Callbacks(on_log=hear)).wait()
    return seen


async def with_blocking_arkor(host: str, port: int) -> int:
    """Read with the blocking client, each frame to a callback."""
    seen = 0

    def hear(_: TrainingLog) -> None:
        nonlocal seen
        seen += 1

    with blocking.ArkorClient(f"http://{host}:{port}", token="t") as client:
        client.attach("j", callbacks=blocking.Callbacks(on_log=hear)).wait()
    return seen


async def with_blocking_httpx_and_json(host: str, port: int) -> int:
    """Read with httpx and httpx-sse, blocking, each frame's JSON to a callback."""
    httpx = import_module("httpx")
    httpx_sse = import_module("httpx_sse")
    seen = 0

    def hear(data: object) -> None:
        nonlocal seen
        seen += data is not None

    with (
        httpx.Client() as client,
        httpx_sse.connect_sse(client, "GET", f"http://{host}:{port}/") as source,
    ):
        for event in source.iter_sse():
            data = json.loads(event.data)
            if event.id == "end":
                break
            hear(data)
    return seen


async def with_httpx_and_json(host: str, port: int) -> int:
    """Read with httpx and httpx-sse, each frame's JSON to an awaited callback."""
    return await _with_httpx(host, port, json.loads)


async def with_httpx(host: str, port: int) -> int:
    """Read with httpx and httpx-sse, each frame's bare text to an awaited callback."""
    return await _with_httpx(host, port, str)


async def _with_httpx(host: str, port: int, decode: Callable[[str], object]) -> int:
    # A peer may be absent, and then the types that it would bring are as well.
    httpx = import_module("httpx")
    httpx_sse = import_module("httpx_sse")
    seen = 0

    async def hear(data: object) -> None:
        nonlocal seen
        seen += data is not None

    async with (
        httpx.AsyncClient() as client,
        httpx_sse.aconnect_sse(client, "GET", f"http://{host}:{port}/") as source,
    ):
        async for event in source.aiter_sse():
            data = decode(event.data)
            if event.id == "end":
                break
            await hear(data)
    return seen


async def with_raw_reads(host: str, port: int) -> int:
    """Read the same bytes and look at none of them."""
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET / HTTP/1.1\r\n\r\n")
    size = 0
    while data := await reader.read(65_536):
        size += len(data)
    writer.close()
    await writer.wait_closed()
    return size


def readers() -> dict[str, Reader]:
    """Return who can take part here, by name."""
    found: dict[str, Reader] = {
        "raw reads": with_raw_reads,
        OURS: with_arkor,
        OURS + BLOCKING: with_blocking_arkor,
    }
    if find_spec("httpx") and find_spec("httpx_sse"):
        found["httpx + httpx-sse + json"] = with_httpx_and_json
        found["httpx + httpx-sse"] = with_httpx
        found["httpx + httpx-sse + json" + BLOCKING] = with_blocking_httpx_and_json
    return found


@frozen
class Pace:
    """How fast a reader was: frames a second, and its own microseconds of CPU time for each."""

    rate: float
    cpu: float


def measure(name: str, rounds: int = ROUNDS) -> dict[str, Pace]:
    """Return the medians of every reader on one workload."""
    expected = _workload(name).events
    command = [sys.executable, "-m", "tests.benchmarks.client", name]
    spent: dict[str, list[tuple[float, float]]] = {reader: [] for reader in readers()}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sender:
        try:
            assert sender.stdout is not None  # asked for above
            port = int(sender.stdout.readline())
            for _ in range(rounds):
                for reader, read in readers().items():
                    began, worked = time.perf_counter(), time.process_time()
                    seen = asyncio.run(_whole(read, port))
                    took = time.perf_counter() - began, time.process_time() - worked
                    spent[reader].append(took)
                    if seen != expected and read is not with_raw_reads:
                        raise RuntimeError(f"{reader}: {seen} frames, expected {expected}")
        finally:
            sender.kill()
    return {reader: _pace(took, expected) for reader, took in spent.items()}


def _pace(took: list[tuple[float, float]], frames: int) -> Pace:
    wall, cpu = (statistics.median(each) for each in zip(*took, strict=True))
    return Pace(frames / wall, cpu / frames * 1e6)


async def _whole(read: Reader, port: int) -> int:
    return await read("127.0.0.1", port)


def _workload(name: str) -> Workload:
    return next(each for each in workloads(SIZE) if each.name == name)


def table() -> str:
    """Measure everything and return the table."""
    lines = [
        "| workload | reader | frames/s | arkor-proto is | CPU µs a frame | arkor-proto is |",
        "|---|---|--:|--:|--:|--:|",
    ]
    for name, title in CHUNKINGS.items():
        paces = measure(name)
        for reader, pace in paces.items():
            ours = paces[OURS + BLOCKING if reader.endswith(BLOCKING) else OURS]
            lines.append(
                f"| {title} | {reader} | {pace.rate:,.0f} | {ours.rate / pace.rate:.2f} times"
                f" | {pace.cpu:.2f} | {pace.cpu / ours.cpu:.2f} times |"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        send_forever(sys.argv[1])
    else:
        sys.stdout.write(table() + "\n")
