"""The TLS that mitmproxy shook hands for, taken over together with the client's socket.

It knows pyOpenSSL's connection, which is sans-IO here: records go in and out by hand. It refuses
to know handshakes and certificates: those were mitmproxy's, and no rule can reach them.
"""

from typing import Final

import anyio
from attrs import define, field
from OpenSSL import SSL

from mock_server.net.wire import Wire

_RECORD: Final = 16_384


@define(eq=False)
class TakenTlsWire:
    """A wire with established TLS on it; the same methods as every other, in plain text."""

    _wire: Wire
    _tls: SSL.Connection
    _flushing: anyio.Lock = field(factory=anyio.Lock, init=False)

    @property
    def closed(self) -> bool:
        """Whether the socket was given back."""
        return self._wire.closed

    async def receive(self, limit: int = 65_536) -> bytes:
        """Return what is there; b"" after close_notify or FIN. Raises OSError."""
        while True:
            try:
                return self._tls.recv(limit)
            except SSL.WantReadError:
                await self._flush()
            except SSL.ZeroReturnError:
                return b""
            except SSL.Error as error:
                raise ConnectionAbortedError(f"TLS: {error}") from error
            data = await self._wire.receive()
            if not data:
                return b""
            self._tls.bio_write(data)

    async def send(self, data: bytes) -> None:
        """Send everything; raises OSError when the peer is gone."""
        view = memoryview(data)
        while view:
            view = view[self._tls.send(view[:_RECORD]) :]
        await self._flush()

    async def _flush(self) -> None:
        async with self._flushing:
            if records := self._records():
                await self._wire.send(records)

    def _records(self) -> bytes:
        found: list[bytes] = []
        while True:
            try:
                found.append(self._tls.bio_read(65_536))
            except SSL.WantReadError:
                return b"".join(found)

    async def drain(self) -> None:
        """Wait until the peer's kernel has everything."""
        await self._wire.drain()

    def reset(self) -> None:
        """End with RST, under TLS as without."""
        self._wire.reset()

    def half_close(self) -> None:
        """Say close_notify and send FIN."""
        self._say_goodbye()
        self._wire.half_close()

    def fin(self) -> None:
        """Say close_notify, send FIN and close."""
        self._say_goodbye()
        self._wire.fin()

    async def finish(self) -> None:
        """Say goodbye, read what the peer still says for a moment, close."""
        self._say_goodbye()
        await self._wire.finish()

    def _say_goodbye(self) -> None:
        if not self._wire.closed and not self._tls.get_shutdown() & SSL.SENT_SHUTDOWN:
            self._tls.shutdown()
            self._wire.send_now(self._records())

    async def until_peer_closes(self) -> str:
        """Read and forget until the peer ends; returns how: fin or rst."""
        return await self._wire.until_peer_closes()

    def close(self) -> None:
        """Give the socket back."""
        self._wire.close()


@define(eq=False)
class SilencedTls:
    """What mitmproxy's TLS layer holds from then on: nothing of it reaches the client's records.

    Bytes that were read before the transport paused still go in, or the next record would not
    decrypt; what they say is for the wire.
    """

    _tls: SSL.Connection

    def bio_write(self, data: bytes) -> int:
        """Hand records on."""
        return self._tls.bio_write(data)

    def bio_read(self, size: int) -> bytes:
        """Have no records to send."""
        del size
        raise SSL.WantReadError

    def recv(self, size: int) -> bytes:
        """Have nothing to read."""
        del size
        raise SSL.WantReadError

    def sendall(self, data: bytes) -> int:
        """Drop it."""
        return len(data)

    def get_shutdown(self) -> int:
        """Say that nobody has said goodbye."""
        return 0
