"""Create cases: the response to an accepted create, idempotency keys, and invalid bodies."""

import json
from collections.abc import Sequence
from typing import Final

from conformance.backends.account import NotReached
from conformance.backends.answer import Answer
from conformance.backends.declare import case
from conformance.backends.ledger import OVER
from conformance.backends.play import Play
from conformance.backends.shared_jobs import create_or_fail, unknown_route
from conformance.backends.supply import Keyed, Seen
from conformance.backends.wire import BY_CLOSE, COMPLETE
from conformance.plain import shortened
from conformance.strict_data import Json

_CONFLICT: Final = 409


async def _created(play: Play) -> Answer:
    """Create a job and return the response; without a control program, reuse the followed job's."""
    if play.controls("job"):
        return await play.create()
    return (await _created_once(play))[0]


async def _created_once(play: Play) -> tuple[Answer, Seen]:
    """Return the followed job's create response, and everything observed about that job."""
    seen = await play.seen()
    if seen.created is None:
        raise NotReached("--follow creates nothing")
    return seen.created, seen


@case("create.accepted", "1")
async def accepted(play: Play) -> None:
    """A job costs money, and no client can reach it without the id from the response."""
    answer = await _created(play)
    if not answer.ok:
        raise NotReached(f"the create request failed ({answer.told})")
    if answer.ended not in {COMPLETE, BY_CLOSE}:
        play.stop("1", "a complete response", answer.told, answer.event)
    if not answer.job_id:
        expected = 'a 2xx with {"job": {"id": "…"}}'
        play.stop(
            "1",
            expected,
            f"{answer.told}: {shortened(answer.body.decode(errors='replace'), 200)!r}",
            answer.event,
        )


@case("create.known-at-once", "4")
async def known_at_once(play: Play) -> None:
    """A client opens the stream once it has the id; replicas may not know about the job yet."""
    if play.controls("job"):
        route = await unknown_route(play, (await create_or_fail(play)).job_id)
    else:
        _, seen = await _created_once(play)
        route = seen.unknown_to
    if route:
        within = f"within {play.bounds.known:g} s"
        play.stop("4", f"the {route} route to know about the new job {within}", "404")


@case("create.moves-unfollowed", "2", words=("job", "emit", "finish"))
async def moves_unfollowed(play: Play) -> None:
    """A job must run even if no client follows it: a client may call start() and never wait()."""
    job = await play.quiet_job()
    await play.emit(job, 3)
    running = await play.status_within(job, ("running", *OVER), play.bounds.agrees)
    if running not in {"running", *OVER}:
        play.stop("2", "a job that runs even if no client follows it", f"status {running}")
    await play.make("finish", job=job)
    status = await play.status_within(job, OVER, play.bounds.agrees)
    if status not in OVER:
        play.stop("2", "a job that ends even if no client follows it", f"status {status}")


async def _keyed(play: Play) -> tuple[Keyed, Sequence[str]]:
    """Return the creates with keys, and the job ids from the responses to the overlapping ones."""
    keyed = await play.supply.keyed()
    play.adopt(keyed.trace)
    ids = _ids(keyed.overlapping)
    if not ids:
        raise NotReached(f"no create with a key returned a job id: {keyed.overlapping[0].told}")
    return keyed, ids


@case("create.same-key-again", "6")
async def same_key_again(play: Play) -> None:
    """A client that got no response repeats the create, and every extra job costs money."""
    keyed, ids = await _keyed(play)
    if keyed.again.job_id != ids[0]:
        actual = f"job {keyed.again.job_id}" if keyed.again.job_id else keyed.again.told
        play.stop("6", f"job {ids[0]} for the repeated create", actual, keyed.again.event)


@case("create.same-key-overlapping", "6")
async def same_key_overlapping(play: Play) -> None:
    """A client whose connection broke may repeat the create while the first one is in progress."""
    keyed, ids = await _keyed(play)
    if len(set(ids)) > 1:
        play.stop(
            "6", "one job for three overlapping creates with the same key", f"jobs {', '.join(ids)}"
        )
    for answer in keyed.overlapping:
        if not answer.ok and answer.status != _CONFLICT:
            play.stop(
                "6", "the same job or a 409 in response to each create", answer.told, answer.event
            )


@case("create.same-key-raced", "6", words=("job",))
async def same_key_raced(play: Play) -> None:
    """Key lookup and job creation must be atomic, or concurrent creates make several jobs."""
    for turn in range(5):
        key = f"kit-race-{play.random.getrandbits(64):016x}"
        await play.ledger.spend()
        answers = await play.at_once(
            *(lambda key=key: play.create(key=key, expected=False) for _ in range(8))
        )
        ids = set(_ids(answers))
        if len(ids) > 1:
            play.stop(
                "6",
                "one job for eight concurrent creates with the same key",
                f"{len(ids)} jobs (try {turn + 1})",
            )


@case("create.same-key-other-body", "7")
async def same_key_other_body(play: Play) -> None:
    """Reusing a key with a different body is a client bug, so the client must get an error."""
    keyed, _ = await _keyed(play)
    if not keyed.other_body.refuses:
        play.stop("7", "a 4xx, such as 422", keyed.other_body.told, keyed.other_body.event)


@case("create.two-keys", "8")
async def two_keys(play: Play) -> None:
    """Two users may submit identical jobs: creates with different keys must make different jobs."""
    keyed, ids = await _keyed(play)
    if not keyed.other_key.ok:
        raise NotReached(
            f"the response to a create with a different key was {keyed.other_key.told}"
        )
    if keyed.other_key.job_id in ids:
        play.stop(
            "8", "a different job for a different key", f"job {ids[0]} again", keyed.other_key.event
        )


@case("create.no-key-twice", "8")
async def no_key_twice(play: Play) -> None:
    """Without a key, two identical creates must make two jobs."""
    if play.controls("job"):
        first = (await create_or_fail(play)).job_id
        second = (await create_or_fail(play)).job_id
    else:
        first = (await play.supply.seen()).job
        second = (await play.supply.cancelled()).job
    if first == second:
        play.stop("8", "two jobs for two creates without a key", f"job {first} twice")


async def _makes_nothing(play: Play, body: bytes, kind: str = "application/json") -> None:
    answer = await play.create(body=body, expected=False, kind=kind)
    if answer.job_id:
        play.stop("9", "a 4xx and no job", f"{answer.told}, job {answer.job_id}", answer.event)
    if not answer.refuses:
        play.stop("9", "a 4xx", answer.told, answer.event)


@case("create.not-json", "9")
async def not_json(play: Play) -> None:
    """A request body that was truncated in transit must not create a job."""
    await _makes_nothing(play, b'{"name": "arkor-conformance", "config": {')


@case("create.not-an-object", "9")
async def not_an_object(play: Play) -> None:
    """A JSON body that is not an object contains neither a name nor a config."""
    await _makes_nothing(play, b'["arkor-conformance"]')


@case("create.empty", "9")
async def empty(play: Play) -> None:
    """An empty body does not describe a job."""
    await _makes_nothing(play, b"")


@case("create.without-a-name", "9")
async def without_a_name(play: Play) -> None:
    """A job without a name should be refused immediately, while its author can still fix it."""
    body = {name: value for name, value in play.target.body.items() if name != "name"}
    await _makes_nothing(play, _dumped(body))


@case("create.without-a-config", "9")
async def without_a_config(play: Play) -> None:
    """Without a config, the backend does not know what to train."""
    body = {name: value for name, value in play.target.body.items() if name != "config"}
    await _makes_nothing(play, _dumped(body))


@case("create.errors-have-a-message", "10")
async def errors_have_a_message(play: Play) -> None:
    """The text of `error` is the only explanation that the client can show to its user."""
    missing = await play.look("arkor-conformance-no-such-job")
    bare = await play.ask("job", play.target.job("arkor-conformance-no-such-job"), token=None)
    for answer in (missing, bare):
        if answer.status < 400:  # noqa: PLR2004 - HTTP
            continue
        error = (answer.table or {}).get("error")
        if not isinstance(error, str):
            play.broke(
                "10",
                'a JSON object in which "error" is a string',
                f"{answer.told}: {answer.body[:120].decode(errors='replace')!r}",
                answer.event,
            )


def _ids(answers: Sequence[Answer]) -> list[str]:
    return [each.job_id for each in answers if each.ok and each.job_id]


def _dumped(body: dict[str, Json]) -> bytes:
    return json.dumps(body).encode()
