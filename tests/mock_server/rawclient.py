"""A client on a raw socket, which sees endings as the kernel reports them.

It speaks hardly any HTTP, because a real HTTP client would hide what these tests check.
"""

import errno
import json
import socket
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import anyio
from attrs import define, field, frozen

from mock_server.strict.shapes import is_table

EOF = "FIN"


@frozen
class Answer:
    """An answer: its head, its raw body, and how it ended (FIN or the name of an errno)."""

    head: str
    body: bytes
    ending: str | None

    @property
    def status(self) -> int:
        """The status of the first head."""
        return int(self.head.split(" ", 2)[1])

    def header(self, name: str) -> str | None:
        """Return the first header of this name."""
        for line in self.head.split("\r\n")[1:]:
            key, _, value = line.partition(": ")
            if key.lower() == name.lower():
                return value
        return None

    @property
    def json(self) -> Mapping[str, object]:
        """The body as a JSON object; a chunked body must be complete."""
        body = self.body
        if self.header("Transfer-Encoding") == "chunked":
            assert body.endswith(b"\r\n0\r\n\r\n"), f"the last chunk is missing: {body!r}"
            body = self.unchunked
        found: Mapping[str, object] = json.loads(body)
        return found

    @property
    def unchunked(self) -> bytes:
        """The body without chunk framing; a broken chunk is kept as it is."""
        found, rest = b"", self.body
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            try:
                length = int(size, 16)
            except ValueError:
                return found + size
            if length == 0:
                break
            found, rest = found + rest[:length], rest[length + 2 :]
        return found


def request_bytes(
    method: str,
    target: str,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
) -> bytes:
    """Render one request."""
    lines = [f"{method} {target} HTTP/1.1", "Host: mock"]
    given = {"Authorization": "Bearer t", **(headers or {})}
    if body:
        given["Content-Length"] = str(len(body))
    lines += [f"{name}: {value}" for name, value in given.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


@define
class RawClient:
    """One connection to the mock."""

    port: int
    _socket: socket.socket = field(init=False)
    _buffer: bytes = field(default=b"", init=False)

    async def __aenter__(self) -> Self:
        self._socket = socket.socket()
        self._socket.setblocking(False)  # noqa: FBT003 - the standard library's signature
        try:
            await self._connect()
        except BaseException:
            self._socket.close()
            raise
        return self

    async def _connect(self) -> None:
        result = self._socket.connect_ex(("127.0.0.1", self.port))
        if result not in {0, errno.EINPROGRESS}:
            raise OSError(result, "connect")
        await anyio.wait_writable(self._socket)
        if error := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            raise OSError(error, "connect")

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    async def send(self, data: bytes) -> None:
        """Send everything."""
        view = memoryview(data)
        while view:
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                await anyio.wait_writable(self._socket)

    def half_close(self) -> None:
        """Send FIN, and go on reading."""
        self._socket.shutdown(socket.SHUT_WR)

    async def read(self) -> bytes:
        """Return some bytes; b"" after FIN. Raises OSError after an RST."""
        while True:
            try:
                return self._socket.recv(65_536)
            except BlockingIOError:
                await anyio.wait_readable(self._socket)

    async def read_until(self, mark: bytes) -> bytes:
        """Read up to and including a mark; the rest is kept for the next read."""
        while mark not in self._buffer:
            data = await self.read()
            assert data, f"the connection ended before {mark!r}: {self._buffer!r}"
            self._buffer += data
        found, _, self._buffer = self._buffer.partition(mark)
        return found + mark

    async def read_to_end(self) -> tuple[bytes, str]:
        """Read everything; return it and how it ended: FIN or the name of an errno."""
        found, self._buffer = self._buffer, b""
        while True:
            try:
                data = await self.read()
            except OSError as error:
                return found, errno.errorcode[error.errno or 0]
            if not data:
                return found, EOF
            found += data

    async def ask(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> Answer:
        """Send a request and read its answer, up to its Content-Length or last chunk."""
        await self.send(request_bytes(method, target, headers, body))
        return await self.answer()

    async def answer(self) -> Answer:
        """Read one whole answer."""
        head = (await self.read_until(b"\r\n\r\n")).decode()
        answer = Answer(head, b"", None)
        if answer.header("Transfer-Encoding") == "chunked":
            return Answer(head, await self.read_until(b"0\r\n\r\n"), None)
        length = int(answer.header("Content-Length") or 0)
        while len(self._buffer) < length:
            data = await self.read()
            assert data, "the connection ended inside a body"
            self._buffer += data
        content, self._buffer = self._buffer[:length], self._buffer[length:]
        return Answer(head, content, None)

    async def ask_to_end(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Send a request and read until the connection ends in any way."""
        await self.send(request_bytes(method, target, headers, body))
        everything, ending = await self.read_to_end()
        head, mark, rest = everything.partition(b"\r\n\r\n")
        return Answer((head + mark).decode("latin-1"), rest, ending)


def event_ids(stream: bytes) -> list[str]:
    """Return the ids of the events in a part of a stream."""
    return [line[4:].decode() for line in stream.split(b"\n") if line.startswith(b"id: ")]


CREATE_BODY = json.dumps({"name": "n", "config": {"model": "m", "datasetSource": {}}}).encode()


async def create(port: int, headers: Mapping[str, str] | None = None) -> str:
    """Create a job on a connection of its own; return its id."""
    async with RawClient(port) as client:
        answer = await client.ask("POST", "/v1/jobs", headers, CREATE_BODY)
    job = answer.json["job"]
    assert is_table(job)
    return str(job["id"])


async def follow(port: int, job: str, cursor: str | None = None) -> Answer:
    """Open a stream on a connection of its own and read its whole answer or its end."""
    async with RawClient(port) as client:
        headers = {} if cursor is None else {"Last-Event-ID": cursor}
        headers["Connection"] = "close"
        return await client.ask_to_end("GET", f"/v1/jobs/{job}/events/stream", headers)
