"""Limit cases: slow readers, dropped connections, and rarely used parts of HTTP."""

from contextlib import suppress
from typing import Final, NoReturn
from urllib.parse import quote

import anyio

from conformance.backends.account import NotReached
from conformance.backends.declare import case
from conformance.backends.exchanges import NOTHING_MADE, Limited
from conformance.backends.play import Play
from conformance.backends.wire import NOT_HALF_CLOSED, Unreachable

_SMALL: Final = 4096
_BIG: Final = 64 << 10
_ENOUGH: Final = 8 << 20
_ROUNDS: Final = 3
_LOADED: Final = (429, 503)
_TOO_MANY: Final = 429
_NO_JOB: Final = "arkor-conformance-no-such-job"


async def _beside_a_slow_reader(play: Play, job: str) -> str:
    """Follow a job without reading, emit megabytes of events, and return the last event's id."""
    await play.follow(job, receive_buffer=_SMALL, read=False)
    ids: list[str] = []
    for _ in range(_ENOUGH // (_BIG * 8)):
        ids = await play.emit(job, 8, _BIG)
    if not ids:
        raise NotReached("the events have no ids", "ARK-SRV-26")
    return ids[-1]


@case("limits.slow-reader-and-another-follower", "52", words=("job", "emit"))
async def slow_reader_and_another_follower(play: Play) -> None:
    """A sleeping laptop must not hold up the streams of other followers."""
    job = await play.quiet_job()
    other = await play.follow(job, await _beside_a_slow_reader(play, job))
    for _ in range(_ROUNDS):
        ids = await play.emit(job, 1)
        if not await other.until_ids(ids, play.bounds.event):
            within = (
                f"an event within {play.bounds.event:g} s, even if another follower is not reading"
            )
            play.stop("52", within, play.got(other))


@case("limits.slow-reader-and-other-routes", "52", words=("job", "emit"))
async def slow_reader_and_other_routes(play: Play) -> None:
    """A backend that sends without ever yielding can freeze while one client reads slowly."""
    job = await play.quiet_job()
    await _beside_a_slow_reader(play, job)
    other = await play.quiet_job()
    answer = await play.look(other)
    if not answer.status:
        within = (
            f"a response within {play.bounds.answer:g} s, even if another follower is not reading"
        )
        play.stop("52", within, answer.told)


@case("limits.dropped-streams", "53", slow=True)
async def dropped_streams(play: Play) -> None:
    """If the backend does not notice dropped streams, it never frees their slots."""
    job, _ = await play.job_with_events()
    play.quiet, number = True, 0
    try:
        for number in range(play.amounts.drops):
            follower = await play.follow(job)
            if not follower.is_stream:
                _is_full(play, number, play.got(follower))
            await follower.leave(reset=number % 2 == 0)
    except Limited as error:
        if error.status == _TOO_MANY:  # a rate limit, which does not show whether slots leak
            raise
        _is_full(play, number, f"{error.status}")
    except Unreachable as error:
        _is_full(play, number, str(error))
    finally:
        play.quiet = False
    follower = await play.follow(job)
    if not await follower.until(lambda each: bool(each.frames), play.bounds.event):
        play.stop("53", "the next stream request to succeed", play.got(follower))


def _is_full(play: Play, number: int, got: str) -> NoReturn:
    play.stop("53", "the next stream request to succeed", f"{got} after {number} dropped streams")


@case("limits.refusal-says-when", "54", alone=True)
async def refusal_says_when(play: Play) -> None:
    """A client refused because of load may retry too soon unless it is told when to retry."""
    with suppress(NotReached):  # the limit may have refused this very request
        await play.supply.seen()
    limits = [each for each in play.supply.limits if each.status in _LOADED]
    if not limits:
        raise NotReached("no request was refused because of load")
    for answer in limits:
        if not answer.header("retry-after"):
            play.stop(
                "54",
                "Retry-After",
                f"no Retry-After in a {answer.status} from the {answer.route} route",
            )


@case("limits.absolute-form", "55")
async def absolute_form(play: Play) -> None:
    """A server must accept a full URL as the request target (RFC 9112 §3.2.2)."""
    usual = await play.look(_NO_JOB)
    scheme = play.target.scheme
    whole = f"{scheme}://{play.target.authority}{play.target.job(_NO_JOB)}"
    answer = await play.ask("job", whole)
    seen = None
    if play.controls("job"):
        job = await play.quiet_job()
        usual = await play.look(job)
        answer = await play.ask("job", f"{scheme}://{play.target.authority}{play.target.job(job)}")
        seen = job
    if answer.status != usual.status or (seen and answer.job_id != seen):
        play.stop(
            "55",
            f"{usual.status}, the same as for the path without scheme and host",
            answer.told,
            answer.event,
        )


@case("limits.expect-continue", "56")
async def expect_continue(play: Play) -> None:
    """A client that sends `Expect: 100-continue` waits for a response before it sends its body."""
    if play.supply.followed:
        raise NotReached(NOTHING_MADE)
    path = play.target.jobs()
    wire = await play.connect()
    body = b"[]"
    headers = [
        *play.headers(),
        ("Expect", "100-continue"),
        ("Content-Type", "application/json"),
        ("Content-Length", str(len(body))),
    ]
    number = play.sent("create", "POST", path, headers, b"")
    await wire.send_head("POST", path, headers)
    with anyio.move_on_after(play.bounds.answer):
        await wire.head(interim=True)
    reached = bool(wire.interim) or bool(wire.status)
    await wire.close()
    await play.rest(wire, "create", number)
    if not reached:
        play.stop("56", "100, or a final status, before the body is sent", "neither")


@case("limits.head-of-the-stream", "57")
async def head_of_the_stream(play: Play) -> None:
    """If a HEAD request runs the stream's handler, it may occupy its connection for ever."""
    job = await play.any_job()
    wire = await play.connect()
    answer = await play.ask("stream", play.target.job(job, "/events/stream"), "HEAD", on=wire)
    if not answer.status:
        play.stop("57", "an immediate response: 200, or 405 with Allow", answer.told)
    if answer.status == 405 and not answer.header("allow"):  # noqa: PLR2004 - HTTP
        play.stop("57", "405 with Allow", "405 without Allow", answer.event)
    if answer.status not in {200, 405}:
        play.stop("57", "200, or 405 with Allow", answer.told, answer.event)
    if wire.again():
        second = await play.ask("job", play.target.job(job), on=wire)
        if not second.status:
            play.stop("57", "a response to the next request on the connection", second.told)
    await wire.close()


@case("limits.encoded-letter", "58")
async def encoded_letter(play: Play) -> None:
    """`%6A` and `j` are the same letter (RFC 3986 §6.2.2.2)."""
    job = await play.any_job()
    usual = await play.look(job)
    letter = next((each for each in job if each.isascii() and each.isalnum()), None)
    if letter is None or not usual.ok:
        raise NotReached("the job cannot be read, or its id has no letter or digit to encode")
    encoded = quote(job, safe="").replace(letter, f"%{ord(letter):02X}", 1)
    path = play.target.jobs(f"/{encoded}")
    answer = await play.ask("job", path)
    if answer.status != usual.status:
        play.stop(
            "58", f"{usual.status}, the same as for the unencoded id", answer.told, answer.event
        )


@case("limits.encoded-slash", "58")
async def encoded_slash(play: Play) -> None:
    """`%2F` is a character within a path segment and does not separate segments."""
    job = await play.any_job()
    path = play.target.jobs(f"/{quote(job, safe='')}%2Fcancel")
    answer = await play.ask("cancel", path, "POST")
    if answer.ok:
        play.stop(
            "58",
            "404, because no job has this id",
            f"{answer.told}, and a cancelled job",
            answer.event,
        )


@case("limits.half-close", "59")
async def half_close(play: Play) -> None:
    """A client may close the sending side of its connection after it has sent its request."""
    wire = await play.connect()
    path = play.target.job(_NO_JOB)
    headers = play.headers()
    number = play.sent("job", "GET", path, headers, b"")
    with anyio.move_on_after(play.bounds.answer):
        wire.cork()
        await wire.send("GET", path, headers)
        await wire.half_close()
        await wire.head()
    answer = await play.rest(wire, "job", number)
    await wire.close()
    if wire.problem == NOT_HALF_CLOSED:
        raise NotReached("the kit cannot close only the sending side of a TLS connection")
    if not answer.status:
        play.stop("59", "a response", answer.told, answer.event)
