"""TLS without sockets, with faults and exact endings, and certificates of a temporary authority.

It uses the standard library's sans-IO TLS because a wrapped socket decides for itself when to send
close_notify.
"""

import ssl
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final, Protocol

from attrs import define, field, frozen

from mock_server.scenario.words.connection import TlsFault

DAMAGED: Final = b"\x17\x03\x03\x41\x00" + bytes(0x4100)
"""A record as long as one can be: it also completes one of which only a part has come."""


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
