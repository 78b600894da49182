"""Take over mitmproxy's TLS along with the client's socket, once the handshake is done.

mitmproxy uses pyOpenSSL without I/O, so its connection object can serve as the TLS layer of a wire.
"""

from typing import Final

from attrs import define, field
from OpenSSL import SSL

_BLOCK: Final = 65_536


@define(eq=False)
class TakenTls:
    """Uses a pyOpenSSL connection, after its handshake, as a `Tls` (`net/tls/server.py`)."""

    _tls: SSL.Connection
    _ended: bool = field(default=False, init=False)

    def read(self, limit: int) -> bytes | None:
        """Return plain text; b"" after close_notify or FIN; None if more records are needed."""
        try:
            return self._tls.recv(limit)
        except SSL.WantReadError:
            return b"" if self._ended else None
        except SSL.ZeroReturnError:
            return b""
        except SSL.Error as error:
            raise ConnectionAbortedError(f"TLS: {error}") from error

    def write(self, data: memoryview) -> int:
        """Encrypt at most one record of `data`; return how many bytes of `data` went into it."""
        return self._tls.send(data)

    def take_in(self, records: bytes) -> None:
        """Add records received from the client; b"" means that no more will come."""
        if records:
            self._tls.bio_write(records)
        else:
            self._ended = True

    def records(self) -> bytes:
        """Return the records to send; each is returned only once."""
        found: list[bytes] = []
        while True:
            try:
                found.append(self._tls.bio_read(_BLOCK))
            except SSL.WantReadError:
                return b"".join(found)

    def say_goodbye(self) -> None:
        """Add a close_notify to the records to send, unless this has already been done."""
        if not self._tls.get_shutdown() & SSL.SENT_SHUTDOWN:
            self._tls.shutdown()


@define(eq=False)
class SilencedTls:
    """Stands in for the TLS connection in mitmproxy's TLS layer, which can then send no more.

    Records that mitmproxy read before its transport was paused are still passed on to the real
    connection: without them, later records could not be decrypted. The addon's `Wire` reads the
    decrypted data.
    """

    _tls: SSL.Connection

    def bio_write(self, data: bytes) -> int:
        """Pass records that mitmproxy has read to the TLS connection."""
        return self._tls.bio_write(data)

    def bio_read(self, size: int) -> bytes:
        """Raise WantReadError, because mitmproxy must never have records to send."""
        del size
        raise SSL.WantReadError

    def recv(self, size: int) -> bytes:
        """Raise WantReadError, because mitmproxy must never have plain text to read."""
        del size
        raise SSL.WantReadError

    def sendall(self, data: bytes) -> int:
        """Drop the data."""
        return len(data)

    def get_shutdown(self) -> int:
        """Return 0, which means that no close_notify was sent or received."""
        return 0
