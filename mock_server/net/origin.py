"""Origins, which answer requests: the mock's own backend, or a real one.

A response is a head and a body, either whole or as a source of frames.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Final, Protocol

import anyio
from attrs import define, evolve, field, frozen

from mock_server.backend.answers import Follow, Later, Listing, Reply, Stream, reply_json
from mock_server.backend.backend import Backend
from mock_server.backend.jobs import Follower, Job
from mock_server.faults.head import HeadPlan
from mock_server.faults.response import NO_BODY, BodyKind, Head, phrase_of
from mock_server.net.failure import Failure, Reason
from mock_server.net.handoff import Hold
from mock_server.requests import Request
from mock_server.scenario.behaviour import FanOut
from mock_server.scenario.words.end import Ending
from mock_server.scenario.words.head import Handoff
from mock_server.sse import Frame

BATCH: Final = 64
_FIRST_COMMENT: Final = b": this is the stream\n\n"
_ALL_JOBS: Final = ""
"""The key of the turn that the followers of all jobs share; other keys are the ids of jobs."""


class Source(Protocol):
    """A source of the frames of a stream, as they arrive."""

    @property
    def end(self) -> Ending:
        """How the source ended, once `next` has returned nothing."""
        ...

    async def next(self, limit: int, *, whole: bool = True) -> Sequence[Frame]:
        """Wait for frames, and return at most about `limit`; an empty result means the end.

        Without `whole`, a source that knows only bytes may return parts of frames.
        """
        ...

    async def aclose(self) -> None:
        """Release everything."""
        ...


@frozen
class Answered:
    """The response of an origin: a head, and either a whole body or a source of frames."""

    head: Head
    body: bytes | Source
    failed: bool = False
    """Whether the response only reports that an upstream failed; rules do not apply to it."""
    first: bytes = b""
    """The bytes before the first frame of a stream; rules about frames do not apply to them."""
    keep_alive: float = math.inf
    """How many seconds the stream may be silent before it sends a comment."""


class Reports(Protocol):
    """What an origin reports before or during its response."""

    async def early(self, head: Head) -> None:
        """Forward an informational head that arrived before the response (RFC 9110, 15.2)."""
        ...

    def failed(self, failure: Failure) -> None:
        """Record that a real backend failed, before or during its response."""
        ...


class Origin(Protocol):
    """Answers requests: the mock's own backend, or a real one."""

    async def answer(self, request: Request, plan: HeadPlan, reports: Reports) -> Answered:
        """Answer one request; informational heads and failures go to `reports`.

        `plan` is how the rules change the response; the carrier makes every change that does not
        need the backend itself.
        """
        ...


def answered_with_failure(failure: Failure, where: str = "") -> Answered:
    """Return the response for an upstream that failed: 502 or 504, with the reason as JSON."""
    upstream = f"upstream {where}" if where else "upstream"
    words = {"error": f"{upstream}: {failure.why}", "reason": failure.reason.value}
    return evolve(answered_with(reply_json(failure.status, words)), failed=True)


def answered_with(reply: Reply | Listing) -> Answered:
    """Return a response with the reply of a backend, or with a long listing sent in pieces."""
    body = reply.body if isinstance(reply, Reply) else PiecesSource(reply.pieces())
    return Answered(Head(reply.status, phrase_of(reply.status), reply.headers), body)


async def refused_as_compressed(answered: Answered, why: str, reports: Reports) -> Answered:
    """Drop a compressed response whose content is needed; return a 502 with `why`."""
    if not isinstance(answered.body, bytes):
        await answered.body.aclose()
    failure = Failure(Reason.COMPRESSED, why)
    reports.failed(failure)
    return answered_with_failure(failure)


@define(eq=False)
class JobSource:
    """The live log of a job as frames."""

    _job: Job
    _position: int
    _clock: Callable[[], float]
    _hold: Hold | None = None
    _handoff: Handoff | None = None
    end: Ending = field(default=Ending.EOF, init=False)
    _overdue: Sequence[Frame] = field(default=(), init=False)
    """Events before `_position` that are still to be sent, because a rule repeats some."""
    _follower: Follower = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._follower = self._job.join()

    async def next(self, limit: int, *, whole: bool = True) -> Sequence[Frame]:
        """Return events from the log, or wait until it grows or the job ends."""
        del whole
        if self._hold is not None or self._handoff is not None:
            if (unsent := self._follower.since - self._position) > 0:
                limit = min(limit, unsent)
            else:
                await self._go_live()
        if self._overdue:
            frames, self._overdue = self._overdue[:limit], self._overdue[limit:]
            return frames
        while not self._job.gone and self._position >= self._job.forgotten:
            grown = anyio.Event()
            stop = self._job.on_change(grown.set)
            try:
                frames = self._job.pull(self._position, limit, self._clock())
                if frames or self._job.over:
                    mine = self._mine(frames)
                    self._position += len(frames)
                    if frames and not mine:
                        continue
                    return mine
                due = self._job.next_due
                left = math.inf if due is None else max(0.0, due - self._clock())
                with anyio.move_on_after(left):
                    await grown.wait()
            finally:
                stop()
        return ()

    def _mine(self, frames: Sequence[Frame]) -> Sequence[Frame]:
        if self._job.backend.fan_out is not FanOut.SPLIT:
            return frames
        numbered = enumerate(frames, self._position)
        return [frame for at, frame in numbered if self._job.gets(self._follower, at)]

    async def _go_live(self) -> None:
        """Switch from replay to the live phase, once, making the mistakes that a rule asks for."""
        if self._hold is not None:
            await self._hold.pass_by()
            self._hold = None
        if self._handoff is None:
            return
        handoff, self._handoff = self._handoff, None
        if self._job.plan.interval:
            self._job.advance(self._clock())
        arrived = self._job.log[self._position :]
        kept = arrived[handoff.lose :]
        again = kept[max(0, len(kept) - handoff.repeat) :]
        self._position += len(arrived) if again else len(arrived) - len(kept)
        self._overdue = [*kept, *again] if again else ()

    async def aclose(self) -> None:
        """Stop following the job."""
        self._job.leave(self._follower, self._position)


@define(eq=False)
class SerialSource:
    """A source that returns frames only while no other follower of the job is sending."""

    _source: Source
    _turn: anyio.Semaphore
    _sending: bool = field(default=False, init=False)
    _ready: Sequence[Frame] = field(default=(), init=False)
    """Frames that are waiting for this follower's turn to send."""

    @property
    def end(self) -> Ending:
        """How the wrapped source ended."""
        return self._source.end

    async def next(self, limit: int, *, whole: bool = True) -> Sequence[Frame]:
        """Let the next follower send, then wait for frames and for the turn to send them."""
        self._yield_turn()
        self._ready = self._ready or await self._source.next(limit, whole=whole)
        if self._ready:
            await self._turn.acquire()
            self._sending = True
        frames, self._ready = self._ready, ()
        return frames

    def _yield_turn(self) -> None:
        if self._sending:
            self._sending = False
            self._turn.release()

    async def aclose(self) -> None:
        """Let the next follower send, and close the wrapped source."""
        self._yield_turn()
        await self._source.aclose()


@define(eq=False)
class FixedSource:
    """A list of frames as a source."""

    _frames: Sequence[Frame]
    end: Ending = Ending.EOF
    _position: int = field(default=0, init=False)

    async def next(self, limit: int, *, whole: bool = True) -> Sequence[Frame]:
        """Return the next frames."""
        del whole
        found = self._frames[self._position : self._position + limit]
        self._position += len(found)
        return found

    async def aclose(self) -> None:
        """Do nothing."""


async def answered_by_upstream(
    request: Request, head: Head, fields: Sequence[tuple[str, str]], source: Source
) -> Answered:
    """Return an upstream's response; a small body is read whole. `fields` has all header fields."""
    if request.method == "HEAD" or head.status in NO_BODY:
        await source.aclose()
        return _without_body(head, fields)
    about = BodyKind.of(fields)
    if about.framed or not about.small:
        return Answered(head, source)
    parts: list[bytes] = []
    try:
        while frames := await source.next(BATCH, whole=False):
            parts += [frame.raw for frame in frames]
    finally:
        await source.aclose()
    whole = b"".join(parts)
    if source.end is Ending.EOF:
        return Answered(head, whole)
    return Answered(head, FixedSource((Frame(whole),) if whole else (), source.end))


def _without_body(head: Head, fields: Sequence[tuple[str, str]]) -> Answered:
    """Return an upstream's response that has no body, such as a response to a HEAD request.

    In a 304 or a response to HEAD, the upstream's Content-Length is forwarded; it is the length
    that a response to GET would have (RFC 9110, 8.6). Without one, the head announces a chunked
    body. A 204 has neither.
    """
    if head.status == HTTPStatus.NO_CONTENT:
        return Answered(head, b"")
    length = tuple(pair for pair in fields if pair[0].lower() == "content-length")
    whole = evolve(head, headers=(*head.headers, *length))
    return Answered(whole, b"" if length else FixedSource(()))


@define(eq=False)
class PiecesSource:
    """A long body that is made in pieces, so that other connections are served in between."""

    _pieces: Iterator[bytes]
    end: Ending = field(default=Ending.EOF, init=False)

    async def next(self, limit: int, *, whole: bool = True) -> Sequence[Frame]:
        """Return the next piece."""
        del limit, whole
        return [Frame(piece) for piece in islice(self._pieces, 1)]

    async def aclose(self) -> None:
        """Do nothing."""


@define
class BackendOrigin:
    """The mock backend as the origin."""

    backend: Backend
    clock: Callable[[], float] = time.monotonic
    holds: dict[str, Hold] = field(factory=dict[str, Hold], init=False)
    """Maps the id of a job to the hold for its next stream."""
    _turns: dict[str, anyio.Semaphore] = field(factory=dict[str, anyio.Semaphore], init=False)
    """Maps the id of a job, or `_ALL_JOBS`, to the turn of followers that are served one by one."""

    async def answer(self, request: Request, plan: HeadPlan, reports: Reports) -> Answered:
        """Return the backend's response to a request."""
        del reports
        if self.backend.plan.fan_out is FanOut.FROZEN:
            async with self._turn_of(_ALL_JOBS):
                pass  # while a stream waits for its client to read, no request is answered
        answer = self.backend.answer(request, self.clock(), plan.resume)
        if isinstance(answer, Later):
            await anyio.sleep(answer.seconds)
            answer = answer.make(self.clock())
        if isinstance(answer, Reply | Listing):
            return answered_with(answer)
        head = Head(answer.status, phrase_of(answer.status), answer.headers)
        match answer:
            case Follow(job=job, position=position):
                hold = self.holds.pop(job.id, None)
                source = self._served(job, JobSource(job, position, self.clock, hold, plan.handoff))
                serving = self.backend.plan.serving
                return Answered(
                    head,
                    source,
                    first=_FIRST_COMMENT if serving.first_comment else b"",
                    keep_alive=serving.keep_alive or math.inf,
                )
            case Stream(frames=frames):
                return Answered(head, FixedSource(frames))

    def _served(self, job: Job, source: Source) -> Source:
        match self.backend.plan.fan_out:
            case FanOut.SERIAL:
                return SerialSource(source, self._turn_of(job.id))
            case FanOut.FROZEN:
                return SerialSource(source, self._turn_of(_ALL_JOBS))
            case _:
                return source

    def forget(self, job: str) -> None:
        """Forget a job that no longer exists."""
        self.holds.pop(job, None)
        self._turns.pop(job, None)

    def _turn_of(self, job: str) -> anyio.Semaphore:
        return self._turns.setdefault(job, anyio.Semaphore(1))
