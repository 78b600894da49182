"""What a frame costs from the socket to a callback, beside other clients.

`python -m tests.benchmarks.client` prints one Markdown table, with the goals beside our figures.
A child process sends the same bytes to each reader in turn. Only ratios within one run are worth
reading: those of the CPU time that a reader's process needs, in the fastest of several rounds (the
median, for the paced stream). It installs nothing: a peer that is not there is left out. `--check`
exits 1 if a goal is missed or cannot be measured.

`httpx + httpx-sse + json` is what to compare with, of the same kind: what its user would write to
have each frame's JSON in a callback, though as a plain dict, without a cursor kept or a reconnect.
`httpx + httpx-sse` hands on the bare text. Raw reads look at nothing at all: they are what the
sender can do.
"""

import argparse
import asyncio
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from attrs import frozen

from tests.benchmarks.client_readers import (
    BLOCKING,
    NAIVE,
    NEWER,
    OURS,
    QUICK,
    RAW,
    STRICT,
    follow,
    readers,
)
from tests.benchmarks.stream_sender import Stream, sending

ROUNDS: Final = 7
STREAMS: Final = {
    "chunked": Stream("W2", 4 * 2**20),
    "replay": Stream("W1", 4 * 2**20),
    "paced": Stream("W2", 400_000, pause=0.0004),
}
TITLES: Final = {
    "chunked": "one frame a send",
    "replay": "64 KiB a send",
    "paced": "a frame every 0.4 ms",
}
IN_NO_HURRY: Final = frozenset({OURS, STRICT, NAIVE, NEWER})
"""Those who read the paced stream, which takes a second each time."""

FOLLOWERS: Final = 200
ONE_FOLLOWER: Final = Stream("W2", 40_000)


@frozen
class Goal:
    """To need at most the part 1 / `ratio` of the CPU time of another reader."""

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
"""What twice the followers may cost."""


@frozen
class Pace:
    """How fast a reader was: frames a second, and its own microseconds of CPU time for each."""

    rate: float
    cpu: float


def measure(name: str, rounds: int = ROUNDS, size: int | None = None) -> dict[str, Pace]:
    """Let everyone read one of the streams, in turns; return how fast each of them was."""
    stream = STREAMS[name]
    stream = stream if size is None else Stream(stream.workload, size, stream.pause)
    frames = stream.events
    reading = {
        reader: read
        for reader, read in readers().items()
        if not stream.pause or reader in IN_NO_HURRY
    }
    spent: dict[str, list[tuple[float, float]]] = {reader: [] for reader in reading}
    with sending(stream) as url:
        for _ in range(rounds):
            for reader, read in reading.items():
                began, worked = time.perf_counter(), time.process_time()
                seen = read(url)
                took = time.perf_counter() - began, time.process_time() - worked
                spent[reader].append(took)
                if seen != frames and reader != RAW:
                    raise RuntimeError(f"{reader}: {seen} frames, expected {frames}")
    # Where paced frames are joined because the machine is busy, the fastest round says least.
    best = statistics.median if stream.pause else min
    return {reader: _pace(took, frames, best) for reader, took in spent.items()}


def _pace(
    took: Sequence[tuple[float, float]], frames: int, best: Callable[[list[float]], float]
) -> Pace:
    wall = statistics.median(each for each, _ in took)
    return Pace(frames / wall, best([each for _, each in took]) / frames * 1e6)


def judge(stream: str, paces: Mapping[str, Pace]) -> dict[str, tuple[str, bool]]:
    """Say of each reader with a goal on a stream how it went, and whether the goal is met."""
    verdicts: dict[str, tuple[str, bool]] = {}
    for goal in (goal for goal in GOALS if goal.stream == stream):
        if absent := {goal.reader, goal.peer} - {*paces}:
            verdicts[goal.reader] = f"no {', '.join(sorted(absent))}", False
            continue
        ratio = paces[goal.peer].cpu / paces[goal.reader].cpu
        beside = "of the default" if goal.peer.startswith(OURS) else "x"
        verdicts[goal.reader] = _verdict(
            f"{ratio:.2f} {beside}", f"≥ {goal.ratio:.3g}", met=ratio >= goal.ratio
        )
    return verdicts


def _verdict(measured: str, bound: str, *, met: bool) -> tuple[str, bool]:
    return f"{measured} ({bound}) {'met' if met else '**missed**'}", met


def _row(title: str, reader: str, paces: Mapping[str, Pace], verdict: str) -> str:
    pace = paces[reader]
    peer = paces.get(NAIVE + BLOCKING if reader.endswith(BLOCKING) else NAIVE)
    times = f"{peer.cpu / pace.cpu:.2f} x" if peer else "—"
    return f"| {title} | {reader} | {pace.rate:,.0f} | {pace.cpu:.2f} | {times} | {verdict} |"


async def _follow_all(url: str, followers: int) -> None:
    async with asyncio.TaskGroup() as tasks:
        for _ in range(followers):
            tasks.create_task(follow(url))


def growth(followers: int = FOLLOWERS, rounds: int = ROUNDS) -> tuple[float, float]:
    """Return what so many followers in one process need, and how much more twice as many."""
    spent: dict[int, list[float]] = {followers: [], 2 * followers: []}
    with sending(ONE_FOLLOWER) as url:
        for _ in range(rounds):
            for count, took in spent.items():
                worked = time.process_time()
                asyncio.run(_follow_all(url, count))
                took.append(time.process_time() - worked)
    few, many = (min(took) for took in spent.values())
    return few, many / few


def table(rounds: int = ROUNDS) -> tuple[str, bool]:
    """Measure everything; return the table, and whether all goals are met."""
    lines = [
        f"| stream | reader | frames/s | CPU µs a frame | {NAIVE} needs | goal |",
        "|---|---|--:|--:|--:|---|",
    ]
    all_met = True
    for stream, title in TITLES.items():
        paces = measure(stream, rounds)
        verdicts = judge(stream, paces)
        all_met = all_met and all(met for _, met in verdicts.values())
        lines += [
            _row(f"{stream}: {title}", reader, paces, verdicts.get(reader, ("", True))[0])
            for reader in paces
        ]
    seconds, times = growth(rounds=rounds)
    verdict, met = _verdict(f"{times:.2f} x", f"≤ {GROWTH}", met=times <= GROWTH)
    frames = FOLLOWERS * ONE_FOLLOWER.events
    lines.append(
        f"| {FOLLOWERS} followers, then twice as many | {OURS} | | {seconds / frames * 1e6:.2f} |"
        f" | {verdict} |"
    )
    return "\n".join(lines), all_met and met


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 if it is to be checked and a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.client")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each stream is read")
    parser.add_argument("--check", action="store_true", help="exit 1 if a goal is missed")
    options = parser.parse_args(arguments)
    text, all_met = table(options.rounds)
    sys.stdout.write(f"Python {platform.python_version()}, {options.rounds} rounds\n\n{text}\n")
    return 1 if options.check and not all_met else 0


if __name__ == "__main__":
    sys.exit(main())
