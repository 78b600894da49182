"""A backend built on threads and plain sockets; a check's scripts choose every byte it sends."""

import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Final, Self, TypeAlias

from attrs import define, field, frozen

_READ: Final = 64 * 2**10
_LEAVING: Final = 5.0


@frozen
class Asked:
    """A request as it arrived; header names are in lower case."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=lambda body: f"<{len(body)} bytes>")

    @property
    def route(self) -> str:
        """The route of the request: `create`, `stream`, `cancel` or `job`."""
        path = self.target.partition("?")[0]
        if self.method == "POST":
            return "cancel" if path.endswith("/cancel") else "create"
        return "stream" if path.endswith("/events/stream") else "job"

    def header(self, name: str) -> str | None:
        """Return the first header called `name`, or None."""
        return next((value for key, value in self.headers if key == name.lower()), None)


@define(eq=False)
class Visit:
    """The backend's end of one accepted connection."""

    socket: socket.socket
    _buffer: bytes = field(default=b"", init=False)

    def head(self) -> Asked | None:
        """Read the head of a request; return None if the client has closed the connection."""
        while b"\r\n\r\n" not in self._buffer:
            if not (data := self.socket.recv(_READ)):
                return None
            self._buffer += data
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        pairs = (line.partition(":") for line in lines)
        return Asked(method, target, tuple((k.lower(), v.strip()) for k, _, v in pairs), b"")

    def body(self, head: Asked) -> Asked:
        """Read the body of a request; return the whole request."""
        length = int(head.header("Content-Length") or 0)
        pieces, missing = [self._buffer[:length]], length - len(self._buffer)
        self._buffer = self._buffer[length:]
        while missing > 0:
            data = self.socket.recv(min(_READ, missing))
            if not data:
                raise ConnectionError("the client closed the connection in the middle of a request")
            pieces.append(data)
            missing -= len(data)
        return Asked(head.method, head.target, head.headers, b"".join(pieces))

    def send(self, data: bytes) -> None:
        """Send all of `data`."""
        self.socket.sendall(data)

    def send_slowly(self, data: bytes) -> None:
        """Send `data` in packets of one byte."""
        for at in range(len(data)):
            self.socket.sendall(data[at : at + 1])

    @staticmethod
    def pause(seconds: float = 0.01) -> None:
        """Send nothing for the given number of seconds."""
        time.sleep(seconds)

    def until_left(self) -> None:
        """Wait until the client has closed the connection, cleanly or not."""
        while self.socket.recv(_READ):
            pass

    def reset(self) -> None:
        """End the connection with RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def cut(self) -> None:
        """End a TLS connection without a close_notify."""
        assert isinstance(self.socket, ssl.SSLSocket)
        socket.socket(fileno=self.socket.detach()).close()

    def say_goodbye(self) -> None:
        """End a TLS connection with a close_notify."""
        assert isinstance(self.socket, ssl.SSLSocket)
        with suppress(OSError):
            self.socket.unwrap()
        self.socket.close()


Script: TypeAlias = Callable[[Visit], None]
"""Answers one request; the connection stays open unless the script closes its socket."""


@define(eq=False)
class Peer:
    """A backend that answers the nth request on a route with the route's nth script.

    Once the scripts of a route have all been used, the last one answers every further request.
    If `early` is set, a create is answered before its body is read. All times are in seconds.
    """

    scripts: Mapping[str, Sequence[Script]]
    tls: ssl.SSLContext | None = None
    early: bool = False
    greeting: bytes = b""
    """If not empty, sent as soon as a client connects; the backend then closes the connection."""
    requests: list[Asked] = field(factory=list[Asked], init=False)
    visits: int = field(default=0, init=False)
    _open: set[socket.socket] = field(factory=set[socket.socket], init=False)
    _changed: threading.Condition = field(factory=threading.Condition, init=False)
    _listener: socket.socket = field(init=False)
    _threads: list[threading.Thread] = field(factory=list[threading.Thread], init=False)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._spawn(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._changed:
            for each in self._open:
                with suppress(OSError):
                    socket.socket.shutdown(each, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_LEAVING)

    @property
    def port(self) -> int:
        """The port on 127.0.0.1 on which the backend listens."""
        port: int = self._listener.getsockname()[1]
        return port

    def asked(self, route: str) -> list[Asked]:
        """Return the requests received on a route so far."""
        with self._changed:
            return [each for each in self.requests if each.route == route]

    def came(self, route: str, number: int, patience: float) -> bool:
        """Wait until a route has had `number` requests; return whether it had them in time."""
        return self._until(lambda: len(self.asked(route)) >= number, patience)

    def visited(self, patience: float) -> bool:
        """Wait for a connection; return whether one arrived in time."""
        return self._until(lambda: self.visits > 0, patience)

    def all_left(self, patience: float) -> bool:
        """Wait until no connection is open; return whether that happened in time."""
        return self._until(lambda: not self._open, patience)

    def _until(self, condition: Callable[[], bool], patience: float) -> bool:
        with self._changed:
            return self._changed.wait_for(condition, patience)

    def _spawn(self, function: Callable[[], None]) -> None:
        thread = threading.Thread(target=function, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                accepted, _ = self._listener.accept()
            except OSError:
                return  # the check is over
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._changed:
                self.visits += 1
                self._open.add(accepted)
                self._changed.notify_all()
            self._spawn(partial(self._serve, accepted))

    def _serve(self, accepted: socket.socket) -> None:
        served = accepted
        try:
            if self.tls is not None:
                served = self.tls.wrap_socket(
                    accepted, server_side=True, do_handshake_on_connect=False
                )
                with self._changed:
                    self._open.remove(accepted)
                    self._open.add(served)
                assert isinstance(served, ssl.SSLSocket)
                served.do_handshake()
            if self.greeting:
                served.sendall(self.greeting)
                return
            visit = Visit(served)
            while served.fileno() >= 0 and self._exchange(visit):
                pass
        except OSError:
            pass  # a client that leaves is the subject of many checks
        finally:
            served.close()
            with self._changed:
                self._open.discard(served)
                self._changed.notify_all()

    def _exchange(self, visit: Visit) -> bool:
        """Answer one request; return False if the client has closed the connection."""
        asked = visit.head()
        if asked is None:
            return False
        if not (self.early and asked.route == "create"):
            asked = visit.body(asked)
        with self._changed:
            self.requests.append(asked)
            number = len(self.asked(asked.route))
            self._changed.notify_all()
        scripts = self.scripts[asked.route]
        scripts[min(number, len(scripts)) - 1](visit)
        return True
