"""Jobs and creates that several cases share, so that a run creates few jobs.

They are the job that is followed from its first second to its end, the job that is cancelled, and
the creates with idempotency keys. Each is played once, when the first case needs it. If that
fails, every case that needs it gets the reason.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

import anyio
from attrs import define, field, frozen

from conformance.backends.answer import Answer
from conformance.backends.blocks import Block
from conformance.backends.follower import Follower
from conformance.backends.ledger import OVER
from conformance.backends.play import NotReached, Play
from conformance.backends.target import Target
from conformance.backends.wire import LEFT, now

_S = TypeVar("_S")
NOT_ENDED: Final = "the followed job did not end in the time allowed"
_LOOKS: Final = 1.0
"""How often to poll a job that no control program drives: the interval in seconds."""
_OPENS: Final = 5
"""The most streams that are opened per second if the backend is on another machine."""
_SPOTS: Final = 20
_UNKNOWN: Final = 404
_FORBIDDEN: Final = (401, 403)
_AGAIN: Final = 0.2
"""How long to wait before repeating a request to a route that did not know a job, in seconds."""
_FIRST: Final = 3
_BURST: Final = 4


class NoJob(Exception):
    """The backend does not create jobs, so nothing can be judged; the message says why."""


@frozen(kw_only=True, eq=False)
class Look:
    """A response from the job route, received while the followers were connected."""

    at: float
    answer: Answer
    arrived: int
    """The number of events that the first follower had received when the response arrived."""


@frozen(kw_only=True, eq=False)
class Spot:
    """A resume of a job that runs on its own: the cursor, and the ids that arrived."""

    cursor: str
    ids: Sequence[str]


@frozen(kw_only=True, eq=False)
class Seen:
    """A job that two followers and the job route observed from its start."""

    play: Play
    job: str
    created: Answer | None
    first: Follower
    rest: Sequence[Follower]
    """The streams that continued the first one, if it ended before the job."""
    second: Follower
    looks: Sequence[Look]
    spots: Sequence[Spot]
    last: Answer | None
    """The job route's response after the stream had ended."""
    by_itself: bool
    """True if the job ran on its own, without a control program."""
    unknown_to: str = ""
    """The route that did not know the new job within the time limit; empty if both routes did."""

    @property
    def streams(self) -> Sequence[Follower]:
        """The first follower's streams, in order."""
        return (self.first, *self.rest)

    @property
    def frames(self) -> Sequence[Block]:
        """The log's events as the first follower received them."""
        return [block for each in self.streams for block in each.frames]

    @property
    def ids(self) -> Sequence[str]:
        """The ids of the events that the first follower received."""
        return [each for stream in self.streams for each in stream.ids]

    @property
    def terminal(self) -> Block | None:
        """The frame after which the first follower stopped; None if it received none."""
        return next((each.terminal for each in self.streams if each.terminal is not None), None)

    @property
    def status(self) -> str:
        """The status of the job at the end; empty if it is unknown."""
        return "" if self.last is None else self.last.job_status

    @property
    def over(self) -> bool:
        """True if the job ended while it was being followed."""
        ended = not self.by_itself and self.first.ended_at is not None
        whole = not any(each.is_too_long for each in self.streams)
        return self.terminal is not None or (whole and (self.status in OVER or ended))

    def goes_on_elsewhere(self, follower: Follower) -> bool:
        """Return whether the backend ended a stream before the job was over, which is allowed."""
        ended = follower.ended_at is not None and follower.ended != LEFT
        return self.by_itself and ended and follower.terminal is None


@frozen(kw_only=True, eq=False)
class Cancelled:
    """A job that was cancelled while two followers were connected."""

    play: Play
    job: str
    followers: Sequence[Follower]
    before: str
    """The job's status just before the cancel."""
    answer: Answer
    status: str
    """The job's status when it was over, or at the time limit."""
    again: Answer
    after: str
    """The job's status after the second cancel."""


@frozen(kw_only=True, eq=False)
class Keyed:
    """The responses to creates with idempotency keys."""

    play: Play
    overlapping: Sequence[Answer]
    again: Answer
    other_key: Answer
    other_body: Answer


@define(eq=False)
class _Once(Generic[_S]):
    """A result that is computed at most once, whether it succeeds or fails."""

    make: Callable[[], Awaitable[_S]]
    _lock: anyio.Lock = field(factory=anyio.Lock, init=False)
    _made: _S | None = field(default=None, init=False)
    _failed: Exception | None = field(default=None, init=False)

    async def __call__(self) -> _S:
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
    """The jobs, creates and limits that the cases of one run share."""

    begin: Callable[[], Play]
    """Makes the `Play` for a shared job or create."""
    target: Target
    """The target with the backend's current address."""
    followed: str = ""
    """The id of an existing job to follow; if given, the kit creates and cancels nothing."""
    watch: float = 0.0
    """How long to watch a followed job, which may never end, in seconds."""
    limits: list[Answer] = field(factory=list[Answer], init=False)
    """The responses that refused a request because of load."""
    _next_open: float = field(default=0.0, init=False)
    _seen: "_Once[Seen]" = field(init=False)
    _cancelled: "_Once[Cancelled]" = field(init=False)
    _keyed: "_Once[Keyed]" = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._seen = _Once(self._see)
        self._cancelled = _Once(self._cancel)
        self._keyed = _Once(self._create_with_keys)

    async def pace(self) -> None:
        """Wait if needed, to limit how fast streams are opened at a backend on another machine."""
        if not self.target.is_here:
            due = self._next_open
            self._next_open = max(due, now()) + 1 / _OPENS
            await anyio.sleep(max(0.0, due - now()))

    def moved(self, url: str) -> None:
        """Record the backend's new address."""
        self.target = self.target.at(url)

    async def seen(self) -> Seen:
        """Return the job that every run follows; raises NotReached."""
        return await self._seen()

    async def cancelled(self) -> Cancelled:
        """Return the cancelled job; raises NotReached."""
        return await self._cancelled()

    async def keyed(self) -> Keyed:
        """Return the creates with keys; raises NotReached."""
        return await self._keyed()

    async def ended(self) -> Seen:
        """Return the followed job; raises NotReached unless it ended with at least 3 event ids."""
        seen = await self.seen()
        if seen.terminal is None:
            raise NotReached(NOT_ENDED)
        if len(seen.ids) < _FIRST:
            raise NotReached(
                "the log of the job has fewer than three events with ids", "ARK-SRV-26"
            )
        return seen

    async def _see(self) -> Seen:
        play = self.begin()
        driven = play.controls("job", "emit", "finish")
        created: Answer | None = None
        unknown_to = ""
        if self.followed:
            job = self.followed
        elif driven:
            job = await play.quiet_job()
        else:
            created = await create_or_fail(play)
            job = created.job_id
            unknown_to = await unknown_route(play, job)
        first = await play.follow(job, head=play.bounds.head)
        await first.until(lambda each: each.first_at is not None, play.bounds.first)
        second = await play.follow(job)
        rest: Sequence[Follower] = ()
        looks: list[Look] = []
        spots: list[Spot] = []
        if driven:
            ids = await play.emit(job, _FIRST)
            await first.until_ids(ids, play.bounds.event)
            looks.append(await _look(play, first))
            await play.emit(job, _BURST)
            await play.make("finish", job=job)
        else:
            rest = await self._look_on(play, first, looks, spots)
        for each in (first, *rest, second):
            if driven or first.ended_at is not None:
                await each.until(lambda one: one.terminal is not None, play.bounds.event)
                await each.until_end(play.bounds.end)
        if driven or any(each.terminal is not None for each in (first, *rest)):
            await play.status_within(job, OVER, play.bounds.agrees)
        last = await play.look(job)
        await play.leave()
        return Seen(
            play=play,
            job=job,
            created=created,
            first=first,
            rest=rest,
            second=second,
            looks=looks,
            spots=spots,
            last=last,
            by_itself=not driven,
            unknown_to=unknown_to,
        )

    async def _look_on(
        self, play: Play, first: Follower, looks: list[Look], spots: list[Spot]
    ) -> Sequence[Follower]:
        """Watch a job until it ends or time runs out, and resume its stream from time to time.

        A backend may end a stream before its job is over; the kit then resumes, like a client.
        Return the streams after the first.
        """
        until = now() + (self.watch if self.followed else play.bounds.job)
        streams, over, told = [first], False, float("inf")
        while now() < min(until, told + play.bounds.agrees) and first.is_stream:
            current = streams[-1]
            if current.terminal is not None:
                await current.until_end(play.bounds.end)
                break
            ended = await current.until_end(_LOOKS)
            ids = [each for stream in streams for each in stream.ids]
            if not ended:
                looks.append(await _look(play, first))
                if looks[-1].answer.job_status in OVER:
                    told = min(told, looks[-1].at)
                if ids and len(spots) < _SPOTS:
                    spots.append(await _spot(play, first.job, ids[-1]))
                continue
            if current.terminal is None:
                if over or current.ended == LEFT:
                    break
                over = await play.status_within(first.job, OVER, 0.0) in OVER
                await anyio.sleep(0.0 if over else _AGAIN)
                resumed = await play.follow(first.job, ids[-1] if ids else None)
                if not resumed.is_stream:
                    break
                streams.append(resumed)
        return streams[1:]

    async def _cancel(self) -> Cancelled:
        if self.followed:
            raise NotReached("--follow cancels nothing")
        play = self.begin()
        if play.controls("job", "emit"):
            job, _ = await play.running_job()
        else:
            job = (await create_or_fail(play)).job_id
            if route := await unknown_route(play, job):
                raise NotReached(f"the {route} route has no such job", "ARK-SRV-4")
        followers = [await play.follow(job), await play.follow(job)]
        before = (await play.look(job)).job_status
        if not before:
            raise NotReached("the job route does not show whether the job is over")
        if before in OVER:
            raise NotReached(f"the job was {before} before it could be cancelled")
        answer = await play.cancel(job)
        if not answer.ok:
            status = await play.status_within(job, OVER, 0.0)
            if status in OVER and status != "cancelled":
                raise NotReached(f"the job was {status} before it could be cancelled")
        status = await play.status_within(job, OVER, play.bounds.cancelled)
        for each in followers:
            await each.until(lambda one: one.terminal is not None, play.bounds.event)
            await each.until_end(play.bounds.end)
        again = await play.cancel(job)
        after = (await play.look(job)).job_status
        await play.leave()
        return Cancelled(
            play=play,
            job=job,
            followers=followers,
            before=before,
            answer=answer,
            status=status,
            again=again,
            after=after,
        )

    async def _create_with_keys(self) -> Keyed:
        if self.followed:
            raise NotReached("--follow creates nothing")
        play = self.begin()
        key = f"kit-{play.random.getrandbits(64):016x}"
        overlapping: list[Answer] = []

        async def submit() -> None:
            overlapping.append(await play.create(key=key, expected=False))

        await play.ledger.spend()
        async with anyio.create_task_group() as group:
            for _ in range(_FIRST):
                group.start_soon(submit)
        again = await play.create(key=key, expected=False)
        other = {**play.target.body, "name": f"{play.target.body.get('name', 'job')} other"}
        other_body = await play.create(key=key, body=other, expected=False)
        other_key = await play.create(key=f"{key}-b")
        return Keyed(
            play=play,
            overlapping=overlapping,
            again=again,
            other_body=other_body,
            other_key=other_key,
        )


async def _look(play: Play, first: Follower) -> Look:
    answer = await play.look(first.job)
    return Look(at=now(), answer=answer, arrived=len(first.frames))


async def _spot(play: Play, job: str, cursor: str) -> Spot:
    """Resume from the last event received; read until another arrives or a second has passed."""
    follower = await play.follow(job, cursor)
    await follower.until(lambda each: bool(each.frames), _LOOKS)
    await follower.leave()
    return Spot(cursor=cursor, ids=list(follower.ids))


async def unknown_route(play: Play, job: str) -> str:
    """Return the route that still does not know a new job after the bound; "" if both know it."""
    until = now() + play.bounds.known
    for route in ("job", "stream"):
        while True:
            if route == "job":
                status = (await play.look(job)).status
            else:
                follower = await play.follow(job)
                status = follower.status
                await follower.leave()
            if status != _UNKNOWN:
                break
            if now() > until:
                return route
            await anyio.sleep(_AGAIN)
    return ""


async def create_or_fail(play: Play) -> Answer:
    """Submit a job; raises NotReached, or NoJob if a control program cannot create one either."""
    answer = await play.create()
    if not answer.ok:
        if not play.controls("job"):
            hint = (
                "use a token with that permission"
                if answer.status in _FORBIDDEN
                else "give a valid job with --job"
            )
            raise NoJob(
                f"the backend did not accept a job ({answer.told}); {hint}, or use --follow ID"
            )
        raise NotReached(f"the response to the create was {answer.told}")
    if not answer.job_id:
        raise NotReached("the create was accepted without a job id", "ARK-SRV-1")
    return answer
