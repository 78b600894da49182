"""Plays what several cases share: following a job, cancelling one, and creating jobs with keys."""

from collections.abc import Sequence
from typing import Final

import anyio

from conformance.backends.account import NotReached
from conformance.backends.answer import Answer
from conformance.backends.follower import Follower
from conformance.backends.ledger import OVER
from conformance.backends.play import Play
from conformance.backends.supply import Cancelled, Keyed, Look, Seen, Spot
from conformance.backends.wire import LEFT, now

_LOOKS: Final = 1.0
"""Seconds between two polls of a job that no control program drives."""
_SPOTS: Final = 20
_UNKNOWN: Final = 404
_FORBIDDEN: Final = (401, 403)
_AGAIN: Final = 0.2
"""Seconds before the kit repeats a request that got a 404, or resumes a stream that ended."""
_FIRST: Final = 3
_BURST: Final = 4


class NoJob(Exception):
    """The backend did not create a job, so nothing can be judged; the message says what to do."""


async def follow_a_job(play: Play, watch: float) -> Seen:
    """Follow a new job to its end, or an existing one for at most `watch` seconds."""
    driven = play.controls("job", "emit", "finish")
    created: Answer | None = None
    unknown_to = ""
    if play.supply.followed:
        job = play.supply.followed
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
        rest = await _look_on(play, first, watch, looks, spots)
    for each in (first, *rest, second):
        if driven or first.ended_at is not None:
            await each.until_terminal(play.bounds.event)
            await each.until_end(play.bounds.end)
    if driven or any(each.terminal is not None for each in (first, *rest)):
        await play.status_within(job, OVER, play.bounds.agrees)
    last = await play.look(job)
    await play.leave()
    return Seen(
        trace=play.trace,
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
    play: Play, first: Follower, watch: float, looks: list[Look], spots: list[Spot]
) -> Sequence[Follower]:
    """Watch a job until it ends or the time is up, and resume its stream from time to time.

    A backend may end a stream before its job is over; the kit then resumes, as a client would.
    Return all streams except the first.
    """
    until = now() + (watch if play.supply.followed else play.bounds.job)
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


async def cancel_a_job(play: Play) -> Cancelled:
    """Cancel a job while two followers are connected; then cancel it a second time."""
    if play.supply.followed:
        raise NotReached("--follow cancels nothing")
    if play.controls("job", "emit"):
        job, _ = await play.running_job()
    else:
        job = (await create_or_fail(play)).job_id
        if route := await unknown_route(play, job):
            raise NotReached(f"the {route} route still returned 404 for the new job", "ARK-SRV-4")
    followers = [await play.follow(job), await play.follow(job)]
    before = (await play.look(job)).job_status
    if not before:
        raise NotReached("the response from the job route does not say whether the job is over")
    if before in OVER:
        raise NotReached(f"the job was over (status {before}) before it could be cancelled")
    answer = await play.cancel(job)
    if not answer.ok:
        status = await play.status_within(job, OVER, 0.0)
        if status in OVER and status != "cancelled":
            raise NotReached(f"the job was over (status {status}) before it could be cancelled")
    status = await play.status_within(job, OVER, play.bounds.cancelled)
    for each in followers:
        await each.until_terminal(play.bounds.event)
        await each.until_end(play.bounds.end)
    again = await play.cancel(job)
    after = (await play.look(job)).job_status
    await play.leave()
    return Cancelled(
        trace=play.trace,
        job=job,
        followers=followers,
        before=before,
        answer=answer,
        status=status,
        again=again,
        after=after,
    )


async def create_with_keys(play: Play) -> Keyed:
    """Submit a job repeatedly with one idempotency key, then another body, then another key."""
    if play.supply.followed:
        raise NotReached("--follow creates nothing")
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
        trace=play.trace,
        overlapping=overlapping,
        again=again,
        other_body=other_body,
        other_key=other_key,
    )


async def _look(play: Play, first: Follower) -> Look:
    answer = await play.look(first.job)
    return Look(at=now(), answer=answer, arrived=len(first.frames))


async def _spot(play: Play, job: str, cursor: str) -> Spot:
    """Resume from `cursor`; stop reading after the first event or after one second."""
    follower = await play.follow(job, cursor)
    await follower.until(lambda each: bool(each.frames), _LOOKS)
    await follower.leave()
    return Spot(cursor=cursor, ids=list(follower.ids))


async def unknown_route(play: Play, job: str) -> str:
    """Return the route that still responds 404 when a new job's grace period is over, or ""."""
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
    """Submit a job and return the response; raise NotReached if there is no job id.

    If the create request fails, raise NoJob if no control program can create jobs, otherwise
    NotReached.
    """
    answer = await play.create()
    if not answer.ok:
        if not play.controls("job"):
            hint = (
                "use a token that may create jobs"
                if answer.status in _FORBIDDEN
                else "give a valid job with --job"
            )
            raise NoJob(
                f"the backend did not accept a job ({answer.told}); {hint}, "
                "or follow an existing job with --follow ID"
            )
        raise NotReached(f"the create request failed ({answer.told})")
    if not answer.job_id:
        raise NotReached("the response to the accepted create request has no job id", "ARK-SRV-1")
    return answer
