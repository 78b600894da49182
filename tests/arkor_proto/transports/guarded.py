"""A backend that keeps every request and refuses tokens, and a provider that counts them."""

import json
from collections.abc import Callable
from typing import Final

import anyio
from attrs import define, field

from tests.arkor_proto.transports.peer import (
    LAST_CHUNK,
    STREAM_HEAD,
    Asked,
    Handler,
    Visit,
    chunk,
    json_answer,
    refusal,
)
from tests.arkor_proto.wire_samples import COMPLETED, STARTED, delta, frame, job_answer

CHECKPOINT: Final = {"type": "checkpoint.saved", "step": 5}
FIRST: Final = STREAM_HEAD + chunk(frame(STARTED, id="1") + frame(CHECKPOINT, id="2"))
LAST: Final = STREAM_HEAD + chunk(frame(COMPLETED, id="3"))
ANSWERS: Final = {
    "POST /v1/jobs/job-1/cancel": json_answer(b"{}"),
    "POST /v1/jobs?": json_answer(job_answer()),
    "GET /v1/jobs/job-1?": json_answer(job_answer()),
    "GET /v1/me": json_answer(b"{}"),
    "GET /v1/projects": json_answer(b"{}"),
    "POST /v1/projects": json_answer(b"{}"),
    "POST /v1/auth/anonymous": json_answer(b"{}"),
    "POST /v1/inference/chat": STREAM_HEAD + chunk(delta("Hi") + b"data: [DONE]\n\n") + LAST_CHUNK,
}


def number(asked: Asked) -> int:
    """Return the number of the token that came with a request."""
    return int((asked.header("Authorization") or "").removeprefix("Bearer tok-provided-"))


def said(asked: Asked) -> str:
    """Return all the tokens that a request may have been sent with, as a backend would echo them."""
    return " ".join(token(each) for each in range(1, number(asked) + 1))


def token(which: int) -> str:
    """Return the token of this number, counted from 1."""
    return f"tok-provided-{which:04}"


def always(answer: bytes) -> Handler:
    """Answer one request of each connection with these bytes."""

    async def handle(visit: Visit) -> None:
        await visit.request()
        await visit.send(answer)

    return handle


@define(eq=False)
class Tokens:
    """A provider: each call returns another token."""

    asked: int = 0

    def __call__(self) -> str:
        """Return the next token."""
        self.asked += 1
        return token(self.asked)

    async def later(self) -> str:
        """Return the next token, after a turn of the event loop."""
        await anyio.lowlevel.checkpoint()
        return self()


def refuse_none(_: Asked) -> bool:
    """Take any token."""
    return False


def refuse(*numbers: int) -> Callable[[Asked], bool]:
    """Refuse the tokens of these numbers."""
    return lambda asked: number(asked) in numbers


@define(eq=False)
class Guarded:
    """Answers every route; the first stream is reset after two events.

    What it refuses, it refuses with 401 and an echo of all tokens so far.
    """

    refuses: Callable[[Asked], bool] = refuse_none
    status: int = 401
    asked: list[Asked] = field(factory=list[Asked])
    _streamed: bool = False

    @property
    def tokens(self) -> list[int]:
        """The numbers of the tokens that came, in order."""
        return [number(each) for each in self.asked]

    def of(self, route: str) -> list[Asked]:
        """Return the requests whose line begins like this."""
        return [each for each in self.asked if each.line.startswith(route)]

    async def handle(self, visit: Visit) -> None:
        """Answer the requests of one connection."""
        while True:
            asked = await visit.request()
            self.asked.append(asked)
            if self.refuses(asked):
                echo = json.dumps({"error": f"not {said(asked)}"}).encode()
                await visit.send(refusal(self.status, echo, f"X-Echo: {said(asked)}"))
            elif "/events/stream" in asked.line:
                await self._stream(visit)
            else:
                await visit.send(next(v for k, v in ANSWERS.items() if asked.line.startswith(k)))

    async def _stream(self, visit: Visit) -> None:
        await visit.send(LAST if self._streamed else FIRST)
        if self._streamed:
            await visit.until_left()
        self._streamed = True
        await visit.reset()
