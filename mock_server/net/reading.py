"""Read the requests of one connection with h11, within limits on their size and time.

Every request gets a new h11 connection, because h11 reads no further request after a
`CONNECT` or a `Connection: close`.
"""

from collections.abc import Callable
from http import HTTPStatus
from typing import Final

import anyio
import h11
from attrs import define, evolve, field, frozen

from mock_server.faults.plan import ExchangePlan
from mock_server.faults.request import slow_read_of
from mock_server.faults.response import Head, listed
from mock_server.net.failure import what_is_wrong
from mock_server.net.notes import ExchangeNotes
from mock_server.net.service import Service
from mock_server.net.wire import Wire
from mock_server.requests import Request, request_of, unanswerable
from mock_server.scenario.serving import Expect

_BLOCK: Final = 65_536
_SLOW_BLOCK: Final = 1024
_LOOK_EVERY: Final = 0.2
_SMALL: Final = 16_384


class Refused(Exception):
    """The server refuses what it has read; the client gets `status` and `why`."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


class ClientLeft(Exception):
    """The client closed the connection before a whole request arrived; `str()` is fin or rst."""


@frozen
class Arrived:
    """A request, the plan of its exchange, and the notes that record it."""

    request: Request
    plan: ExchangePlan
    notes: ExchangeNotes
    keep_alive: bool
    chunks_allowed: bool


@define(eq=False)
class RequestReader:
    """Reads the requests of one connection, one after another."""

    _service: Service
    _wire: Wire
    _number: int
    _http: h11.Connection = field(init=False)
    _held: int = field(default=0, init=False)
    """How many bytes of this connection are counted in the service's `open_bytes`."""
    _dropped: bool = field(default=False, init=False)
    """Whether bytes from the client were dropped instead of being read as a request."""
    _used: bool = field(default=False, init=False)
    """Whether a request has already been read on this connection."""
    asked: Request | None = field(default=None, init=False)
    """The request that is being read, without its body."""

    def __attrs_post_init__(self) -> None:
        self._http = self._fresh()

    def _fresh(self) -> h11.Connection:
        limit = self._service.limits.header_bytes
        return h11.Connection(h11.SERVER, max_incomplete_event_size=limit)

    async def next(self) -> Arrived:
        """Return the next whole request, or raise Refused or ClientLeft."""
        if self._dropped:
            raise Refused(
                HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                "too much was sent while an event stream was open; wait for the stream to end",
            )
        rest = self._http.trailing_data[0]
        if self._used:
            self._http = self._fresh()
        self._used = True
        self._hold(len(rest) - self._held)
        if rest:
            self._http.receive_data(rest)
        else:
            await self._more(_BLOCK)
        with anyio.move_on_after(self._service.limits.request_time):
            return await self._whole_request()
        raise Refused(HTTPStatus.REQUEST_TIMEOUT, "the request did not arrive in time")

    async def stays_silent(self, seconds: float) -> bool:
        """Return True if no request begins within `seconds`; raise ClientLeft if the client closes."""
        if self._http.trailing_data[0]:
            return False
        with anyio.move_on_after(seconds):
            await self._more(_BLOCK)
            return False
        return True

    def forget(self) -> None:
        """Drop all received bytes, because no further request will be read."""
        self._http = self._fresh()
        self._hold(-self._held)

    async def watch(self, is_idle: Callable[[], bool]) -> str | None:
        """Keep reading while a request is answered; return how the client closed (fin or rst).

        Stops reading after `header_bytes`: a client that sends more has to wait for its response
        first. While `is_idle()` is true, that wait could last forever, and unread bytes would hide
        that the client has closed, so further bytes are read and dropped. Returns None if the
        server itself has closed the connection.
        """
        waiting = len(self._http.trailing_data[0])
        try:
            while data := await self._wire.receive():
                waiting += len(data)
                self._http.receive_data(data)
                if not self._hold(len(data)) or waiting > self._service.limits.header_bytes:
                    return await self._until_closed(is_idle)
        except anyio.ClosedResourceError:
            return None
        except OSError:
            return "rst"
        return "fin"

    async def _until_closed(self, is_idle: Callable[[], bool]) -> str:
        while True:
            with anyio.move_on_after(_LOOK_EVERY):
                return await self._wire.until_peer_closes_unread()
            while is_idle():
                with anyio.move_on_after(_LOOK_EVERY):
                    if not await self._wire.receive():
                        return "fin"
                    self._dropped = True

    def _hold(self, size: int) -> bool:
        """Add `size` to the bytes held; return False if all connections together hold too many."""
        self._held += size
        return self._service.hold(size)

    async def _whole_request(self) -> Arrived:
        head = await self._event()
        if isinstance(head, h11.ConnectionClosed):
            raise ClientLeft("fin")
        if not isinstance(head, h11.Request):
            raise Refused(HTTPStatus.BAD_REQUEST, "no request line")
        headers = tuple((name.decode(), value.decode("latin-1")) for name, value in head.headers)
        method, target = head.method.decode(), head.target.decode("latin-1")
        serving = self._service.serving
        if (refused := unanswerable(method, target, serving.targets)) is not None:
            # A malformed target may contain a password (RFC 3986, 3.2.1), so do not record it.
            self.asked = request_of(method, "", headers, b"")
            raise Refused(*refused)
        self.asked = bare = request_of(method, target, headers, b"", serving.paths)
        rules = self._service.rules
        counted = rules.exchange(*bare.about) if self._service.claims is None else None
        # A request that may be for another server is counted only once it is complete.
        rate = slow_read_of(counted.rules) if counted else rules.reading_rate(*bare.about)
        await self._invite_body()
        body, dropped = await self._body(bare, rate)
        request = evolve(bare, body=body)
        plan = counted or self._claimed(request)
        self.asked = None
        notes = ExchangeNotes(self._service, self._number, plan.about)
        notes.asked(request, dropped)
        modern = head.http_version == b"1.1"
        keep_alive = modern and "close" not in listed(headers, "connection")
        return Arrived(request, plan, notes, keep_alive, modern)

    async def _invite_body(self) -> None:
        """Send a 100 if the client waits for one before sending a body (RFC 9110, 10.1.1)."""
        honoured = self._service.serving.expect is Expect.HONOURED
        if honoured and self._http.they_are_waiting_for_100_continue:
            await self._wire.send(Head(100, "Continue", ()).render())
            self._http.send(h11.InformationalResponse(status_code=100, headers=[]))

    def _claimed(self, request: Request) -> ExchangePlan:
        """Count a whole request; raise Refused if it is meant for another server."""
        if self._service.claims is not None and not self._service.claims(request):
            raise Refused(
                HTTPStatus.MISDIRECTED_REQUEST, "this request is not meant for this server"
            )
        return self._service.rules.exchange(*request.about)

    async def _body(self, request: Request, rate: int | None) -> tuple[bytes, int]:
        """Read the body; return it and 0, or b"" and the number of bytes that were dropped.

        A long body is dropped if the request has no valid token, because any client could send it.
        """
        limit = self._service.limits.body_bytes
        keep = limit if self._service.admits(request) else min(_SMALL, limit)
        parts: list[bytes] = []
        size = 0
        while isinstance(event := await self._event(rate), h11.Data):
            size += len(event.data)
            if size > limit:
                why = f"the body is larger than {limit} bytes"
                raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, why)
            if size <= keep:
                parts.append(bytes(event.data))
            else:
                parts.clear()
                self._hold(-min(self._held, len(event.data)))
        return b"".join(parts), size if size > keep else 0

    async def _event(self, rate: int | None = None) -> h11.Event:
        try:
            while True:
                event = self._http.next_event()
                if event is h11.NEED_DATA:
                    await self._more(_BLOCK if rate is None else min(rate, _SLOW_BLOCK), rate)
                elif event is h11.PAUSED or isinstance(event, type):
                    why = "a request arrived before the response to the previous one was sent"
                    raise Refused(HTTPStatus.BAD_REQUEST, why)
                else:
                    return event
        except h11.RemoteProtocolError as error:
            raise Refused(error.error_status_hint, what_is_wrong(error)) from None

    async def _more(self, block: int, rate: int | None = None) -> None:
        try:
            data = await self._wire.receive(block)
        except OSError:
            raise ClientLeft("rst") from None
        if not data:
            raise ClientLeft("fin")
        self._http.receive_data(data)
        if not self._hold(len(data)):
            raise Refused(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "all open requests together are too large; retry later, or raise limits.open_bytes",
            )
        if rate is not None:
            await anyio.sleep(len(data) / rate)
