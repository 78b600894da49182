"""A body compressed with gzip while it is sent."""

import zlib
from typing import Final, Protocol

from attrs import define, field

_GZIP: Final = 16 + zlib.MAX_WBITS


class _Compressor(Protocol):
    """What `zlib.compressobj` returns."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self, mode: int = ..., /) -> bytes: ...


def _compressor() -> _Compressor:
    return zlib.compressobj(wbits=_GZIP)


@define(eq=False)
class Gzipping:
    """One body on its way; every piece can be read as soon as it has come."""

    _compressor: _Compressor = field(factory=_compressor, init=False)

    def feed(self, piece: bytes) -> bytes:
        """Compress a piece and flush it."""
        return self._compressor.compress(piece) + self._compressor.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        """Return the end of the body: the last block and the check sum (RFC 1952, 2.3.1)."""
        return self._compressor.flush()
