"""Cancel cases: a cancel is accepted, carried out, reported to all followers, and idempotent."""

from contextlib import suppress

import anyio

from conformance.backends.account import NotReached
from conformance.backends.blocks import TERMINAL
from conformance.backends.declare import case
from conformance.backends.follower import Follower
from conformance.backends.ledger import OVER
from conformance.backends.play import Play
from conformance.backends.supply import Cancelled


async def _cancelled(play: Play) -> Cancelled:
    found = await play.supply.cancelled()
    play.adopt(found.trace)
    return found


async def _accepted(play: Play) -> Cancelled:
    found = await _cancelled(play)
    if not found.answer.ok:
        raise NotReached(f"the cancel was not accepted ({found.answer.told})", "ARK-SRV-47")
    return found


@case("cancel.accepted", "47")
async def accepted(play: Play) -> None:
    """Without a 2xx, cancel() raises, and the caller cannot know whether the job still runs."""
    found = await _cancelled(play)
    if not found.answer.ok:
        play.stop("47", "a 2xx", found.answer.told, found.answer.event)


@case("cancel.of-a-queued-job", "47", "48", words=("job",))
async def of_a_queued_job(play: Play) -> None:
    """A user may want to cancel a job that is still waiting for a machine."""
    job = await play.quiet_job()
    answer = await play.cancel(job)
    if not answer.ok:
        play.stop("47", "a 2xx", answer.told, answer.event)
    _is_over(play, await play.status_within(job, OVER, play.bounds.cancelled))


@case("cancel.ends-the-job", "48")
async def ends_the_job(play: Play) -> None:
    """A job that keeps running after it was cancelled costs money that its owner hoped to save."""
    found = await _accepted(play)
    _is_over(play, found.status)


def _is_over(play: Play, status: str) -> None:
    if status not in OVER:
        expected = f"the job to end within {play.bounds.cancelled:g} s"
        play.stop("48", expected, f"status {status}")


@case("cancel.takes-no-more-events", "48", words=("job", "emit"))
async def takes_no_more_events(play: Play) -> None:
    """A cancelled job must stop training."""
    job, _ = await play.running_job()
    answer = await play.cancel(job)
    if not answer.ok:
        raise NotReached(f"the cancel was not accepted ({answer.told})", "ARK-SRV-47")
    _is_over(play, await play.status_within(job, OVER, play.bounds.cancelled))


@case("cancel.told-to-every-follower", "49")
async def told_to_every_follower(play: Play) -> None:
    """A follower that receives no terminal frame keeps waiting for a job that has stopped."""
    found = await _accepted(play)
    if found.status not in OVER:
        raise NotReached(f"after the cancel, the job's status was {found.status}", "ARK-SRV-48")
    for each in found.followers:
        _is_told(play, each)


def _is_told(play: Play, follower: Follower) -> None:
    if follower.terminal is None:
        expected = "a terminal frame, such as `end`"
        play.stop("49", expected, play.got(follower), play.at(follower))
    if not follower.ended_whole:
        play.stop(
            "49", "the end of the response", follower.ended or "a response that is still open"
        )


@case("cancel.told-to-a-later-follower", "49", words=("job", "emit"))
async def told_to_a_later_follower(play: Play) -> None:
    """A follower that reconnects after the cancel must learn that the job has ended."""
    job, ids = await play.running_job()
    await play.cancel(job)
    status = await play.status_within(job, OVER, play.bounds.cancelled)
    if status not in OVER:
        raise NotReached(f"after the cancel, the job's status was {status}", "ARK-SRV-48")
    for cursor in (None, ids[-1]):
        follower = await play.follow(job, cursor)
        if cursor is not None and follower.status in {204, 410}:  # nothing more will be sent
            continue
        await follower.until_terminal(play.bounds.event)
        await follower.until_end(play.bounds.end)
        _is_told(play, follower)


@case("cancel.again", "50")
async def again(play: Play) -> None:
    """cancel() may be called twice; the second call must change nothing."""
    found = await _accepted(play)
    if found.status not in OVER:
        raise NotReached(f"after the cancel, the job's status was {found.status}", "ARK-SRV-48")
    if found.after != found.status:
        play.stop(
            "50", f"the job to stay {found.status}", f"status {found.after}", found.again.event
        )


@case("cancel.of-a-completed-job", "50", words=("job", "emit", "finish"))
async def of_a_completed_job(play: Play) -> None:
    """A completed job must stay completed, whatever response the cancel gets."""
    await _keeps(play, "finish", "completed")


@case("cancel.of-a-failed-job", "50", words=("job", "emit", "fail"))
async def of_a_failed_job(play: Play) -> None:
    """A failed job must stay failed, whatever response the cancel gets."""
    await _keeps(play, "fail", "failed")


async def _keeps(play: Play, word: str, status: str) -> None:
    job, _ = await play.running_job()
    await play.make(word, job=job)
    before = await play.status_within(job, OVER, play.bounds.agrees)
    if before != status:
        raise NotReached(f"before the cancel, the job's status was {before}", "ARK-SRV-46")
    first = await play.follow(job)
    await first.until_terminal(play.bounds.event)
    answer = await play.cancel(job)
    after = (await play.look(job)).job_status
    if after != status:
        play.stop("50", f"the job to stay {status}", f"status {after}", answer.event)
    second = await play.follow(job)
    await second.until_terminal(play.bounds.event)
    if _outcome(first) != _outcome(second):
        play.stop("50", f"the log to end as before, with {_outcome(first)}", _outcome(second))


@case("cancel.against-completion", "51", words=("job", "emit", "finish"))
async def against_completion(play: Play) -> None:
    """If a job is cancelled just as it completes, every follower must see the same outcome."""
    for turn in range(play.amounts.races):
        job, _ = await play.running_job(1)
        followers = [await play.follow(job) for _ in range(2)]
        delay = play.random.random() * 0.002

        await _race(play, job, delay)
        status = await play.status_within(job, OVER, play.bounds.cancelled)
        if status not in OVER:
            play.stop("51", "the job to end", f"status {status} (try {turn + 1})")
        for each in followers:
            await each.until_terminal(play.bounds.event)
            await each.until_end(play.bounds.end)
        outcomes = {_outcome(each) for each in followers}
        if len(outcomes) > 1:
            play.stop("51", "the same outcome for every follower", " and ".join(sorted(outcomes)))
        told = outcomes.pop()
        if (status == "completed") != (told == "training.completed"):
            play.stop("51", f"a status that agrees with the stream ({told})", f"status {status}")


async def _race(play: Play, job: str, delay: float) -> None:
    """Cancel a job and, at almost the same time (`delay` seconds later), make it complete."""

    async def finish() -> None:
        await anyio.sleep(delay)
        with suppress(NotReached):  # the cancel won, so the control program refuses
            await play.make("finish", job=job)

    async def cancel() -> None:
        await play.cancel(job)

    await play.at_once(finish, cancel)


def _outcome(follower: Follower) -> str:
    """Return the names of the terminal frames that a follower received, or `nothing`."""
    kinds = [block.type or "" for block in follower.blocks if block.type in TERMINAL]
    ends = ["end" for block in follower.blocks if block.event == "end"]
    return ", ".join(kinds or ends[:1]) or "nothing"
