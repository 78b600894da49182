"""Measures a session without any I/O: inputs per second, memory, growth, and the import.

`python -m tests.benchmarks.session` prints one Markdown table with the figures and the goals. Time
is the CPU time of the thread, so that a busy machine affects it less.
"""

import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import Final

from arkor_proto import (
    Deliver,
    Done,
    Endpoint,
    EventStreamParser,
    Follow,
    Idle,
    Received,
    Responded,
    Session,
    SessionConfig,
)
from arkor_proto._dialect import decode_json
from arkor_proto._json import take_event
from arkor_proto._walk import is_dict
from tests.benchmarks import start_up
from tests.benchmarks.workloads import workloads

SIZE: Final = 4 * 2**20
ROUNDS: Final = 7
SESSIONS: Final = 10_000
HEADERS: Final = ((b"Content-Type", b"text/event-stream"),)
ENDPOINT: Final = Endpoint(base_url="https://api.example", token="t" * 32)


def streaming() -> Session:
    """Return a session whose stream is open."""
    session = Session(SessionConfig(endpoint=ENDPOINT, job="job-1"))
    session.handle(Follow(), 0.0)
    while not isinstance(session.poll(), Idle | Done):
        pass
    session.handle(Responded(1, 200, HEADERS), 0.0)
    session.poll()
    return session


def inputs_per_second(name: str) -> tuple[float, float]:
    """Return inputs and frames per second; inputs are reads and handled events."""
    chunks = _chunks(name)
    session = streaming()
    inputs = frames = 0
    began = time.thread_time()
    for data in chunks:
        output = session.step(Received(1, data), 0.0)
        inputs += 1
        while isinstance(output, Deliver):
            output = session.handled(output.delivery, 0.0)
            inputs += 1
            frames += 1
        if type(output) is not Idle:
            raise RuntimeError(f"{output}: the stream ended too early")
    spent = time.thread_time() - began
    return inputs / spent, frames / spent


def microseconds_of_decoding(name: str) -> float:
    """Return the time for a frame without a session: parsing, JSON and the typed event.

    It uses the same functions as the session, which are faster than `json.loads` and
    `decode_event`.
    """
    chunks = _chunks(name)
    parser, frames = EventStreamParser(), 0
    began = time.thread_time()
    for data in chunks:
        for event in parser.feed(data):
            value = decode_json(event.data)
            frames += is_dict(value) and take_event(value) is not None
    return (time.thread_time() - began) / frames * 1e6


def added_microseconds(name: str) -> float:
    """Return the time that the session adds to a frame, from the fastest of several rounds."""
    rounds = [(inputs_per_second(name)[1], microseconds_of_decoding(name)) for _ in range(ROUNDS)]
    return 1e6 / max(rate for rate, _ in rounds) - min(cost for _, cost in rounds)


def growth() -> float:
    """Return the ratio of the times for twice the events, from the fastest of several rounds."""
    small, large = _chunks("W1", SIZE // 4), _chunks("W1", SIZE // 2)
    spent = [(_seconds(small), _seconds(large)) for _ in range(ROUNDS)]
    return min(each[1] for each in spent) / min(each[0] for each in spent)


def _seconds(chunks: Sequence[bytes]) -> float:
    session = streaming()
    began = time.thread_time()
    for data in chunks:
        output = session.step(Received(1, data), 0.0)
        while isinstance(output, Deliver):
            output = session.handled(output.delivery, 0.0)
    return time.thread_time() - began


def _chunks(name: str, size: int = SIZE) -> Sequence[bytes]:
    return next(each for each in workloads(size) if each.name == name).chunks


def _resident() -> int:
    pages = int(open("/proc/self/statm").read().split()[1])  # noqa: PTH123, SIM115 - one line
    return pages * resource.getpagesize()


def cost_of_sessions(count: int) -> tuple[float, float]:
    """Return the CPU seconds and megabytes of `count` live sessions, each with half a frame."""
    before, began = _resident(), time.thread_time()
    kept = [streaming() for _ in range(count)]
    for session in kept:
        session.handle(Received(1, b'id: 1\ndata: {"type":'), 0.0)
    return time.thread_time() - began, (_resident() - before) / 2**20


def growth_of_sessions(count: int = SESSIONS, rounds: int = 5) -> tuple[float, float, float]:
    """Return the megabytes of `count` sessions, and the time and memory ratios for twice as many.

    Each measurement has its own process, because a process reuses memory that it has freed.
    """
    took: dict[int, list[tuple[float, float]]] = {count: [], 2 * count: []}
    for _ in range(rounds):
        for number, costs in took.items():
            code = (
                f"from tests.benchmarks import session; print(*session.cost_of_sessions({number}))"
            )
            command = [sys.executable, "-c", code]
            found = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            seconds, megabytes = map(float, found.stdout.split())
            costs.append((seconds, megabytes))
    few, many = ([min(each) for each in zip(*costs, strict=True)] for costs in took.values())
    return few[1], many[0] / few[0], many[1] / few[1]


def _row(name: str, title: str) -> str:
    found = [inputs_per_second(name) for _ in range(ROUNDS)]
    inputs = statistics.median(each[0] for each in found)
    frames = statistics.median(each[1] for each in found)
    return f"| inputs/s, {title} | {inputs:,.0f} ({frames:,.0f} frames/s) | ≥ 200,000 |"


def table() -> str:
    """Measure everything and return the table."""
    megabytes, longer, larger = growth_of_sessions()
    lines = [
        "| what | measured | goal |",
        "|---|--:|--:|",
        f"| {SESSIONS:,} sessions | {megabytes:.0f} MB | ≤ 100 MB |",
        f"| twice the sessions | {longer:.2f} times the time, {larger:.2f} times the memory | ≤ 2.2 times |",
        _row("W1", "64 KiB a read"),
        _row("W2", "one frame a read"),
        f"| the session adds to a frame, 64 KiB a read | {added_microseconds('W1'):.2f} µs | ≤ 1.3 µs |",
        f"| twice the events take | {growth():.2f} times | ≤ 2.2 times |",
        *start_up.rows(),
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
