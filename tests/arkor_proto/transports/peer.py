"""Backends made of one listening socket and one function: they may lie in any way they like.

They know bytes and endings. They refuse to know HTTP beyond where a request ends.
"""

import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, TypeAlias

import anyio
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSStream
from attrs import define, field, frozen

JSON_HEAD: Final = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
STREAM_HEAD: Final = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
)
LAST_CHUNK: Final = b"0\r\n\r\n"
_LOST: Final = (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream)


def json_answer(body: bytes, *, head: str = JSON_HEAD) -> bytes:
    """Return a whole response."""
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def refusal(status: int, body: bytes = b"", *headers: str) -> bytes:
    """Return a whole response with a status that means no."""
    lines = [f"HTTP/1.1 {status} No", *headers, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@frozen
class Asked:
    """A request as it arrived."""

    head: str
    body: bytes

    @property
    def line(self) -> str:
        """The method and the target."""
        return self.head.partition(" HTTP/1.1\r\n")[0]

    def header(self, name: str) -> str | None:
        """Return the first header of this name, None if there is none."""
        for line in self.head.split("\r\n")[1:]:
            key, _, value = line.partition(":")
            if key.lower() == name.lower():
                return value.strip()
        return None


@define(eq=False)
class Visit:
    """One accepted connection, from the peer's side."""

    stream: ByteStream
    number: int
    _buffer: bytes = field(default=b"", init=False)

    async def request(self) -> Asked:
        """Read one request, body included."""
        while b"\r\n\r\n" not in self._buffer:
            self._buffer += await self.stream.receive()
        head, _, self._buffer = self._buffer.partition(b"\r\n\r\n")
        asked = Asked(head.decode("latin-1"), b"")
        length = int(asked.header("Content-Length") or 0)
        while len(self._buffer) < length:
            self._buffer += await self.stream.receive()
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return Asked(asked.head, body)

    async def send(self, data: bytes) -> None:
        """Send all of `data`."""
        await self.stream.send(data)

    async def until_left(self) -> None:
        """Wait until the client has closed the connection, politely or not."""
        try:
            while True:
                await self.stream.receive()
        except _LOST:
            return

    async def reset(self) -> None:
        """End the connection with RST."""
        raw: socket.socket = self.stream.extra(SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await anyio.aclose_forcefully(self.stream)

    async def cut(self) -> None:
        """End a TLS connection without a close_notify."""
        assert isinstance(self.stream, TLSStream)
        await self.stream.transport_stream.aclose()


Handler: TypeAlias = Callable[[Visit], Awaitable[None]]


def stream_of(first: bytes, *others: bytes, again: bytes = b"") -> Handler:
    """Answer with an event stream of these chunks, `again` without end, until the client leaves."""

    async def handle(visit: Visit) -> None:
        await visit.request()
        await visit.send(STREAM_HEAD + chunk(first))
        for data in others:
            await visit.send(chunk(data))
        while again:
            await visit.send(chunk(again))
        await visit.until_left()

    return handle


@define(eq=False)
class Peer:
    """A listening backend. `open_connections` counts those that neither side has closed."""

    base_url: str
    visits: int = 0
    open_connections: int = 0
    _changed: anyio.Event = field(factory=anyio.Event)

    async def all_left(self) -> None:
        """Wait until no connection is open."""
        while self.open_connections:
            await self._changed.wait()

    async def visited(self, number: int) -> None:
        """Wait for the connection of this number, counted from 1."""
        while self.visits < number:
            await self._changed.wait()

    def came(self) -> int:
        """Note that a connection was opened; return its number."""
        self.visits += 1
        self.open_connections += 1
        self._tell()
        return self.visits

    def left(self) -> None:
        """Note that a connection was closed."""
        self.open_connections -= 1
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()


@asynccontextmanager
async def listening(
    handle: Handler,
    *,
    tls: ssl.SSLContext | None = None,
    host: str = "127.0.0.1",
    local: str = "127.0.0.1",
) -> AsyncGenerator[Peer, None]:
    """Serve every connection with `handle`, each in a task of its own, on a port of its own."""
    listener = await anyio.create_tcp_listener(local_host=local)
    port = listener.extra(SocketAttribute.local_port)
    peer = Peer(f"{'http' if tls is None else 'https'}://{host}:{port}")

    async def serve(stream: ByteStream) -> None:
        number = peer.came()
        try:
            if tls is not None:
                stream = await TLSStream.wrap(stream, server_side=True, ssl_context=tls)
            await handle(Visit(stream, number))
        except _LOST:
            pass  # a client that leaves is the subject of many tests
        finally:
            await anyio.aclose_forcefully(stream)
            peer.left()

    failure: Exception | None = None
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        try:
            yield peer
        except Exception as error:  # noqa: BLE001 - raised again where no group can wrap it
            failure = error
        tasks.cancel_scope.cancel()
    if failure is not None:
        raise failure


@asynccontextmanager
async def unreachable() -> AsyncGenerator[str, None]:
    """Yield an address whose connections are never completed: its queue is full."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)  # noqa: FBT003 - the standard library's own
                filler.connect_ex(address)
            yield f"http://127.0.0.1:{address[1]}"
        finally:
            for filler in fillers:
                filler.close()


def refused() -> str:
    """Return an address on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"
