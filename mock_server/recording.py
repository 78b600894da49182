"""A real backend's answers, written down as a scenario that replays them with their timing.

It knows exchanges as the proxy sees them. It refuses to know sockets, and leaves out secrets: a
`token` in a body is redacted.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final

from attrs import define, field

from mock_server.framing import Frame
from mock_server.journal import redacted_json
from mock_server.model import Rule, Scenario
from mock_server.net.service import Answered, Origin, Source
from mock_server.routing import Request, json_of
from mock_server.shapes import Span
from mock_server.vocabulary import Ending, Resume, Route, ScriptedFrame, Select, Shift

_KEPT_HEADERS: Final = frozenset(
    {"content-type", "retry-after", "deprecation", "sunset", "warning"}
)


@define
class _Taken:
    """One exchange as it is being recorded."""

    route: Route
    attempt: int
    status: int
    headers: dict[str, str]
    body: bytes | None = None
    frames: list[ScriptedFrame] = field(factory=list[ScriptedFrame])
    end: Ending = Ending.EOF

    def rule(self) -> Rule:
        on = Select(route=self.route, attempt=Span(self.attempt, self.attempt))
        status = None if self.status == 200 and self.body is None else self.status  # noqa: PLR2004
        if self.body is None:
            end = None if self.end is Ending.EOF else self.end
            frames = tuple(self.frames)
            return Rule(on=on, status=status, headers=self.headers, frames=frames, end=end)
        parsed = redacted_json(json_of(self.body))
        if parsed is not None:
            return Rule(on=on, status=status, headers=self.headers, json=parsed)
        text = self.body.decode("utf-8", "replace")
        return Rule(on=on, status=status, headers=self.headers, body=text)


@define(eq=False)
class RecordingOrigin:
    """Passes everything on and remembers it."""

    _origin: Origin
    _clock: Callable[[], float] = time.monotonic
    _taken: list[_Taken] = field(factory=list[_Taken], init=False)
    _attempts: dict[Route, int] = field(factory=dict[Route, int], init=False)

    async def answer(self, request: Request, resume: Resume | Shift | None) -> Answered:
        """Let the real origin answer."""
        attempt = self._attempts[request.route] = self._attempts.get(request.route, 0) + 1
        answered = await self._origin.answer(request, resume)
        head = answered.head
        headers = {name: value for name, value in head.headers if name.lower() in _KEPT_HEADERS}
        taken = _Taken(request.route, attempt, head.status, headers)
        self._taken.append(taken)
        if isinstance(answered.body, bytes):
            taken.body = answered.body
            return answered
        return Answered(head, _RecordingSource(answered.body, taken, self._clock))

    def scenario(self) -> Scenario:
        """Return what was recorded so far as a scenario."""
        return Scenario(name="recorded", rules=tuple(taken.rule() for taken in self._taken))


@define(eq=False)
class _RecordingSource:
    """Passes frames on and remembers each with the time since the one before."""

    _source: Source
    _taken: _Taken
    _clock: Callable[[], float]
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
        self._taken.end = self._source.end
        for frame in frames:
            delay, self._last = round(now - self._last, 3), now
            self._taken.frames.append(_scripted(frame, delay))
        return frames

    async def aclose(self) -> None:
        await self._source.aclose()


def _scripted(frame: Frame, delay: float) -> ScriptedFrame:
    try:
        return ScriptedFrame(raw=frame.raw.decode(), delay=delay)
    except UnicodeDecodeError:
        return ScriptedFrame(bytes_hex=frame.raw, delay=delay)
