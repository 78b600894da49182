"""Listening to a real backend: every answer with its timing and its end.

It knows exchanges as the proxy sees them. It refuses to know sockets, and how a scenario says what
was heard (`transcription.py`).
"""

import time
from collections.abc import Callable, Sequence

from attrs import define, evolve, field

from mock_server.faults.response import BodyKind, Head
from mock_server.net.failure import Failure
from mock_server.net.service import Answered, Origin, Reports, Source, refused_as_compressed
from mock_server.proxy.replay import RecordedExchange, transcribed
from mock_server.requests import Request
from mock_server.scenario.model import Scenario
from mock_server.scenario.vocabulary import Route
from mock_server.scenario.words.end import Ending
from mock_server.scenario.words.head import Resume, Shift
from mock_server.sse import Frame


class Listener:
    """Learns what is heard as it is heard; this one lets it pass."""

    def asked(self, heard: RecordedExchange) -> None:
        """Hear that a request came; what is heard of it next belongs to it."""

    def early(self, heard: RecordedExchange, status: int) -> None:
        """Hear a head that comes before the answer's."""

    def head(self, heard: RecordedExchange) -> None:
        """Hear the head of the answer, and its body if that comes with it."""

    def frame(self, heard: RecordedExchange, frame: Frame) -> None:
        """Hear a frame, or a piece of another body."""

    def ended(self, heard: RecordedExchange) -> None:
        """Hear that the body ended, or that the client left before it did."""

    def dropped(self, heard: RecordedExchange) -> None:
        """Hear that the exchange is no part of the recording after all."""


@define(eq=False)
class RecordingOrigin:
    """Passes everything on and remembers it."""

    _origin: Origin
    _clock: Callable[[], float] = time.monotonic
    _tape: Listener = field(factory=Listener, alias="tape", kw_only=True)
    _heard: list[RecordedExchange] = field(factory=list[RecordedExchange], init=False)
    _attempts: dict[tuple[Route, str | None], int] = field(
        factory=dict[tuple[Route, str | None], int], init=False
    )

    async def answer(
        self, request: Request, resume: Resume | Shift | None, reports: Reports
    ) -> Answered:
        """Let the real origin answer, uncompressed: compressed frames cannot be told apart."""
        key = (request.route, request.job)
        attempt = self._attempts[key] = self._attempts.get(key, 0) + 1
        heard = RecordedExchange(request, attempt)
        self._heard.append(heard)
        self._tape.asked(heard)
        asked = self._clock()
        listening = _ListeningReports(reports, heard, self._tape)
        answered = await self._origin.answer(request.uncompressed(), resume, listening)
        coding = BodyKind.of(answered.head.headers).coding
        if coding is not None:
            self._heard = [each for each in self._heard if each is not heard]
            self._tape.dropped(heard)
            # Its secrets could not be taken out, nor its frames told apart.
            why = (
                f"the answer is compressed ({coding}) though it was asked for uncompressed, and a "
                "recording cannot look into it; turn compression off at the upstream"
            )
            return await refused_as_compressed(answered, why, reports)
        heard.head, heard.late = answered.head, self._clock() - asked
        if isinstance(answered.body, bytes):
            heard.body = answered.body
            self._tape.head(heard)
            return answered
        self._tape.head(heard)
        source = _RecordingSource(answered.body, heard, self._clock, self._tape)
        return Answered(answered.head, source)

    @property
    def exchanges(self) -> int:
        """How many exchanges were heard so far."""
        return len(self._heard)

    def scenario(self) -> Scenario:
        """Return what was heard so far as a scenario."""
        return transcribed(self._heard)


@define(eq=False)
class _ListeningReports:
    """Remembers the heads that come before an answer."""

    _reports: Reports
    _heard: RecordedExchange
    _tape: Listener

    async def early(self, head: Head) -> None:
        """Remember a head and hand it on."""
        self._heard.early.append(head.status)
        self._tape.early(self._heard, head.status)
        await self._reports.early(head)

    def failed(self, failure: Failure) -> None:
        """Hand it on."""
        self._reports.failed(failure)


@define(eq=False)
class _RecordingSource:
    """Passes frames on and remembers each with the time since the one before."""

    _source: Source
    _heard: RecordedExchange
    _clock: Callable[[], float]
    _tape: Listener
    _over: bool = field(default=False, init=False)
    _last: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._last = self._clock()

    @property
    def end(self) -> Ending:
        return self._source.end

    async def next(self, limit: int, *, whole: bool = True) -> Sequence[Frame]:
        """Ask for whole frames only: a part of a frame is nothing to write down."""
        del whole
        frames = await self._source.next(limit)
        now = self._clock()
        for frame in frames:
            timed = evolve(frame, delay=now - self._last)
            self._heard.frames.append(timed)
            self._tape.frame(self._heard, timed)
            self._last = now
        if not frames:
            self._heard.end, self._heard.silence = self._source.end, now - self._last
            self._note_end()
        return frames

    def _note_end(self) -> None:
        if not self._over:
            self._over = True
            self._tape.ended(self._heard)

    async def aclose(self) -> None:
        self._note_end()
        await self._source.aclose()
