"""Mutants that mishandle the job request that follows an empty stream."""

# ruff: noqa: D401

import json
from collections.abc import Callable, Mapping

from attrs import evolve

from arkor_proto import Abort, Reconnecting, ResponseError
from conformance.mutants.around import Call, Client, Exchange
from conformance.mutants.dialect import as_malformed, misread
from conformance.mutants.filters import change_bodies, drop_inputs, recount, reject_for
from conformance.mutants.patching import Stream, breaks, change_profiles
from conformance.strict_data import Json, parse_json


@breaks("ARK-STR-18")
def never_asks_for_the_job() -> None:
    """The client never requests the job after an empty stream, so it may reconnect for ever."""
    change_profiles(lambda profile: evolve(profile, asks_for_the_job=False))


@breaks("ARK-STR-18")
def forgets_a_lost_terminal_frame() -> None:
    """The client does not request the job after a stream whose terminal frame is not JSON."""
    misread(
        lambda block: (
            block if block.content is not None or block.name == "ping" else as_malformed(block)
        )
    )


@breaks("ARK-STR-18")
def takes_a_keep_alive_for_news() -> None:
    """The client does not treat a stream with only pings as empty."""
    misread(lambda block: as_malformed(block) if block.name == "ping" else block)


def _change_job(change: Callable[[Client, Mapping[str, Json]], Mapping[str, Json]]) -> None:
    """Change the job in each successful response to a job request."""

    def changed(client: Client, exchange: Exchange, body: bytes) -> bytes:
        try:
            answer = parse_json(body)
        except ValueError:
            return body
        job = answer.get("job") if isinstance(answer, Mapping) else None
        if not exchange.succeeded or not isinstance(job, Mapping):
            return body
        return json.dumps({"job": change(client, job)}).encode()

    change_bodies(Call.ASK, changed)


@breaks("ARK-STR-19", follows=("ARK-STR-4",))
def takes_any_job_for_one_that_is_over() -> None:
    """After a job request, the client treats the job as finished, whatever its status."""
    over = {"completed", "failed", "cancelled"}
    _change_job(lambda _, job: job if job.get("status") in over else {**job, "status": "completed"})


@breaks("ARK-STR-19", follows=("ARK-STR-4",))
def takes_the_end_of_another_job() -> None:
    """When it requests its job, the client accepts another one, because it does not compare ids."""

    def change(client: Client, job: Mapping[str, Json]) -> Mapping[str, Json]:
        known = client.session.job
        return job if known is None else {**job, "id": known.id}

    _change_job(change)


@breaks("ARK-STR-19")
def rejects_when_the_question_is_not_answered() -> None:
    """`wait()` rejects if the job request fails."""

    def reason(client: Client, _: Reconnecting) -> Exception | None:
        asked = client.came_from is Stream.ASKING
        return ResponseError("job: the response does not contain the job") if asked else None

    reject_for(reason)


@breaks("ARK-STR-19", follows=("ARK-BUD-4", "ARK-BUD-6", "ARK-BUD-3"))
def counts_the_question_as_a_failure() -> None:
    """A failed job request counts as a second failure, in addition to the empty stream."""

    def rule(client: Client, notice: Reconnecting, count: int) -> int:
        if notice.cause is None:
            return 0
        return count + (2 if client.came_from is Stream.ASKING else 1)

    recount(rule)


@breaks("ARK-ABT-1")
def ignores_an_abort_while_it_asks() -> None:
    """The client ignores an abort while it is requesting the job."""
    drop_inputs(lambda client, event: isinstance(event, Abort) and client.stream is Stream.ASKING)
