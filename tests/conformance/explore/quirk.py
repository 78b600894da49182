"""Ten broken clients for which no case was written: `python -m tests.conformance.explore.quirk NAME`.

Each gets every single step right and some combination wrong, which is what exploring is for. They
are made at the seam of the mutants.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import anyio

from arkor_proto import (
    CheckpointSaved,
    Deliver,
    Handled,
    Input,
    Output,
    Reconnecting,
    Request,
    StatusError,
    TrainingEvent,
)
from conformance.drivers.python import translation as to
from conformance.drivers.python.reference import open_client
from conformance.drivers.python.stdio import serve
from conformance.mutants.around import Call, Client
from conformance.mutants.dialect import Block, as_malformed, change_blocks, connection, watch_blocks
from conformance.mutants.filters import (
    change_delays,
    edit_requests,
    filter_inputs,
    filter_outputs,
    recount,
    reject_for,
)
from conformance.mutants.patching import Stream, cursor_sent, with_cursor, without


def forgets_the_cursor_after_two_failures() -> None:
    forgets = dict[Client, bool]()

    def note(client: Client, notice: Reconnecting) -> float:
        forgets[client] = notice.failures == 2
        return notice.delay

    def edit(client: Client, request: Request) -> Request:
        return without(request, b"last-event-id") if forgets.get(client) else request

    change_delays(note)
    edit_requests(edit, Call.STREAM)


def waits_twice_as_long_after_the_third_clean_end() -> None:
    ends = dict[Client, int]()

    def change(client: Client, notice: Reconnecting) -> float:
        if notice.failures:
            return notice.delay
        ends[client] = ends.get(client, 0) + 1
        return notice.delay * (2 if ends[client] == 3 else 1)

    change_delays(change)


def loses_the_frame_behind_an_unknown_type() -> None:
    _skips_behind(lambda block: bool(block.content and not block.is_control and not block.event))


def loses_the_frame_behind_a_malformed_one() -> None:
    _skips_behind(lambda block: block.content is None and not block.is_control)


def loses_the_frame_behind_a_checkpoint() -> None:
    _skips_behind(lambda block: block.kind == "checkpoint.saved")


def _skips_behind(marks: Callable[[Block], bool]) -> None:
    marked = dict[object, bool]()

    def skip(client: Client, block: Block) -> Iterable[Block]:
        if block.data is None:
            return (block,)
        skips = marked.get(connection(client), False)
        marked[connection(client)] = marks(block)
        return (as_malformed(block) if skips else block,)

    change_blocks(skip)


def sorts_ids_that_shrink_as_no_progress() -> None:
    blocks = watch_blocks()

    def rule(client: Client, notice: Reconnecting, count: int) -> int:
        events = [block for block in blocks(client) if block.data is not None]
        shrunk = client.opened is connection(client) and events and {e.id for e in events} == {"1"}
        return count + 1 if shrunk or notice.failures > 1 else notice.failures

    recount(rule)


def counts_a_break_behind_a_checkpoint_twice() -> None:
    latest = dict[Client, TrainingEvent]()

    def note(client: Client, output: Output) -> Iterable[Output]:
        if isinstance(output, Deliver):
            latest[client] = output.event
        yield output

    def rule(client: Client, notice: Reconnecting, count: int) -> int:
        before = count if notice.failures > 1 else 0
        twice = isinstance(latest.pop(client, None), CheckpointSaved)
        return before + (2 if twice else 1) if notice.failures else 0

    recount(rule)
    filter_outputs(note)


def takes_a_404_on_a_reopen_for_permanent() -> None:
    def reason(_: Client, notice: Reconnecting) -> Exception | None:
        cause = notice.cause
        gone = isinstance(cause, StatusError) and cause.status == 404
        return cause if gone and notice.last_event_id else None

    reject_for(reason)


def trims_the_spaces_of_a_cursor() -> None:
    def edit(_: Client, request: Request) -> Request:
        return with_cursor(request, cursor_sent(request).decode().replace(" ", ""))

    edit_requests(edit, Call.STREAM)


def calls_the_callback_again_when_it_threw() -> None:
    heard, before, back = dict[Client, str](), dict[Client, str](), dict[Client, str]()

    def deliver(client: Client, output: Output) -> Iterable[Output]:
        if isinstance(output, Deliver):
            before[client] = heard.get(client, "")
            heard[client] = client.session.last_event_id
        yield output

    def change(client: Client, event: Input) -> Iterable[Input]:
        if isinstance(event, Handled) and event.error and client.stream is Stream.DELIVERING:
            back[client] = heard[client] = before[client]
        yield event

    def edit(client: Client, request: Request) -> Request:
        return with_cursor(request, back.pop(client)) if client in back else request

    filter_outputs(deliver)
    filter_inputs(change)
    edit_requests(edit, Call.STREAM)


QUIRKS: Final[Mapping[str, Callable[[], None]]] = {
    quirk.__name__.replace("_", "-"): quirk
    for quirk in (
        forgets_the_cursor_after_two_failures,
        waits_twice_as_long_after_the_third_clean_end,
        loses_the_frame_behind_an_unknown_type,
        loses_the_frame_behind_a_malformed_one,
        loses_the_frame_behind_a_checkpoint,
        sorts_ids_that_shrink_as_no_progress,
        counts_a_break_behind_a_checkpoint_twice,
        takes_a_404_on_a_reopen_for_permanent,
        trims_the_spaces_of_a_cursor,
        calls_the_callback_again_when_it_threw,
    )
}

if __name__ == "__main__":
    QUIRKS[sys.argv[1]]()
    anyio.run(serve, to.HELLO, open_client, to.explain)
