"""Stream cases: how streams begin, what they carry, and whether events are held back."""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Final

from conformance.backends.account import NotReached
from conformance.backends.blocks import Block
from conformance.backends.declare import case
from conformance.backends.follower import Follower
from conformance.backends.play import Play
from conformance.backends.supply import Seen
from conformance.backends.wire import now

_LONGEST_ID: Final = 1024
_RETRY: Final = re.compile("[0-9]+")
_LEAST_RETRY: Final = 100
_MOST_RETRY: Final = 60_000
_TINY_GAP: Final = 0.005
_MANY: Final = 10


async def _streams(play: Play) -> Seen:
    """Return the followed job; raise NotReached if its first stream request got no response."""
    seen = await play.seen()
    if not seen.first.status:
        raise NotReached("the stream request got no response", "ARK-SRV-20")
    return seen


async def _read(play: Play) -> tuple[Follower, Follower]:
    seen = await _streams(play)
    play.streams(seen.first)
    return seen.first, seen.second


@case("stream.head-of-a-quiet-job", "20", words=("job",))
async def head_of_a_quiet_job(play: Play) -> None:
    """Without a response head, a client cannot tell a quiet stream from a dead one."""
    job = await play.quiet_job()
    follower = await play.follow(job, head=play.bounds.head)
    if follower.head_at is None or not follower.status:
        within = f"the head of the response within {play.bounds.head:g} s"
        play.stop("20", within, "no head while the job has no events")


@case("stream.first-head", "20", passive=True)
async def first_head(play: Play) -> None:
    """Clients open the stream right after creating the job, when there is nothing to send yet."""
    seen = await play.seen()
    first = seen.first
    waited = (first.head_at or now()) - first.asked_at
    if not first.status or waited > play.bounds.head:
        play.stop(
            "20",
            f"the head of the response within {play.bounds.head:g} s",
            f"no head in {waited:.1f} s" if not first.status else f"the head after {waited:.1f} s",
        )


@case("stream.first-bytes", "21", passive=True)
async def first_bytes(play: Play) -> None:
    """Some proxies hold the head back until the first byte of the body; a comment releases it."""
    first, _ = await _read(play)
    waited = (first.first_at or first.ended_at or now()) - (first.head_at or 0.0)
    if first.first_at is None or waited > play.bounds.first:
        play.stop(
            "21",
            f"a comment or a frame within {play.bounds.first:g} s after the head",
            f"nothing for {waited:.1f} s",
            play.at(first),
        )


@case("stream.first-bytes-of-a-quiet-job", "21", words=("job",))
async def first_bytes_of_a_quiet_job(play: Play) -> None:
    """Some proxies hold back the head until the body begins, so a quiet job needs a comment."""
    job = await play.quiet_job()
    follower = await play.follow(job)
    play.streams(follower)
    if not await follower.until(lambda each: each.first_at is not None, play.bounds.first):
        play.stop(
            "21", f"a comment or a frame within {play.bounds.first:g} s after the head", "nothing"
        )


@case("stream.status-and-type", "17", passive=True)
async def status_and_type(play: Play) -> None:
    """With another status or media type, a client reports an error or parses garbage as events."""
    seen = await _streams(play)
    for each in (seen.first, seen.second):
        if not each.is_stream:
            kind = each.header("content-type") or "no media type"
            actual = f"{each.status} and {kind}"
            play.stop("17", "200 and text/event-stream", actual, play.at(each))


@case("stream.status-of-a-resume", "17", words=("job", "emit"))
async def status_of_a_resume(play: Play) -> None:
    """The response to a resume must be an event stream, like the first response."""
    job, ids = await play.running_job()
    follower = await play.follow(job, ids[0])
    if not follower.is_stream:
        kind = follower.header("content-type") or "no media type"
        play.stop("17", "200 and text/event-stream", f"{follower.status} and {kind}")


@case("stream.parses", "18", passive=True)
async def parses(play: Play) -> None:
    """Parsers silently replace bytes that are not valid UTF-8 and drop an incomplete block."""
    for each in await _read(play):
        if each.invalid_utf8:
            play.stop("18", "UTF-8", each.invalid_utf8, play.at(each))
        last = each.blocks[-1] if each.blocks else None
        if last is not None and not last.is_whole and each.ended_whole and last.data is not None:
            actual = f"a stream that ends in the middle of a block: {last.raw[-80:]!r}"
            play.stop("18", "a blank line after every block", actual, play.at(each))


@case("stream.identity", "19", passive=True)
async def identity(play: Play) -> None:
    """A compressor buffers kilobytes before it sends anything, so events arrive late."""
    for each in await _read(play):
        coding = each.header("content-encoding").strip().lower()
        if coding not in {"", "identity"}:
            expected = "no content coding, because the request has `Accept-Encoding: identity`"
            play.stop("19", expected, coding, play.at(each))


@case("stream.not-cached", "24", passive=True)
async def not_cached(play: Play) -> None:
    """A cache could answer one client with the stream of another."""
    first, _ = await _read(play)
    said = first.header("cache-control").lower()
    if not {"no-store", "no-cache"} & {each.strip() for each in said.split(",")}:
        actual = said or "no Cache-Control"
        play.stop("24", "Cache-Control: no-store", actual, play.at(first))


@case("stream.one-at-a-time", "22", words=("job", "emit"))
async def one_at_a_time(play: Play) -> None:
    """A buffering proxy releases an event only when the next one pushes it out.

    Each event is emitted only after the previous one has arrived, and every event is small.
    """
    job = await play.quiet_job()
    follower = await play.follow(job)
    for number in range(_MANY):
        ids = await play.emit(job, 1)
        if not await follower.until_ids(ids, play.bounds.event):
            within = (
                f"event {number + 1} within {play.bounds.event:g} s, before the next one is emitted"
            )
            play.stop("22", within, play.got(follower))


@case("stream.terminal-frame-at-once", "22", words=("job", "emit", "finish"))
async def terminal_frame_at_once(play: Play) -> None:
    """No event follows the terminal event to push it out of a buffer."""
    job, ids = await play.running_job(1)
    follower = await play.follow(job)
    await follower.until_ids(ids, play.bounds.event)
    await play.make("finish", job=job)
    if not await follower.until_terminal(play.bounds.event):
        within = f"the terminal event within {play.bounds.event:g} s"
        play.stop("22", within, play.got(follower))


@case("stream.keeps-up-with-the-job-route", "22", passive=True)
async def keeps_up_with_the_job_route(play: Play) -> None:
    """When the job route lists an event, the stream should deliver it at about the same time."""
    seen = await _streams(play)
    play.streams(seen.first)
    blocks = list(seen.frames)
    compared = 0
    for look in seen.looks:
        events = (look.answer.table or {}).get("events")
        if isinstance(events, str) or not isinstance(events, Sequence):
            continue
        compared += 1
        arrived = look.arrived
        if seen.by_itself:  # else the kit waited for the events before it asked the job route
            late = look.at + play.bounds.event
            arrived = sum(block.at <= late for block in blocks)
        if arrived < len(events):
            expected = "every event that the job route lists"
            play.stop(
                "22", f"{expected}, within {play.bounds.event:g} s", f"{arrived} of {len(events)}"
            )
    gaps = [after.at - before.at for before, after in pairwise(blocks)]
    if seen.by_itself and len(gaps) >= _MANY and max(gaps) < _TINY_GAP:
        play.notes.append(
            "all events of the followed job arrived with only milliseconds between them; if the "
            "job emitted them more slowly, something between the backend and the kit buffers the "
            "stream: try with and without the proxy"
        )
    if not compared:
        raise NotReached("the job route lists no events to compare with the stream")


@case("stream.keep-alive", "23", slow=True)
async def keep_alive(play: Play) -> None:
    """Proxies cut connections that stay silent, often after 60 s."""
    follower = await _idle(play)
    play.streams(follower)
    allowed = play.bounds.silence
    limit = allowed + _slack(allowed)
    watched = now()
    while follower.ended_at is None:
        since = follower.last_at or watched
        if now() >= since + limit:
            play.stop("23", _often(allowed), f"silence for {now() - since:.1f} s")
        if now() - watched > limit:
            break
        await follower.until(_heard_after(since), since + limit - now())
    if follower.silence > limit:
        play.stop("23", _often(allowed), f"silence for {follower.silence:.1f} s")
    play.note(f"the longest silence in {now() - watched:.0f} s was {follower.silence:.1f} s")
    if follower.ended_at is not None and follower.ended_at - watched < allowed:
        lasted = max(0.0, follower.ended_at - watched)
        raise NotReached(f"the stream ended after {lasted:.0f} s, too early to judge")


def _heard_after(moment: float) -> Callable[[Follower], bool]:
    return lambda follower: follower.last_at != moment


async def _idle(play: Play) -> Follower:
    if play.controls("job", "emit"):  # some backends send no response head before the first event
        return await play.follow((await play.running_job(1))[0])
    if play.controls("job"):
        return await play.follow(await play.quiet_job())
    if play.supply.followed:
        return await play.follow(play.supply.followed)
    seen = await play.seen()
    allowed = play.bounds.silence
    if seen.first.silence > allowed + _slack(allowed):
        play.stop("23", _often(allowed), f"silence for {seen.first.silence:.1f} s")
    if (seen.first.ended_at or now()) - seen.first.asked_at < allowed:
        raise NotReached("the followed job did not run long enough for a silence beyond the limit")
    return seen.first


def _often(allowed: float) -> str:
    return f"a comment or a frame at least every {allowed:g} s"


def _slack(allowed: float) -> float:
    """Return the tolerance of a measurement of `allowed` seconds, in seconds."""
    return min(2.0, allowed * 0.25)


@case("stream.json-objects", "25", passive=True)
async def json_objects(play: Play) -> None:
    """Clients silently skip a frame whose data is not a JSON object."""
    for each, place, block in await _blocks(play):
        if block.data is not None and block.problem:
            actual = f"block {place}, whose data {block.problem}"
            play.stop("25", "one JSON object in each frame", actual, play.at(each, place))


@case("stream.every-event-has-an-id", "26", passive=True)
async def every_event_has_an_id(play: Play) -> None:
    """If a stream breaks after an event without an id, it cannot be resumed from there."""
    for each, place, block in await _blocks(play):
        if block.is_durable and block.id is None:
            expected = f"an id for {block.type or block.event or 'each event'}"
            play.stop("26", expected, f"none in block {place}", play.at(each, place))


@case("stream.ids-fit-a-header", "27", passive=True)
async def ids_fit_a_header(play: Play) -> None:
    """The client sends the id back in a header, so a header must be able to carry it."""
    for each, place, block in await _blocks(play):
        raw = _raw_id(block)
        if raw is not None and (problem := _unfit(raw)):
            expected = "an id of 1 to 1,024 bytes that is valid in a header"
            actual = f"in block {place}, an id that {problem}"
            play.stop("27", expected, actual, play.at(each, place))


@case("stream.signals-have-no-id", "29", passive=True)
async def signals_have_no_id(play: Play) -> None:
    """An id in a ping would become the client's cursor, although no event in the log has it."""
    await _signals(play, *(await _read(play)))


@case("stream.keep-alives-have-no-id", "29", words=("job", "emit", "finish"))
async def keep_alives_have_no_id(play: Play) -> None:
    """Keep-alives are sent while a job is silent; an id in a keep-alive would become the cursor."""
    job, ids = await play.running_job()
    follower = await play.follow(job)
    await follower.until_ids(ids, play.bounds.event)
    await play.make("finish", job=job)
    await follower.until_end(play.bounds.end)
    await _signals(play, follower)


async def _signals(play: Play, *followers: Follower) -> None:
    for each, place, block in _numbered(*followers):
        is_end = block.event == "end"
        if _raw_id(block) is not None and not block.is_durable and not is_end:
            what = block.event or "a block without data"
            actual = f"id {block.id!r} in block {place}"
            play.stop("29", f"no id for {what}", actual, play.at(each, place))
    if len(followers) > 1:
        ours, theirs = (set(each.ids) for each in followers[:2])
        whole = all(each.terminal is not None for each in followers[:2])
        if whole and (odd := sorted(ours ^ theirs)):
            play.stop(
                "29", "the same ids for both followers", f"the id {odd[0]!r} for only one of them"
            )


@case("stream.retry", "30", passive=True)
async def retry(play: Play) -> None:
    """Clients obey `retry`: a long delay keeps them waiting, and a short one floods the backend."""
    for each, place, block in await _blocks(play):
        value = block.retry
        if value is not None and not (
            _RETRY.fullmatch(value) and _LEAST_RETRY <= int(value) <= _MOST_RETRY
        ):
            actual = f"retry: {value[:40]} in block {place}"
            play.stop(
                "30", "a `retry` of 100 to 60,000 ms, in digits only", actual, play.at(each, place)
            )


async def _blocks(play: Play) -> Iterator[tuple[Follower, int, Block]]:
    """Return the blocks of both followers, each with its follower and its number in the stream."""
    return _numbered(*(await _read(play)))


def _numbered(*followers: Follower) -> Iterator[tuple[Follower, int, Block]]:
    for each in followers:
        for place, block in enumerate(each.blocks, 1):
            yield each, place, block


def _raw_id(block: Block) -> bytes | None:
    found = re.findall(rb"(?:\A|[\r\n])id(?::[ ]?([^\r\n]*)|(?=[\r\n]))", block.raw)
    return found[-1] if found else None


def _unfit(raw: bytes) -> str:
    if not raw:
        return "is empty"
    if len(raw) > _LONGEST_ID:
        return f"has {len(raw)} bytes"
    if b"\0" in raw:
        return "has a NUL"
    if raw != raw.strip(b" \t"):
        return f"begins or ends with a space or a tab: {raw[:60]!r}"
    return ""
