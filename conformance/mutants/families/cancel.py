"""Mutants that mishandle `cancel()`."""

# ruff: noqa: D401

from collections.abc import Callable, Iterable
from itertools import count

from arkor_proto import (
    Abort,
    Cancel,
    CancelSent,
    Input,
    NothingToCancel,
    Operation,
    Outcome,
    Output,
    Rejected,
    Settle,
    Start,
    StatusError,
)
from conformance.mutants.around import Call, Client
from conformance.mutants.filters import (
    after_inputs,
    change_outcomes,
    filter_inputs,
    filter_outputs,
)
from conformance.mutants.patching import (
    ByObject,
    Ignored,
    Job,
    Move,
    Stop,
    StopSignal,
    Stream,
    breaks,
    set_cell,
)
from conformance.strict_data import parse_json

_DEAF = Ignored("the mutant ignores this response")


def _settle_cancels(outcome_of: Callable[[Client], Outcome | None]) -> None:
    """Settle `cancel()`, without a request, with the outcome that `outcome_of` returns, if any."""

    def change(client: Client, event: Input) -> Iterable[Input]:
        outcome = outcome_of(client) if isinstance(event, Cancel) else None
        if outcome is None:
            yield event
        else:
            client.settle(Operation.CANCEL, outcome)

    filter_inputs(change)


@breaks("ARK-CAN-1")
def cancel_before_start_submits() -> None:
    """`cancel()` before any `start()` submits the job in order to cancel it."""

    def change(client: Client, event: Input) -> Iterable[Input]:
        if isinstance(event, Cancel) and client.job_state is Job.UNSUBMITTED:
            yield Start()
        yield event

    filter_inputs(change)


@breaks("ARK-CAN-1")
def remembers_a_cancel_before_start() -> None:
    """A `cancel()` before `start()` is remembered, and its request is sent once the job exists."""
    early = ByObject[bool]()

    def remember(client: Client, event: Input) -> None:
        if isinstance(event, Cancel) and client.job_state is Job.UNSUBMITTED:
            early[client] = True
        elif client.job_state is Job.ACCEPTED and early.pop(client, False):
            client.feed(Cancel())

    after_inputs(remember)


@breaks("ARK-CAN-3")
def does_not_cancel_a_job_that_is_over() -> None:
    """`cancel()` after the terminal frame sends no request."""
    _settle_cancels(lambda client: NothingToCancel() if client.stream is Stream.CONCLUDED else None)


def _change_cancels(change: Callable[[Client, Outcome], Outcome]) -> None:
    change_outcomes(
        lambda client, operation, outcome: (
            change(client, outcome) if operation is Operation.CANCEL else outcome
        )
    )


@breaks("ARK-CAN-4", "ARK-CAN-12")
def swallows_the_error_of_a_cancel() -> None:
    """`cancel()` succeeds even if its request fails."""
    _change_cancels(lambda _, outcome: CancelSent() if isinstance(outcome, Rejected) else outcome)


@breaks("ARK-CAN-5")
def repeats_a_cancel() -> None:
    """The client retries a failed cancel request."""
    tries = count()

    def change(client: Client, output: Output) -> Iterable[Output]:
        match output:
            case Settle(Operation.CANCEL, Rejected()) if next(tries) % 2 == 0:
                client.feed(Cancel())
            case _:
                yield output

    filter_outputs(change)


@breaks("ARK-CAN-11")
def reads_the_answer_to_a_cancel() -> None:
    """`cancel()` fails if the body of a 2xx response is not JSON."""

    def change(client: Client, outcome: Outcome) -> Outcome:
        exchange = client.sent.get(Call.CANCEL)
        if exchange is None or not isinstance(outcome, CancelSent):
            return outcome
        try:
            parse_json(exchange.body.decode() or "{}")
        except ValueError:
            return Rejected(StatusError(500, "the response is not JSON"))
        return outcome

    _change_cancels(change)


@breaks("ARK-CAN-6")
def cancel_ends_the_wait() -> None:
    """`cancel()` also makes `wait()` reject."""

    def change(client: Client, output: Output) -> Iterable[Output]:
        yield output
        if isinstance(output, Settle) and output.operation is Operation.CANCEL:
            client.feed(Abort("cancelled"))

    filter_outputs(change)


@breaks("ARK-CAN-7")
def loses_a_cancel_during_the_create() -> None:
    """`cancel()` does nothing while the create request is in flight, as in the real SDK."""
    _settle_cancels(lambda client: NothingToCancel() if client.job_state is Job.CREATING else None)


@breaks("ARK-CAN-8")
def sends_overlapping_cancels() -> None:
    """Two overlapping `cancel()` calls send two requests."""
    set_cell(Stop.CANCELLING, StopSignal.CANCEL, Move(Stop.AWAITING_JOB))
    set_cell(Stop.AWAITING_JOB, StopSignal.ANSWER, Move(Stop.IDLE))
    set_cell(Stop.IDLE, StopSignal.ANSWER, _DEAF)


@breaks("ARK-CAN-13")
def cancels_once_only() -> None:
    """Once `cancel()` has sent a request, further calls send none."""
    done = ByObject[bool]()

    def note(client: Client, event: Input) -> None:
        if isinstance(event, Cancel) and client.stop is Stop.CANCELLING:
            done[client] = True

    after_inputs(note)
    _settle_cancels(lambda client: CancelSent() if client in done else None)


@breaks("ARK-CAN-9")
def does_not_cancel_an_attached_job() -> None:
    """`cancel()` does nothing on a trainer that is attached to an existing job."""
    _settle_cancels(
        lambda client: NothingToCancel() if isinstance(client.setup.config.job, str) else None
    )


@breaks("ARK-CAN-2")
def does_not_send_the_cancel() -> None:
    """`cancel()` succeeds without sending a request."""
    _settle_cancels(lambda _: CancelSent())


@breaks("ARK-CAN-13")
def remembers_a_refused_cancel() -> None:
    """After a failed `cancel()`, every later `cancel()` fails with the same error."""
    refusals = ByObject[Rejected]()

    def note(client: Client, outcome: Outcome) -> Outcome:
        if isinstance(outcome, Rejected):
            refusals[client] = outcome
        return outcome

    _change_cancels(note)
    _settle_cancels(refusals.get)


@breaks("ARK-CAN-10")
def cancel_fails_with_the_create() -> None:
    """After a failed create request, `cancel()` rejects with that request's error."""
    failures = ByObject[Rejected]()

    def change(client: Client, operation: Operation, outcome: Outcome) -> Outcome:
        if operation is Operation.START and isinstance(outcome, Rejected):
            failures[client] = outcome
        nothing = operation is Operation.CANCEL and isinstance(outcome, NothingToCancel)
        failure = failures.get(client) if nothing else None
        return failure or outcome

    change_outcomes(change)
