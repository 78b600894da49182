"""One TCP connection to the server, with or without TLS, and every way of ending it.

It works on asyncio and trio, with plain non-blocking sockets, because the endings must be exact:
if input is unread, closing an anyio stream sends FIN on one event loop and RST on the other.
"""

import socket
import ssl
from contextlib import suppress
from typing import Final

import anyio
from anyio.lowlevel import checkpoint
from attrs import define, field

from mock_server.net.kernel import LINGER_ZERO, Peer, peer_of, unsent
from mock_server.net.tls.server import DAMAGED, ServerTls, Tls

_BLOCK: Final = 65_536
_RECORD: Final = 16_384
_LOOK_EVERY: Final = 0.2
_DRAIN: Final = 1.0
_DRAIN_BLINDLY: Final = 0.05
_LINGER: Final = 2.0


@define(eq=False)
class Wire:
    """A connected socket that sends, receives, and closes in every way that a fault needs.

    With TLS, callers still send and receive plain text.
    """

    _socket: socket.socket
    _tls: Tls | None = None
    closed: bool = field(default=False, init=False)
    sent: int = field(default=0, init=False)
    """How many bytes have been handed to the kernel so far."""
    _flushing: anyio.Lock = field(factory=anyio.Lock, init=False)
    _pending: bytes = field(default=b"", init=False)
    """The TLS records that a cancelled flush left unsent; the next flush sends them first."""

    def __attrs_post_init__(self) -> None:
        self._socket.setblocking(False)  # noqa: FBT003 - the standard library's signature
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def secure(self, tls: ServerTls) -> None:
        """Do the TLS handshake with a client; raise OSError (maybe an SSLError) if it fails."""
        try:
            while not tls.shake():
                await self._exchange_records(tls)
        except ssl.SSLError:
            with suppress(OSError):
                await self._flush(tls)
            raise
        await self._flush(tls)
        self._tls = tls

    async def receive(self, limit: int = _BLOCK) -> bytes:
        """Return one byte or more, or b"" after FIN or close_notify; raise OSError after RST."""
        if self._tls is None:
            return await self._take(limit)
        while (data := self._tls.read(limit)) is None:
            await self._exchange_records(self._tls)
        return data

    async def _take(self, limit: int = _BLOCK) -> bytes:
        """Return what the socket has received.

        A peer that closes before it has read everything sends FIN and then RST. `recv` reports
        only the FIN; for the RST, this method raises OSError.
        """
        while True:
            try:
                data = self._socket.recv(limit)
            except BlockingIOError:
                await anyio.wait_readable(self._socket)
                continue
            if not data and (error := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)):
                raise OSError(error, "the peer closed the connection before reading everything")
            return data

    async def _exchange_records(self, tls: Tls) -> None:
        await self._flush(tls)
        tls.take_in(await self._take())

    async def _flush(self, tls: Tls) -> None:
        async with self._flushing:
            self._pending += tls.records()
            before = self.sent
            try:
                if self._pending:
                    await self._put(self._pending)
            finally:
                self._pending = self._pending[self.sent - before :]

    async def send(self, data: bytes) -> None:
        """Send everything; raise OSError if the peer is gone.

        Yield to the event loop before writing but not afterwards. Thus, what the caller records
        next comes before the peer's reaction in the journal.
        """
        if self._tls is None:
            await self._put(data)
            return
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view[:_RECORD]) :]
        await self._flush(self._tls)

    async def send_beneath(self, data: bytes) -> None:
        """Send bytes to the socket unencrypted, even over TLS; raise OSError if that fails."""
        if self._tls is not None:
            await self._flush(self._tls)
        await self._put(data)

    async def _put(self, data: bytes) -> None:
        await checkpoint()
        view = memoryview(data)
        while view:
            try:
                sent = self._socket.send(view)
            except BlockingIOError:
                await anyio.wait_writable(self._socket)
            else:
                self.sent += sent
                view = view[sent:]

    async def alert(self) -> None:
        """Make TLS send a fatal alert, bad_record_mac, by giving it a damaged record.

        No library sends an alert on request, and building one here would require the session
        keys. Raise RuntimeError without TLS, which no rule can cause: without TLS, the server
        refuses to load a rule that needs it.
        """
        if self._tls is None:
            raise RuntimeError("this connection does not use TLS, so it cannot send an alert")
        self._tls.take_in(DAMAGED)
        with suppress(ssl.SSLError):
            while self._tls.read(_RECORD):
                pass  # what the client sent before
        await self._flush(self._tls)

    async def drain(self) -> None:
        """Wait for at most a second until the kernel has sent everything that it was given.

        On a platform that does not report what is unsent, wait for 50 ms.
        """
        if unsent(self._socket) is None:
            await anyio.sleep(_DRAIN_BLINDLY)
            return
        with anyio.move_on_after(_DRAIN):
            while unsent(self._socket):  # noqa: ASYNC110 - the kernel has no event for an empty queue
                await anyio.sleep(0.001)

    def reset(self) -> None:
        """End with RST, without close_notify; the peer's next read fails with ECONNRESET."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
        self.close()

    def half_close(self) -> None:
        """Send FIN, after close_notify if TLS is in use; the socket can still receive."""
        if self._tls is not None and not self.closed:
            self._tls.say_goodbye()
            with suppress(OSError):  # what the kernel does not accept at once is lost
                self.sent += self._socket.send(self._tls.records())
        with suppress(OSError):  # the peer has already closed
            self._socket.shutdown(socket.SHUT_WR)

    def fin(self) -> None:
        """Send close_notify and FIN, then close; any data that arrives later triggers an RST."""
        self.half_close()
        with suppress(OSError):
            # With unread input, the close would send an RST.
            while self._socket.recv(_BLOCK):
                pass
        self.close()

    async def finish(self, last: bytes = b"") -> None:
        """Send `last`, close_notify and FIN; close when the peer does, or after 2 s at the latest.

        Until then, read input and discard it, so that closing does not send RST. Raise OSError
        if the peer is gone when `last` is sent.
        """
        if last:
            await self.send(last)
        self.half_close()
        with anyio.move_on_after(_LINGER):
            await self.until_peer_closes()
        self.close()

    async def until_peer_closes(self) -> str:
        """Read and discard input until the peer closes; return how it closed: `fin` or `rst`."""
        try:
            while await self._take():
                await checkpoint()
        except OSError:
            return "rst"
        return "fin"

    async def until_peer_closes_unread(self) -> str:
        """Wait, without reading, until the peer closes; return how it closed: `fin` or `rst`.

        No event signals a FIN that follows unread bytes, so this method polls the socket's state.
        """
        while (peer := self._peer()) is Peer.THERE:  # noqa: ASYNC110 - see above
            await anyio.sleep(_LOOK_EVERY)
        return "fin" if peer is Peer.FIN else "rst"

    def _peer(self) -> Peer:
        return Peer.RST if self.closed else peer_of(self._socket)

    def close(self) -> None:
        """Close the socket; a second call does nothing."""
        if not self.closed:
            self.closed = True
            anyio.notify_closing(self._socket)
            self._socket.close()
