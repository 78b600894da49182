"""Everything that the connections of one server share: rules, journal, origin, gates, limits."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from itertools import islice
from typing import Final, Protocol

import anyio
from attrs import define, evolve, field, frozen

from mock_server.backend import Backend, Follow, Job, Listing, Reply, Stream, reply_json
from mock_server.faults.response import Head, phrase_of
from mock_server.faults.rules import Rules
from mock_server.journal.journal import Journal
from mock_server.journal.records import RuleFired
from mock_server.net.failure import Failure, Reason
from mock_server.net.tls import TlsSettings
from mock_server.requests import Claims, Request
from mock_server.scenario.model import Limits
from mock_server.scenario.words.end import Ending, Outage
from mock_server.scenario.words.head import Resume, Shift
from mock_server.sse import Frame

BATCH: Final = 64


class Source(Protocol):
    """The frames of a stream, as they arrive."""

    @property
    def end(self) -> Ending:
        """How the source ended, once `next` has returned nothing."""
        ...

    async def next(self, limit: int, *, whole: bool = True) -> Sequence[Frame]:
        """Wait for frames and return about `limit` at most; empty at the end of the stream.

        Without `whole`, a source that knows only bytes may return parts of frames.
        """
        ...

    async def aclose(self) -> None:
        """Release everything."""
        ...


@frozen
class Answered:
    """The answer of an origin: a head, and a whole body or a source of frames."""

    head: Head
    body: bytes | Source
    failed: bool = False
    """Whether it only reports that an upstream failed; no rule applies to it then."""


def without_body(head: Head, said: Sequence[tuple[str, str]]) -> Answered:
    """Answer a HEAD request, or with a 304, as an upstream did: with `head` alone.

    A Content-Length of the upstream is the one that a GET would get (RFC 9110, 8.6); without one,
    the head announces chunks. A 204 has neither.
    """
    if head.status == HTTPStatus.NO_CONTENT:
        return Answered(head, b"")
    length = tuple(pair for pair in said if pair[0].lower() == "content-length")
    whole = evolve(head, headers=(*head.headers, *length))
    return Answered(whole, b"" if length else FixedSource(()))


class Reports(Protocol):
    """What an origin reports besides its answer, while it answers."""

    async def early(self, head: Head) -> None:
        """Pass on an informational head that came before the answer (RFC 9110, 15.2)."""
        ...

    def failed(self, failure: Failure) -> None:
        """Record that a real backend failed, before or during its answer."""
        ...


class Origin(Protocol):
    """What answers the requests: the mock's own backend, or a real one."""

    async def answer(
        self, request: Request, resume: Resume | Shift | None, reports: Reports
    ) -> Answered:
        """Answer one request; informational heads and failures go to `reports`."""
        ...


def answered_with_failure(failure: Failure, where: str = "") -> Answered:
    """Answer for an upstream that failed: 502 or 504, with the reason in one line of JSON."""
    upstream = f"upstream {where}" if where else "upstream"
    words = {"error": f"{upstream}: {failure.why}", "reason": failure.reason.value}
    reply = reply_json(failure.status, words)
    head = Head(reply.status, phrase_of(reply.status), reply.headers)
    return Answered(head, reply.body, failed=True)


async def refused_as_compressed(answered: Answered, why: str, reports: Reports) -> Answered:
    """Drop a compressed answer whose content is needed; the client gets a 502 with `why`."""
    if not isinstance(answered.body, bytes):
        await answered.body.aclose()
    failure = Failure(Reason.COMPRESSED, why)
    reports.failed(failure)
    return answered_with_failure(failure)


@define
class Gates:
    """Named gates: closed until they are opened."""

    _gates: dict[str, anyio.Event] = field(factory=dict[str, anyio.Event], init=False)
    waited_at: set[str] = field(factory=set[str], init=False)
    """The gates that something has waited at."""
    opened: set[str] = field(factory=set[str], init=False)
    """The gates that were opened, including those that were shut again."""

    def open(self, name: str) -> None:
        """Open the gate, for what waits at it now and for what comes later."""
        self.opened.add(name)
        self._gate(name).set()

    def shut(self, name: str) -> None:
        """Close the gate again, for what comes later."""
        if self.is_open(name):
            del self._gates[name]

    def is_open(self, name: str) -> bool:
        """Whether the gate is open."""
        return self._gate(name).is_set()

    async def wait(self, name: str) -> None:
        """Wait until the gate is open."""
        self.waited_at.add(name)
        await self._gate(name).wait()

    def _gate(self, name: str) -> anyio.Event:
        return self._gates.setdefault(name, anyio.Event())


@define(eq=False)
class JobSource:
    """The live log of a job as frames."""

    _job: Job
    _position: int
    _clock: Callable[[], float]
    end: Ending = field(default=Ending.EOF, init=False)

    async def next(self, limit: int, *, whole: bool = True) -> Sequence[Frame]:
        """Return what is in the log, or wait until it grows or the job ends."""
        del whole
        while True:
            grown = anyio.Event()
            stop = self._job.on_change(grown.set)
            try:
                frames = self._job.pull(self._position, limit, self._clock())
                if frames or self._job.over:
                    self._position += len(frames)
                    return frames
                due = self._job.next_due
                left = math.inf if due is None else max(0.0, due - self._clock())
                with anyio.move_on_after(left):
                    await grown.wait()
            finally:
                stop()

    async def aclose(self) -> None:
        """Do nothing: the log belongs to the job."""


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


@define(eq=False)
class PiecesSource:
    """A long body made piece by piece, so that other connections are served in between."""

    _pieces: Iterator[bytes]
    end: Ending = field(default=Ending.EOF, init=False)

    async def next(self, limit: int, *, whole: bool = True) -> Sequence[Frame]:
        """Make the next piece."""
        del limit, whole
        return [Frame(piece) for piece in islice(self._pieces, 1)]

    async def aclose(self) -> None:
        """Do nothing."""


def in_pieces(listing: Listing) -> Answered:
    """Answer with a long listing, piece by piece."""
    head = Head(listing.status, phrase_of(listing.status), listing.headers)
    return Answered(head, PiecesSource(listing.pieces()))


@define
class BackendOrigin:
    """The mock backend as the origin."""

    backend: Backend
    clock: Callable[[], float] = time.monotonic

    async def answer(
        self, request: Request, resume: Resume | Shift | None, reports: Reports
    ) -> Answered:
        """Let the backend answer."""
        del reports
        answer = self.backend.answer(request, self.clock(), resume)
        head = Head(answer.status, phrase_of(answer.status), answer.headers)
        match answer:
            case Reply(body=body):
                return Answered(head, body)
            case Follow(job=job, position=position):
                return Answered(head, JobSource(job, position, self.clock))
            case Stream(frames=frames):
                return Answered(head, FixedSource(frames))
            case Listing():
                return in_pieces(answer)


def _everybody(request: Request) -> bool:
    del request
    return True


@define(eq=False)
class Service:
    """Everything a connection needs; its host sets `outage`, which takes the port away."""

    rules: Rules
    journal: Journal
    origin: Origin
    limits: Limits
    tls: TlsSettings | None = None
    claims: Claims | None = None
    """Called with every whole request before it is counted; None accepts all of them."""
    outage: Callable[[Outage, float], None] = field(init=False)
    gates: Gates = field(factory=Gates)
    clock: Callable[[], float] = time.monotonic
    failure: HTTPStatus = HTTPStatus.INTERNAL_SERVER_ERROR
    """The status that a client gets if this server itself fails; 502 for a proxy."""
    grace: float = 1.0
    """Seconds without progress after which a client that sent its FIN is assumed to have left."""
    admits: Callable[[Request], bool] = field(default=_everybody)
    """Returns whether a request has a valid token, from its head; only then a long body is kept."""
    _open_bytes: int = field(default=0, init=False)

    def hold(self, size: int) -> bool:
        """Count bytes of requests that are being read or answered; a negative size releases them.

        False if all connections together hold more than `open_bytes`.
        """
        self._open_bytes += size
        return size <= 0 or self._open_bytes <= self.limits.open_bytes

    def note_fired(self, rule: int) -> None:
        """Record that a rule fired."""
        self.journal.add(RuleFired(*self.journal.stamp(), rule))
