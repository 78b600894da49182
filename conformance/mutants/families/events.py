"""Mutants that mishandle frames, so that a callback or the result of `wait()` is wrong."""

# ruff: noqa: D401

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping

from attrs import evolve

from arkor_proto import (
    Broken,
    Deliver,
    EventTooLarge,
    Finished,
    Handled,
    Input,
    Output,
    Resolved,
    Settle,
    TrainingCompleted,
    TrainingEvent,
    TrainingFailed,
    TrainingResult,
)
from arkor_proto.transports.anyio import Checkpoint
from conformance.drivers.python.stdio import Desk
from conformance.mutants.around import Call, Client
from conformance.mutants.dialect import (
    EVENT_TYPES,
    Block,
    as_unknown,
    change_blocks,
    change_chunks,
    connection,
    lost,
    misread,
    reject_at,
)
from conformance.mutants.filters import (
    after_inputs,
    change_results,
    filter_inputs,
    filter_outputs,
)
from conformance.mutants.patching import ByObject, breaks, cursor_sent, replace


def _change_data(change: Callable[[str, Mapping[str, object]], Mapping[str, object]]) -> None:
    original = Desk.heard

    async def heard(desk: Desk, name: str, data: Mapping[str, object]) -> None:
        await original(desk, name, change(name, data))

    replace(Desk, "heard", heard)


@breaks("ARK-EVT-6")
def ignores_end() -> None:
    """The client ignores `event: end`, which should end the wait."""
    misread(lambda block: as_unknown(block) if block.name == "end" else block)


@breaks("ARK-EVT-27", follows=("ARK-EVT-5", "ARK-SSE-10", "ARK-SSE-12", "ARK-BUD-13"))
def delivers_pings() -> None:
    """The client delivers a ping to a callback, as if it were an event."""
    log = '{"type":"training.log"}'
    misread(lambda b: evolve(b, data=log, name="message") if b.name == "ping" else b)


@breaks("ARK-EVT-5", follows=("ARK-SSE-12", "ARK-STR-4", "ARK-EVT-1", "ARK-EVT-27"))
def ends_at_a_ping() -> None:
    """A ping ends the wait, as if it were `event: end`."""
    misread(lambda block: evolve(block, name="end") if block.name == "ping" else block)


@breaks("ARK-EVT-29")
def keeps_the_error_of_a_failure_to_itself() -> None:
    """The callback for a failed job does not get the error."""
    _change_data(lambda name, data: {**data, "error": None} if name == "failed" else data)


@breaks("ARK-EVT-1")
def has_no_callback_for_logs() -> None:
    """The client does not deliver `training.log`."""
    misread(lambda block: as_unknown(block) if block.kind == "training.log" else block)


@breaks("ARK-EVT-4")
def goes_by_the_event_name() -> None:
    """The `event:` line decides the type of a frame, instead of the `type` in its data."""

    def change(block: Block) -> Block:
        if block.is_control or block.name == "message" or block.content is None:
            return block
        if block.name not in EVENT_TYPES or not block.kind:
            return as_unknown(block)
        return evolve(block, data=json.dumps({"type": block.name}))

    misread(change)


@breaks("ARK-EVT-7", "ARK-EVT-26", follows=("ARK-STR-18",))
def gives_up_at_malformed_data() -> None:
    """`wait()` rejects on a frame whose data is not a JSON object, instead of skipping it."""

    def reason(_: Client, block: Block) -> Exception | None:
        return None if block.is_control or block.content is not None else EventTooLarge(0)

    reject_at(reason)


@breaks("ARK-EVT-8")
def gives_up_at_unknown_types() -> None:
    """`wait()` rejects on a frame of an unknown type, instead of skipping it."""

    def reason(_: Client, block: Block) -> Exception | None:
        known = block.is_control or block.content is None or block.kind
        return None if known else EventTooLarge(0)

    reject_at(reason)


@breaks("ARK-EVT-25")
def delivers_each_id_once() -> None:
    """The client does not deliver a frame whose id it has seen before."""
    seen = ByObject[set[str]]()

    def change(client: Client, block: Block) -> Iterable[Block]:
        before = seen.setdefault(client, set())
        yield as_unknown(block) if block.data is not None and block.id in before else block
        before |= set() if block.id is None else {block.id}

    change_blocks(change)


@breaks("ARK-EVT-1")
def delivers_no_checkpoints() -> None:
    """The client does not deliver `checkpoint.saved`."""
    misread(lambda block: as_unknown(block) if block.kind == "checkpoint.saved" else block)


@breaks("ARK-EVT-2")
def delivers_the_last_first() -> None:
    """If frames arrive together, the client delivers all but the last in reverse order."""

    def change(_: Client, __: bytes, blocks: list[Block]) -> Iterable[Block]:
        return [*reversed(blocks[:-1]), *blocks[-1:]]

    change_chunks(change)


@breaks("ARK-EVT-2", follows=("ARK-EVT-1", "ARK-ERR-10"))
def does_not_await_callbacks() -> None:
    """The client calls the next callback before the previous one has returned."""
    original = Desk.heard
    running = set[asyncio.Task[None]]()

    async def heard(desk: Desk, name: str, data: Mapping[str, object]) -> None:
        if name == "completed":
            await original(desk, name, data)
        else:
            running.add(asyncio.create_task(original(desk, name, data)))

    replace(Desk, "heard", heard)


@breaks("ARK-EVT-9")
def goes_on_behind_the_terminal_frame() -> None:
    """The client delivers events that follow the terminal frame."""
    rest, settled = ByObject[list[TrainingEvent]](), ByObject[Settle]()

    def keep(client: Client, _: bytes, blocks: list[Block]) -> Iterable[Block]:
        kinds = [block.kind for block in blocks]
        if "training.completed" in kinds:
            after = blocks[kinds.index("training.completed") + 1 :]
            rest[client] = [block.event for block in after if block.event is not None]
        return blocks

    def hold(client: Client, output: Output) -> Iterable[Output]:
        resolves = isinstance(output, Settle) and isinstance(output.outcome, Resolved)
        if isinstance(output, Settle) and resolves and rest.get(client):
            settled[client] = output
            client.deliver(rest[client].pop(0))
        else:
            yield output

    def go_on(client: Client, event: Input) -> Iterable[Input]:
        if not (isinstance(event, Handled) and event.delivery < 0):
            yield event
        elif rest.get(client):
            client.deliver(rest[client].pop(0))
        else:
            client.settle(settled[client].operation, settled[client].outcome)

    change_chunks(keep)
    filter_outputs(hold)
    filter_inputs(go_on)


@breaks("ARK-EVT-10")
def takes_missing_numbers_for_zero() -> None:
    """The callback gets 0 for a number that the event does not contain."""
    _change_data(lambda _, data: {k: 0 if v is None else v for k, v in data.items()})


@breaks("ARK-EVT-12")
def forgets_the_adapter() -> None:
    """The adapter of a checkpoint event has no members except `kind`."""

    def adapter(_: Checkpoint) -> Mapping[str, object]:
        return {"kind": "checkpoint"}

    replace(Checkpoint, "adapter", property(adapter))


@breaks("ARK-EVT-11", follows=("ARK-EVT-6",))
def invents_artifacts() -> None:
    """The result of a job without artifacts has one empty artifact."""
    change_results(lambda _, result: evolve(result, artifacts=result.artifacts or ({},)))


@breaks("ARK-EVT-14")
def does_not_note_that_the_job_runs() -> None:
    """`training.started` does not change the job's status to `running`."""
    first = ByObject[str]()

    def note(client: Client, _: Input) -> None:
        if client.session.job is not None:
            first.setdefault(client, client.session.job.status)

    def change(client: Client, result: TrainingResult) -> TrainingResult:
        runs = result.job.status == "running"
        return evolve(result, job=evolve(result.job, status=first[client])) if runs else result

    after_inputs(note)
    change_results(change)


@breaks("ARK-WIR-15")
def drops_unknown_members_of_a_job() -> None:
    """The client drops unknown members of a job."""
    change_results(lambda _, result: evolve(result, job=evolve(result.job, extra={})))


@breaks("ARK-WIR-16")
def normalises_unknown_statuses() -> None:
    """The client changes an unknown job status to `queued`."""
    known = {"queued", "running", "completed", "failed", "cancelled"}

    def change(_: Client, result: TrainingResult) -> TrainingResult:
        queued = evolve(result, job=evolve(result.job, status="queued"))
        return result if result.job.status in known else queued

    change_results(change)


@breaks("ARK-EVT-1", "ARK-EVT-4")
def hears_named_events_only() -> None:
    """The client ignores frames without an event name."""
    misread(lambda block: as_unknown(block) if block.name == "message" else block)


@breaks("ARK-EVT-1")
def has_no_callback_for_a_failure() -> None:
    """A failed job ends the wait without a callback."""

    def change(client: Client, output: Output) -> Iterable[Output]:
        if isinstance(output, Deliver) and isinstance(output.event, TrainingFailed):
            client.feed(Handled(output.delivery))
        else:
            yield output

    filter_outputs(change)


@breaks("ARK-EVT-1")
def loses_figures() -> None:
    """The callback for a log does not get `evalLoss`."""
    _change_data(lambda _, data: {**data, "evalLoss": None} if "evalLoss" in data else data)


@breaks("ARK-EVT-2", follows=("ARK-EVT-1",))
def resolves_before_the_last_callback() -> None:
    """`wait()` returns while the callback for the terminal frame is still running."""

    def change(client: Client, output: Output) -> Iterable[Output]:
        yield output
        if isinstance(output, Deliver) and isinstance(output.event, TrainingCompleted):
            client.answer(output.delivery)

    filter_outputs(change)


@breaks("ARK-EVT-2", follows=("ARK-SSE-16",))
def catches_up_backwards() -> None:
    """The client delivers the events of a reopened stream newest first."""
    missed = ByObject[list[Block]]()

    def change(client: Client, _: bytes, blocks: list[Block]) -> Iterable[Block]:
        over = any("completed" in (block.data or "") for block in blocks)
        if over or not cursor_sent(client.sent[Call.STREAM].request):
            return blocks
        missed.setdefault(connection(client), []).extend(blocks)
        return ()

    def rest(client: Client, held: bytes, _: Finished | Broken) -> bytes:
        late = missed.pop(connection(client), [])
        newest = [lost(block) for block in late if block.id is not None][-1:]
        return b"".join(block.bytes for block in (*reversed(late), *newest)) + held

    change_chunks(change, rest)


@breaks("ARK-EVT-10")
def takes_zero_for_missing() -> None:
    """The callback gets None for a number that is 0."""
    _change_data(lambda _, data: {key: value or None for key, value in data.items()})


@breaks("ARK-EVT-11")
def forgets_the_artifacts() -> None:
    """The result lacks the artifacts of the job."""
    change_results(lambda _, result: evolve(result, artifacts=()))
