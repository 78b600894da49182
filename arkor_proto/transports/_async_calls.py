"""The calls that are no part of a trainer: one request, one answer, no state.

It knows how an answer is read, bounded and refused. It refuses to know what is asked.
"""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

import anyio
from attrs import define

from arkor_proto._errors import ResponseError, TransportError
from arkor_proto._exchange import Report
from arkor_proto._messages import Responded
from arkor_proto._types import Bounds, Endpoint, Request
from arkor_proto.transports._async_http import Connector
from arkor_proto.transports._surface import Answer

BodyReader: TypeAlias = Callable[[Responded, bytes], Awaitable[None]]
"""Takes the head and each piece of a 2xx answer's body, b"" at its end."""


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

    async def _attempt(self, request: Request, body_reader: BodyReader, *, reuse: bool) -> Answer:
        answer = Answer(self.endpoint, self.bounds)

        async def take(report: Report) -> None:
            piece = answer.take(report)
            if piece is not None and answer.head is not None:
                await body_reader(answer.head, piece)

        await self.connector.run(1, request, take, reuse=reuse)
        return answer
