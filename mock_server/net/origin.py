"""Origins answer requests; an origin is either the mock's own backend or a real one.

A response is a head and a body. The body is either given whole or read from a source of frames.
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
"""The key of the turn that the followers of all jobs share; every other key is a job id."""


class Source(Protocol):
    """Supplies the frames of a stream as they arrive."""

    @property
    def end(self) -> Ending:
        """How the source ended, once `next` has returned nothing."""
        ...

    async def next(self, limit: int, *, whole: bool = True) -> Sequence[Frame]:
        """Wait for frames and return at most about `limit` of them; an empty result means the end.

        If `whole` is False, the source may also return a part of a frame.
        """
        ...

    async def aclose(self) -> None:
        """Release everything."""
        ...


@frozen
class Answered:
    """An origin's response: a head, and either a whole body or a source of frames."""

    head: Head
    body: bytes | Source
    failed: bool = False
    """Whether the response only reports a failed upstream; if so, rules do not apply to it."""
    first: bytes = b""
    """The bytes before the first frame of a stream; rules about frames do not apply to them."""
    keep_alive: float = math.inf
    """How many seconds the stream may be silent before a comment is sent."""


class Reports(Protocol):
    """Receives what an origin reports before or during its response."""

    async def early(self, head: Head) -> None:
        """Forward an informational head that arrived before the response (RFC 9110, 15.2)."""
        ...

    def failed(self, failure: Failure) -> None:
        """Record that a real backend failed, before or during its response."""
        ...


class Origin(Protocol):
    """Answers requests; it is either the mock's own backend or a real one."""

    async def answer(self, request: Request, plan: HeadPlan, reports: Reports) -> Answered:
        """Answer one request; informational heads and failures go to `reports`.

        `plan` says how the rules change the response. The origin makes only the changes that need
        the backend itself; the carrier (the program that injects the faults) makes all others.
        """
        ...


def answered_with_failure(failure: Failure, where: str = "") -> Answered:
    """Return a response that reports a failed upstream: 502 or 504, with the reason as JSON."""
    upstream = f"upstream {where}" if where else "upstream"
    words = {"error": f"{upstream}: {failure.why}", "reason": failure.reason.value}
    return evolve(answered_with(reply_json(failure.status, words)), failed=True)


def answered_with(reply: Reply | Listing) -> Answered:
    """Return a backend's reply as a response; a long listing is sent in pieces."""
    body = reply.body if isinstance(reply, Reply) else PiecesSource(reply.pieces())
    return Answered(Head(reply.status, phrase_of(reply.status), reply.headers), body)


async def refused_as_compressed(answered: Answered, why: str, reports: Reports) -> Answered:
    """Discard a response that must be read but is compressed; return a 502 that says `why`."""
    if not isinstance(answered.body, bytes):
        await answered.body.aclose()
    failure = Failure(Reason.COMPRESSED, why)
    reports.failed(failure)
    return answered_with_failure(failure)


@define(eq=False)
class JobSource:
    """Follows the log of a job and returns its events as frames."""

    _job: Job
    _position: int
    _clock: Callable[[], float]
    _hold: Hold | None = None
    _handoff: Handoff | None = None
    end: Ending = field(default=Ending.EOF, init=False)
    _overdue: Sequence[Frame] = field(default=(), init=False)
    """Events still to be sent, though `_position` is past them; used if a rule repeats some."""
    _follower: Follower = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._follower = self._job.join()

    async def next(self, limit: int, *, whole: bool = True) -> Sequence[Frame]:
        """Return events from the log; if there are none, wait until it grows or the job ends."""
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
        """Switch from the replay to the live phase; lose or repeat events if a rule says so."""
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
    """Wraps a source so that, of the followers that share a turn, only one sends at a time."""

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
        """Let the next follower send; then wait for frames, and for this follower's turn."""
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
    """A source that returns frames from a list."""

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
    """Return an upstream's response, after reading a small body whole.

    `fields` are all its header fields, including those that are not forwarded.
    """
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
    that a response to GET would have (RFC 9110, 8.6). If the upstream sent none, the head
    announces a chunked body instead. A 204 announces neither a length nor a chunked body.
    """
    if head.status == HTTPStatus.NO_CONTENT:
        return Answered(head, b"")
    length = tuple(pair for pair in fields if pair[0].lower() == "content-length")
    whole = evolve(head, headers=(*head.headers, *length))
    return Answered(whole, b"" if length else FixedSource(()))


@define(eq=False)
class PiecesSource:
    """A long body that is generated piece by piece, so that others are served in between."""

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
    """The mock's own backend as an origin."""

    backend: Backend
    clock: Callable[[], float] = time.monotonic
    holds: dict[str, Hold] = field(factory=dict[str, Hold], init=False)
    """Maps a job id to the hold for the job's next stream."""
    _turns: dict[str, anyio.Semaphore] = field(factory=dict[str, anyio.Semaphore], init=False)
    """Maps a job id, or `_ALL_JOBS`, to the turn that followers take to send one at a time."""

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
