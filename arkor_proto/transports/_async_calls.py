"""The calls that are no part of a trainer: one request, one answer, no state.

It knows how an answer is read, bounded and refused. It refuses to know what is asked.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias, assert_never

import anyio
from attrs import define, field

from arkor_proto._errors import ResponseError, TransportError
from arkor_proto._exchange import Report, is_success
from arkor_proto._messages import Broken, Finished, Received, Responded
from arkor_proto._types import Bounds, Endpoint, Request
from arkor_proto._wire import read_error
from arkor_proto.transports._async_http import Connector

BodyReader: TypeAlias = Callable[[Responded, bytes], Awaitable[None]]
"""Takes the head and each piece of a 2xx answer's body, b"" at its end."""


@define
class _Answer:
    """What one request has been answered so far."""

    endpoint: Endpoint
    bounds: Bounds
    body_reader: BodyReader
    head: Responded | None = None
    failure: Exception | None = None
    refusal: bytearray = field(factory=bytearray)

    async def take(self, report: Report) -> None:
        match report:
            case Responded():
                self.head = report
            case Received(_, data):
                await self._read(data)
            case Finished():
                await self._read(b"")
            case Broken(_, error):
                self.failure = error
            case never:
                assert_never(never)

    async def _read(self, data: bytes) -> None:
        if self.head is None:
            return
        if is_success(self.head.status):
            await self.body_reader(self.head, data)
            return
        self.refusal += data[: self.bounds.error_body - len(self.refusal)]
        if not data or len(self.refusal) == self.bounds.error_body:
            body = bytes(self.refusal)
            secrets = {self.endpoint.token}
            raise read_error(self.head.status, self.head.headers, body, secrets=secrets)


@define
class Caller:
    """Makes calls. Raises StatusError for a refusal and TransportError when the network fails."""

    endpoint: Endpoint
    connector: Connector
    bounds: Bounds

    async def read(self, request: Request) -> bytes:
        """Return the whole body of a 2xx answer, within the bound on answers."""
        body = bytearray()

        async def keep(_: Responded, data: bytes) -> None:
            body.extend(data)
            if len(body) > self.bounds.create_body:
                raise ResponseError(f"answer: it is larger than {self.bounds.create_body} bytes")

        with anyio.move_on_after(self.connector.timeouts.answer):
            await self.stream(request, keep)
            return bytes(body)
        raise TransportError(f"answer: not whole within {self.connector.timeouts.answer} seconds")

    async def stream(self, request: Request, body_reader: BodyReader) -> None:
        """Hand the body of a 2xx answer to `body_reader` as it comes."""
        # Only what is safe to send twice uses a connection that may have died unnoticed.
        reuse = request.method == "GET" and self.connector.has_idle
        answer = await self._attempt(request, body_reader, reuse=reuse)
        if reuse and answer.failure is not None and answer.head is None:
            answer = await self._attempt(request, body_reader, reuse=False)
        if answer.failure is not None:
            raise answer.failure

    async def _attempt(self, request: Request, body_reader: BodyReader, *, reuse: bool) -> _Answer:
        answer = _Answer(self.endpoint, self.bounds, body_reader)
        await self.connector.run(1, request, answer.take, reuse=reuse)
        return answer
