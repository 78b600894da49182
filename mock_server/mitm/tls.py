"""The TLS that mitmproxy shook hands for, taken over together with the client's socket.

It knows pyOpenSSL's connection, which is sans-IO here: records go in and out by hand. It refuses
to know handshakes and certificates: those were mitmproxy's, and no rule can reach them.
"""

from typing import Final

from attrs import define, field
from OpenSSL import SSL

_BLOCK: Final = 65_536


@define(eq=False)
class TakenTls:
    """pyOpenSSL's connection as the TLS of a wire (`net/tls.py`), its handshake done."""

    _tls: SSL.Connection
    _ended: bool = field(default=False, init=False)

    def read(self, limit: int) -> bytes | None:
        """Return plain text, b"" after close_notify or FIN, None when it takes more records."""
        try:
            return self._tls.recv(limit)
        except SSL.WantReadError:
            return b"" if self._ended else None
        except SSL.ZeroReturnError:
            return b""
        except SSL.Error as error:
            raise ConnectionAbortedError(f"TLS: {error}") from error

    def write(self, data: memoryview) -> int:
        """Encrypt at most a record."""
        return self._tls.send(data)

    def take_in(self, records: bytes) -> None:
        """Take what came from the client; b"" is its end."""
        if records:
            self._tls.bio_write(records)
        else:
            self._ended = True

    def records(self) -> bytes:
        """Return what is to be sent, once."""
        found: list[bytes] = []
        while True:
            try:
                found.append(self._tls.bio_read(_BLOCK))
            except SSL.WantReadError:
                return b"".join(found)

    def say_goodbye(self) -> None:
        """Add a close_notify to the records, once."""
        if not self._tls.get_shutdown() & SSL.SENT_SHUTDOWN:
            self._tls.shutdown()


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
