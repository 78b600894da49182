"""Calls that need no trainer: one request and one response each, in the calling thread."""

import math
from collections.abc import Callable
from typing import TypeAlias

from attrs import define, frozen

from arkor_proto._calls import CallAnswer, WholeBody
from arkor_proto._errors import TransportError
from arkor_proto._messages import Responded
from arkor_proto._secrets import Hider
from arkor_proto._types import Bounds, Request
from arkor_proto.transports._blocking_http import FORKED, Connector, Exchange

BodyReader: TypeAlias = Callable[[Responded, bytes], bool]
"""Takes a 2xx response's head and a piece of its body (b"" at the end); returns True to stop."""


@frozen(eq=False)
class _Call:
    """A request, and how its response is read; `silence` is the longest allowed one, in seconds."""

    what: str
    request: Request
    read: BodyReader
    hider: Hider
    silence: float = math.inf


@define(eq=False)
class Caller:
    """Makes calls; raises StatusError if one is refused, TransportError if the network fails."""

    connector: Connector
    bounds: Bounds

    def read(self, request: Request, hider: Hider) -> bytes:
        """Return the whole body of a 2xx response, within the limits on size and time."""
        whole = WholeBody(hider, self.bounds)
        self._make(_Call("response", request, whole.take, hider), self.connector.timeouts.answer)
        return bytes(whole.body)

    def chat(self, request: Request, body_reader: BodyReader, hider: Hider) -> None:
        """Pass the response to an inference request to `body_reader`; enforce the time limits."""
        timeouts = self.connector.timeouts
        call = _Call("inference", request, body_reader, hider, timeouts.chat_silence)
        self._make(call, timeouts.chat)

    def _make(self, call: _Call, limit: float) -> None:
        """Make a call that may take at most `limit` seconds."""
        self.connector.check_usable()
        until = self.connector.clock.time() + limit
        # An idle connection may already be lost, so only requests that are safe to repeat use one.
        answer, over = self._attempt(call, until, reuse=call.request.method == "GET")
        if answer.refused is not None:
            raise answer.refusal(answer.refused)
        if not over and self.connector.clock.time() < until:
            raise TransportError(f"{call.what}: nothing received for {call.silence} seconds")
        if not over:
            raise TransportError(f"{call.what}: not complete after {limit} seconds")
        if answer.failure is not None:
            raise answer.failure

    def _attempt(self, call: _Call, until: float, *, reuse: bool) -> tuple[CallAnswer, bool]:
        """Return the response to a request, and whether the response ended in time."""
        answer = CallAnswer(call.hider, self.bounds)
        exchange = Exchange(self.connector, 1, call.request, reuse)
        self.connector.busy.add(exchange.stop)
        time, quiet_until = self.connector.clock.time, math.inf
        try:
            while not exchange.over:
                if not exchange.wait(min(until, quiet_until)):
                    return answer, False
                exchange.tell_tokens(call.hider.learn)
                for report in exchange.read():
                    piece = answer.take(report)
                    if isinstance(report, Responded) and answer.refused is not None:
                        # The body of a refusal may never end (ARK-SEC-4).
                        until = min(until, time() + self.bounds.error_wait)
                    if (
                        piece is not None
                        and answer.head is not None
                        and call.read(answer.head, piece)
                    ):
                        return answer, True
                    # Time in a callback does not count as silence.
                    quiet_until = time() + call.silence
                if self.connector.forked:
                    raise RuntimeError(FORKED)
                if self.connector.closed:
                    raise TransportError("the client was closed")
                if time() >= until and (answer.failure is not None or not exchange.over):
                    return answer, False  # even if the peer keeps sending
        finally:
            exchange.close()
            self.connector.busy.discard(exchange.stop)
        if exchange.reuse and answer.failure is not None and answer.head is None:
            return self._attempt(call, until, reuse=False)
        return answer, True
