"""Mutants that mishandle an abort of `wait()`."""

# ruff: noqa: D401

from collections.abc import Iterable

from arkor_proto import (
    Abort,
    Aborted,
    ArkorError,
    Broken,
    Cancel,
    Close,
    Deliver,
    Follow,
    Handled,
    Input,
    Operation,
    Outcome,
    Output,
    Rejected,
    Resolved,
    Start,
    TrainingJob,
    TrainingResult,
    TransportError,
)
from conformance.mutants.around import Call, Client
from conformance.mutants.dialect import Block, change_chunks
from conformance.mutants.filters import (
    after_inputs,
    change_outcomes,
    drop_inputs,
    drop_outputs,
    filter_inputs,
    filter_outputs,
)
from conformance.mutants.patching import (
    ByObject,
    Ignored,
    Job,
    Move,
    Stream,
    StreamSignal,
    breaks,
    set_cell,
)


def _deaf_to_abort_while(*states: Stream) -> None:
    drop_inputs(lambda client, event: isinstance(event, Abort) and client.stream in states)


@breaks("ARK-ABT-1", "ARK-ABT-7")
def ignores_an_abort_while_it_streams() -> None:
    """The client ignores an abort while the stream is open."""
    _deaf_to_abort_while(Stream.STREAMING, Stream.DELIVERING, Stream.CONCLUDING)


@breaks("ARK-ABT-1", "ARK-ABT-2")
def ignores_an_abort_while_it_opens() -> None:
    """The client ignores an abort while it opens the stream."""
    _deaf_to_abort_while(Stream.OPENING)


@breaks("ARK-ABT-3")
def ignores_an_abort_while_it_backs_off() -> None:
    """The client ignores an abort during a back-off delay."""
    _deaf_to_abort_while(Stream.BACKING_OFF)


@breaks("ARK-ABT-8")
def ignores_an_abort_while_it_reads_an_error() -> None:
    """The client ignores an abort while it reads the body of an error response."""
    _deaf_to_abort_while(Stream.REFUSED)


@breaks("ARK-ABT-9")
def ignores_an_abort_while_it_creates() -> None:
    """The client ignores an abort while the create request is in flight."""
    _deaf_to_abort_while(Stream.AWAITING_JOB)


def _settle_aborted(instead: Outcome) -> None:
    def change(_: Client, __: Operation, outcome: Outcome) -> Outcome:
        aborted = isinstance(outcome, Rejected) and isinstance(outcome.error, Aborted)
        return instead if aborted else outcome

    change_outcomes(change)


@breaks("ARK-ABT-1")
def resolves_at_an_abort() -> None:
    """An abort makes `wait()` resolve with the running job instead of rejecting."""
    _settle_aborted(Resolved(TrainingResult(job=TrainingJob(id="job-1", status="running"))))


@breaks("ARK-ABT-1")
def fails_at_an_abort() -> None:
    """An abort makes `wait()` reject with an error other than the abort reason."""
    _settle_aborted(Rejected(ArkorError("the request failed")))


@breaks("ARK-ABT-2")
def leaves_the_connection_at_an_abort() -> None:
    """After an abort, the client leaves the stream's connection open."""
    drop_outputs(
        lambda client, output: isinstance(output, Close) and isinstance(client.event, Abort)
    )


@breaks("ARK-ABT-4")
def abort_cancels_the_job() -> None:
    """An abort makes the client send a cancel request as well."""

    def cancel(client: Client, event: Input) -> None:
        if isinstance(event, Abort) and client.session.job is not None:
            client.feed(Cancel())

    after_inputs(cancel)


@breaks("ARK-ABT-5", follows=("ARK-CRE-1",))
def is_dead_after_an_abort() -> None:
    """After an abort, `start()` and `cancel()` always reject."""

    def change(client: Client, event: Input) -> Iterable[Input]:
        if client.stream is Stream.ABORTED and isinstance(event, Start | Cancel):
            operation = Operation.START if isinstance(event, Start) else Operation.CANCEL
            client.settle(operation, Rejected(Aborted("aborted before")))
        else:
            yield event

    filter_inputs(change)


@breaks("ARK-ABT-6")
def forgets_an_abort() -> None:
    """Called after an abort, `wait()` opens the stream again instead of rejecting."""
    set_cell(Stream.ABORTED, StreamSignal.FOLLOW, Move(Stream.AWAITING_JOB))


@breaks("ARK-ABT-6")
def submits_although_aborted() -> None:
    """`wait()` on an aborted trainer still submits the job."""

    def submit(client: Client, event: Input) -> None:
        aborted = client.stream is Stream.ABORTED and isinstance(event, Follow)
        if aborted and client.job_state is Job.UNSUBMITTED:
            client.feed(Start())

    after_inputs(submit)


@breaks("ARK-ABT-7", "ARK-ABT-1")
def delivers_what_is_buffered_after_an_abort() -> None:
    """After an abort, buffered frames are still delivered, and a terminal one resolves `wait()`."""
    buffered = ByObject[int]()

    def count(client: Client, _: bytes, blocks: list[Block]) -> Iterable[Block]:
        arrived = sum(bool(block.kind) for block in blocks)
        buffered[client] = buffered.get(client, 0) + arrived
        return blocks

    def deliver(client: Client, output: Output) -> Iterable[Output]:
        if isinstance(output, Deliver):
            buffered[client] -= 1
        yield output

    change_chunks(count)
    filter_outputs(deliver)
    drop_inputs(
        lambda client, event: (
            isinstance(event, Abort)
            and client.stream is Stream.DELIVERING
            and buffered.get(client, 0) > 0
        )
    )


@breaks("ARK-ABT-7")
def delivers_one_more_event_after_its_pause() -> None:
    """If an abort arrives while the client yields to other tasks, one more event is delivered."""
    in_a_row = 32
    present, late = ByObject[int](), ByObject[Abort]()

    def deliver(client: Client, output: Output) -> Iterable[Output]:
        if isinstance(output, Deliver):
            present[client] = output.delivery
        yield output

    def change(client: Client, event: Input) -> Iterable[Input]:
        pauses = client.stream is Stream.DELIVERING and present[client] % in_a_row == 0
        if isinstance(event, Abort) and pauses:
            late[client] = event
            return
        yield event
        if isinstance(event, Handled) and (abort := late.pop(client, None)):
            yield abort

    filter_outputs(deliver)
    filter_inputs(change)


@breaks("ARK-ABT-9")
def an_abort_loses_the_create() -> None:
    """After an abort while the create request is in flight, the client discards the response."""
    forgotten = TransportError("forgotten")

    def forget(client: Client, event: Input) -> None:
        if isinstance(event, Abort) and client.job_state is Job.CREATING:
            number = client.sent[Call.CREATE].number
            client.outputs.append(Close(number))
            client.feed(Broken(number, forgotten))

    after_inputs(forget)
    change_outcomes(
        lambda _, __, outcome: None if outcome == Rejected(forgotten) else outcome,
    )


@breaks("ARK-ABT-4", follows=("ARK-STR-5", "ARK-STR-6"))
def reopens_after_an_abort() -> None:
    """After an abort has ended `wait()`, the client opens the stream once more."""

    def reopen(client: Client, event: Input) -> None:
        if isinstance(event, Abort):
            client.again(Call.STREAM)

    after_inputs(reopen)


@breaks("ARK-ABT-11")
def resolves_an_abort_in_the_last_callback() -> None:
    """The client ignores an abort while the callback for the terminal frame runs."""
    set_cell(Stream.CONCLUDING, StreamSignal.ABORT, Ignored("the terminal frame has arrived"))
