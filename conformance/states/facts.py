"""The facts about a session's past that are needed to check its promises."""

from typing import Final

from attrs import Factory, define, frozen

from arkor_proto import HARDENED, CallbackErrors, Operation, Profile, Progress
from conformance.states.samples import LOG

MAX_ATTEMPTS: Final = 1
"""The reconnect budget in every world: one retry before the wait gives up."""
_OK: Final = 200


@define
class Line:
    """An open exchange: the kind of request, how far into the log its stream is, and the status."""

    call: str
    sent: int
    status: int = 0


@frozen
class Running:
    """A running callback; `current` is False once its wait has been left or aborted."""

    delivery: int
    event: int
    current: bool = True


@frozen
class Before:
    """The facts that are needed to check a move, as they were before it."""

    asked: frozenset[Operation]
    calls: frozenset[str]
    job_known: bool
    aborted: bool
    finished: bool


@define
class Facts:
    """What is visible outside a session; `remembers` says whether the backend resumes streams."""

    profile: Profile = HARDENED
    attached: bool = False
    remembers: bool = True
    lines: dict[int, Line] = Factory(dict[int, Line])
    running: list[Running] = Factory(list[Running])
    asked: set[Operation] = Factory(set[Operation])
    heard: int = 0
    opened: int = 0
    closed: int = 0
    accepted: bool = False
    aborted: bool = False
    failures: int = 0
    """The number of failures in a row, as the specification counts them."""
    progressed: bool = False
    """Whether the latest stream has made progress."""
    status: int = 0
    """The status of the latest stream's response; 0 if no response has arrived."""

    @property
    def job_known(self) -> bool:
        """Whether the job exists: its create request was accepted, or it existed from the start."""
        return self.accepted or self.attached

    @property
    def calls(self) -> frozenset[str]:
        """The kinds of the requests in progress."""
        return frozenset(line.call for line in self.lines.values())

    @property
    def is_busy(self) -> bool:
        """Whether a callback of the current wait is running."""
        return any(run.current for run in self.running)

    @property
    def is_finished(self) -> bool:
        """Whether the terminal event has been delivered and its callback has ended."""
        return self.heard == len(LOG) and not self.is_busy

    @property
    def retries_callbacks(self) -> bool:
        """Whether the stream is reopened after an exception in a callback; else the wait fails."""
        return self.profile.callback_errors is CallbackErrors.RETRY

    @property
    def before(self) -> Before:
        """The facts needed to check the next move, as they are now."""
        return Before(
            frozenset(self.asked), self.calls, self.job_known, self.aborted, self.is_finished
        )

    @property
    def key(self) -> object:
        """A value that is equal for equal states."""
        lines = tuple([(line.call, line.sent, line.status) for line in self.lines.values()])
        running = tuple([(run.event, run.current) for run in self.running])
        waits = Operation.FOLLOW in self.asked and not self.aborted
        budget = (waits and min(self.failures, MAX_ATTEMPTS + 2), waits and self.progressed)
        flags = (self.heard, self.accepted, self.aborted, frozenset(self.asked))
        return (lines, running, flags, budget)

    def bring_keep_alive(self) -> None:
        """Record a ping or a malformed frame; both count as progress under some profiles."""
        self.progressed = self.progressed or self.profile.progress is Progress.ANY_FRAME

    def lose(self, *, clean: bool) -> None:
        """Record that the network ended a stream, and update the number of failures in a row."""
        if self.status == _OK and self.progressed:
            self.failures = 0 if clean else 1
        else:
            self.failures += 1

    def end_callbacks_of_the_wait(self) -> None:
        """Record that the wait was left or aborted; callbacks that are running continue anyway."""
        self.running = [Running(run.delivery, run.event, current=False) for run in self.running]
