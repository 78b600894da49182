"""The vectors of `spec/vectors/sse.json`, in Python: what the file's own `about` explains."""

import json
from pathlib import Path
from typing import NotRequired, TypeAlias, TypedDict

Chunk: TypeAlias = "str | dict[str, str | int] | list[Chunk]"


class Expected(TypedDict):
    """What a vector expects; an event is its type, its data, its last event id."""

    events: list[tuple[str, str, str]]
    last_event_id: str
    retry: int | None
    error: NotRequired[str]


class Vector(TypedDict):
    """One stream and what is to be read out of it."""

    id: str
    source: str
    requires: list[str]
    last_event_id: NotRequired[str]
    max_event_size: NotRequired[int]
    chunks: list[Chunk]
    expect: Expected


def load_vectors() -> list[Vector]:
    """Load all vectors, in the order of the file."""
    path = Path(__file__).parents[2] / "spec" / "vectors" / "sse.json"
    vectors: list[Vector] = json.loads(path.read_text(encoding="utf-8"))["vectors"]
    return vectors


def is_public(vector: Vector) -> bool:
    """Whether a public suite or the standard itself asks for it, and not only this project."""
    return vector["id"][0] in "WSLE"


def as_bytes(chunk: Chunk) -> bytes:
    """Return the bytes a chunk stands for."""
    match chunk:
        case str():
            return chunk.encode()
        case {"hex": str(digits)}:
            return bytes.fromhex(digits)
        case {"repeat": str(text), "times": int(times)}:
            return text.encode() * times
        case list():
            return b"".join(map(as_bytes, chunk))
        case _:
            raise ValueError(f"chunk {chunk!r}; it must be text, hex, repeat or a list of these")
