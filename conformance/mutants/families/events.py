"""Mutants of what a frame does: which callback hears of it, and what the job becomes."""

# Mutants patch private names.
# ruff: noqa: D401, SLF001
# pyright: reportPrivateUsage=false

from collections.abc import Callable, Mapping

from attrs import evolve

from arkor_proto import _wait
from arkor_proto._errors import EventTooLarge
from arkor_proto._event import ServerSentEvent
from arkor_proto._exchange import Pending
from arkor_proto._json import EVENT_TYPES, decode_event
from arkor_proto._messages import Deliver
from arkor_proto._reader import Control, FrameReader, Meaning, after
from arkor_proto._table import StreamSignal
from arkor_proto._types import (
    FrameSkipped,
    TrainingCompleted,
    TrainingEvent,
    TrainingFailed,
    TrainingJob,
    TrainingStarted,
)
from arkor_proto._wait import Wait
from arkor_proto._walk import JsonObject
from arkor_proto.transports._async_driver import Driver
from arkor_proto.transports.anyio import Checkpoint
from conformance.drivers.python.stdio import Desk
from conformance.mutants.patching import (
    ByObject,
    breaks,
    decode_events,
    replace,
)


def _misread(change: Callable[[ServerSentEvent, Meaning], Meaning]) -> None:
    original = FrameReader.read

    def read(reader: FrameReader, frame: ServerSentEvent) -> Meaning:
        return change(frame, original(reader, frame))

    replace(FrameReader, "read", read)


def _reject_at(kind: type[FrameSkipped] | Control) -> None:
    original = Wait._act_on

    def act_on(wait: Wait, meaning: Meaning, now: float) -> None:
        if meaning is kind or (isinstance(kind, type) and isinstance(meaning, kind)):
            wait._reject(EventTooLarge(0))
        else:
            original(wait, meaning, now)

    replace(Wait, "_act_on", act_on)


def _change_data(change: Callable[[str, Mapping[str, object]], Mapping[str, object]]) -> None:
    original = Desk.heard

    async def heard(desk: Desk, name: str, data: Mapping[str, object]) -> None:
        await original(desk, name, change(name, data))

    replace(Desk, "heard", heard)


@breaks("ARK-EVT-6")
def ignores_end() -> None:
    """`event: end` is ignored."""
    _misread(lambda _, right: Control.UNKNOWN if right is Control.END else right)


@breaks("ARK-EVT-27")
def delivers_pings() -> None:
    """A ping that carries an event is delivered."""
    _misread(
        lambda frame, right: (
            decode_event({"type": "training.log"}) or right if frame.type == "ping" else right
        )
    )


@breaks("ARK-EVT-5", follows=("ARK-SSE-12", "ARK-STR-4", "ARK-EVT-1", "ARK-EVT-27"))
def ends_at_a_ping() -> None:
    """A ping ends the wait like `event: end`."""
    _misread(lambda frame, right: Control.END if frame.type == "ping" else right)


@breaks("ARK-EVT-29")
def keeps_the_error_of_a_failure_to_itself() -> None:
    """The callback of a failed job is not told the error."""
    _change_data(lambda name, data: {**data, "error": None} if name == "failed" else data)


@breaks("ARK-EVT-1")
def has_no_callback_for_logs() -> None:
    """`training.log` is not handed on."""

    def decode(source: JsonObject) -> TrainingEvent | None:
        return None if source.get("type") == "training.log" else decode_event(source)

    decode_events(decode)


@breaks("ARK-EVT-4")
def goes_by_the_event_name() -> None:
    """The `event` line decides what a frame is."""
    types = set(EVENT_TYPES.values())

    def change(frame: ServerSentEvent, right: Meaning) -> Meaning:
        named = frame.type in types and not isinstance(right, Control | FrameSkipped)
        return decode_event({"type": frame.type}) or right if named else Control.UNKNOWN

    def only_named(frame: ServerSentEvent, right: Meaning) -> Meaning:
        return right if frame.type in {"message", "ping", "end"} else change(frame, right)

    _misread(only_named)


@breaks("ARK-EVT-7", "ARK-EVT-26")
def gives_up_at_malformed_data() -> None:
    """A frame whose data is not a JSON object ends the wait."""
    _reject_at(FrameSkipped)


@breaks("ARK-EVT-8")
def gives_up_at_unknown_types() -> None:
    """A frame of an unknown type ends the wait."""
    _reject_at(Control.UNKNOWN)


@breaks("ARK-EVT-25")
def delivers_each_id_once() -> None:
    """A frame whose id was seen before is not delivered."""
    original = FrameReader.read
    seen = ByObject[set[str]]()

    def read(reader: FrameReader, frame: ServerSentEvent) -> Meaning:
        before = seen.setdefault(reader, set())
        again = frame.has_id and frame.last_event_id in before
        before.add(frame.last_event_id)
        return Control.UNKNOWN if again else original(reader, frame)

    replace(FrameReader, "read", read)


@breaks("ARK-EVT-1")
def delivers_no_checkpoints() -> None:
    """`checkpoint.saved` is not known."""

    def decode(source: JsonObject) -> TrainingEvent | None:
        return None if source.get("type") == "checkpoint.saved" else decode_event(source)

    decode_events(decode)


@breaks("ARK-EVT-2")
def delivers_the_last_first() -> None:
    """Frames that arrive together are delivered in reverse."""
    original = FrameReader.feed

    def feed(reader: FrameReader, data: bytes) -> None:
        original(reader, data)
        if len(reader._queue) > 1:
            *events, last = reader._queue
            reader._queue.clear()
            reader._queue.extend([*reversed(events), last])

    replace(FrameReader, "feed", feed)


@breaks("ARK-EVT-2")
def does_not_await_callbacks() -> None:
    """The next callback is called before the one before has returned."""
    original = Driver._run_callback

    async def run_callback(driver: Driver) -> None:
        delivery: Deliver | None = driver._delivery
        if delivery is None or isinstance(delivery.event, TrainingCompleted):
            await original(driver)
            return
        driver._delivery = None
        event = delivery.event

        async def call() -> None:
            await driver.call_back(event)

        driver.tasks.start_soon(call)
        driver._handle(delivery, None)

    replace(Driver, "_run_callback", run_callback)


@breaks("ARK-EVT-9")
def goes_on_behind_the_terminal_frame() -> None:
    """What stands behind the terminal frame is delivered as well."""
    original = Wait._act_on

    def act_on(wait: Wait, meaning: Meaning, now: float) -> None:
        if isinstance(meaning, TrainingCompleted) and wait.reader._queue:
            wait._deliver(StreamSignal.FRAME, meaning, now)
        else:
            original(wait, meaning, now)

    replace(Wait, "_act_on", act_on)


@breaks("ARK-EVT-10")
def takes_missing_numbers_for_zero() -> None:
    """A number that a log leaves out is 0."""
    _change_data(lambda _, data: {k: 0 if v is None else v for k, v in data.items()})


@breaks("ARK-EVT-12")
def forgets_the_adapter() -> None:
    """The event of a checkpoint carries no adapter."""

    def adapter(_: Checkpoint) -> Mapping[str, object]:
        return {"kind": "checkpoint"}

    replace(Checkpoint, "adapter", property(adapter))


@breaks("ARK-EVT-11", follows=("ARK-EVT-6",))
def invents_artifacts() -> None:
    """The artifacts of a job that has none are a list with an empty entry."""
    original = Wait._keep_result

    def keep_result(wait: Wait, last: TrainingEvent | None) -> None:
        original(wait, last)
        if wait._result is not None and not wait._result.artifacts:
            wait._result = evolve(wait._result, artifacts=({},))

    replace(Wait, "_keep_result", keep_result)


@breaks("ARK-EVT-14")
def does_not_note_that_the_job_runs() -> None:
    """`training.started` leaves the status as it is."""

    def after_event(job: TrainingJob, event: TrainingEvent) -> TrainingJob:
        return job if isinstance(event, TrainingStarted) else after(job, event)

    replace(_wait, "after", after_event)


@breaks("ARK-WIR-15")
def drops_unknown_members_of_a_job() -> None:
    """Members of a job that the client does not know are lost."""
    original = Wait._keep_result

    def keep_result(wait: Wait, last: TrainingEvent | None) -> None:
        wait.job = evolve(wait._known_job, extra={})
        original(wait, last)

    replace(Wait, "_keep_result", keep_result)


@breaks("ARK-WIR-16")
def normalises_unknown_statuses() -> None:
    """A status that the client does not know becomes `queued`."""
    original = Wait._keep_result

    def keep_result(wait: Wait, last: TrainingEvent | None) -> None:
        known = {"queued", "running", "completed", "failed", "cancelled"}
        if wait._known_job.status not in known:
            wait.job = evolve(wait._known_job, status="queued")
        original(wait, last)

    replace(Wait, "_keep_result", keep_result)


@breaks("ARK-EVT-1", "ARK-EVT-4")
def hears_named_events_only() -> None:
    """A frame that has no name of its own is not listened for."""
    _misread(lambda frame, right: Control.UNKNOWN if frame.type == "message" else right)


@breaks("ARK-EVT-1")
def has_no_callback_for_a_failure() -> None:
    """A job that failed ends the wait without a callback."""
    original = Wait._act_on

    def act_on(wait: Wait, meaning: Meaning, now: float) -> None:
        if isinstance(meaning, TrainingFailed) and wait.job is not None:
            wait.job = after(wait.job, meaning)
            original(wait, Control.END, now)
        else:
            original(wait, meaning, now)

    replace(Wait, "_act_on", act_on)


@breaks("ARK-EVT-1")
def loses_figures() -> None:
    """The figure that it knows under another name is lost."""
    _change_data(lambda _, data: {**data, "evalLoss": None} if "evalLoss" in data else data)


@breaks("ARK-EVT-2")
def resolves_before_the_last_callback() -> None:
    """`wait()` resolves while the callback of the terminal frame still runs."""
    original = Wait._act_on

    def act_on(wait: Wait, meaning: Meaning, now: float) -> None:
        if isinstance(meaning, TrainingCompleted) and wait.job is not None:
            wait.job = after(wait.job, meaning)
            wait._keep_result(meaning)
            wait._settle_result()
        original(wait, meaning, now)

    replace(Wait, "_act_on", act_on)


@breaks("ARK-EVT-2")
def catches_up_backwards() -> None:
    """What a reopened stream brings is delivered newest first."""
    feed_originally, over_originally = FrameReader.feed, Wait._over
    missed = ByObject[list[ServerSentEvent]]()

    def feed(reader: FrameReader, data: bytes) -> None:
        reopened = bool(reader._parser.last_event_id)
        feed_originally(reader, data)
        if reopened and not any("completed" in frame.data for frame in reader._queue):
            missed.setdefault(reader, []).extend(reader._queue)
            reader._queue.clear()

    def over(wait: Wait, pending: Pending, error: Exception | None, now: float) -> None:
        wait.reader._queue.extend(reversed(missed.pop(wait.reader, [])))
        over_originally(wait, pending, error, now)

    replace(FrameReader, "feed", feed)
    replace(Wait, "_over", over)


@breaks("ARK-EVT-10")
def takes_zero_for_missing() -> None:
    """A figure that is 0 is none."""
    _change_data(lambda _, data: {key: value or None for key, value in data.items()})


@breaks("ARK-EVT-11")
def forgets_the_artifacts() -> None:
    """The result names no artifacts."""
    original = Wait._keep_result

    def keep_result(wait: Wait, last: TrainingEvent | None) -> None:
        original(wait, last)
        if wait._result is not None:
            wait._result = evolve(wait._result, artifacts=())

    replace(Wait, "_keep_result", keep_result)
