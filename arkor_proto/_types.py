"""The values of the protocol: a client's settings, requests, jobs, events and notices."""

from typing import TypeAlias

from attrs import field, frozen

from arkor_proto._address import Origin, read_origin
from arkor_proto._checks import IS_STR, is_base_url, is_header_value, is_text, is_token, json_copy
from arkor_proto._secrets import headers_repr, hidden_repr, masked_repr
from arkor_proto._value import Value
from arkor_proto._walk import JsonObject

Headers: TypeAlias = tuple[tuple[bytes, bytes], ...]
"""Header fields as sent on the wire, in order."""


@frozen(kw_only=True, repr=False, eq=False)
class Endpoint(Value):
    """The backend's address, and the credentials to use there.

    Raises ValueError for a value that cannot be sent, and TypeError for one that is not a str.
    """

    base_url: str = field(validator=[IS_STR, is_base_url])
    token: str = field(default="", repr=hidden_repr, validator=[IS_STR, is_token])
    org: str = field(default="", validator=[IS_STR, is_text])
    project: str = field(default="", validator=[IS_STR, is_text])
    client: str = field(default="arkor-proto", validator=[IS_STR, is_header_value])
    """The value of `X-Arkor-Client`: `<name>/<version>`."""

    @property
    def origin(self) -> Origin:
        """The origin of `base_url`; its `authority` is the value of `Host`."""
        return read_origin(self.base_url)

    @property
    def path(self) -> str:
        """The path that precedes every route, without a trailing slash."""
        return "".join(self.base_url.partition("://")[2].partition("/")[1:]).rstrip("/")


@frozen(kw_only=True, repr=False, eq=False)
class Bounds(Value):
    """Limits on how many bytes of a response are read, and on how many seconds that may take."""

    event: int = 8 * 2**20
    create_body: int = 2**20
    create_wait: float = 30.0
    error_body: int = 64 * 2**10
    error_wait: float = 5.0


@frozen(kw_only=True, repr=False, eq=False)
class JobSpec(Value):
    """What to train. `config` is the job's configuration as sent on the wire, dataset included.

    The configuration is copied, so later changes to it do not affect what is submitted. Raises
    ValueError if it cannot be written as JSON.
    """

    name: str = field(validator=IS_STR)
    config: JsonObject = field(repr=masked_repr, converter=json_copy)


@frozen(kw_only=True, repr=False, eq=False)
class TrainingJob(Value):
    """A job as the backend describes it; `status` may be any string and is kept as received.

    Known statuses are queued, running, completed, failed and cancelled. Times are strings as the
    backend sent them. `extra` holds the keys that this library does not recognise.
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
    """The outcome of a job: its last known state, its artifacts, and the cursor of the last frame."""

    job: TrainingJob
    artifacts: tuple[object, ...] = field(default=(), repr=masked_repr)
    last_event_id: str = ""


@frozen(kw_only=True, repr=False, eq=False)
class TrainingStarted(Value):
    """The job is running."""

    job_id: str | None = None
    timestamp: str | None = None
    metadata: JsonObject | None = field(default=None, repr=masked_repr)
    extra: JsonObject = field(factory=dict[str, object], repr=masked_repr)


class LogDraft:
    """A `TrainingLog` under construction. Nearly all frames are logs, so creating one must be fast.

    Creating a frozen value takes as long as parsing its JSON, because attrs has to get around
    the immutability for every field. So the fields of a draft are set by plain assignments, and
    then its class is changed to `TrainingLog`, which makes it as frozen as any other value.
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
    """The figures for one step; a figure missing from the frame is None."""

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
    """A checkpoint was saved; inference calls refer to it by its step."""

    step: int | None = None
    artifacts: tuple[object, ...] = field(default=(), repr=masked_repr)
    job_id: str | None = None
    timestamp: str | None = None
    extra: JsonObject = field(factory=dict[str, object], repr=masked_repr)


@frozen(kw_only=True, repr=False, eq=False)
class TrainingCompleted(Value):
    """The job succeeded. This event is terminal."""

    metrics: JsonObject | None = field(default=None, repr=masked_repr)
    artifacts: tuple[object, ...] = field(default=(), repr=masked_repr)
    job_id: str | None = None
    timestamp: str | None = None
    extra: JsonObject = field(factory=dict[str, object], repr=masked_repr)


@frozen(kw_only=True, repr=False, eq=False)
class TrainingFailed(Value):
    """The job failed; waiting for it still returns a result. This event is terminal."""

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
    """The stream has ended and will be reopened in `delay` seconds.

    `failures` is the number of consecutive failures, and `cause` is the error of the last one; they
    are 0 and None after a clean end.
    """

    failures: int
    delay: float
    cause: Exception | None
    last_event_id: str


@frozen(repr=False, eq=False)
class CallbackFailed(Value):
    """A callback raised an exception that does not end the wait; the event is not redelivered."""

    event: TrainingEvent
    error: Exception


@frozen(repr=False, eq=False)
class FrameSkipped(Value):
    """A frame was skipped because it was not a JSON object; its id still moved the cursor."""

    data: str
    why: str


@frozen(repr=False, eq=False)
class Deprecated(Value):
    """The backend warns that something this client uses will stop working (`Deprecation: true`)."""

    message: str
    sunset: str | None


@frozen(repr=False, eq=False)
class UpgradeRequired(Value):
    """The backend refuses this client's version (426)."""

    current_version: str | None
    supported_range: str | None
    upgrade: str | None


Notice: TypeAlias = Reconnecting | CallbackFailed | FrameSkipped | Deprecated | UpgradeRequired
"""Something that the user should know but that does not end an operation."""
