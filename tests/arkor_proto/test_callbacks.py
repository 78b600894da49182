"""What an exception of the application's callback does."""

import pytest

from arkor_proto import (
    PROFILE_2026_05,
    PROFILES,
    CallbackFailed,
    Done,
    GaveUp,
    Operation,
    Profile,
    Rejected,
    Resolved,
    TrainingCompleted,
    TrainingEvent,
    TrainingLog,
)
from tests.arkor_proto.session_driver import streaming
from tests.arkor_proto.wire_samples import (
    COMPLETED,
    attempts,
    frame,
    log,
)

everywhere = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
rejecting = pytest.mark.parametrize("profile", PROFILES[1:], ids=lambda profile: profile.name)
BUG = RuntimeError("bug in a callback")


def fails_on_logs(event: TrainingEvent) -> Exception | None:
    """Be a callback with a bug."""
    return BUG if isinstance(event, TrainingLog) else None


def fails_on_the_end(event: TrainingEvent) -> Exception | None:
    """Be a callback with a bug in its last lines."""
    return BUG if isinstance(event, TrainingCompleted) else None


def test_a_callback_error_reopens_the_stream_behind_its_event_in_the_founding_document() -> None:
    trainer = streaming(callback=fails_on_logs).frame(log(1), id="1").due()
    assert (trainer.last_event_ids, trainer.delays) == ([None, b"1"], [1.0])
    assert trainer.closed == [2]


def test_events_queued_behind_a_failed_callback_are_asked_for_again() -> None:
    data = frame(log(1), id="1") + frame(log(2), id="2") + frame(COMPLETED, id="3")
    trainer = streaming(callback=fails_on_logs).raw(data)
    assert (trainer.steps, trainer.due().last_event_ids[-1]) == ([1], b"1")
    assert trainer.open().frame(log(2), id="2").steps == [1, 2]


def test_a_swallowed_callback_error_is_told_all_the_same() -> None:
    trainer = streaming(callback=fails_on_logs).frame(log(1), id="1")
    assert trainer.heard(CallbackFailed) == [CallbackFailed(trainer.events[0], BUG)]


def test_a_callback_error_is_a_failure_at_attempt_0_since_its_frame_was_progress() -> None:
    trainer = streaming(callback=fails_on_logs)
    for step in range(3):
        trainer.frame(log(step), id=str(step)).due().open()
    assert trainer.failures == [1, 1, 1]


def test_a_callback_error_can_spend_the_budget() -> None:
    trainer = streaming(callback=fails_on_logs, policy=attempts(0)).frame(log(1), id="1")
    error = trainer.error()
    assert isinstance(error, GaveUp)
    assert error.cause is BUG


def test_an_error_in_the_terminal_callback_resolves_in_the_founding_document() -> None:
    trainer = streaming(PROFILE_2026_05, callback=fails_on_the_end).frame(COMPLETED)
    assert trainer.result.job.status == "completed"
    assert trainer.heard(CallbackFailed) == [CallbackFailed(trainer.events[0], BUG)]


@rejecting
def test_a_callback_error_rejects_with_that_very_exception(profile: Profile) -> None:
    trainer = streaming(profile, callback=fails_on_logs).frame(log(1), id="1")
    assert trainer.outcome() == Rejected(BUG)
    assert (trainer.closed, trainer.delays, trainer.rest) == ([2], [], Done())


@rejecting
def test_a_wait_after_a_callback_error_resumes_behind_its_event(profile: Profile) -> None:
    trainer = streaming(profile, callback=fails_on_logs)
    trainer.raw(frame(log(1), id="1") + frame(log(2), id="2")).follow()
    assert trainer.last_event_ids == [None, b"1"]


@rejecting
def test_an_error_in_the_terminal_callback_rejects(profile: Profile) -> None:
    trainer = streaming(profile, callback=fails_on_the_end).frame(COMPLETED)
    assert trainer.outcome() == Rejected(BUG)


@rejecting
def test_the_result_is_kept_for_a_wait_after_it(profile: Profile) -> None:
    trainer = streaming(profile, callback=fails_on_the_end).frame(COMPLETED, id="9").follow()
    last = trainer.outcomes(Operation.FOLLOW)[-1]
    assert isinstance(last, Resolved)
    assert (last.result.artifacts, last.result.last_event_id) == (("a",), "9")
    assert (trainer.routes, len(trainer.events)) == (["create", "stream"], 1)


@everywhere
def test_an_error_after_the_stream_ended_still_goes_by_the_profile(profile: Profile) -> None:
    trainer = streaming(profile, callback=None).frame(log(1), id="1").eof().handled(BUG)
    assert (trainer.delays == [1.0]) is (profile is PROFILE_2026_05)
    assert trainer.failures in ([], [1])


@everywhere
def test_an_error_of_a_callback_that_outlives_its_wait_is_told(profile: Profile) -> None:
    trainer = streaming(profile, callback=None).frame(log(1), id="1").leave().handled(BUG)
    assert trainer.heard(CallbackFailed) == [CallbackFailed(trainer.events[0], BUG)]
    assert len(trainer.settled) == 1
