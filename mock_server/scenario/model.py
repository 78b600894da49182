# ruff: noqa: RUF009 - word() declares an attribute, as attrs.field() does
"""The contents of a scenario: the backend, its jobs, the limits of the server, and the rules.

Durations are in seconds here, and in milliseconds (`_ms`) in a scenario file.
"""

from typing import Final

from attrs import frozen

from mock_server.scenario.behaviour import (
    AtEnd,
    Cancelling,
    FanOut,
    Following,
    Idempotency,
    Restart,
    Tenancy,
    Tenant,
    UnknownCursor,
)
from mock_server.scenario.rule import RULE, Rule
from mock_server.scenario.serving import ServingPlan
from mock_server.scenario.vocabulary import FRAMES, Capability, Fate, ScriptedFrame
from mock_server.strict.shapes import Shape, array, choice, either, flag, integer, text
from mock_server.strict.values import milliseconds
from mock_server.strict.words import group, table, word


@frozen(kw_only=True)
class JobPlan:
    """What one job will do. The n-th create uses the n-th plan, or the last if there is no n-th."""

    id: str | None = word(
        text(1000),
        "the job's id; by default, the backend's `job_prefix` followed by a number",
        default=None,
    )
    events: int | tuple[ScriptedFrame, ...] = word(
        either(integer(0, 100_000), FRAMES),
        "how many events the job emits in total, or the events themselves",
        default=6,
    )
    length: int = word(
        integer(0, 1 << 24),
        "the minimum size of the data of a `training.log` event, in bytes",
        default=0,
    )
    status: Fate = word(
        choice(Fate),
        "how the job ends if it is not cancelled; `running` means that it never ends",
        default=Fate.COMPLETED,
    )
    error: str = word(text(), "the error message of the job if it fails", default="the job failed")
    interval: float = word(
        milliseconds(),
        "the time between events; 0 means that each event is emitted as soon as a follower is "
        "ready for it",
        default=0.0,
        name="interval_ms",
    )
    ids: bool = word(flag(), "whether the job's events have ids", default=True)
    id_prefix: str = word(text(500), "the prefix of the job's event ids", default="")
    submitted: bool = word(
        flag(),
        "whether the job exists from the start, as if another client had created it",
        default=False,
    )
    emitted: bool = word(
        flag(),
        "whether the log contains all of the job's events as soon as the job exists",
        default=False,
    )


JOB: Final[Shape[JobPlan]] = table(JobPlan, "a job")


@frozen(kw_only=True)
class BackendPlan:
    """The settings of the backend: tokens, tenants, and how it treats requests."""

    token: str | None = word(
        text(),
        "the only token that the backend accepts; by default it accepts any bearer token",
        default=None,
        secret=True,
    )
    authenticate: bool = word(flag(), "whether a token is required", default=True)
    unknown_cursor: UnknownCursor = word(
        choice(UnknownCursor),
        "the response to a Last-Event-ID that is not the id of any event in the log: every event "
        "again; 410; or only new events",
        default=UnknownCursor.REPLAY,
    )
    at_end: AtEnd = word(
        choice(AtEnd),
        "the response to a resume from the last event of a job that has ended: 200 without a "
        "frame; 200 with an `end` frame; 410; or 204",
        default=AtEnd.EMPTY,
        needs=Capability.BACKEND,
    )
    tenants: tuple[Tenant, ...] = word(
        array(table(Tenant, "a tenant, such as {token = 't', org = 'o', projects = ['p']}"), 100),
        "the tenants, each with a token; the backend accepts no other tokens, and each token gives "
        "access only to the jobs in its tenant's projects",
        default=(),
        needs=Capability.BACKEND,
        secret=True,
    )
    tenancy: Tenancy = word(
        choice(Tenancy),
        "when the backend checks that a job belongs to the token's tenant: on every request; "
        "never; or on every request except those that resume a stream, so that any token can "
        "resume any stream",
        default=Tenancy.CHECKED,
        needs=Capability.BACKEND,
    )
    idempotency: Idempotency = word(
        choice(Idempotency),
        "how the backend treats idempotency keys: it makes one job for each key; ignores the keys; "
        "makes one job for each key unless two create requests with that key overlap; makes one "
        "job for each combination of key and body; or makes one job for each body",
        default=Idempotency.KEPT,
        needs=Capability.BACKEND,
    )
    cancel: Cancelling = word(
        choice(Cancelling),
        "what the backend does with a cancel request: it ends the job; it accepts the request but "
        "lets the job continue; or it marks the job as cancelled even if the job has already ended",
        default=Cancelling.HONOURED,
        needs=Capability.BACKEND,
    )
    follower: Following = word(
        choice(Following),
        "how a job depends on its followers: it continues without them; it pauses while it has "
        "none; or it stops and loses its log when its first follower leaves before the job has "
        "ended",
        default=Following.FREE,
        needs=Capability.BACKEND,
    )
    fan_out: FanOut = word(
        choice(FanOut),
        "how the backend sends a new event: to each follower of the job independently; to only one "
        "follower, a different one each time; to one follower after another, so that a follower "
        "that does not read holds up the others; or to one follower after another, so that a "
        "follower that does not read holds up every other request as well",
        default=FanOut.ALL,
        needs=Capability.BACKEND,
    )
    restart: Restart = word(
        choice(Restart),
        "what a restart of the backend (by `arkor-mock control`) does to the jobs: nothing; it "
        "makes the ids of new events start over at 1; or it makes every unfinished job lose its two "
        "newest events",
        default=Restart.KEPT,
        needs=Capability.BACKEND,
    )
    job_prefix: str = word(
        text(500), "the prefix of the ids that the backend gives to jobs", default="job-"
    )
    reply: str = word(
        text(1 << 20),
        "the text with which the model answers an inference request",
        default="Hello from the model.",
    )
    serving: ServingPlan = group(ServingPlan)


@frozen(kw_only=True)
class Limits:
    """The limits of a server: sizes, times and counts."""

    connections: int = word(
        integer(1, 100_000), "the maximum number of open connections", default=4096
    )
    header_bytes: int = word(
        integer(256, 1 << 24), "the maximum size of a request's head, in bytes", default=65_536
    )
    body_bytes: int = word(
        integer(0, 1 << 30), "the maximum size of a request's body, in bytes", default=8 << 20
    )
    request_time: float = word(
        milliseconds(),
        "the maximum time from the first byte of a request to its last byte",
        default=30.0,
        name="request_ms",
    )
    stall_time: float = word(
        milliseconds(),
        "the maximum length of a stall, a delay or a hang",
        default=600.0,
        name="stall_ms",
    )
    open_bytes: int = word(
        integer(1 << 16, 1 << 36),
        "the maximum total size, in bytes, of the requests that are being read or answered",
        default=32 << 20,
    )
    job_bytes: int = word(
        integer(1 << 16, 1 << 36),
        "the approximate maximum memory, in bytes, for the jobs and projects that clients create",
        default=32 << 20,
    )
    jobs: int = word(
        integer(1, 1_000_000),
        "the maximum number of jobs; to stay within it, the backend forgets jobs that have ended "
        "and have no followers, starting with the one that ended first",
        default=1_000_000,
    )
    records: int = word(
        integer(100, 10_000_000), "the maximum number of records in the journal", default=1_000_000
    )
    journal_bytes: int = word(
        integer(1 << 16, 1 << 36),
        "the approximate maximum memory, in bytes, for the journal",
        default=48 << 20,
    )


@frozen(kw_only=True)
class Scenario:
    """A whole scenario: a backend, its jobs, the limits of the server, and the rules."""

    schema: int = word(integer(1, 1), "the version of the scenario format", default=1)
    name: str = word(text(200), "the name of the scenario in messages", default="")
    seed: int = word(integer(0, 2**63), "the seed for all random choices", default=0)
    backend: BackendPlan = word(
        table(BackendPlan, "the backend's table"),
        "the settings of the backend",
        default=BackendPlan(),
    )
    limits: Limits = word(
        table(Limits, "the limits' table"), "the limits of the server", default=Limits()
    )
    jobs: tuple[JobPlan, ...] = word(
        array(JOB, 10_000),
        "the plans for the jobs, in the order in which they are used",
        default=(),
        name="job",
    )
    rules: tuple[Rule, ...] = word(
        array(RULE, 10_000), "the rules; every matching rule applies", default=(), name="rule"
    )
