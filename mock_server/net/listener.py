"""The listening port, which accepts connections, or refuses or ignores them during an outage."""

import errno
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import anyio
from attrs import define, field

from mock_server.net.kernel import KEEPS_PORT, LINGER_ZERO, reusing
from mock_server.net.names.addresses import filled
from mock_server.net.names.host_names import address_of, in_url
from mock_server.scenario.words.end import Outage

_BACKLOG: Final = 1024


@define(eq=False)
class Listener:
    """Occupies one port of the loopback interface (or of `host`) from `open` until `close`.

    A second socket, bound to the port but never listening, reserves it during an outage, so that
    connections are refused and no other process can take the port. Where that is not possible
    (`KEEPS_PORT` is false), the second socket is bound only during the outage, and another process
    could take the port just as the outage begins or ends.
    """

    host: str = "127.0.0.1"
    port: int = 0
    _opened: bool = field(default=False, init=False)
    _address: str = field(default="", init=False)
    _placeholder: socket.socket | None = field(default=None, init=False)
    _socket: socket.socket | None = field(default=None, init=False)
    _up: anyio.Event = field(factory=anyio.Event, init=False)
    _swallowing: list[socket.socket] = field(factory=list[socket.socket], init=False)

    def open(self) -> None:
        """Bind and listen unless already open; raise OSError (port taken) or OddHost (bad host)."""
        if self._opened:
            return
        self._address = address_of(self.host)
        if KEEPS_PORT:
            self._placeholder = self._bound()
        self._listen()
        self._opened = True

    @property
    def authority(self) -> str:
        """The host and port as in a URL, such as `127.0.0.1:41234` or `[::1]:41234`."""
        return f"{in_url(self.host)}:{self.port}"

    def _bound(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        found = socket.socket(family, socket.SOCK_STREAM)
        try:
            reusing(found)
            found.bind((self._address, self.port))
        except OSError as error:
            found.close()
            error.filename = f"{in_url(self.host)}:{self.port}"  # for messages
            if error.errno == errno.EADDRINUSE:
                error.strerror = f"{error.strerror}; use port 0 to get a free one"
            raise
        self.port = int(found.getsockname()[1])
        return found

    def _listen(self) -> None:
        if not KEEPS_PORT:
            self._release_place()
        found = self._bound()
        found.setblocking(False)  # noqa: FBT003 - the standard library's signature
        found.listen(_BACKLOG)
        self._socket = found
        self._up.set()

    def _stop_listening(self) -> None:
        if self._socket is not None:
            self._up = anyio.Event()
            gone, self._socket = self._socket, None
            anyio.notify_closing(gone)
            gone.close()

    async def serve(self, handle: Callable[[socket.socket], Awaitable[None]]) -> None:
        """Accept connections forever and pass each to `handle`, which must not block."""
        while True:
            await self._up.wait()
            listening = self._socket
            if listening is None:
                continue
            try:
                accepted, _ = listening.accept()
            except BlockingIOError:
                try:
                    await anyio.wait_readable(listening)
                except anyio.ClosedResourceError:
                    continue
            except OSError:
                if self._socket is listening:
                    # Out of descriptors, or the client left before it was accepted.
                    await anyio.sleep(0.01)
            else:
                await handle(accepted)

    def reset_waiting(self) -> None:
        """Reset the connections that clients have opened and `serve` has not accepted yet.

        If the process runs out of file descriptors, the remaining ones are not reset.
        """
        if self._socket is None:
            return
        for _ in range(_BACKLOG):
            try:
                accepted, _ = self._socket.accept()
            except ConnectionError:
                continue  # the client left first
            except OSError:
                return
            with accepted, suppress(OSError):  # the client has already reset it
                accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)

    @property
    def away(self) -> bool:
        """Whether an outage is in progress."""
        return self._opened and self._socket is None

    def take_away(self, kind: Outage) -> None:
        """Begin an outage, unless one is in progress; open connections stay open."""
        if self._socket is None:
            return
        self._stop_listening()
        if kind is Outage.BLACKHOLE:
            listening = self._bound()
            self._swallowing += [filled(listening), listening]
        elif not KEEPS_PORT:
            with suppress(OSError):  # another process has just taken the port
                self._placeholder = self._bound()

    def bring_back(self) -> None:
        """End the outage, if one is in progress."""
        if self.away:
            self._swallow_no_more()
            self._listen()

    def _swallow_no_more(self) -> None:
        while self._swallowing:
            self._swallowing.pop().close()

    def close(self) -> None:
        """Release the port."""
        self._stop_listening()
        self._swallow_no_more()
        self._release_place()
        self._opened = False

    def _release_place(self) -> None:
        if self._placeholder is not None:
            self._placeholder.close()
            self._placeholder = None
