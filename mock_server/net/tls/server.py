"""TLS without sockets: plain text on one side, records on the other, and a choice of how to end.

It uses the standard library's sans-IO TLS because a wrapped socket decides for itself when to send
close_notify.
"""

import ssl
from contextlib import suppress
from typing import Final, Protocol

from attrs import define, field

DAMAGED: Final = b"\x17\x03\x03\x41\x00" + bytes(0x4100)
"""A damaged record, long enough to complete any record of which only a part has been received."""


class Tls(Protocol):
    """Sans-IO TLS after its handshake; the caller passes the records in and out."""

    def read(self, limit: int) -> bytes | None:
        """Return plain text; b"" after a clean end; None if more records are needed first.

        Raise OSError if the TLS session has failed.
        """
        ...

    def write(self, data: memoryview) -> int:
        """Encrypt at most one record of `data`; return how many bytes of `data` went into it."""
        ...

    def take_in(self, records: bytes) -> None:
        """Add records received from the peer; b"" means that no more will come."""
        ...

    def records(self) -> bytes:
        """Return the records to send; each is returned only once."""
        ...

    def say_goodbye(self) -> None:
        """Add a close_notify to the records to send, unless this has already been done."""
        ...


@define(eq=False)
class ServerTls:
    """The server side of the standard library's TLS."""

    _context: ssl.SSLContext
    notify: bool = True
    """Whether close_notify is sent before FIN when the connection ends cleanly."""
    _incoming: ssl.MemoryBIO = field(factory=ssl.MemoryBIO, init=False)
    _outgoing: ssl.MemoryBIO = field(factory=ssl.MemoryBIO, init=False)
    _tls: ssl.SSLObject = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._tls = self._context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def shake(self) -> bool:
        """Continue the handshake and return whether it is done; raise ssl.SSLError if it fails."""
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def read(self, limit: int) -> bytes | None:
        """Return plain text; b"" after close_notify or FIN; None if more records are needed."""
        try:
            return self._tls.read(limit)
        except ssl.SSLWantReadError:
            return None
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            return b""

    def write(self, data: memoryview) -> int:
        """Encrypt at most one record of `data`; return how many bytes of `data` went into it."""
        return self._tls.write(data)

    def take_in(self, records: bytes) -> None:
        """Add records received from the client; b"" means that no more will come."""
        if records:
            self._incoming.write(records)
        else:
            self._incoming.write_eof()

    def records(self) -> bytes:
        """Return the records to send; each is returned only once."""
        return self._outgoing.read()

    def say_goodbye(self) -> None:
        """Add a close_notify to the records to send, if `notify` is set."""
        if self.notify:
            with suppress(ssl.SSLError):  # it wants the peer's close_notify, which we do not need
                self._tls.unwrap()
