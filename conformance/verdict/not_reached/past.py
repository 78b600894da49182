"""What had happened when something went wrong: the last exchange, its frames, earlier calls.

The backend may have been ahead of the client, so what the backend sent does not show how much the
client had read. But the backend's last action is what the client should have reacted to.
"""

import sys
from collections.abc import Mapping, Sequence
from typing import Final, TypeVar

from attrs import evolve, field, frozen

from arkor_proto import EventStreamParser
from conformance.strict_data import Json
from conformance.trace.events import (
    CallbackRan,
    Called,
    Ended,
    Event,
    Fact,
    Framed,
    Requested,
    Responded,
    Settled,
    SleepEnded,
    Slept,
)
from conformance.verdict.not_reached.frames import CALLBACK_OF, Frame, Kind, frames_in, frames_of

F = TypeVar("F", bound=Fact)
OK: Final = 200
_ENDS: Final = frozenset({"completed", "failed"})
ROUTES: Final = frozenset({"create", "stream", "cancel"})


PERMANENT: Final[Mapping[str, frozenset[int]]] = {
    "2026-05": frozenset(),
    "2026-07": frozenset({401, 403, 410, 426}),
    "hardened": frozenset(range(400, 500)) - {404, 408, 409, 425, 429},
}
"""By profile, the 4xx statuses of a stream request that end a wait at once.

Under `hardened`, a 404 ends it too, but not within 30 s of the client's own create request.
"""


@frozen(kw_only=True)
class Past:
    """The events so far, how the operation in question settled, and the last exchange."""

    events: Sequence[Event]
    profile: str
    settled: Settled | None = None
    route: str = ""
    """The route of the last exchange; empty if there was none."""
    attempt: int = 0
    status: int | None = None
    ended: Ended | None = None
    frames: tuple[Frame, ...] = field(factory=tuple[Frame, ...])

    @classmethod
    def of(cls, events: Sequence[Event], profile: str, settled: Event | None = None) -> "Past":
        """Find the last exchange among `events`, and determine how far it got."""
        fact = settled.fact if settled is not None else None
        past = cls(
            events=events, profile=profile, settled=fact if isinstance(fact, Settled) else None
        )
        last = next((f for f in reversed(past.requests) if f.route in ROUTES), None)
        if last is None:
            return past
        own = [e.fact for e in events if _is_of(e, last)]
        return evolve(
            past,
            route=last.route,
            attempt=last.attempt,
            status=next((f.status for f in own if isinstance(f, Responded)), None),
            ended=next((f for f in own if isinstance(f, Ended) and f.by == "server"), None),
            frames=tuple(frames_in(f.data for f in own if isinstance(f, Framed))),
        )

    def __str__(self) -> str:
        """Return the backend's last action as text."""
        if not self.route:
            return "the client had sent no request"
        name = f"{self.route}#{self.attempt}"
        status = "" if self.status in (None, OK) else f" with status {self.status}"
        if self.ended is not None:
            return f"{name} had ended ({self.ended.how}){status}"
        if self.frames:
            return f"{name} had sent {self.frames[-1].kind.value}{status}"
        return f"{name} had been answered{status}" if self.status else f"{name} was pending"

    def facts(self, kind: type[F]) -> list[F]:
        """Return all facts of one kind."""
        return [event.fact for event in self.events if isinstance(event.fact, kind)]

    @property
    def requests(self) -> list[Requested]:
        """Every request so far."""
        return self.facts(Requested)

    def count(self, route: str) -> int:
        """Return the number of requests to a route."""
        return sum(request.route == route for request in self.requests)

    def calls(self, *verbs: str) -> int:
        """Return how many calls the kit made to these operations."""
        return sum(fact.operation.partition("#")[0] in verbs for fact in self.facts(Called))

    def all_answered(self, route: str) -> bool:
        """Return whether a route was requested and every response to it has ended."""
        own = {request.attempt for request in self.requests if request.route == route}
        ends = (fact for fact in self.facts(Ended) if fact.by == "server")
        return bool(own) and own <= {fact.attempt for fact in ends if fact.route == route}

    def pending(self, operation: str) -> bool:
        """Return whether an operation was called more often than it has settled."""
        begun = sum(fact.operation == operation for fact in self.facts(Called))
        return begun > sum(fact.operation == operation for fact in self.facts(Settled))

    def awaits(self, verb: str) -> bool:
        """Return whether any operation of this kind has been called but has not settled."""
        settled = (fact.operation.partition("#")[0] for fact in self.facts(Settled))
        return self.calls(verb) > sum(each == verb for each in settled)

    def called_after_the_request(self, operation: str) -> bool:
        """Return whether the operation was called after the last request was sent."""
        for event in reversed(self.events):
            match event.fact:
                case Requested():
                    return False
                case Called(operation=name) if name == operation:
                    return True
                case _:
                    pass
        return False

    @property
    def failure(self) -> str:
        """The kind of error that the operation in question failed with; empty if none."""
        failure = None if self.settled is None else self.settled.failure
        return "" if failure is None else failure.kind

    @property
    def resolved(self) -> bool:
        """Whether the operation in question settled without a failure."""
        return self.settled is not None and self.settled.failure is None

    @property
    def heard_the_end(self) -> bool:
        """Whether the callback of a terminal event (`completed` or `failed`) ran."""
        return not _ENDS.isdisjoint(self.heard)

    @property
    def heard(self) -> list[str]:
        """The name of each callback that ran, in order."""
        return [fact.name for fact in self.facts(CallbackRan)]

    @property
    def sent(self) -> list[str]:
        """The name of the callback for each training event sent, stream by stream."""
        return [CALLBACK_OF[f.type] for f in frames_of(self.events) if f.kind is Kind.EVENT]

    @property
    def lost(self) -> bool:
        """Whether a callback ran less often than the backend sent its event."""
        return self._missed(self.sent)

    @property
    def lost_on_the_way(self) -> bool:
        """Whether an event was lost, as in `lost`, but not counting terminal events."""
        return self._missed([name for name in self.sent if name not in _ENDS])

    def _missed(self, sent: Sequence[str]) -> bool:
        heard = self.heard
        return any(heard.count(name) < sent.count(name) for name in set(sent))

    @property
    def cursor(self) -> str:
        """The cursor of a client that has read everything the backend sent."""
        parser = EventStreamParser(max_event_size=sys.maxsize)
        attempt = 0
        for fact in self.facts(Framed):
            if fact.attempt != attempt:  # a new stream starts with the cursor of the previous one
                parser = EventStreamParser(parser.last_event_id, max_event_size=sys.maxsize)
                attempt = fact.attempt
            parser.feed(fact.data)
        return parser.last_event_id

    @property
    def undecoded(self) -> bool:
        """Whether the client stopped at a frame with bytes that are not UTF-8."""
        try:
            b"".join(fact.data for fact in self.facts(Framed)).decode()
        except UnicodeDecodeError:
            return self._missed(self.sent[:-1])
        return False

    @property
    def asleep(self) -> bool:
        """Whether a back-off delay had begun but not ended."""
        over = {fact.n for fact in self.facts(SleepEnded)}
        return any(fact.purpose != "idle" and fact.n not in over for fact in self.facts(Slept))

    @property
    def aborted_while_creating(self) -> bool:
        """Whether the kit aborted between a create request and the response to it."""
        creating = False
        for event in self.events:
            match event.fact:
                case Requested(route="create"):
                    creating = True
                case Responded(route="create"):
                    creating = False
                case Called(operation="abort") if creating:
                    return True
                case _:
                    pass
        return False

    @property
    def refused(self) -> bool:
        """Whether any request was answered with a status of 400 or more."""
        return any(fact.status >= 400 for fact in self.facts(Responded))  # noqa: PLR2004 - 4xx, 5xx

    @property
    def permanent_status(self) -> int | None:
        """The first stream response status that should have ended the wait, or None."""
        known = PERMANENT.get(self.profile, frozenset())
        found = (fact.status for fact in self.facts(Responded) if fact.route == "stream")
        return next((status for status in found if status in known), None)

    @property
    def moved(self) -> frozenset[int]:
        """The numbers of the streams that had an event with a new id, or one without an id."""
        found: set[int] = set()
        seen: set[str | None] = set()
        for event in self.events:
            match event.fact:
                case Framed(route="stream", attempt=attempt, id=name):
                    kinds = {frame.kind for frame in frames_of([event])}
                    if name not in seen and kinds & {Kind.UNKNOWN, Kind.EVENT}:
                        found.add(attempt)
                    seen |= {name} - {None}
                case _:
                    pass
        return frozenset(found)

    @property
    def survived(self) -> bool:
        """Whether an earlier stream ended like the last one, and the client then reopened it."""
        ends: dict[int, list[object]] = {}
        moved = self.moved
        for event in self.events:
            match event.fact:
                case Responded(route="stream", attempt=attempt, status=status):
                    # Ending without anything new is not the same as ending after an event.
                    ends.setdefault(attempt, []).append((status, attempt in moved))
                case Ended(route="stream", attempt=attempt, how=how):
                    ends.setdefault(attempt, []).append(how)
                case _:
                    pass
        last = ends.pop(self.attempt, None) if self.route == "stream" else None
        return last is not None and last in ends.values()

    def is_progress(self, frame: Frame) -> bool:
        """Return whether a frame counts as progress under the profile, regardless of its id."""
        return self.profile == "2026-05" or frame.kind in {Kind.UNKNOWN, Kind.EVENT}

    @property
    def ended_cleanly(self) -> bool:
        """Whether the backend ended the last exchange cleanly."""
        return self.ended is not None and self.ended.how == "eof"

    @property
    def progressed(self) -> bool:
        """Whether the last exchange made progress."""
        if self.profile == "hardened" and self.route == "stream":
            return self.attempt in self.moved
        return any(self.is_progress(frame) for frame in self.frames)

    def fired(self, trigger: Json) -> bool:
        """Return whether a trigger of the case (`abort_in`, `throw_in`) fired: its callback ran."""
        match trigger:
            case {"callback": str() as name, "nth": int() as nth}:
                return self.heard.count(name) >= nth
            case {"callback": str() as name}:
                return name in self.heard
            case _:
                return False


def _is_of(event: Event, exchange: Requested) -> bool:
    match event.fact:
        case Responded() | Framed() | Ended() as fact:
            return (fact.route, fact.attempt) == (exchange.route, exchange.attempt)
        case _:
            return False
