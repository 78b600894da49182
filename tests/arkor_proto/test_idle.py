"""Silence on an open stream: two timers, and what does not count as silence."""

import attrs
import pytest

from arkor_proto import HARDENED, PROFILES, Handled, Idle, IdleTimeout, Profile, Reconnecting, Timer
from tests.arkor_proto.session_driver import Trainer, following, streaming
from tests.arkor_proto.wire_samples import COMPLETED, frame, log

IMPATIENT = attrs.evolve(HARDENED, progress_timeout=100.0)


def timed_out(trainer: Trainer) -> str:
    """Return what the only reconnect blames, which must be silence."""
    (notice,) = trainer.heard(Reconnecting)
    assert isinstance(notice.cause, IdleTimeout), notice
    return str(notice.cause)


@pytest.mark.parametrize("profile", PROFILES[:2])
def test_a_silent_stream_stays_open_before_hardening(profile: Profile) -> None:
    trainer = streaming(profile)
    assert (trainer.rest, trainer.later(10.0**7).delays) == (Idle(), [])


def test_a_stream_without_a_byte_is_closed_after_45_seconds() -> None:
    trainer = streaming(HARDENED)
    rest = trainer.rest
    assert (rest, trainer.due().closed) == (Idle(45.0, Timer.IDLE), [2])
    assert timed_out(trainer) == "stream: nothing received for 45.0 seconds"


def test_it_is_not_closed_earlier() -> None:
    assert streaming(HARDENED).later(44.999).closed == []


def test_silence_is_a_failure_of_the_budget() -> None:
    trainer = streaming(HARDENED).due()
    assert (trainer.failures, trainer.delays) == ([1], [1.0])


@pytest.mark.parametrize("data", [b":", b": comment\n\n", b"\n", frame("", event="ping"), b"d"])
def test_any_byte_restarts_the_timer(data: bytes) -> None:
    trainer = streaming(HARDENED).later(40.0).raw(data)
    assert trainer.rest == Idle(85.0, Timer.IDLE)


def test_no_byte_at_all_restarts_nothing() -> None:
    assert streaming(HARDENED).later(40.0).raw(b"").rest == Idle(45.0, Timer.IDLE)


def test_the_timer_starts_with_the_head_of_the_answer() -> None:
    trainer = following(HARDENED).later(200.0).open()
    assert trainer.rest == Idle(245.0, Timer.IDLE)


def test_the_timer_starts_afresh_on_every_stream() -> None:
    trainer = streaming(HARDENED).due().due().open()
    assert trainer.rest == Idle(trainer.now + 45.0, Timer.IDLE)


def test_a_slow_callback_is_no_silence() -> None:
    trainer = streaming(HARDENED, callback=None).frame(log(1), id="1").later(1000.0)
    assert (trainer.closed, trainer.handled().rest) == ([], Idle(1045.0, Timer.IDLE))


def test_no_timer_runs_while_a_callback_does() -> None:
    assert streaming(HARDENED, callback=None).frame(log(1), id="1").rest == Idle()


def test_bytes_that_arrive_during_a_callback_do_not_stretch_the_timer() -> None:
    trainer = streaming(HARDENED, callback=None).frame(log(1), id="1").later(10.0).raw(b":")
    trainer.later(30.0)
    assert trainer.handled().rest == Idle(85.0, Timer.IDLE)


def test_a_callback_of_a_wait_that_was_left_does_not_stretch_the_timer() -> None:
    trainer = streaming(HARDENED, callback=None).frame(log(1), id="1").leave().later(50.0)
    trainer.follow().open().take(Handled(1))
    assert trainer.rest == Idle(95.0, Timer.IDLE)


def test_silence_does_not_lose_what_arrived_before() -> None:
    trainer = streaming(HARDENED).frame(log(1), id="1").due().due()
    assert trainer.last_event_ids == [None, b"1"]


def test_keep_alives_do_not_feed_the_progress_timer() -> None:
    trainer = streaming(IMPATIENT)
    for _ in range(5):
        trainer.later(20.0)
        if not trainer.closed:
            trainer.raw(b":\n")
    assert timed_out(trainer) == "stream: no progress for 100.0 seconds"


def test_progress_feeds_the_progress_timer() -> None:
    trainer = streaming(IMPATIENT)
    for step in range(10):
        trainer.later(40.0).frame(log(step), id=str(step))
    assert trainer.closed == []


def test_a_slow_callback_is_no_lack_of_progress() -> None:
    trainer = streaming(IMPATIENT, callback=None).later(30.0).frame(log(1), id="1").later(500.0)
    trainer.handled().later(44.0).raw(b":")
    assert trainer.later(44.0).raw(b":").rest == Idle(630.0, Timer.IDLE)


def test_the_earlier_of_two_timers_is_the_one_to_wait_for() -> None:
    profile = attrs.evolve(HARDENED, progress_timeout=10.0)
    assert streaming(profile).rest == Idle(10.0, Timer.IDLE)


def test_an_answer_that_is_awaited_beside_the_stream_has_its_own_deadline() -> None:
    trainer = streaming(HARDENED).cancel()
    trainer.respond(trainer.exchange("cancel"), 500)
    assert trainer.rest == Idle(5.0, Timer.ANSWER)


def test_a_terminal_frame_ends_all_timers() -> None:
    trainer = streaming(IMPATIENT, callback=None).frame(COMPLETED)
    assert trainer.rest == Idle()
