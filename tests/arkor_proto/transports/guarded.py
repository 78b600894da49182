"""A backend that keeps every request and refuses tokens, and a provider that counts them."""

import json
from collections.abc import Callable, Mapping
from typing import Final

import anyio
from attrs import define, field

from arkor_proto import StatusError
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
STREAM: Final = "GET /v1/jobs/job-1/events/stream"
EVERY_ROUTE: Final = [
    "POST /v1/jobs",
    STREAM,
    "POST /v1/inference/chat",
    STREAM,
    "POST /v1/jobs/job-1/cancel",
    "GET /v1/jobs/job-1",
    "GET /v1/me",
    "GET /v1/projects",
    "POST /v1/projects",
    "POST /v1/auth/anonymous",
]
"""The requests of a job that is followed, with one inference, then of a cancel and every other call."""
HELLO: Final = [{"role": "user", "content": "Hello"}]
NOT_TOKENS: Final = [
    (None, TypeError, "token from the provider: it is None; pass a str"),
    (b"tok-provided-0001", TypeError, "token from the provider: it is a bytes; pass a str"),
    ("", ValueError, "token from the provider: cannot be sent in a header; use visible ASCII only"),
    ("tok with spaces", ValueError, "token from the provider: cannot be sent in a header"),
    ("tok\nwith-a-line", ValueError, "token from the provider: cannot be sent in a header"),
]
"""What a provider may return by mistake, and the error that it is."""


def number(asked: Asked) -> int:
    """Return the number of the token that came with a request."""
    return int((asked.header("Authorization") or "").removeprefix("Bearer tok-provided-"))


def said(asked: Asked) -> str:
    """Return all the tokens that a request may have been sent with, as a backend would echo them."""
    return " ".join(token(each) for each in range(1, number(asked) + 1))


def token(which: int) -> str:
    """Return the token of this number, counted from 1."""
    return f"tok-provided-{which:04}"


PAGE: Final = json_answer(
    f"<title>no {token(1)}</title>".encode(), head="HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
)
"""A page in place of an answer, with an echo of the first token."""
ERROR: Final = json_answer(f'{{"error": "no {token(1)}"}}'.encode())
"""The error of an inference, with the same echo."""


def always(answer: bytes) -> Handler:
    """Answer one request of each connection with these bytes."""

    async def handle(visit: Visit) -> None:
        await visit.request()
        await visit.send(answer)

    return handle


def check_both_hidden(error: StatusError) -> None:
    """Check that a refusal has echoed two tokens, and shows neither."""
    shown = f"{error} {error!r} {error.body} {error.headers}"
    assert shown.count("*** ***") >= 3
    assert "tok-provided" not in shown


@define(eq=False)
class Tokens:
    """A provider: each call returns another token, or raises what `errors` has for its number."""

    errors: Mapping[int, Exception] = field(factory=dict[int, Exception])
    asked: int = 0

    def __call__(self) -> str:
        """Return the next token."""
        self.asked += 1
        if self.asked in self.errors:
            raise self.errors[self.asked]
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

    @property
    def routes(self) -> list[str]:
        """What was asked for, in order, without queries."""
        return [each.line.partition("?")[0] for each in self.asked]

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
