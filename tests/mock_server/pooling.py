"""A client that reuses connections, as the heads of the answers allow.

h11 reads the answers, so that the mock's own code does not check itself.
"""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

import h11
from attrs import define, field, frozen

from tests.mock_server.rawclient import RawClient

_BODY = b'{"name": "n", "config": {"model": "m"}, "messages": [], "kind": "cli"}'


@frozen
class Pooled:
    """One answer: its status, its body, and whether its head kept the connection."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    kept: bool


@define
class PoolingClient:
    """Uses one connection until an answer announces its end.

    Raises AssertionError or h11.RemoteProtocolError for an answer that does not end as its head
    promised.
    """

    port: int
    connections: int = field(default=0, init=False)
    _wire: RawClient | None = field(default=None, init=False)
    _http: h11.Connection = field(factory=lambda: h11.Connection(h11.CLIENT), init=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._wire is not None:
            await self._wire.__aexit__(kind, error, trace)

    async def ask(self, method: str, target: str, *, close: bool = False) -> Pooled:
        """Send a request, read its answer, and check that the answer keeps the head's promise."""
        wire = self._wire = self._wire or await self._connect()
        body = _BODY if method == "POST" else b""
        headers = [("Host", "mock"), ("Authorization", "Bearer t")]
        headers += [("Content-Length", str(len(body)))] if body else []
        headers += [("Connection", "close")] if close else []
        sent = self._http.send(h11.Request(method=method, target=target, headers=headers)) or b""
        sent += (self._http.send(h11.Data(body)) or b"") if body else b""
        await wire.send(sent + (self._http.send(h11.EndOfMessage()) or b""))
        return await self._answer(wire)

    async def _connect(self) -> RawClient:
        self.connections += 1
        self._http = h11.Connection(h11.CLIENT)
        return await RawClient(self.port).__aenter__()

    async def _answer(self, wire: RawClient) -> Pooled:
        head: h11.Response | None = None
        body = b""
        while not isinstance(event := await self._event(wire), h11.EndOfMessage):
            if isinstance(event, h11.Response):
                head = event
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                assert isinstance(event, h11.InformationalResponse), event
        assert head is not None
        # Only a body without a length and without chunks ends with the connection.
        trailing, ended = self._http.trailing_data
        kept = self._http.our_state is h11.DONE and not ended
        if kept:
            assert trailing == b"", "bytes after an answer"
            self._http.start_next_cycle()
        else:
            await self._part(wire)
        headers = {key.decode(): value.decode("latin-1") for key, value in head.headers}
        return Pooled(head.status_code, headers, body, kept)

    async def _part(self, wire: RawClient) -> None:
        trailing, ended = self._http.trailing_data
        assert trailing == b""
        if not ended:
            assert await wire.read() == b"", "bytes after an answer that announced the end"
        self._wire = None
        await wire.__aexit__(None, None, None)

    async def _event(self, wire: RawClient) -> h11.Event:
        while (event := self._http.next_event()) is h11.NEED_DATA:
            self._http.receive_data(await wire.read())
        assert not isinstance(event, type), event
        return event
