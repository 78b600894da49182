"""Mutants of the cursor: where a reopened stream goes on."""

# Mutants patch private names.
# ruff: noqa: D401, SLF001
# pyright: reportPrivateUsage=false

import re
from weakref import WeakKeyDictionary

from arkor_proto import _wait
from arkor_proto._errors import UnsendableCursor
from arkor_proto._event import ServerSentEvent
from arkor_proto._exchange import Pending
from arkor_proto._messages import Follow, Input
from arkor_proto._reader import Control, FrameReader, Meaning
from arkor_proto._session import Session
from arkor_proto._sse import EventStreamParser
from arkor_proto._types import FrameSkipped, Request
from arkor_proto._wait import Wait
from arkor_proto._wire import cursor_problem
from arkor_proto.transports.anyio import ArkorClient, Callbacks, Trainer
from conformance.mutants.dialect import Dialect, speak
from conformance.mutants.patching import (
    CURSOR,
    ByObject,
    breaks,
    cursor_sent,
    edit_stream,
    replace,
    with_header,
    without,
)


@breaks("ARK-RES-2", "ARK-RES-3", follows=("ARK-RES-15",))
def starts_over() -> None:
    """A reopened stream carries no `Last-Event-ID`."""
    edit_stream(lambda request: without(request, b"last-event-id"))


@breaks("ARK-RES-1")
def sends_an_empty_cursor() -> None:
    """The first open carries an empty `Last-Event-ID`."""
    edit_stream(lambda request: with_header(request, CURSOR, cursor_sent(request)))


@breaks("ARK-RES-1")
def invents_a_cursor() -> None:
    """The first open carries `Last-Event-ID: 0`."""
    edit_stream(lambda request: with_header(request, CURSOR, cursor_sent(request) or b"0"))


@breaks("ARK-RES-3")
def forgets_the_cursor_on_the_second_reconnect() -> None:
    """A stream without ids of its own loses the cursor."""
    original = FrameReader.open

    def opened(reader: FrameReader) -> None:
        original(reader)
        reader.cursor = ""
        reader._parser = EventStreamParser("", reader.max_event_size)

    replace(FrameReader, "open", opened)


@breaks("ARK-RES-3", follows=("ARK-SSE-11", "ARK-SSE-14", "ARK-RES-2"))
def forgets_the_cursor_at_a_frame_without_id() -> None:
    """A frame without an id erases the cursor, as the letter of the standard has it."""
    original = FrameReader.take

    def take(reader: FrameReader) -> ServerSentEvent | None:
        frame = original(reader)
        if frame is not None and not frame.has_id:
            reader.cursor = reader._parser._cursor = ""
        return frame

    replace(FrameReader, "take", take)


@breaks("ARK-RES-5")
def ignores_ids_without_data() -> None:
    """A block with an id and no data does not move the cursor."""

    def take(reader: FrameReader) -> ServerSentEvent | None:
        if not reader._queue:
            return None
        frame = reader._queue.popleft()
        reader.cursor = frame.last_event_id if frame.has_id else reader.cursor
        return frame

    replace(FrameReader, "take", take)


@breaks("ARK-RES-4", "ARK-SSE-8")
def takes_the_id_of_an_unfinished_block() -> None:
    """The cursor moves at the `id:` line already."""

    def last_event_id(parser: EventStreamParser) -> str:
        latest = bytes(parser._block[-4096:])  # not all of it: that would take ever longer
        found = re.findall(rb"^id: ?(.*)\n", latest, re.MULTILINE)
        return found[-1].decode() if found else parser._cursor

    replace(EventStreamParser, "last_event_id", property(last_event_id))


@breaks("ARK-RES-6", "ARK-RES-7")
def never_clears_the_cursor() -> None:
    """An empty `id:` is ignored."""
    original = FrameReader.take

    def take(reader: FrameReader) -> ServerSentEvent | None:
        before = reader.cursor
        frame = original(reader)
        reader.cursor = reader.cursor or before
        return frame

    replace(FrameReader, "take", take)


@breaks("ARK-RES-8")
def ignores_ids_of_skipped_frames() -> None:
    """Only the id of a frame that is delivered moves the cursor."""
    original = Wait._act_on

    def act_on(wait: Wait, meaning: Meaning, now: float) -> None:
        if isinstance(meaning, Control | FrameSkipped):
            wait.reader.cursor = wait._cursor_before
            wait.reader._parser._cursor = wait._cursor_before
        original(wait, meaning, now)

    replace(Wait, "_act_on", act_on)


def _no_problem(_: str) -> str | None:
    return None


@breaks("ARK-RES-11")
def retries_with_a_poison_cursor() -> None:
    """A cursor that cannot be sent fails every open, for ever."""
    replace(_wait, "cursor_problem", _no_problem)


@breaks("ARK-RES-11")
def drops_a_poison_cursor() -> None:
    """A cursor that cannot be sent is left out, so the stream starts over."""

    def change(request: Request) -> Request:
        cursor = cursor_sent(request).decode()
        return without(request, b"last-event-id") if cursor_problem(cursor) else request

    replace(_wait, "cursor_problem", _no_problem)
    edit_stream(change)


@breaks("ARK-RES-12")
def gives_up_at_a_poison_cursor() -> None:
    """An id that could not be sent ends a stream that stays open."""
    original = Wait._act_on

    def act_on(wait: Wait, meaning: Meaning, now: float) -> None:
        cursor = wait.reader.cursor
        if why := cursor_problem(cursor):
            wait._reject(UnsendableCursor(cursor, why))
        else:
            original(wait, meaning, now)

    replace(Wait, "_act_on", act_on)


@breaks("ARK-RES-13")
def loses_events_when_the_stream_breaks() -> None:
    """It reads one event ahead, and throws that one away when the stream breaks."""
    feed_originally, over_originally = FrameReader.feed, Wait._over
    ahead = ByObject[ServerSentEvent]()

    def feed(reader: FrameReader, data: bytes) -> None:
        if (held := ahead.pop(reader, None)) is not None:
            reader._queue.append(held)
        feed_originally(reader, data)
        if reader._queue and "completed" not in reader._queue[-1].data:
            ahead[reader] = reader._queue.pop()

    def over(wait: Wait, pending: Pending, error: Exception | None, now: float) -> None:
        held = ahead.pop(wait.reader, None)
        if error is None and held is not None:
            wait.reader._queue.append(held)
        over_originally(wait, pending, error, now)

    replace(FrameReader, "feed", feed)
    replace(Wait, "_over", over)


@breaks("ARK-RES-14", follows=("ARK-RES-11", "ARK-RES-16"))
def starts_over_after_a_rejected_wait() -> None:
    """A `wait()` after one that gave up begins at the beginning."""
    original = Wait._reject

    def reject(wait: Wait, error: Exception) -> None:
        original(wait, error)
        wait.reader.cursor = ""

    replace(Wait, "_reject", reject)


@breaks("ARK-RES-14")
def keeps_a_spent_budget() -> None:
    """A `wait()` after one that gave up gives up at once."""
    original = Session.handle
    spent: WeakKeyDictionary[Session, int] = WeakKeyDictionary()

    def handle(session: Session, event: Input, now: float) -> None:
        failures = session._budget.failures
        original(session, event, now)
        if isinstance(event, Follow) and spent.get(session, 0):
            session._budget.failures = max(failures - 1, 0)
        spent[session] = session._budget.failures

    replace(Session, "handle", handle)


@breaks("ARK-RES-16", follows=("ARK-RES-14",))
def runs_ahead_of_the_callbacks() -> None:
    """The cursor is that of the last frame read, delivered or not."""
    original = Wait._reject

    def reject(wait: Wait, error: Exception) -> None:
        original(wait, error)
        wait.reader.cursor = wait.reader._parser.last_event_id

    replace(Wait, "_reject", reject)
    fail_originally = Wait._fail

    def fail(wait: Wait, cause: Exception, now: float) -> None:
        wait.reader.cursor = wait.reader._parser.last_event_id
        fail_originally(wait, cause, now)

    replace(Wait, "_fail", fail)


@breaks("ARK-RES-4")
def takes_the_id_of_an_unfinished_line() -> None:
    """The cursor moves as soon as the first bytes of an id are there."""

    def last_event_id(parser: EventStreamParser) -> str:
        found = re.findall(rb"^id: ?(.*)$", bytes(parser._block[-4096:]), re.MULTILINE)
        return found[-1].decode(errors="replace") if found else parser._cursor

    replace(EventStreamParser, "last_event_id", property(last_event_id))


@breaks("ARK-RES-6", "ARK-RES-7")
def ignores_empty_ids() -> None:
    """The parser takes an empty id for none."""
    speak(Dialect(ignores_empty_ids=True))


@breaks("ARK-RES-13")
def loses_the_last_event_of_a_stream() -> None:
    """An event is handed on when the next one arrives; the last one of a stream never is."""
    original = FrameReader.feed
    held: dict[EventStreamParser, ServerSentEvent] = {}

    def feed(reader: FrameReader, data: bytes) -> None:
        before = held.pop(reader._parser, None)
        original(reader, data)
        if before is not None:
            reader._queue.appendleft(before)
        if reader._queue and "completed" not in reader._queue[-1].data:
            held[reader._parser] = reader._queue.pop()

    replace(FrameReader, "feed", feed)


@breaks("ARK-RES-15")
def ignores_a_saved_cursor() -> None:
    """A trainer that is attached with a cursor begins at the beginning all the same."""
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
