"""Explain failures of a real backend, and malformed messages, without quoting the peer.

h11's errors quote the offending line, and a malformed `Authorization : Bearer …` still contains a
credential.
"""

import ssl
from collections.abc import Iterator
from enum import StrEnum
from socket import gaierror
from typing import Final, TypeGuard

import anyio
import h11
from attrs import evolve, frozen


class Reason(StrEnum):
    """Why the response of an upstream is missing, incomplete or unusable."""

    REFUSED = "refused"
    RESET = "reset"
    DNS = "dns"
    TLS = "tls"
    TIMEOUT = "timeout"
    UNREACHABLE = "unreachable"
    MALFORMED = "malformed"
    TRUNCATED = "truncated"
    COMPRESSED = "compressed"


_SENTENCES: Final = {
    Reason.DNS: "the host name does not resolve",
    Reason.REFUSED: "the connection was refused",
    Reason.RESET: "the connection was reset",
    Reason.TRUNCATED: "the connection was closed too early",
    Reason.TIMEOUT: "no response arrived in time",
    Reason.UNREACHABLE: "the host is unreachable",
    Reason.MALFORMED: "the response is not valid HTTP/1.1",
    Reason.TLS: "the TLS handshake failed",
}


@frozen
class Failure:
    """What went wrong with an upstream; `why` is one line and never quotes the response."""

    reason: Reason
    why: str

    @classmethod
    def of(cls, reason: Reason) -> "Failure":
        """Return a failure whose `why` is the standard sentence for `reason`."""
        return cls(reason, _SENTENCES[reason])

    @property
    def status(self) -> int:
        """The status to send if the client has received nothing yet (RFC 9110, 15.6.3, 15.6.5)."""
        return 504 if self.reason is Reason.TIMEOUT else 502


_WORDS: Final = (
    ("Receive buffer too long", "the head, or one of its lines, is too long"),
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
    ("Only Transfer-Encoding", "the Transfer-Encoding is not chunked"),
    ("Missing mandatory Host", "the Host field is missing"),
    ("Found multiple Host", "there are several Host fields"),
    ("Illegal method", "the method is malformed"),
    ("Illegal target", "the request target is malformed"),
    ("illegal chunk header", "the size of a chunk is malformed"),
    ("malformed chunk footer", "a chunk does not end where its size says it should"),
    ("peer closed connection", "the connection ended in the middle of a message"),
    ("peer unexpectedly closed", "the connection ended in the middle of a message"),
)


def what_is_wrong(error: h11.ProtocolError) -> str:
    """Explain an h11 error without quoting what h11 read."""
    said = str(error)
    return next((ours for theirs, ours in _WORDS if said.startswith(theirs)), "not HTTP/1.1")


def failure_of(error: Exception) -> Failure:
    """Return the failure that a connection error stands for, with a sentence that explains it."""
    causes = list(_causes(error))
    for kind, reason in _KINDS:
        for cause in causes:
            if isinstance(cause, kind):
                return _explained(Failure.of(reason), cause)
    return _explained(Failure.of(Reason.UNREACHABLE), causes[-1])


# The first match counts: an error may be an instance of several of these.
_KINDS: Final[tuple[tuple[type[Exception], Reason], ...]] = (
    (ssl.SSLError, Reason.TLS),
    (gaierror, Reason.DNS),
    (UnicodeError, Reason.DNS),
    (ConnectionRefusedError, Reason.REFUSED),
    (ConnectionError, Reason.RESET),
    (anyio.BrokenResourceError, Reason.RESET),
    (anyio.ClosedResourceError, Reason.RESET),
    (anyio.EndOfStream, Reason.TRUNCATED),
    (TimeoutError, Reason.TIMEOUT),
    (h11.ProtocolError, Reason.MALFORMED),
)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and its causes; if a host has several addresses, anyio groups their errors."""
    yield error
    if is_group(error):
        for inner in error.exceptions:
            yield from _causes(inner)
    elif error.__cause__ is not None:
        yield from _causes(error.__cause__)


def _explained(failure: Failure, error: BaseException) -> Failure:
    """Return the failure, with details from the error added to its sentence."""
    why = failure.why
    if isinstance(error, ssl.SSLCertVerificationError):
        why = f"the certificate is not trusted: {error.verify_message.rstrip('.')}"
    elif isinstance(error, ssl.SSLError):
        named: object = getattr(error, "reason", None)  # not every SSLError has one
        why += f": {str(named or 'the connection ended').lower().replace('_', ' ')}"
    elif isinstance(error, h11.ProtocolError):
        why += f": {what_is_wrong(error)}"
    elif failure.reason is Reason.UNREACHABLE and isinstance(error, OSError) and error.strerror:
        why = error.strerror
    return evolve(failure, why=why)


def is_group(error: BaseException) -> TypeGuard[BaseExceptionGroup[BaseException]]:
    """Return whether an error is an exception group; type checkers then know its members' type."""
    return isinstance(error, BaseExceptionGroup)
