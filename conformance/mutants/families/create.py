"""Mutants of `start()` and of what `wait()` owes to it."""

# Mutants patch private names.
# ruff: noqa: D401, SLF001, PLR2004
# pyright: reportPrivateUsage=false

from itertools import count

from attrs import evolve

from arkor_proto import _json, _machines
from arkor_proto._errors import ResponseError, TransportError
from arkor_proto._exchange import Answer, Outbox
from arkor_proto._json import read_job
from arkor_proto._messages import (
    Abort,
    Accepted,
    Cancel,
    Follow,
    Input,
    Leave,
    Operation,
    Outcome,
    Rejected,
    Start,
)
from arkor_proto._session import Session
from arkor_proto._table import Job, JobSignal, Move, StreamSignal
from arkor_proto._types import JobSpec, TrainingJob, TrainingStarted
from arkor_proto._wire import create_request
from arkor_proto.transports.anyio import ArkorClient, Callbacks, Trainer
from conformance.mutants.patching import (
    breaks,
    edit_create,
    replace,
    set_cell,
    with_header,
    without,
)


@breaks("ARK-CRE-2")
def submits_again_on_a_second_start() -> None:
    """A second `start()` submits a second job."""
    set_cell(Job.ACCEPTED, JobSignal.START, Move(Job.CREATING))


@breaks("ARK-CRE-3")
def overlapping_starts_submit_twice() -> None:
    """Two calls that overlap send two creates, as the real SDK does."""
    set_cell(Job.CREATING, JobSignal.START, Move(Job.CREATING))
    set_cell(Job.ACCEPTED, JobSignal.ACCEPT, Move(Job.ACCEPTED))


def _retry_create(when: str) -> None:
    original = Session._created
    tries = count()

    def created(session: Session, answer: Answer) -> None:
        failed = answer.status >= 500 if when == "status" else answer.broken is not None
        if failed and next(tries) == 0 and isinstance(session._config.job, JobSpec):
            request = create_request(session._config.endpoint, session._config.job, session._key)
            session._outbox.send(Operation.START, request)
        else:
            original(session, answer)

    replace(Session, "_created", created)


@breaks("ARK-CRE-6")
def repeats_the_create_on_5xx() -> None:
    """A create answered with a 5xx is sent again."""
    _retry_create("status")


@breaks("ARK-CRE-6")
def repeats_the_create_on_a_broken_connection() -> None:
    """A create whose answer is lost is sent again: the job may run twice."""
    _retry_create("transport")


def _remember_starts_that_failed_by(kind: type[Exception]) -> None:
    original = Session._start

    def start(session: Session) -> None:
        if isinstance(session._refusal, kind):
            session._outbox.asked.add(Operation.START)
            session._outbox.settle(Operation.START, Rejected(session._refusal))
        else:
            original(session)

    replace(Session, "_start", start)


@breaks("ARK-CRE-5")
def remembers_a_failed_start() -> None:
    """After a failed `start()` every later one fails with the same error."""
    _remember_starts_that_failed_by(ResponseError)


@breaks("ARK-CRE-5")
def wait_remembers_a_failed_start() -> None:
    """After a failed `start()` a `wait()` fails with the same error."""
    original = Session._asked

    def asked(session: Session, imperative: Start | Follow | Leave | Cancel | Abort) -> None:
        if isinstance(imperative, Follow) and isinstance(session._refusal, ResponseError):
            session._outbox.asked.add(Operation.FOLLOW)
            session._outbox.settle(Operation.FOLLOW, Rejected(session._refusal))
        else:
            original(session, imperative)

    replace(Session, "_asked", asked)


@breaks("ARK-CRE-4")
def start_opens_the_stream() -> None:
    """`start()` already opens the stream."""
    original = Session._start

    def start(session: Session) -> None:
        session._act(session._machines.take(StreamSignal.FOLLOW))
        original(session)

    replace(Session, "_start", start)


@breaks("ARK-CRE-7")
def hides_the_status_of_a_refused_create() -> None:
    """A refused create fails as if the body had been wrong."""

    def accepted(_: Session, answer: Answer) -> TrainingJob | Exception:
        if answer.succeeded and answer.broken is None:
            return read_job(answer.body, "create")
        return ResponseError("create: something went wrong")

    replace(Session, "_accepted", accepted)


@breaks("ARK-CRE-7")
def takes_a_refused_create_for_accepted() -> None:
    """Whatever the create is answered with, it counts as accepted."""
    original = Session._accepted

    def accepted(session: Session, answer: Answer) -> TrainingJob | Exception:
        job = original(session, answer)
        return job if isinstance(job, TrainingJob) else TrainingJob(id="job-1")

    replace(Session, "_accepted", accepted)


@breaks("ARK-CRE-8")
def accepts_a_job_without_an_id() -> None:
    """A 2xx without a usable job is taken for a job."""
    original = Session._accepted

    def accepted(session: Session, answer: Answer) -> TrainingJob | Exception:
        job = original(session, answer)
        is_bad = isinstance(job, ResponseError) and answer.succeeded
        return TrainingJob(id="undefined") if is_bad else job

    replace(Session, "_accepted", accepted)


@breaks("ARK-CRE-9", follows=("ARK-CRE-5", "ARK-ERR-10"))
def wait_does_not_submit() -> None:
    """`wait()` without `start()` waits for a job that nobody submits, and so for ever."""
    joints = _machines._JOINT_BY_SIGNAL
    if isinstance(joints, dict):
        joints[StreamSignal.FOLLOW] = joints[StreamSignal.FOLLOW][1:]


@breaks("ARK-CRE-10")
def wait_never_hears_of_a_failed_create() -> None:
    """A failed create leaves the `wait()` that asked for it hanging."""
    joints = _machines._JOINT_BY_SIGNAL
    if isinstance(joints, dict):
        joints[JobSignal.REFUSE] = joints[JobSignal.REFUSE][1:]


@breaks("ARK-CRE-11")
def sends_no_idempotency_key() -> None:
    """The create carries no `Idempotency-Key`."""
    edit_create(lambda request: without(request, b"idempotency-key"))


@breaks("ARK-CRE-11")
def mints_a_key_for_every_try() -> None:
    """Every create has another `Idempotency-Key`, so it protects from nothing."""
    keys = count(1)
    edit_create(lambda r: with_header(r, b"Idempotency-Key", b"key-%d" % next(keys)))


@breaks("ARK-CRE-13")
def attached_trainer_submits() -> None:
    """A trainer for an existing job submits a new one."""

    def attach(
        client: ArkorClient,
        job_id: str,
        *,
        last_event_id: str = "",
        callbacks: Callbacks | None = None,
    ) -> Trainer:
        dataset = {"type": "huggingface", "name": last_event_id}
        return client.trainer(job_id, model="m", dataset=dataset, callbacks=callbacks)

    replace(ArkorClient, "attach", attach)


@breaks("ARK-CRE-1", "ARK-ERR-10", follows=("ARK-SEC-4", "ARK-SEC-7"))
def start_never_settles() -> None:
    """`start()` submits and is never heard of again."""
    original = Outbox.settle

    def settle(outbox: Outbox, operation: Operation, outcome: Outcome) -> None:
        if operation is not Operation.START:
            original(outbox, operation, outcome)

    replace(Outbox, "settle", settle)


@breaks("ARK-CRE-3", "ARK-CRE-1")
def start_resolves_before_it_is_accepted() -> None:
    """`start()` resolves at once, with an id of its own making."""
    original = Session._start

    def start(session: Session) -> None:
        original(session)
        session._outbox.settle(Operation.START, Accepted("job-pending"))

    replace(Session, "_start", start)


@breaks("ARK-CRE-1")
def changes_the_job_id() -> None:
    """The id of the job is not the one that the backend gave."""
    original = Session._accepted

    def accepted(session: Session, answer: Answer) -> TrainingJob | Exception:
        job = original(session, answer)
        return evolve(job, id=f"{job.id}.0") if isinstance(job, TrainingJob) else job

    replace(Session, "_accepted", accepted)


@breaks("ARK-CRE-5")
def remembers_a_lost_start() -> None:
    """After a create without an answer every later `start()` fails with the same error."""
    _remember_starts_that_failed_by(TransportError)


def _submits_at_a_wait_while(*states: Job) -> None:
    set_cell(Job.ACCEPTED, JobSignal.ACCEPT, Move(Job.ACCEPTED))
    original = Session.handle

    def handle(session: Session, event: Input, now: float) -> None:
        job = session._config.job
        again = isinstance(event, Follow) and session._machines.job in states
        if again and isinstance(job, JobSpec):
            request = create_request(session._config.endpoint, job, session._key)
            session._outbox.send(Operation.START, request)
            session._machines.job = Job.CREATING
        original(session, event, now)

    replace(Session, "handle", handle)


@breaks("ARK-CRE-3")
def wait_submits_beside_a_create() -> None:
    """A `wait()` while the create is in flight submits a job of its own."""
    _submits_at_a_wait_while(Job.CREATING)


@breaks("ARK-CRE-2")
def wait_submits_after_a_start() -> None:
    """A `wait()` after `start()` submits a second job."""
    _submits_at_a_wait_while(Job.ACCEPTED)


@breaks("ARK-CRE-4")
def start_calls_back() -> None:
    """`start()` calls `on_started` once the backend has accepted the job."""
    original = Trainer.start

    async def start(trainer: Trainer) -> str:
        job_id = await original(trainer)
        await trainer._call_back(TrainingStarted(job_id=job_id))
        return job_id

    replace(Trainer, "start", start)


@breaks("ARK-CRE-8")
def takes_any_text_for_an_id() -> None:
    """An id that one segment of a path cannot carry is taken; what UTF-8 lacks becomes `?`."""

    def check(job_id: str) -> str:
        return job_id.encode(errors="replace").decode()

    replace(_json, "check_job_id", check)
