"""What the head of a response promises: where its body ends, and whether the connection stays open.

A client reads that from the head (RFC 9112, 6.3 and 9.3). The server reads it from the same head,
after all rules have changed it, and then keeps the promise. Only a fault breaks it.
"""

import re
from collections.abc import Iterable
from typing import Final

from attrs import evolve, frozen

from mock_server.faults.head import HeadPlan
from mock_server.faults.response import BODILESS, NO_BODY, Head, listed
from mock_server.scenario.words.head import Framing

_STATUS_LINE: Final = re.compile(r"HTTP/1\.1 ([1-9][0-9]{2})(?: [^\r\n\0]*)?")
_FIELD: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)")
_BLANK: Final = b"\r\n\r\n"


@frozen
class Promise:
    """Where the body of a response ends and whether another request may follow."""

    framing: Framing | None
    """None for a body of a known length."""
    length: int
    """That length in bytes."""
    keep_alive: bool
    bodiless: bool = False
    """Whether the head is the whole response, even if it has a length."""

    def kept(self, written: int) -> bool:
        """Return whether the connection can be used again after a body of this many bytes."""
        return self.keep_alive and (
            self.bodiless or self.framing is Framing.CHUNKED or written == self.length
        )


_BROKEN: Final = Promise(Framing.CLOSE, 0, keep_alive=False)


@frozen
class Terms:
    """What is known before the head is written, from the request, the body and the rules."""

    method: str
    keep_alive: bool
    chunks_allowed: bool
    length: int | None
    """The length of the body in bytes; None if it is not known yet."""
    framing: Framing | None
    """How the rules want the end of the body marked."""


def announced(head: Head, plan: HeadPlan, terms: Terms) -> tuple[bytes, Promise]:
    """Return the bytes of the head, and what it promises."""
    if plan.raw is not None:
        return plan.raw, _promise_of_raw(plan.raw, terms)
    if plan.content_length:
        kept = tuple(pair for pair in head.headers if pair[0].lower() != "content-length")
        head = evolve(head, headers=kept)
    headers = (*head.headers, *_length_fields(head, plan, terms))
    promise = promise_of(head.status, headers, terms.method)
    promise = evolve(promise, keep_alive=promise.keep_alive and terms.keep_alive)
    if not promise.keep_alive and "close" not in listed(headers, "connection"):
        headers = (*headers, ("Connection", "close"))
    headers = tuple(pair for pair in headers for _ in range(1 + (pair[0].lower() in plan.twice)))
    return evolve(head, headers=headers).render(), promise


def _length_fields(head: Head, plan: HeadPlan, terms: Terms) -> tuple[tuple[str, str], ...]:
    """Return the header fields that give the length of the body."""
    if plan.content_length:
        return tuple(("Content-Length", str(value)) for value in plan.content_length)
    said = {name.lower() for name, _ in head.headers}
    if head.status in NO_BODY or said & {"content-length", "transfer-encoding"}:
        return ()
    length = 0 if head.status in BODILESS else terms.length
    if length is not None and (terms.framing is None or head.status in BODILESS):
        return (("Content-Length", str(length)),)
    # A client must be able to see that a body was truncated. Without chunks, closing the
    # connection would be its only end, and a cut would look like a clean end.
    if terms.framing is Framing.CLOSE or not terms.chunks_allowed:
        return ()
    return (("Transfer-Encoding", "chunked"),)


def promise_of(status: int, headers: Iterable[tuple[str, str]], method: str) -> Promise:
    """Read what a head promises to a request with this method."""
    pairs = tuple(headers)
    keep_alive = "close" not in listed(pairs, "connection")
    if method == "HEAD" or status in NO_BODY:
        return Promise(None, 0, keep_alive, bodiless=True)
    codings, lengths = listed(pairs, "transfer-encoding"), listed(pairs, "content-length")
    if codings == ["chunked"]:
        # With a Content-Length as well, recipients disagree on where the body ends.
        return Promise(Framing.CHUNKED, 0, keep_alive and not lengths)
    if codings or len(set(lengths)) != 1:
        return _BROKEN
    (length,) = set(lengths)
    if not (length.isascii() and length.isdigit()):
        return _BROKEN
    return Promise(None, int(length), keep_alive)


def _promise_of_raw(raw: bytes, terms: Terms) -> Promise:
    """Read a head written by hand; an unreadable one promises only that the connection ends."""
    head, blank, body = raw.decode("latin-1").partition(_BLANK.decode())
    first, *lines = head.split("\r\n")
    status = _STATUS_LINE.fullmatch(first)
    fields = [_FIELD.fullmatch(line) for line in lines]
    if not blank or body or status is None or None in fields:
        return _BROKEN
    pairs = [(field[1], field[2].rstrip(" \t")) for field in fields if field is not None]
    promise = promise_of(int(status[1]), pairs, terms.method)
    return evolve(promise, keep_alive=promise.keep_alive and terms.keep_alive)
