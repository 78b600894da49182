"""HTTP exchanges over anyio: connect, send and read.

This module handles sockets, TLS, connection timeouts, and the reuse of idle connections.
"""

import os
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from inspect import isawaitable
from typing import Final, TypeAlias

import anyio
import h11
from anyio.abc import ByteStream, SocketAttribute
from anyio.lowlevel import checkpoint_if_cancelled
from anyio.streams.tls import TLSStream
from attrs import define, field

from arkor_proto._errors import NotConnected, TransportError
from arkor_proto._messages import Report
from arkor_proto._types import Request
from arkor_proto._wire import authorized
from arkor_proto.transports._http import (
    Conversation,
    checked_token,
    is_unauthorized,
    new_connection,
    no_token,
)
from arkor_proto.transports._tcp import Address, Timeouts, check_owner, is_stale, keep_alive, reason

Carry: TypeAlias = Callable[["Exchange"], Awaitable[None]]
"""Reads the reports of an exchange up to the last one, or stops when it needs no more of them."""

_READ_SIZE: Final = 64 * 2**10
_MAX_IDLE: Final = 4
_LOST: Final = (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError)


@define
class Connection:
    """An open connection and its HTTP state."""

    stream: ByteStream
    http: h11.Connection = field(factory=new_connection)
    owner: int = field(factory=os.getpid)
    """The id of the process that opened the connection; only that process may use the connection."""

    async def send(self, data: bytes) -> None:
        """Send all of `data`, or raise TransportError."""
        check_owner(self.owner)
        try:
            await self.stream.send(data)
        except _LOST as error:
            raise TransportError(reason(error)) from error

    async def abort(self) -> None:
        """Close the connection immediately, even while another task is reading from it."""
        below = self.stream.transport_stream if isinstance(self.stream, TLSStream) else self.stream
        await anyio.aclose_forcefully(below)

    async def read(self) -> bytes:
        """Wait for data and return it, or return b"" once the peer has closed its side."""
        check_owner(self.owner)
        try:
            return await self.stream.receive(_READ_SIZE)
        except anyio.EndOfStream:
            return b""
        except _LOST as error:
            raise TransportError(reason(error)) from error


@define
class Exchange:
    """One exchange, whose reports are read one at a time, starting with the head of the response."""

    _conversation: Conversation
    _connection: Connection | None
    _reports: deque[Report]

    @property
    def unauthorized(self) -> bool:
        """Whether the response is a 401; meaningful only before the first call to `next_report`."""
        return is_unauthorized(self._reports)

    async def next_report(self) -> Report | None:
        """Return the next report, or None after the last. Cancelling the call loses no data."""
        while not self._reports:
            if self._conversation.over or self._connection is None:
                return None
            self._reports += await _read(self._connection, self._conversation)
        return self._reports.popleft()


@define
class Connector:
    """Runs exchanges with one address and keeps a few idle connections open for reuse.

    `provider`, if there is one, is called for a token before each request. `refreshes` says whether
    a request that gets a 401 is repeated once, with a new token.
    """

    address: Address
    timeouts: Timeouts
    provider: Callable[[], object] | None = None
    refreshes: bool = False
    _idle: list[Connection] = field(init=False, factory=list[Connection])
    _inherited: list[Connection] = field(init=False, factory=list[Connection])
    _closed: bool = field(init=False, default=False)

    async def aclose(self) -> None:
        """Close the idle connections; from now on, keep none open for reuse."""
        self._closed = True
        self._disown()
        while self._idle:
            await self._idle.pop().abort()

    async def run(
        self,
        number: int,
        request: Request,
        carry: Carry,
        hide: Callable[[str], None],
        *,
        reuse: bool = False,
    ) -> bool:
        """Send `request` and let `carry` read the reports; a failure is reported as `Broken`.

        `hide` is called with each token before it is sent. `reuse` allows the use of an idle
        connection; set it only for requests that may be sent twice. Return whether an idle
        connection was used.
        """
        provider, refused = self.provider, False
        if provider is None:
            return await self._run(number, request, carry, reuse=reuse)

        async def carry_unless_refused(exchange: Exchange) -> None:
            nonlocal refused
            refused = self.refreshes and exchange.unauthorized
            if not refused:
                await carry(exchange)

        async def send(carry: Carry, *, reuse: bool) -> bool:
            try:
                token = await self._token(provider)
            except Exception as error:  # noqa: BLE001 - whatever it raises is reported
                conversation = Conversation(number, request)
                report = conversation.without_token(error)
                await carry(Exchange(conversation, None, deque([report])))
                return False
            hide(token)
            return await self._run(number, authorized(request, token), carry, reuse=reuse)

        reused = await send(carry_unless_refused, reuse=reuse)
        return await send(carry, reuse=False) if refused else reused

    async def _token(self, provider: Callable[[], object]) -> str:
        with anyio.move_on_after(self.timeouts.token):
            returned = provider()
            return checked_token(await returned if isawaitable(returned) else returned)
        raise no_token(self.timeouts.token)

    async def _run(self, number: int, request: Request, carry: Carry, *, reuse: bool) -> bool:
        try:
            idle = await self._usable() if reuse else None
            connection = idle or await self._connect()
        except (*_LOST, UnicodeError) as error:
            where = f"{self.address.host}:{self.address.port}"
            why = f"cannot connect to {where}: {reason(error)}"
            conversation = Conversation(number, request)
            broken = conversation.broken(why, NotConnected)
            await carry(Exchange(conversation, None, deque([broken])))
            return False
        conversation = Conversation(number, request, connection.http)
        kept = False
        try:
            reports = await self._head(connection, conversation)
            await carry(Exchange(conversation, connection, deque(reports)))
            # Closing an exchange closes its connection, even if it has ended (ARK-STR-7).
            await checkpoint_if_cancelled()
            kept = conversation.reusable and not self._closed and len(self._idle) < _MAX_IDLE
        finally:
            if not kept:
                await connection.abort()
        if kept:
            connection.http.start_next_cycle()
            self._idle.append(connection)
        return idle is not None

    async def _head(self, connection: Connection, conversation: Conversation) -> list[Report]:
        reports: list[Report] = []
        try:
            data = conversation.opening()
        except TransportError as error:
            return [conversation.broken(str(error))]
        with anyio.move_on_after(self.timeouts.head):
            async with anyio.create_task_group() as sending:
                conversation.unsent = True
                sending.start_soon(_send, connection, conversation, data)
                while not (conversation.answered or conversation.over):
                    reports = await _read(connection, conversation)
                # A backend may respond before it has read the whole request.
                sending.cancel_scope.cancel()
            return reports
        return [conversation.broken(f"no response head within {self.timeouts.head} seconds")]

    async def _connect(self) -> Connection:
        address = self.address
        with anyio.move_on_after(self.timeouts.connect):
            if address.ssl_context is None:
                stream: ByteStream = await anyio.connect_tcp(address.host, address.port)
            else:
                stream = await anyio.connect_tcp(
                    address.host,
                    address.port,
                    ssl_context=address.ssl_context,
                    tls_hostname=address.server_name,
                )
            keep_alive(stream.extra(SocketAttribute.raw_socket))
            return Connection(stream)
        raise TimeoutError(f"no connection within {self.timeouts.connect} seconds")

    def _disown(self) -> None:
        """Set aside the connections that this process inherited when it was forked.

        Do not even close them: their event loop shares its selector with the parent process.
        """
        mine = os.getpid()
        self._inherited += [each for each in self._idle if each.owner != mine]
        self._idle = [each for each in self._idle if each.owner == mine]

    async def _usable(self) -> Connection | None:
        self._disown()
        while self._idle:
            connection = self._idle.pop()
            if not is_stale(connection.stream.extra(SocketAttribute.raw_socket)):
                return connection
            await connection.abort()
        return None


async def _send(connection: Connection, conversation: Conversation, data: bytes) -> None:
    with suppress(TransportError):  # reading the connection reports the failure
        await connection.send(data)
        conversation.unsent = False


async def _read(connection: Connection, conversation: Conversation) -> list[Report]:
    try:
        return conversation.receive(await connection.read())
    except TransportError as error:
        return [conversation.broken(str(error))]
