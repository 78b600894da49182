"""The values of the protocol: what a client is told, what it sends, what it gets back."""

from typing import TypeAlias

from attrs import field, frozen

from arkor_proto._address import Origin, read_origin
from arkor_proto._checks import IS_STR, is_base_url, is_header_value, is_text, is_token, json_copy
from arkor_proto._secrets import headers_repr, hidden_repr, masked_repr
from arkor_proto._value import Value
from arkor_proto._walk import JsonObject

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""Header fields as they are on the wire, in order."""


@frozen(kw_only=True, repr=False, eq=False)
class Endpoint(Value):
    """Whom to talk to, as whom.

    Raises ValueError for an address or a token that cannot be sent, TypeError for what is not a str.
    """

    base_url: str = field(validator=[IS_STR, is_base_url])
    token: str = field(default="", repr=hidden_repr, validator=[IS_STR, is_token])
    org: str = field(default="", validator=[IS_STR, is_text])
    project: str = field(default="", validator=[IS_STR, is_text])
    client: str = field(default="arkor-proto", validator=[IS_STR, is_header_value])
    """What `X-Arkor-Client` says: `<name>/<version>`."""

    @property
    def origin(self) -> Origin:
        """Where `base_url` leads, and what `Host` says of it."""
        return read_origin(self.base_url)

    @property
    def path(self) -> str:
        """The path in front of every route, without a slash at its end."""
        return "".join(self.base_url.partition("://")[2].partition("/")[1:]).rstrip("/")


@frozen(kw_only=True, repr=False, eq=False)
class Bounds(Value):
    """How much of an answer is read before it is called too large; bytes, and seconds."""

    event: int = 8 * 2**20
    create_body: int = 2**20
    create_wait: float = 30.0
    error_body: int = 64 * 2**10
    error_wait: float = 5.0


@frozen(kw_only=True, repr=False, eq=False)
class JobSpec(Value):
    """What to train. `config` is the job's configuration as it goes on the wire, dataset included.

    It is copied, so that what is submitted is what was given. Raises ValueError where JSON cannot
    hold it.
    """

    name: str = field(validator=IS_STR)
    config: JsonObject = field(repr=masked_repr, converter=json_copy)


@frozen(kw_only=True, repr=False, eq=False)
class TrainingJob(Value):
    """A job as the backend describes it; `status` is an open set and kept as it came.

    Known statuses are queued, running, completed, failed and cancelled. Times are the backend's
    own strings. `extra` holds the keys that this library does not know.
    """

    id: str
    name: str = ""
    status: str = "unknown"
    org_id: str | None = None
    project_id: str | None = None
    config: JsonObject = field(factory=dict[str, object], repr=masked_repr)
    error: str | None = None
    created_at: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    extra: JsonObject = field(factory=dict[str, object], repr=masked_repr)


@frozen(kw_only=True, repr=False, eq=False)
class TrainingResult(Value):
    """How a job ended: the job as last known, its artifacts, and the cursor of the last frame."""

    job: TrainingJob
    artifacts: tuple[object, ...] = field(default=(), repr=masked_repr)
    last_event_id: str = ""


@frozen(kw_only=True, repr=False, eq=False)
class TrainingStarted(Value):
    """The job runs."""

    job_id: str | None = None
    timestamp: str | None = None
    metadata: JsonObject | None = field(default=None, repr=masked_repr)
    extra: JsonObject = field(factory=dict[str, object], repr=masked_repr)


class LogDraft:
    """A log being filled: nearly all frames are logs, so that what one costs counts.

    To make a frozen value takes as long as to read its JSON, most of it to get around being frozen.
    A draft is filled by plain stores, and is then as frozen as any other (see `_event.py`).
    """

    __slots__ = (
        "__weakref__",
        "epoch",
        "eval_loss",
        "extra",
        "job_id",
        "learning_rate",
        "loss",
        "samples_per_second",
        "step",
        "timestamp",
    )

    step: int | None
    loss: float | None
    eval_loss: float | None
    learning_rate: float | None
    epoch: float | None
    samples_per_second: float | None
    job_id: str | None
    timestamp: str | None
    extra: JsonObject


@frozen(kw_only=True, repr=False, eq=False)
class TrainingLog(LogDraft, Value):
    """One step's figures; a figure that the frame lacks is None."""

    step: int | None = None
    loss: float | None = None
    eval_loss: float | None = None
    learning_rate: float | None = None
    epoch: float | None = None
    samples_per_second: float | None = None
    job_id: str | None = None
    timestamp: str | None = None
    extra: JsonObject = field(factory=dict[str, object], repr=masked_repr)


@frozen(kw_only=True, repr=False, eq=False)
class CheckpointSaved(Value):
    """A checkpoint was saved; it can be asked for inference by its step."""

    step: int | None = None
    artifacts: tuple[object, ...] = field(default=(), repr=masked_repr)
    job_id: str | None = None
    timestamp: str | None = None
    extra: JsonObject = field(factory=dict[str, object], repr=masked_repr)


@frozen(kw_only=True, repr=False, eq=False)
class TrainingCompleted(Value):
    """The job ended well. Terminal."""

    metrics: JsonObject | None = field(default=None, repr=masked_repr)
    artifacts: tuple[object, ...] = field(default=(), repr=masked_repr)
    job_id: str | None = None
    timestamp: str | None = None
    extra: JsonObject = field(factory=dict[str, object], repr=masked_repr)


@frozen(kw_only=True, repr=False, eq=False)
class TrainingFailed(Value):
    """The job ended badly; the wait resolves all the same. Terminal."""

    error: str | None = None
    step: int | None = None
    job_id: str | None = None
    timestamp: str | None = None
    extra: JsonObject = field(factory=dict[str, object], repr=masked_repr)


TrainingEvent: TypeAlias = (
    TrainingStarted | TrainingLog | CheckpointSaved | TrainingCompleted | TrainingFailed
)


@frozen(repr=False, eq=False)
class Request(Value):
    """One HTTP request as a value. `target` is in origin form: path and query."""

    method: str
    target: str
    headers: Headers = field(repr=headers_repr)
    body: bytes = field(default=b"", repr=lambda body: f"<{len(body)} bytes>")


@frozen(kw_only=True, repr=False, eq=False)
class Reconnecting(Value):
    """The stream is over for now and will be reopened in `delay` seconds.

    `failures` counts the consecutive failures, 0 after a clean end; `cause` is the last one.
    """

    failures: int
    delay: float
    cause: Exception | None
    last_event_id: str


@frozen(repr=False, eq=False)
class CallbackFailed(Value):
    """A callback raised and the profile goes on: the event is lost, the error is not."""

    event: TrainingEvent
    error: Exception


@frozen(repr=False, eq=False)
class FrameSkipped(Value):
    """A frame was not a JSON object and was skipped; its id has moved the cursor."""

    data: str
    why: str


@frozen(repr=False, eq=False)
class Deprecated(Value):
    """The backend says that what this client does will stop working (`Deprecation: true`)."""

    message: str
    sunset: str | None


@frozen(repr=False, eq=False)
class UpgradeRequired(Value):
    """The backend refuses this client's version (426)."""

    current_version: str | None
    supported_range: str | None
    upgrade: str | None


Notice: TypeAlias = Reconnecting | CallbackFailed | FrameSkipped | Deprecated | UpgradeRequired
"""What the user should hear of although no operation ends."""
