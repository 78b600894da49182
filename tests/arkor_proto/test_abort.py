"""An abort ends the wait here, for good, and tells the backend nothing."""

import pytest

from arkor_proto import (
    PROFILES,
    Abort,
    Aborted,
    Accepted,
    Deliver,
    Done,
    Handled,
    Operation,
    Profile,
    TrainingEvent,
)
from tests.arkor_proto.session_driver import Trainer, following, streaming
from tests.arkor_proto.wire_samples import (
    COMPLETED,
    STARTED,
    Data,
    frame,
    log,
)

everywhere = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)


def reason(trainer: Trainer) -> object:
    """Return what the last wait was aborted with."""
    error = trainer.error()
    assert isinstance(error, Aborted), error
    return error.reason


@everywhere
def test_aborted_before_the_wait_sends_no_request(profile: Profile) -> None:
    trainer = Trainer(profile).abort("never").follow()
    assert (reason(trainer), trainer.routes, trainer.rest) == ("never", [], Done())


@everywhere
def test_aborted_during_the_create_rejects_at_once(profile: Profile) -> None:
    trainer = Trainer(profile).follow().abort("now")
    assert (reason(trainer), trainer.closed) == ("now", [])


@everywhere
def test_an_abort_leaves_the_create_alone(profile: Profile) -> None:
    trainer = Trainer(profile).follow().abort().accept().start()
    assert trainer.outcome(Operation.START) == Accepted("job-1")
    assert trainer.routes == ["create"]


@everywhere
def test_an_abort_leaves_a_start_that_shares_the_create_alone(profile: Profile) -> None:
    trainer = Trainer(profile).start().follow().abort().accept()
    assert trainer.outcome(Operation.START) == Accepted("job-1")


@everywhere
def test_a_create_that_fails_after_an_abort_is_not_reported_to_the_wait(profile: Profile) -> None:
    trainer = Trainer(profile).follow().abort("now").refuse(500, name="create")
    assert reason(trainer) == "now"
    assert len(trainer.settled) == 1


@everywhere
def test_aborted_while_opening_closes_the_request(profile: Profile) -> None:
    trainer = following(profile).abort("open")
    assert (reason(trainer), trainer.closed, trainer.rest) == ("open", [2], Done())


@everywhere
def test_aborted_while_an_error_body_is_read_rejects_with_the_reason(profile: Profile) -> None:
    trainer = following(profile).open(401).raw(b'{"error": "who').abort("body")
    assert (reason(trainer), trainer.closed) == ("body", [2])


@everywhere
def test_aborted_on_an_idle_stream_closes_it(profile: Profile) -> None:
    trainer = streaming(profile).abort("idle")
    assert (reason(trainer), trainer.closed, trainer.rest) == ("idle", [2], Done())


@everywhere
def test_aborted_in_back_off_ends_the_delay(profile: Profile) -> None:
    trainer = following(profile).broken().abort("tired")
    assert (reason(trainer), trainer.rest) == ("tired", Done())
    assert trainer.later(1000.0).routes == ["create", "stream"]


@everywhere
def test_aborted_inside_a_callback_delivers_nothing_more(profile: Profile) -> None:
    trainer = streaming(profile, callback=None)
    trainer.raw(frame(log(1)) + frame(log(2)) + frame(COMPLETED)).abort("inside")
    assert (reason(trainer), trainer.handled().steps) == ("inside", [1])


@everywhere
def test_a_buffered_terminal_frame_does_not_resolve_an_aborted_wait(profile: Profile) -> None:
    def abort_at_once(_: TrainingEvent) -> None:
        trainer.take(Abort("inside"))

    trainer = streaming(profile, callback=None)
    trainer.callback = abort_at_once
    trainer.raw(frame(log(1), id="1") + frame(COMPLETED, id="2"))
    assert (reason(trainer), len(trainer.settled), len(trainer.events)) == ("inside", 1, 1)


@everywhere
def test_aborted_inside_the_terminal_callback_still_rejects(profile: Profile) -> None:
    trainer = streaming(profile, callback=None).frame(COMPLETED).abort("late").handled()
    assert (reason(trainer), len(trainer.settled)) == ("late", 1)


@everywhere
def test_an_error_of_a_callback_that_aborted_does_not_replace_the_reason(
    profile: Profile,
) -> None:
    trainer = streaming(profile, callback=None).frame(log(1)).abort("mine")
    trainer.handled(RuntimeError("also"))
    assert (reason(trainer), trainer.rest) == ("mine", Done())


@everywhere
def test_a_running_callback_is_waited_for_after_an_abort(profile: Profile) -> None:
    trainer = streaming(profile, callback=None).frame(log(1)).abort()
    assert trainer.rest != Done()
    assert trainer.handled().rest == Done()


@everywhere
def test_an_abort_after_the_result_changes_nothing(profile: Profile) -> None:
    trainer = streaming(profile).frame(COMPLETED).abort().follow()
    assert trainer.result.job.status == "completed"


@everywhere
def test_an_abort_is_sticky(profile: Profile) -> None:
    trainer = streaming(profile).frame(STARTED).abort("once").follow().follow()
    assert [reason(trainer), len(trainer.settled)] == ["once", 3]
    assert trainer.routes == ["create", "stream"]


@everywhere
def test_the_first_reason_holds(profile: Profile) -> None:
    trainer = streaming(profile).abort("first").abort("second").follow()
    assert reason(trainer) == "first"


@everywhere
def test_an_abort_sends_nothing(profile: Profile) -> None:
    trainer = streaming(profile).frame(log(1), id="1").abort().later(10.0**6)
    assert (trainer.routes, trainer.rest) == (["create", "stream"], Done())


@everywhere
def test_a_start_after_an_abort_still_works(profile: Profile) -> None:
    trainer = Trainer(profile).abort().start().accept()
    assert trainer.outcome(Operation.START) == Accepted("job-1")


@everywhere
def test_an_abort_rejects_everyone_who_waits_once(profile: Profile) -> None:
    assert len(streaming(profile).follow().follow().abort().settled) == 1


@everywhere
def test_what_the_network_says_after_an_abort_is_ignored(profile: Profile) -> None:
    trainer = streaming(profile)
    exchange = trainer.exchange("stream")
    trainer.abort().receive(exchange, frame(COMPLETED)).receive(exchange, b"\n")
    assert len(trainer.settled) == 1


def test_an_abort_without_a_reason_says_so() -> None:
    assert str(streaming().abort(None).error()) == "the wait was aborted"


@everywhere
def test_nothing_is_delivered_between_an_abort_and_its_settlement(profile: Profile) -> None:
    trainer = streaming(profile, callback=None).raw(frame(log(1)) + frame(log(2)))
    before = len(trainer.outputs)
    trainer.abort().take(Handled(1))
    assert not any(isinstance(output, Deliver) for output in trainer.outputs[before:])


@pytest.mark.parametrize("data", [log(2), COMPLETED])
def test_an_event_that_an_abort_kept_from_its_callback_is_behind_the_cursor(data: Data) -> None:
    trainer = streaming(callback=None).frame(log(1), id="1").handled().frame(data, id="2")
    trainer.abort().take(Handled(2, heard=False))
    assert trainer.session.last_event_id == "1"


def test_an_event_whose_callback_ran_during_an_abort_was_heard() -> None:
    trainer = streaming(callback=None).frame(log(1), id="1").abort().take(Handled(1))
    assert trainer.session.last_event_id == "1"
