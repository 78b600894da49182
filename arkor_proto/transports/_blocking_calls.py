"""The calls that are not part of a trainer: one request, one answer, on the thread that asks."""

import math
from collections.abc import Callable
from typing import TypeAlias

from attrs import define

from arkor_proto._calls import CallAnswer, WholeBody
from arkor_proto._errors import TransportError
from arkor_proto._messages import Responded
from arkor_proto._types import Bounds, Endpoint, Request
from arkor_proto.transports._blocking_http import FORKED, Connector, Exchange

BodyReader: TypeAlias = Callable[[Responded, bytes], bool]
"""Takes the head and each piece of a 2xx answer's body, b"" at its end; tells if that is enough."""


@define(eq=False)
class Caller:
    """Makes calls. Raises StatusError for a refusal and TransportError when the network fails."""

    endpoint: Endpoint
    connector: Connector
    bounds: Bounds

    def read(self, request: Request) -> bytes:
        """Return the whole body of a 2xx answer, within the bound on answers."""
        whole = WholeBody(self.endpoint, self.bounds)
        self._call("answer", request, whole.take, self.connector.timeouts.answer)
        return bytes(whole.body)

    def chat(self, request: Request, body_reader: BodyReader) -> None:
        """Hand the answer to an inference to `body_reader`, within the bounds of time on it."""
        timeouts = self.connector.timeouts
        self._call("inference", request, body_reader, timeouts.chat, timeouts.chat_silence)

    def _call(
        self, what: str, request: Request, read: BodyReader, limit: float, silence: float = math.inf
    ) -> None:
        """Make a call that may take `limit` seconds, `silence` of them without a byte."""
        self.connector.check_usable()
        until = self.connector.clock.time() + limit
        # Only what is safe to send twice uses a connection that may have died unnoticed.
        answer, over = self._attempt(request, read, until, silence, reuse=request.method == "GET")
        if answer.refused is not None:
            raise answer.refusal(answer.refused)
        if not over and self.connector.clock.time() < until:
            raise TransportError(f"{what}: no byte of it within {silence} seconds")
        if not over:
            raise TransportError(f"{what}: not whole within {limit} seconds")
        if answer.failure is not None:
            raise answer.failure

    def _attempt(
        self, request: Request, read: BodyReader, until: float, silence: float, *, reuse: bool
    ) -> tuple[CallAnswer, bool]:
        """Return the answer to a request, and whether it was over in time."""
        answer = CallAnswer(self.endpoint, self.bounds)
        exchange = Exchange(self.connector, 1, request, reuse)
        self.connector.busy.add(exchange.stop)
        time, quiet_until = self.connector.clock.time, math.inf
        try:
            while not exchange.over:
                if not exchange.wait(min(until, quiet_until)):
                    return answer, False
                for report in exchange.read():
                    piece = answer.take(report)
                    if isinstance(report, Responded) and answer.refused is not None:
                        # A refusal may go on for ever (ARK-SEC-4).
                        until = min(until, time() + self.bounds.error_wait)
                    if piece is not None and answer.head is not None and read(answer.head, piece):
                        return answer, True
                    # While a callback runs, the backend is not silent.
                    quiet_until = time() + silence
                if self.connector.forked:
                    raise RuntimeError(FORKED)
                if self.connector.closed:
                    raise TransportError("client: it was closed")
                if time() >= until and (answer.failure is not None or not exchange.over):
                    return answer, False  # also for a peer that never rests
        finally:
            exchange.close()
            self.connector.busy.discard(exchange.stop)
        if exchange.reuse and answer.failure is not None and answer.head is None:
            return self._attempt(request, read, until, silence, reuse=False)
        return answer, True
