# ruff: noqa: RUF009 - word() declares an attribute, as attrs.field() does
"""What rules, jobs and the backend have in common: enums, frames and selections.

Durations are in seconds here, and in milliseconds (`_ms`) in a scenario file.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from attrs import frozen

from arkor_proto import encode_event
from mock_server.strict.shapes import (
    ScenarioError,
    anything,
    array,
    choice,
    flag,
    integer,
    mapping,
    number,
    text,
)
from mock_server.strict.values import Span, hex_bytes, milliseconds, span
from mock_server.strict.words import given, table, word

MANY: Final = 1_000_000
_WHOLE: Final = frozenset({"raw", "bytes_hex", "comment"})
_FORMS: Final = _WHOLE | {"data", "json"}
"""A frame has at most one of these words; those in `_WHOLE` exclude fields such as `id`."""


class Capability(StrEnum):
    """A capability that a carrier (the program that injects the faults) may have."""

    BACKEND = "backend"
    """The carrier is the backend itself, so it decides where a stream resumes."""
    LISTENER = "listener"
    """The carrier controls the listening port, and connections that are idle between requests."""
    RAW = "raw"
    """The carrier controls which bytes a connection carries, and how the connection ends."""
    FRAME = "frame"
    """The carrier sees a stream frame by frame."""
    TLS_RAW = "tls_raw"
    """The carrier controls the TLS session itself, such as its handshake and its alerts."""
    FULL_QUEUE = "full_queue"
    """The carrier's kernel ignores connections while its accept queue is full (only on Linux)."""


class Route(StrEnum):
    """The kinds of requests that rules can select."""

    CREATE = "create"
    STREAM = "stream"
    CANCEL = "cancel"
    JOB = "job"
    CHAT = "chat"
    PROJECTS = "projects"
    ANONYMOUS = "anonymous"
    ME = "me"
    OTHER = "other"


class JobStatus(StrEnum):
    """The states of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Fate(StrEnum):
    """How a scripted job ends on its own; with `running`, it never ends."""

    COMPLETED = "completed"
    FAILED = "failed"
    RUNNING = "running"


@frozen(kw_only=True)
class ScriptedFrame:
    """One frame written by hand: fields, or `raw` text, or bytes in hexadecimal, or a comment."""

    id: str | None = word(text(), "the id field", default=None)
    event: str | None = word(text(), "the event field", default=None)
    data: str | None = word(
        text(1 << 24), "the data; each line is sent as a `data:` line of its own", default=None
    )
    json: object = word(anything(), "the data, as JSON", default=None)
    raw: str | None = word(text(1 << 24), "text sent verbatim", default=None)
    bytes_hex: bytes | None = word(hex_bytes(), "bytes sent verbatim", default=None)
    comment: str | None = word(text(), "a comment, in a block of its own", default=None)
    retry: int | None = word(
        integer(0, 2**53), "the retry field, in milliseconds", default=None, name="retry_ms"
    )
    delay: float = word(
        milliseconds(), "how long to wait before the frame is sent", default=0.0, name="delay_ms"
    )
    gate: str | None = word(
        text(100), "the gate that must open before the frame is sent", default=None
    )


def _check_frame(frame: ScriptedFrame, where: str) -> None:
    words = [word.name for word, _ in given(frame)]
    forms = [name for name in words if name in _FORMS]
    fields = {"id", "event", "retry_ms"}.intersection(words)
    if len(forms) > 1:
        raise ScenarioError(f"{where}: {' and '.join(forms)} cannot be combined; keep one")
    if fields and forms and forms[0] in _WHOLE:
        raise ScenarioError(
            f"{where}: {forms[0]} cannot be combined with id, event and retry_ms; use data or "
            "json, or write these fields into raw"
        )
    if not fields and not forms:
        raise ScenarioError(
            f"{where}: is an empty frame; add data, json, raw, bytes_hex or comment"
        )
    try:
        encode_event(frame.data or "", type=frame.event or "message", id=frame.id)
    except ValueError as error:
        raise ScenarioError(f"{where}.{error}; or use raw, which is sent verbatim") from None


FRAME: Final = table(ScriptedFrame, "a frame, such as {id = '1', data = '{}'}", _check_frame)
FRAMES: Final = array(FRAME)


@frozen(kw_only=True)
class Select:
    """Which connections, exchanges or frames a rule applies to; all conditions must hold."""

    route: Route | None = word(choice(Route), "the kind of request", default=None)
    job: str | None = word(
        text(), "the id of the job in the request's path, percent-decoded", default=None
    )
    attempt: Span | None = word(
        span(),
        "the request's number within its route, counting from 1 (with `job`: within its route and job)",
        default=None,
    )
    connection: Span | None = word(span(), "the connection's number, counting from 1", default=None)
    frame: Span | None = word(
        span(),
        "the frame's number within its response, counting from 1",
        default=None,
        needs="frame",
    )
    id: str | None = word(text(), "frames with this id", default=None, needs="frame")
    event: str | None = word(
        text(), "frames whose event field has this value", default=None, needs="frame"
    )
    type: str | None = word(
        text(), "frames whose JSON data has this `type`", default=None, needs="frame"
    )
    last: bool = word(
        flag(),
        "frames that end the job: `training.completed`, `training.failed` or `end`",
        default=False,
        needs="frame",
    )
    header: Mapping[str, str] | None = word(
        mapping(text()),
        "request headers by name: the exact value, `*` for any value, or `!` if it must be absent",
        default=None,
    )
    method: str | None = word(text(1000), "the request's method", default=None)
    probability: float = word(
        number(0, 1),
        "the probability that the rule fires when it matches; the seed determines each outcome",
        default=1.0,
    )
    times: int | None = word(
        integer(1, MANY), "the maximum number of times that the rule fires", default=None
    )

    @property
    def picks_frames(self) -> bool:
        """Whether the rule applies to individual frames."""
        return (
            self.frame is not None
            or self.id is not None
            or self.event is not None
            or self.type is not None
            or self.last
        )
