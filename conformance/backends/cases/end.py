"""Cases about the end of a job: one terminal event for every follower, then the response ends."""

from typing import Final

from conformance.backends.account import NotReached
from conformance.backends.blocks import TERMINAL
from conformance.backends.declare import case
from conformance.backends.follower import Follower
from conformance.backends.ledger import OVER
from conformance.backends.play import Play
from conformance.backends.supply import NOT_ENDED, Seen
from conformance.backends.wire import BY_CLOSE, COMPLETE

_STATUS: Final = {"training.completed": "completed", "training.failed": "failed"}


async def _ended(play: Play) -> Seen:
    seen = await play.seen()
    if not seen.over:
        raise NotReached(NOT_ENDED)
    play.streams(seen.first)
    return seen


def _kinds(*followers: Follower) -> list[str]:
    blocks = [block for each in followers for block in each.blocks]
    return [block.type for block in blocks if block.type in TERMINAL and block.type]


@case("end.one-terminal-event", "44", passive=True)
async def one_terminal_event(play: Play) -> None:
    """Without a terminal event, wait() never returns; two of them could contradict each other."""
    seen = await _ended(play)
    status = seen.status
    if status == "cancelled":
        raise NotReached("the followed job was cancelled")
    kinds = _kinds(*seen.streams)
    if len(kinds) != 1:
        play.stop(
            "44",
            "`training.completed` or `training.failed`, once",
            f"{', '.join(kinds) or 'neither'}, and status {status or 'unknown'} on the job route",
            play.at(seen.first),
        )


@case("end.completed", "44", words=("job", "emit", "finish"))
async def completed(play: Play) -> None:
    """The stream must report that the job completed, or its followers wait for ever."""
    await _ends_with(play, "finish", "training.completed")


@case("end.failed", "44", words=("job", "emit", "fail"))
async def failed(play: Play) -> None:
    """The stream must report that the job failed, or its followers wait for ever."""
    await _ends_with(play, "fail", "training.failed")


async def _ends_with(play: Play, word: str, kind: str) -> None:
    job, ids = await play.running_job()
    follower = await play.follow(job)
    await follower.until_ids(ids, play.bounds.event)
    await play.make(word, job=job)
    await follower.until_terminal(play.bounds.event)
    await follower.until_end(play.bounds.end)
    kinds = _kinds(follower)
    if kinds != [kind]:
        play.stop("44", f"`{kind}`, once", play.got(follower) if not kinds else ", ".join(kinds))


@case("end.terminal-event-of-an-unfollowed-job", "44", words=("job", "emit", "finish"))
async def terminal_event_of_an_unfollowed_job(play: Play) -> None:
    """The terminal event must be in the log, for followers that connect later."""
    job, _ = await play.ended_job()
    follower = await play.follow(job)
    await follower.until_terminal(play.bounds.event)
    await follower.until_end(play.bounds.end)
    if len(_kinds(follower)) != 1:
        play.stop("44", "the terminal event, once", play.got(follower))


@case("end.nothing-after-it", "45", passive=True)
async def nothing_after_it(play: Play) -> None:
    """A client stops reading at the terminal event, so it never sees later events."""
    seen = await _ended(play)
    for each in (*seen.streams, seen.second):
        _nothing_after(play, each)


def _nothing_after(play: Play, follower: Follower) -> None:
    place = next((n for n, block in enumerate(follower.blocks) if block.is_terminal), None)
    if place is None:
        return
    later = [block for block in follower.blocks[place + 1 :] if block.is_durable]
    if later:
        number = follower.blocks.index(later[0]) + 1
        actual = f"{later[0].type or later[0].event}"
        play.stop("45", "no event after the terminal event", actual, play.at(follower, number))


@case("end.response-ends", "45", passive=True)
async def response_ends(play: Play) -> None:
    """A response that stays open wastes a connection and blocks clients that wait for it to end."""
    seen = await _ended(play)
    for each in (*seen.streams, seen.second):
        _ends_in_time(play, each)


def _ends_in_time(play: Play, follower: Follower) -> None:
    terminal = follower.terminal
    if terminal is None:
        return
    took = (follower.ended_at or float("inf")) - terminal.at
    if follower.ended not in {COMPLETE, BY_CLOSE} and follower.ended.startswith("left"):
        play.stop(
            "45",
            f"the end of the response within {play.bounds.end:g} s",
            "a response that was still open",
            play.at(follower),
        )
    if took > play.bounds.end:
        play.stop(
            "45",
            f"the end of the response within {play.bounds.end:g} s",
            f"the end after {took:.1f} s",
            play.at(follower),
        )


@case("end.of-a-failed-job", "45", "46", words=("job", "emit", "fail"))
async def of_a_failed_job(play: Play) -> None:
    """After a job fails, its stream must end and the job route must report the failure."""
    job, _ = await play.running_job()
    follower = await play.follow(job)
    await play.make("fail", job=job, error="out of memory")
    if not await follower.until_terminal(play.bounds.event):
        raise NotReached(f"no terminal event arrived: {play.got(follower)}", "ARK-SRV-44")
    await follower.until_end(play.bounds.end)
    _ends_in_time(play, follower)
    _nothing_after(play, follower)
    status = await play.status_within(job, OVER, play.bounds.agrees)
    if status != "failed":
        play.stop("46", "status failed on the job route", f"status {status}")


@case("end.whole-body", "32", passive=True)
async def whole_body(play: Play) -> None:
    """A client treats a body without its last chunk as a broken connection, and so as a failure."""
    seen = await _ended(play)
    for each in (*seen.streams, seen.second):
        if each.terminal is not None and not each.ended_whole and not each.ended.startswith("left"):
            actual = f"{each.ended} {each.problem}".strip()
            play.stop("32", "a complete body", actual, play.at(each))


@case("end.job-route-agrees", "46", passive=True)
async def job_route_agrees(play: Play) -> None:
    """The stream and the job route must not report different outcomes."""
    seen = await _ended(play)
    kinds = _kinds(*seen.streams)
    if not kinds or seen.last is None:
        raise NotReached("no terminal event arrived", "ARK-SRV-44")
    status = str(seen.last.job.get("status", seen.last.told))
    if status != _STATUS[kinds[0]]:
        play.stop(
            "46",
            f"status {_STATUS[kinds[0]]} on the job route",
            f"status {status}",
            seen.last.event,
        )


@case("end.job-route-agrees-when-completed", "46", words=("job", "emit", "finish"))
async def job_route_agrees_when_completed(play: Play) -> None:
    """The job route must report the outcome of a job that no client follows."""
    job, _ = await play.ended_job()
    status = await play.status_within(job, OVER, play.bounds.agrees)
    if status != "completed":
        play.stop("46", "status completed on the job route", f"status {status}")
