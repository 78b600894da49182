"""Our parser beside its peers: `python -m tests.benchmarks.peers` prints one Markdown table.

It installs nothing: a peer that is not there is left out. The parsers take turns, each round in
another order, and only ratios of medians within one run are worth reading. Time is the thread's
own, so that a busy machine disturbs less. `--check` exits 1 if a goal is missed or has no peer.
"""

import argparse
import gc
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from attrs import frozen

from tests.arkor_proto.sse_vectors import Vector, as_bytes, is_public, load_vectors
from tests.benchmarks.parsers import Parser, installed_peers, ours
from tests.benchmarks.workloads import SHAPES, Workload, workloads

SIZE: Final = 2**20
ROUNDS: Final = 31
PATIENCE: Final = 1.0
"""Whoever needs longer than this for one round, in seconds, is measured once."""

FLOOR: Final = "floor"
HTTPX: Final = "httpx-sse"
LAUNCHDARKLY: Final = "launchdarkly-eventsource"

Medians: TypeAlias = Mapping[str, float]
"""Nanoseconds per event, by the name of the parser."""


@frozen
class Goal:
    """To be at least `ratio` times as fast as `peer`."""

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
"""The workloads that have a floor."""

Reader: TypeAlias = Callable[[Iterable[bytes]], None]


class _Bare:
    __slots__ = ("data", "has_id", "last_event_id", "type")

    type: str
    data: str
    last_event_id: str
    has_id: bool


def floor(lines_per_event: int) -> Reader:
    """Return what no parser in Python can save: decode, split, make events and read them."""

    def read(chunks: Iterable[bytes]) -> None:
        for chunk in chunks:
            lines = chunk.decode(errors="replace").split("\n")
            columns = (lines[start::lines_per_event] for start in (0, 1, lines_per_event - 2))
            for first, second, last in zip(*columns, strict=False):
                event = _Bare()
                event.type = second
                event.data = last
                event.last_event_id = first
                event.has_id = True
                _type, _data, _id = event.type, event.data, event.last_event_id

    return read


def measure(workload: Workload, parsers: Sequence[Parser], rounds: int) -> Medians:
    """Let everyone read the workload `rounds` times, in turns, and return the medians."""
    readers: dict[str, Reader] = {parser.name: parser.read for parser in parsers}
    if workload.name in LINES_PER_EVENT:
        readers[FLOOR] = floor(LINES_PER_EVENT[workload.name])
    gc.collect()
    first = {name: _seconds(read, workload) for name, read in readers.items()}  # warms up, too
    patient = [name for name, seconds in first.items() if seconds <= PATIENCE]
    taken: dict[str, list[float]] = {name: [] for name in patient}
    for turn in range(rounds):
        start = turn % max(1, len(patient))  # whoever follows a greedy one finds cold caches
        for name in [*patient[start:], *patient[:start]]:
            taken[name].append(_seconds(readers[name], workload))
    return {
        name: statistics.median(taken.get(name) or [seconds]) / workload.events * 1e9
        for name, seconds in first.items()
    }


def _seconds(read: Reader, workload: Workload) -> float:
    start = time.thread_time()
    read(workload.chunks)
    return time.thread_time() - start


def right_vectors(parser: Parser, vectors: Iterable[Vector]) -> int:
    """Count the vectors whose events a parser gets right."""
    return sum(_is_right(parser, vector) for vector in vectors)


def _is_right(parser: Parser, vector: Vector) -> bool:
    chunks = [as_bytes(chunk) for chunk in vector["chunks"]]
    try:
        rows = parser.rows(chunks, vector.get("last_event_id", ""))
    except Exception:  # noqa: BLE001 - a peer may fail as it likes, and is then not right
        return False
    return rows == [tuple(event) for event in vector["expect"]["events"]]


def judge(workload: str, medians: Medians, own: str) -> list[tuple[str, bool]]:
    """Say of each goal of a workload how it went, and whether it is met."""
    verdicts: list[tuple[str, bool]] = []
    for goal in (goal for goal in GOALS if goal.workload == workload):
        if goal.peer not in medians:
            verdicts.append((f"no {goal.peer} to compare with", False))
            continue
        ratio = medians[goal.peer] / medians[own]
        met = ratio >= goal.ratio
        verdict = "met" if met else "**missed**"
        verdicts.append((f"{ratio:.2f} x {goal.peer} (≥ {goal.ratio:.3g}) {verdict}", met))
    return verdicts


def _cell(name: str, medians: Medians, own: str) -> str:
    if name not in medians:
        return "—"
    ratio = medians[name] / medians[own]
    return f"{medians[name]:,.0f}" + ("" if name == own else f" ({ratio:.2f} x)")


def table(size: int, rounds: int) -> tuple[str, bool]:
    """Measure everything; return the table, and whether all goals are met."""
    parsers = [ours(), *installed_peers()]
    own = parsers[0].name
    names = [*(parser.name for parser in parsers), FLOOR]
    titles = [*(f"{parser.name} {parser.version}" for parser in parsers), FLOOR]
    lines = [
        "| ns per event (x ours) | " + " | ".join(titles) + " | goals |",
        "|---" + "|--:" * len(titles) + "|---|",
    ]
    all_met = True
    for workload in workloads(size):
        medians = measure(workload, parsers, rounds)
        verdicts = judge(workload.name, medians, own)
        all_met = all_met and all(met for _, met in verdicts)
        cells = [_cell(name, medians, own) for name in names]
        goals = "; ".join(text for text, _ in verdicts)
        lines.append(
            f"| **{workload.name}** {workload.title} | " + " | ".join(cells) + f" | {goals} |"
        )
    vectors = [vector for vector in load_vectors() if is_public(vector)]
    right = [str(right_vectors(parser, vectors)) for parser in parsers]
    lines.append(f"| vectors right, of {len(vectors)} | " + " | ".join(right) + " | — | all |")
    return "\n".join(lines), all_met


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table; return 1 if it is to be checked and a goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.peers")
    parser.add_argument("--size", type=int, default=SIZE, help="bytes of a workload")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each is read")
    parser.add_argument("--check", action="store_true", help="exit 1 if a goal is missed")
    options = parser.parse_args(arguments)
    text, all_met = table(options.size, options.rounds)
    sys.stdout.write(f"Python {platform.python_version()}, {options.rounds} rounds\n\n{text}\n")
    return 1 if options.check and not all_met else 0


if __name__ == "__main__":
    sys.exit(main())
