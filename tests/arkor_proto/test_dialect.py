"""What JSON means: `NaN`, huge numbers, lone surrogates, depth, and members of other types."""

import json
import pickle
import sys
from collections.abc import Callable
from types import MappingProxyType

import pytest

from arkor_proto import (
    CheckpointSaved,
    FrameSkipped,
    JobSpec,
    Operation,
    Rejected,
    ResponseError,
    Session,
    SessionConfig,
    StatusError,
    TrainingCompleted,
    TrainingFailed,
    TrainingJob,
    TrainingLog,
    TrainingStarted,
    decode_event,
    decode_job,
    encode_event_data,
    encode_job,
)
from tests.arkor_proto.session_driver import Trainer, following, streaming
from tests.arkor_proto.wire_samples import (
    COMPLETED,
    ENDPOINT,
    SPEC,
    job_answer,
)

DEPTHS = pytest.mark.parametrize("depth", [151, 500, 1_000, 5_000, 100_000])
SHAPES = pytest.mark.parametrize("shape", [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
LONG = "9" * 5_000
LOADS: dict[str, Callable[[str], object] | None] = {
    "the core's own": None,
    "plain json.loads": json.loads,
    "one that takes NaN for null": lambda text: json.loads(text, parse_constant=lambda _: None),
}
DECODERS = pytest.mark.parametrize("loads", LOADS.values(), ids=LOADS)


def nested(shape: tuple[str, str], depth: int) -> str:
    """Return a JSON text that is nested so deeply."""
    opening, closing = shape
    return opening * depth + "1" + closing * depth


def trainer_with(loads: Callable[[str], object] | None) -> Trainer:
    """Return a trainer whose stream is open, with a decoder of its own."""
    trainer = Trainer()
    config = SessionConfig(endpoint=ENDPOINT, job=SPEC)
    trainer.session = Session(config, json_loads=loads)
    return trainer.follow().accept().open()


@DECODERS
@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize(
    "template",
    [
        '{"type": "training.log", "step": 1, "loss": %s}',
        '{"type": "training.log", "step": %s}',
        '{"type": "training.log", "step": 1, "unknown": %s}',
        '{"type": "training.log", "step": 1, "unknown": [%s]}',
        '{"type": "checkpoint.saved", "step": 1, "artifacts": [{"id": %s}]}',
        '{"type": "training.started", "metadata": {"a": {"b": [%s]}}}',
        '{"type": "training.completed", "metrics": {"loss": %s}}',
        '{"type": "training.failed", "error": "no", "step": %s}',
        '{"type": "training.unheard.of", "x": %s}',
    ],
)
def test_nan_and_infinity_make_a_frame_malformed(
    loads: Callable[[str], object] | None, template: str, constant: str
) -> None:
    trainer = trainer_with(loads).frame(template % constant, id="7")
    assert (trainer.events, trainer.is_waiting) == ([], True)
    (skipped,) = trainer.heard(FrameSkipped)
    assert skipped.why == f"not JSON: {constant} is not JSON"
    assert trainer.session.last_event_id == "7"


@DECODERS
def test_nan_in_a_string_is_a_word(loads: Callable[[str], object] | None) -> None:
    text = '{"type": "training.log", "step": 1, "note": "NaN, Infinity"}'
    trainer = trainer_with(loads).frame(text)
    assert trainer.events == [TrainingLog(step=1, extra={"note": "NaN, Infinity"})]


@pytest.mark.parametrize("answer", ['{"job": {"id": "j", "x": NaN}}', "Infinity", '{"job": -'])
def test_a_create_answered_with_nan_is_not_answered_with_json(answer: str) -> None:
    trainer = Trainer().start().answer("create", body=answer.encode())
    assert isinstance(trainer.error(Operation.START), ResponseError)


def test_a_refusal_with_nan_is_told_as_text() -> None:
    trainer = Trainer().start().refuse(422, b'{"error": NaN}', name="create")
    error = trainer.error(Operation.START)
    assert isinstance(error, StatusError)
    assert (error.status, error.message) == (422, '{"error": NaN}')


@DECODERS
@pytest.mark.parametrize("number", ["1e999", "-1e999", "1E+400", "9" * 309, "-" + LONG, LONG])
@pytest.mark.parametrize("key", ["step", "loss", "evalLoss", "epoch", "learningRate", "unknown"])
def test_a_number_beyond_a_double_is_null(
    loads: Callable[[str], object] | None, key: str, number: str
) -> None:
    trainer = trainer_with(loads).frame(f'{{"type": "training.log", "{key}": {number}}}')
    (event,) = trainer.events
    assert isinstance(event, TrainingLog)
    assert {value for name, value in encode_event_data(event).items() if name != "type"} <= {None}
    assert json.loads(json.dumps(encode_event_data(event), allow_nan=False))["type"]


@pytest.mark.parametrize("number", ["1e999", "9" * 309, LONG])
@pytest.mark.parametrize(
    "template", ['"metrics": {"a": [%s]}', '"artifacts": [%s, 1]', '"unknown": {"a": %s}']
)
def test_a_number_beyond_a_double_does_not_hide_the_end(template: str, number: str) -> None:
    trainer = streaming().frame(f'{{"type": "training.completed", {template % number}}}')
    assert trainer.result.job.status == "completed"
    assert json.dumps(encode_event_data(trainer.events[0]), allow_nan=False)


def test_the_largest_numbers_of_a_double_are_numbers() -> None:
    most = int(sys.float_info.max)
    text = f'{{"type": "training.log", "step": {most}, "loss": {-sys.float_info.max!r}}}'
    (event,) = streaming().frame(text).events
    assert event == TrainingLog(step=most, loss=-sys.float_info.max)


@pytest.mark.parametrize("number", [float("inf"), 10**400, -(10**400)])
def test_an_event_made_from_an_object_has_no_number_beyond_a_double(number: float) -> None:
    event = decode_event({"type": "training.log", "step": number, "loss": number, "x": [number]})
    assert event == TrainingLog(extra={"x": [None]})


def test_a_job_has_no_number_beyond_a_double() -> None:
    body = f'{{"job": {{"id": "j", "config": {{"a": 1e999}}, "x": {LONG}}}}}'
    trainer = Trainer().start().answer("create", body=body.encode())
    job = trainer.session.job
    assert job is not None
    assert (job.config, job.extra) == ({"a": None}, {"x": None})


@SHAPES
@DEPTHS
def test_a_frame_that_is_nested_too_deeply_is_skipped(shape: tuple[str, str], depth: int) -> None:
    deep = nested(shape, depth)
    trainer = streaming().frame(f'{{"type": "training.log", "x": {deep}}}', id="1")
    trainer.frame(f'{{"type": "training.completed", "metrics": {deep}}}', id="2").frame(deep)
    assert (trainer.events, len(trainer.heard(FrameSkipped))) == ([], 3)
    assert trainer.frame(COMPLETED, id="3").result.last_event_id == "3"


@SHAPES
@DEPTHS
@pytest.mark.parametrize("name", ["create", "stream", "cancel"])
def test_a_refusal_that_is_nested_too_deeply_keeps_its_status(
    shape: tuple[str, str], depth: int, name: str
) -> None:
    trainer = Trainer().follow() if name == "create" else following()
    trainer = trainer.cancel() if name == "cancel" else trainer
    body = f'{{"error": "no", "x": {nested(shape, depth)}}}'.encode()
    trainer.refuse(418, body, name=name)
    if name == "stream":
        assert "418" in repr(trainer.notices[-1])
        return
    error = trainer.error(Operation.CANCEL if name == "cancel" else Operation.FOLLOW)
    assert isinstance(error, StatusError)
    assert error.status == 418
    assert str(pickle.loads(pickle.dumps(error))) == str(error)  # noqa: S301 - our own


@SHAPES
@DEPTHS
def test_a_create_answered_too_deeply_rejects_and_may_be_tried_again(
    shape: tuple[str, str], depth: int
) -> None:
    body = f'{{"job": {{"id": "j", "x": {nested(shape, depth)}}}}}'.encode()
    trainer = Trainer().start().answer("create", body=body)
    assert isinstance(trainer.outcome(Operation.START), Rejected)
    assert trainer.start().accept().session.job is not None


def test_what_is_nested_a_hundred_levels_deep_is_read_shown_and_written() -> None:
    deep = nested(('{"a":', "}"), 100)
    trainer = streaming().frame(f'{{"type": "training.completed", "metrics": {deep}}}')
    assert "{'a': 1}" in repr(trainer.result) + repr(trainer.events)
    assert json.loads(json.dumps(encode_event_data(trainer.events[0])))["metrics"]


def test_a_value_made_by_hand_is_shown_as_far_as_it_can_be() -> None:
    deep: dict[str, object] = {}
    for _ in range(5_000):
        deep = {"a": deep}
    assert "…" in repr(TrainingJob(id="j", extra=deep))
    with pytest.raises(ValueError, match="nested more than 150 levels deep"):
        decode_event({"type": "training.log", "x": deep})
    with pytest.raises(ValueError, match="config: cannot be written as JSON"):
        JobSpec(name="bot", config=deep)


@pytest.mark.parametrize("text", ["\ud800", "a\udfffb", "\ude00\ud83d"])
def test_a_lone_surrogate_breaks_nothing(text: str) -> None:
    spelled = json.dumps(text)
    trainer = Trainer().follow().answer("create", body=job_answer(name=text, error=text)).open()
    trainer.frame(f'{{"type": "training.started", "metadata": {{{spelled}: {spelled}}}}}', id="1")
    trainer.frame(f'{{"type": "checkpoint.saved", "artifacts": [{{"id": {spelled}}}]}}', id="2")
    trainer.eof().due().open()
    trainer.frame(f'{{"type": "training.failed", "error": {spelled}}}')
    assert trainer.last_event_ids == [None, b"2"]
    assert trainer.result.job.error == text
    assert repr(trainer.outputs).isascii()
    assert json.loads(json.dumps(encode_job(trainer.result.job)))["error"] == text


def test_a_refusal_with_a_lone_surrogate_can_be_told() -> None:
    trainer = Trainer().start().refuse(400, b'{"error": "\\ud800"}', name="create")
    assert repr(trainer.error(Operation.START)).isascii()


@pytest.mark.parametrize("bad", ["text", 7, True, [1], {"a": 1}, None])
def test_a_terminal_frame_is_terminal_whatever_its_members_are(bad: object) -> None:
    members = dict.fromkeys(("error", "step", "artifacts", "metrics", "jobId", "timestamp"), bad)
    completed = streaming().frame({"type": "training.completed", **members})
    failed = streaming().frame({"type": "training.failed", **members})
    assert (completed.result.job.status, failed.result.job.status) == ("completed", "failed")
    assert completed.result.artifacts == ((1,) if bad == [1] else ())


@pytest.mark.parametrize("kind", ["training.started", "training.log", "checkpoint.saved"])
def test_an_event_without_members_is_an_event(kind: str) -> None:
    (event,) = streaming().frame({"type": kind}).events
    assert event in [TrainingStarted(), TrainingLog(), CheckpointSaved()]


@pytest.mark.parametrize("error", ["out of memory", {"message": "out of memory"}])
def test_a_completed_job_has_no_error_of_before(error: object) -> None:
    trainer = Trainer().follow().accept(error=error, status=5, startedAt="T0").open()
    trainer.frame(COMPLETED)
    job = trainer.result.job
    assert (job.error, job.started_at) == (None, "T0")
    assert "error" not in encode_job(job)
    assert encode_job(job)["status"] == "completed"


def test_a_failed_job_has_the_error_of_its_end_alone() -> None:
    trainer = Trainer().follow().accept(error={"message": "old"}).open()
    trainer.frame({"type": "training.failed"})
    assert "error" not in encode_job(trainer.result.job)
    assert trainer.events == [TrainingFailed()]


def test_a_member_of_another_type_is_kept_beside() -> None:
    assert decode_event({"type": "training.completed", "metrics": []}) == TrainingCompleted(
        extra={"metrics": []}
    )
    assert decode_job({"id": "j", "error": 5}).extra == {"error": 5}


UNTOUCHED = [
    {"type": "training.log", "step": 1, "loss": 0.5, "note": "n", "seen": [1e999]},
    {"type": "training.log", "step": "one", "loss": 1, "note": None},
    {"type": "checkpoint.saved", "step": 1, "artifacts": [{"id": "a"}]},
    {"type": "training.unheard.of", "x": 1},
]


@pytest.mark.parametrize("source", UNTOUCHED)
def test_decoding_leaves_the_object_as_it_was(source: dict[str, object]) -> None:
    before = dict(source)
    decode_event(source)
    assert source == before


@pytest.mark.parametrize("source", UNTOUCHED)
def test_a_decoder_may_hand_out_the_same_object_twice(source: dict[str, object]) -> None:
    trainer = trainer_with(lambda _: source)
    for number in "12":
        trainer.frame(json.dumps({"any": "text"}), id=number)
    again = [decode_event(source)] * 2
    assert trainer.events == [event for event in again if event is not None]


def test_a_decoder_may_return_any_mapping() -> None:
    source = {"type": "training.log", "step": 3, "more": [1]}
    trainer = trainer_with(lambda _: MappingProxyType(source))
    trainer.frame(json.dumps({"any": "text"}), id="1")
    assert trainer.events == [TrainingLog(step=3, extra={"more": [1]})]


@pytest.mark.parametrize("step", [-1, 0, 999_999_999, 1_000_000_000, 2**53, 2**64])
def test_a_step_of_any_size_is_taken(step: int) -> None:
    event = decode_event({"type": "training.log", "step": step, "loss": 0.5, "more": 1.5})
    assert event == TrainingLog(step=step, loss=0.5, extra={"more": 1.5})


@pytest.mark.parametrize("value", [float("nan"), [float("nan")], {"a": {"b": float("nan")}}])
def test_a_nan_in_a_member_that_is_unknown_is_refused_in_a_usual_log(value: object) -> None:
    with pytest.raises(ValueError, match="NaN is not JSON"):
        decode_event({"type": "training.log", "step": 1, "loss": 0.5, "unknown": value})


@pytest.mark.parametrize("value", [float("inf"), -float("inf"), 10**400])
def test_a_number_beyond_a_double_is_null_in_a_usual_log(value: float) -> None:
    event = decode_event({"type": "training.log", "step": 1, "loss": 0.5, "unknown": value})
    assert event == TrainingLog(step=1, loss=0.5, extra={"unknown": None})


@DECODERS
@pytest.mark.parametrize(("text", "kind"), [("[]", "list"), ("1", "int"), ("null", "NoneType")])
def test_a_frame_that_is_not_an_object_is_skipped(
    loads: Callable[[str], object] | None, text: str, kind: str
) -> None:
    trainer = trainer_with(loads).frame(text)
    (skipped,) = trainer.heard(FrameSkipped)
    assert skipped.why == f"{kind}, not a JSON object"
