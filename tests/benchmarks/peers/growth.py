"""Measures how the time and memory of each peer grow with the stream, along several axes.

A peer reads streams that double in size until one takes too long. `fitting.py` computes the
exponents; one above 1 means that a long stream, or one long event, can bring its reader to a halt.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Literal, TypeAlias

from attrs import frozen

from tests.benchmarks.peers import chunk_file
from tests.benchmarks.peers.fitting import Growth, fitted
from tests.benchmarks.peers.workers import PeerFailed, Worker
from tests.benchmarks.stream_sender import Stream, sending
from tests.benchmarks.workloads import NETWORK_READ, log_frames

Cost: TypeAlias = Literal["time", "memory"]
Costing: TypeAlias = Callable[[Sequence[bytes]], float]
ROUNDS: Final = 3
ENOUGH: Final = 0.5
"""If a stream takes longer than this, in seconds, no larger one is read."""
_SMALL: Final = 64


@frozen
class Axis:
    """A dimension in which a stream grows, and a function that builds a stream of each size."""

    name: str
    title: str
    build: Callable[[int], Sequence[bytes]]
    sizes: tuple[int, ...]


@frozen
class Curve:
    """The growth of one cost of one peer along one axis; None if it could not be fitted."""

    axis: str
    title: str
    name: str
    cost: Cost
    growth: Growth | None
    problem: str = ""


def cut(stream: bytes, size: int) -> list[bytes]:
    """Cut a stream into chunks of this size."""
    return [stream[start : start + size] for start in range(0, len(stream), size)]


def _line(size: int) -> bytes:
    return b"data: " + b"x" * size + b"\n\n"


def _frames(count: int) -> bytes:
    return b"".join(log_frames(200 * count))


def _powers(first: int, last: int) -> tuple[int, ...]:
    return tuple(2**power for power in range(first, last + 1))


_IN_CHUNKS: Final = _frames(656)[: 2**17]
AXES: Final = (
    Axis(
        "line length",
        "bytes of one data line, in chunks of 4 KiB",
        lambda n: cut(_line(n), 4096),
        _powers(17, 24),
    ),
    Axis(
        "line in small chunks",
        "bytes of one data line, in chunks of 64 bytes",
        lambda n: cut(_line(n), _SMALL),
        _powers(14, 20),
    ),
    Axis(
        "data lines",
        "lines of 32 bytes in one event",
        lambda n: cut(b"data: abcdefghijklmnopqrstuvwxy\n" * n + b"\n", NETWORK_READ),
        _powers(10, 16),
    ),
    Axis(
        "chunks",
        "chunks into which the same 128 KiB are split",
        lambda n: cut(_IN_CHUNKS, len(_IN_CHUNKS) // n),
        _powers(9, 17),
    ),
    Axis(
        "events",
        "events of 200 bytes, in chunks of 64 KiB",
        lambda n: cut(_frames(n), NETWORK_READ),
        _powers(9, 15),
    ),
    Axis(
        "backlog", "events of 200 bytes, all in one chunk", lambda n: [_frames(n)], _powers(9, 15)
    ),
)
REPLAYS: Final = _powers(11, 14)
"""The numbers of events that wait in the socket when a client begins to read."""


def grown(axis: Axis, costing: Costing, enough: float = ENOUGH, rounds: int = 1) -> Growth | None:
    """Measure streams of growing size until one costs more than `enough`, and fit the costs.

    The lowest of several rounds counts. A round measures every size, so that a period when the
    machine is busy does not raise the cost of a single size.
    """
    streams: dict[int, Sequence[bytes]] = {}
    costs: dict[int, float] = {}
    for size in axis.sizes:
        streams[size] = axis.build(size)
        costs[size] = costing(streams[size])
        if costs[size] > enough:
            break
    for _ in range(rounds - 1):
        for size, cost in costs.items():
            if cost <= enough:
                costs[size] = min(cost, costing(streams[size]))
    return fitted([*costs.items()])


def curves_of_parser(parser: Worker, axes: Sequence[Axis], rounds: int) -> Iterator[Curve]:
    """Measure one parser along every axis."""
    if parser.hello()["counts_memory"]:  # a worker in Python
        parser.ask(do="settle")
    with TemporaryDirectory() as folder:
        for axis in axes:
            yield from _curves_along(axis, parser, Path(folder), rounds)


def _curves_along(axis: Axis, parser: Worker, folder: Path, rounds: int) -> Iterator[Curve]:
    # One file for each size, because a worker keeps the last stream by the name of its file.
    def stored(chunks: Sequence[bytes]) -> str:
        path = folder / f"{axis.name} {len(chunks)} {sum(map(len, chunks))}"
        if not path.exists():
            chunk_file.write(path, chunks)
        return str(path)

    def seconds(chunks: Sequence[bytes]) -> float:
        path = stored(chunks)
        cold = parser.ask(do="read", path=path)["seconds"]
        return cold if cold > ENOUGH else min(cold, parser.ask(do="read", path=path)["seconds"])

    time = _curve(axis, parser.name, "time", seconds, rounds=rounds)
    yield time
    if time.growth is None or not parser.hello()["counts_memory"]:
        return
    # Counting allocations takes several times as long, so the slow sizes are left out.
    sizes = tuple(size for size, took in time.growth.points if took <= ENOUGH / 2)
    shorter = Axis(axis.name, axis.title, axis.build, sizes)

    def peak(chunks: Sequence[bytes]) -> float:
        return parser.ask(do="peak", path=stored(chunks))["bytes"]

    yield _curve(shorter, parser.name, "memory", peak, enough=float("inf"))


def _curve(
    axis: Axis, name: str, cost: Cost, costing: Costing, *, enough: float = ENOUGH, rounds: int = 1
) -> Curve:
    try:
        growth = grown(axis, costing, enough, rounds)
    except PeerFailed as failed:
        return Curve(axis.name, axis.title, name, cost, None, str(failed))
    problem = "" if growth else "too slow for three sizes"
    return Curve(axis.name, axis.title, name, cost, growth, problem)


def curves_of_clients(clients: Sequence[Worker], sizes: Sequence[int], rounds: int) -> list[Curve]:
    """Measure clients that replay a backlog: all its events wait in the socket."""
    points: dict[tuple[str, Cost], list[tuple[int, float]]] = {}
    problems: dict[str, str] = {}
    for size in sizes:
        with sending(Stream("W1", 200 * size)) as url:
            for client in (each for each in clients if each.name not in problems):
                try:
                    best = min(client.ask(do="read", url=url)["cpu"] for _ in range(rounds))
                    peak = client.ask(do="peak", url=url)["bytes"]
                except PeerFailed as failed:
                    problems[client.name] = str(failed)
                    continue
                points.setdefault((client.name, "time"), []).append((size, best))
                points.setdefault((client.name, "memory"), []).append((size, peak))
                if best > ENOUGH:
                    problems[client.name] = ""
    title = "events of 200 bytes that wait in the socket"
    return [
        Curve("replay", title, name, cost, fitted(found), problems.get(name, ""))
        for (name, cost), found in points.items()
    ]
