"""Measures how long each parser takes for an event of each workload, and judges our goals.

The parsers take turns, in a different order in each round. Compare only ratios of medians within
one run. Time is the CPU time of the thread that parses, so a busy machine affects it less.
"""

import statistics
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from attrs import frozen

from tests.benchmarks.peers import chunk_file
from tests.benchmarks.peers.goals import Verdict, at_least
from tests.benchmarks.peers.known import HTTPX, LAUNCHDARKLY, floor_worker
from tests.benchmarks.peers.parsers import FLOOR
from tests.benchmarks.peers.workers import PeerFailed, Worker
from tests.benchmarks.workloads import SHAPES, Workload

SIZE: Final = 2**20
ROUNDS: Final = 11
SLOW: Final = 1.0
"""A parser that takes longer than this for one round, in seconds, is measured once."""


@frozen
class Goal:
    """A goal: our parser is at least `ratio` times as fast as `peer`."""

    workload: str
    peer: str
    ratio: float


GOALS: Final = (
    Goal("W1", HTTPX, 3.0),
    Goal("W1", LAUNCHDARKLY, 2.5),
    Goal("W1", FLOOR, 1 / 2.6),
    Goal("W2", HTTPX, 2.5),
    Goal("W2", LAUNCHDARKLY, 1.8),
    Goal("W3", HTTPX, 4.0),
    Goal("W3", LAUNCHDARKLY, 2.5),
    Goal("W4", HTTPX, 1.4),
    Goal("W4", LAUNCHDARKLY, 1.2),
    Goal("W5", HTTPX, 0.5),
    Goal("W5", LAUNCHDARKLY, 0.35),
    *(Goal(name, peer, 1.0) for name in ("W6", "W7", "W8", "W9") for peer in (HTTPX, LAUNCHDARKLY)),
    *(
        Goal(f"{shape}, {way}", peer, ratio)
        for shape in SHAPES
        for way, peer, ratio in (
            ("bulk", HTTPX, 1.5),
            ("bulk", LAUNCHDARKLY, 1.2),
            ("live", HTTPX, 1.3),
            ("live", LAUNCHDARKLY, 1.0),
        )
    ),
)
LINES_PER_EVENT: Final = {"W1": 4, "W3": 2}
"""The workloads for which the floor is measured, with the number of lines of their events."""


@frozen
class Row:
    """The results for one workload: each parser's nanoseconds per event, and what went wrong."""

    name: str
    title: str
    medians: Mapping[str, float]
    problems: Mapping[str, str]
    """For each parser that has no figure or loses events, the reason."""


def measure(workload: Workload, parsers: Sequence[Worker], rounds: int) -> Row:
    """Let each parser read the workload `rounds` times, in turns."""
    problems: dict[str, str] = {}
    with TemporaryDirectory() as folder:
        path = Path(folder, "stream")
        chunk_file.write(path, workload.chunks)
        for parser in parsers:
            if lost := _lost(parser, path, workload.events):
                problems[parser.name] = lost
        if workload.name not in LINES_PER_EVENT:
            return _timed(workload, parsers, path, rounds, problems)
        with floor_worker(LINES_PER_EVENT[workload.name]) as floor:
            return _timed(workload, [*parsers, floor], path, rounds, problems)


def _lost(parser: Worker, path: Path, events: int) -> str:
    try:
        found = parser.ask(do="count", path=str(path))["events"]
    except PeerFailed as failed:
        return str(failed)
    if found > events:
        return f"invents {found - events} events"
    return f"loses {events - found} of {events} events" if found < events else ""


def _timed(
    workload: Workload,
    parsers: Sequence[Worker],
    path: Path,
    rounds: int,
    problems: dict[str, str],
) -> Row:
    taken: dict[str, list[float]] = {}

    def take(parser: Worker) -> float | None:
        try:
            seconds = parser.ask(do="read", path=str(path))["seconds"]
        except PeerFailed as failed:
            problems[parser.name] = str(failed)
            return None
        return seconds

    first = {parser.name: take(parser) for parser in parsers}  # warms up, too
    quick = [each for each in parsers if (first[each.name] or SLOW) < SLOW]
    for turn in range(rounds):
        start = turn % max(1, len(quick))  # a parser may leave cold caches to the next one
        for parser in (*quick[start:], *quick[:start]):
            if (seconds := take(parser)) is not None:
                taken.setdefault(parser.name, []).append(seconds)
    once = {name: [seconds] for name, seconds in first.items() if seconds is not None}
    medians = {
        name.split()[0] if name.startswith(FLOOR) else name: statistics.median(times)
        / workload.events
        * 1e9
        for name, times in {**once, **taken}.items()
    }
    return Row(workload.name, workload.title, medians, problems)


def judge(row: Row, own: str) -> Iterator[Verdict]:
    """Yield the verdict on each goal for this workload."""
    for goal in (goal for goal in GOALS if goal.workload == row.name):
        what = f"parser, {row.name}: speed"
        if goal.peer in row.medians and own in row.medians:
            ratio = row.medians[goal.peer] / row.medians[own]
            yield at_least(what, ratio, goal.ratio, f"x {goal.peer}")
        else:
            yield Verdict(what, f"no {goal.peer} to compare with", f"≥ {goal.ratio:.3g}", met=False)
