"""Mutants of cancel."""

# Mutants patch private names.
# ruff: noqa: D401, SLF001
# pyright: reportPrivateUsage=false

from collections.abc import Callable
from itertools import count

from attrs import evolve

from arkor_proto._exchange import Answer, Outbox
from arkor_proto._messages import (
    Cancel,
    CancelSent,
    Input,
    NothingToCancel,
    Operation,
    Outcome,
    Rejected,
    Start,
)
from arkor_proto._session import Session
from arkor_proto._table import Ignored, Job, Move, Stop, StopSignal, Stream
from arkor_proto._wire import cancel_request
from conformance.mutants.patching import (
    ByObject,
    breaks,
    replace,
    set_cell,
)
from conformance.strict_data import parse_json

_DEAF = Ignored("the mutant does not hear it")


def _settle_cancels(outcome_of: Callable[[Session], Outcome | None]) -> None:
    """Settle a cancel without a request where the mutant has an outcome for it."""
    original = Session.handle

    def handle(session: Session, event: Input, now: float) -> None:
        outcome = outcome_of(session) if isinstance(event, Cancel) else None
        if outcome is None:
            original(session, event, now)
        else:
            session._outbox.asked.add(Operation.CANCEL)
            session._outbox.settle(Operation.CANCEL, outcome)

    replace(Session, "handle", handle)


@breaks("ARK-CAN-1")
def cancel_before_start_submits() -> None:
    """A cancel before any start submits the job in order to cancel it."""
    original = Session.handle

    def handle(session: Session, event: Input, now: float) -> None:
        if isinstance(event, Cancel) and session._machines.job is Job.UNSUBMITTED:
            original(session, Start(), now)
            session._outbox.asked.discard(Operation.START)  # no caller waits for it
        original(session, event, now)

    replace(Session, "handle", handle)


@breaks("ARK-CAN-1")
def remembers_a_cancel_before_start() -> None:
    """A cancel before any start is sent as soon as there is a job."""
    original = Session.handle

    def handle(session: Session, event: Input, now: float) -> None:
        early = isinstance(event, Cancel) and session._machines.job is Job.UNSUBMITTED
        original(session, event, now)
        if early:
            session._machines.stop = Stop.AWAITING_JOB

    replace(Session, "handle", handle)


@breaks("ARK-CAN-3")
def does_not_cancel_a_job_that_is_over() -> None:
    """A cancel after the terminal frame sends nothing."""
    _settle_cancels(
        lambda session: NothingToCancel() if session._machines.stream is Stream.CONCLUDED else None
    )


@breaks("ARK-CAN-4", "ARK-CAN-12")
def swallows_the_error_of_a_cancel() -> None:
    """A cancel resolves whatever it is answered with."""
    original = Outbox.settle

    def settle(outbox: Outbox, operation: Operation, outcome: Outcome) -> None:
        failed = operation is Operation.CANCEL and isinstance(outcome, Rejected)
        original(outbox, operation, CancelSent() if failed else outcome)

    replace(Outbox, "settle", settle)


@breaks("ARK-CAN-5")
def repeats_a_cancel() -> None:
    """A cancel that is refused is sent again."""
    original = Session._cancelled
    tries = count()

    def cancelled(session: Session, answer: Answer) -> None:
        job = session._wait.job
        if not answer.succeeded and next(tries) % 2 == 0 and job is not None:
            request = cancel_request(session._config.endpoint, job.id)
            session._outbox.send(Operation.CANCEL, request)
        else:
            original(session, answer)

    replace(Session, "_cancelled", cancelled)


@breaks("ARK-CAN-11")
def reads_the_answer_to_a_cancel() -> None:
    """A cancel whose answer has a body that is not JSON has failed."""
    original = Session._cancelled

    def cancelled(session: Session, answer: Answer) -> None:
        try:
            parse_json(answer.body.decode() or "{}")
        except ValueError:
            answer = evolve(answer, status=500)
        original(session, answer)

    replace(Session, "_cancelled", cancelled)


@breaks("ARK-CAN-6")
def cancel_ends_the_wait() -> None:
    """A cancel that is accepted rejects the wait."""
    original = Session._cancelled

    def cancelled(session: Session, answer: Answer) -> None:
        original(session, answer)
        session._wait.abort("cancelled")

    replace(Session, "_cancelled", cancelled)


@breaks("ARK-CAN-7")
def loses_a_cancel_during_the_create() -> None:
    """A cancel while the create is in flight does nothing, as in the real SDK."""
    _settle_cancels(
        lambda session: NothingToCancel() if session._machines.job is Job.CREATING else None
    )


@breaks("ARK-CAN-8")
def sends_overlapping_cancels() -> None:
    """Two cancels that overlap send two requests."""
    set_cell(Stop.CANCELLING, StopSignal.CANCEL, Move(Stop.AWAITING_JOB))
    set_cell(Stop.AWAITING_JOB, StopSignal.ANSWER, Move(Stop.IDLE))
    set_cell(Stop.IDLE, StopSignal.ANSWER, _DEAF)


@breaks("ARK-CAN-13")
def cancels_once_only() -> None:
    """A second cancel after an answered one sends nothing."""
    original = Session.handle
    done = ByObject[bool]()

    def handle(session: Session, event: Input, now: float) -> None:
        original(session, event, now)
        if isinstance(event, Cancel) and session._machines.stop is Stop.CANCELLING:
            done[session] = True

    replace(Session, "handle", handle)
    _settle_cancels(lambda session: CancelSent() if session in done else None)


@breaks("ARK-CAN-9")
def does_not_cancel_an_attached_job() -> None:
    """Without a `start()` of its own a trainer cancels nothing."""
    _settle_cancels(
        lambda session: NothingToCancel() if isinstance(session._config.job, str) else None
    )


@breaks("ARK-CAN-2")
def does_not_send_the_cancel() -> None:
    """A cancel resolves without a request."""
    _settle_cancels(lambda _: CancelSent())


@breaks("ARK-CAN-13")
def remembers_a_refused_cancel() -> None:
    """After a refused cancel every later one fails with the same error."""
    original = Outbox.settle
    refusals = ByObject[Rejected]()

    def settle(outbox: Outbox, operation: Operation, outcome: Outcome) -> None:
        if operation is Operation.CANCEL and isinstance(outcome, Rejected):
            refusals[outbox] = outcome
        original(outbox, operation, outcome)

    replace(Outbox, "settle", settle)
    _settle_cancels(lambda session: refusals.get(session._outbox))


@breaks("ARK-CAN-10")
def cancel_fails_with_the_create() -> None:
    """Where the create has failed, a cancel rejects with that failure."""
    original = Outbox.settle
    failures = ByObject[Rejected]()

    def settle(outbox: Outbox, operation: Operation, outcome: Outcome) -> None:
        if operation is Operation.START and isinstance(outcome, Rejected):
            failures[outbox] = outcome
        nothing = operation is Operation.CANCEL and isinstance(outcome, NothingToCancel)
        failure = failures.get(outbox) if nothing else None
        original(outbox, operation, failure or outcome)

    replace(Outbox, "settle", settle)
