"""The body of a response: what the head promises about it, and how it is sent.

A client learns from the head where the body ends and whether the connection stays open (RFC 9112,
6.3 and 9.3). The server derives both from the same head, after all rules have been applied to it,
and acts accordingly unless a fault says otherwise.
"""

import re
import zlib
from collections.abc import Sequence
from typing import Final, Protocol

from attrs import define, evolve, field, frozen

from mock_server.faults.head import HeadPlan
from mock_server.faults.response import BODILESS, NO_BODY, Head, listed
from mock_server.net.reading import Arrived
from mock_server.net.wire import Wire
from mock_server.scenario.words.end import Ending
from mock_server.scenario.words.head import Framing

_STATUS_LINE: Final = re.compile(r"HTTP/1\.1 ([1-9][0-9]{2})(?: [^\r\n\0]*)?")
_FIELD: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)")
_CHUNK_ENDINGS: Final = frozenset({Ending.BAD_CHUNK, Ending.SHORT_CHUNK, Ending.GARBAGE})
_GZIP: Final = 16 + zlib.MAX_WBITS


@frozen
class Promise:
    """What a head promises: where the body ends, and whether another request may follow."""

    framing: Framing | None
    """How the end of the body is marked; None if the length of the body is known."""
    length: int
    """The known length of the body, in bytes."""
    keep_alive: bool
    bodiless: bool = False
    """Whether the response has no body, even if its head gives a length."""

    def kept(self, written: int) -> bool:
        """Return whether the connection can be used again after a body of `written` bytes."""
        return self.keep_alive and (
            self.bodiless or self.framing is Framing.CHUNKED or written == self.length
        )


BROKEN: Final = Promise(Framing.CLOSE, 0, keep_alive=False)
"""What is assumed about a head that cannot be read: its body ends when the connection closes."""


def announced(
    head: Head, plan: HeadPlan, arrived: Arrived, length: int | None
) -> tuple[bytes, Promise]:
    """Return a response's head as bytes, and what that head promises.

    `length` is the length of the body in bytes; None if it is not known yet.
    """
    if plan.raw is not None:
        return plan.raw, _promise_of_raw(plan.raw, arrived)
    if plan.content_length:
        kept = tuple(pair for pair in head.headers if pair[0].lower() != "content-length")
        head = evolve(head, headers=kept)
    known = None if arrived.plan.rewrites else length
    headers = (*head.headers, *_length_fields(head, plan, arrived, known))
    promise = _promise_of(head.status, headers, arrived)
    if not promise.keep_alive and "close" not in listed(headers, "connection"):
        headers = (*headers, ("Connection", "close"))
    headers = tuple(pair for pair in headers for _ in range(1 + (pair[0].lower() in plan.twice)))
    return evolve(head, headers=headers).render(), promise


def _length_fields(
    head: Head, plan: HeadPlan, arrived: Arrived, length: int | None
) -> tuple[tuple[str, str], ...]:
    """Return the header fields to add so that the client can tell where the body ends."""
    if plan.content_length:
        return tuple(("Content-Length", str(value)) for value in plan.content_length)
    said = {name.lower() for name, _ in head.headers}
    if head.status in NO_BODY or said & {"content-length", "transfer-encoding"}:
        return ()
    if head.status in BODILESS:
        return (("Content-Length", "0"),)
    in_chunks = arrived.plan.final in _CHUNK_ENDINGS
    framing = plan.framing or (Framing.CHUNKED if in_chunks else None)
    if length is not None and framing is None:
        return (("Content-Length", str(length)),)
    # A client must be able to see that a body was truncated. Without chunks, closing the
    # connection would be its only end, and a cut would look like a clean end.
    if framing is Framing.CLOSE or not arrived.chunks_allowed:
        return ()
    return (("Transfer-Encoding", "chunked"),)


def _promise_of(status: int, pairs: Sequence[tuple[str, str]], arrived: Arrived) -> Promise:
    """Return what a head with this status and these headers promises in response to the request."""
    keep_alive = arrived.keep_alive and "close" not in listed(pairs, "connection")
    if arrived.request.method == "HEAD" or status in NO_BODY:
        return Promise(None, 0, keep_alive, bodiless=True)
    codings, lengths = listed(pairs, "transfer-encoding"), listed(pairs, "content-length")
    if codings == ["chunked"]:
        # With a Content-Length as well, recipients disagree on where the body ends.
        return Promise(Framing.CHUNKED, 0, keep_alive and not lengths)
    if codings or len(set(lengths)) != 1:
        return BROKEN
    (length,) = set(lengths)
    if not (length.isascii() and length.isdigit()):
        return BROKEN
    return Promise(None, int(length), keep_alive)


def _promise_of_raw(raw: bytes, arrived: Arrived) -> Promise:
    """Return what a hand-written head promises; `BROKEN` if it cannot be read."""
    head, blank, body = raw.decode("latin-1").partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    status = _STATUS_LINE.fullmatch(first)
    fields = [_FIELD.fullmatch(line) for line in lines]
    if not blank or body or status is None or None in fields:
        return BROKEN
    pairs = [(field[1], field[2].rstrip(" \t")) for field in fields if field is not None]
    return _promise_of(int(status[1]), pairs, arrived)


class _Compressor(Protocol):
    """What `zlib.compressobj` returns."""

    def compress(self, data: bytes, /) -> bytes: ...

    def flush(self, mode: int = ..., /) -> bytes: ...


@define(eq=False)
class Body:
    """One response body, sent with the framing that the head promises."""

    _wire: Wire
    promise: Promise
    _gzip: _Compressor | None = field(default=None, init=False)
    written: int = field(default=0, init=False)
    """How many bytes of the body were sent, not counting chunk framing."""

    def compress(self) -> None:
        """From now on, compress the body with gzip, and flush the compressor after each piece."""
        self._gzip = zlib.compressobj(wbits=_GZIP)

    async def send(self, pieces: Sequence[bytes]) -> None:
        """Send the pieces together, each as its own chunk if chunked; raise OSError if that fails."""
        if self.promise.bodiless:
            return
        if (gzip := self._gzip) is not None:
            pieces = [
                gzip.compress(each) + gzip.flush(zlib.Z_SYNC_FLUSH) for each in pieces if each
            ]
        await self._wire.send(self._framed(pieces))
        self.written += sum(map(len, pieces))

    def _framed(self, pieces: Sequence[bytes]) -> bytes:
        if self.promise.framing is Framing.CHUNKED:
            return b"".join([b"%x\r\n%b\r\n" % (len(each), each) for each in pieces if each])
        return b"".join(pieces)

    async def finish(self, extra: bytes) -> bool:
        """End the body, then send `extra`; return whether the connection can be used again.

        Raise OSError if sending fails.
        """
        last = b"0\r\n\r\n" if self.promise.framing is Framing.CHUNKED else b""
        if self._gzip is not None and not self.promise.bodiless:
            # The last block and the checksum (RFC 1952, 2.3.1).
            last = self._framed([self._gzip.flush()]) + last
        if last or extra:
            await self._wire.send(last + extra)
        return self.promise.kept(self.written) and not extra
