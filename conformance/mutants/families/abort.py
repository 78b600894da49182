"""Mutants of abort."""

# Mutants patch private names.
# ruff: noqa: D401, SLF001
# pyright: reportPrivateUsage=false

from anyio.lowlevel import checkpoint

from arkor_proto._errors import Aborted, ArkorError
from arkor_proto._exchange import Outbox
from arkor_proto._messages import (
    Abort,
    Cancel,
    Follow,
    Input,
    Operation,
    Outcome,
    Rejected,
    Resolved,
    Start,
)
from arkor_proto._session import Session
from arkor_proto._table import Ignored, Job, JobSignal, Move, Stream, StreamSignal
from arkor_proto._types import TrainingJob, TrainingResult
from arkor_proto._wait import Wait
from arkor_proto._wire import cancel_request, stream_request
from arkor_proto.transports._async_driver import Driver
from conformance.mutants.patching import (
    breaks,
    hear_the_present_stream_alone,
    replace,
    set_cell,
)


def _deaf_to_abort_while(*states: Stream) -> None:
    original = Wait.abort

    def abort(wait: Wait, reason: object) -> None:
        if wait.machines.stream not in states:
            original(wait, reason)

    replace(Wait, "abort", abort)


@breaks("ARK-ABT-1", "ARK-ABT-7")
def ignores_an_abort_while_it_streams() -> None:
    """An abort of an open stream is not heard."""
    _deaf_to_abort_while(Stream.STREAMING, Stream.DELIVERING, Stream.CONCLUDING)


@breaks("ARK-ABT-1", "ARK-ABT-2")
def ignores_an_abort_while_it_opens() -> None:
    """An abort while the stream is being opened is not heard."""
    _deaf_to_abort_while(Stream.OPENING)


@breaks("ARK-ABT-3")
def ignores_an_abort_while_it_backs_off() -> None:
    """An abort during a delay is not heard."""
    _deaf_to_abort_while(Stream.BACKING_OFF)


@breaks("ARK-ABT-8")
def ignores_an_abort_while_it_reads_an_error() -> None:
    """An abort while the body of an error is read is not heard."""
    _deaf_to_abort_while(Stream.REFUSED)


@breaks("ARK-ABT-9")
def ignores_an_abort_while_it_creates() -> None:
    """An abort while the create is in flight is not heard."""
    _deaf_to_abort_while(Stream.AWAITING_JOB)


@breaks("ARK-ABT-1")
def resolves_at_an_abort() -> None:
    """An abort resolves the wait with the job as it is."""
    original = Outbox.settle

    def settle(outbox: Outbox, operation: Operation, outcome: Outcome) -> None:
        aborted = isinstance(outcome, Rejected) and isinstance(outcome.error, Aborted)
        result = Resolved(TrainingResult(job=TrainingJob(id="job-1", status="running")))
        original(outbox, operation, result if aborted else outcome)

    replace(Outbox, "settle", settle)


@breaks("ARK-ABT-1")
def fails_at_an_abort() -> None:
    """An abort rejects with an error of its own, not with the reason."""
    original = Outbox.settle

    def settle(outbox: Outbox, operation: Operation, outcome: Outcome) -> None:
        aborted = isinstance(outcome, Rejected) and isinstance(outcome.error, Aborted)
        other = Rejected(ArkorError("the request failed"))
        original(outbox, operation, other if aborted else outcome)

    replace(Outbox, "settle", settle)


@breaks("ARK-ABT-2")
def leaves_the_connection_at_an_abort() -> None:
    """An abort leaves the stream's connection open."""
    original = Wait.abort

    def abort(wait: Wait, reason: object) -> None:
        wait._exchange = None
        original(wait, reason)

    replace(Wait, "abort", abort)


@breaks("ARK-ABT-4")
def abort_cancels_the_job() -> None:
    """An abort also sends a cancel."""
    original = Session.handle

    def handle(session: Session, event: Input, now: float) -> None:
        original(session, event, now)
        job = session._wait.job
        if isinstance(event, Abort) and job is not None:
            request = cancel_request(session._config.endpoint, job.id)
            session._outbox.send(Operation.CANCEL, request)

    replace(Session, "handle", handle)


@breaks("ARK-ABT-5")
def is_dead_after_an_abort() -> None:
    """After an abort neither `start()` nor `cancel()` works."""
    original = Session.handle

    def handle(session: Session, event: Input, now: float) -> None:
        if session._machines.stream is Stream.ABORTED and isinstance(event, Start | Cancel):
            operation = Operation.START if isinstance(event, Start) else Operation.CANCEL
            session._outbox.asked.add(operation)
            session._outbox.settle(operation, Rejected(Aborted("aborted before")))
        else:
            original(session, event, now)

    replace(Session, "handle", handle)


@breaks("ARK-ABT-6")
def forgets_an_abort() -> None:
    """A `wait()` after an abort begins anew."""
    set_cell(Stream.ABORTED, StreamSignal.FOLLOW, Move(Stream.AWAITING_JOB))


@breaks("ARK-ABT-6")
def submits_although_aborted() -> None:
    """A `wait()` on a trainer that was aborted before still creates the job."""
    original = Session.handle

    def handle(session: Session, event: Input, now: float) -> None:
        original(session, event, now)
        aborted = session._machines.stream is Stream.ABORTED and isinstance(event, Follow)
        if aborted and session._machines.job is Job.UNSUBMITTED:
            session._act(session._machines.take(JobSignal.START))

    replace(Session, "handle", handle)


@breaks("ARK-ABT-7", "ARK-ABT-1")
def delivers_what_is_buffered_after_an_abort() -> None:
    """Frames that had arrived are still delivered, and a terminal one resolves."""
    original = Wait.abort

    def abort(wait: Wait, reason: object) -> None:
        if wait.machines.stream is not Stream.DELIVERING or not wait.reader._queue:
            original(wait, reason)

    replace(Wait, "abort", abort)


@breaks("ARK-ABT-7")
def delivers_one_more_event_after_its_pause() -> None:
    """Other tasks get a turn before an event that is handed on whatever they did meanwhile."""

    async def pause(driver: Driver, delivery: int) -> None:
        driver._paused_at = delivery
        await checkpoint()
        await driver._run_callback()

    replace(Driver, "_pause", pause)


@breaks("ARK-ABT-9")
def an_abort_loses_the_create() -> None:
    """An abort while the create is in flight forgets its answer."""
    original = Session.handle

    def handle(session: Session, event: Input, now: float) -> None:
        original(session, event, now)
        if isinstance(event, Abort) and session._machines.job is Job.CREATING:
            for pending in list(session._outbox.pending.values()):
                session._outbox.close(pending)
            session._machines.job = Job.UNSUBMITTED

    replace(Session, "handle", handle)


@breaks("ARK-ABT-4")
def reopens_after_an_abort() -> None:
    """The wait is over, but something goes on and opens the stream once more."""
    original = Session.handle

    def handle(session: Session, event: Input, now: float) -> None:
        original(session, event, now)
        job = session._wait.job
        if isinstance(event, Abort) and job is not None:
            request = stream_request(session._config.endpoint, job.id, session.last_event_id)
            session._outbox.send(Operation.FOLLOW, request)

    replace(Session, "handle", handle)
    hear_the_present_stream_alone()


@breaks("ARK-ABT-11")
def resolves_an_abort_in_the_last_callback() -> None:
    """Once the terminal frame is with its callback, an abort comes too late."""
    set_cell(Stream.CONCLUDING, StreamSignal.ABORT, Ignored("the result is as good as known"))
