"""Callbacks run one at a time, in stream order; the profile decides what an exception does."""

import threading

from arkor_proto import (
    PROFILE_2026_05,
    PROFILE_2026_07,
    Aborted,
    CallbackFailed,
    CheckpointSaved,
    Notice,
    TrainingCompleted,
    TrainingEvent,
    TrainingFailed,
    TrainingLog,
    TrainingStarted,
)
from conformance.transport_suite.bench import SOON, Bench, Play, Scene, same
from conformance.transport_suite.check import check
from conformance.transport_suite.wire import (
    CHUNKED_HEAD,
    COMPLETED,
    checkpoint,
    chunk,
    endless,
    frame,
    job,
    log,
    then_left,
    whole,
)

_ALL_AT_ONCE = then_left(CHUNKED_HEAD, chunk(b"".join(map(log, range(1, 6))) + COMPLETED))


class _Unbearable(Exception):
    """The exception that a callback or a hook raises."""


def _raise_at_two(_: Play, event: TrainingEvent) -> None:
    if isinstance(event, TrainingLog) and event.step == 2:  # noqa: PLR2004 - the second step
        raise _Unbearable("step 2")


@check("T5", "ARK-EVT-1", "ARK-EVT-2")
def every_kind_of_event_has_its_callback(bench: Bench) -> None:
    """Each event, whatever its kind, reaches the application's callback once, in order."""
    frames = frame("started", 1), log(2), checkpoint(3)
    with bench.play(Scene(streams=[job(*frames)])) as play:
        play.wait()
        kinds = [TrainingStarted, TrainingLog, CheckpointSaved, TrainingCompleted]
        same("events", [type(each) for each in play.heard], kinds)


@check("T5", "ARK-STR-3")
def a_failed_job_is_a_result(bench: Bench) -> None:
    """If the job failed, `wait()` calls the callback and then returns the job's result."""
    with bench.play(Scene(streams=[endless(frame("failed", 1, error="no memory"))])) as play:
        result = play.wait()
        same("status", (result.job.status, result.job.error), ("failed", "no memory"))
        same("events", [type(each) for each in play.heard], [TrainingFailed])


@check("T5", "ARK-EVT-2")
def callbacks_do_not_overlap(bench: Bench) -> None:
    """Even with two concurrent waits, a callback starts only after the previous one has returned."""
    second = threading.Event()

    def hear(play: Play, _: object) -> None:
        if len(play.heard) == 1:
            second.wait(SOON)
        second.set()

    with bench.play(Scene(streams=[_ALL_AT_ONCE], on_event=hear)) as play:
        waits = [play.waiting() for _ in range(2)]
        statuses = [each.result().job.status for each in waits]
        same("statuses", statuses, ["completed", "completed"])
        same("overlaps", play.overlaps, 0)
        same("steps", play.steps, [1, 2, 3, 4, 5])


@check("T5", "ARK-EVT-15", "ARK-EVT-19", "ARK-EVT-28")
def an_error_of_a_callback_takes_the_failure_path(bench: Bench) -> None:
    """Under 2026-05 a callback's exception is reported as a notice; the stream is reopened."""
    scene = Scene(
        streams=[job(log(1), log(2), log(3)), job(log(3))],
        on_event=_raise_at_two,
        profile=PROFILE_2026_05,
    )
    with bench.play(scene) as play:
        play.wait()
        same("steps", play.steps, [1, 2, 3])
        told = [each.error for each in play.notices if isinstance(each, CallbackFailed)]
        same("errors that were reported", [type(each) for each in told], [_Unbearable])
        cursors = [each.header("Last-Event-ID") for each in play.peer.asked("stream")]
        same("Last-Event-ID of each stream request", cursors, [None, "2"])


@check("T5", "ARK-EVT-16", "ARK-STR-17")
def an_error_of_a_callback_rejects_the_wait(bench: Bench) -> None:
    """Under 2026-07 `wait()` raises a callback's exception unchanged, and closes the stream."""
    scene = Scene(
        streams=[job(log(1), log(2), log(3))], on_event=_raise_at_two, profile=PROFILE_2026_07
    )
    with bench.play(scene) as play:
        same("error", str(play.waiting().error(_Unbearable)), "step 2")
        play.all_left()
        same("steps", play.steps, [1, 2])


@check("T6", "ARK-RES-14")
def a_wait_after_a_rejected_one_goes_on(bench: Bench) -> None:
    """If a callback's exception ended a wait, the next wait resumes from the cursor and succeeds."""
    scene = Scene(
        streams=[job(log(1), log(2)), job(log(3))],
        on_event=_raise_at_two,
        profile=PROFILE_2026_07,
    )
    with bench.play(scene) as play:
        play.waiting().error(_Unbearable)
        same("status", play.wait().job.status, "completed")
        same("steps", play.steps, [1, 2, 3])
        same("cursor", play.peer.asked("stream")[1].header("Last-Event-ID"), "2")


@check("T5", "ARK-CAN-6")
def a_callback_may_cancel(bench: Bench) -> None:
    """A callback can call `cancel()`, which sends a request and does not end the wait."""

    def hear(play: Play, event: TrainingEvent) -> None:
        if isinstance(event, TrainingLog):
            play.client.cancel()

    with bench.play(Scene(streams=[job(log(1), log(2))], on_event=hear)) as play:
        same("status", play.wait().job.status, "completed")
        same("cancels", len(play.peer.asked("cancel")), 2)


@check("T10", "ARK-ABT-7", "ARK-ABT-10")
def an_abort_in_a_callback_is_the_last_that_is_heard(bench: Bench) -> None:
    """After an abort in a callback no other callback runs, even if more events have arrived."""

    def hear(play: Play, event: TrainingEvent) -> None:
        if isinstance(event, TrainingLog) and event.step == 2:  # noqa: PLR2004 - the second step
            play.client.abort("enough")

    with bench.play(Scene(streams=[_ALL_AT_ONCE], on_event=hear)) as play:
        same("reason", play.waiting().error(Aborted).reason, "enough")
        same("steps", play.steps, [1, 2])
        play.all_left()


@check("T10", "ARK-ABT-7")
def an_abort_in_a_hook_comes_before_the_event_after_it(bench: Bench) -> None:
    """If the notice hook aborts, an event already returned by the session is not delivered."""

    def learn(play: Play, _: Notice) -> None:
        play.client.abort("a hook")

    skipped = b'id: 1\ndata: {"type": "training.log", "step"\n\n'
    stream = then_left(CHUNKED_HEAD, chunk(skipped + log(2)))
    with bench.play(Scene(streams=[stream], on_notice=learn)) as play:
        same("reason", play.waiting().error(Aborted).reason, "a hook")
        same("steps", play.steps, [])


@check("T5", "ARK-EVT-9")
def nothing_is_heard_after_the_end(bench: Bench) -> None:
    """Events after the terminal one are not delivered, even if they came in the same packet."""
    stream = then_left(CHUNKED_HEAD, chunk(log(1) + COMPLETED + log(2) + COMPLETED))
    with bench.play(Scene(streams=[stream])) as play:
        play.wait()
        play.all_left()
        same("events", [type(each) for each in play.heard], [TrainingLog, TrainingCompleted])


@check("T7", "ARK-ERR-9")
def a_hook_that_raises_changes_nothing(bench: Bench) -> None:
    """An exception from the notice hook does not end the wait or close the transport."""

    def learn(_: Play, __: Notice) -> None:
        raise _Unbearable("a hook")

    with bench.play(Scene(streams=[whole(log(1)), job(log(2))], on_notice=learn)) as play:
        same("status", play.wait().job.status, "completed")
        same("steps", play.steps, [1, 2])
        same("reconnects", play.causes, ["clean"])
