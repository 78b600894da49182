"""`wait()`: from the first open to the result, and who gets it."""

from collections.abc import Callable, Mapping

import pytest

from arkor_proto import (
    PROFILES,
    Done,
    Operation,
    Profile,
    Resolved,
    TrainingCompleted,
    TrainingLog,
    TrainingStarted,
)
from tests.arkor_proto.session_driver import Trainer, following, streaming
from tests.arkor_proto.wire_samples import (
    COMPLETED,
    FAILED,
    STARTED,
    frame,
    log,
)

everywhere = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
STAGES: Mapping[str, Callable[[Profile], Trainer]] = {
    "creating": lambda profile: Trainer(profile).follow(),
    "opening": following,
    "refused": lambda profile: following(profile).open(500),
    "streaming": streaming,
    "delivering": lambda profile: streaming(profile, callback=None).frame(log(1)),
    "backing off": lambda profile: following(profile).broken(),
    "concluding": lambda profile: streaming(profile, callback=None).frame(COMPLETED),
}


@everywhere
def test_a_wait_submits_the_job_if_nobody_has(profile: Profile) -> None:
    assert Trainer(profile).follow().routes == ["create"]


@everywhere
def test_the_stream_is_opened_as_soon_as_the_job_is_known(profile: Profile) -> None:
    trainer = Trainer(profile).follow().accept()
    assert (trainer.routes, trainer.delays, trainer.now) == (["create", "stream"], [], 0.0)


@everywhere
def test_a_wait_after_a_start_opens_the_stream_at_once(profile: Profile) -> None:
    assert Trainer(profile).start().accept().follow().routes == ["create", "stream"]


@everywhere
def test_the_first_open_carries_no_cursor(profile: Profile) -> None:
    assert Trainer(profile).follow().accept().last_event_ids == [None]


@everywhere
def test_every_frame_reaches_the_callback_in_order(profile: Profile) -> None:
    trainer = streaming(profile).frame(STARTED, id="1").frame(log(1), id="2")
    trainer.frame(log(2), id="3").frame(COMPLETED, id="4")
    kinds = [type(event) for event in trainer.events]
    assert kinds == [TrainingStarted, TrainingLog, TrainingLog, TrainingCompleted]


@everywhere
def test_a_completed_job_resolves_with_its_artifacts(profile: Profile) -> None:
    result = streaming(profile).frame(COMPLETED, id="9").result
    assert (result.job.id, result.job.status, result.artifacts) == ("job-1", "completed", ("a",))
    assert (result.job.completed_at, result.last_event_id) == ("T2", "9")


@everywhere
def test_a_failed_job_resolves_with_its_error_and_no_artifacts(profile: Profile) -> None:
    result = streaming(profile).frame({**FAILED, "artifacts": ["x"]}).result
    assert (result.job.status, result.job.error) == ("failed", "out of memory")
    assert result.artifacts == ()


def test_absent_artifacts_are_none_at_all() -> None:
    assert streaming().frame({"type": "training.completed"}).result.artifacts == ()


def test_a_started_job_is_running_since_then() -> None:
    job = streaming().frame(STARTED).session.job
    assert job is not None
    assert (job.status, job.started_at) == ("running", "T1")


@pytest.mark.parametrize(
    ("last", "kept"),
    [(STARTED, {"error": 8, "x": 9}), (COMPLETED, {"x": 9}), (FAILED, {"x": 9})],
)
def test_an_event_replaces_members_of_an_unexpected_type(
    last: dict[str, object], kept: dict[str, object]
) -> None:
    job = Trainer().follow().accept(status=7, error=8, x=9).open().frame(last).session.job
    assert job is not None
    assert job.extra == kept


@everywhere
def test_the_result_waits_for_the_terminal_callback(profile: Profile) -> None:
    trainer = streaming(profile, callback=None).frame(COMPLETED)
    assert trainer.outcomes(Operation.FOLLOW) == []
    assert trainer.handled().result.job.status == "completed"


@everywhere
@pytest.mark.parametrize("last", [COMPLETED, FAILED])
def test_the_connection_is_closed_after_the_terminal_frame(
    profile: Profile, last: dict[str, object]
) -> None:
    trainer = streaming(profile).frame(last)
    assert (trainer.closed, trainer.rest) == ([2], Done())


@everywhere
def test_the_connection_is_closed_before_the_terminal_callback_ends(profile: Profile) -> None:
    assert streaming(profile, callback=None).frame(COMPLETED).closed == [2]


@everywhere
def test_frames_after_the_terminal_one_are_ignored(profile: Profile) -> None:
    data = frame(COMPLETED, id="1") + frame(log(7), id="2") + frame(FAILED, id="3")
    trainer = streaming(profile).raw(data)
    assert (len(trainer.events), trainer.result.last_event_id) == (1, "1")
    assert trainer.session.last_event_id == "1"


@everywhere
def test_a_second_wait_returns_the_same_result_without_a_request(profile: Profile) -> None:
    trainer = streaming(profile).frame(COMPLETED).follow()
    first, second = trainer.outcomes(Operation.FOLLOW)
    assert first == second
    assert (trainer.routes, len(trainer.events)) == (["create", "stream"], 1)


@everywhere
def test_an_overlapping_wait_joins_the_first(profile: Profile) -> None:
    trainer = streaming(profile).follow().frame(log(1)).follow().frame(COMPLETED)
    assert isinstance(trainer.outcome(), Resolved)
    assert (trainer.routes, trainer.steps) == (["create", "stream"], [1, None])


@everywhere
@pytest.mark.parametrize("stage", STAGES)
def test_a_wait_that_joins_changes_nothing_at_any_stage(profile: Profile, stage: str) -> None:
    trainer = STAGES[stage](profile)
    before = trainer.session.stream_state, trainer.rest, trainer.routes
    trainer.follow()
    assert (trainer.session.stream_state, trainer.rest, trainer.routes) == before
    assert trainer.settled == []


@everywhere
def test_a_wait_that_comes_during_the_terminal_callback_joins_too(profile: Profile) -> None:
    trainer = streaming(profile, callback=None).frame(COMPLETED).follow().handled()
    assert isinstance(trainer.outcome(), Resolved)


@everywhere
def test_a_wait_that_comes_in_back_off_joins_without_hurrying_it(profile: Profile) -> None:
    trainer = streaming(profile).frame(log(1), id="1").eof().follow()
    assert (trainer.routes, trainer.delays) == (["create", "stream"], [1.0])


@everywhere
def test_the_next_event_waits_for_the_callback(profile: Profile) -> None:
    trainer = streaming(profile, callback=None).raw(frame(log(1)) + frame(log(2)))
    one = list(trainer.steps)
    assert (one, trainer.handled().steps) == ([1], [1, 2])


@everywhere
@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_frame_may_arrive_in_pieces(profile: Profile, cut: int) -> None:
    data = frame(log(1), id="1") + frame(COMPLETED, id="2")
    trainer = streaming(profile)
    for start in range(0, len(data), cut):
        if not trainer.outcomes(Operation.FOLLOW):
            trainer.raw(data[start : start + cut])
    assert trainer.steps == [1, None]


@everywhere
def test_the_end_of_a_stream_is_never_the_end_of_the_job(profile: Profile) -> None:
    trainer = streaming(profile).frame(STARTED, id="1").eof()
    assert trainer.is_waiting


@everywhere
def test_no_time_limit_stands_over_a_stream_that_moves(profile: Profile) -> None:
    trainer = streaming(profile)
    for hour in range(2000):
        trainer.frame(log(hour), id=str(hour)).later(44.0)
    assert trainer.routes == ["create", "stream"]


@everywhere
def test_an_attached_trainer_resumes_behind_a_saved_cursor(profile: Profile) -> None:
    trainer = Trainer(profile, job="job-9", last_event_id="41").follow()
    assert trainer.last_event_ids == [b"41"]
