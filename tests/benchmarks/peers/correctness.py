"""Finds the public vectors that a parser gets wrong, in their own chunks and byte by byte."""

from base64 import b64encode
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from attrs import field, frozen

from tests.arkor_proto.sse_vectors import Vector, as_bytes, is_public, load_vectors
from tests.benchmarks.peers.parsers import Row
from tests.benchmarks.peers.symptoms import symptom
from tests.benchmarks.peers.workers import PeerFailed, Worker

PATIENCE: Final = 10.0
"""The time limit for one vector, in seconds; the longest vector is 8 KiB long."""
CUT: Final = "depends on how the bytes are split: "


@frozen
class Wrong:
    """One vector that a parser gets wrong, and what that means."""

    vector: str
    source: str
    means: str
    cut: bool
    """Whether the parser is right in the vector's own chunks, and wrong byte by byte."""


@frozen
class Correctness:
    """The results of a parser on the vectors that it was tested on."""

    name: str
    version: str
    asked: int
    """The number of vectors tested; a parser without a cursor skips those that resume a stream."""
    wrong: tuple[Wrong, ...] = field(converter=tuple[Wrong, ...])

    @property
    def right(self) -> int:
        """The number of vectors that the parser gets right in their own chunks."""
        return self.asked - sum(not each.cut for each in self.wrong)

    @property
    def right_byte_by_byte(self) -> int:
        """The number of vectors that the parser also gets right byte by byte."""
        return self.asked - len(self.wrong)

    def counts(self) -> list[tuple[str, int]]:
        """Return each kind of mistake and its count, the most frequent first."""
        counted = Counter((CUT if each.cut else "") + each.means for each in self.wrong)
        return counted.most_common()


def public_vectors() -> list[Vector]:
    """Return the vectors that come from a public test suite or from the standard."""
    return [vector for vector in load_vectors() if is_public(vector)]


def judge(worker: Worker, vectors: Iterable[Vector], patience: float = PATIENCE) -> Correctness:
    """Test a parser on every vector; it fails a vector if it raises, hangs or ends its process."""
    asked = 0
    wrong: list[Wrong] = []
    hello = worker.hello()
    for vector in vectors:
        if vector.get("last_event_id") and not hello["resumes"]:
            continue
        asked += 1
        chunks = [as_bytes(chunk) for chunk in vector["chunks"]]
        single = [bytes([byte]) for byte in b"".join(chunks)]
        for given in (chunks, single) if single else (chunks,):
            if means := _mistake(worker, vector, given, patience):
                cut = given is single
                wrong.append(Wrong(vector["id"], vector["source"], means, cut))
                break
    return Correctness(worker.name, hello["version"], asked, wrong)


def _mistake(worker: Worker, vector: Vector, chunks: Sequence[bytes], patience: float) -> str:
    cursor = vector.get("last_event_id", "")
    expected = [_row(event) for event in vector["expect"]["events"]]
    encoded = ",".join(b64encode(chunk).decode() for chunk in chunks)
    try:
        reply = worker.ask(patience, do="rows", chunks=encoded, cursor=cursor)
    except PeerFailed as failed:
        return str(failed)
    actual = [_row(row) for row in reply["rows"]]
    return "" if actual == expected else symptom(chunks, cursor, expected, actual)


def _row(event: Sequence[str]) -> Row:
    kind, data, id_ = event
    return kind, data, id_
