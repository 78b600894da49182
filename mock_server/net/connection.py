"""One connection: requests in, exchanges one after the other, until somebody ends it.

It knows HTTP/1.1 framing of requests (through h11) and its limits. It refuses to know what is
answered. h11 parses; heads and bodies are rendered by the exchange, because faults need bytes that
h11 rightly refuses to write.
"""

from contextlib import suppress
from http import HTTPStatus
from typing import Final

import anyio
import h11
from attrs import define, field, frozen

from mock_server.backend import refuse
from mock_server.engine import slow_read_of
from mock_server.heads import Head, phrase_of
from mock_server.journal import (
    ConnectionClosed,
    ConnectionOpened,
    Journal,
    RequestReceived,
    RequestRejected,
)
from mock_server.net.exchange import Ended, ExchangeOnWire
from mock_server.net.service import Service
from mock_server.net.tls import ServerTls, send_garbage, shake_hands
from mock_server.net.wire import AnyWire, Wire
from mock_server.program import ExchangeProgram
from mock_server.redaction import redacted_body, redacted_headers, redacted_target
from mock_server.routing import Request, json_of, request_of
from mock_server.vocabulary import Accepting, Ending, TlsFault

_SLOW_BLOCK: Final = 1024
# A refusal: after a 2xx to a CONNECT, h11 would take the connection for a tunnel.
_STAND_IN: Final = h11.Response(status_code=500, headers=[("Transfer-Encoding", "chunked")])


class _Refused(Exception):
    """What arrived is no request that this server takes."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


class _ClientLeft(Exception):
    """The client closed while a request was awaited."""


@frozen
class _Arrived:
    """A request with what the engine decided about it."""

    request: Request
    program: ExchangeProgram
    keep_alive: bool
    chunks_allowed: bool


@define(eq=False)
class ServerConnection:
    """One accepted connection; `run` it once, and it closes its wire whatever happens."""

    _service: Service
    _wire: AnyWire
    number: int
    _http: h11.Connection = field(init=False)
    _closed_by: tuple[str, str] = field(default=("server", "fin"), init=False)
    _scope: anyio.CancelScope | None = field(default=None, init=False)
    _forced: Ending | None = field(default=None, init=False)
    _asked: Request | None = field(default=None, init=False)
    """The request that is being read, as far as its head tells."""

    def __attrs_post_init__(self) -> None:
        limit = self._service.limits.header_bytes
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=limit)

    async def run(self) -> None:
        """Serve until one side ends the connection."""
        journal = self._service.journal
        journal.add(ConnectionOpened(*journal.stamp(), self.number))
        try:
            with anyio.CancelScope() as self._scope:
                if self._forced is not None:
                    self._scope.cancel()  # ended before it had begun
                plan = self._service.engine.connection(self.number)
                mistreated = plan.accept is not None and await self._mistreat(plan.accept)
                if not mistreated and await self._secure(plan.tls):
                    await self._serve()
        except _ClientLeft as left:
            self._closed_by = ("client", str(left))
        except OSError:  # TimeoutError of a handshake among them
            self._closed_by = ("client", "rst")
        finally:
            if self._forced is not None and not self._wire.closed:
                self._end_by_force(self._forced)
            self._note_closed()

    async def serve_one(
        self, request: Request, program: ExchangeProgram, *, chunks_allowed: bool
    ) -> None:
        """Answer one request that was read elsewhere, then end the connection."""
        try:
            ended = await self._exchange(
                _Arrived(request, program, keep_alive=False, chunks_allowed=chunks_allowed)
            )
            await self._part(ended)
        except _ClientLeft as left:
            self._closed_by = ("client", str(left))
        except OSError:
            self._closed_by = ("client", "rst")
        finally:
            self._note_closed()

    def _end_by_force(self, how: Ending) -> None:
        if how is Ending.RST:
            self._wire.reset()
        else:
            self._wire.fin()

    def _note_closed(self) -> None:
        self._wire.close()
        journal = self._service.journal
        journal.add(ConnectionClosed(*journal.stamp(), self.number, *self._closed_by))

    def end_now(self, how: Ending) -> None:
        """End the connection from outside: rst, anything else is fin."""
        self._forced = how
        self._closed_by = ("server", "rst" if how is Ending.RST else "fin")
        if self._scope is not None:
            self._scope.cancel()

    async def _secure(self, fault: TlsFault | None) -> bool:
        """Shake hands if this server speaks TLS; False when a fault ended the connection."""
        settings = self._service.tls
        if settings is None or not isinstance(self._wire, Wire):
            return True
        if fault is TlsFault.HANG:
            self._closed_by = ("server", fault.value)
            with anyio.move_on_after(self._service.limits.stall_time):
                self._closed_by = ("client", await self._wire.until_peer_closes())
            return False
        if fault is TlsFault.GARBAGE:
            self._closed_by = ("server", fault.value)
            await send_garbage(self._wire)
            return False
        context = settings.bad if fault is TlsFault.BAD_CERTIFICATE else settings.good
        tls = ServerTls(context, notify=fault is not TlsFault.NO_CLOSE_NOTIFY)
        with anyio.fail_after(self._service.limits.request_time):
            self._wire = await shake_hands(self._wire, tls)
        return True

    async def _mistreat(self, accept: Accepting) -> bool:
        """Do to the connection what a rule about connections says."""
        self._closed_by = ("server", accept.value)
        match accept:
            case Accepting.RST:
                self._wire.reset()
            case Accepting.FIN:
                self._wire.fin()
            case Accepting.GARBAGE:
                await self._wire.send(b"\x16\x03\x00garbage\xff\xfe\r\n\r\n")
                await self._wire.finish()
            case Accepting.HANG:
                with anyio.move_on_after(self._service.limits.stall_time):
                    self._closed_by = ("client", await self._wire.until_peer_closes())
        return True

    async def _serve(self) -> None:
        while True:
            try:
                arrived = await self._next_request()
            except _Refused as refused:
                await self._reject(refused)
                return
            ended = await self._exchange(arrived)
            if not ended.reusable:
                await self._part(ended)
                return
            self._next_cycle()

    async def _part(self, ended: Ended) -> None:
        if ended.how == Ending.RST:
            self._closed_by = ("server", "rst")
        elif ended.how == Ending.HALF_CLOSE:
            with anyio.move_on_after(self._service.limits.stall_time):
                self._closed_by = ("client", await self._wire.until_peer_closes())
        else:
            self._wire.fin()

    async def _exchange(self, arrived: _Arrived) -> Ended:
        exchange = ExchangeOnWire(
            self._service,
            self._wire,
            arrived.request,
            arrived.program,
            self.number,
            arrived.keep_alive,
            arrived.chunks_allowed,
        )
        left: list[str] = []
        ended: Ended | None = None
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._watch, group.cancel_scope, left)
                ended = await exchange.run()
                group.cancel_scope.cancel()
        except* OSError:
            left.append("rst")
        finally:
            if ended is None:
                by = "client" if left else "server"
                hanging = Ending.HANG.value if exchange.hanging else None
                exchange.note_end(hanging or (left[0] if left else "fin"), by)
        if ended is None:
            raise _ClientLeft(left[0])
        return ended

    async def _watch(self, scope: anyio.CancelScope, left: list[str]) -> None:
        """Notice that the client leaves while it is being answered."""
        try:
            while data := await self._wire.receive():
                self._http.receive_data(data)
                if len(self._http.trailing_data[0]) > self._service.limits.header_bytes:
                    return
            left.append("fin")
        except anyio.ClosedResourceError:
            return
        except OSError:
            left.append("rst")
        scope.cancel()

    def _next_cycle(self) -> None:
        """Tell h11 that an answer was given; what it said is none of its business."""
        self._http.send(_STAND_IN)
        self._http.send(h11.EndOfMessage())
        self._http.start_next_cycle()

    async def _next_request(self) -> _Arrived:
        if self._http.trailing_data[0] == b"":
            await self._more(65_536)
        with anyio.move_on_after(self._service.limits.request_time):
            return await self._whole_request()
        raise _Refused(408, "the request did not arrive in time")

    async def _whole_request(self) -> _Arrived:
        head = await self._event()
        if isinstance(head, h11.ConnectionClosed):
            raise _ClientLeft("fin")
        if not isinstance(head, h11.Request):
            raise _Refused(400, "no request line")
        headers = tuple((name.decode(), value.decode("latin-1")) for name, value in head.headers)
        method, target = head.method.decode(), head.target.decode("latin-1")
        self._asked = bare = request_of(method, target, headers, b"")
        counted = self._count(bare) if self._service.claims is None else None
        if self._http.they_are_waiting_for_100_continue:
            await self._wire.send(Head(100, "Continue", ()).render())
            self._http.send(h11.InformationalResponse(status_code=100, headers=[]))
        body = await self._body(self._rate(bare, counted))
        request = request_of(method, target, headers, body)
        program = self._claimed(request) if counted is None else counted
        self._asked = None
        note_request(self._service.journal, self.number, request, program)
        said = ",".join(value for name, value in headers if name == "connection")
        tokens = [token.strip() for token in said.lower().split(",")]
        modern = head.http_version == b"1.1"
        return _Arrived(request, program, modern and "close" not in tokens, modern)

    def _count(self, request: Request) -> ExchangeProgram:
        about = (request.route, request.job, request.method, request.headers)
        return self._service.engine.exchange(*about)

    def _rate(self, request: Request, counted: ExchangeProgram | None) -> int | None:
        """Return the bytes per second at which the body is read, if a rule limits them."""
        if counted is not None:
            return slow_read_of(counted.rules)
        about = (request.route, request.job, request.method, request.headers)
        return self._service.engine.reading_rate(*about)

    def _claimed(self, request: Request) -> ExchangeProgram:
        """Count a whole request, unless it was meant for another server."""
        if self._service.claims is not None and not self._service.claims(request):
            raise _Refused(HTTPStatus.MISDIRECTED_REQUEST, "this request is not for this server")
        return self._count(request)

    async def _body(self, rate: int | None) -> bytes:
        limit = self._service.limits.body_bytes
        parts: list[bytes] = []
        size = 0
        while isinstance(event := await self._event(rate), h11.Data):
            parts.append(bytes(event.data))
            size += len(event.data)
            if size > limit:
                raise _Refused(413, f"the body is larger than {limit} bytes")
        return b"".join(parts)

    async def _event(self, rate: int | None = None) -> h11.Event:
        try:
            while True:
                event = self._http.next_event()
                if event is h11.NEED_DATA:
                    await self._more(65_536 if rate is None else min(rate, _SLOW_BLOCK), rate)
                elif event is h11.PAUSED or isinstance(event, type):
                    raise _Refused(400, "a request before the last was answered")
                else:
                    return event
        except h11.RemoteProtocolError as error:
            raise _Refused(error.error_status_hint, str(error)) from None

    async def _more(self, block: int, rate: int | None = None) -> None:
        try:
            data = await self._wire.receive(block)
        except OSError:
            raise _ClientLeft("rst") from None
        if not data:
            raise _ClientLeft("fin")
        self._http.receive_data(data)
        if rate is not None:
            await anyio.sleep(len(data) / rate)

    async def _reject(self, refused: _Refused) -> None:
        journal = self._service.journal
        asked, why = self._asked, refused.why
        method = path = None
        if asked is not None:
            method, path = asked.method, redacted_target(asked.target.partition("?")[0])
        stamp = journal.stamp()
        journal.add(RequestRejected(*stamp, self.number, refused.status, why, method, path))
        answer = rejection(refused.status, why, to_head=method == "HEAD")
        with suppress(OSError):
            await self._wire.send(answer)
            await self._wire.finish()


def rejection(status: int, why: str, *, to_head: bool = False) -> bytes:
    """Render a whole answer that says no and closes; to a HEAD request it has no body."""
    reply = refuse(status, why)
    headers = (
        *reply.headers,
        ("Content-Length", str(len(reply.body))),
        ("Connection", "close"),
    )
    return Head(status, phrase_of(status), headers).render() + (b"" if to_head else reply.body)


def note_request(
    journal: Journal, connection: int, request: Request, program: ExchangeProgram
) -> None:
    """Write a whole request down, without its secrets."""
    body = redacted_body(request.body, request.header("content-type") or "")
    journal.add(
        RequestReceived(
            *journal.stamp(),
            connection,
            request.route,
            program.about.attempt,
            request.method,
            redacted_target(request.target),
            redacted_headers(request.headers),
            authorized=request.header("authorization") is not None,
            body=body,
            json=json_of(body),
            job=request.job,
            last_event_id=request.header("last-event-id"),
        )
    )
