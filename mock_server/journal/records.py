"""The records of the journal: what happened to each connection, request and frame.

Records never contain secrets: credentials are removed before a record is made.
"""

import json
from collections.abc import Iterable
from itertools import chain
from typing import Final, TypeVar

import attrs
from attrs import evolve, field, frozen

from mock_server.redaction import LONGEST, shortened
from mock_server.scenario.vocabulary import Route
from mock_server.scenario.words.end import Ending
from mock_server.weights import weight_of

_RECORD: Final = 320
_TEXT: Final = 160
_FOR_LISTENERS: Final = {"for listeners": True}


@frozen
class ConnectionOpened:
    """A client connected; `connection` is its number, counted from 1."""

    seq: int
    at: float
    connection: int


@frozen
class RequestReceived:
    """A complete request arrived. Header names are lower case; credentials are redacted."""

    seq: int
    at: float
    connection: int
    route: Route
    attempt: int
    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    authorized: bool
    """Whether the request had an Authorization header."""
    body: bytes = field(repr=False)
    json: object
    job: str | None
    last_event_id: str | None


@frozen
class RequestRejected:
    """The server refused a request with `status`.

    `method` and `path` (the target without its query) are None if the head could not be read.
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
    """The last byte of a frame was sent; `index` is its number in the exchange, from 1."""

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
    """The frame without chunk framing; listeners receive it, but the journal does not store it."""


@frozen
class UpstreamFailed:
    """The real backend behind a proxy sent no response, or only a part of one.

    `reason` is one of refused, reset, dns, tls, timeout, unreachable, malformed, truncated and
    compressed; `why` is a sentence that explains it.
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
    """An exchange ended.

    `how` is how it ended, such as eof or rst; `by` is the side that ended it, server or client.
    """

    seq: int
    at: float
    connection: int
    route: Route
    attempt: int
    how: str
    by: str


@frozen
class ConnectionClosed:
    """A connection ended; `how` is fin, rst, …, and `by` is the side that ended it."""

    seq: int
    at: float
    connection: int
    by: str
    how: str


@frozen
class PortChanged:
    """An outage of the port began or ended; `state` is down, blackhole or up."""

    seq: int
    at: float
    state: str


@frozen
class ConnectionFailed:
    """A bug in the mock server ended a connection; this is never the client's fault.

    `error` is the type of the exception, `where` the module and line. The exception's message is
    left out because it may contain what the client sent.
    """

    seq: int
    at: float
    connection: int
    error: str
    where: str


@frozen
class RuleFired:
    """A rule fired; `rule` is its number, counted from 1."""

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


R = TypeVar("R", bound=Record)


def with_short_texts(record: R) -> R:
    """Return the record, with long texts that came from a peer shortened."""
    match record:
        case RequestReceived() if _any_long(record.method, record.target, *chain(*record.headers)):
            return evolve(
                record,
                method=shortened(record.method),
                target=shortened(record.target),
                headers=tuple((shortened(n), shortened(v)) for n, v in record.headers),
                job=_short(record.job),
                last_event_id=_short(record.last_event_id),
            )
        case RequestRejected() if _any_long(record.method, record.path):
            return evolve(record, method=_short(record.method), path=_short(record.path))
        case FrameSent() if _any_long(record.id, record.event, record.type):
            id_, event, kind = map(_short, (record.id, record.event, record.type))
            return evolve(record, id=id_, event=event, type=kind)
        case ResponseStarted() if _any_long(record.retry_after):
            return evolve(record, retry_after=_short(record.retry_after))
        case _:
            return record


def _any_long(*texts: str | None) -> bool:
    return any(text is not None and len(text) > LONGEST for text in texts)


def _short(text: str | None) -> str | None:
    return text and shortened(text)


def size_of(record: Record) -> int:
    """Estimate how much memory a record takes, in bytes."""
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
    """Convert a record to a JSON object; a JSON body is also included in parsed form."""
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
    """Return the records as JSON Lines: one JSON object per line."""
    lines = (json.dumps(record_to_dict(record)) for record in records)
    return "".join(line + "\n" for line in lines)
