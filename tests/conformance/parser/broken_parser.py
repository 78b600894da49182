"""A parser with one mistake, for `arkor-conformance parser`: `python -m … MISTAKE`."""

import os
import sys
import time
from collections.abc import Iterable, Mapping

from conformance.drivers.python.parse import own, serve

REPORTS = ["last_event_id", "resume", "retry", "chunk", "max_event_size"]


def by_chunk(chunks: Iterable[bytes], cursor: str, bound: int) -> Mapping[str, object]:
    """Take the end of a chunk for the end of a line."""
    return own(
        [chunk if chunk.endswith((b"\r", b"\n")) else chunk + b"\n" for chunk in chunks],
        cursor,
        bound,
    )


def at_the_end(chunks: Iterable[bytes], cursor: str, bound: int) -> Mapping[str, object]:
    """Deliver nothing before the stream has ended."""
    pieces = list(chunks)
    return own([*([b""] * (len(pieces) - 1)), b"".join(pieces)], cursor, bound)


def a_cr_late(chunks: Iterable[bytes], cursor: str, bound: int) -> Mapping[str, object]:
    """Hold a CR back until the next chunk."""
    held, pieces = b"", list[bytes]()
    for chunk in chunks:
        whole = held + chunk
        held = b"\r" if whole.endswith(b"\r") else b""
        pieces.append(whole.removesuffix(b"\r"))
    return own([*pieces, held], cursor, bound)


def without_bom(chunks: Iterable[bytes], cursor: str, bound: int) -> Mapping[str, object]:
    """Keep the byte order mark."""
    first, *rest = chunks
    return own([b"\n" + first, *rest], cursor, bound)


def unbounded(chunks: Iterable[bytes], cursor: str, bound: int) -> Mapping[str, object]:
    """Take events of any size."""
    del bound
    return own(chunks, cursor, 1 << 30)


def crashes(chunks: Iterable[bytes], cursor: str, bound: int) -> Mapping[str, object]:
    """End at a NUL."""
    pieces = list(chunks)
    if any(b"\0" in piece for piece in pieces):
        os._exit(3)
    return own(pieces, cursor, bound)


def hangs(chunks: Iterable[bytes], cursor: str, bound: int) -> Mapping[str, object]:
    """Go silent at a NUL."""
    pieces = list(chunks)
    if any(b"\0" in piece for piece in pieces):
        time.sleep(60)
    return own(pieces, cursor, bound)


MISTAKES = {
    "by-chunk": by_chunk,
    "at-the-end": at_the_end,
    "a-cr-late": a_cr_late,
    "without-bom": without_bom,
    "unbounded": unbounded,
    "crashes": crashes,
    "hangs": hangs,
    "little": own,
}

if __name__ == "__main__":
    mistake = sys.argv[1]
    serve(
        {"impl": mistake, "version": "1", "reports": [] if mistake == "little" else list(REPORTS)},
        MISTAKES[mistake],
    )
