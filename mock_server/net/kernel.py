"""Ask the kernel about a connection, and list what this platform does not support.

Linux reports everything, macOS most of it, Windows little. Constants that Python does not define
are copied from the header files named in the comments.
"""

import asyncio
import enum
import errno
import socket
import struct
import sys
from typing import Final

from mock_server.scenario.vocabulary import Capability

if sys.platform == "linux":
    import fcntl

LINGER_ZERO: Final = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
"""The SO_LINGER value that makes closing a socket send an RST."""
LACKING: Final[frozenset[Capability]] = (
    frozenset[Capability]() if sys.platform == "linux" else frozenset({Capability.FULL_QUEUE})
)
"""The capabilities that the mock lacks on this platform."""
KEEPS_PORT: Final = sys.platform == "linux"
"""Whether a second socket can be bound to a port on which another one is listening."""

MOST_SOCKETS: Final = 256 if sys.platform == "win32" else None
"""The maximum number of connections, half of what the event loop can watch; None if unlimited."""
LOOP: Final[dict[str, object]] = (
    {"loop_factory": asyncio.SelectorEventLoop} if sys.platform == "win32" else {}
)
"""The `backend_options` that make `anyio.run` use an event loop that a mock can run on."""

# Bytes not yet sent (linux/sockios.h). TIOCOUTQ also counts bytes that are sent but not
# acknowledged, and a delayed acknowledgement takes 40 ms.
_SIOCOUTQNSD: Final = 0x894B
# Bytes not yet acknowledged (sys/socket.h of macOS).
_SO_NWRITE: Final = 0x1024
# The state of a connection (netinet/tcp.h of macOS).
_TCP_CONNECTION_INFO: Final = 0x106


class Peer(enum.Enum):
    """Whether the peer has closed the connection, and how."""

    THERE = "there"
    FIN = "fin"
    RST = "rst"


def unsent(connected: socket.socket) -> int | None:
    """Return how many bytes are unsent (macOS: unacknowledged); None if not reported."""
    if sys.platform == "linux":
        queued = bytearray(4)
        fcntl.ioctl(connected, _SIOCOUTQNSD, queued)
        return int.from_bytes(queued, "little")
    if sys.platform == "darwin":
        return connected.getsockopt(socket.SOL_SOCKET, _SO_NWRITE)
    return None


def peer_of(connected: socket.socket) -> Peer:
    """Return whether and how the peer has closed, even if unread bytes precede its FIN.

    On Windows, only an RST is noticed.
    """
    if sys.platform == "linux":
        # linux/tcp_states.h: ESTABLISHED and, after a FIN of ours, FIN_WAIT.
        state = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        return _peer_in(state, there={1, 4, 5}, close_wait=8)
    if sys.platform == "darwin":
        # netinet/tcp_fsm.h
        state = connected.getsockopt(socket.IPPROTO_TCP, _TCP_CONNECTION_INFO, 1)[0]
        return _peer_in(state, there={4, 6, 9}, close_wait=5)
    return Peer.RST if connected.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) else Peer.THERE


def _peer_in(state: int, *, there: set[int], close_wait: int) -> Peer:
    if state in there:
        return Peer.THERE
    return Peer.FIN if state == close_wait else Peer.RST


def reusing(unbound: socket.socket) -> None:
    """Let a socket bind a port whose previous connections are still in TIME_WAIT.

    Windows always allows this; SO_REUSEADDR there would let a socket take another process's port.
    """
    if sys.platform != "win32":
        unbound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)


def check_loop() -> None:
    """Raise RuntimeError if a mock cannot run on this event loop.

    The default event loop on Windows cannot wait for a socket that other code may close meanwhile.
    """
    if sys.platform != "win32":
        return
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # trio
        return
    if type(loop) is not asyncio.SelectorEventLoop:
        raise RuntimeError(
            f"on Windows the mock cannot run on {type(loop).__name__}; use asyncio.SelectorEventLoop"
        )


def check_full_queue() -> None:
    """Raise OSError unless the kernel ignores connection attempts when the accept queue is full."""
    if Capability.FULL_QUEUE in LACKING:
        raise OSError(
            errno.EOPNOTSUPP,
            "only Linux can leave connection attempts unanswered; "
            f"{sys.platform} refuses or accepts them",
        )
