"""Converts JSON to typed values and back.

ARK-WIR and ARK-EVT define the JSON. Decoding is as tolerant as the protocol allows: a key that is
unknown, or whose value has an unexpected type, is kept in `extra`; only a missing essential value
is an error.
"""

from collections.abc import Mapping
from typing import Final

from attrs import fields

from arkor_proto._checks import check_kind, wrong_kind
from arkor_proto._dialect import bounded, decode_json
from arkor_proto._errors import ResponseError
from arkor_proto._types import (
    CheckpointSaved,
    LogDraft,
    TrainingCompleted,
    TrainingEvent,
    TrainingFailed,
    TrainingJob,
    TrainingLog,
    TrainingStarted,
)
from arkor_proto._walk import JsonObject, is_array, is_object

EVENT_TYPES: Final[Mapping[type[TrainingEvent], str]] = {
    TrainingStarted: "training.started",
    TrainingLog: "training.log",
    CheckpointSaved: "checkpoint.saved",
    TrainingCompleted: "training.completed",
    TrainingFailed: "training.failed",
}

_OBJECT: Final = "the object that json.loads returns for the text"

TERMINAL_STATUSES: Final = frozenset({"completed", "failed", "cancelled"})
"""The statuses of a job that has ended."""


def camel(name: str) -> str:
    """Return the camelCase wire name for a snake_case `name`."""
    head, *tail = name.split("_")
    return head + "".join(word.capitalize() for word in tail)


def check_job_id(job_id: str) -> str:
    """Return `job_id`; raise ValueError if it cannot be a path segment (ARK-WIR).

    Raises TypeError if it is not a str.
    """
    check_kind("job id", job_id, str, "the id as a str")
    if job_id in {"", ".", ".."} or any("\ud800" <= char <= "\udfff" for char in job_id):
        raise ValueError(f"job id: {job_id!r} cannot be used as a path segment")
    return job_id


def read_object(body: bytes, what: str, problem: str = "") -> JsonObject:
    """Return the JSON object in `body`; raise ResponseError if there is none.

    `problem` explains why the body is not JSON, if the response's head shows the reason.
    """
    try:
        value = bounded(decode_json(body.decode("utf-8-sig")))
    except ValueError as error:
        raise ResponseError(f"{what}: {problem or f'the response is not JSON: {error}'}") from error
    if not is_object(value):
        raise ResponseError(
            f"{what}: the response must be a JSON object, not {type(value).__name__}"
        )
    return value


def read_job(body: bytes, what: str, problem: str = "") -> TrainingJob:
    """Return the job in a response `{"job": {…}}`; raise ResponseError if there is none."""
    job = read_object(body, what, problem).get("job")
    if not is_object(job) or not isinstance(job.get("id"), str):
        raise ResponseError(f'{what}: the response has no job; expected {{"job": {{"id": …}}}}')
    try:
        return decode_job(job)
    except ValueError as error:
        raise ResponseError(f"{what}: {error}") from error


def read_end(body: bytes, job_id: str) -> TrainingJob | None:
    """Return the job in a response if it is `job_id` and has ended; otherwise return None."""
    try:
        job = read_job(body, "job")
    except ResponseError:
        return None
    return job if job.id == job_id and job.status in TERMINAL_STATUSES else None


class _Fields:
    """Takes members out of an object one by one, but leaves those of an unexpected type in `rest`.

    A null counts as absent. Raises ValueError for values that JSON cannot represent.
    """

    __slots__ = ("rest",)

    def __init__(self, source: JsonObject) -> None:
        self.rest = {name: bounded(value) for name, value in source.items()}

    def text(self, key: str) -> str | None:
        value = self.rest.pop(key, None)
        if value is None or isinstance(value, str):
            return value
        self.rest[key] = value
        return None

    def integer(self, key: str) -> int | None:
        value = self.number(key)
        if isinstance(value, float) and not value.is_integer():
            self.rest[key] = value
            return None
        return None if value is None else int(value)

    def number(self, key: str) -> float | None:
        value = self.rest.pop(key, None)
        if value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)):
            return value
        self.rest[key] = value
        return None

    def mapping(self, key: str) -> JsonObject | None:
        value = self.rest.pop(key, None)
        if value is None or is_object(value):
            return value
        self.rest[key] = value
        return None

    def array(self, key: str) -> tuple[object, ...]:
        value = self.rest.pop(key, None)
        if value is None or is_array(value):
            return tuple(value or ())
        self.rest[key] = value
        return ()


def decode_job(source: JsonObject) -> TrainingJob:
    """Return the job that a JSON object describes; raise ValueError if it has no usable id.

    Raises TypeError if `source` is not a mapping, for example if it is the JSON text.
    """
    check_kind("decode_job", source, Mapping, _OBJECT)
    taken = _Fields(source)
    return TrainingJob(
        id=check_job_id(taken.text("id") or ""),
        name=taken.text("name") or "",
        status=taken.text("status") or "unknown",
        org_id=taken.text("orgId"),
        project_id=taken.text("projectId"),
        config=taken.mapping("config") or {},
        error=taken.text("error"),
        created_at=taken.text("createdAt"),
        started_at=taken.text("startedAt"),
        completed_at=taken.text("completedAt"),
        extra=taken.rest,
    )


_MANY: Final = 1_000_000_000


def decode_event(source: JsonObject) -> TrainingEvent | None:
    """Return the event in a frame's data, or None for an event type that this version ignores.

    Raises ValueError for values that JSON cannot represent or that are nested too deeply, and
    TypeError if `source` is not a mapping, for example if it is the JSON text.
    """
    check_kind("decode_event", source, Mapping, _OBJECT)
    return take_event(dict(source))


def take_event(rest: dict[str, object]) -> TrainingEvent | None:
    """Do the same as `decode_event`, but consume the dict: what is left of it becomes `extra`.

    Nearly all frames are `training.log` events whose members have the usual types. The fast path
    for them takes a third of the time.
    """
    if rest.get("type") != "training.log":
        return _any_event(rest)
    pop = rest.pop
    step, loss, eval_loss = pop("step", None), pop("loss", None), pop("evalLoss", None)
    epoch, rate = pop("epoch", None), pop("learningRate", None)
    speed, timestamp = pop("samplesPerSecond", None), pop("timestamp", None)
    job_id = pop("jobId", None)
    if (  # infinity minus infinity is not 0
        type(step) is int
        and 0 <= step < _MANY
        and (loss is None or (type(loss) is float and loss - loss == 0.0))
        and (eval_loss is None or (type(eval_loss) is float and eval_loss - eval_loss == 0.0))
        and (rate is None or (type(rate) is float and rate - rate == 0.0))
        and (epoch is None or (type(epoch) is float and epoch - epoch == 0.0))
        and (speed is None or (type(speed) is float and speed - speed == 0.0))
        and (job_id is None or type(job_id) is str)
        and (timestamp is None or type(timestamp) is str)
    ):
        del rest["type"]
        for name, value in rest.items():
            if type(value) is not str:
                rest[name] = bounded(value)
        draft = LogDraft()
        draft.step, draft.loss, draft.eval_loss = step, loss, eval_loss
        draft.epoch, draft.learning_rate, draft.samples_per_second = epoch, rate, speed
        draft.job_id, draft.timestamp, draft.extra = job_id, timestamp, rest
        draft.__class__ = TrainingLog
        return draft  # type: ignore[return-value]  # its class was just changed
    taken = {"step": step, "loss": loss, "evalLoss": eval_loss, "epoch": epoch}
    taken |= {"learningRate": rate, "samplesPerSecond": speed}
    return _any_event({**rest, **taken, "timestamp": timestamp, "jobId": job_id})


def _any_event(source: JsonObject) -> TrainingEvent | None:
    taken = _Fields(source)
    kind = taken.text("type")
    job_id, timestamp = taken.text("jobId"), taken.text("timestamp")
    match kind:
        case "training.log":
            return TrainingLog(
                step=taken.integer("step"),
                loss=taken.number("loss"),
                eval_loss=taken.number("evalLoss"),
                learning_rate=taken.number("learningRate"),
                epoch=taken.number("epoch"),
                samples_per_second=taken.number("samplesPerSecond"),
                job_id=job_id,
                timestamp=timestamp,
                extra=taken.rest,
            )
        case "training.started":
            return TrainingStarted(
                metadata=taken.mapping("metadata"),
                job_id=job_id,
                timestamp=timestamp,
                extra=taken.rest,
            )
        case "checkpoint.saved":
            return CheckpointSaved(
                step=taken.integer("step"),
                artifacts=taken.array("artifacts"),
                job_id=job_id,
                timestamp=timestamp,
                extra=taken.rest,
            )
        case "training.completed":
            return TrainingCompleted(
                metrics=taken.mapping("metrics"),
                artifacts=taken.array("artifacts"),
                job_id=job_id,
                timestamp=timestamp,
                extra=taken.rest,
            )
        case "training.failed":
            return TrainingFailed(
                error=taken.text("error"),
                step=taken.integer("step"),
                job_id=job_id,
                timestamp=timestamp,
                extra=taken.rest,
            )
        case _:
            return None


def _encode(value: TrainingEvent | TrainingJob) -> dict[str, object]:
    known: dict[str, object] = {}
    for attribute in fields(type(value)):
        inner: object = getattr(value, attribute.name)
        if attribute.name != "extra" and inner is not None:
            known[camel(attribute.name)] = inner
    return {**known, **value.extra}


def encode_event_data(event: TrainingEvent) -> dict[str, object]:
    """Return an event as a JSON object; the inverse of `decode_event`.

    Raises TypeError if `event` is not an event.
    """
    if type(event) not in EVENT_TYPES:
        raise wrong_kind("encode_event_data", event, "an event, such as TrainingLog(step=1)")
    return {"type": EVENT_TYPES[type(event)], **_encode(event)}


def encode_job(job: TrainingJob) -> dict[str, object]:
    """Return a job as a JSON object; the inverse of `decode_job`.

    Raises TypeError if `job` is not a TrainingJob.
    """
    check_kind("encode_job", job, TrainingJob, "a TrainingJob")
    return _encode(job)
