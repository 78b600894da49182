"""The chunk path: any stream in any chunks, over several connections, with any bound on events.

The choice of an input's plan is the bound and the seeded cursor. Each connection begins with the cursor
of the one before.
"""

from collections.abc import Iterator
from typing import Final

from tests.arkor_proto.sse_oracle import read
from tests.fuzz.targets import reading
from tests.fuzz.targets.plan import RESET, arrival_of, long_streams, planned, vectors

TOKENS: Final = (*reading.TOKENS, b"|", b"\x01|", b"\x01\x01\xff")
LONGEST: Final = 4096
_BOUNDS: Final = (reading.DEFAULT_BOUND, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 24, 64, 256, 1023)


def target(data: bytes) -> None:
    """Read a stream as it arrives; raise AssertionError where the two parsers differ."""
    arrival = arrival_of(data)
    seeded, bound = divmod(arrival.choice, len(_BOUNDS))
    cursor = "seed" if seeded else ""
    for chunks in arrival.connections:
        whole = b"".join(map(bytes, chunks))
        plain = read(whole, last_event_id=cursor, max_event_size=_BOUNDS[bound])
        ours = reading.parse(chunks, cursor, _BOUNDS[bound])
        reading.agree(ours, plain, f"{[bytes(chunk) for chunk in chunks]} after {cursor!r}")
        cursor = plain.last_event_id


def seeds() -> Iterator[bytes]:
    """Yield the streams of the vectors in their own chunks, and in small ones with each bound."""
    for number, chunks in enumerate(vectors(LONGEST // 2)):
        lengths = bytes(min(len(chunk), RESET - 1) for chunk in chunks)
        yield planned(0, lengths, b"".join(chunks))
        yield planned(number % (2 * len(_BOUNDS)), bytes([1, 2, 0, 5, RESET]), b"".join(chunks))
    for number, stream in enumerate(long_streams()):
        yield planned(number, b"\xfe\x20", stream)
