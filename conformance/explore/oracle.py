"""Predict how a client that follows every rule handles a schedule of faults.

The oracle is written from the specification alone and shares no code with the core: where they
disagree, one of them is wrong. It predicts one wait, from its first request to its end, with
nominal delays and without sockets, clocks or random numbers.
"""

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Final

from attrs import define, field, frozen

from conformance.strict_data import Json

INITIAL_MS: Final = 1000
MAX_MS: Final = 60_000
_TRANSIENT: Final = frozenset({404, 408, 409, 425, 429})  # the job is young: 404 is transient
_PERMANENT: Final[Mapping[str, frozenset[int]]] = {
    "2026-05": frozenset(),
    "2026-07": frozenset({401, 403, 410, 426}),
    "hardened": frozenset(range(400, 500)) - _TRANSIENT,
}


class Kind(Enum):
    """The kind of a frame in a schedule."""

    STARTED = "training.started"
    LOG = "training.log"
    CHECKPOINT = "checkpoint.saved"
    COMPLETED = "training.completed"
    FAILED = "training.failed"
    UNKNOWN = "training.paused"
    PING = "ping"
    END = "end"
    MALFORMED = "malformed"
    NAN = "a terminal event that contains NaN"
    NOT_AN_OBJECT = "JSON, but not an object"
    BEYOND = "a log event with a number too large for a double"
    COMMENT = "comment"
    ID_ONLY = "id only"


CALLBACK: Final[Mapping[Kind, str]] = {
    Kind.STARTED: "started",
    Kind.LOG: "log",
    Kind.CHECKPOINT: "checkpoint",
    Kind.COMPLETED: "completed",
    Kind.FAILED: "failed",
    Kind.BEYOND: "log",
}
_TERMINAL: Final[Mapping[Kind, str]] = {Kind.COMPLETED: "completed", Kind.FAILED: "failed"}
_NO_FRAME: Final = frozenset({Kind.COMMENT, Kind.ID_ONLY})
_KEEP_ALIVE: Final = _NO_FRAME | {Kind.PING}
_LOST_END: Final = frozenset({Kind.NAN, Kind.NOT_AN_OBJECT})  # both say "training.completed"
_OVER: Final = frozenset({"completed", "failed", "cancelled"})
_NO_JSON: Final = frozenset({Kind.PING, Kind.MALFORMED, Kind.NAN, Kind.NOT_AN_OBJECT})


@frozen
class Frame:
    """One frame of a stream; a frame without an id does not move the cursor."""

    kind: Kind
    id: str | None = None


@frozen
class Attempt:
    """The backend's response to one stream request; `clean` says whether a 200 ends cleanly."""

    status: int = 200
    frames: tuple[Frame, ...] = ()
    clean: bool = True


@frozen
class Trigger:
    """An action that the application takes during the `nth` call of one callback."""

    does: str  # throw_in, abort_in or cancel_in
    callback: str
    nth: int


@frozen(kw_only=True)
class Schedule:
    """What the backend and the application do during one wait; the last attempt is repeated.

    `job` is the status that the backend reports when the client requests the job.
    """

    profile: str
    attempts: tuple[Attempt, ...]
    max_attempts: int
    trigger: Trigger | None = None
    job: str = "running"


class Does(Enum):
    """The kinds of observable steps that a client takes."""

    OPENS = "opens the stream"
    CALLS = "calls"
    ASKS = "reads the job"
    SLEEPS = "sleeps"
    SETTLES = "wait settles:"


@frozen
class Step:
    """One step of a client: its kind and, for most kinds, a cursor, callback, delay or result."""

    does: Does
    what: str = ""

    def __str__(self) -> str:
        return f"{self.does.value} {self.what}".strip()


@frozen(kw_only=True)
class Prediction:
    """The observable behaviour of a client that follows every rule.

    `steps` lists everything in order, except cancels, which overlap other steps. `progress` says,
    for each stream request, whether its stream made progress.
    """

    steps: tuple[Step, ...]
    progress: tuple[bool, ...]
    cursors: tuple[str, ...]
    sleeps: tuple[int, ...]
    callbacks: tuple[str, ...]
    result: Mapping[str, Json]
    cancels: int
    questions: int


@define
class _Over(Exception):
    """Raised to end the wait with a result."""

    result: Mapping[str, Json]


@define
class _Broke(Exception):
    """Raised when a callback fails and the profile makes the client reopen the stream."""


@define
class _Wait:
    schedule: Schedule
    cursor: str = ""
    failures: int = 0
    cancels: int = 0
    questions: int = 0
    lost_end: bool = False
    seen: set[str] = field(factory=set[str])
    cursors: list[str] = field(factory=list[str])
    sleeps: list[int] = field(factory=list[int])
    callbacks: list[str] = field(factory=list[str])
    steps: list[Step] = field(factory=list[Step])
    progress: list[bool] = field(factory=list[bool])

    def attempt(self, attempt: Attempt) -> None:
        """Process one stream request and its response; raise _Over if that ends the wait."""
        self.cursors.append(self.cursor)
        self.steps.append(Step(Does.OPENS, after(self.cursor)))
        self.progress.append(False)
        self.seen.add(self.cursor)
        self.lost_end = False
        resumed = bool(self.cursor)
        if attempt.status in _PERMANENT[self.schedule.profile]:
            raise _Over({"error": "http", "code": attempt.status})
        progressed = False
        clean = attempt.status == 200 and attempt.clean  # noqa: PLR2004 - the one that opens
        try:
            for frame in attempt.frames if attempt.status == 200 else ():  # noqa: PLR2004 - OK
                progressed |= self.frame(frame)
                self.progress[-1] = progressed
        except _Broke:
            clean = False
        empty = all(frame.kind in _KEEP_ALIVE for frame in attempt.frames)
        if attempt.status == 200 and ((clean and empty and resumed) or self.lost_end):  # noqa: PLR2004 - OK
            self.ask()
        if clean and progressed:
            self.sleep(INITIAL_MS)
        else:
            self.fail()

    def ask(self) -> None:
        """Request the job if the profile says so; raise _Over if the job has ended (ARK-STR-18)."""
        if self.schedule.profile != "hardened":
            return
        self.questions += 1
        self.steps.append(Step(Does.ASKS))
        if self.schedule.job in _OVER:
            raise _Over({"status": self.schedule.job})

    def fail(self) -> None:
        """Count a failure; raise _Over if the budget is exhausted."""
        if self.failures == self.schedule.max_attempts:
            raise _Over({"error": "gave_up"})
        self.sleep(min(INITIAL_MS * 2**self.failures, MAX_MS))
        self.failures += 1

    def sleep(self, ms: int) -> None:
        """Record a delay before the next stream request."""
        self.sleeps.append(ms)
        self.steps.append(Step(Does.SLEEPS, f"{ms} ms"))

    def frame(self, frame: Frame) -> bool:
        """Process one frame; return whether it counted as progress. May raise _Over or _Broke."""
        new = frame.id is None or frame.id not in self.seen
        if frame.id is not None:
            self.cursor = frame.id
        if frame.kind in _NO_FRAME:
            return False
        if frame.id is not None:
            self.seen.add(frame.id)
        progress = self.is_progress(frame, new=new)
        if progress:
            self.failures = 0
        if frame.kind is Kind.END:
            raise _Over({"ok": {"artifacts": []}})
        if frame.kind in CALLBACK:
            self.lost_end = False
            self.call(frame.kind)
        self.lost_end |= frame.kind in _LOST_END
        return progress

    def is_progress(self, frame: Frame, *, new: bool) -> bool:
        """Return whether a frame counts as progress under the profile."""
        if self.schedule.profile == "2026-05":
            return True
        if frame.kind in _NO_JSON:
            return False
        return new or self.schedule.profile == "2026-07"

    def call(self, kind: Kind) -> None:
        """Record a callback; raise _Over if it ends the wait, _Broke if it breaks the stream."""
        name = CALLBACK[kind]
        self.callbacks.append(name)
        self.steps.append(Step(Does.CALLS, name))
        trigger = self.schedule.trigger
        does = ""
        if trigger is not None and (trigger.callback, trigger.nth) == (
            name,
            self.callbacks.count(name),
        ):
            does = trigger.does
        if does == "abort_in":
            raise _Over({"error": "aborted"})
        if does == "cancel_in":
            self.cancels += 1
        if does == "throw_in" and self.schedule.profile != "2026-05":
            raise _Over({"error": "callback"})
        if kind in _TERMINAL:
            raise _Over({"status": _TERMINAL[kind]})
        if does == "throw_in":
            raise _Broke


def after(cursor: str | None) -> str:
    """Return the cursor of a stream request as text, such as `after '3'`."""
    return f"after {cursor!r}" if cursor else "without a cursor"


def settled(result: Mapping[str, Json]) -> str:
    """Describe how a wait settles: with which kind of error, or with which job status."""
    if "error" in result:
        return f"{result['error']} {result.get('code', '')}".strip()
    return f"resolved, job {result['status']}" if "status" in result else "resolved"


def predict(schedule: Schedule) -> Prediction:
    """Predict how a client that follows every rule behaves when faced with `schedule`.

    Raise ValueError if the schedule never ends the wait.
    """
    wait = _Wait(schedule)
    try:
        for attempt in _served(schedule):
            wait.attempt(attempt)
    except _Over as over:
        settles = Step(Does.SETTLES, settled(over.result))
        return Prediction(
            steps=(*wait.steps, settles),
            progress=tuple(wait.progress),
            cursors=tuple(wait.cursors),
            sleeps=tuple(wait.sleeps),
            callbacks=tuple(wait.callbacks),
            result=over.result,
            cancels=wait.cancels,
            questions=wait.questions,
        )
    raise ValueError("the schedule never ends the wait; put a terminal frame in its last attempt")


def _served(schedule: Schedule) -> Iterator[Attempt]:
    yield from schedule.attempts
    for _ in range(schedule.max_attempts + 2):
        yield schedule.attempts[-1]
