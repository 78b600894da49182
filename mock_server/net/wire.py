"""One TCP connection as the server holds it, with every way to end it.

It has sockets of its own, on asyncio and trio alike, because the endings have to be exact: when
input is unread, closing a stream of anyio sends FIN on one event loop and RST on the other.
"""

import fcntl
import socket
import struct
from contextlib import suppress
from typing import Final, Protocol

import anyio
from anyio.lowlevel import checkpoint
from attrs import define, field

_LINGER_ZERO: Final = struct.pack("ii", 1, 0)
_BLOCK: Final = 65_536
# Bytes not yet sent (linux/sockios.h). TIOCOUTQ counts those sent but not acknowledged as well,
# and a delayed acknowledgement takes 40 ms.
_SIOCOUTQNSD: Final = 0x894B
# States of a connection (linux/tcp_states.h): ESTABLISHED and, after a FIN of ours, FIN_WAIT.
_OPEN: Final = frozenset({1, 4, 5})
_CLOSED: Final = 7
_CLOSE_WAIT: Final = 8
_LOOK_EVERY: Final = 0.2
_DRAIN: Final = 1.0
_LINGER: Final = 2.0


class AnyWire(Protocol):
    """What carries a connection: a `Wire`, or the same in plain text with TLS under it."""

    @property
    def closed(self) -> bool:
        """Whether the socket was given back."""
        ...

    async def receive(self, limit: int = ..., /) -> bytes:
        """Return what is there; b"" after a polite end. Raises OSError."""
        ...

    async def send(self, data: bytes, /) -> None:
        """Send everything; raises OSError when the peer is gone."""
        ...

    async def drain(self) -> None:
        """Wait until the peer's kernel has everything."""
        ...

    def reset(self) -> None:
        """End with RST."""
        ...

    def half_close(self) -> None:
        """Send FIN and go on reading."""
        ...

    def fin(self) -> None:
        """Send FIN and close."""
        ...

    async def finish(self) -> None:
        """Send FIN, read what the peer still says for a moment, close."""
        ...

    async def until_peer_closes(self) -> str:
        """Read and forget until the peer ends; returns how: fin or rst."""
        ...

    async def until_peer_closes_unread(self) -> str:
        """Wait until the peer ends and read nothing; returns how: fin or rst."""
        ...

    def close(self) -> None:
        """Give the socket back; a second call does nothing."""
        ...


@define(eq=False)
class Wire:
    """Bytes in and out of one connected socket, and its endings."""

    _socket: socket.socket
    closed: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._socket.setblocking(False)  # noqa: FBT003 - the standard library's signature
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    async def receive(self, limit: int = _BLOCK) -> bytes:
        """Return what is there, at least one byte; b"" after FIN. Raises OSError after RST.

        A peer that closed before it had everything sends its RST after its FIN, which hides it
        from `recv`: such an end is an RST too.
        """
        while True:
            try:
                data = self._socket.recv(limit)
            except BlockingIOError:
                await anyio.wait_readable(self._socket)
                continue
            if not data and (refused := self._pending_error()):
                raise OSError(refused, "the peer closed before it had everything")
            return data

    def _pending_error(self) -> int:
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

    async def send(self, data: bytes) -> None:
        """Send everything; raises OSError when the peer is gone.

        It yields before it writes and not after, so that what the caller records next stands in
        the journal before anything that the peer can do about it.
        """
        await checkpoint()
        view = memoryview(data)
        while view:
            try:
                sent = self._socket.send(view)
            except BlockingIOError:
                await anyio.wait_writable(self._socket)
            else:
                view = view[sent:]

    def send_now(self, data: bytes) -> None:
        """Send as much as the kernel takes at once: last words, which may be lost."""
        with suppress(OSError):
            self._socket.send(data)

    async def drain(self) -> None:
        """Wait until the peer's kernel has everything that was sent, for at most a second."""
        with anyio.move_on_after(_DRAIN):
            while self._unsent():  # noqa: ASYNC110 - the kernel has no event for an empty queue
                await anyio.sleep(0.001)

    def _unsent(self) -> int:
        queued = bytearray(4)
        fcntl.ioctl(self._socket, _SIOCOUTQNSD, queued)
        return int.from_bytes(queued, "little")

    def reset(self) -> None:
        """End with RST: the peer's next read fails with ECONNRESET."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        self.close()

    def half_close(self) -> None:
        """Send FIN and go on reading."""
        with suppress(OSError):  # the peer was faster: there is no direction left to shut
            self._socket.shutdown(socket.SHUT_WR)

    def fin(self) -> None:
        """Send FIN and close: what the peer sends from now on is answered with RST."""
        self.half_close()
        with suppress(OSError):
            # Unread input would turn the close into an RST.
            while self._socket.recv(_BLOCK):
                pass
        self.close()

    async def finish(self) -> None:
        """Send FIN, read what the peer still says for a moment, close: never an RST by accident."""
        self.half_close()
        with anyio.move_on_after(_LINGER):
            await self.until_peer_closes()
        self.close()

    async def until_peer_closes(self) -> str:
        """Read and forget until the peer ends; returns how: fin or rst."""
        try:
            while await self.receive():
                await checkpoint()
        except OSError:
            return "rst"
        return "fin"

    async def until_peer_closes_unread(self) -> str:
        """Wait until the peer ends and read nothing; returns how: fin or rst.

        The kernel has no event for a FIN behind unread bytes, but it tells the state.
        """
        while (state := self._state()) in _OPEN:  # noqa: ASYNC110 - see above
            await anyio.sleep(_LOOK_EVERY)
        return "fin" if state == _CLOSE_WAIT else "rst"

    def _state(self) -> int:
        if self.closed:
            return _CLOSED
        return self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]

    def close(self) -> None:
        """Give the socket back; a second call does nothing."""
        if not self.closed:
            self.closed = True
            anyio.notify_closing(self._socket)
            self._socket.close()
