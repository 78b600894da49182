"""What has happened around a session so far, as far as the promises need it."""

from typing import Final

from attrs import Factory, define, frozen

from arkor_proto import HARDENED, CallbackErrors, Operation, Profile, Progress
from conformance.states.samples import LOG

MAX_ATTEMPTS: Final = 1
"""The budget of every world: one failure in a row is retried."""
_OK: Final = 200


@define
class Line:
    """One exchange that is open: which call it is, how it was answered, how far the log was sent."""

    call: str
    sent: int
    status: int = 0


@frozen
class Running:
    """One callback that is running; `current` unless its wait was left or aborted."""

    delivery: int
    event: int
    current: bool = True


@frozen
class Before:
    """What the promises about one move need of the moment before it."""

    asked: frozenset[Operation]
    calls: frozenset[str]
    job_known: bool
    aborted: bool
    finished: bool


@define
class Facts:
    """What an application, a backend and a network know; `remembers` whether streams resume."""

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
    """Failures in a row, as the specification counts them."""
    progressed: bool = False
    """Whether the latest stream brought progress."""
    status: int = 0
    """How the latest stream was answered; 0: not at all."""

    @property
    def job_known(self) -> bool:
        """Whether there is a job: it was accepted, or existed before."""
        return self.accepted or self.attached

    @property
    def calls(self) -> frozenset[str]:
        """The calls that are under way."""
        return frozenset(line.call for line in self.lines.values())

    @property
    def is_busy(self) -> bool:
        """Whether a callback of the present wait is running."""
        return any(run.current for run in self.running)

    @property
    def is_finished(self) -> bool:
        """Whether the terminal event has been heard and its callback is over."""
        return self.heard == len(LOG) and not self.is_busy

    @property
    def retries_callbacks(self) -> bool:
        """Whether an exception of a callback reopens the stream instead of rejecting the wait."""
        return self.profile.callback_errors is CallbackErrors.RETRY

    @property
    def before(self) -> Before:
        """What the promises about the next move need of the present."""
        return Before(
            frozenset(self.asked), self.calls, self.job_known, self.aborted, self.is_finished
        )

    @property
    def key(self) -> object:
        """What tells this state from others."""
        lines = tuple([(line.call, line.sent, line.status) for line in self.lines.values()])
        running = tuple([(run.event, run.current) for run in self.running])
        waits = Operation.FOLLOW in self.asked and not self.aborted
        budget = (waits and min(self.failures, MAX_ATTEMPTS + 2), waits and self.progressed)
        flags = (self.heard, self.accepted, self.aborted, frozenset(self.asked))
        return (lines, running, flags, budget)

    def bring_keep_alive(self) -> None:
        """Note a ping, or a frame that is not JSON: progress where every frame is."""
        self.progressed = self.progressed or self.profile.progress is Progress.ANY_FRAME

    def lose(self, *, clean: bool) -> None:
        """Note that the network ended a stream, and count the failure if it is one."""
        if self.status == _OK and self.progressed:
            self.failures = 0 if clean else 1
        else:
            self.failures += 1

    def end_callbacks_of_the_wait(self) -> None:
        """Note that the wait is left: its callbacks go on, but no wait needs them."""
        self.running = [Running(run.delivery, run.event, current=False) for run in self.running]
