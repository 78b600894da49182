"""Another HTTP stack for the pooling client: `http.client` of the standard library, in threads.

It keeps connections alive, and before it reuses one it checks whether the backend has closed it, as
urllib3 does. Everything else is the behaviour of `http.client`.
"""

import contextlib
import http.client
import select
import socket
from collections.abc import AsyncIterator
from functools import partial
from typing import Final

import anyio
import anyio.to_thread
import httpx
from attrs import define, field, frozen

PATIENCE: Final = 30.0
_BLOCK: Final = 1 << 16


@define
class StdlibTransport(httpx.AsyncBaseTransport):
    """An httpx transport on `http.client`, for a single host."""

    _idle: list[http.client.HTTPConnection] = field(
        factory=list[http.client.HTTPConnection], init=False
    )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; raise httpx.TransportError."""
        if request.url.scheme != "http":
            raise httpx.UnsupportedProtocol(f"{request.url.scheme} is not spoken here")
        body = await request.aread()
        connection = self._connection(request.url)
        streaming = request.headers.get("Accept") == "text/event-stream"
        try:
            answer = await anyio.to_thread.run_sync(
                partial(_exchange, connection, request, body, streaming=streaming),
                abandon_on_cancel=True,
            )
        except (http.client.HTTPException, OSError, ValueError) as error:
            connection.close()
            raise httpx.ReadError(f"{type(error).__name__}: {error}") from error
        except BaseException:
            _tear(connection)
            raise
        headers = [(n.encode("latin-1"), v.encode("latin-1")) for n, v in answer.headers.items()]
        stream = _Body(connection, answer, self._idle)
        return httpx.Response(answer.status, headers=headers, stream=stream)

    async def aclose(self) -> None:
        """Close the connections that are kept alive."""
        for connection in self._idle:
            connection.close()

    def _connection(self, url: httpx.URL) -> http.client.HTTPConnection:
        while self._idle:
            kept = self._idle.pop()
            if (kept.host, kept.port) == (url.host, url.port) and not _is_stale(kept.sock):
                return kept
            kept.close()
        return http.client.HTTPConnection(url.host, url.port, timeout=PATIENCE)


@frozen
class _Body(httpx.AsyncByteStream):
    connection: http.client.HTTPConnection
    answer: http.client.HTTPResponse
    idle: list[http.client.HTTPConnection]

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while True:
            try:
                block = await anyio.to_thread.run_sync(
                    self.answer.read1, _BLOCK, abandon_on_cancel=True
                )
            except (http.client.HTTPException, OSError, ValueError, AttributeError) as error:
                raise httpx.ReadError(f"{type(error).__name__}: {error}") from error
            if not block:
                return
            yield block

    async def aclose(self) -> None:
        if self.answer.isclosed() and self.connection.sock is not None:
            self.idle.append(self.connection)
        else:
            _tear(self.connection)


def _exchange(
    connection: http.client.HTTPConnection, request: httpx.Request, body: bytes, *, streaming: bool
) -> http.client.HTTPResponse:
    target = request.url.raw_path.decode("ascii")
    connection.putrequest(request.method, target, skip_host=True, skip_accept_encoding=True)
    for name, value in request.headers.raw:
        connection.putheader(name.decode("ascii"), value)
    connection.endheaders(body or None)
    if streaming:
        connection.sock.settimeout(None)
    return connection.getresponse()


def _is_stale(kept: socket.socket | None) -> bool:
    return kept is None or bool(select.select([kept], [], [], 0)[0])


def _tear(connection: http.client.HTTPConnection) -> None:
    """End a connection, even if a thread is reading from it."""
    if connection.sock is not None:
        with contextlib.suppress(OSError):
            connection.sock.shutdown(socket.SHUT_RDWR)
    connection.close()
