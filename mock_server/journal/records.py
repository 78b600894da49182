"""What happened, in order: connections, requests, frames, ends.

A record never has a secret: credentials are taken out before it is made.
"""

import json
import time
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

import attrs
from attrs import define, evolve, field, frozen

from mock_server.redaction import LONGEST, shortened
from mock_server.scenario.vocabulary import Ending, Route
from mock_server.weights import weight_of

_HEAVY: Final = 1024
_RECORD: Final = 320
_TEXT: Final = 160
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
class UpstreamFailed:
    """The real backend behind a proxy gave no answer, or only a part of one.

    `reason` is one of refused, reset, dns, tls, timeout, unreachable, malformed, truncated and
    compressed; `why` says it in a sentence.
    """

    seq: int
    at: float
    connection: int
    route: Route
    attempt: int
    reason: str
    why: str


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
class ConnectionFailed:
    """The server failed, and a connection ended with it: a bug, never the client's doing.

    `error` is the kind of the exception, `where` the module and line: nothing of its message, which
    can hold what the client sent.
    """

    seq: int
    at: float
    connection: int
    error: str
    where: str


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
    | UpstreamFailed
    | ExchangeEnded
    | ConnectionClosed
    | ConnectionFailed
    | RuleFired
    | PortChanged
)


@define
class Journal:
    """All records so far, within two bounds: a number of records, and bytes of memory, roughly.

    Over the bytes, the oldest bodies give way first, then the oldest records; `bodies_dropped` and
    `dropped` count them.
    """

    limit: int = 1_000_000
    clock: Callable[[], float] = time.monotonic
    bytes_limit: int = 48 << 20
    records: list[Record] = field(factory=list[Record], init=False)
    dropped: int = field(default=0, init=False)
    bodies_dropped: int = field(default=0, init=False)
    size: int = field(default=0, init=False)
    """The memory of the records, roughly, in bytes."""
    _bodies: deque[int] = field(factory=deque[int], init=False)
    """The numbers of the records whose bodies weigh something, the oldest first."""
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
        record = _shortened(record)
        self._keep(record)
        for listener in tuple(self._listeners):
            listener(record)

    def add_frame(self, record: FrameSent, data: bytes) -> None:
        """Append a record without the bytes of its frame and tell every listener with them."""
        record = _shortened(record)
        self._keep(record)
        if self._listeners:
            heard = evolve(record, data=data)
            for listener in tuple(self._listeners):
                listener(heard)

    def _keep(self, record: Record) -> None:
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

    def _drop_body(self, seq: int) -> None:
        index = bisect_left(self.records, seq, key=lambda record: record.seq)
        if index < len(self.records) and isinstance(found := self.records[index], RequestReceived):
            note = f"[dropped: {len(found.body)} bytes, the journal is full]".encode()
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
        """Call `listener` with every record to come; returns how to stop."""
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def clear(self, limit: int, bytes_limit: int | None = None) -> None:
        """Forget the records and take other limits; numbers go on."""
        self.records.clear()
        self._bodies.clear()
        self.dropped = self.bodies_dropped = self.size = 0
        self.limit = limit
        self.bytes_limit = self.bytes_limit if bytes_limit is None else bytes_limit

    def after(self, seq: int, most: int | None = None) -> list[Record]:
        """Return the records with a greater number, at most so many."""
        start = bisect_right(self.records, seq, key=lambda record: record.seq)
        return self.records[start : None if most is None else start + most]


R = TypeVar("R", bound=Record)


def _shortened(record: R) -> R:
    match record:
        case RequestReceived() if (
            len(record.target) + sum(len(name) + len(value) for name, value in record.headers)
            > LONGEST
            or len(record.method) > LONGEST
        ):
            return evolve(
                record,
                method=shortened(record.method),
                target=shortened(record.target),
                headers=tuple((shortened(n), shortened(v)) for n, v in record.headers),
                job=record.job and shortened(record.job),
                last_event_id=record.last_event_id and shortened(record.last_event_id),
            )
        case RequestRejected() if record.path is not None:
            return evolve(
                record,
                method=record.method and shortened(record.method),
                path=shortened(record.path),
            )
        case FrameSent():
            texts = (record.id, record.event, record.type)
            if any(text is not None and len(text) > LONGEST for text in texts):
                id_, event, kind = (text and shortened(text) for text in texts)
                return evolve(record, id=id_, event=event, type=kind)
            return record
        case ResponseStarted() if record.retry_after is not None:
            return evolve(record, retry_after=shortened(record.retry_after))
        case _:
            return record


def size_of(record: Record) -> int:
    """Estimate the memory of a record, in bytes."""
    match record:
        case RequestReceived():
            texts = sum(_TEXT + len(name) + len(value) for name, value in record.headers)
            return _RECORD + texts + len(record.target) + len(record.body) + weight_of(record.json)
        case RequestRejected():
            return _RECORD + len(record.path or "")
        case FrameSent():
            return _RECORD + len(record.id or "") + len(record.event or "")
        case _:
            return _RECORD


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
