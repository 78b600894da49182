"""Leaving a wait without prejudice: what a cancelled scope around `wait()` does."""

import pytest

from arkor_proto import PROFILES, Aborted, Done, Handled, Operation, Profile, Resolved
from tests.arkor_proto.session_driver import Trainer, following, streaming
from tests.arkor_proto.wire_samples import (
    COMPLETED,
    attempts,
    frame,
    log,
)

everywhere = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)


@everywhere
def test_a_wait_that_is_left_rejects_and_closes_its_stream(profile: Profile) -> None:
    trainer = streaming(profile).leave()
    assert isinstance(trainer.error(), Aborted)
    assert (trainer.closed, trainer.rest) == ([2], Done())


@everywhere
def test_a_later_wait_goes_on_at_the_cursor(profile: Profile) -> None:
    trainer = streaming(profile).frame(log(1), id="1").leave().follow()
    assert trainer.last_event_ids == [None, b"1"]


@everywhere
def test_a_later_wait_can_resolve(profile: Profile) -> None:
    trainer = streaming(profile).leave().follow().open().frame(COMPLETED)
    assert isinstance(trainer.outcomes(Operation.FOLLOW)[-1], Resolved)


@everywhere
def test_leaving_sends_nothing(profile: Profile) -> None:
    assert streaming(profile).leave().later(1000.0).routes == ["create", "stream"]


@everywhere
def test_an_event_whose_callback_was_cut_off_is_heard_again(profile: Profile) -> None:
    trainer = streaming(profile, callback=None).frame(log(1), id="1").handled()
    trainer.frame(log(2), id="2").leave().handled().follow()
    assert trainer.last_event_ids == [None, b"1"]


@everywhere
def test_a_ping_before_that_event_is_not_asked_for_again(profile: Profile) -> None:
    trainer = streaming(profile, callback=None)
    trainer.raw(frame("", id="1", event="ping") + frame(log(2), id="2")).leave().handled().follow()
    assert trainer.last_event_ids == [None, b"1"]


@everywhere
def test_a_terminal_event_whose_callback_was_cut_off_is_heard_again(profile: Profile) -> None:
    trainer = streaming(profile, callback=None).frame(log(1), id="1").handled()
    trainer.frame(COMPLETED, id="2").leave().handled().follow()
    assert trainer.last_event_ids == [None, b"1"]
    assert trainer.open().frame(COMPLETED, id="2").handled().result.last_event_id == "2"


@everywhere
def test_leaving_during_the_create_leaves_the_create_alone(profile: Profile) -> None:
    trainer = Trainer(profile).follow().leave().accept()
    assert trainer.routes == ["create"]
    assert trainer.follow().routes == ["create", "stream"]


@everywhere
def test_a_wait_that_comes_back_during_the_create_joins_it(profile: Profile) -> None:
    assert Trainer(profile).follow().leave().follow().accept().routes == ["create", "stream"]


@everywhere
def test_leaving_in_back_off_ends_the_delay(profile: Profile) -> None:
    assert following(profile).broken().leave().rest == Done()


@everywhere
def test_leaving_while_an_error_body_is_read_closes_it(profile: Profile) -> None:
    trainer = following(profile).open(500).leave()
    assert (trainer.closed, trainer.rest) == ([2], Done())


@everywhere
def test_a_later_wait_has_a_fresh_budget(profile: Profile) -> None:
    trainer = following(profile, policy=attempts(1)).broken().leave().follow().broken()
    assert trainer.failures == [1, 1]


@everywhere
def test_the_progress_of_a_wait_that_was_left_is_not_that_of_the_next(profile: Profile) -> None:
    trainer = streaming(profile, callback=None).frame(log(1), id="1").leave().follow().open().eof()
    assert trainer.failures == [1]


@everywhere
def test_an_event_that_was_not_heard_is_progress_when_it_comes_again(profile: Profile) -> None:
    trainer = streaming(profile, callback=None).frame(log(1), id="1").leave().follow().open()
    trainer.frame(log(1), id="1").handled().handled().eof()
    assert trainer.failures == [0]


@everywhere
def test_an_event_whose_id_was_heard_before_is_not_new_when_it_comes_again(
    profile: Profile,
) -> None:
    trainer = streaming(profile, callback=None).frame(log(1), id="1").handled()
    trainer.frame(log(2), id="1").leave().handled().follow().open()
    assert trainer.last_event_ids == [None, b"1"]


@everywhere
def test_leaving_without_a_wait_is_nothing(profile: Profile) -> None:
    trainer = Trainer(profile).leave()
    assert trainer.settled == []
    assert trainer.follow().accept().routes == ["create", "stream"]


@everywhere
def test_leaving_after_the_result_keeps_the_result(profile: Profile) -> None:
    trainer = streaming(profile).frame(COMPLETED).leave().follow()
    assert trainer.result.job.status == "completed"


@everywhere
def test_leaving_after_an_abort_does_not_undo_it(profile: Profile) -> None:
    trainer = streaming(profile).abort("for good").leave().follow()
    assert str(trainer.error()) == "aborted: for good"


@everywhere
def test_a_callback_that_outlives_its_wait_does_not_move_the_next_one(profile: Profile) -> None:
    trainer = streaming(profile, callback=None).frame(log(1), id="1").leave().follow().open()
    trainer.frame(log(1), id="1").take(Handled(1, RuntimeError("late")))
    trainer.with_callback.remove(1)
    assert (trainer.steps, len(trainer.settled)) == ([1, 1], 1)
    assert trainer.frame(log(2), id="2").handled().steps == [1, 1, 2]
