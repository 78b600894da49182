# pyright: reportUnknownMemberType=false
# mitmproxy is only partly typed.
"""Make mitmproxy report upstream failures and forward headers the way the native proxy does."""

import re
from typing import Final

from mitmproxy.http import Headers

from mock_server.faults.response import HOP_BY_HOP, listed
from mock_server.net.failure import Failure, Reason

# mitmproxy reports failures as text that may quote the peer, so only the kind is kept.
_KINDS: Final = (
    (r"Errno 111|refused", Failure.of(Reason.REFUSED)),
    (r"Errno 104|reset", Failure.of(Reason.RESET)),
    (r"getaddrinfo|Errno -\d|not known|resolution", Failure.of(Reason.DNS)),
    (r"certificate verify failed", Failure(Reason.TLS, "the certificate is not trusted")),
    (r"\bTLS\b|\bSSL\b|handshake|certificate", Failure.of(Reason.TLS)),
    (r"timed out|timeout|Errno 110", Failure.of(Reason.TIMEOUT)),
    (
        r"parse|unexpected server response|HTTP/1 protocol error: (?!incomplete|peer closed)|header",
        Failure.of(Reason.MALFORMED),
    ),
    (r"incomplete|closed|disconnect", Failure.of(Reason.TRUNCATED)),
)
# mitmproxy needs these to find the end of a message and of a connection.
_FOR_MITMPROXY: Final = frozenset({"connection", "transfer-encoding"})
_KEPT_OPTIONS: Final = frozenset({"close", "keep-alive"})


def failure_from(message: str) -> Failure | None:
    """Convert a mitmproxy error message to a failure, or to None if the client caused the error."""
    if re.match(r"Client disconnected|stream (reset|closed) by client|killed", message):
        return None
    for pattern, failure in _KINDS:
        if re.search(pattern, message, re.IGNORECASE):
            return failure
    return Failure.of(Reason.UNREACHABLE)


def decoded(headers: Headers) -> list[tuple[str, str]]:
    """Return the header fields in order, decoded as Latin-1."""
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.fields]


def keep_end_to_end(headers: Headers) -> None:
    """Remove the hop-by-hop header fields (RFC 9110, 7.6.1).

    Keep all fields of a WebSocket upgrade, which mitmproxy handles itself.
    """
    pairs = decoded(headers)
    options = listed(pairs, "connection")
    if "websocket" in listed(pairs, "upgrade"):
        return
    for name in (HOP_BY_HOP | set(options)) - _FOR_MITMPROXY:
        headers.pop(name, None)
    kept = [option for option in options if option in _KEPT_OPTIONS]
    if kept != options:
        headers.pop("connection", None)
        if kept:
            headers["Connection"] = ", ".join(kept)
