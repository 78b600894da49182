"""Jobs and creates that several cases share, so that a run creates few jobs.

These are a job that is followed from its start to its end, a job that is cancelled, and creates
with idempotency keys. Each is played once, as soon as a case needs it. If that fails, all cases
that need it raise the same exception.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

import anyio
from attrs import define, field, frozen

from conformance.backends.account import NotReached
from conformance.backends.answer import Answer
from conformance.backends.blocks import Block
from conformance.backends.follower import Follower
from conformance.backends.ledger import OVER
from conformance.backends.target import Target
from conformance.backends.wire import LEFT, now
from conformance.trace.events import Trace

_S = TypeVar("_S")
NOT_ENDED: Final = "the followed job did not end in the time allowed"
_OPENS: Final = 5
"""How many streams the kit opens per second, at most, if the backend is on another machine."""
_LEAST: Final = 3


@frozen(kw_only=True, eq=False)
class Look:
    """A response from the job route, received while the followers were connected."""

    at: float
    answer: Answer
    arrived: int
    """The number of events that the first follower had received when the response arrived."""


@frozen(kw_only=True, eq=False)
class Spot:
    """A resumed stream of a job that the kit does not control: its cursor and the ids received."""

    cursor: str
    ids: Sequence[str]


@frozen(kw_only=True, eq=False)
class Seen:
    """A job as the kit observed it, through two followers and the job route."""

    trace: Trace
    job: str
    created: Answer | None
    first: Follower
    rest: Sequence[Follower]
    """The first follower's later streams, opened if its stream ended before the job did."""
    second: Follower
    looks: Sequence[Look]
    spots: Sequence[Spot]
    last: Answer | None
    """The job route's response at the end of the observation."""
    by_itself: bool
    """True if the job ran on its own, without a control program."""
    unknown_to: str = ""
    """The route that still returned 404 for the new job at the time limit; empty if none did."""

    @property
    def streams(self) -> Sequence[Follower]:
        """The first follower's streams, in order."""
        return (self.first, *self.rest)

    @property
    def frames(self) -> Sequence[Block]:
        """The events of the job's log, as the first follower received them."""
        return [block for each in self.streams for block in each.frames]

    @property
    def ids(self) -> Sequence[str]:
        """The ids of the events that the first follower received."""
        return [each for stream in self.streams for each in stream.ids]

    @property
    def terminal(self) -> Block | None:
        """The first terminal frame that the first follower received, or None."""
        return next((each.terminal for each in self.streams if each.terminal is not None), None)

    @property
    def status(self) -> str:
        """The job's status at the end of the observation; empty if it is unknown."""
        return "" if self.last is None else self.last.job_status

    @property
    def over(self) -> bool:
        """True if the job ended while it was being followed."""
        ended = not self.by_itself and self.first.ended_at is not None
        whole = not any(each.is_too_long for each in self.streams)
        return self.terminal is not None or (whole and (self.status in OVER or ended))

    def goes_on_elsewhere(self, follower: Follower) -> bool:
        """Return whether the backend ended a stream before the job ended, which is allowed."""
        ended = follower.ended_at is not None and follower.ended != LEFT
        return self.by_itself and ended and follower.terminal is None


@frozen(kw_only=True, eq=False)
class Cancelled:
    """A job that was cancelled while two followers were connected."""

    trace: Trace
    job: str
    followers: Sequence[Follower]
    before: str
    """The job's status just before the cancel."""
    answer: Answer
    status: str
    """The job's status when the job ended or the time limit was reached."""
    again: Answer
    after: str
    """The job's status after the second cancel."""


@frozen(kw_only=True, eq=False)
class Keyed:
    """The responses to creates with idempotency keys."""

    trace: Trace
    overlapping: Sequence[Answer]
    again: Answer
    other_key: Answer
    other_body: Answer


@define(eq=False)
class Once(Generic[_S]):
    """A computation that runs at most once, whether it succeeds or fails."""

    make: Callable[[], Awaitable[_S]]
    _lock: anyio.Lock = field(factory=anyio.Lock, init=False)
    _made: _S | None = field(default=None, init=False)
    _failed: Exception | None = field(default=None, init=False)

    async def __call__(self) -> _S:
        """Return the result, or raise the exception that the computation raised."""
        async with self._lock:
            if self._failed is not None:
                raise self._failed
            if self._made is None:
                try:
                    self._made = await self.make()
                except Exception as error:
                    self._failed = error
                    raise
            return self._made


@define(eq=False)
class Supply:
    """What the cases of one run share: jobs, creates, and refusals because of load."""

    target: Target
    """The target, at the backend's current address."""
    seen: Once[Seen]
    """Returns the followed job; raises NotReached if no job could be followed."""
    cancelled: Once[Cancelled]
    """Returns the cancelled job; raises NotReached if no job could be cancelled."""
    keyed: Once[Keyed]
    """Returns the responses to creates with idempotency keys; raises NotReached if there are none."""
    followed: str = ""
    """The id of an existing job to follow; if given, the kit does not create or cancel jobs."""
    limits: list[Answer] = field(factory=list[Answer], init=False)
    """The responses that refused a request because of load."""
    _next_open: float = field(default=0.0, init=False)

    async def pace(self) -> None:
        """Wait if needed, so that streams to a backend on another machine are not opened too fast."""
        if not self.target.is_here:
            due = self._next_open
            self._next_open = max(due, now()) + 1 / _OPENS
            await anyio.sleep(max(0.0, due - now()))

    def moved(self, url: str) -> None:
        """Record the backend's new address."""
        self.target = self.target.at(url)

    async def ended(self) -> Seen:
        """Return the followed job; raise NotReached if it did not end or sent too few event ids."""
        seen = await self.seen()
        if seen.terminal is None:
            raise NotReached(NOT_ENDED)
        if len(seen.ids) < _LEAST:
            raise NotReached(
                "the log of the job has fewer than three events with ids", "ARK-SRV-26"
            )
        return seen
