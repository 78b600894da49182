"""TLS over a wire, with its endings and its faults in our hands.

It uses the standard library's sans-IO TLS, because a wrapped socket decides by itself when to send
close_notify.
"""

import ssl
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol

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
        import trustme  # noqa: PLC0415 - only TLS needs it
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


class Tls(Protocol):
    """TLS without I/O, in the middle of a connection: records go in and out by hand."""

    def read(self, limit: int) -> bytes | None:
        """Return plain text, b"" after a polite end, None when it takes more records first.

        Raises OSError.
        """
        ...

    def write(self, data: memoryview) -> int:
        """Encrypt at most a record; return how much of the plain text that was."""
        ...

    def take_in(self, records: bytes) -> None:
        """Take what came from the peer; b"" is its end."""
        ...

    def records(self) -> bytes:
        """Return what is to be sent, once."""
        ...

    def say_goodbye(self) -> None:
        """Add a close_notify to the records, once."""
        ...


@define(eq=False)
class ServerTls:
    """The standard library's TLS, server side."""

    _context: ssl.SSLContext
    notify: bool = True
    """Whether a polite end says close_notify before FIN."""
    _incoming: ssl.MemoryBIO = field(factory=ssl.MemoryBIO, init=False)
    _outgoing: ssl.MemoryBIO = field(factory=ssl.MemoryBIO, init=False)
    _tls: ssl.SSLObject = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._tls = self._context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def shake(self) -> bool:
        """Go on with the handshake; tell whether it is done. Raises ssl.SSLError."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def read(self, limit: int) -> bytes | None:
        """Return plain text, b"" after close_notify or FIN, None when it takes more records."""
        try:
            return self._tls.read(limit)
        except ssl.SSLWantReadError:
            return None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def write(self, data: memoryview) -> int:
        """Encrypt at most a record."""
        return self._tls.write(data)

    def take_in(self, records: bytes) -> None:
        """Take what came from the client; b"" is its end."""
        if records:
            self._incoming.write(records)
        else:
            self._incoming.write_eof()

    def records(self) -> bytes:
        """Return what is to be sent, once."""
        return self._outgoing.read()

    def say_goodbye(self) -> None:
        """Add a close_notify to the records, unless told not to."""
        if self.notify:
            with suppress(ssl.SSLError):  # it waits for the peer's answer, which nobody needs
                self._tls.unwrap()


@define(eq=False)
class TlsWire:
    """A wire with TLS on it; the same methods as every other, in plain text."""

    _wire: Wire
    _tls: Tls
    _flushing: anyio.Lock = field(factory=anyio.Lock, init=False)

    @property
    def closed(self) -> bool:
        """Whether the socket was given back."""
        return self._wire.closed

    async def receive(self, limit: int = 65_536) -> bytes:
        """Return what is there; b"" after close_notify or FIN. Raises OSError."""
        while (data := self._tls.read(limit)) is None:
            await self.exchange()
        return data

    async def exchange(self) -> None:
        """Send the records that are waiting, and wait for some of the peer's."""
        await self.flush()
        self._tls.take_in(await self._wire.receive())

    async def send(self, data: bytes) -> None:
        """Send everything; raises OSError when the peer is gone."""
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view[:_RECORD]) :]
        await self.flush()

    async def flush(self) -> None:
        """Send the records that are waiting."""
        async with self._flushing:
            if records := self._tls.records():
                await self._wire.send(records)

    async def drain(self) -> None:
        """Wait until the peer's kernel has everything."""
        await self._wire.drain()

    def reset(self) -> None:
        """End with RST, under TLS as without."""
        self._wire.reset()

    def half_close(self) -> None:
        """Say goodbye and send FIN."""
        self._say_goodbye()
        self._wire.half_close()

    def fin(self) -> None:
        """Say goodbye, send FIN and close."""
        self._say_goodbye()
        self._wire.fin()

    async def finish(self) -> None:
        """Say goodbye, read what the peer still says for a moment, close."""
        self._say_goodbye()
        await self._wire.finish()

    def _say_goodbye(self) -> None:
        if not self._wire.closed:
            self._tls.say_goodbye()
            self._wire.send_now(self._tls.records())

    async def until_peer_closes(self) -> str:
        """Read and forget until the peer ends; returns how: fin or rst."""
        return await self._wire.until_peer_closes()

    async def until_peer_closes_unread(self) -> str:
        """Wait until the peer ends and read nothing; returns how: fin or rst."""
        return await self._wire.until_peer_closes_unread()

    def close(self) -> None:
        """Give the socket back."""
        self._wire.close()


async def shake_hands(wire: Wire, tls: ServerTls) -> TlsWire:
    """Come to terms with a client; raises OSError (ssl.SSLError is one) when it fails."""
    secured = TlsWire(wire, tls)
    try:
        while not tls.shake():
            await secured.exchange()
    except ssl.SSLError:
        with suppress(OSError):
            await secured.flush()
        raise
    await secured.flush()
    return secured


async def send_garbage(wire: Wire) -> None:
    """Answer a handshake with bytes that are none."""
    await wire.receive()
    await wire.send(_GARBAGE)
    await wire.finish()
