"""Take over mitmproxy's TLS together with the client's socket, after mitmproxy's handshake.

mitmproxy uses pyOpenSSL without I/O, so its connection object can serve as the TLS layer of a wire.
"""

from typing import Final

from attrs import define, field
from OpenSSL import SSL

_BLOCK: Final = 65_536


@define(eq=False)
class TakenTls:
    """Lets a wire (`net/tls/server.py`) use a pyOpenSSL connection after its handshake."""

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
        """Encrypt at most one record; return how many bytes of `data` are in it."""
        return self._tls.send(data)

    def take_in(self, records: bytes) -> None:
        """Add records from the client; b"" means the end."""
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
    """Replaces the TLS connection of mitmproxy's layer, so that the layer cannot reach the client.

    It accepts only records that mitmproxy read before its transport paused: without them, the
    next record cannot be decrypted. The addon's own wire reads their content.
    """

    _tls: SSL.Connection

    def bio_write(self, data: bytes) -> int:
        """Pass on records that mitmproxy has read."""
        return self._tls.bio_write(data)

    def bio_read(self, size: int) -> bytes:
        """Raise WantReadError: there are no records to send."""
        del size
        raise SSL.WantReadError

    def recv(self, size: int) -> bytes:
        """Raise WantReadError: there is no plain text to read."""
        del size
        raise SSL.WantReadError

    def sendall(self, data: bytes) -> int:
        """Drop the data."""
        return len(data)

    def get_shutdown(self) -> int:
        """Return 0: no close_notify was sent or received."""
        return 0
