"""Measures what a frame costs each client from the socket to a callback, and judges our goals.

A process sends the same bytes to each reader in turn. Compare only ratios within one run. The time
is the CPU time of a reader's process, in the fastest of several rounds (for the paced stream, in
the median round).

Our goals are relative to `httpx + httpx-sse + json`: what a user would write to get each frame's
JSON in a callback, though as a plain dict, without a cursor or reconnects. `httpx + httpx-sse`
passes on the bare text. Raw reads do not parse at all: they show the speed of the sender.
"""

import asyncio
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from attrs import frozen

from tests.benchmarks.peers.goals import Verdict, at_least, at_most
from tests.benchmarks.peers.readers import (
    BLOCKING,
    NAIVE,
    OURS,
    QUICK,
    RAW,
    STRICT,
    TEXTS,
    follow,
    readers,
)
from tests.benchmarks.peers.workers import PeerFailed, Worker
from tests.benchmarks.stream_sender import Stream, sending

ROUNDS: Final = 5
STREAMS: Final = {
    "chunked": Stream("W2", 4 * 2**20),
    "replay": Stream("W1", 4 * 2**20),
    "paced": Stream("W2", 400_000, pause=0.0004),
}
TITLES: Final = {
    "chunked": "one frame per send",
    "replay": "64 KiB per send",
    "paced": "one frame every 0.4 ms",
}
IN_A_HURRY: Final = frozenset({RAW, QUICK, QUICK + BLOCKING, TEXTS, STRICT + BLOCKING})
"""The readers that skip the paced stream, which takes a second each time."""

FOLLOWERS: Final = 200
ONE_FOLLOWER: Final = Stream("W2", 40_000)


@frozen
class Goal:
    """A goal: `reader` needs at most 1 / `ratio` of the CPU time of `peer`."""

    stream: str
    reader: str
    ratio: float
    peer: str = NAIVE


GOALS: Final = (
    Goal("chunked", OURS, 2.8),
    Goal("replay", OURS, 1.4),
    Goal("replay", QUICK, 1.9),
    Goal("paced", OURS, 1.25),
    *(Goal(stream, STRICT, 0.9, OURS) for stream in STREAMS),
    Goal("chunked", OURS + BLOCKING, 2.0, NAIVE + BLOCKING),
    Goal("replay", OURS + BLOCKING, 1.0, NAIVE + BLOCKING),
    *(
        Goal(stream, STRICT + BLOCKING, 0.9, OURS + BLOCKING)
        for stream in STREAMS
        if stream != "paced"
    ),
)
GROWTH: Final = 2.2
"""The factor by which the CPU time may grow when the number of followers doubles."""


@frozen
class Pace:
    """The speed of a reader: frames per second, and CPU time per frame in microseconds."""

    rate: float
    cpu: float


@frozen
class Row:
    """The results for one stream: the speed of each reader, or what went wrong."""

    stream: str
    title: str
    paces: Mapping[str, Pace]
    problems: Mapping[str, str]


def client_workers() -> list[Worker]:
    """Return the installed clients; each process starts with its first command."""
    return [Worker.in_python("client", name) for name in readers()]


def measure(
    name: str, clients: Sequence[Worker], rounds: int = ROUNDS, size: int | None = None
) -> Row:
    """Let each client read one of the streams, in turns."""
    stream = STREAMS[name]
    stream = stream if size is None else Stream(stream.workload, size, stream.pause)
    frames = stream.events
    reading = [each for each in clients if not stream.pause or each.name not in IN_A_HURRY]
    spent: dict[str, list[tuple[float, float]]] = {}
    problems: dict[str, str] = {}
    with sending(stream) as url:
        for _ in range(rounds):
            for client in (each for each in reading if each.name not in problems):
                try:
                    took = _read(client, url, frames)
                except PeerFailed as failed:
                    problems[client.name] = str(failed)
                else:
                    spent.setdefault(client.name, []).append(took)
    # On a busy machine paced frames are joined, so the fastest round is not the best measure.
    best = statistics.median if stream.pause else min
    paces = {
        client: _pace(took, frames, best)
        for client, took in spent.items()
        if client not in problems
    }
    return Row(name, TITLES[name], paces, problems)


def _read(client: Worker, url: str, frames: int) -> tuple[float, float]:
    reply = client.ask(do="read", url=url)
    if reply["seen"] != frames and client.name != RAW:
        raise PeerFailed(f"finds {reply['seen']} of {frames} frames")
    return reply["wall"], reply["cpu"]


def _pace(
    took: Sequence[tuple[float, float]], frames: int, best: Callable[[list[float]], float]
) -> Pace:
    wall = statistics.median(each for each, _ in took)
    return Pace(frames / wall, best([each for _, each in took]) / frames * 1e6)


def judge(row: Row) -> Iterator[tuple[str, Verdict]]:
    """Yield each reader that has a goal for this stream, and the verdict."""
    for goal in (goal for goal in GOALS if goal.stream == row.stream):
        what = f"client, {row.stream}: CPU time of {goal.reader}"
        if absent := {goal.reader, goal.peer} - {*row.paces}:
            missing = f"no {', '.join(sorted(absent))}"
            yield goal.reader, Verdict(what, missing, f"≥ {goal.ratio:.3g}", met=False)
            continue
        ratio = row.paces[goal.peer].cpu / row.paces[goal.reader].cpu
        beside = "of the default" if goal.peer.startswith(OURS) else f"x {goal.peer}"
        yield goal.reader, at_least(what, ratio, goal.ratio, beside)


async def _follow_all(url: str, followers: int) -> None:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(followers):
            tasks.create_task(follow(url))


def growth(followers: int = FOLLOWERS, rounds: int = ROUNDS) -> tuple[float, float]:
    """Return the CPU seconds of these followers in one process, and the ratio for twice as many."""
    spent: dict[int, list[float]] = {followers: [], 2 * followers: []}
    with sending(ONE_FOLLOWER) as url:
        for _ in range(rounds):
            for count, took in spent.items():
                worked = time.process_time()
                asyncio.run(_follow_all(url, count))
                took.append(time.process_time() - worked)
    few, many = (min(took) for took in spent.values())
    return few, many / few


def judge_growth(times: float) -> Verdict:
    """Return the verdict on the cost of twice as many followers."""
    return at_most(f"client: twice {FOLLOWERS} followers", times, GROWTH, "x")
