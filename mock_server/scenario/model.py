# ruff: noqa: RUF009 - word() declares an attribute, as attrs.field() does
"""The vocabulary of a scenario, as values: what the backend is and which faults it commits.

It knows every word, its shape, its meaning and the capability it needs of a carrier. It refuses to
know files, frames in flight and sockets. Durations are seconds here and `_ms` in a scenario.
"""

from collections.abc import Mapping
from typing import Final

from attrs import frozen

from mock_server.scenario.vocabulary import (
    FRAME,
    FRAMES,
    Accepting,
    After,
    Damage,
    Ending,
    Fate,
    Framing,
    Insert,
    LineEnding,
    Lost,
    Outage,
    Resume,
    ScriptedFrame,
    Select,
    Shift,
    SliceAt,
    Stall,
    TlsFault,
    UnknownCursor,
    check_stall,
)
from mock_server.strict.shapes import (
    Shape,
    anything,
    array,
    choice,
    either,
    flag,
    header_text,
    hex_bytes,
    integer,
    mapping,
    milliseconds,
    number,
    text,
)
from mock_server.strict.words import table, word

_INSERT: Final = table(Insert, "frames, or {before = [...], after = [...]}")
_SHIFT: Final = table(Shift, "{overlap = n} or {gap = n}")


def _insertion() -> Shape[Insert]:
    inner = either(FRAMES, _INSERT)

    def read(value: object, where: str) -> Insert:
        found = inner.read(value, where)
        return found if isinstance(found, Insert) else Insert(before=found)

    return Shape(inner.kinds, inner.says, read, inner.schema)


def _header_values() -> Shape[str | tuple[str, ...]]:
    inner = either(header_text(), array(header_text(), 64))
    says = f"{header_text().says}, or an array of such strings"
    return Shape(inner.kinds, says, inner.read, inner.schema)


def _copies() -> Shape[int]:
    inner = either(flag(), integer(0, 1000))
    return Shape(
        inner.kinds,
        "true or a number of extra copies",
        lambda value, where: int(inner.read(value, where)),
        inner.schema,
    )


@frozen(kw_only=True)
class Rule:
    """One rule: which units it is about (`on`) and what happens to them.

    The unit is a connection when `on` names a connection, a frame when `on` picks frames, and an
    exchange (one request and its response) otherwise.
    """

    on: Select = word(table(Select, "a selection"), "what the rule is about", default=Select())
    name: str = word(text(200), "a name for messages and the journal", default="")

    # connection
    accept: Accepting | None = word(
        choice(Accepting),
        "the connection is accepted, then reset, closed, left hanging or answered with garbage",
        default=None,
        needs="listener",
    )
    tls: TlsFault | None = word(
        choice(TlsFault), "what goes wrong under TLS", default=None, needs="tls_raw"
    )
    listener: Outage | None = word(
        choice(Outage),
        "after the exchange the port is down or swallows connections",
        default=None,
        needs="listener",
    )
    listener_for: float = word(
        milliseconds(), "how long the outage lasts", default=0.3, name="listener_ms"
    )

    # request
    lose: Lost | None = word(
        choice(Lost),
        "the request never reached the backend, or it did and the response is lost",
        default=None,
        needs="raw",
    )
    slow_read: int | None = word(
        integer(1, 1 << 30),
        "the request's body is read at so many bytes per second",
        default=None,
        needs="raw",
    )

    # head
    delay: float = word(
        milliseconds(),
        "a pause before the head, or before each picked frame",
        default=0.0,
        name="delay_ms",
    )
    jitter: float = word(
        milliseconds(), "spreads the delay by up to this much", default=0.0, name="jitter_ms"
    )
    status: int | None = word(integer(200, 999), "answers with this status", default=None)
    reason: str | None = word(header_text(), "the reason phrase", default=None)
    headers: Mapping[str, str | tuple[str, ...]] | None = word(
        mapping(_header_values()),
        "headers added or replaced; an array sends the field so many times, an empty one takes it "
        "out",
        default=None,
    )
    body: str | None = word(text(1 << 24), "the body, as text", default=None)
    json: object = word(anything(), "the body, as JSON", default=None)
    body_hex: bytes | None = word(
        hex_bytes(), "the body, in hexadecimal, with no Content-Type of its own", default=None
    )
    retry_after: float | None = word(
        number(0, 86_400), "a Retry-After header, in seconds", default=None
    )
    content_type: str | None = word(header_text(), "the Content-Type header", default=None)
    redirect: str | None = word(
        header_text(), "a Location header, with status 307 unless another is given", default=None
    )
    early: tuple[int, ...] = word(
        array(integer(100, 199), 16),
        "informational heads before the answer, such as 103",
        default=(),
        needs="raw",
    )
    content_length: tuple[int, ...] = word(
        array(integer(0, 1 << 40), 8),
        "Content-Length headers as given, true or not, one or several",
        default=(),
        needs="raw",
    )
    raw_head: str | None = word(
        text(1 << 16), "the head as it stands, blank line included", default=None, needs="raw"
    )
    raw_head_hex: bytes | None = word(
        hex_bytes(), "the head as it stands, in hexadecimal", default=None, needs="raw"
    )
    framing: Framing | None = word(
        choice(Framing), "how a stream's length is told", default=None, needs="raw"
    )

    # stream
    frames: tuple[ScriptedFrame, ...] | None = word(
        FRAMES, "the frames of the answer, instead of the backend's", default=None
    )
    drop: bool = word(flag(), "the frame is not sent", default=False, needs="frame")
    duplicate: int = word(_copies(), "the frame is sent again", default=0, needs="frame")
    reorder: int = word(
        _copies(), "the frame is held back until so many others passed", default=0, needs="frame"
    )
    corrupt: Damage | None = word(
        choice(Damage), "bytes of the frame are damaged; seeded", default=None, needs="frame"
    )
    replace: ScriptedFrame | None = word(
        FRAME, "another frame goes in its place", default=None, needs="frame"
    )
    inject: Insert | None = word(
        _insertion(), "frames go before or after it", default=None, needs="frame"
    )
    strip_id: bool = word(flag(), "its id field is taken out", default=False, needs="frame")
    line_ending: LineEnding | None = word(
        choice(LineEnding), "its lines end in this", default=None, needs="frame"
    )
    slice: int | SliceAt | None = word(
        either(integer(1, 1 << 20), choice(SliceAt)),
        "the frame leaves in pieces of n bytes, or cut at a hard place",
        default=None,
        needs="frame",
    )
    coalesce: int | None = word(
        integer(2, 10_000), "so many frames leave in one write", default=None, needs="frame"
    )
    rate: int | None = word(
        integer(1, 1 << 30), "bytes per second at most", default=None, needs="frame"
    )
    bom: bool = word(flag(), "a byte order mark opens the stream", default=False, needs="frame")
    stall: Stall | None = word(
        table(Stall, "{ms = n} or {gate = 'name'}", check_stall),
        "a pause, at `after` or before each picked frame",
        default=None,
        needs="frame",
    )

    # end
    after: After | None = word(
        table(After, "a point of the stream, such as {frames = 2}"),
        "where `end` or `stall` happens; without it at the end, or at the start for a stall",
        default=None,
        needs="frame",
    )
    end: Ending | None = word(choice(Ending), "how the response ends", default=None)
    extra: str | None = word(
        text(1 << 20), "bytes after the end of the response", default=None, needs="raw"
    )
    extra_hex: bytes | None = word(
        hex_bytes(), "the same in hexadecimal", default=None, needs="raw"
    )

    # resume
    resume: Resume | Shift | None = word(
        either(choice(Resume), _SHIFT),
        "what becomes of Last-Event-ID",
        default=None,
        needs="backend",
    )


@frozen(kw_only=True)
class JobPlan:
    """What one job will do. The n-th create takes the n-th plan, later ones the last plan."""

    id: str | None = word(
        text(1000), "the job's id; else the backend's `job_prefix` and a number", default=None
    )
    events: int | tuple[ScriptedFrame, ...] = word(
        either(integer(0, 100_000), FRAMES),
        "how many events it emits in all, or the events themselves",
        default=6,
    )
    length: int = word(
        integer(0, 1 << 24), "the least size of a log event's data, in bytes", default=0
    )
    status: Fate = word(choice(Fate), "how it ends by itself", default=Fate.COMPLETED)
    error: str = word(text(), "the error of a failed job", default="the job failed")
    interval: float = word(
        milliseconds(),
        "time between events; 0: an event is emitted when a follower is ready for it",
        default=0.0,
        name="interval_ms",
    )
    ids: bool = word(flag(), "its events carry ids", default=True)
    id_prefix: str = word(text(500), "what its event ids begin with", default="")
    submitted: bool = word(
        flag(), "it exists from the start, created by somebody else", default=False
    )
    emitted: bool = word(
        flag(), "its events have happened before anybody follows it", default=False
    )


RULE: Final[Shape[Rule]] = table(Rule, "a rule")
JOB: Final[Shape[JobPlan]] = table(JobPlan, "a job")


@frozen(kw_only=True)
class BackendPlan:
    """What the backend knows and demands."""

    token: str | None = word(
        text(),
        "the only token it accepts; without it any bearer token will do",
        default=None,
        secret=True,
    )
    authenticate: bool = word(flag(), "whether a token is demanded", default=True)
    unknown_cursor: UnknownCursor = word(
        choice(UnknownCursor),
        "a Last-Event-ID it never sent: everything again, or 410",
        default=UnknownCursor.REPLAY,
    )
    job_prefix: str = word(
        text(500), "what the ids of jobs without an id of their own begin with", default="job-"
    )
    reply: str = word(text(1 << 20), "what inference answers", default="Hello from the model.")


@frozen(kw_only=True)
class Limits:
    """How much of anything a server takes."""

    connections: int = word(integer(1, 100_000), "open connections", default=4096)
    header_bytes: int = word(integer(256, 1 << 24), "a request's head", default=65_536)
    body_bytes: int = word(integer(0, 1 << 30), "a request's body", default=8 << 20)
    request_time: float = word(
        milliseconds(), "for a request to arrive once begun", default=30.0, name="request_ms"
    )
    stall_time: float = word(
        milliseconds(), "the longest stall, delay or hang", default=600.0, name="stall_ms"
    )
    open_bytes: int = word(
        integer(1 << 16, 1 << 36),
        "bytes of requests that are being read or answered, of all connections together",
        default=32 << 20,
    )
    job_bytes: int = word(
        integer(1 << 16, 1 << 36),
        "memory of the jobs and projects that clients made, roughly",
        default=32 << 20,
    )
    records: int = word(integer(100, 10_000_000), "records kept in the journal", default=1_000_000)
    journal_bytes: int = word(
        integer(1 << 16, 1 << 36), "memory of the journal, roughly", default=48 << 20
    )


@frozen(kw_only=True)
class Scenario:
    """A backend and its faults, whole."""

    schema: int = word(integer(1, 1), "the version of this vocabulary", default=1)
    name: str = word(text(200), "a name for messages", default="")
    seed: int = word(integer(0, 2**63), "what every chance is drawn from", default=0)
    backend: BackendPlan = word(
        table(BackendPlan, "the backend's table"), "the backend", default=BackendPlan()
    )
    limits: Limits = word(table(Limits, "the limits' table"), "bounds", default=Limits())
    jobs: tuple[JobPlan, ...] = word(
        array(JOB, 10_000), "the jobs, in order", default=(), name="job"
    )
    rules: tuple[Rule, ...] = word(
        array(RULE, 10_000),
        "the rules, all that match act",
        default=(),
        name="rule",
    )
