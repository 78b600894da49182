"""Turns the bytes of a stream into events, and keeps track of the cursor and of progress.

It decides how each frame affects the cursor (ARK-RES) and the known state of the job (ARK-EVT), and
whether it counts as progress under the profile (ARK-BUD). One reader serves all connections of a
wait; call `open` for each new one.
"""

import re
from collections import deque
from enum import Enum
from typing import Final, TypeAlias, assert_never

from attrs import define, evolve, field

from arkor_proto._dialect import JsonLoads, decode_json, decode_with
from arkor_proto._errors import EventTooLarge
from arkor_proto._event import ServerSentEvent
from arkor_proto._json import decode_event, take_event
from arkor_proto._profile import Profile, Progress
from arkor_proto._sse import EventStreamParser
from arkor_proto._types import (
    CheckpointSaved,
    FrameSkipped,
    TrainingCompleted,
    TrainingEvent,
    TrainingFailed,
    TrainingJob,
    TrainingLog,
    TrainingStarted,
)
from arkor_proto._walk import is_dict, is_object

_REMEMBERED: Final = 1024
_SHORT_ID: Final = 64
_TERMINAL_TYPES: Final = frozenset({"training.completed", "training.failed"})
_SAYS_TERMINAL: Final = re.compile(r'"type"\s*:\s*"training\.(?:completed|failed)"')


class Control(Enum):
    """What a frame can mean if it is neither an event nor skipped."""

    PING = "a keep-alive"
    END = "the final end of the stream"
    UNKNOWN = "an event of a type that this version ignores"


Meaning: TypeAlias = TrainingEvent | Control | FrameSkipped


@define(eq=False, repr=False)
class FrameReader:
    """The frames of a wait, in order, across all of its connections.

    `cursor` is the last event id of the frames taken so far; `lost_end` is true if the last skipped
    frame was meant to be terminal. For the current connection, `empty` is true until a frame
    other than a keep-alive is taken, and `too_large` is set once an event exceeds the size limit.
    """

    _profile: Profile
    _json_loads: JsonLoads | None
    _max_event_size: int
    cursor: str
    empty: bool = field(default=True, init=False)
    lost_end: bool = field(default=False, init=False)
    too_large: EventTooLarge | None = field(default=None, init=False)
    _progressed: bool = field(default=False, init=False)
    _before: str = field(default="", init=False)
    _parser: EventStreamParser = field(init=False)
    _queue: deque[ServerSentEvent] = field(init=False, factory=deque[ServerSentEvent])
    _seen: set[str | bytes] = field(init=False, factory=set[str | bytes])
    _in_order: deque[str | bytes] = field(init=False, factory=deque[str | bytes])
    _counts_all: bool = field(init=False)
    _counts_json: bool = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._counts_all = self._profile.progress is Progress.ANY_FRAME
        self._counts_json = self._profile.progress is Progress.JSON_FRAME
        self.open()

    @property
    def retry(self) -> int | None:
        """The last `retry:` value of the current connection, in milliseconds."""
        return self._parser.retry

    def open(self) -> None:
        """Start reading a new connection, and drop the remaining frames of the old one."""
        self._parser = EventStreamParser(self.cursor, self._max_event_size)
        self._queue.clear()
        self._remember(self.cursor)
        self.empty = True
        self.too_large = None
        self._progressed = False  # progress in an earlier wait does not count in this one

    def feed(self, data: bytes) -> None:
        """Parse bytes from the current connection."""
        try:
            self._queue += self._parser.feed(data)
        except EventTooLarge as error:
            self._queue += error.events
            self.too_large = error

    def take(self) -> Meaning | None:
        """Move the cursor to the next frame and return what it means, or None if no frame is left.

        Only keep-alives and end frames are recognised by their `event` lines. What any other
        frame means depends on the type in its data.
        """
        queue = self._queue
        self._before = self.cursor
        if not queue:
            # A block with an id and no data is not a frame, but it moves the cursor (ARK-RES).
            self.cursor = self._parser.last_event_id
            return None
        frame = queue.popleft()
        self.cursor = frame.last_event_id
        meaning = self._read(frame)
        if self._counts_all or self._counts(frame, meaning):
            self._progressed = True
        return meaning

    def take_progress(self) -> bool:
        """Return whether any frame taken since the last call counts as progress."""
        progressed, self._progressed = self._progressed, False
        return progressed

    def rewind(self) -> None:
        """Move the cursor back to before the last frame, because it was not handled.

        When the frame arrives again, it counts as new.
        """
        if self._in_order[-1] == _key(self.cursor) and self.cursor != self._before:
            self._seen.remove(self._in_order.pop())
        self.cursor = self._before

    def _read(self, frame: ServerSentEvent) -> Meaning:
        kind, text = frame.type, frame.data
        if kind == "ping":
            return Control.PING
        self.empty = False
        if kind == "end":
            return Control.END
        loads = self._json_loads
        try:
            data = decode_json(text) if loads is None else decode_with(loads, text)
            if is_dict(data):
                return take_event(data) or Control.UNKNOWN
            if is_object(data):
                return decode_event(data) or Control.UNKNOWN
            why = f"{type(data).__name__}, not a JSON object"
        except ValueError as error:
            why = f"not JSON: {error}"
        self.lost_end = kind in _TERMINAL_TYPES or _SAYS_TERMINAL.search(text) is not None
        return FrameSkipped(text, why)

    def _counts(self, frame: ServerSentEvent, meaning: Meaning) -> bool:
        """Return whether a frame is progress, under a profile in which not every frame is."""
        new = self._counts_json or not frame.has_id or self._remember(frame.last_event_id)
        return new and meaning is not Control.PING and type(meaning) is not FrameSkipped

    def _remember(self, cursor: str) -> bool:
        """Remember a cursor; return whether it is new, that is, not among the last 1,024."""
        key = _key(cursor)
        if key in self._seen:
            return False
        self._seen.add(key)
        self._in_order.append(key)
        if len(self._in_order) > _REMEMBERED:
            self._seen.remove(self._in_order.popleft())
        return True


def _key(cursor: str) -> str | bytes:
    """Return the key under which an id is kept: a digest if the id is long, to save memory."""
    if len(cursor) <= _SHORT_ID:
        return cursor
    from hashlib import blake2b  # noqa: PLC0415 - loads OpenSSL, and long ids are rare

    return blake2b(cursor.encode(), digest_size=16).digest()


def after(job: TrainingJob, event: TrainingEvent) -> TrainingJob:
    """Return `job` updated by `event` (ARK-EVT)."""
    match event:  # the most frequent first
        case TrainingLog() | CheckpointSaved():
            return job
        case TrainingStarted():
            started_at = event.timestamp or job.started_at
            return evolve(_without(job, "status"), status="running", started_at=started_at)
        case TrainingCompleted():
            # An earlier error did not prevent the job from completing (ARK-EVT-24).
            status, error = "completed", None
        case TrainingFailed():
            status, error = "failed", event.error
        case never:
            assert_never(never)
    done_at = event.timestamp or job.completed_at
    job = _without(job, "status", "error")
    return evolve(job, status=status, error=error, completed_at=done_at)


def _without(job: TrainingJob, *names: str) -> TrainingJob:
    """Return `job` with `names` removed from `extra`, where values of the wrong type are kept."""
    return evolve(job, extra={k: v for k, v in job.extra.items() if k not in names})
