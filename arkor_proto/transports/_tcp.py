"""The address that a base URL stands for (host, port, TLS), and its sockets and timeouts."""

import os
import select
import selectors
import socket
import ssl
import sys
from typing import Final, TypeGuard

from attrs import field, frozen

from arkor_proto._address import read_origin
from arkor_proto._checks import check_kind
from arkor_proto._errors import TransportError

_NO_TLS: Final = frozenset({"WRONG_VERSION_NUMBER", "HTTP_REQUEST"})
_UNKNOWN_ISSUER: Final = frozenset({2, 18, 19, 20, 21})
"""OpenSSL's codes for certificates that are self-signed or whose issuer is not known."""
# A peer that vanished is noticed within six minutes instead of two hours.
_KEEPALIVE: Final = (
    ("TCP_KEEPIDLE", 60),
    ("TCP_KEEPALIVE", 60),  # the name of TCP_KEEPIDLE on macOS
    ("TCP_KEEPINTVL", 60),
    ("TCP_KEEPCNT", 5),
)


@frozen(kw_only=True)
class Timeouts:
    """Time limits in seconds. None of them applies to an open stream."""

    connect: float = 10.0
    head: float = 60.0
    answer: float = 120.0
    """The limit for the whole response to a call outside a trainer, such as `ArkorClient.job`."""
    chat: float = 600.0
    """The limit for the whole response to `Checkpoint.infer`, including calls to `on_delta`."""
    chat_silence: float = 60.0
    """The longest pause that is allowed within the response to an inference request."""
    token: float = 60.0
    """The limit for one call to the token provider."""


def checked_timeouts(timeouts: Timeouts | None) -> Timeouts:
    """Return `timeouts`, or the defaults if it is None; raise TypeError for any other object."""
    timeouts = Timeouts() if timeouts is None else timeouts
    check_kind("timeouts", timeouts, Timeouts, "Timeouts, such as Timeouts(connect=5.0)")
    return timeouts


@frozen
class Address:
    """The address to connect to, and its TLS settings."""

    host: str
    port: int
    ssl_context: ssl.SSLContext | None = field(repr=False)
    server_name: str = ""
    """The server name that the TLS handshake sends and verifies."""

    @classmethod
    def of(cls, base_url: str, ssl_context: ssl.SSLContext | None) -> "Address":
        """Return the address of `base_url`; without `ssl_context`, use the system's trust store."""
        origin = read_origin(base_url)
        secure = origin.scheme == "https"
        if secure and ssl_context is None:
            ssl_context = ssl.create_default_context()
        context = ssl_context if secure else None
        return cls(origin.host, origin.port, context, origin.server_name)


def check_owner(owner: int) -> None:
    """Raise TransportError unless the current process is `owner`, which opened the connection.

    If a parent and its child shared a socket, each could read the other's responses.
    """
    if os.getpid() != owner:
        raise TransportError("the connection belongs to the parent process")


def keep_alive(connected: socket.socket) -> None:
    """Turn on TCP keep-alive, so that the kernel notices when the peer is gone."""
    connected.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE:
        if hasattr(socket, name):
            connected.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def is_stale(idle: socket.socket) -> bool:
    """Return whether an idle connection is readable, which means that it has ended."""
    return is_ready(idle, selectors.EVENT_READ)


def is_ready(waited: socket.socket, events: int, seconds: float | None = 0) -> bool:
    """Wait up to `seconds` for one of `events` (flags of `selectors`); None waits for ever.

    This opens no file descriptor, because there may be none left.
    """
    if sys.platform == "win32" or not hasattr(select, "poll"):
        with selectors.SelectSelector() as selector:
            selector.register(waited, events)
            return bool(selector.select(seconds))
    poll = select.poll()  # for each read of a stream, a selector would take four times as long
    reads, writes = events & selectors.EVENT_READ, events & selectors.EVENT_WRITE
    poll.register(waited, (select.POLLIN if reads else 0) | (select.POLLOUT if writes else 0))
    return bool(poll.poll(None if seconds is None else seconds * 1000))


def shake_hands(secured: ssl.SSLSocket) -> int | None:
    """Continue a handshake; return the `selectors` event to wait for, or None when it is done."""
    try:
        secured.do_handshake()
    except ssl.SSLWantReadError:
        return selectors.EVENT_READ
    except ssl.SSLWantWriteError:
        return selectors.EVENT_WRITE
    return None


def reason(error: BaseException) -> str:
    """Return why a connection failed, as text from the kernel, the resolver or TLS."""
    if error.__cause__ is not None:
        # The original error says more than the one that a library wraps it in.
        return reason(error.__cause__)
    if isinstance(error, ssl.SSLError):
        return _tls_reason(error)
    if _is_group(error):
        return "; ".join(dict.fromkeys(reason(member) for member in error.exceptions))
    if isinstance(error, OSError) and error.errno is not None:
        resolving = isinstance(error, socket.gaierror)
        return str(error.strerror) if resolving else os.strerror(error.errno)
    return str(error) or type(error).__name__


def _tls_reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        said = f"the certificate is not trusted: {error.verify_message.rstrip('.')}"
        unknown = error.verify_code in _UNKNOWN_ISSUER
        return f"{said}; pass ssl_context= to trust another authority" if unknown else said
    if isinstance(error, ssl.SSLEOFError):
        return "TLS ended without a close_notify, so the data may be incomplete"
    if error.reason in _NO_TLS:
        return "the peer does not speak TLS; did you mean http://?"
    return str(error)


def _is_group(error: BaseException) -> TypeGuard[BaseExceptionGroup[BaseException]]:
    return isinstance(error, BaseExceptionGroup)
