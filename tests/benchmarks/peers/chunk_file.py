"""Stores a stream and its chunks in a file that a worker in any language can read."""

import json
from collections.abc import Sequence
from itertools import accumulate, pairwise
from pathlib import Path


def write(path: Path, chunks: Sequence[bytes]) -> None:
    """Write the sizes of the chunks as a line of JSON, then their bytes."""
    sizes = json.dumps([len(chunk) for chunk in chunks])
    path.write_bytes(b"".join([sizes.encode(), b"\n", *chunks]))


def read(path: Path) -> list[bytes]:
    """Read what `write` wrote."""
    sizes, _, data = path.read_bytes().partition(b"\n")
    ends = accumulate(json.loads(sizes), initial=0)
    return [data[start:end] for start, end in pairwise(ends)]
