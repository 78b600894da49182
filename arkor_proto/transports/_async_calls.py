"""Calls that do not belong to a trainer: each is one request and its response."""

import math
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import anyio
from attrs import define, field

from arkor_proto._calls import CallAnswer, WholeBody
from arkor_proto._errors import TransportError
from arkor_proto._messages import Report, Responded
from arkor_proto._secrets import Hider
from arkor_proto._types import Bounds, Request
from arkor_proto.transports._async_http import Connector, Exchange
from arkor_proto.transports._surface import CLOSED

BodyReader: TypeAlias = Callable[[Responded, bytes], Awaitable[bool]]
"""Takes a 2xx response's head and a piece of its body (b"" at the end); returns True to stop."""


@define(eq=False)
class Caller:
    """Makes calls. Raises StatusError for a refusal and TransportError if the network fails."""

    connector: Connector
    bounds: Bounds
    _under_way: set[anyio.CancelScope] = field(init=False, factory=set[anyio.CancelScope])
    _closed: bool = field(init=False, default=False)

    def close(self) -> None:
        """End the calls in progress with a TransportError, because the client is closing."""
        self._closed = True
        for scope in self._under_way:
            scope.cancel()

    async def read(self, request: Request, hider: Hider) -> bytes:
        """Return the whole body of a 2xx response, within the limits on size and time."""
        whole = WholeBody(hider, self.bounds)

        async def keep(head: Responded, data: bytes) -> bool:
            return whole.take(head, data)

        with anyio.move_on_after(self.connector.timeouts.answer):
            await self.stream(request, keep, hider)
            return bytes(whole.body)
        raise TransportError(
            f"response: not complete after {self.connector.timeouts.answer} seconds"
        )

    async def chat(self, request: Request, body_reader: BodyReader, hider: Hider) -> None:
        """Pass the response to an inference request to `body_reader`; enforce the time limits."""
        timeouts = self.connector.timeouts
        with anyio.move_on_after(timeouts.chat):
            await self.stream(request, body_reader, hider, silence=timeouts.chat_silence)
            return
        raise TransportError(f"inference: not complete after {timeouts.chat} seconds")

    async def stream(
        self,
        request: Request,
        body_reader: BodyReader,
        hider: Hider,
        *,
        silence: float = math.inf,
    ) -> None:
        """Make a call, and pass the body of its 2xx response to `body_reader` as it arrives.

        `hider` removes the request's token from errors. `silence` is how many seconds may pass
        without any data once the response has begun.
        """
        if self._closed:
            raise RuntimeError(CLOSED)
        # An idle connection may already be lost, so only requests that are safe to repeat use one.
        reuse = request.method == "GET"
        answer = await self._attempt(request, body_reader, hider, silence, reuse=reuse)
        if answer.refused is not None:
            raise answer.refusal(answer.refused)
        if answer.failure is not None:
            raise answer.failure

    async def _attempt(
        self,
        request: Request,
        body_reader: BodyReader,
        hider: Hider,
        silence: float,
        *,
        reuse: bool,
    ) -> CallAnswer:
        answer = CallAnswer(hider, self.bounds)
        reused = False

        async def carry(exchange: Exchange) -> None:
            while (report := await exchange.next_report()) is not None:
                await take(report)

        async def take(report: Report) -> None:
            piece = answer.take(report)
            if isinstance(report, Responded) and answer.refused is not None:
                # The body of a refusal may never end (ARK-SEC-4).
                scope.deadline = anyio.current_time() + self.bounds.error_wait
            head = answer.head
            quiet.deadline = math.inf  # time in a callback does not count as silence
            if piece is not None and head is not None and await body_reader(head, piece):
                scope.cancel()
            quiet.deadline = anyio.current_time() + silence

        with anyio.CancelScope() as scope, anyio.CancelScope() as quiet:
            self._under_way.add(scope)
            try:
                reused = await self.connector.run(1, request, carry, hider.learn, reuse=reuse)
            finally:
                self._under_way.remove(scope)
        if quiet.cancelled_caught and answer.refused is None:
            raise TransportError(f"response: nothing received for {silence} seconds")
        if scope.cancelled_caught and self._closed:
            raise TransportError("the client was closed")
        if reused and answer.failure is not None and answer.head is None:
            return await self._attempt(request, body_reader, hider, silence, reuse=False)
        return answer
