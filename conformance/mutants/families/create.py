"""Mutants that mishandle `start()`, or the create request that `wait()` depends on."""

# ruff: noqa: D401

import json
from collections.abc import Callable, Iterable, Mapping
from itertools import count

from attrs import evolve

from arkor_proto import (
    Abort,
    Aborted,
    Accepted,
    Broken,
    Finished,
    Follow,
    Input,
    Leave,
    Operation,
    Outcome,
    Output,
    Received,
    Rejected,
    Responded,
    ResponseError,
    Settle,
    Start,
    StatusError,
    TrainingStarted,
    TransportError,
    decode_job,
)
from arkor_proto.transports.anyio import ArkorClient, Callbacks, Trainer
from conformance.drivers.python import translation
from conformance.mutants.around import IMPERATIVES, Call, Client, Exchange
from conformance.mutants.filters import (
    after_inputs,
    change_bodies,
    change_heads,
    change_outcomes,
    edit_create,
    filter_inputs,
    filter_outputs,
)
from conformance.mutants.patching import (
    ByObject,
    Job,
    JobSignal,
    Move,
    breaks,
    replace,
    set_cell,
    with_header,
    without,
)
from conformance.strict_data import Json, parse_json


@breaks("ARK-CRE-2")
def submits_again_on_a_second_start() -> None:
    """A second `start()` submits a second job."""
    set_cell(Job.ACCEPTED, JobSignal.START, Move(Job.CREATING))


@breaks("ARK-CRE-3")
def overlapping_starts_submit_twice() -> None:
    """Two overlapping `start()` calls send two create requests, as in the real SDK."""
    set_cell(Job.CREATING, JobSignal.START, Move(Job.CREATING))
    set_cell(Job.ACCEPTED, JobSignal.ACCEPT, Move(Job.ACCEPTED))


def _is_failure(operation: Operation, outcome: Outcome, client: Client) -> bool:
    """Return whether an operation ends because the create request failed."""
    if operation is Operation.CANCEL or not isinstance(outcome, Rejected):
        return False
    return client.job_state is not Job.ACCEPTED and not isinstance(outcome.error, Aborted)


def _retry_create(fails_so: Callable[[Exception], bool]) -> None:
    """The first time that a create request fails, repeat every call that was waiting for it."""
    repeated = ByObject[Exchange]()

    def change(client: Client, output: Output) -> Iterable[Output]:
        if isinstance(output, Settle) and _is_failure(output.operation, output.outcome, client):
            failed = repeated.setdefault(client, client.sent[Call.CREATE])
            error = output.outcome.error if isinstance(output.outcome, Rejected) else None
            if failed is client.sent[Call.CREATE] and error is not None and fails_so(error):
                client.feed(IMPERATIVES[output.operation])
                return
        yield output

    filter_outputs(change)


@breaks("ARK-CRE-6")
def repeats_the_create_on_5xx() -> None:
    """The client sends the create request again after a 5xx response."""
    _retry_create(lambda error: isinstance(error, StatusError) and error.status >= 500)  # noqa: PLR2004


@breaks("ARK-CRE-6")
def repeats_the_create_on_a_broken_connection() -> None:
    """The client sends the create request again if its response is lost, so two jobs may run."""
    _retry_create(lambda error: isinstance(error, TransportError))


def _remember_failures(kind: type[Exception], imperative: type[Start | Follow]) -> None:
    """If a create request fails with an error of `kind`, fail every later `imperative` with it."""
    failures = ByObject[Rejected]()

    def note(client: Client, operation: Operation, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Rejected) and _is_failure(operation, outcome, client):
            failures[client] = outcome
        return outcome

    def change(client: Client, event: Input) -> Iterable[Input]:
        failure = failures.get(client)
        if isinstance(event, imperative) and failure and isinstance(failure.error, kind):
            client.settle(
                Operation.START if isinstance(event, Start) else Operation.FOLLOW, failure
            )
        else:
            yield event

    change_outcomes(note)
    filter_inputs(change)


@breaks("ARK-CRE-5")
def remembers_a_failed_start() -> None:
    """After a failed `start()`, every later `start()` fails with the same error."""
    _remember_failures(ResponseError, Start)


@breaks("ARK-CRE-5")
def wait_remembers_a_failed_start() -> None:
    """After a failed `start()`, every later `wait()` fails with the same error."""
    _remember_failures(ResponseError, Follow)


@breaks("ARK-CRE-4")
def start_opens_the_stream() -> None:
    """`start()` opens the event stream, which only `wait()` may do."""

    def change(_: Client, event: Input) -> Iterable[Input]:
        if isinstance(event, Start):
            yield Follow()
        yield event

    filter_inputs(change)


@breaks("ARK-CRE-7")
def hides_the_status_of_a_refused_create() -> None:
    """If the backend refuses to create a job, the client reports a bad response but no status."""

    def change(client: Client, operation: Operation, outcome: Outcome) -> Outcome:
        failed = _is_failure(operation, outcome, client)
        return Rejected(ResponseError("create: something went wrong")) if failed else outcome

    change_outcomes(change)


def _job_in(body: bytes) -> Mapping[str, Json] | None:
    try:
        answer = parse_json(body)
    except ValueError:
        return None
    job = answer.get("job") if isinstance(answer, Mapping) else None
    return job if isinstance(job, Mapping) and isinstance(job.get("id"), str) else None


def _is_usable(body: bytes) -> bool:
    job = _job_in(body)
    try:
        return job is not None and bool(decode_job(job))
    except ValueError:
        return False


def _body_with(job_id: str) -> bytes:
    return json.dumps({"job": {"id": job_id}}).encode()


@breaks("ARK-CRE-7")
def takes_a_refused_create_for_accepted() -> None:
    """The client treats every create request as accepted, whatever the response."""

    def accept(client: Client, event: Input) -> Iterable[Input]:
        if not isinstance(event, Broken) or client.exchange_of(event).call is not Call.CREATE:
            yield event
            return
        if not client.exchange_of(event).status:
            yield Responded(event.exchange, 200)
        yield Received(event.exchange, _body_with("job-1"))
        yield Finished(event.exchange)

    filter_inputs(accept)
    change_bodies(
        Call.CREATE, lambda _, __, body: body if _is_usable(body) else _body_with("job-1")
    )
    change_heads(lambda _, head: evolve(head, status=200), Call.CREATE)


@breaks("ARK-CRE-8")
def accepts_a_job_without_an_id() -> None:
    """The client accepts a 2xx create response without a usable job, and makes up an id."""

    def change(_: Client, exchange: Exchange, body: bytes) -> bytes:
        bad = exchange.succeeded and not _is_usable(body)
        return _body_with("undefined") if bad else body

    change_bodies(Call.CREATE, change)


@breaks("ARK-CRE-9", follows=("ARK-CRE-5", "ARK-ERR-10", "ARK-ABT-6"))
def wait_does_not_submit() -> None:
    """`wait()` without `start()` does not submit the job, so it waits for ever."""
    waiting = ByObject[bool]()

    def change(client: Client, event: Input) -> Iterable[Input]:
        if isinstance(event, Follow) and client.job_state is Job.UNSUBMITTED:
            waiting[client] = True
            return
        yield event
        if isinstance(event, Leave) and waiting.pop(client, False):
            client.settle(Operation.FOLLOW, Rejected(Aborted()))
        known = client.job_state is not Job.UNSUBMITTED or isinstance(event, Abort)
        if known and waiting.pop(client, False):
            yield Follow()

    filter_inputs(change)


@breaks("ARK-CRE-10")
def wait_never_hears_of_a_failed_create() -> None:
    """`wait()` never returns if the create request fails."""

    def change(client: Client, operation: Operation, outcome: Outcome) -> Outcome | None:
        waits = operation is Operation.FOLLOW
        return None if waits and _is_failure(operation, outcome, client) else outcome

    change_outcomes(change)


@breaks("ARK-CRE-11")
def sends_no_idempotency_key() -> None:
    """The create request has no `Idempotency-Key` header."""
    edit_create(lambda request: without(request, b"idempotency-key"))


@breaks("ARK-CRE-11")
def mints_a_key_for_every_try() -> None:
    """Every create request has a new `Idempotency-Key`, so a repeat creates a second job."""
    keys = count(1)
    edit_create(lambda r: with_header(r, b"Idempotency-Key", b"key-%d" % next(keys)))


@breaks("ARK-CRE-13")
def attached_trainer_submits() -> None:
    """A trainer attached to an existing job submits a new job."""

    def attach(
        client: ArkorClient,
        job_id: str,
        *,
        last_event_id: str = "",
        callbacks: Callbacks | None = None,
    ) -> Trainer:
        dataset = {"type": "huggingface", "name": last_event_id or "any"}
        return client.trainer(job_id, model="m", dataset=dataset, callbacks=callbacks)

    replace(ArkorClient, "attach", attach)


@breaks("ARK-CRE-1", "ARK-ERR-10", follows=("ARK-SEC-4", "ARK-SEC-7"))
def start_never_settles() -> None:
    """`start()` submits the job but never returns."""
    change_outcomes(lambda _, operation, outcome: None if operation is Operation.START else outcome)


@breaks("ARK-CRE-3", "ARK-CRE-1")
def start_resolves_before_it_is_accepted() -> None:
    """`start()` returns a made-up id before the backend accepts the job."""

    def settle(client: Client, event: Input) -> None:
        if isinstance(event, Start) and client.job_state is not Job.ACCEPTED:
            client.settle(Operation.START, Accepted("job-pending"))

    after_inputs(settle)


@breaks("ARK-CRE-1", follows=("ARK-WIR-6", "ARK-EVT-6", "ARK-EVT-12"))
def changes_the_job_id() -> None:
    """The client uses a job id other than the one that the backend returned."""

    def change(_: Client, __: Exchange, body: bytes) -> bytes:
        job = _job_in(body)
        return (
            body if job is None else json.dumps({"job": {**job, "id": f"{job['id']}.0"}}).encode()
        )

    change_bodies(Call.CREATE, change)


@breaks("ARK-CRE-5")
def remembers_a_lost_start() -> None:
    """If a create request gets no response, every later `start()` fails with the same error."""
    _remember_failures(TransportError, Start)


def _submits_at_a_wait_while(state: Job) -> None:
    def submit(client: Client, event: Input) -> Iterable[Input]:
        if isinstance(event, Follow) and client.job_state is state:
            client.again(Call.CREATE)
        yield event

    filter_inputs(submit)


@breaks("ARK-CRE-3")
def wait_submits_beside_a_create() -> None:
    """`wait()` submits a second job while the first create request is in flight."""
    _submits_at_a_wait_while(Job.CREATING)


@breaks("ARK-CRE-2")
def wait_submits_after_a_start() -> None:
    """`wait()` after `start()` submits a second job."""
    _submits_at_a_wait_while(Job.ACCEPTED)


@breaks("ARK-CRE-4")
def start_calls_back() -> None:
    """`start()` calls `on_started`, although only `wait()` may call callbacks."""
    start_originally, trainer_originally = Trainer.start, translation.trainer_of
    hears = ByObject[translation.Hear]()

    def trainer_of(
        client: ArkorClient, config: Mapping[str, Json], hear: translation.Hear
    ) -> Trainer:
        trainer = trainer_originally(client, config, hear)
        hears[trainer] = hear
        return trainer

    async def start(trainer: Trainer) -> str:
        job_id = await start_originally(trainer)
        await hears[trainer]("started", TrainingStarted(job_id=job_id))
        return job_id

    replace(translation, "trainer_of", trainer_of)
    replace(Trainer, "start", start)


@breaks("ARK-CRE-8")
def takes_any_text_for_an_id() -> None:
    """The client accepts job ids that are illegal in a path segment; lone surrogates become `?`."""

    def change(_: Client, __: Exchange, body: bytes) -> bytes:
        job = _job_in(body)
        if job is None or not isinstance(job["id"], str) or _is_usable(body):
            return body
        text = job["id"].encode(errors="replace").decode()
        return json.dumps({"job": {**job, "id": text.replace(".", "_") or "_"}}).encode()

    change_bodies(Call.CREATE, change)
