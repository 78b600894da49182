"""Mutants that mishandle the cursor, which tells the backend where to resume a stream."""

# ruff: noqa: D401

import re
from collections.abc import Callable, Iterable

from attrs import evolve

from arkor_proto import (
    Aborted,
    Broken,
    Deliver,
    Finished,
    Input,
    Operation,
    Outcome,
    Output,
    Reconnecting,
    Rejected,
    Request,
    Responded,
    UnsendableCursor,
)
from arkor_proto.transports.anyio import ArkorClient, Callbacks, Trainer
from conformance.mutants.around import Call, Client
from conformance.mutants.dialect import (
    Block,
    Dialect,
    change_blocks,
    change_chunks,
    connection,
    lost,
    reject_at,
    speak,
    watch_blocks,
)
from conformance.mutants.filters import (
    after_inputs,
    change_outcomes,
    edit_requests,
    edit_stream,
    filter_outputs,
    recount,
)
from conformance.mutants.patching import (
    CURSOR,
    WHERE_THE_CURSOR_SHOWS,
    ByObject,
    Stream,
    breaks,
    cursor_sent,
    replace,
    with_cursor,
    with_header,
    without,
)

_MOST_BYTES = 1024


@breaks("ARK-RES-2", "ARK-RES-3", follows=("ARK-RES-15",))
def starts_over() -> None:
    """The client reopens the stream without `Last-Event-ID`."""
    edit_stream(lambda request: without(request, b"last-event-id"))


@breaks("ARK-RES-1")
def sends_an_empty_cursor() -> None:
    """The first stream request has an empty `Last-Event-ID` header."""
    edit_stream(lambda request: with_header(request, CURSOR, cursor_sent(request)))


@breaks("ARK-RES-1")
def invents_a_cursor() -> None:
    """The first stream request has `Last-Event-ID: 0`, although no event has arrived."""
    edit_stream(lambda request: with_header(request, CURSOR, cursor_sent(request) or b"0"))


@breaks("ARK-RES-3")
def forgets_the_cursor_on_the_second_reconnect() -> None:
    """The client forgets the cursor after a stream that contained no ids."""
    blocks = watch_blocks()

    def edit(client: Client, request: Request) -> Request:
        has_ids = any(block.id is not None for block in blocks(client))
        return request if client.opened is None or has_ids else without(request, CURSOR.lower())

    edit_requests(edit, Call.STREAM)


@breaks("ARK-RES-3", follows=("ARK-SSE-11", "ARK-SSE-14", "ARK-RES-2"))
def forgets_the_cursor_at_a_frame_without_id() -> None:
    """A frame without an id clears the cursor, which should stay as it is."""

    def change(_: Client, block: Block) -> Iterable[Block]:
        yield block
        if block.data is not None and block.id is None:
            yield Block(id="")

    change_blocks(change)


@breaks("ARK-RES-5", follows=(*WHERE_THE_CURSOR_SHOWS, "ARK-BUD-14"))
def ignores_ids_without_data() -> None:
    """A block with an id but no data does not move the cursor."""
    change_blocks(lambda _, block: (evolve(block, id=None) if block.data is None else block,))


def _take_unfinished_ids(pattern: bytes) -> None:
    """Use the last id that `pattern` finds in a stream's unfinished block as the cursor."""
    compiled = re.compile(pattern, re.MULTILINE)

    def rest(_: Client, held: bytes, __: Finished | Broken) -> bytes:
        found: list[bytes] = compiled.findall(held[-4096:])
        return Block(id=found[-1].decode(errors="replace")).bytes if found else held

    change_chunks(lambda _, __, blocks: blocks, rest)


@breaks("ARK-RES-4", "ARK-SSE-8")
def takes_the_id_of_an_unfinished_block() -> None:
    """The client moves the cursor at the `id:` line, before the block is complete."""
    _take_unfinished_ids(rb"^id: ?(.*)\n")


@breaks("ARK-RES-6", "ARK-RES-7", follows=WHERE_THE_CURSOR_SHOWS)
def never_clears_the_cursor() -> None:
    """The client keeps the old cursor after an empty `id:`, which should clear it."""
    latest = ByObject[str]()

    def note(client: Client, block: Block) -> Iterable[Block]:
        latest[client] = block.id or latest.get(client, "")
        yield block

    def edit(client: Client, request: Request) -> Request:
        return request if cursor_sent(request) else with_cursor(request, latest.get(client, ""))

    change_blocks(note)
    edit_requests(edit, Call.STREAM)


@breaks("ARK-RES-8", follows=WHERE_THE_CURSOR_SHOWS)
def ignores_ids_of_skipped_frames() -> None:
    """Only ids of delivered frames move the cursor, not ids of skipped frames."""
    change_blocks(
        lambda _, block: (block if block.data is None or block.kind else evolve(block, id=None),)
    )


def _poison(cursor: str) -> str:
    """Return why a cursor cannot be sent, or "" if it can."""
    if cursor != cursor.strip(" \t") or not all(c == "\t" or c.isprintable() for c in cursor):
        return "it has characters that are not allowed in a header"
    return "it is too long" if len(cursor.encode()) > _MOST_BYTES else ""


def _with_poison_cursor(change: Callable[[Request, str], Request]) -> None:
    """Hide unsendable cursors from the session, and change the requests that would carry them."""
    poison = dict[str, str]()

    def hide(_: Client, block: Block) -> Iterable[Block]:
        if block.id is None or not _poison(block.id):
            yield block
        else:
            name = f"poison-{len(poison)}"
            poison[name] = block.id
            yield evolve(block, id=name)

    def edit(request: Request) -> Request:
        cursor = poison.get(cursor_sent(request).decode())
        return request if cursor is None else change(request, cursor)

    change_blocks(hide)
    edit_stream(edit)


@breaks("ARK-RES-11")
def retries_with_a_poison_cursor() -> None:
    """The client retries for ever with a cursor that cannot be sent."""
    _with_poison_cursor(with_cursor)


@breaks("ARK-RES-11")
def drops_a_poison_cursor() -> None:
    """The client leaves out a cursor that cannot be sent, so the stream starts over."""
    _with_poison_cursor(lambda request, _: without(request, b"last-event-id"))


@breaks("ARK-RES-12")
def gives_up_at_a_poison_cursor() -> None:
    """`wait()` rejects as soon as an unsendable id arrives, although the stream is still open."""

    def reason(_: Client, block: Block) -> Exception | None:
        why = _poison(block.id or "")
        return UnsendableCursor(block.id or "", why) if why else None

    reject_at(reason)


def _read_ahead(*, flushes: bool) -> None:
    """Deliver each event only when the next one arrives.

    With `flushes`, a clean end of the stream also delivers the last event.
    """
    ahead = ByObject[list[Block]]()

    def change(client: Client, _: bytes, blocks: list[Block]) -> Iterable[Block]:
        held = ahead.setdefault(connection(client), [])
        yield from held
        held.clear()
        if blocks and blocks[-1].data is not None and "completed" not in blocks[-1].data:
            held.append(blocks.pop())
        yield from blocks

    def rest(client: Client, unfinished: bytes, end: Finished | Broken) -> bytes:
        held = ahead.pop(connection(client), [])
        whole = flushes and isinstance(end, Finished)
        return b"".join((block if whole else lost(block)).bytes for block in held) + unfinished

    change_chunks(change, rest)


@breaks("ARK-RES-13", follows=("ARK-EVT-1",))
def loses_events_when_the_stream_breaks() -> None:
    """The client reads one event ahead, and loses that event when the stream breaks."""
    _read_ahead(flushes=True)


@breaks("ARK-RES-14", follows=("ARK-RES-11", "ARK-RES-16"))
def starts_over_after_a_rejected_wait() -> None:
    """After a rejected `wait()`, the next one reads from the beginning, not from the cursor."""
    rejected = ByObject[bool]()

    def note(client: Client, operation: Operation, outcome: Outcome) -> Outcome:
        if operation is Operation.FOLLOW and isinstance(outcome, Rejected):
            rejected[client] = not isinstance(outcome.error, Aborted)
        return outcome

    def forget(client: Client, event: Input) -> None:
        if isinstance(event, Responded) and client.stream is Stream.STREAMING:
            rejected[client] = False

    def edit(client: Client, request: Request) -> Request:
        return without(request, b"last-event-id") if rejected.get(client) else request

    change_outcomes(note)
    after_inputs(forget)
    edit_requests(edit, Call.STREAM)


@breaks("ARK-RES-14")
def keeps_a_spent_budget() -> None:
    """After a `wait()` that gave up, the next one has no budget left: its first failure ends it."""
    latest = ByObject[int]()

    def rule(client: Client, notice: Reconnecting, _: int) -> int:
        limit = client.setup.policy.max_attempts
        spent = limit is not None and latest.get(client, 0) > limit
        latest[client] = latest[client] if spent and notice.cause else notice.failures
        return latest[client]

    def forget(client: Client, output: Output) -> Iterable[Output]:
        if isinstance(output, Deliver):
            latest[client] = 0
        yield output

    recount(rule)
    filter_outputs(forget)


@breaks("ARK-RES-16", follows=("ARK-RES-14",))
def runs_ahead_of_the_callbacks() -> None:
    """The cursor is the id of the last frame read, even if that frame was not delivered."""
    latest = ByObject[str]()

    def note(client: Client, block: Block) -> Iterable[Block]:
        if block.id is not None:
            latest[client] = block.id
        yield block

    def edit(client: Client, request: Request) -> Request:
        return with_cursor(request, latest.get(client, cursor_sent(request).decode()))

    change_blocks(note)
    edit_requests(edit, Call.STREAM)


@breaks("ARK-RES-4")
def takes_the_id_of_an_unfinished_line() -> None:
    """The client moves the cursor before the `id:` line is complete, so it may store half an id."""
    _take_unfinished_ids(rb"^id: ?(.*)$")


@breaks("ARK-RES-6", "ARK-RES-7", follows=WHERE_THE_CURSOR_SHOWS)
def ignores_empty_ids() -> None:
    """The parser ignores an empty `id:`, which should clear the cursor."""
    speak(Dialect(ignores_empty_ids=True))


@breaks("ARK-RES-13", follows=("ARK-EVT-1", "ARK-STR-2", "ARK-STR-3"))
def loses_the_last_event_of_a_stream() -> None:
    """The client delivers an event only when the next one arrives, so it loses the last event."""
    _read_ahead(flushes=False)


@breaks("ARK-RES-15")
def ignores_a_saved_cursor() -> None:
    """A trainer attached with a saved cursor ignores it and starts from the beginning."""
    original = ArkorClient.attach

    def attach(
        client: ArkorClient,
        job_id: str,
        *,
        last_event_id: str = "",
        callbacks: Callbacks | None = None,
    ) -> Trainer:
        return original(client, job_id, last_event_id=last_event_id[:0], callbacks=callbacks)

    replace(ArkorClient, "attach", attach)
