"""Explain failures without quoting the peer: of a real backend, and of malformed messages.

h11's errors quote the offending line, and a malformed `Authorization : Bearer …` still contains a
credential.
"""

from enum import StrEnum
from typing import Final, TypeGuard

import h11
from attrs import frozen


class Reason(StrEnum):
    """Why an upstream sent no answer, or only a part of one."""

    REFUSED = "refused"
    RESET = "reset"
    DNS = "dns"
    TLS = "tls"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    MALFORMED = "malformed"
    TRUNCATED = "truncated"
    COMPRESSED = "compressed"


@frozen
class Failure:
    """What went wrong with an upstream; `why` is one line and never quotes the answer."""

    reason: Reason
    why: str

    @property
    def status(self) -> int:
        """The status for a client that was sent nothing yet (RFC 9110, 15.6.3, 15.6.5)."""
        return 504 if self.reason is Reason.TIMEOUT else 502


_WORDS: Final = (
    ("Receive buffer too long", "the head, or a line of it, is too long"),
    ("illegal request line", "the request line is malformed"),
    ("no request line", "the request line is missing"),
    ("illegal status line", "the status line is malformed"),
    ("no response line", "the status line is missing"),
    ("illegal header line", "a header field is malformed"),
    ("Illegal header", "a header field is malformed"),
    ("continuation line", "a header field is malformed"),
    ("conflicting Content-Length", "the Content-Length fields contradict each other"),
    ("bad Content-Length", "the Content-Length is not a number"),
    ("multiple Transfer-Encoding", "there are several Transfer-Encoding fields"),
    ("Only Transfer-Encoding", "the transfer coding is not chunked"),
    ("Missing mandatory Host", "the Host field is missing"),
    ("Found multiple Host", "there are several Host fields"),
    ("Illegal method", "the method is malformed"),
    ("Illegal target", "the target is malformed"),
    ("illegal chunk header", "the size of a chunk is malformed"),
    ("malformed chunk footer", "a chunk does not end where its size says"),
    ("peer closed connection", "the connection ended inside the message"),
    ("peer unexpectedly closed", "the connection ended inside the message"),
)


def what_is_wrong(error: h11.ProtocolError) -> str:
    """Explain an error of h11 without quoting what it read."""
    said = str(error)
    return next((ours for theirs, ours in _WORDS if said.startswith(theirs)), "not HTTP/1.1")


def is_group(error: BaseException) -> TypeGuard[BaseExceptionGroup[BaseException]]:
    """Return whether an error is a group; type checkers do not know what `isinstance` says of it."""
    return isinstance(error, BaseExceptionGroup)
