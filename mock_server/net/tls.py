"""TLS over a wire, with its endings and its faults in our hands.

It knows handshakes, close_notify and certificates of a throw-away authority. It refuses to know
HTTP. The standard library's sans-IO TLS, because a socket that is wrapped decides by itself when to
say close_notify.
"""

import ssl
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import anyio
from attrs import define, field, frozen

from mock_server.net.wire import Wire

_RECORD: Final = 16_384
_GARBAGE: Final = b"this is no TLS at all\r\n"


class TlsUnavailable(RuntimeError):
    """Certificates cannot be made: the library that makes them is not installed."""


@frozen
class TlsSettings:
    """The contexts of a server: one that its authority vouches for, one that nobody does."""

    good: ssl.SSLContext
    bad: ssl.SSLContext
    ca_path: Path
    """The authority's certificate as PEM, for clients to trust."""

    def client_context(self) -> ssl.SSLContext:
        """Return a context that trusts the authority, for a client in this process."""
        return ssl.create_default_context(cafile=str(self.ca_path))


@contextmanager
def throw_away_tls(*names: str) -> Generator[TlsSettings, None, None]:
    """Make an authority for the length of a `with`; raises TlsUnavailable."""
    try:
        import trustme  # noqa: PLC0415 -- only TLS needs it
    except ImportError:
        raise TlsUnavailable("TLS: needs the package trustme; pip install trustme") from None
    hosts = names or ("127.0.0.1", "localhost", "::1")
    with TemporaryDirectory(prefix="arkor-mock-") as directory:
        path = Path(directory) / "ca.pem"
        authority, stranger = trustme.CA(), trustme.CA()
        authority.cert_pem.write_to_path(str(path))
        contexts = [ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER) for _ in range(2)]
        for context, issuer in zip(contexts, (authority, stranger), strict=True):
            issuer.issue_cert(*hosts).configure_cert(context)
        yield TlsSettings(contexts[0], contexts[1], path)


@define(eq=False)
class TlsWire:
    """A wire with TLS on it; the same methods, in plain text."""

    _wire: Wire
    _context: ssl.SSLContext
    notify: bool = True
    """Whether a polite end says close_notify before FIN."""
    _incoming: ssl.MemoryBIO = field(factory=ssl.MemoryBIO, init=False)
    _outgoing: ssl.MemoryBIO = field(factory=ssl.MemoryBIO, init=False)
    _tls: ssl.SSLObject = field(init=False)
    _flushing: anyio.Lock = field(factory=anyio.Lock, init=False)

    def __attrs_post_init__(self) -> None:
        self._tls = self._context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    @property
    def closed(self) -> bool:
        """Whether the socket was given back."""
        return self._wire.closed

    async def handshake(self) -> None:
        """Come to terms with the client; raises OSError (ssl.SSLError is one) when it fails."""
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
                await self._more()
            except ssl.SSLError:
                with suppress(OSError):
                    await self._flush()
                raise
            else:
                await self._flush()
                return

    async def receive(self, limit: int = 65_536) -> bytes:
        """Return what is there; b"" after close_notify or FIN. Raises OSError."""
        while True:
            try:
                return self._tls.read(limit)
            except ssl.SSLWantReadError:
                if self._outgoing.pending:
                    await self._flush()
                await self._more()
            except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
                return b""

    async def _more(self) -> None:
        data = await self._wire.receive()
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    async def send(self, data: bytes) -> None:
        """Send everything; raises OSError when the peer is gone."""
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view[:_RECORD]) :]
        await self._flush()

    async def _flush(self) -> None:
        async with self._flushing:
            if self._outgoing.pending:
                await self._wire.send(self._outgoing.read())

    async def drain(self) -> None:
        """Wait until the peer's kernel has everything."""
        await self._wire.drain()

    def reset(self) -> None:
        """End with RST, under TLS as without."""
        self._wire.reset()

    def half_close(self) -> None:
        """Say close_notify, unless told not to, and send FIN."""
        self._say_goodbye()
        self._wire.half_close()

    def fin(self) -> None:
        """Say close_notify, unless told not to, send FIN and close."""
        self._say_goodbye()
        self._wire.fin()

    async def finish(self) -> None:
        """Say goodbye, read what the peer still says for a moment, close."""
        self._say_goodbye()
        await self._wire.finish()

    def _say_goodbye(self) -> None:
        if not self.notify or self._wire.closed:
            return
        with suppress(ssl.SSLError):  # it waits for the peer's answer, which nobody needs
            self._tls.unwrap()
        self._wire.send_now(self._outgoing.read())

    async def until_peer_closes(self) -> str:
        """Read and forget until the peer ends; returns how: fin or rst."""
        return await self._wire.until_peer_closes()

    def close(self) -> None:
        """Give the socket back."""
        self._wire.close()


async def send_garbage(wire: Wire) -> None:
    """Answer a handshake with bytes that are none."""
    await wire.receive()
    await wire.send(_GARBAGE)
    await wire.finish()
