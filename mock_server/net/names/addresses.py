"""URLs that are hard or impossible to reach: refused, silent, or with a troublesome name."""

import errno
import socket
from contextlib import AbstractContextManager
from typing import Final

from attrs import define, field

from mock_server.net.kernel import check_full_queue
from mock_server.net.names.resolver import Resolver

_LIVE: Final = "127.0.0.1"
_LAST: Final = 255


@define(eq=False)
class Addresses:
    """Makes URLs that are hard or impossible to reach; holds the ports it needs until `close`."""

    _held: list[socket.socket] = field(factory=list[socket.socket], init=False)
    _resolver: Resolver = field(factory=Resolver, init=False)

    def refused_url(self) -> str:
        """Return a URL whose port refuses connections: it is bound, but nothing listens on it."""
        return _url(self._hold())

    def dns_url(self) -> str:
        """Return a URL whose host name does not exist: RFC 6761 reserves `.invalid` for this."""
        return "http://arkor-mock.invalid"

    def blackhole_url(self) -> str:
        """Return a URL whose port never accepts a connection, because its accept queue is full.

        Raise OSError if the kernel does not ignore connections to a full queue (see GUIDE.md).
        """
        check_full_queue()
        listening = self._hold()
        self._held.append(filled(listening))
        return _url(listening)

    def slow_dns_url(self, port: int, seconds: float) -> str:
        """Return a URL whose host name takes this many seconds to resolve; see `resolving`."""
        return f"http://{self._resolver.add([_LIVE], seconds)}:{port}"

    def failing_dns_url(self, port: int = 80) -> str:
        """Return a URL whose host name fails to resolve with EAI_AGAIN, a temporary error.

        See `resolving`.
        """
        return f"http://{self._resolver.add([])}:{port}"

    def dead_first_url(self, port: int, *, silent: bool = False) -> str:
        """Return a URL whose host name has two addresses, the first one dead; see `resolving`.

        The first address refuses connections, or ignores them if `silent`; the second is 127.0.0.1.
        Raise OSError if the port is in use on every other loopback address, if there is no other
        loopback address (macOS), or if `silent` is set and the kernel does not ignore connections
        to a full queue.
        """
        if silent:
            check_full_queue()
        dead = self._hold_beside(port)
        if silent:
            self._held.append(filled(dead))
        address: str = dead.getsockname()[0]
        return f"http://{self._resolver.add([address, _LIVE])}:{port}"

    def resolving(self) -> AbstractContextManager[Resolver]:
        """Resolve the host names of these URLs in this process for the duration of a `with` block.

        This replaces `socket.getaddrinfo`, so it has no effect on clients in other processes, or
        on clients with their own resolver.
        """
        return self._resolver.installed()

    def _hold(self, address: str = _LIVE, port: int = 0) -> socket.socket:
        found = socket.socket()
        try:
            found.bind((address, port))
        except OSError:
            found.close()
            raise
        self._held.append(found)
        return found

    def _hold_beside(self, port: int) -> socket.socket:
        """Hold a port on an address of the loopback interface other than 127.0.0.1."""
        for last in range(2, _LAST):
            try:
                return self._hold(f"127.0.0.{last}", port)
            except OSError as error:  # another URL holds it
                if error.errno == errno.EADDRNOTAVAIL:
                    raise
        raise OSError(errno.EADDRINUSE, f"port {port} is in use on every loopback address")

    def close(self) -> None:
        """Release every port."""
        while self._held:
            self._held.pop().close()


def _url(held: socket.socket) -> str:
    return f"http://127.0.0.1:{held.getsockname()[1]}"


def filled(bound: socket.socket) -> socket.socket:
    """Make a bound socket listen with an accept queue of one; return the socket that fills the queue.

    The kernel then ignores further attempts to connect.
    """
    bound.listen(0)
    filler = socket.socket(bound.family, socket.SOCK_STREAM)
    filler.setblocking(False)  # noqa: FBT003 - the standard library's signature
    filler.connect_ex(bound.getsockname())
    return filler
