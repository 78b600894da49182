"""Resume cases: a restart of the backend must not lose events or reuse ids."""

from conformance.backends.account import NotReached
from conformance.backends.cases.resume import check_slice
from conformance.backends.declare import case
from conformance.backends.follower import Follower
from conformance.backends.play import Play


async def _restarted(play: Play) -> tuple[str, list[str], Follower]:
    job = await play.quiet_job()
    live = await play.follow(job)
    ids = await play.emit(job, 5)
    await live.until_ids(ids, play.bounds.event)
    await play.rotate()
    if not await live.until_end(play.bounds.end):
        raise NotReached("the restart did not end the open stream")
    return job, ids, live


@case("resume.over-a-restart", "43", words=("job", "emit", "rotate"), alone=True)
async def over_a_restart(play: Play) -> None:
    """Deployments, which restart the backend, are the most common reason for a resume."""
    job, ids, live = await _restarted(play)
    for place in range(len(ids)):
        follower = await play.follow(job, ids[place])
        if not follower.is_stream:
            play.stop("43", f"the log after {ids[place]!r}", play.got(follower))
        rest = ids[place + 1 :]
        if not await follower.until_ids(rest, play.bounds.event):
            play.stop("43", f"the events {rest}", play.got(follower))
        check_slice(play, follower, ids, place, "43", "43")
        play.compare(live, follower, "43")


@case("resume.ids-after-a-restart", "28", words=("job", "emit", "rotate"), alone=True)
async def ids_after_a_restart(play: Play) -> None:
    """If ids start from 1 again, a client misses new events or gets old ones twice."""
    job, ids, _ = await _restarted(play)
    later = await play.emit(job, 5)
    clash = [each for each in later if each in ids]
    if clash:
        play.stop(
            "28", "new ids for new events", f"{clash[0]!r}, which was used before the restart"
        )


@case("resume.live-after-a-restart", "43", words=("job", "emit", "rotate"), alone=True)
async def live_after_a_restart(play: Play) -> None:
    """A client that reconnects after the restart must get the new events."""
    job, ids, _ = await _restarted(play)
    follower = await play.follow(job, ids[-2])
    later = await play.emit(job, 3)
    if not await follower.until_ids(later, play.bounds.event):
        play.stop("43", f"the new events {later}", play.got(follower))
    check_slice(play, follower, [*ids, *later], len(ids) - 2, "43", "43")
