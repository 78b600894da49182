"""Resume cases: after `Last-Event-ID: x`, no event may be missing and none may be repeated."""

from collections.abc import Sequence
from typing import Final

from conformance.backends.account import NotReached
from conformance.backends.blocks import KNOWN
from conformance.backends.declare import case
from conformance.backends.follower import Follower
from conformance.backends.ledger import OVER
from conformance.backends.play import Play
from conformance.backends.supply import NOT_ENDED
from conformance.backends.wire import LEFT

_MOST: Final = 60
"""The maximum number of positions in a log from which a case resumes."""
_BURST: Final = 40
_SPOT_CHECKS: Final = 20
_CERTAINTY: Final = 0.99
_NO_CONTENT: Final = 204
_GONE: Final = 410
_REFUSED: Final = 400
_BROKEN: Final = 500
_LOADED: Final = (408, 425, 429)


def _places(ids: Sequence[str]) -> list[int]:
    """Choose up to `_MOST` positions in a log to resume from, including the first and the last."""
    if len(ids) <= _MOST:
        return list(range(len(ids)))
    step = (len(ids) - 1) / (_MOST - 1)
    return sorted({round(n * step) for n in range(_MOST)})


async def _whole(play: Play, job: str, ids: Sequence[str], lost: str, again: str) -> None:
    """Resume the stream of an ended job from up to `_MOST` events, but not from the last one."""
    for place in _places(ids):
        if place == len(ids) - 1:
            continue
        follower = await play.follow(job, ids[place])
        play.streams(follower)
        await follower.until_terminal(play.bounds.event)
        await follower.until_end(play.bounds.end)
        check_slice(play, follower, ids, place, lost, again)


def check_slice(  # noqa: PLR0917 - a log, a place, and the rules about both sides of it
    play: Play, follower: Follower, ids: Sequence[str], place: int, lost: str, again: str
) -> None:
    """Check that a stream sent every event after position `place` of the log, and repeated none."""
    got = list(follower.ids)
    cursor = ids[place]
    earlier = set(ids[: place + 1])
    repeated = [each for n, each in enumerate(got) if each in earlier or each in got[:n]]
    if again and repeated:
        place_of = [n for n, block in enumerate(follower.blocks, 1) if block.id == repeated[0]]
        event = play.at(follower, place_of[-1])
        play.stop(
            again, f"only events after {cursor!r}, each once", f"{repeated[0]!r} again", event
        )
    missing = [each for each in ids[place + 1 :] if each not in got]
    if lost and missing:
        after = [each for each in got if each in ids and ids.index(each) > ids.index(missing[0])]
        shown = f"{after[0]!r} without {missing[0]!r} before it" if after else play.got(follower)
        play.stop(lost, f"every event after {cursor!r}", shown, play.at(follower))


@case("resume.every-id-lacks-nothing", "33", passive=True)
async def every_id_lacks_nothing(play: Play) -> None:
    """A resumed stream must contain every event after the cursor."""
    seen = await play.supply.ended()
    await _whole(play, seen.job, list(seen.ids), "33", "")


@case("resume.every-id-repeats-nothing", "34", passive=True)
async def every_id_repeats_nothing(play: Play) -> None:
    """If a stream repeats an event, the client calls a callback twice for that event."""
    seen = await play.supply.ended()
    await _whole(play, seen.job, list(seen.ids), "", "34")


@case("resume.of-a-long-log", "33", "34", words=("job", "emit", "finish"))
async def of_a_long_log(play: Play) -> None:
    """A backend that reads its log in pages or only in part may skip events or miss recent ids."""
    job = await play.quiet_job()
    ids = [each for _ in range(4) for each in await play.emit(job, 150)]
    keep = play.control.said.keep if play.control is not None else None
    last = (await play.make("finish", job=job)).get("id")
    ids += [last] if isinstance(last, str) else []
    kept = ids if keep is None else ids[-keep:]
    for place in {0, len(kept) // 2, len(kept) - 2}:
        follower = await play.follow(job, kept[place])
        await follower.until_terminal(play.bounds.event)
        await follower.until_end(play.bounds.end)
        check_slice(play, follower, kept, place, "33", "34")


@case("resume.while-it-runs", "33", "34", words=("job", "emit"))
async def while_it_runs(play: Play) -> None:
    """When the stream of a running job is resumed, the missed events come before the new ones."""
    job, ids = await play.running_job(5)
    followers = [await play.follow(job, cursor) for cursor in ids]
    later = await play.emit(job, 2)
    for place, each in enumerate(followers):
        if not await each.until_ids(later, play.bounds.event):
            play.stop("33", f"the new events {later}", play.got(each))
        check_slice(play, each, [*ids, *later], place, "33", "34")


@case("resume.after-a-drop", "33", "34", words=("job", "emit", "drop"))
async def after_a_drop(play: Play) -> None:
    """The usual resume: the stream breaks, the job continues, and the client reconnects."""
    job, ids = await play.running_job()
    for how in ("fin", "rst"):
        follower = await play.follow(job)
        await follower.until_ids(ids[-1:], play.bounds.event)
        await play.make("drop", job=job, how=how)
        if not await follower.until_end(play.bounds.end):
            raise NotReached(f"the stream was still open after the command `drop` ({how})")
        ids += await play.emit(job, 2)
        again = await play.follow(job, ids[-3])
        if not await again.until_ids(ids[-2:], play.bounds.event):
            play.stop("33", f"the events emitted between the streams: {ids[-2:]}", play.got(again))
        check_slice(play, again, ids, len(ids) - 3, "33", "34")


@case("resume.when-a-follower-has-left", "3", words=("job", "emit", "finish"))
async def when_a_follower_has_left(play: Play) -> None:
    """When a client disconnects, its job must continue and the log must remain available."""
    job, ids = await play.running_job()
    for reset in (False, True):
        follower = await play.follow(job)
        await follower.until_ids(ids[-1:], play.bounds.event)
        await follower.leave(reset=reset)
        ids += await play.emit(job, 2)
        again = await play.follow(job)
        if not again.is_stream or not await again.until_ids(ids, play.bounds.event):
            how = "reset its connection" if reset else "closed its connection"
            play.stop("3", f"the whole log, even after a follower {how}", play.got(again))
        await again.leave()
    await play.make("finish", job=job)
    status = await play.status_within(job, ("completed",), play.bounds.agrees)
    if status != "completed":
        play.stop("3", "the job to complete", f"status {status}")


@case("resume.at-the-end", "42", passive=True)
async def at_the_end(play: Play) -> None:
    """A client that resumes after the last event must learn that there are no more events."""
    seen = await play.supply.ended()
    await _at_the_end(play, seen.job, seen.ids[-1])


@case("resume.at-the-end-of-a-failed-job", "42", words=("job", "emit", "fail"))
async def at_the_end_of_a_failed_job(play: Play) -> None:
    """When a client resumes after a failed job's last event, it must learn that no more follow."""
    job, _ = await play.running_job()
    last = (await play.make("fail", job=job)).get("id")
    if not isinstance(last, str):
        raise NotReached("the terminal event has no id to resume from", "ARK-SRV-26")
    await _at_the_end(play, job, last)


async def _at_the_end(play: Play, job: str, cursor: str) -> None:
    follower = await play.follow(job, cursor)
    if follower.status in {_NO_CONTENT, _GONE}:
        return
    await follower.until(
        lambda each: each.terminal is not None or each.ended_at is not None, play.bounds.end
    )
    if follower.terminal is not None:
        return
    expected = "a terminal frame, 204, 410, or at least the end of the response"
    if not follower.ended or not follower.is_stream:
        play.stop("42", f"{expected} within {play.bounds.end:g} s", play.got(follower))


@case("resume.at-the-end-without-a-word", "60", passive=True)
async def at_the_end_without_a_word(play: Play) -> None:
    """Clients treat an empty 200 as a failure; with an unlimited budget they reconnect for ever."""
    seen = await play.supply.ended()
    follower = await play.follow(seen.job, seen.ids[-1])
    if follower.status in {_NO_CONTENT, _GONE}:
        return
    if not await follower.until_end(play.bounds.end):
        raise NotReached("the response did not end in time", "ARK-SRV-42")
    if follower.is_stream and follower.terminal is None:
        play.stop("60", "a terminal frame, a 204 or a 410", "a 200 that ends without a frame")


async def _signals(play: Play, rule: str, follower: Follower, old: Sequence[str]) -> None:
    """Check that the backend refuses a cursor that it cannot honour, or signals the gap.

    A frame of an unknown type before any event of the log counts as a signal.
    """
    if _REFUSED <= follower.status < _BROKEN and follower.status not in _LOADED:
        return
    signal = "410, another 4xx, or a first frame that signals the gap"
    if not follower.is_stream:
        play.stop(rule, signal, play.got(follower))
    await follower.until(
        lambda each: bool(each.frames) or each.terminal is not None, min(2.0, play.bounds.event)
    )
    first = next((block for block in follower.blocks if block.data is not None), None)
    if first is not None and first.type not in KNOWN and first.event not in {"ping", "end"}:
        return
    silently = (
        "sends only the newest events or nothing at all"
        if first is None or first.id not in old
        else "starts with the oldest event that is kept"
    )
    play.stop(rule, signal, f"a stream that silently {silently}")


@case("resume.unknown-cursor", "39", passive=True)
async def unknown_cursor(play: Play) -> None:
    """If the backend silently accepts an unknown cursor, the client cannot know what it missed."""
    seen = await play.supply.ended()
    cursor = f"arkor-conformance-{play.random.getrandbits(64):016x}"
    follower = await play.follow(seen.job, cursor)
    await _signals(play, "39", follower, seen.ids)


@case("resume.unknown-cursor-of-a-running-job", "39", words=("job", "emit"))
async def unknown_cursor_of_a_running_job(play: Play) -> None:
    """Even while a job runs, the backend must not silently accept an unknown cursor."""
    job, ids = await play.running_job()
    follower = await play.follow(job, f"arkor-conformance-{play.random.getrandbits(64):016x}")
    if follower.is_stream:
        await play.emit(job, 1)
    await _signals(play, "39", follower, ids)


@case("resume.cursor-of-another-job", "41", words=("job", "emit"))
async def cursor_of_another_job(play: Play) -> None:
    """A cursor belongs to one job, and must not give access to another job's log."""
    other, theirs = await play.running_job(9)
    job, ids = await play.running_job(3)
    cursor = next((each for each in theirs if each not in ids), None)
    if cursor is None:
        raise NotReached("the jobs use the same event ids, so a cursor does not identify its job")
    follower = await play.follow(job, cursor)
    if follower.is_stream:
        await play.emit(job, 1)
        await follower.until(lambda each: bool(each.frames), min(2.0, play.bounds.event))
        leaked = [each for each in follower.ids if each in theirs and each not in ids]
        if leaked:
            play.stop("41", f"no event of job {other}", f"its event {leaked[0]!r}")
    await _signals(play, "41", follower, ids)


@case("resume.forgotten-cursor", "40", words=("job", "emit", "forget"))
async def forgotten_cursor(play: Play) -> None:
    """A stream that silently starts at the oldest kept event hides the gap before it."""
    job, ids = await play.running_job(8)
    await play.make("forget", job=job, keep=2)
    follower = await play.follow(job, ids[0])
    await _signals(play, "40", follower, ids)


@case("resume.kept-cursor-after-forgetting", "33", "34", words=("job", "emit", "forget"))
async def kept_cursor_after_forgetting(play: Play) -> None:
    """When old events are dropped, a client must still be able to resume from a kept event."""
    job, ids = await play.running_job(8)
    await play.make("forget", job=job, keep=4)
    follower = await play.follow(job, ids[-3])
    if not await follower.until_ids(ids[-2:], play.bounds.event):
        play.stop("33", f"the events {ids[-2:]}", play.got(follower))
    check_slice(play, follower, ids, len(ids) - 3, "33", "34")


@case("resume.without-a-cursor-after-forgetting", "38", words=("job", "emit", "forget"))
async def without_a_cursor_after_forgetting(play: Play) -> None:
    """Without a cursor, a stream starts at the first event; silently starting later hides a gap."""
    job, ids = await play.running_job(8)
    await play.make("forget", job=job, keep=2)
    follower = await play.follow(job)
    await _signals(play, "38", follower, ids)


@case("resume.leaves-no-trace", "3", passive=True, uncontrolled=True)
async def leaves_no_trace(play: Play) -> None:
    """Followers that connect and disconnect must not stop the job."""
    seen = await play.seen()
    if not seen.spots:
        raise NotReached("no follower disconnected while the job was running")
    stream = seen.streams[-1]
    if seen.terminal is None and seen.status not in OVER and stream.ended not in {"", LEFT}:
        play.stop("3", "the job to continue to its end", play.got(stream))
    if seen.terminal is None:
        raise NotReached(NOT_ENDED)
