# pyright: reportUnknownMemberType=false
# mitmproxy is only partly typed.
"""Make mitmproxy match the native proxy: its upstream failures, and the headers it forwards."""

import re
from typing import Final

from mitmproxy.http import Headers

from mock_server.faults.response import HOP_BY_HOP, listed
from mock_server.net.failure import Failure, Reason

# mitmproxy reports failures as text that may quote the peer, so only the kind is kept.
_KINDS: Final = (
    (r"Errno 111|refused", Reason.REFUSED, "it refused the connection"),
    (r"Errno 104|reset", Reason.RESET, "it reset the connection"),
    (r"getaddrinfo|Errno -\d|not known|resolution", Reason.DNS, "its name has no address"),
    (r"certificate verify failed", Reason.TLS, "its certificate is not trusted"),
    (r"\bTLS\b|\bSSL\b|handshake|certificate", Reason.TLS, "the TLS handshake failed"),
    (r"timed out|timeout|Errno 110", Reason.TIMEOUT, "it did not answer in time"),
    (
        r"parse|unexpected server response|HTTP/1 protocol error: (?!incomplete|peer closed)|header",
        Reason.MALFORMED,
        "its answer is not valid HTTP/1.1",
    ),
    (
        r"incomplete|closed|disconnect",
        Reason.TRUNCATED,
        "it closed the connection before its answer was complete",
    ),
)
# mitmproxy needs these to find the end of a message and of a connection.
_FOR_MITMPROXY: Final = frozenset({"connection", "transfer-encoding"})
_KEPT_OPTIONS: Final = frozenset({"close", "keep-alive"})


def failure_from(message: str) -> Failure | None:
    """Convert an error message of mitmproxy; None if the client caused it."""
    if re.match(r"Client disconnected|stream (reset|closed) by client|killed", message):
        return None
    for pattern, reason, why in _KINDS:
        if re.search(pattern, message, re.IGNORECASE):
            return Failure(reason, why)
    return Failure(Reason.UNREACHABLE, "it is unreachable")


def keep_end_to_end(headers: Headers) -> None:
    """Remove the header fields that are about one connection only (RFC 9110, 7.6.1).

    Keeps them all for an upgrade to WebSocket, which mitmproxy does itself.
    """
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers.fields]
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
