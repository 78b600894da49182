"""Play one case: take its steps with the client while the backend is recorded.

This module takes the steps, ends the sleeps, and decides when a case is over: when everything
has settled, when the client has gone silent, or when it has gone on for too long. `verdict.judge`
then judges the trace.
"""

from collections.abc import Callable
from functools import partial
from typing import Final, assert_never

from attrs import define, field

from conformance.casefile.model import (
    Advance,
    Await,
    Case,
    Elapse,
    OpenGate,
    Operate,
    Push,
    Step,
    Until,
    Verb,
    Wake,
)
from conformance.drive.connection import DriverConnection
from conformance.drive.patience import patiently
from conformance.drive.recorder import Recorder
from conformance.runner.backend import CaseBackend
from conformance.strict_data import Json
from conformance.trace.events import Event, Quiet, Settled, SleepEnded, Slept, Woken

_MOST_EVENTS: Final = 2_000
"""A trace with more events, beyond an allowance for each attempt, counts as endless."""
_EVENTS_PER_ATTEMPT: Final = 14
_MOST_ATTEMPTS: Final = 10_000
_LATE: Final = (".closed", ".ended")
_CALM_ROUNDS: Final = 4
"""Enough round trips for a new request to be recorded: it needs three, and one is in reserve."""
_MOMENT: Final = 1.0
"""A sleep of fewer milliseconds may be the rest of a timer that fired early and was set again."""


@define
class CaseRun:
    """Plays one case.

    `stuck` lists the steps that waited in vain, each with the missing event; `unanswered` lists the
    operations that never settled.
    """

    case: Case
    profile: str
    connection: DriverConnection
    recorder: Recorder
    patience: float
    rounds: int = 1
    """How many round trips to make before ending a sleep, to expose a client that does not wait."""
    stuck: list[tuple[str, str]] = field(factory=list[tuple[str, str]], init=False)
    unanswered: tuple[str, ...] = field(default=(), init=False)
    _waited: bool = field(default=False, init=False)
    _detached: bool = field(default=False, init=False)
    _asleep: dict[int, Slept] = field(factory=dict[int, Slept], init=False)
    _names: dict[int, str] = field(factory=dict[int, str], init=False)
    _advanced: float = field(default=0.0, init=False)
    _noted: int = field(default=0, init=False)
    _under_way: int | None = field(default=None, init=False)
    _over_at: dict[int, float] = field(factory=dict[int, float], init=False)
    """For each sleep, how far the clock must have been advanced, in milliseconds, to end it."""

    async def play(self, backend: CaseBackend) -> None:
        """Open the case, take its steps, wait until it has settled, and close it."""
        self.recorder.trace.listen(self._on_event)
        self.connection.listen(self.recorder)
        config = {"profile": self.profile, **self.case.config, "base_url": backend.base_url}
        self.connection.ask("open", "open", {"case": self.case.id, "config": config})
        if await self._settled("open") and self.recorder.trace.first("open.resolved"):
            for number, step in enumerate(self.case.steps, 1):
                if not await self._take(f"step {number}", step, backend):
                    break
            await self._let_settle()
        self.unanswered = tuple(self.connection.unanswered)
        if not self.unanswered and self.connection.broken is None:
            await self._close()

    async def _take(  # noqa: C901, PLR0911 - one arm per step
        self, where: str, step: Step, backend: CaseBackend
    ) -> bool:
        if isinstance(step, Await):
            return await self._settled(step.operation)
        if isinstance(step, Until):
            return await self._seen(where, step.events)
        if not await self._seen(where, step.after):
            return False
        if isinstance(step, Operate):
            return await self._operate(step)
        if not await self._in_step(where):
            return False
        match step:
            case Elapse():
                return await self._elapse(where, step)
            case Advance():
                return await self._advance(where, step.ms)
            case Wake():
                return await self._wake_named(where, step.sleep)
            case Push():
                backend.push(step.frames)
            case OpenGate():
                backend.open_gate(step.gate)
            case _:
                assert_never(step)
        return True

    async def _operate(self, step: Operate) -> bool:
        reason: dict[str, Json] = {"reason": "the case aborts"}
        arguments = reason if step.verb is Verb.ABORT else {}
        self.connection.ask(step.name, step.verb.value, arguments)
        self._detached = step.detached
        return step.detached or await self._settled(step.name)

    async def _in_step(self, where: str) -> bool:
        """If the last operation was started without awaiting it, wait until the driver has read it.

        Return False if the driver does not reply.
        """
        if not self._detached:
            return True
        self._detached = False
        return await self._round_trip() or self._waits_in_vain(where, "a reply to `wake`")

    async def _round_trip(self) -> bool:
        # If a round trip is already in progress, wait for that one.
        number = self.connection.beckon() if self._under_way is None else self._under_way
        return await self._patiently(lambda: self.connection.came_back(number))

    async def _calm_down(self) -> None:
        """Make round trips to the driver until nothing new happens.

        Forbidden events are noticed only if they have time to happen, so each round trip gives the
        client and the backend a turn.
        """
        calm = 0
        while calm < _CALM_ROUNDS and not self.runaway:
            seen = self._happenings()
            if not await self._round_trip():
                return
            calm = calm + 1 if self._happenings() == seen else 0

    def _happenings(self) -> int:
        """Return the number of events so far, excluding `Quiet` events and those from other programs."""
        return len(self.recorder.trace.events) - self.recorder.foreign - self._noted

    async def _elapse(self, where: str, step: Elapse) -> bool:
        """End each idle sleep that the driver announces until the step's time or event comes."""
        left = step.ms

        def due() -> list[tuple[int, Slept]]:
            return [(n, s) for n, s in self._asleep.items() if s.purpose == "idle" and s.ms <= left]

        def over() -> bool:
            return step.until is not None and self.recorder.trace.first(step.until) is not None

        while not over() and left > 0:
            if not await self._patiently(lambda: bool(due()) or over()):
                return self._waits_in_vain(where, step.until or f"a timer of at most {left:g} ms")
            for number, sleep in due()[:1]:
                left -= max(sleep.ms, 1.0)
                self._wake(number)
        return True

    async def _advance(self, where: str, ms: float) -> bool:
        """Wait until nothing happens, advance the driver's clock, and end sleeps now due."""
        await self._calm_down()
        number = self.connection.beckon(advance_ms=ms)
        if not await self._patiently(lambda: self.connection.came_back(number)):
            return self._waits_in_vain(where, "a reply to `wake`")
        self._advanced += ms
        for due in [n for n in self._asleep if self._over_at[n] <= self._advanced]:
            self._wake(due)
        await self._calm_down()
        return True

    async def _let_settle(self) -> None:
        """Wait until all operations have settled and each awaited event has come or never can."""
        assertions = (*self.case.premise, *(each.assertion for each in self.case.expect))
        awaited = [name for each in assertions for name in each.awaited]

        def quiet() -> bool:
            first = self.recorder.trace.first
            settled = not self.connection.unanswered
            return settled and all(first(name) or self._in_vain(name) for name in awaited)

        if await self._patiently(quiet):
            await self._calm_down()

    async def _close(self) -> None:
        self.connection.ask("close", "close")
        if not await self._settled("close"):
            self.unanswered = ("close",)

    async def _settled(self, operation: str) -> bool:
        return await self._happened(f"{operation}.settled")

    async def _seen(self, where: str, events: tuple[str, ...]) -> bool:
        for name in events:
            if not await self._happened(name):
                return self._waits_in_vain(where, name)
        return True

    async def _happened(self, name: str) -> bool:
        def seen() -> bool:
            return self.recorder.trace.first(name) is not None

        if await self._patiently(lambda: seen() or self._in_vain(name)) and not seen():
            await self._calm_down()
        return seen()

    def _in_vain(self, name: str) -> bool:
        """Return whether an event can no longer happen, so that waiting for it is pointless.

        Once all its operations have settled, a client starts nothing new; only the ends of
        exchanges and connections may still be recorded.
        """
        return not self.connection.unanswered and not name.endswith(_LATE)

    async def _patiently(self, done: Callable[[], bool]) -> bool:
        def over() -> bool:
            return done() or self.runaway

        if not await patiently(self.recorder, self.connection, self.patience, over):
            self._waited = True
            return False
        return done()

    @property
    def hung(self) -> bool:
        """Whether the watchdog ended the case: the client went silent before the case was over."""
        alive = self.connection.broken is None and not self.runaway
        return alive and self._waited and bool(self.unanswered or self.stuck)

    @property
    def runaway(self) -> bool:
        """Whether the trace has grown beyond its limits."""
        if self.recorder.overfull:
            return True
        attempts = self.case.config.get("max_attempts", 0)
        most = min(attempts, _MOST_ATTEMPTS) if isinstance(attempts, int) else 0
        allowed = most * _EVENTS_PER_ATTEMPT
        own = len(self.recorder.trace.events) - self.recorder.foreign
        return own > _MOST_EVENTS + allowed

    def _waits_in_vain(self, where: str, name: str) -> bool:
        self.stuck.append((where, name))
        return False

    def _on_event(self, event: Event) -> None:
        match event.fact:
            case Slept(n=n, purpose=purpose) as slept:
                self._asleep[n] = slept
                self._names[n] = event.names[0]
                self._over_at[n] = self._advanced + slept.ms
                over = slept.ms < _MOMENT  # a timer that fired early, set again for what is left
                if (purpose != "idle" or over) and event.names[0] not in self.case.hold:
                    self._wake_after(self.rounds, n)
            case SleepEnded(n=n):
                self._asleep.pop(n, None)
            case Settled(operation=operation) if operation.startswith("wait"):
                self._quiet_after(_CALM_ROUNDS)
            case _:
                pass

    def _quiet_after(self, rounds: int) -> None:
        """Record `Quiet` after this many round trips, counted from when a wait settled.

        By then the backend has recorded all that the client sent before the wait settled: bytes on
        the loopback interface arrive at once, and a few round trips give the backend the time to
        accept, read and record them.
        """
        self._under_way = None
        if self.runaway:
            return
        if rounds:
            after = partial(self._quiet_after, rounds - 1)
            self._under_way = self.connection.beckon(after)
        else:
            self._noted += 1
            self.recorder.add(Quiet())

    async def _wake_named(self, where: str, name: str) -> bool:
        if not await self._seen(where, (name,)):
            return False
        self._wake(next(number for number, known in self._names.items() if known == name))
        return True

    def _wake_after(self, rounds: int, number: int) -> None:
        if self.runaway or number not in self._asleep:
            return
        if rounds:
            self.connection.beckon(partial(self._wake_after, rounds - 1, number))
        else:
            self._wake(number)

    def _wake(self, number: int) -> None:
        self._asleep.pop(number, None)
        self.recorder.add(Woken(number))
        self.connection.wake(number)
