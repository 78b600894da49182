"""The calls that are no part of a trainer: one request, one answer, on the thread that asks.

It knows how long an answer may take and how large it may be. It refuses to know what is asked.
"""

import math
from collections.abc import Callable
from contextlib import ExitStack, closing
from functools import partial
from typing import TypeAlias

from attrs import define, field

from arkor_proto._calls import CallAnswer
from arkor_proto._errors import ResponseError, TransportError
from arkor_proto._messages import Responded
from arkor_proto._types import Bounds, Endpoint, Request
from arkor_proto._wire import coding_problem
from arkor_proto.transports._blocking_clock import Clock, Watch, new_watch
from arkor_proto.transports._blocking_http import Connector, Need, resume
from arkor_proto.transports._surface import CLOSED

BodyReader: TypeAlias = Callable[[Responded, bytes], bool]
"""Takes the head and each piece of a 2xx answer's body, b"" at its end; tells if that is enough."""


@define(eq=False)
class Caller:
    """Makes calls. Raises StatusError for a refusal and TransportError when the network fails."""

    endpoint: Endpoint
    connector: Connector
    bounds: Bounds
    clock: Clock
    _under_way: set[Watch] = field(init=False, factory=set[Watch])
    _closed: bool = field(init=False, default=False)

    def close(self) -> None:
        """End the calls that are under way with a TransportError: the client goes."""
        self._closed = True
        for watch in list(self._under_way):
            watch.ring()

    def read(self, request: Request) -> bytes:
        """Return the whole body of a 2xx answer, within the bound on answers."""
        body = bytearray()

        def keep(head: Responded, data: bytes) -> bool:
            if coded := coding_problem(head.headers):
                raise ResponseError(f"answer: {coded}")
            body.extend(data)
            if len(body) > self.bounds.create_body:
                raise ResponseError(f"answer: it is larger than {self.bounds.create_body} bytes")
            return False

        self._call("answer", request, keep, self.connector.timeouts.answer)
        return bytes(body)

    def chat(self, request: Request, body_reader: BodyReader) -> None:
        """Hand the answer to an inference to `body_reader`, within the bounds of time on it."""
        timeouts = self.connector.timeouts
        self._call("inference", request, body_reader, timeouts.chat, timeouts.chat_silence)

    def _call(
        self,
        what: str,
        request: Request,
        body_reader: BodyReader,
        limit: float,
        silence: float = math.inf,
    ) -> None:
        """Make a call that may take `limit` seconds, `silence` of them without a byte."""
        if self._closed:
            raise RuntimeError(CLOSED)
        # Only what is safe to send twice uses a connection that may have died unnoticed.
        reuse = request.method == "GET" and self.connector.has_idle
        answer = CallAnswer(self.endpoint, self.bounds)
        until = self.clock.time() + limit
        over = self._attempt(request, answer, body_reader, until, silence, reuse=reuse)
        if reuse and answer.failure is not None and answer.head is None:
            answer = CallAnswer(self.endpoint, self.bounds)
            over = self._attempt(request, answer, body_reader, until, silence, reuse=False)
        if answer.refused is not None:
            raise answer.refusal(answer.refused)
        if answer.failure is not None:
            raise answer.failure
        if not over and self.clock.time() < until:
            raise TransportError(f"{what}: no byte of it within {silence} seconds")
        if not over:
            raise TransportError(f"{what}: not whole within {limit} seconds")

    def _attempt(
        self,
        request: Request,
        answer: CallAnswer,
        read: BodyReader,
        until: float,
        silence: float,
        *,
        reuse: bool,
    ) -> bool:
        """Make one attempt; tell whether it was over in time."""
        late = False
        quiet_until = math.inf
        with ExitStack() as stack:
            steps = stack.enter_context(closing(self.connector.steps(1, request, reuse=reuse)))
            watch = stack.enter_context(closing(new_watch()))
            self._under_way.add(watch)
            stack.callback(self._under_way.remove, watch)
            while (step := resume(steps, late=late)) is not None:
                late = False
                if isinstance(step, Need):
                    if self.clock.time() >= until:  # a peer that never rests must not outlast it
                        return False
                    due = math.inf if step.deadline is None else step.deadline
                    late = not self._met(watch, step, min(due, until, quiet_until))
                    if late and min(until, quiet_until) <= due:
                        return False
                    continue
                piece = answer.take(step)
                if isinstance(step, Responded) and answer.refused is not None:
                    # A refusal may go on for ever (ARK-SEC-4).
                    until = min(until, self.clock.time() + self.bounds.error_wait)
                if piece is not None and answer.head is not None and read(answer.head, piece):
                    break
                # A slow callback is no silence of the backend.
                quiet_until = self.clock.time() + silence
        return True

    def _met(self, watch: Watch, need: Need, deadline: float) -> bool:
        """Wait until `need` is met; tell whether it was in time."""
        select = partial(watch.select, (need,))
        while True:
            until = None if deadline == math.inf else deadline
            met, rung = self.clock.wait(select, until, None)
            if self._closed:
                raise TransportError("client: it was closed")
            if not rung:
                return bool(met)
