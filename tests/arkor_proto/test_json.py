"""Typed values from JSON and back: nothing unknown is lost, nothing unexpected disturbs."""

import json
import weakref
from types import MappingProxyType

import pytest
from attrs.exceptions import FrozenInstanceError
from hypothesis import given
from hypothesis import strategies as st

from arkor_proto import (
    CheckpointSaved,
    JobSpec,
    JsonObject,
    TrainingCompleted,
    TrainingEvent,
    TrainingFailed,
    TrainingJob,
    TrainingLog,
    TrainingStarted,
    decode_event,
    decode_job,
    encode_event_data,
    encode_job,
)

FULL: JsonObject = {
    "id": "j",
    "orgId": "o",
    "projectId": "p",
    "name": "bot",
    "status": "running",
    "config": {"model": "m", "datasetSource": {"type": "blob", "token": "t"}},
    "error": "e",
    "createdAt": "1",
    "startedAt": "2",
    "completedAt": "3",
    "gpu": {"kind": "h100"},
    "nothing": None,
}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
KEYS = st.sampled_from(
    [
        "step",
        "loss",
        "evalLoss",
        "learningRate",
        "samplesPerSecond",
        "epoch",
        "jobId",
        "timestamp",
        "metadata",
        "metrics",
        "artifacts",
        "error",
        "status",
        "name",
        "config",
        "orgId",
        "x",
        "y",
    ]
)
KINDS = ["training.started", "training.log", "checkpoint.saved", "training.completed"]
KINDS.append("training.failed")


def test_a_job_keeps_everything_it_came_with() -> None:
    job = decode_job(FULL)
    assert (job.id, job.org_id, job.project_id, job.name) == ("j", "o", "p", "bot")
    assert (job.created_at, job.started_at, job.completed_at) == ("1", "2", "3")
    assert (job.status, job.error) == ("running", "e")
    assert job.extra == {"gpu": {"kind": "h100"}, "nothing": None}


def test_a_job_goes_back_to_the_json_it_came_from() -> None:
    assert encode_job(decode_job(FULL)) == FULL


def test_a_job_of_nothing_but_an_id_is_a_job() -> None:
    job = decode_job({"id": "j"})
    assert (job.status, job.name, job.config, job.extra) == ("unknown", "", {}, {})


def test_every_job_can_be_written_as_json() -> None:
    assert json.loads(json.dumps(encode_job(TrainingJob(id="j"))))["id"] == "j"


@pytest.mark.parametrize("status", ["validating_files", "", "COMPLETED", "cancelled"])
def test_a_status_is_kept_as_it_came(status: str) -> None:
    assert decode_job({"id": "j", "status": status}).status == (status or "unknown")


@pytest.mark.parametrize("bad", [{}, {"id": ""}, {"id": None}, {"id": 7}, {"id": "."}])
def test_a_job_without_a_usable_id_is_an_error(bad: JsonObject) -> None:
    with pytest.raises(ValueError, match="job id"):
        decode_job(bad)


def test_every_figure_of_a_log_has_its_place() -> None:
    event = decode_event(
        {
            "type": "training.log",
            "step": 1,
            "loss": 0.5,
            "evalLoss": 0.6,
            "learningRate": 1e-4,
            "epoch": 2,
            "samplesPerSecond": 3.5,
            "timestamp": "T",
            "jobId": "j",
        }
    )
    assert event == TrainingLog(
        step=1,
        loss=0.5,
        eval_loss=0.6,
        learning_rate=1e-4,
        epoch=2,
        samples_per_second=3.5,
        timestamp="T",
        job_id="j",
    )


@pytest.mark.parametrize(
    ("data", "event"),
    [
        ({"type": "training.started", "metadata": {"a": 1}}, TrainingStarted(metadata={"a": 1})),
        ({"type": "training.log"}, TrainingLog()),
        ({"type": "checkpoint.saved", "step": 5}, CheckpointSaved(step=5)),
        ({"type": "training.completed", "metrics": {}}, TrainingCompleted(metrics={})),
        ({"type": "training.failed", "error": "e", "step": 2}, TrainingFailed(error="e", step=2)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_type_has_its_event(data: JsonObject, event: TrainingEvent) -> None:
    assert decode_event(data) == event


@pytest.mark.parametrize(
    "data",
    [
        {"step": 7, "loss": 1, "x": True},
        {"step": 7.0, "loss": 1.0, "x": True},
        {"step": 7, "loss": 1.0, "evalLoss": None, "x": True, "jobId": None},
    ],
)
def test_a_log_is_the_same_however_its_numbers_are_written(data: JsonObject) -> None:
    event = decode_event({"type": "training.log", **data})
    assert event == TrainingLog(step=7, loss=1.0, extra={"x": True})


def test_reading_an_event_leaves_the_object_as_it_was() -> None:
    data = {"type": "training.log", "step": 1, "loss": 0.5, "x": 1}
    decode_event(data)
    assert data == {"type": "training.log", "step": 1, "loss": 0.5, "x": 1}


def test_a_log_is_frozen_and_can_be_referred_to_weakly() -> None:
    event = decode_event({"type": "training.log", "step": 1})
    assert event is not None
    assert weakref.ref(event)() is event
    with pytest.raises(FrozenInstanceError):
        event.job_id = "j"  # type: ignore[misc]  # that is the point


@pytest.mark.parametrize("loss", ["0.5", True, [1], {"a": 1}])
def test_a_figure_of_another_type_is_kept_beside(loss: object) -> None:
    event = decode_event({"type": "training.log", "loss": loss})
    assert event == TrainingLog(extra={"loss": loss})


@pytest.mark.parametrize(("step", "expected"), [(10.0, 10), (0, 0), (-1, -1), (10**30, 10**30)])
def test_a_whole_number_is_a_step_however_it_is_written(step: float, expected: int) -> None:
    assert decode_event({"type": "checkpoint.saved", "step": step}) == CheckpointSaved(
        step=expected
    )


@pytest.mark.parametrize("step", [10.5, "10", True])
def test_what_is_no_whole_number_is_no_step(step: object) -> None:
    event = decode_event({"type": "checkpoint.saved", "step": step})
    assert event == CheckpointSaved(extra={"step": step})


@pytest.mark.parametrize("key", ["loss", "step", "jobId"])
def test_a_null_says_as_much_as_an_absence(key: str) -> None:
    assert decode_event({"type": "training.log", key: None}) == TrainingLog()


@pytest.mark.parametrize("kind", [None, 7, "", "training", "Training.Log", ["training.log"]])
def test_another_type_is_no_event(kind: object) -> None:
    assert decode_event({"type": kind}) is None


@given(kind=st.sampled_from(KINDS), data=st.dictionaries(KEYS, JSON))
def test_any_event_survives_the_way_out_and_back(kind: str, data: JsonObject) -> None:
    event = decode_event({**data, "type": kind})
    assert event is not None
    assert decode_event(json.loads(json.dumps(encode_event_data(event)))) == event


@given(kind=st.sampled_from(KINDS), data=st.dictionaries(KEYS, JSON))
def test_nothing_but_a_null_gets_lost(kind: str, data: JsonObject) -> None:
    event = decode_event({**data, "type": kind})
    assert event is not None
    out = encode_event_data(event)
    known = {key: value for key, value in data.items() if value is not None}
    assert {key: as_json(out[key]) for key in known} == known


@given(data=st.dictionaries(KEYS, JSON))
def test_any_job_survives_the_way_out_and_back(data: JsonObject) -> None:
    job = decode_job({**data, "id": "j"})
    assert decode_job(json.loads(json.dumps(encode_job(job)))) == job


def as_json(value: object) -> object:
    """Return `value` as JSON would."""
    again: object = json.loads(json.dumps(value))
    return again


def test_a_config_may_be_any_mapping_and_is_copied() -> None:
    inner = {"a": [1]}
    spec = JobSpec(name="bot", config=MappingProxyType({"inner": MappingProxyType(inner)}))
    inner["b"] = [2]
    assert spec.config == {"inner": {"a": [1]}}
