"""What has to be changed in uvicorn itself, each in a few lines."""

import asyncio
import re
import socket
from typing import Final
from urllib.parse import quote, unquote

import uvicorn
from sse_starlette.sse import AppStatus
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from tests.backends.starlette_backend.app import Backend

ORIGIN: Final = re.compile("^https?://[^/]*", re.IGNORECASE)


class WholeSegments:
    """Routes on the path as it was sent, in which `%2F` is not a slash (ARK-SRV-58).

    uvicorn decodes the path first. What a route gets as a parameter is percent-encoded here. uvicorn
    with h11 also takes an absolute-form target for a path (ARK-SRV-55).
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] == "http":
            segments = ORIGIN.sub("", scope["raw_path"].decode()).split("/")
            path = "/".join(quote(unquote(segment), safe="") for segment in segments)
            scope = {**scope, "path": path or "/"}
        await self.app(scope, receive, send)


class HalfClosable(H11Protocol):
    """Answers a client that half-closes its connection after the request (ARK-SRV-59).

    uvicorn treats this as a disconnect. For a stream, that is right: otherwise the server would
    not notice that a client has left until it sends something.
    """

    def eof_received(self) -> bool:  # type: ignore[override] # asyncio allows it, uvicorn narrows it
        """Keep the connection open while a response is in progress."""
        if not is_answering(self) or self.scope["path"].endswith("/stream"):
            return False
        self.cycle.keep_alive = False
        return True


def is_answering(connection: H11Protocol) -> bool:
    """Return whether a response is not complete; uvicorn has no cycle before the first request."""
    cycle: RequestResponseCycle | None = connection.cycle
    return cycle is not None and not cycle.response_complete


def open_streams(running: uvicorn.Server, job: str) -> list[asyncio.Transport]:
    """Return the connections on which a stream of this job is open."""
    path = f"/v1/jobs/{job}/events/stream"
    everything = list[object](running.server_state.connections)
    connections = [each for each in everything if isinstance(each, H11Protocol)]
    return [
        each.transport for each in connections if is_answering(each) and each.scope["path"] == path
    ]


class Server(uvicorn.Server):
    """Ends the streams, each with its last chunk, before it waits for them (ARK-SRV-32)."""

    def __init__(self, config: uvicorn.Config, backend: Backend) -> None:
        super().__init__(config)
        self.backend = backend

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop."""
        self.backend.stop()
        await super().shutdown(sockets)


def server(backend: Backend) -> uvicorn.Server:
    """Return what serves a backend: call its `serve()`, or `run()` in a process of its own."""
    if backend.naive:
        config = uvicorn.Config(backend.app(), log_level="warning", timeout_graceful_shutdown=1)
        return uvicorn.Server(config)
    AppStatus.enable_automatic_graceful_drain = False  # sse-starlette would cut the streams
    app = WholeSegments(backend.app())
    config = uvicorn.Config(
        app, http=HalfClosable, log_level="warning", timeout_graceful_shutdown=1
    )
    return Server(config, backend)
