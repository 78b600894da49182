"""Record every exchange that the proxy forwards, with its timing and how it ended."""

import time
from collections.abc import Callable, Sequence

from attrs import define, evolve, field

from mock_server.faults.head import HeadPlan
from mock_server.faults.response import BodyKind, Head
from mock_server.net.failure import Failure
from mock_server.net.origin import Answered, Origin, Reports, Source, refused_as_compressed
from mock_server.proxy.replay import RecordedExchange, replay_of
from mock_server.requests import Request
from mock_server.scenario.model import Scenario
from mock_server.scenario.vocabulary import Route
from mock_server.scenario.words.end import Ending
from mock_server.sse import Frame


class RecordingListener:
    """Is notified of every step as an exchange is recorded; this base class does nothing."""

    def asked(self, exchange: RecordedExchange) -> None:
        """Handle the request that begins an exchange."""

    def early(self, exchange: RecordedExchange, status: int) -> None:
        """Handle the status of an informational (1xx) response."""

    def head(self, exchange: RecordedExchange) -> None:
        """Handle the head of the response, and the body if it was forwarded in one piece."""

    def frame(self, exchange: RecordedExchange, frame: Frame) -> None:
        """Handle a frame, or a piece of a body that is not an event stream."""

    def ended(self, exchange: RecordedExchange) -> None:
        """Handle the end of the body, or the client's disconnection before the end."""

    def dropped(self, exchange: RecordedExchange) -> None:
        """Forget an exchange that cannot be recorded."""


@define(eq=False)
class RecordingOrigin:
    """Forwards every request to another origin, and records the exchange."""

    _origin: Origin
    _clock: Callable[[], float] = time.monotonic
    _tape: RecordingListener = field(factory=RecordingListener, alias="tape", kw_only=True)
    _exchanges: list[RecordedExchange] = field(factory=list[RecordedExchange], init=False)
    _attempts: dict[tuple[Route, str | None], int] = field(
        factory=dict[tuple[Route, str | None], int], init=False
    )

    async def answer(self, request: Request, plan: HeadPlan, reports: Reports) -> Answered:
        """Ask the origin for an uncompressed response, and record it.

        Compression would hide the frames, and the secrets that must not be recorded.
        """
        key = (request.route, request.job)
        attempt = self._attempts[key] = self._attempts.get(key, 0) + 1
        exchange = RecordedExchange(request, attempt)
        self._exchanges.append(exchange)
        self._tape.asked(exchange)
        asked = self._clock()
        listening = _ListeningReports(reports, exchange, self._tape)
        answered = await self._origin.answer(request.uncompressed(), plan, listening)
        coding = BodyKind.of(answered.head.headers).coding
        if coding is not None:
            self._exchanges = [each for each in self._exchanges if each is not exchange]
            self._tape.dropped(exchange)
            why = (
                f"the response is compressed ({coding}) although the request did not allow it, so "
                "it cannot be recorded; turn off compression at the upstream"
            )
            return await refused_as_compressed(answered, why, reports)
        exchange.head, exchange.late = answered.head, self._clock() - asked
        if isinstance(answered.body, bytes):
            exchange.body = answered.body
        self._tape.head(exchange)
        if isinstance(answered.body, bytes):
            return answered
        source = _RecordingSource(answered.body, exchange, self._clock, self._tape)
        return Answered(answered.head, source)

    @property
    def exchanges(self) -> int:
        """How many exchanges have been recorded so far."""
        return len(self._exchanges)

    def scenario(self) -> Scenario:
        """Return a scenario that replays the exchanges that have been recorded until now."""
        return replay_of(self._exchanges)


@define(eq=False)
class _ListeningReports:
    """Records the status of informational (1xx) responses."""

    _reports: Reports
    _exchange: RecordedExchange
    _tape: RecordingListener

    async def early(self, head: Head) -> None:
        """Record the status of an informational response, and forward its head."""
        self._exchange.early.append(head.status)
        self._tape.early(self._exchange, head.status)
        await self._reports.early(head)

    def failed(self, failure: Failure) -> None:
        """Forward the failure."""
        self._reports.failed(failure)


@define(eq=False)
class _RecordingSource:
    """Forwards frames, and records each with the time since the previous one."""

    _source: Source
    _exchange: RecordedExchange
    _clock: Callable[[], float]
    _tape: RecordingListener
    _over: bool = field(default=False, init=False)
    _last: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._last = self._clock()

    @property
    def end(self) -> Ending:
        return self._source.end

    async def next(self, limit: int, *, whole: bool = True) -> Sequence[Frame]:
        """Return only whole frames, even if not `whole`: part of a frame cannot be recorded."""
        del whole
        frames = await self._source.next(limit)
        now = self._clock()
        for frame in frames:
            timed = evolve(frame, delay=now - self._last)
            self._exchange.frames.append(timed)
            self._tape.frame(self._exchange, timed)
            self._last = now
        if not frames:
            self._exchange.end, self._exchange.silence = self._source.end, now - self._last
            self._note_end()
        return frames

    def _note_end(self) -> None:
        if not self._over:
            self._over = True
            self._tape.ended(self._exchange)

    async def aclose(self) -> None:
        self._note_end()
        await self._source.aclose()
