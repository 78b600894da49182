"""Resume cases: no event is lost or repeated when a stream goes from the replay to live events."""

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import anyio
from attrs import define, field

from conformance.backends.account import NotReached
from conformance.backends.cases.resume import check_slice
from conformance.backends.declare import case
from conformance.backends.follower import Follower
from conformance.backends.play import Play
from conformance.backends.wire import now

_CERTAINTY: Final = 0.99


async def _held(
    play: Play, job: str, cursor: str, meanwhile: Callable[[], Awaitable[None]]
) -> Follower:
    """Resume, and await `meanwhile` while the stream is held between replay and live events."""
    await play.make("hold", job=job)
    follower = await play.follow(job, cursor, wait=False)
    await play.make("held", job=job)
    await meanwhile()
    await play.make("release", job=job)
    await follower.until_head(play.bounds.answer)
    return follower


@case("resume.hand-off-held", "35", words=("job", "emit", "hold"))
async def hand_off_held(play: Play) -> None:
    """An event that arrives between the replay and the live phase is easily lost.

    The stream is held at that point, so one attempt is enough.
    """
    job, ids = await play.running_job()
    between: list[str] = []

    async def meanwhile() -> None:
        between.extend(await play.emit(job, 2))

    follower = await _held(play, job, ids[0], meanwhile)
    after = await play.emit(job, 1)
    await follower.until_ids(after, play.bounds.event)
    check_slice(play, follower, [*ids, *between, *after], 0, "35", "35")


@case("resume.hand-off-of-the-terminal-event", "35", words=("job", "emit", "finish", "hold"))
async def hand_off_of_the_terminal_event(play: Play) -> None:
    """If a job ends between the replay and the live phase, its terminal event is easily lost."""
    job, ids = await play.running_job()
    last: list[str] = []

    async def meanwhile() -> None:
        ended = (await play.make("finish", job=job)).get("id")
        last.extend([ended] if isinstance(ended, str) else [])

    follower = await _held(play, job, ids[0], meanwhile)
    await follower.until_terminal(play.bounds.event)
    await follower.until_end(play.bounds.end)
    if follower.terminal is None:
        play.stop("35", "the terminal event", play.got(follower))
    check_slice(play, follower, [*ids, *last], 0, "35", "35")


def amiss(ids: Sequence[str], rest: Sequence[str]) -> str:
    """Describe where `ids`, from a resumed stream, first departs from `rest`; "" if it does not."""
    for place, came in enumerate(ids):
        if place < len(rest) and came == rest[place]:
            continue
        if came in rest[place:]:
            return f"{came!r} without {rest[place]!r} before it"
        return f"{came!r} again"
    return ""


@define
class _Hammered:
    """A job that is resumed at random moments while it emits events."""

    play: Play
    job: str
    log: list[str] = field(factory=list[str])
    tried: int = 0
    got: list[tuple[str, list[str]]] = field(factory=list[tuple[str, list[str]]])
    done: bool = False

    async def emit(self, most: int) -> None:
        """Emit events in bursts until the resumes are done or the log holds `most` events."""
        while not self.done and len(self.log) < most:
            size = self.play.random.randrange(1, 6)
            self.log += await self.play.emit(self.job, size)
        self.done = True

    async def resume(self, wanted: int) -> None:
        """Resume repeatedly from an id near the end of the log, and read past the hand-off."""
        while self.tried < wanted and not self.done:
            place = max(0, len(self.log) - 1 - self.play.random.randrange(4))
            cursor = self.log[place]
            self.tried += 1
            follower = await self.play.follow(self.job, cursor)
            if not follower.is_stream:
                raise NotReached(
                    f"a resume did not return an event stream (status {follower.status})"
                )
            # An event added after the stream was opened has crossed the hand-off.
            await follower.until(self._brings_more_than(set(self.log)), self.play.bounds.event)
            await follower.leave()
            self.got.append((cursor, list(follower.ids)))

    def _brings_more_than(self, known: set[str]) -> Callable[[Follower], bool]:
        return lambda each: self.done or any(one not in known for one in each.ids)

    def check(self, rule: str) -> None:
        """Compare the received events with the log."""
        where = {each: place for place, each in enumerate(self.log)}
        for number, (cursor, ids) in enumerate(self.got, 1):
            if wrong := amiss(ids, self.log[where[cursor] + 1 :]):
                expected = f"each event after {cursor!r} once, in order"
                self.play.stop(rule, expected, f"{wrong} (resume {number})")


@case("resume.hand-off-hammered", "35", words=("job", "emit"), slow=True)
async def hand_off_hammered(play: Play) -> None:
    """An event that arrives between the replay and the live phase is easily lost or repeated.

    The case resumes many times, at random moments.
    """
    job = await play.quiet_job()
    hammered = _Hammered(play, job)
    hammered.log += await play.emit(job, 3)
    wanted = play.amounts.resumes
    began = now()
    play.quiet = True
    async with anyio.create_task_group() as group:
        group.start_soon(hammered.emit, wanted * 40)
        async with anyio.create_task_group() as resumers:
            for _ in range(min(8, play.amounts.streams)):
                resumers.start_soon(hammered.resume, wanted)
        hammered.done = True
    play.quiet = False
    hammered.check("35")
    tried = len(hammered.got)
    rarest = -math.log(1 - _CERTAINTY) / max(1, tried)
    text = (
        f"none of {tried:,} resumes lost or repeated any of {len(hammered.log):,} events, "
        f"in {now() - began:.1f} s; with {_CERTAINTY:.0%} confidence, "
        f"fewer than {rarest:.2%} of resumes do"
    )
    play.note(text)
    play.notes.append(f"hand-off from replay to live: {text}")


@case("resume.hand-off-spot-check", "35", passive=True, uncontrolled=True)
async def hand_off_spot_check(play: Play) -> None:
    """An event that arrives between the replay and the live phase is easily lost or repeated.

    Without a control program, the case can only resume the stream of a running job a few times,
    and may not notice this.
    """
    seen = await play.supply.ended()
    play.adopt(seen.trace)
    log = list(seen.ids)
    tried = [spot for spot in seen.spots if spot.cursor in log]
    if not tried:
        raise NotReached("the job ended before a resume could be tried")
    for spot in tried:
        if wrong := amiss(spot.ids, log[log.index(spot.cursor) + 1 :]):
            play.stop("35", f"each event after {spot.cursor!r} once, in order", wrong)
    play.notes.append(
        f"hand-off from replay to live: few resumes were tried ({len(tried)}); with a control "
        "program that supports `job` and `emit`, the kit tries many more"
    )
