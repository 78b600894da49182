"""What a frame means: its data's type decides, and what is no event disturbs nobody."""

import pytest

from arkor_proto import (
    PROFILES,
    CheckpointSaved,
    FrameSkipped,
    Profile,
    TrainingLog,
    TrainingStarted,
)
from tests.arkor_proto.session_driver import streaming
from tests.arkor_proto.wire_samples import (
    COMPLETED,
    STARTED,
    frame,
    log,
)

everywhere = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)


@everywhere
@pytest.mark.parametrize("name", ["message", "training.completed", "log", "PING", "END", "error"])
def test_the_type_in_the_data_decides_not_the_event_name(profile: Profile, name: str) -> None:
    trainer = streaming(profile).frame(log(1), event=name)
    assert isinstance(trainer.events[0], TrainingLog)


@everywhere
@pytest.mark.parametrize("data", ["", "{}", "not json", '{"type": "training.completed"}'])
def test_a_ping_is_never_dispatched_whatever_it_carries(profile: Profile, data: str) -> None:
    trainer = streaming(profile).frame(data, event="ping")
    assert (trainer.events, trainer.notices, trainer.settled) == ([], [], [])


@everywhere
@pytest.mark.parametrize("data", ["", "{}", "not json", "null", '{"type": "training.log"}'])
def test_an_end_resolves_with_the_job_as_last_known(profile: Profile, data: str) -> None:
    trainer = streaming(profile).frame(STARTED, id="1").frame(data, id="2", event="end")
    assert (trainer.result.job.status, trainer.result.artifacts) == ("running", ())
    assert (trainer.result.last_event_id, trainer.closed) == ("2", [2])


@everywhere
def test_an_end_calls_nobody(profile: Profile) -> None:
    assert streaming(profile).frame(COMPLETED, event="end").events == []


@everywhere
def test_an_end_behind_events_waits_for_their_callbacks(profile: Profile) -> None:
    trainer = streaming(profile, callback=None).raw(frame(log(1)) + frame("", event="end"))
    before = list(trainer.settled)
    assert (before, len(trainer.handled().settled)) == ([], 1)


@everywhere
def test_a_wait_after_an_end_returns_the_same_result(profile: Profile) -> None:
    trainer = streaming(profile).frame("", event="end").follow()
    assert trainer.settled[0] == trainer.settled[1]


@everywhere
@pytest.mark.parametrize("data", ["null", "7", "true", '"text"', "[]", "[1, 2]", "1e5"])
def test_json_that_is_no_object_is_skipped(profile: Profile, data: str) -> None:
    trainer = streaming(profile).frame(data).frame(log(1))
    (skipped,) = trainer.heard(FrameSkipped)
    assert skipped.data == data
    assert trainer.steps == [1]


@everywhere
@pytest.mark.parametrize("data", ["", "{", "nope", "{'a': 1}", '{"a": NaN}', "{} {}", "\ufeff{}"])
def test_what_is_no_json_is_skipped(profile: Profile, data: str) -> None:
    trainer = streaming(profile).frame(data).frame(log(1))
    assert (len(trainer.heard(FrameSkipped)), trainer.steps) == (1, [1])


def test_json_deeper_than_any_stack_is_skipped() -> None:
    trainer = streaming().frame('{"a":' * 100_000).frame(log(1))
    assert trainer.steps == [1]


@everywhere
@pytest.mark.parametrize("kind", ["training.paused", "", None, 7, ["training.log"], "ping"])
def test_an_unknown_type_is_ignored(profile: Profile, kind: object) -> None:
    trainer = streaming(profile).frame({"type": kind, "step": 1}).frame(log(2))
    assert (trainer.steps, trainer.notices) == ([2], [])


@everywhere
def test_an_object_without_a_type_is_ignored(profile: Profile) -> None:
    assert streaming(profile).frame({"step": 1}).events == []


@everywhere
def test_figures_that_a_log_leaves_out_are_none(profile: Profile) -> None:
    event = streaming(profile).frame({"type": "training.log", "step": 3, "loss": 0}).events[0]
    assert event == TrainingLog(step=3, loss=0, extra={})


def test_unknown_keys_of_an_event_are_kept() -> None:
    event = streaming().frame({**STARTED, "gpu": "h100"}).events[0]
    assert isinstance(event, TrainingStarted)
    assert event.extra == {"gpu": "h100"}


def test_a_checkpoint_knows_its_step_and_its_artifacts() -> None:
    data = {"type": "checkpoint.saved", "step": 10, "artifacts": [{"url": "u"}], "jobId": "job-1"}
    event = streaming().frame(data).events[0]
    assert event == CheckpointSaved(step=10, artifacts=({"url": "u"},), job_id="job-1", extra={})


@everywhere
def test_the_same_frame_twice_is_two_events(profile: Profile) -> None:
    assert streaming(profile).frame(log(1), id="1").frame(log(1), id="1").steps == [1, 1]


@everywhere
def test_an_unknown_status_of_the_job_is_not_terminal(profile: Profile) -> None:
    trainer = streaming(profile).frame({"type": "job.status", "status": "validating"})
    assert trainer.is_waiting
