"""TLS over a wire, with faults and exact endings, and certificates of a temporary authority.

It uses the standard library's sans-IO TLS because a wrapped socket decides for itself when to send
close_notify.
"""

import ssl
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol

import anyio
from attrs import define, field, frozen

from mock_server.net.wire import Wire
from mock_server.scenario.words.connection import TlsFault

_RECORD: Final = 16_384
# As long as a record can be: it also completes one of which only a part has come.
_DAMAGED: Final = b"\x17\x03\x03\x41\x00" + bytes(0x4100)
_GARBAGE: Final = b"this is no TLS at all\r\n"


class TlsUnavailable(RuntimeError):
    """Certificates cannot be made because `trustme` is not installed."""


@frozen
class TlsSettings:
    """The contexts of a server: a sound one, and one for each fault that needs its own."""

    good: ssl.SSLContext
    faulty: Mapping[TlsFault, ssl.SSLContext]
    ca_path: Path
    """The authority's certificate as PEM, for clients to trust."""
    client_path: Path
    """A key and a certificate as PEM, for clients that have to show one."""

    def context(self, fault: TlsFault | None) -> ssl.SSLContext:
        """Return the context of a connection that meets this fault."""
        return self.good if fault is None else self.faulty.get(fault, self.good)

    def client_context(self, *, with_certificate: bool = False) -> ssl.SSLContext:
        """Return a context that trusts the authority, for a client in this process."""
        context = ssl.create_default_context(cafile=str(self.ca_path))
        if with_certificate:
            context.load_cert_chain(self.client_path)
        return context


@contextmanager
def throw_away_tls(*names: str) -> Generator[TlsSettings, None, None]:
    """Create a certificate authority for the length of a `with`; raises TlsUnavailable."""
    try:
        from mock_server.net import certificates  # noqa: PLC0415 - only TLS needs trustme
    except ImportError:
        raise TlsUnavailable("TLS: trustme is not installed; pip install trustme") from None
    hosts = names or ("127.0.0.1", "localhost", "::1")
    with TemporaryDirectory(prefix="arkor-mock-") as directory:
        yield certificates.make(hosts, Path(directory))


class Tls(Protocol):
    """Sans-IO TLS after its handshake: the caller carries the records in and out."""

    def read(self, limit: int) -> bytes | None:
        """Return plain text, b"" after a clean end, None if more records are needed first.

        Raises OSError.
        """
        ...

    def write(self, data: memoryview) -> int:
        """Encrypt one record at most; return how many bytes of plain text it took."""
        ...

    def take_in(self, records: bytes) -> None:
        """Take records from the peer; b"" is the end."""
        ...

    def records(self) -> bytes:
        """Return the records to send, each once."""
        ...

    def say_goodbye(self) -> None:
        """Add a close_notify to the records, once."""
        ...


@define(eq=False)
class ServerTls:
    """The standard library's TLS, server side."""

    _context: ssl.SSLContext
    notify: bool = True
    """Whether a clean end sends close_notify before FIN."""
    _incoming: ssl.MemoryBIO = field(factory=ssl.MemoryBIO, init=False)
    _outgoing: ssl.MemoryBIO = field(factory=ssl.MemoryBIO, init=False)
    _tls: ssl.SSLObject = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._tls = self._context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def shake(self) -> bool:
        """Continue the handshake; return whether it is done. Raises ssl.SSLError."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def read(self, limit: int) -> bytes | None:
        """Return plain text, b"" after close_notify or FIN, None if more records are needed."""
        try:
            return self._tls.read(limit)
        except ssl.SSLWantReadError:
            return None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def write(self, data: memoryview) -> int:
        """Encrypt one record at most; return how many bytes of plain text it took."""
        return self._tls.write(data)

    def take_in(self, records: bytes) -> None:
        """Take records from the client; b"" is the end."""
        if records:
            self._incoming.write(records)
        else:
            self._incoming.write_eof()

    def records(self) -> bytes:
        """Return the records to send, each once."""
        return self._outgoing.read()

    def say_goodbye(self) -> None:
        """Add a close_notify to the records, unless told not to."""
        if self.notify:
            with suppress(ssl.SSLError):  # it wants the peer's close_notify, which we do not need
                self._tls.unwrap()


@define(eq=False)
class TlsWire:
    """A wire with TLS on it; sends and receives plain text like any other wire."""

    _wire: Wire
    _tls: Tls
    _flushing: anyio.Lock = field(factory=anyio.Lock, init=False)

    @property
    def closed(self) -> bool:
        """Whether the socket is closed."""
        return self._wire.closed

    async def receive(self, limit: int = 65_536) -> bytes:
        """Wait for bytes and return them; b"" after close_notify or FIN. Raises OSError."""
        while (data := self._tls.read(limit)) is None:
            await self.exchange()
        return data

    async def exchange(self) -> None:
        """Send the waiting records, then wait for some from the peer."""
        await self.flush()
        self._tls.take_in(await self._wire.receive())

    async def send(self, data: bytes) -> None:
        """Send everything; raises OSError if the peer is gone."""
        view = memoryview(data)
        while view:
            view = view[self._tls.write(view[:_RECORD]) :]
        await self.flush()

    async def flush(self) -> None:
        """Send the waiting records."""
        async with self._flushing:
            if records := self._tls.records():
                await self._wire.send(records)

    async def send_beneath(self, data: bytes) -> None:
        """Send bytes that are no record, after all records that are waiting."""
        await self.flush()
        await self._wire.send(data)

    async def alert(self) -> None:
        """Take in a record that is damaged, so that TLS itself sends the alert: bad_record_mac.

        No library sends an alert because it is asked to, and one of our own making would need its
        keys.
        """
        self._tls.take_in(_DAMAGED)
        with suppress(ssl.SSLError):
            while self._tls.read(_RECORD):
                pass  # what the client sent before
        await self.flush()

    async def drain(self) -> None:
        """Wait until the peer's kernel has everything."""
        await self._wire.drain()

    def reset(self) -> None:
        """End with RST, without close_notify."""
        self._wire.reset()

    def half_close(self) -> None:
        """Send close_notify and FIN; go on reading."""
        self._say_goodbye()
        self._wire.half_close()

    def fin(self) -> None:
        """Send close_notify and FIN, and close."""
        self._say_goodbye()
        self._wire.fin()

    async def finish(self) -> None:
        """Send close_notify and FIN, read and discard for a moment, close."""
        self._say_goodbye()
        await self._wire.finish()

    def _say_goodbye(self) -> None:
        if not self._wire.closed:
            self._tls.say_goodbye()
            self._wire.send_now(self._tls.records())

    async def until_peer_closes(self) -> str:
        """Read and discard until the peer closes; returns how: fin or rst."""
        return await self._wire.until_peer_closes()

    async def until_peer_closes_unread(self) -> str:
        """Wait until the peer closes, without reading; returns how: fin or rst."""
        return await self._wire.until_peer_closes_unread()

    def close(self) -> None:
        """Close the socket."""
        self._wire.close()


async def shake_hands(wire: Wire, tls: ServerTls) -> TlsWire:
    """Do the TLS handshake with a client; raises OSError (ssl.SSLError is one) if it fails."""
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
    """Answer a handshake with bytes that are not TLS."""
    await wire.receive()
    await wire.send(_GARBAGE)
    await wire.finish()
