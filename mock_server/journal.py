"""What happened, in order: connections, requests, frames, ends.

It knows records and who waits for one. It refuses to know sockets and verdicts, and it never holds
a secret: credentials are taken out before a record is made.
"""

import json
import time
from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Final

import attrs
from attrs import define, evolve, field, frozen

from mock_server.vocabulary import Ending, Route

_FOR_LISTENERS: Final = {"for listeners": True}


@frozen
class ConnectionOpened:
    """A client connected; `connection` counts from 1."""

    seq: int
    at: float
    connection: int


@frozen
class RequestReceived:
    """A whole request arrived. Header names are lower case; credentials are redacted."""

    seq: int
    at: float
    connection: int
    route: Route
    attempt: int
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    authorized: bool
    """Whether an Authorization header came with it."""
    body: bytes
    json: object
    job: str | None
    last_event_id: str | None


@frozen
class RequestRejected:
    """A client sent what this server does not take; it was told so with `status`.

    `method` and `path` (without its query) are None if the head could not be read.
    """

    seq: int
    at: float
    connection: int
    status: int
    why: str
    method: str | None = None
    path: str | None = None


@frozen
class ResponseStarted:
    """The head of a response was sent."""

    seq: int
    at: float
    connection: int
    route: Route
    attempt: int
    status: int
    retry_after: str | None = None


@frozen
class FrameSent:
    """The last byte of a frame was sent; `index` counts from 1 within the exchange."""

    seq: int
    at: float
    connection: int
    route: Route
    attempt: int
    index: int
    id: str | None
    event: str | None
    type: str | None
    data: bytes = field(default=b"", repr=False, eq=False, metadata=_FOR_LISTENERS)
    """The frame as it was written, chunks aside: for listeners; the journal itself drops it."""


@frozen
class ExchangeEnded:
    """An exchange is over: `how` it ended and `by` whom (server or client)."""

    seq: int
    at: float
    connection: int
    route: Route
    attempt: int
    how: str
    by: str


@frozen
class ConnectionClosed:
    """A connection is over: `how` (fin, rst, …) and `by` whom (server or client)."""

    seq: int
    at: float
    connection: int
    by: str
    how: str


@frozen
class PortChanged:
    """The port went away or came back; `state` is down, blackhole or up."""

    seq: int
    at: float
    state: str


@frozen
class RuleFired:
    """A rule acted; `rule` counts from 1."""

    seq: int
    at: float
    rule: int


Record = (
    ConnectionOpened
    | RequestReceived
    | RequestRejected
    | ResponseStarted
    | FrameSent
    | ExchangeEnded
    | ConnectionClosed
    | RuleFired
    | PortChanged
)
Predicate = Callable[[Record], bool]


@define
class Journal:
    """All records so far, at most `limit`; the oldest give way and `dropped` counts them."""

    limit: int = 1_000_000
    clock: Callable[[], float] = time.monotonic
    records: list[Record] = field(factory=list[Record], init=False)
    dropped: int = field(default=0, init=False)
    _listeners: list[Callable[[Record], None]] = field(
        factory=list[Callable[[Record], None]], init=False
    )
    _seq: int = field(default=0, init=False)
    _start: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._start = self.clock()

    def stamp(self) -> tuple[int, float]:
        """Draw the number and the time (seconds since the start) of the next record."""
        self._seq += 1
        return self._seq, self.clock() - self._start

    def add(self, record: Record) -> None:
        """Append a record and tell every listener, in order."""
        self._keep(record)
        for listener in tuple(self._listeners):
            listener(record)

    def add_frame(self, record: FrameSent, data: bytes) -> None:
        """Append a record without the bytes of its frame and tell every listener with them."""
        self._keep(record)
        if self._listeners:
            heard = evolve(record, data=data)
            for listener in tuple(self._listeners):
                listener(heard)

    def _keep(self, record: Record) -> None:
        if len(self.records) >= self.limit:
            stale = max(1, self.limit // 10)
            del self.records[:stale]
            self.dropped += stale
        self.records.append(record)

    def listen(self, listener: Callable[[Record], None]) -> Callable[[], None]:
        """Call `listener` with every record to come; returns how to stop."""
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def clear(self, limit: int) -> None:
        """Forget the records and take another limit; numbers go on."""
        self.records.clear()
        self.dropped = 0
        self.limit = limit

    def after(self, seq: int) -> list[Record]:
        """Return the records with a greater number."""
        return self.records[bisect_right(self.records, seq, key=lambda record: record.seq) :]


def record_to_dict(record: Record) -> dict[str, object]:
    """Turn a record into what JSON can hold; bodies that are JSON appear once, parsed."""
    found: dict[str, object] = {"kind": type(record).__name__}
    for attribute in attrs.fields(type(record)):
        if attribute.metadata.get("for listeners"):
            continue
        value: object = getattr(record, attribute.name)
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        elif isinstance(value, Route | Ending):
            value = value.value
        found[attribute.name] = value
    return found


def to_jsonl(records: Iterable[Record]) -> str:
    """Write records as JSON, one a line."""
    lines = (json.dumps(record_to_dict(record)) for record in records)
    return "".join(line + "\n" for line in lines)
