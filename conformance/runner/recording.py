"""Turn what the mock records about the backend of one case into events of the case's trace."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final, assert_never

from attrs import define, field

from conformance.drive.recorder import Recorder
from conformance.trace.events import (
    Closed,
    Connected,
    Ended,
    Fact,
    Framed,
    Noted,
    Requested,
    Responded,
    Stranger,
)
from mock_server import (
    ConnectionClosed,
    ConnectionFailed,
    ConnectionOpened,
    ExchangeEnded,
    FrameSent,
    PortChanged,
    Record,
    RequestReceived,
    RequestRejected,
    ResponseStarted,
    RuleFired,
    UpstreamFailed,
)
from mock_server.redaction import redacted_value
from mock_server.requests import Request

_MOST_STRANGE: Final = 30
"""A trace has at most this many requests from other programs, and as many idle connections."""
_EVENTS_OF_A_CONNECTION: Final = 2


@define
class Recording:
    """Records the events of one backend in a trace.

    Another program that keeps connecting must not fill the trace or keep the case alive, so its
    events are counted separately, and left out once there are too many of them.
    """

    recorder: Recorder
    drain: Callable[[], None]
    jobs: list[str] = field(factory=list[str])
    claimed: Request | None = field(default=None, init=False, repr=False)
    """The request that the mock will report next, exactly as it was sent, because that is what the
    case judges. In the mock's own record of it, everything that may be a secret is hidden."""
    _carried: dict[int, list[str]] = field(factory=dict[int, list[str]], alias="carried")
    _held: set[int] = field(factory=set[int], init=False)
    """Connections that are left out of the trace until they carry a request of the case."""
    _idle: int = field(default=0, init=False)
    """The number of closed connections that carried no request of the case."""
    _strange: int = field(default=0, init=False)

    def take(self, record: Record) -> None:
        """Add what the mock reports to the trace, after the messages that the driver has sent."""
        if isinstance(record, RequestReceived | ConnectionClosed):
            self.drain()
        fact = self._fact(record)
        if fact is not None:
            self.recorder.add(fact)

    def _fact(  # noqa: C901, PLR0911 - one arm per record
        self, record: Record
    ) -> Fact | None:
        match record:
            case ConnectionOpened(connection=connection):
                return self._opened(connection)
            case RequestReceived():
                return self._request(record)
            case RequestRejected(status=HTTPStatus.MISDIRECTED_REQUEST):
                return None  # `take_strange` or `take_late` has recorded it
            case RequestRejected(status=status, why=why):
                few = self._idle < _MOST_STRANGE
                return Noted("backend", f"answers {status}: {why}") if few else None
            case ResponseStarted(route=route, attempt=attempt, status=status):
                return Responded(route.value, attempt, status)
            case FrameSent(route=route, attempt=attempt, index=index, id=id_, event=event):
                return Framed(route.value, attempt, index, id_, event, record.data)
            case ExchangeEnded(route=route, attempt=attempt, how=how, by=by):
                return Ended(route.value, attempt, how, by)
            case ConnectionClosed(connection=connection, how=how, by=by):
                return self._closed(Closed(connection, how, by, self._exchanges(connection)))
            case ConnectionFailed(error=error, where=where):
                return Noted("backend", f"fails: {error} at {where}")
            case RuleFired() | PortChanged() | UpstreamFailed():
                return None
            case _:
                assert_never(record)

    def _opened(self, connection: int) -> Fact | None:
        if self._idle < _MOST_STRANGE:
            return Connected(connection)
        self._held.add(connection)
        return None

    def _exchanges(self, connection: int) -> tuple[str, ...]:
        return tuple(self._carried.pop(connection, ()))

    def _closed(self, closed: Closed) -> Fact | None:
        if closed.exchanges:
            return closed
        self._idle += 1
        if closed.connection in self._held:
            self._held.discard(closed.connection)
            return None
        self.recorder.foreign += _EVENTS_OF_A_CONNECTION
        return closed

    def take_strange(self, request: Request) -> None:
        """Record a request from another program, unless the trace already has too many of them."""
        self._strange += 1
        if self._strange <= _MOST_STRANGE:
            self.recorder.foreign += 1
            self.recorder.add(Stranger(request.method, request.target.partition("?")[0]))
        elif self._strange == _MOST_STRANGE + 1:
            self.recorder.add(
                Noted(
                    "kit",
                    "leaves out further requests from other programs, because there are too many",
                )
            )

    def take_late(self, request: Request) -> None:
        """Record a request of this case that reached the backend of another case."""
        route = request.route.value
        before = sum(1 for _, fact in self.recorder.trace.of(Requested) if fact.route == route)
        self.recorder.add(
            Requested(
                route=route,
                attempt=before + 1,
                method=request.method,
                target=request.target,
                headers=_headers(request),
                body=request.body.decode("utf-8", "replace"),
                connection=0,
            )
        )

    def _request(self, record: RequestReceived) -> Requested:
        exchange = f"{record.route.value}#{record.attempt}"
        if record.connection in self._held:
            self._held.discard(record.connection)
            self.recorder.add(Connected(record.connection))
        self._carried.setdefault(record.connection, []).append(exchange)
        request, self.claimed = self.claimed, None
        if request is None:
            raise RuntimeError("the mock reported a request that does not belong to any case")
        if request.job is not None:
            self.jobs.append(request.job)
        return Requested(
            route=record.route.value,
            attempt=record.attempt,
            method=record.method,
            target=request.target,
            headers=_headers(request),
            body=request.body.decode("utf-8", "replace"),
            connection=record.connection,
        )


def _as_utf8(value: str) -> str:
    """Decode a header value as UTF-8; the mock has decoded it as Latin-1."""
    return value.encode("latin-1").decode("utf-8", "replace")


def _headers(request: Request) -> tuple[tuple[str, str], ...]:
    """Return the header fields of a request, with its credentials redacted."""
    return tuple(
        (name, redacted_value(name, value) if name == "authorization" else _as_utf8(value))
        for name, value in request.headers
    )
