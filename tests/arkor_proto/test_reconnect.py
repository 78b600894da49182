"""The failure budget: what spends it, what fills it up again, and how long each attempt waits."""

import pytest

from arkor_proto import (
    HARDENED,
    PROFILE_2026_05,
    PROFILE_2026_07,
    PROFILES,
    GaveUp,
    Profile,
    Reconnecting,
    ReconnectPolicy,
    StreamEnded,
)
from tests.arkor_proto.session_driver import Trainer, following, streaming
from tests.arkor_proto.wire_samples import attempts, frame, log

everywhere = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
JSON = frame(log(1), id="1")
PING = frame("", id="1", event="ping")
MALFORMED = frame("nope", id="1")
UNKNOWN = frame({"type": "x"}, id="1")
AGAIN = frame({"type": "x"}, id="0")
NO_ID = frame({"type": "x"})


def failing(trainer: Trainer, times: int) -> Trainer:
    """Let the next opens fail, and wait each time until the next one is due."""
    for _ in range(times):
        trainer.broken().due()
    return trainer


@everywhere
def test_failures_wait_the_published_delays(profile: Profile) -> None:
    assert failing(following(profile), 8).delays == [1, 2, 4, 8, 16, 32, 60, 60]


@everywhere
def test_the_attempt_is_counted_after_the_delay(profile: Profile) -> None:
    assert failing(following(profile), 3).failures == [1, 2, 3]


@everywhere
@pytest.mark.parametrize("budget", [0, 1, 2])
def test_with_n_attempts_there_are_n_plus_one_opens(profile: Profile, budget: int) -> None:
    trainer = failing(following(profile, policy=attempts(budget)), budget).broken()
    assert trainer.routes == ["create"] + ["stream"] * (budget + 1)
    assert isinstance(trainer.error(), GaveUp)


@everywhere
def test_a_spent_budget_carries_the_last_cause_and_where_to_go_on(profile: Profile) -> None:
    trainer = streaming(profile, policy=attempts(1)).frame(log(1), id="5").broken().due()
    trainer.broken(last := OSError("last"))
    error = trainer.error()
    assert isinstance(error, GaveUp)
    assert (error.cause, error.job_id, error.cursor) == (last, "job-1", "5")


@everywhere
@pytest.mark.parametrize("budget", [0, 1, 2])
def test_a_spent_budget_carries_the_number_of_failures(profile: Profile, budget: int) -> None:
    trainer = failing(following(profile, policy=attempts(budget)), budget).broken()
    error = trainer.error()
    assert isinstance(error, GaveUp)
    assert error.attempts == budget + 1


@everywhere
def test_an_unlimited_budget_retries_for_ever(profile: Profile) -> None:
    trainer = failing(following(profile), 2000)
    assert (trainer.delays[-1], trainer.is_waiting) == (60.0, True)


@everywhere
def test_a_base_of_zero_retries_at_once(profile: Profile) -> None:
    trainer = failing(following(profile, policy=ReconnectPolicy(0.0)), 1100)
    assert (set(trainer.delays), trainer.now) == ({0.0}, 0.0)


@everywhere
def test_a_refused_open_counts_like_a_broken_one(profile: Profile) -> None:
    trainer = following(profile).refuse(500).due().broken().due().refuse(503)
    assert trainer.delays == [1, 2, 4]


@everywhere
def test_a_200_alone_does_not_fill_the_budget(profile: Profile) -> None:
    trainer = following(profile, policy=attempts(1)).open().broken().due().open().broken()
    assert isinstance(trainer.error(), GaveUp)


@everywhere
def test_a_stream_that_ends_without_progress_counts_as_a_failure(profile: Profile) -> None:
    trainer = following(profile).open().eof()
    (notice,) = trainer.heard(Reconnecting)
    assert (notice.failures, isinstance(notice.cause, StreamEnded)) == (1, True)


@everywhere
def test_a_clean_end_after_progress_is_free(profile: Profile) -> None:
    trainer = streaming(profile, policy=attempts(0))
    for step in range(50):
        trainer.frame(log(step), id=str(step)).eof().due().open()
    assert (set(trainer.delays), set(trainer.failures)) == ({1.0}, {0})


@everywhere
def test_a_clean_end_has_no_cause(profile: Profile) -> None:
    (notice,) = streaming(profile).frame(log(1), id="1").eof().heard(Reconnecting)
    assert notice.cause is None


@everywhere
def test_progress_of_an_earlier_stream_does_not_make_a_clean_end_free(profile: Profile) -> None:
    trainer = streaming(profile).frame(log(1), id="1").eof().due().open().eof()
    assert trainer.say_job().failures == [0, 1]


@everywhere
def test_a_break_after_progress_is_a_failure_at_attempt_0(profile: Profile) -> None:
    trainer = failing(following(profile), 3).open().frame(log(1), id="1").broken()
    assert (trainer.delays[-1], trainer.failures[-1]) == (1.0, 1)


@everywhere
def test_a_break_without_progress_goes_on_counting(profile: Profile) -> None:
    trainer = failing(following(profile), 3).open().broken()
    assert (trainer.delays[-1], trainer.failures[-1]) == (8.0, 4)


@everywhere
@pytest.mark.parametrize(
    "data", [b": keep-alive\n\n", b"id: 7\n\n", b"event: x\n\n", b"retry: 1\n"]
)
def test_what_dispatches_nothing_is_no_progress(profile: Profile, data: bytes) -> None:
    assert streaming(profile).raw(data).eof().failures == [1]


@pytest.mark.parametrize(
    ("profile", "data", "counts"),
    [
        (PROFILE_2026_05, JSON, True),
        (PROFILE_2026_05, PING, True),
        (PROFILE_2026_05, MALFORMED, True),
        (PROFILE_2026_05, UNKNOWN, True),
        (PROFILE_2026_05, AGAIN, True),
        (PROFILE_2026_07, JSON, True),
        (PROFILE_2026_07, PING, False),
        (PROFILE_2026_07, MALFORMED, False),
        (PROFILE_2026_07, frame("null", id="1"), False),
        (PROFILE_2026_07, UNKNOWN, True),
        (PROFILE_2026_07, AGAIN, True),
        (HARDENED, JSON, True),
        (HARDENED, PING, False),
        (HARDENED, MALFORMED, False),
        (HARDENED, frame("[]", id="1"), False),
        (HARDENED, UNKNOWN, True),
        (HARDENED, AGAIN, False),
        (HARDENED, NO_ID, True),
    ],
)
def test_what_counts_as_progress_is_the_profiles_affair(
    profile: Profile, data: bytes, *, counts: bool
) -> None:
    trainer = Trainer(profile, job="job-1", last_event_id="0").follow().open().raw(data).eof()
    assert trainer.say_job().failures == [0 if counts else 1]


def test_a_ping_alone_does_not_reset_the_budget_since_the_amendment() -> None:
    trainer = failing(following(PROFILE_2026_07), 3).open().raw(PING).broken()
    assert trainer.failures[-1] == 4


def test_a_replayed_log_does_not_fill_the_hardened_budget() -> None:
    trainer = streaming(HARDENED, policy=attempts(3)).raw(JSON + frame(log(2), id="2")).broken()
    for _ in range(3):
        trainer.due().open().raw(JSON + frame(log(2), id="2")).broken()
    assert isinstance(trainer.error(), GaveUp)


def test_a_replayed_log_that_ends_cleanly_is_no_livelock_when_hardened() -> None:
    trainer = streaming(HARDENED, policy=attempts(3)).raw(JSON).eof()
    for _ in range(4):
        trainer.due().open().raw(JSON).eof()
    assert isinstance(trainer.error(), GaveUp)


def test_a_frame_that_inherits_its_id_is_progress_when_hardened() -> None:
    trainer = streaming(HARDENED).raw(JSON).eof().due().open().raw(NO_ID).eof()
    assert trainer.failures == [0, 0]


def test_an_id_of_long_ago_is_new_again_when_hardened() -> None:
    trainer = streaming(HARDENED)
    for step in range(1025):
        trainer.frame(log(step), id=str(step))
    trainer.eof().due().open().frame(log(0), id="0").eof()
    assert trainer.failures == [0, 0]


def test_a_frame_that_repeats_the_id_of_an_empty_block_is_no_progress_when_hardened() -> None:
    trainer = streaming(HARDENED).raw(b"id: 7\n\n").eof().due().open()
    trainer.frame(log(1), id="7").eof()
    assert trainer.failures == [1, 2]


def test_progress_does_not_depend_on_how_the_bytes_are_cut() -> None:
    blocks = (b"id: 7\n\n", frame(log(1), id="7"))
    whole = streaming(HARDENED).raw(blocks[0] + blocks[1]).eof()
    cut = streaming(HARDENED).raw(blocks[0]).raw(blocks[1]).eof()
    assert whole.failures == cut.failures


@everywhere
def test_a_rejected_wait_can_be_taken_up_with_a_fresh_budget(profile: Profile) -> None:
    trainer = following(profile, policy=attempts(1)).broken().due().broken().follow().broken()
    assert trainer.failures == [1, 1]


@everywhere
def test_a_tick_that_comes_early_changes_nothing(profile: Profile) -> None:
    trainer = following(profile).broken().later(0.999)
    early = list(trainer.routes)
    assert (early, trainer.later(0.001).routes[-1]) == (["create", "stream"], "stream")
    assert len(trainer.routes) == 3


@everywhere
def test_the_reconnect_is_due_after_the_delay_on_the_callers_clock(profile: Profile) -> None:
    trainer = following(profile)
    trainer.now = 10.0**9
    trainer.broken().due()
    assert trainer.now == 10.0**9 + 1.0


def test_the_delay_after_a_failure_is_spread_by_the_random_source() -> None:
    trainer = following(random=lambda: 0.5, policy=ReconnectPolicy(4.0)).broken()
    assert trainer.delays == [4.0]
    assert following(random=lambda: 0.0, policy=ReconnectPolicy(4.0)).broken().delays == [3.0]


@pytest.mark.parametrize("profile", PROFILES[:2])
def test_the_delay_after_a_clean_end_is_not_spread_before_hardening(profile: Profile) -> None:
    assert streaming(profile, random=lambda: 0.0).raw(JSON).eof().delays == [1.0]


@everywhere
def test_what_no_other_attempt_can_mend_ends_the_wait_with_its_error(profile: Profile) -> None:
    error = LookupError("no such account")
    trainer = streaming(profile).frame(log(1), id="5").broken().due().broken(error, final=True)
    assert trainer.error() is error
    assert (trainer.delays, trainer.open_exchanges) == ([1], [])
    assert trainer.follow().last_event_ids[-1] == b"5"


@everywhere
def test_an_event_with_the_callback_is_heard_when_nothing_can_mend_the_stream(
    profile: Profile,
) -> None:
    trainer = streaming(profile, callback=None).frame(log(1), id="5")
    trainer.broken(LookupError("no such account"), final=True).handled()
    assert isinstance(trainer.error(), LookupError)
    assert trainer.follow().last_event_ids[-1] == b"5"
