"""Order cases: every follower receives the same log in the same order."""

from conformance.backends.account import NotReached
from conformance.backends.blocks import STARTED, Block
from conformance.backends.declare import case
from conformance.backends.follower import Follower
from conformance.backends.play import Play
from conformance.backends.supply import NOT_ENDED

_MANY = 6


@case("order.started-first", "31", passive=True)
async def started_first(play: Play) -> None:
    """Each `training.started` makes a client mark the job as running and call a callback."""
    seen = await play.seen()
    kinds = [block.type for block in seen.first.frames]
    if STARTED in kinds and (kinds[0] != STARTED or kinds.count(STARTED) > 1):
        places = [str(n) for n, kind in enumerate(kinds, 1) if kind == STARTED]
        play.stop(
            "31",
            "`training.started` once, as the first event",
            f"`training.started` as event {', '.join(places)}",
            play.at(seen.first),
        )


@case("order.steps-rise", "31", passive=True)
async def steps_rise(play: Play) -> None:
    """If `step` decreases, the events are out of order, and a loss chart jumps backwards."""
    seen = await play.seen()
    before = None
    for block in seen.first.frames:
        value = block.value
        step = value.get("step") if isinstance(value, dict) else None
        if isinstance(step, bool) or not isinstance(step, int | float):
            continue
        if before is not None and step < before:
            play.stop("31", f"a step of {before} or more", f"step {step} in event {block.id}")
        before = step


@case("order.ids-are-unique", "28", passive=True)
async def ids_are_unique(play: Play) -> None:
    """If two events have the same id, a resume from that id skips the events between them."""
    seen = await play.seen()
    for each in (seen.first, seen.second):
        ids = list(each.ids)
        duplicated = next((one for one in ids if ids.count(one) > 1), None)
        if duplicated is not None and not _is_repeat(each, duplicated):
            play.stop(
                "28", "each id once", f"{duplicated!r} for two different events", play.at(each)
            )


@case("order.ids-are-unique-in-a-long-log", "28", words=("job", "emit"))
async def ids_are_unique_in_a_long_log(play: Play) -> None:
    """Ids taken from a small counter or from a clock can repeat in a long log."""
    job = await play.quiet_job()
    ids = [each for _ in range(3) for each in await play.emit(job, 200)]
    follower = await play.follow(job)
    await follower.until(lambda each: len(each.frames) >= len(ids), play.bounds.event)
    for seen in (ids, list(follower.ids)):
        if len(set(seen)) < len(seen):
            duplicated = next(each for each in seen if seen.count(each) > 1)
            play.stop("28", f"{len(seen)} ids for {len(seen)} events", f"{duplicated!r} twice")


def _is_repeat(follower: Follower, cursor: str) -> bool:
    """Return whether all events with the id `cursor` are one event that was sent repeatedly."""
    found = {block.raw for block in follower.frames if block.id == cursor}
    return len(found) == 1


@case("order.same-event-every-time", "36", passive=True)
async def same_event_every_time(play: Play) -> None:
    """A client that resumes must see the same events as one that stayed connected."""
    seen = await play.seen()
    play.compare(seen.first, seen.second)


@case("order.same-event-after-a-resume", "36", words=("job", "emit"))
async def same_event_after_a_resume(play: Play) -> None:
    """A replay must send each event as the live stream sent it, not generate it again."""
    job = await play.quiet_job()
    live = await play.follow(job)
    ids = await play.emit(job, _MANY)
    await live.until_ids(ids, play.bounds.event)
    for cursor in (None, ids[0], ids[2]):
        again = await play.follow(job, cursor)
        await again.until_ids(ids[-1:], play.bounds.event)
        play.compare(live, again)


@case("order.characters-survive", "36", words=("job", "emit"))
async def characters_survive(play: Play) -> None:
    """A proxy that decodes each chunk separately damages characters split between two chunks."""
    job = await play.quiet_job()
    follower = await play.follow(job)
    ids = await play.emit(job, _MANY, 300)
    if not await follower.until_ids(ids, play.bounds.event):
        raise NotReached(f"not all emitted events arrived: {play.got(follower)}", "ARK-SRV-22")
    for block in follower.frames:
        if "\ufffd" in (block.data or ""):
            play.stop("36", "every character intact", f"U+FFFD in event {block.id}")


@case("order.two-followers", "37", passive=True)
async def two_followers(play: Play) -> None:
    """A user can follow one job in two windows; neither window may take events from the other."""
    seen = await play.seen()
    if not (seen.first.is_stream and seen.second.is_stream):
        raise NotReached("the kit could not open two streams for the job", "ARK-SRV-17")
    ours, theirs = list(seen.ids), list(seen.second.ids)
    if seen.terminal is None:
        raise NotReached(NOT_ENDED)
    if seen.goes_on_elsewhere(seen.second):
        raise NotReached("the backend ended the second stream before the job ended")
    _same_log(play, ours, theirs)


@case("order.many-followers", "37", words=("job", "emit", "finish"))
async def many_followers(play: Play) -> None:
    """Followers that join at different times must all see the whole log."""
    job = await play.quiet_job()
    followers = [await play.follow(job) for _ in range(3)]
    await play.emit(job, 3)
    followers += [await play.follow(job) for _ in range(2)]
    await play.emit(job, 3)
    await play.make("finish", job=job)
    for each in followers:
        if not await each.until_terminal(play.bounds.event):
            play.stop("37", "the terminal event for every follower", play.got(each))
    for each in followers[1:]:
        _same_log(play, list(followers[0].ids), list(each.ids))


def _same_log(play: Play, ours: list[str], theirs: list[str]) -> None:
    missing = [each for each in ours if each not in theirs] or [
        each for each in theirs if each not in ours
    ]
    if missing:
        play.stop(
            "37",
            "the same events for every follower",
            f"a follower without event {missing[0]!r} ({len(missing)} missing in all)",
        )
    if ours != theirs:
        play.stop("37", "the same order for every follower", f"{ours} and {theirs}")


@case("order.begins-at-the-beginning", "38", passive=True)
async def begins_at_the_beginning(play: Play) -> None:
    """A stream request without a cursor asks for the whole log, from its first event."""
    seen = await play.seen()
    if seen.terminal is None or not seen.first.frames:
        raise NotReached(NOT_ENDED)
    if seen.goes_on_elsewhere(seen.second) and not seen.second.frames:
        raise NotReached("the backend ended the second stream before any event arrived")
    first = _first(seen.second)
    if first != _first(seen.first):
        expected = f"the first event, {_first(seen.first)!r}"
        play.stop("38", expected, f"{first!r} first", play.at(seen.second))


@case("order.late-follower", "38", words=("job", "emit"))
async def late_follower(play: Play) -> None:
    """A follower that connects late must still get the earlier events."""
    job, ids = await play.running_job()
    for _ in range(2):
        follower = await play.follow(job)
        if not await follower.until(lambda each: bool(each.frames), play.bounds.event):
            play.stop("38", f"the first event, {ids[0]!r}", play.got(follower))
        if _first(follower) != ids[0]:
            play.stop("38", f"the first event, {ids[0]!r}", f"{_first(follower)!r} first")


@case("order.after-the-end", "38", words=("job", "emit", "finish"))
async def after_the_end(play: Play) -> None:
    """A follower that connects after the job has ended must still get the whole log."""
    job, ids = await play.ended_job()
    follower = await play.follow(job)
    await follower.until_terminal(play.bounds.event)
    if list(follower.ids) != ids:
        play.stop("38", f"the whole log ({len(ids)} events)", play.got(follower))


def _first(follower: Follower) -> str | None:
    block: Block | None = next(iter(follower.frames), None)
    return None if block is None else block.id or block.type
