"""An upstream on a raw socket, which sends exactly the bytes that a test gives it."""

import queue
import socket
import struct
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Final

from attrs import define, field, frozen

_RESET: Final = struct.pack("ii", 1, 0)


@frozen
class Said:
    """The answer on one connection, piece by piece, and whether it ends with an RST."""

    pieces: Sequence[bytes]
    reset: bool = False
    go_on: threading.Event | None = None
    """An event that must be set before the last piece is sent."""


@define(eq=False)
class RawUpstream:
    """Answers one connection after another from a queue."""

    _listener: socket.socket
    heads: list[bytes] = field(factory=list[bytes], init=False)
    """The heads of all requests so far."""
    _answers: queue.SimpleQueue[Said] = field(factory=queue.SimpleQueue[Said], init=False)

    @property
    def url(self) -> str:
        """The URL where it listens."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def say(
        self, *pieces: bytes, reset: bool = False, go_on: threading.Event | None = None
    ) -> None:
        """Queue the answer for one connection."""
        self._answers.put(Said(pieces, reset, go_on))

    def serve(self) -> None:
        """Answer until the listener is shut down."""
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return
            with accepted, suppress(ConnectionError):  # the proxy may leave first
                self._answer(accepted, self._answers.get())

    def _answer(self, accepted: socket.socket, said: Said) -> None:
        accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        head = b""
        while b"\r\n\r\n" not in head:
            if not (data := accepted.recv(65_536)):
                return
            head += data
        self.heads.append(head)
        for n, piece in enumerate(said.pieces, 1):
            if said.go_on is not None and n == len(said.pieces):
                said.go_on.wait(30)
            accepted.sendall(piece)
        if said.reset:
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)


@contextmanager
def raw_upstream() -> Generator[RawUpstream, None, None]:
    """Run one for the length of a `with`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        upstream = RawUpstream(listener)
        thread = threading.Thread(target=upstream.serve, name="raw upstream")
        thread.start()
        try:
            yield upstream
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
