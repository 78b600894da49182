"""The streams that parsers are measured with; their bytes are the same every time."""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Final

from attrs import frozen

SEED: Final = 42
NETWORK_READ: Final = 64 * 1024
"""The size of a read from a busy socket, in bytes."""


@frozen
class Workload:
    """One stream: its chunks, and the number of events that a parser must find in it."""

    name: str
    title: str
    chunks: tuple[bytes, ...]
    events: int


def workloads(size: int) -> Iterator[Workload]:
    """Yield the workloads, each of about `size` bytes and at least two events.

    W6 is one line of 16 times `size`. W5 has an eighth of `size`, because single bytes are slow for
    every parser. After W1 to W9 come the usual shapes of frames, each in 64 KiB chunks (bulk) and
    one frame at a time (live).
    """
    yield from (build(size) for build in _BUILDERS)
    for shape in SHAPES:
        frames, events = _shaped(shape, size)
        yield Workload(
            f"{shape}, bulk", "64 KiB chunks", _cut(b"".join(frames), NETWORK_READ), events
        )
        yield Workload(f"{shape}, live", "one frame per chunk", tuple(frames), events)


def _rng() -> Random:
    return Random(SEED)  # noqa: S311 - the bytes must be the same every time


def log_frames(size: int) -> list[bytes]:
    """Return frames of a training log, 200 bytes each: an id, an event type, one JSON object."""
    random = _rng()
    return [_log_frame(step, random) for step in range(1, max(2, size // 200) + 1)]


def _log_frame(step: int, random: Random) -> bytes:
    values: dict[str, object] = {
        "type": "training.log",
        "step": step,
        "loss": round(random.random(), 6),
        "learningRate": round(random.random() / 1000, 9),
        "epoch": round(step / 1000, 3),
        "note": "",
    }
    head = f"id: {step}\nevent: training.log\ndata: "
    bare = len(head) + len(json.dumps(values, separators=(",", ":"))) + len("\n\n")
    values["note"] = "x" * (200 - bare)
    return (head + json.dumps(values, separators=(",", ":")) + "\n\n").encode()


def _data_frames(size: int) -> list[bytes]:
    random = _rng()
    return [b"data: %052x\n\n" % random.getrandbits(208) for _ in range(max(2, size // 60))]


def _cut(stream: bytes, size: int) -> tuple[bytes, ...]:
    return tuple(stream[start : start + size] for start in range(0, len(stream), size))


def _reads(name: str, title: str, frames: list[bytes]) -> Workload:
    return Workload(name, title, _cut(b"".join(frames), NETWORK_READ), len(frames))


def _w1(size: int) -> Workload:
    return _reads("W1", "200-byte log frames, 64 KiB chunks", log_frames(size))


def _w2(size: int) -> Workload:
    frames = log_frames(size)
    return Workload("W2", "200-byte log frames, one per chunk", tuple(frames), len(frames))


def _w3(size: int) -> Workload:
    return _reads("W3", "60-byte data frames, 64 KiB chunks", _data_frames(size))


def _w3b(size: int) -> Workload:
    frames = _data_frames(size)
    return Workload("W3b", "60-byte data frames, one per chunk", tuple(frames), len(frames))


def _w4(size: int) -> Workload:
    frame = b"data: " + b"x" * 64 * 1024 + b"\n\n"
    return _reads("W4", "64 KiB data lines, 64 KiB chunks", [frame] * max(2, size // len(frame)))


def _w5(size: int) -> Workload:
    frames = log_frames(size // 8)
    chunks = _cut(b"".join(frames), 1)
    return Workload("W5", "200-byte log frames, 1-byte chunks", chunks, len(frames))


def _w6(size: int) -> Workload:
    length = 16 * size
    stream = b"data: " + b"x" * length + b"\n\n"
    title = f"one line of {length / 2**20:g} MiB, 4 KiB chunks"
    return Workload("W6", title, _cut(stream, 4096), 1)


def _w7(size: int) -> Workload:
    frames = [frame.replace(b"\n", b"\r\n") for frame in log_frames(size)]
    return _reads("W7", "log frames with CRLF, 64 KiB chunks", frames)


def _w8(size: int) -> Workload:
    random = _rng()
    frame = b"".join(b"data: %032x\n" % random.getrandbits(128) for _ in range(1000)) + b"\n"
    return _reads("W8", "1,000 data lines in one event", [frame] * max(2, size // len(frame)))


def _w9(size: int) -> Workload:
    frames = [b": keep-alive\n\n" + frame for frame in log_frames(size)]
    return _reads("W9", "log frames with comments between", frames)


_BUILDERS: Final[tuple[Callable[[int], Workload], ...]] = (
    _w1,
    _w2,
    _w3,
    _w3b,
    _w4,
    _w5,
    _w6,
    _w7,
    _w8,
    _w9,
)

_LINES: Final = {
    "id event data": ("id: {step}", "event: training.log", "data: {data}"),
    "id data": ("id: {step}", "data: {data}"),
    "event data": ("event: training.log", "data: {data}"),
    "event id data": ("event: training.log", "id: {step}", "data: {data}"),
    "data id": ("data: {data}", "id: {step}"),
    "no space": ("id:{step}", "event:training.log", "data:{data}"),
    "retry": ("id: {step}", "event: training.log", "retry: 3000", "data: {data}"),
    "two data lines": ("id: {step}", "data: {data}", "data: {data}"),
}
"""The lines of a frame of each shape."""
_ROWS: Final = {
    **{name: (name,) for name in _LINES},
    "ping every fifth": (*["id event data"] * 5, "ping"),
    "two shapes": ("id event data", "id data"),
}
"""For each stream, the shapes of its frames, which are repeated in this order."""
SHAPES: Final = (*_ROWS, "CRLF", "large", "mixed 1", "mixed 2", "mixed 3")
"""The names of the shapes; the number in the name of a mixed one is its random seed."""


def _shaped(shape: str, size: int) -> tuple[list[bytes], int]:
    """Return the frames of a stream of this shape, and the number of events in them."""
    random = _rng()
    if shape == "large":
        frame = b"id: %d\ndata: " + b"x" * NETWORK_READ + b"\n\n"
        frames = [frame % step for step in range(max(2, size // NETWORK_READ))]
        return frames, len(frames)
    if shape.startswith("mixed"):
        random = Random(int(shape.split()[1]))  # noqa: S311 - the same bytes every time
        names = random.choices(tuple(_LINES), k=size // 200)
    else:
        row = _ROWS.get(shape, ("id event data",))
        names = [row[step % len(row)] for step in range(max(2, size // 200))]
    frames = [_frame(name, step, random) for step, name in enumerate(names)]
    if shape == "CRLF":
        frames = [frame.replace(b"\n", b"\r\n") for frame in frames]
    return frames, len(names) - names.count("ping")


def _frame(name: str, step: int, random: Random) -> bytes:
    if name == "ping":
        return b": ping\n\n"
    data = json.dumps(
        {"type": "training.log", "step": step, "loss": random.random(), "note": "x" * 60}
    )
    lines = [line.format(step=step, data=data) for line in _LINES[name]]
    return "\n".join([*lines, "", ""]).encode()
