"""Serve one connection: read and answer one request after another until the connection ends.

Any error ends this connection and nothing else. The journal records the kind and place of the
error, never what the peer sent. h11 is used only to read requests; `exchange.py` writes the responses,
because some faults need bytes that h11 refuses to write.
"""

import ssl
from collections.abc import Awaitable, Iterator
from contextlib import suppress
from http import HTTPStatus
from traceback import walk_tb
from typing import Final

import anyio
from attrs import define, field

from mock_server.backend.answers import refuse
from mock_server.faults.end import idle_end_of
from mock_server.faults.response import Head, phrase_of
from mock_server.journal.records import (
    ConnectionClosed,
    ConnectionFailed,
    ConnectionOpened,
    RequestRejected,
)
from mock_server.net.exchange import Ended, ExchangeOnWire, OriginFailed
from mock_server.net.failure import is_group
from mock_server.net.reading import Arrived, ClientLeft, Refused, RequestReader
from mock_server.net.service import Service
from mock_server.net.tls.server import ServerTls
from mock_server.net.wire import Wire
from mock_server.redaction import redacted_target
from mock_server.requests import Request
from mock_server.scenario.serving import HalfClose
from mock_server.scenario.vocabulary import Route
from mock_server.scenario.words.connection import Accepting, TlsFault
from mock_server.scenario.words.end import Ending, IdleEnd

_GARBAGE: Final = b"\x16\x03\x00garbage\xff\xfe\r\n\r\n"
_NOT_TLS: Final = b"this is no TLS at all\r\n"
_REFUSING: Final = frozenset({TlsFault.CLIENT_CERTIFICATE, TlsFault.NO_SHARED_CIPHER})
_FIN_SOON: Final = 0.01
"""How long, in seconds, to wait for a FIN that the client sent right after its request."""


@define(eq=False)
class ServerConnection:
    """One accepted connection; call `run` or `serve_one` once. Both always close the wire."""

    _service: Service
    wire: Wire
    number: int
    leaks: bool = field(default=False, init=False)
    """Whether the closed connection still counts as open (`leak = true`)."""
    _reader: RequestReader = field(init=False)
    _exchanging: ExchangeOnWire | None = field(default=None, init=False)
    _closed_by: tuple[str, str] = field(default=("server", "fin"), init=False)
    _scope: anyio.CancelScope | None = field(default=None, init=False)
    _forced: Ending | None = field(default=None, init=False)
    closed: anyio.Event = field(factory=anyio.Event, init=False)
    """Set once the socket is closed."""

    def __attrs_post_init__(self) -> None:
        self._reader = RequestReader(self._service, self.wire, self.number)

    async def run(self) -> None:
        """Serve until one side ends the connection."""
        journal = self._service.journal
        journal.add(ConnectionOpened(*journal.stamp(), self.number))
        await self._guarded(self._run())

    @property
    def request(self) -> Request | None:
        """The request that is being answered now."""
        return None if self._exchanging is None else self._exchanging.request

    async def serve_one(self, arrived: Arrived) -> None:
        """Answer one request that was read elsewhere, then end the connection."""
        await self._guarded(self._serve_one(arrived))

    async def _serve_one(self, arrived: Arrived) -> None:
        await self._part(await self._exchange(arrived))

    async def _run(self) -> None:
        with anyio.CancelScope() as self._scope:
            if self._forced is not None:
                self._scope.cancel()  # `end_now` was called first
            plan = self._service.rules.connection(self.number)
            if plan.accept is not None:
                await self._mistreat(plan.accept)
            elif await self._secure(plan.tls):
                await self._serve()

    async def _guarded(self, work: Awaitable[None]) -> None:
        """Await `work`; record any error, and always close the connection."""
        try:
            await work
        except ClientLeft as left:
            self._closed_by = ("client", str(left))
        except OSError:  # includes the TimeoutError of a handshake
            self._closed_by = ("client", "rst")
        except Exception as error:  # noqa: BLE001 - recorded: it is a bug in the server
            self._note_failure(error)
            await self._apologise()
        except BaseExceptionGroup as group:
            bugs, others = group.split(Exception)
            if bugs is not None:
                self._note_failure(bugs)
            if others is not None:
                raise others from None
        finally:
            self._reader.forget()
            if self._forced is not None and not self.wire.closed:
                end = self.wire.reset if self._forced is Ending.RST else self.wire.fin
                end()
            self.wire.close()
            self.closed.set()
            journal = self._service.journal
            journal.add(ConnectionClosed(*journal.stamp(), self.number, *self._closed_by))

    def _note_failure(self, error: BaseException) -> None:
        journal = self._service.journal
        for bug in _leaves(error):
            where = (type(bug).__name__, _place(bug))
            journal.add(ConnectionFailed(*journal.stamp(), self.number, *where))

    async def _apologise(self) -> None:
        """Send the client an error response, or an RST if part of a response was already sent."""
        with suppress(OSError):
            if self._exchanging is not None and self._exchanging.begun:
                self._closed_by = ("server", "rst")
                self.wire.reset()
                return
            status = self._service.failure
            await self.wire.finish(rejection(status, "this server failed; see its journal"))

    def end_now(self, how: Ending) -> None:
        """End the connection at once: with an RST if `how` asks for one, otherwise with a FIN."""
        self._forced = how
        self._closed_by = ("server", "rst" if how is Ending.RST else "fin")
        if self._scope is not None:
            self._scope.cancel()

    async def _until_client_closes(self) -> None:
        with anyio.move_on_after(self._service.limits.stall_time):
            self._closed_by = ("client", await self.wire.until_peer_closes())

    async def _secure(self, fault: TlsFault | None) -> bool:
        """Do the TLS handshake, if any; return False if a fault ended the connection."""
        settings = self._service.tls
        if settings is None:
            return True
        if fault is TlsFault.HANG:
            self._closed_by = ("server", fault.value)
            await self._until_client_closes()
            return False
        if fault is TlsFault.GARBAGE:
            self._closed_by = ("server", fault.value)
            await self.wire.receive()
            await self.wire.finish(_NOT_TLS)
            return False
        tls = ServerTls(settings.context(fault), notify=fault is not TlsFault.NO_CLOSE_NOTIFY)
        try:
            with anyio.fail_after(self._service.limits.request_time):
                await self.wire.secure(tls)
        except ssl.SSLError:
            if fault is None or fault not in _REFUSING:
                raise
            # The client may have sent its request. If the connection were closed with the request
            # unread, the client would get a reset instead of the alert.
            self._closed_by = ("server", fault.value)
            await self.wire.finish()
            return False
        return True

    async def _mistreat(self, accept: Accepting) -> None:
        """Apply the `accept` fault of a rule about connections."""
        self._closed_by = ("server", accept.value)
        match accept:
            case Accepting.RST:
                self.wire.reset()
            case Accepting.FIN:
                self.wire.fin()
            case Accepting.GARBAGE:
                await self.wire.finish(_GARBAGE)
            case Accepting.HANG:
                await self._until_client_closes()

    async def _serve(self) -> None:
        while True:
            arrived = await self._next()
            if isinstance(arrived, Refused):
                await self._reject(arrived)
                return
            ended = await self._exchange(arrived)
            if not ended.reusable:
                await self._part(ended)
                return
            idle = idle_end_of(arrived.plan.rules)
            if idle is not None and await self._reader.stays_silent(idle[1]):
                await self._end_idle(idle[0])
                return

    async def _end_idle(self, how: IdleEnd) -> None:
        self._closed_by = ("server", how.value)
        match how:
            case IdleEnd.FIN:
                self.wire.fin()
            case IdleEnd.RST:
                await self.wire.drain()
                self.wire.reset()
            case IdleEnd.TIMEOUT:
                status = HTTPStatus.REQUEST_TIMEOUT
                await self.wire.finish(rejection(status, "no request arrived in time"))

    async def _next(self) -> Arrived | Refused:
        try:
            return await self._reader.next()
        except Refused as refused:
            # The traceback would keep the received bytes in memory while the client is answered.
            self._reader.forget()
            return refused.with_traceback(None)

    async def _part(self, ended: Ended) -> None:
        if ended.how is Ending.RST:
            self._closed_by = ("server", "rst")
        elif ended.how is Ending.HALF_CLOSE:
            await self._until_client_closes()
        else:
            self.wire.fin()

    async def _exchange(self, arrived: Arrived) -> Ended:
        exchange = ExchangeOnWire(self._service, self.wire, arrived)
        self._exchanging = exchange
        left: list[str] = []
        ended: Ended | None = None
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._watch, exchange, group.cancel_scope, left)
                if self._drops_half_closed:
                    await anyio.sleep(_FIN_SOON)
                ended = await exchange.run()
                group.cancel_scope.cancel()
        except* OSError:
            left.append("fin" if exchange.half_closed else "rst")
        finally:
            if ended is None:
                by = "client" if left else "server"
                hanging = Ending.HANG.value if exchange.hanging else None
                arrived.notes.ended(hanging or (left[0] if left else "fin"), by)
        if ended is None:
            self.leaks = self._service.serving.leak and arrived.request.route is Route.STREAM
            raise ClientLeft(left[0])
        self._exchanging = None
        return ended

    @property
    def _drops_half_closed(self) -> bool:
        return self._service.serving.half_close is HalfClose.DROPPED

    async def _watch(
        self, exchange: ExchangeOnWire, scope: anyio.CancelScope, left: list[str]
    ) -> None:
        """End the exchange if the client leaves while it is being answered.

        Until the server writes to it, a client that has closed only its sending half looks like
        one that has left. It still gets its response as long as sending makes progress, up to the
        first pause that a stream or a rule causes. If the scenario drops half-closed connections,
        it gets no response.
        """
        how = await self._reader.watch(lambda: exchange.idle)
        if how is None:
            return
        if how == "fin" and not exchange.idle and not self._drops_half_closed:
            exchange.half_closed = True
            seen = -1
            while seen != exchange.written:
                seen = exchange.written
                await anyio.sleep(self._service.grace)
        left.append(how)
        scope.cancel()

    async def _reject(self, refused: Refused) -> None:
        journal = self._service.journal
        asked, why = self._reader.asked, refused.why
        method = path = None
        if asked is not None:
            method, path = asked.method, redacted_target(asked.target).partition("?")[0]
        stamp = journal.stamp()
        journal.add(RequestRejected(*stamp, self.number, refused.status, why, method, path))
        answer = rejection(refused.status, why, to_head=method == "HEAD")
        with suppress(OSError):
            await self.wire.finish(answer)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if is_group(error):
        for each in error.exceptions:
            yield from _leaves(each)
    else:
        yield error.__cause__ if isinstance(error, OriginFailed) and error.__cause__ else error


def _place(error: BaseException) -> str:
    """Return the module and line of the innermost `mock_server` frame in an error's traceback."""
    frames = [
        (frame.f_globals.get("__name__", ""), line) for frame, line in walk_tb(error.__traceback__)
    ]
    ours = [f"{name}:{line}" for name, line in frames if str(name).startswith("mock_server")]
    return ours[-1] if ours else "?"


def rejection(status: int, why: str, *, to_head: bool = False) -> bytes:
    """Render a whole error response that closes the connection; for HEAD it has no body."""
    # An overload is temporary, so the client may retry (RFC 9110, 15.6.4).
    later = [("Retry-After", "1")] if status == HTTPStatus.SERVICE_UNAVAILABLE else []
    reply = refuse(status, why, *later)
    length = ("Content-Length", str(len(reply.body)))
    headers = (*reply.headers, length, ("Connection", "close"))
    return Head(status, phrase_of(status), headers).render() + (b"" if to_head else reply.body)
