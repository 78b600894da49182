"""What the followers count: events that are lost, duplicated or repeated, job by job.

The events of a job are numbered, because the mock's log of a job is known: it starts, logs step 1, 2, …,
saves a checkpoint and completes. So a follower needs no list of them, and takes no memory of its own.
"""

import threading
from collections import Counter
from collections.abc import Callable
from enum import Enum
from random import Random
from typing import Final

from attrs import define, field

from tests.soak.backend import EVENTS

LAST: Final = EVENTS - 1
"""The number of the event that completes a job."""
_EVERY: Final = 50


class Plant(Enum):
    """A promise that is broken on purpose, to see that the run notices it."""

    EVENT = "event"
    """Every event is kept."""
    RECONNECT = "reconnect"
    """One small object is kept for each lost stream."""
    LOSS = "loss"
    """The check does not get one event in fifty."""
    DOUBLE = "double"
    """The check gets one event in fifty twice."""
    DESCRIPTOR = "descriptor"
    """A descriptor stays open for each follower."""


class Todo(Enum):
    """What a follower does after an event."""

    GO_ON = "go on"
    CANCEL = "cancel"
    ABORT = "abort"


@define(eq=False)
class Tally:
    """What all followers have seen; threads may use it."""

    counts: Counter[str] = field(factory=Counter[str])
    first_error: str = ""
    highest_job: int = 0
    """The number of the last job that the backend made, as far as is known."""
    kept: list[object] = field(factory=list[object])
    """What a planted leak keeps."""
    _lock: threading.Lock = field(factory=threading.Lock, init=False)

    def add(self, name: str, count: int = 1) -> None:
        """Count something."""
        with self._lock:
            self.counts[name] += count

    def fail(self, error: Exception) -> None:
        """Count a job that was not followed to its end."""
        self.add("failures")
        self.first_error = self.first_error or f"{type(error).__name__}: {error}"

    def create(self, job: str) -> None:
        """Take the id of a job that was created."""
        self.add("jobs")
        with self._lock:
            self.highest_job = max(self.highest_job, int(job.rpartition("-")[2]))


@define(eq=False)
class JobCheck:
    """One job, followed by one follower from its first event to its last."""

    tally: Tally
    expected: int = 0
    """The number of the next event."""
    completed: bool = False
    _same_stream: bool = False
    """Whether no stream was lost since the last event."""

    def hear(self, number: int) -> None:
        """Take an event that was called back."""
        self.tally.add("frames")
        if number == self.expected - 1 and self._same_stream:
            # Duplicates of the backend are delivered (ARK-EVT-25): it may be one of those.
            self.tally.add("repeated")
            return
        if number < self.expected:
            self.tally.add("duplicated")
            return
        self.tally.add("lost", number - self.expected)
        self.expected = number + 1
        self.completed = number == LAST
        self._same_stream = True

    def reconnect(self) -> None:
        """Take the notice that the stream was lost."""
        self.tally.add("reconnects")
        self.cut()

    def cut(self) -> None:
        """Expect the next event from another stream."""
        self._same_stream = False

    def end(self, cursor: str) -> None:
        """Take the end of the job: `cursor` is the id of its last frame, and ids count from 1.

        The frame that ends a cancelled job is the last of the log, and is not called back.
        """
        missing = (
            LAST + 1 - self.expected if self.completed else int(cursor or 0) - 1 - self.expected
        )
        self.tally.add("lost", max(0, missing))
        self.tally.add("completed" if self.completed else "cancelled")


@define(eq=False)
class Plan:
    """What one follower does with one job."""

    check: JobCheck
    at: int
    """After which event it cancels or aborts."""
    todo: Todo
    from_start: bool
    """Whether it follows an aborted job from its beginning again."""
    is_ending: Callable[[], bool]
    plants: frozenset[Plant] = frozenset()
    done: bool = False

    @classmethod
    def drawn(
        cls, random: Random, tally: Tally, is_ending: Callable[[], bool], plants: frozenset[Plant]
    ) -> "Plan":
        """Draw a plan: half of the jobs are followed to their own end, others end early."""
        todo = random.choices(list(Todo), (5, 3, 2))[0]
        at = random.randrange(LAST)
        return cls(JobCheck(tally), at, todo, random.random() < 0.5, is_ending, plants)

    def hear(self, event: object, number: int | None) -> Todo:
        """Take an event; return what is to be done now."""
        tally = self.check.tally
        number = -1 if number is None else number
        if Plant.EVENT in self.plants:
            tally.kept.append(event)
        special = tally.counts["frames"] % _EVERY
        if special == 1 and Plant.LOSS in self.plants:
            tally.add("frames")
            return Todo.GO_ON
        self.check.hear(number)
        if special == _EVERY // 2 and Plant.DOUBLE in self.plants:
            self.check.cut()
            self.check.hear(number)
        if self.is_ending() and not self.check.completed:
            return Todo.CANCEL
        if self.done or number < self.at or self.check.completed:
            return Todo.GO_ON
        return self.todo

    def resume(self, cursor: str) -> str:
        """Return from where an aborted job is followed: the cursor, or the beginning."""
        if not self.from_start:
            self.check.cut()
            return cursor
        self.check = JobCheck(self.check.tally)
        return ""

    def reconnect(self, notice: object) -> None:
        """Take the notice that a stream was lost."""
        self.check.reconnect()
        if Plant.RECONNECT in self.plants:
            self.check.tally.kept.append(object())
        del notice
