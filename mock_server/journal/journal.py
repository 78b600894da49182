"""The journal: a limited record, in order, of everything that clients and the server did."""

import time
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable
from typing import Final, TypeVar

from attrs import define, evolve, field

from mock_server.journal.records import (
    FrameSent,
    Record,
    RequestReceived,
    size_of,
    with_short_texts,
)

R = TypeVar("R", bound=Record)
_HEAVY: Final = 1024
"""A body with more bytes than this is heavy; to save memory, heavy bodies are dropped first."""


@define
class Journal:
    """All records so far, limited in number and in (estimated) bytes of memory.

    When the byte limit is exceeded, large bodies are dropped, then whole records, each starting
    with the oldest; `bodies_dropped` and `dropped` count them.
    """

    limit: int = 1_000_000
    clock: Callable[[], float] = time.monotonic
    bytes_limit: int = 48 << 20
    records: list[Record] = field(factory=list[Record], init=False)
    dropped: int = field(default=0, init=False)
    bodies_dropped: int = field(default=0, init=False)
    size: int = field(default=0, init=False)
    """The estimated memory that the records take up, in bytes."""
    _bodies: deque[int] = field(factory=deque[int], init=False)
    """The numbers of the records that have heavy bodies, oldest first."""
    _listeners: list[Callable[[Record], None]] = field(
        factory=list[Callable[[Record], None]], init=False
    )
    _seq: int = field(default=0, init=False)
    _start: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._start = self.clock()

    @property
    def now(self) -> float:
        """The time, in seconds since the journal was created."""
        return self.clock() - self._start

    def stamp(self) -> tuple[int, float]:
        """Take the next record number; return it with the time in seconds since the start."""
        self._seq += 1
        return self._seq, self.now

    def add(self, record: Record) -> None:
        """Append a record and call every listener, in order."""
        self._tell(self._keep(record))

    def add_frame(self, record: FrameSent, data: bytes) -> None:
        """Append a record; also give listeners the frame's bytes, which are not kept."""
        kept = self._keep(record)
        if self._listeners:
            self._tell(evolve(kept, data=data))

    def _tell(self, record: Record) -> None:
        for listener in tuple(self._listeners):
            listener(record)

    def _keep(self, record: R) -> R:
        """Append a record, dropping older data if there is no room; return the record as stored."""
        record = with_short_texts(record)
        if len(self.records) >= self.limit:
            self._drop_records(max(1, self.limit // 10))
        self.records.append(record)
        self.size += size_of(record)
        if isinstance(record, RequestReceived) and len(record.body) > _HEAVY:
            self._bodies.append(record.seq)
        while self.size > self.bytes_limit and self._bodies:
            self._drop_body(self._bodies.popleft())
        if self.size > self.bytes_limit:
            self._drop_records(max(1, len(self.records) // 10))
        return record

    def _drop_body(self, seq: int) -> None:
        index = bisect_left(self.records, seq, key=lambda record: record.seq)
        if index < len(self.records) and isinstance(found := self.records[index], RequestReceived):
            note = f"[dropped: {len(found.body)} bytes; the journal is full]".encode()
            light = evolve(found, body=note, json=None)
            self.records[index] = light
            self.size += size_of(light) - size_of(found)
            self.bodies_dropped += 1

    def _drop_records(self, count: int) -> None:
        self.size -= sum(map(size_of, self.records[:count]))
        del self.records[:count]
        self.dropped += count
        first = self.records[0].seq if self.records else self._seq
        while self._bodies and self._bodies[0] < first:
            self._bodies.popleft()

    def listen(self, listener: Callable[[Record], None]) -> Callable[[], None]:
        """Call `listener` with every future record; return a function that removes it."""
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def clear(self, limit: int, bytes_limit: int | None = None) -> None:
        """Remove all records and set new limits; record numbers do not start over."""
        self.records.clear()
        self._bodies.clear()
        self.dropped = self.bodies_dropped = self.size = 0
        self.limit = limit
        self.bytes_limit = self.bytes_limit if bytes_limit is None else bytes_limit

    def after(self, seq: int, most: int | None = None) -> list[Record]:
        """Return the records whose numbers are greater than `seq`, but at most `most` of them."""
        start = bisect_right(self.records, seq, key=lambda record: record.seq)
        return self.records[start : None if most is None else start + most]
