"""Where a base URL leads: host, port, TLS, and what to set on the socket.

It knows addresses and socket options. It refuses to know whether anyone waits for a connection.
"""

import selectors
import socket
import ssl
from typing import Final
from urllib.parse import urlsplit

from attrs import field, frozen

_PORTS: Final = {"http": 80, "https": 443}
# A peer that vanished is noticed within six minutes instead of two hours.
_KEEPALIVE: Final = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 60), ("TCP_KEEPCNT", 5))


@frozen(kw_only=True)
class Timeouts:
    """How long to wait for what must come soon, in seconds. An open stream has no time limit."""

    connect: float = 10.0
    head: float = 60.0
    answer: float = 120.0
    """For a whole answer of a call that is no part of a trainer, such as `ArkorClient.job`."""


@frozen
class Address:
    """What to connect to."""

    host: str
    port: int
    ssl_context: ssl.SSLContext | None = field(repr=False)

    @classmethod
    def of(cls, base_url: str, ssl_context: ssl.SSLContext | None) -> "Address":
        """Return where `base_url` leads; TLS is verified against the system's trust by default."""
        parts = urlsplit(base_url)
        if parts.scheme == "https" and ssl_context is None:
            ssl_context = ssl.create_default_context()
        port = parts.port or _PORTS[parts.scheme]
        return cls(parts.hostname or "", port, ssl_context if parts.scheme == "https" else None)


def keep_alive(connected: socket.socket) -> None:
    """Have the kernel ask now and then whether the peer is still there."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def is_stale(idle: socket.socket) -> bool:
    """Tell whether an idle connection has something to say, which can only be that it is over."""
    with selectors.DefaultSelector() as selector:
        selector.register(idle, selectors.EVENT_READ)
        return bool(selector.select(0))
