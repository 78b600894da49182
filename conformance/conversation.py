"""Speaking `arkor-drive/1` with one driver, one case at a time.

It knows which commands are unanswered and whose trace the driver's words belong to. A word that
belongs nowhere breaks the conversation, with a reason. It refuses to know what a case expects.
"""

import time
from collections.abc import Callable, Mapping, Sequence

import anyio
from attrs import define, field

from conformance.drive import (
    PROTOCOL,
    Answer,
    DriveError,
    Identity,
    command,
    parse_identity,
    parse_message,
)
from conformance.process import DriverProcess, DriverUnusable
from conformance.reading import Json
from conformance.trace import Called, Event, Fact, Noted, Settled, Trace

_TAIL = 400
"""How much of a dead driver's own words is told: its end says why."""


@define
class Recorder:
    """Appends to a trace with the time since it began, and wakes whoever waits for growth."""

    trace: Trace = field(factory=Trace)
    _start: float = field(factory=time.monotonic, init=False)
    _grown: anyio.Event = field(factory=anyio.Event, init=False)

    def add(self, fact: Fact) -> Event:
        """Append `fact` now."""
        event = self.trace.append(fact, time.monotonic() - self._start)
        self.poke()
        return event

    def poke(self) -> None:
        """Wake whoever waits, though the trace did not grow."""
        self._grown.set()
        self._grown = anyio.Event()

    async def growth(self) -> None:
        """Wait for the next event."""
        await self._grown.wait()


@define
class Conversation:
    """A driver process being spoken to. `broken` says why it cannot be spoken to any more."""

    command: Sequence[str]
    broken: str | None = field(default=None, init=False)
    identity: Identity | None = field(default=None, init=False)
    _recorder: Recorder | None = field(default=None, init=False)
    _pending: dict[int, str] = field(factory=dict[int, str], init=False)
    _beckoned: dict[int, Callable[[], None] | None] = field(
        factory=dict[int, Callable[[], None] | None], init=False
    )
    _number: int = field(default=0, init=False)
    _process: DriverProcess = field(init=False)
    _reading: anyio.CancelScope = field(factory=anyio.CancelScope, init=False)
    _began: bool = field(default=False, init=False)
    _stopped: anyio.Event = field(factory=anyio.Event, init=False)

    def start(self) -> None:
        """Start the process; raises DriverUnusable."""
        self._process = DriverProcess.start(self.command, self._hear, self._end)

    def listen(self, recorder: Recorder) -> None:
        """From now on, what the driver says belongs to this trace."""
        self._recorder = recorder
        self._beckoned = dict.fromkeys(self._beckoned)

    def ask(self, operation: str, name: str, arguments: Mapping[str, Json] | None = None) -> None:
        """Send a command; its answer will be recorded as the settling of `operation`."""
        self._number += 1
        self._pending[self._number] = operation
        if self._recorder is not None:
            self._recorder.add(Called(operation))
        self._process.send(command(self._number, name, arguments or {}))

    def beckon(
        self, then: Callable[[], None] | None = None, *, advance_ms: float | None = None
    ) -> int:
        """Send a command that changes at most the time, and return its number; see `came_back`.

        `then` is called when the answer comes, unless another trace is listened to meanwhile.
        """
        self._number += 1
        self._beckoned[self._number] = then
        time: Mapping[str, Json] = {} if advance_ms is None else {"ms": advance_ms}
        self._process.send(command(self._number, "wake", {"n": 0, **time}))
        return self._number

    def came_back(self, number: int) -> bool:
        """Tell whether the answer to a `beckon` has come."""
        return number not in self._beckoned

    def wake(self, number: int) -> None:
        """Let the driver's sleep `number` end; there is no answer to it."""
        self._process.send(command(None, "wake", {"n": number}))

    def drain(self) -> None:
        """Record now whatever the driver has already written."""
        self._process.drain()

    def busy_seconds(self) -> float | None:
        """Return the processor time that the driver has used, where the system tells."""
        return self._process.busy_seconds()

    @property
    def logged(self) -> int:
        """How many bytes the driver has written to its standard error so far."""
        return self._process.logged

    def log_since(self, logged: int) -> str:
        """Return what it wrote to its standard error since there were `logged` bytes."""
        return self._process.log_since(logged)

    @property
    def log(self) -> str:
        """The last lines of the driver's standard error."""
        return self._process.log

    @property
    def unanswered(self) -> Sequence[str]:
        """The operations that were asked for and have not settled."""
        return tuple(self._pending.values())

    async def stop(self) -> None:
        """End the process for certain."""
        with anyio.CancelScope(shield=True):
            self._reading.cancel()
            if self._began:  # a task that was cancelled at once has never begun
                await self._stopped.wait()
            await self._process.stop()

    def introduced(self) -> Identity:
        """Return who the driver is; raises DriverUnusable if it never said so."""
        if self.identity is None:
            raise DriverUnusable("never answered hello")
        return self.identity

    def introduce(self, recorder: Recorder, waited: float) -> None:
        """Take the answer to `hello` out of a trace; raises DriverUnusable if it is none.

        `waited` is how many seconds the driver had for it.
        """
        settled = recorder.trace.first("hello.settled")
        if settled is None or not isinstance(settled.fact, Settled):
            said = f"; it wrote: {self.log.strip()[-_TAIL:]}" if self.log.strip() else ""
            silent = f"never answered hello, for which it had {waited:.0f} s"
            hint = "" if self.broken or said else " (is each line flushed?)"
            raise DriverUnusable((self.broken or silent) + hint + said)
        if settled.fact.failure is not None:
            raise DriverUnusable(f"refused {PROTOCOL}: {settled.fact.failure.message}")
        try:
            self.identity = parse_identity(settled.fact.ok)
        except DriveError as error:
            raise DriverUnusable(str(error)) from error

    async def read(self) -> None:
        """Hear the driver until it ends or is stopped; to be run in a task of its own."""
        self._began = True
        try:
            with self._reading:
                await self._process.read()
        finally:
            self._stopped.set()

    def _hear(self, line: bytes) -> None:
        if self.broken is not None:
            return
        try:
            message = parse_message(line)
        except DriveError as error:
            self._end(str(error))
            return
        if isinstance(message, Answer):
            self._settle(message)
        elif self._recorder is not None:
            self._recorder.add(message)
        elif not isinstance(message, Noted):
            self._end(f"spoke while no case was open: {message}")

    def _settle(self, answer: Answer) -> None:
        if answer.re in self._beckoned:
            then = self._beckoned.pop(answer.re)
            if then is not None:
                then()
            if self._recorder is not None:
                self._recorder.poke()
            return
        operation = self._pending.pop(answer.re, None)
        if operation is None:
            known = 0 < answer.re <= self._number
            why = "a second time" if known else "though nobody asked"
            self._end(f"answered command {answer.re} {why}")
        elif self._recorder is not None:
            self._recorder.add(Settled(operation, answer.ok, answer.failure))

    def _end(self, reason: str) -> None:
        self.broken = self.broken or f"the driver {reason}"
        if self._recorder is not None:
            self._recorder.poke()


async def patiently(
    recorder: Recorder, conversation: Conversation, patience: float, done: Callable[[], bool]
) -> bool:
    """Wait for `done` as long as anything happens at all; return whether it came about.

    The watchdog has no deadline: every new event starts it again, and so does a driver that uses
    the processor, for a while. Only silence for `patience` seconds ends it (and a broken driver).
    """
    indulgences = 8
    busy = conversation.busy_seconds()
    while not done():
        if conversation.broken is not None:
            return False
        seen = len(recorder.trace.events)
        with anyio.move_on_after(patience):
            await recorder.growth()
            continue
        conversation.drain()
        if len(recorder.trace.events) > seen:
            continue
        now = conversation.busy_seconds()
        working = busy is not None and now is not None and now - busy > patience / 20
        if not working or not indulgences:
            return done()
        busy, indulgences = now, indulgences - 1
    return True
