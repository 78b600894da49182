"""What a session costs without any I/O: inputs a second, memory, and the import.

`python -m tests.benchmarks.session` prints one Markdown table with the goals beside the figures.
Time is the thread's own, and the child's own for the import, so that a busy machine disturbs less.
"""

import json
import os
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
    decode_event,
)
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
    """Return inputs and frames a second: every read, and every event handed back."""
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
            raise RuntimeError(f"{output}: the stream ended; it should not")
    spent = time.thread_time() - began
    return inputs / spent, frames / spent


def microseconds_of_decoding(name: str) -> float:
    """Return what a frame costs without a session: parsing, JSON, the typed event."""
    chunks = _chunks(name)
    parser, frames = EventStreamParser(), 0
    began = time.thread_time()
    for data in chunks:
        for event in parser.feed(data):
            value: dict[str, object] = json.loads(event.data)
            frames += decode_event(value) is not None
    return (time.thread_time() - began) / frames * 1e6


def added_microseconds(name: str) -> float:
    """Return what the session adds to a frame, by the fastest of several rounds."""
    rounds = [(inputs_per_second(name)[1], microseconds_of_decoding(name)) for _ in range(ROUNDS)]
    return 1e6 / max(rate for rate, _ in rounds) - min(cost for _, cost in rounds)


def growth() -> float:
    """Return how much more time twice the events take, by the fastest of several rounds."""
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


def megabytes_of_sessions() -> float:
    """Return how much the process grows by so many live sessions, each amid a frame."""
    before = _resident()
    kept = [streaming() for _ in range(SESSIONS)]
    for session in kept:
        session.handle(Received(1, b'id: 1\ndata: {"type":'), 0.0)
    return (_resident() - before) / 2**20


def import_milliseconds() -> float:
    """Return the median time that importing the package adds to a bare interpreter."""
    with_package, bare = "import arkor_proto", "pass"
    spent = [(_run(with_package), _run(bare)) for _ in range(ROUNDS * 3)]
    loaded = statistics.median(package for package, _ in spent)
    return loaded - statistics.median(nothing for _, nothing in spent)


def _run(code: str) -> float:
    before = _children_milliseconds()
    cached = {
        name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
    }
    subprocess.run([sys.executable, "-c", code], check=True, env=cached)
    return _children_milliseconds() - before


def _children_milliseconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (usage.ru_utime + usage.ru_stime) * 1000


def imported() -> list[str]:
    """Return what importing the package pulls in beyond the standard library."""
    code = (
        "import sys, json; before = set(sys.modules); import arkor_proto;"
        "names = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(json.dumps(sorted(names - sys.stdlib_module_names)))"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    names: list[str] = json.loads(found.stdout)
    return names


def _row(name: str, title: str) -> str:
    found = [inputs_per_second(name) for _ in range(ROUNDS)]
    inputs = statistics.median(each[0] for each in found)
    frames = statistics.median(each[1] for each in found)
    return f"| inputs/s, {title} | {inputs:,.0f} ({frames:,.0f} frames/s) | ≥ 200,000 |"


def table() -> str:
    """Measure everything and return the table."""
    lines = [
        "| what | measured | goal |",
        "|---|--:|--:|",
        f"| {SESSIONS:,} sessions | {megabytes_of_sessions():.0f} MB | ≤ 100 MB |",
        _row("W1", "64 KiB a read"),
        _row("W2", "one frame a read"),
        f"| the session adds to a frame, 64 KiB a read | {added_microseconds('W1'):.2f} µs | ≤ 1.3 µs |",
        f"| twice the events take | {growth():.2f} times | ≤ 2.2 times |",
        f"| import, over bare Python | {import_milliseconds():.0f} ms | ≤ 55 ms |",
        f"| pulls in | {', '.join(imported())} | attrs alone |",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table() + "\n")
