"""Addresses where no server can answer: refused, unknown to DNS, silent.

A port stays reserved, so that no other program answers there.
"""

import socket

from attrs import define, field


@define(eq=False)
class Addresses:
    """Holds such ports until `close`."""

    _held: list[socket.socket] = field(factory=list[socket.socket], init=False)

    def refused_url(self) -> str:
        """Return a URL whose port refuses connections: it is bound and never listens."""
        return _url(self._hold())

    def dns_url(self) -> str:
        """Return a URL whose name does not exist (RFC 6761)."""
        return "http://arkor-mock.invalid"

    def blackhole_url(self) -> str:
        """Return a URL that answers no connection: its queue of one is full."""
        listening = self._hold()
        listening.listen(0)
        filler = socket.socket()
        self._held.append(filler)
        filler.setblocking(False)  # noqa: FBT003 - the standard library's signature
        filler.connect_ex(listening.getsockname())
        return _url(listening)

    def _hold(self) -> socket.socket:
        found = socket.socket()
        self._held.append(found)
        found.bind(("127.0.0.1", 0))
        return found

    def close(self) -> None:
        """Give every port back."""
        while self._held:
            self._held.pop().close()


def _url(held: socket.socket) -> str:
    return f"http://127.0.0.1:{held.getsockname()[1]}"
