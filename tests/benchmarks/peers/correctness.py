"""Which of the public vectors a parser gets wrong, as they are and byte by byte."""

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
"""Seconds for one vector, the longest of which has 8 KiB: what takes longer hangs."""
CUT: Final = "depends on how the bytes are cut: "


@frozen
class Wrong:
    """One vector that a parser gets wrong, and what that means."""

    vector: str
    source: str
    means: str
    cut: bool
    """Whether it is right about the chunks of the vector, and wrong about single bytes."""


@frozen
class Correctness:
    """How a parser did on the vectors that it could be asked."""

    name: str
    version: str
    asked: int
    """Vectors that resume a stream are not asked of a parser that takes no cursor."""
    wrong: tuple[Wrong, ...] = field(converter=tuple[Wrong, ...])

    @property
    def right(self) -> int:
        """How many vectors are right in the chunks that they have."""
        return self.asked - sum(not each.cut for each in self.wrong)

    @property
    def right_byte_by_byte(self) -> int:
        """How many are right in single bytes as well."""
        return self.asked - len(self.wrong)

    def counts(self) -> list[tuple[str, int]]:
        """Return what goes wrong, and how often, the most frequent first."""
        counted = Counter((CUT if each.cut else "") + each.means for each in self.wrong)
        return counted.most_common()


def public_vectors() -> list[Vector]:
    """Return the vectors that a public suite or the standard itself asks for."""
    return [vector for vector in load_vectors() if is_public(vector)]


def judge(worker: Worker, vectors: Iterable[Vector], patience: float = PATIENCE) -> Correctness:
    """Ask a parser about every vector; one that raises, hangs or ends is wrong about it."""
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
