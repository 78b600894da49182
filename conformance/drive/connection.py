"""Speak `arkor-drive/1` with one driver, one case at a time.

The connection tracks which commands are unanswered and which trace the driver's messages belong
to. An unexpected message makes the connection unusable; `broken` then says why.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import anyio
import anyio.lowlevel
from attrs import define, field

from conformance.drive.process import DriverProcess, DriverSilent, DriverUnusable
from conformance.drive.protocol import (
    PROTOCOL,
    Answer,
    DriveError,
    Identity,
    Message,
    command,
    parse_identity,
    parse_message,
)
from conformance.drive.recorder import Recorder
from conformance.strict_data import Json
from conformance.trace.events import Called, Noted, Settled, SleepEnded, Slept
from conformance.words import VIRTUAL_CLOCK

_SHOWN: Final = 300


@define
class DriverConnection:
    """The connection to a running driver; `broken` says why it is unusable; None if it is usable."""

    command: Sequence[str]
    broken: str | None = field(default=None, init=False)
    identity: Identity | None = field(default=None, init=False)
    announced: int = field(default=0, init=False)
    """The number of sleeps that a driver without a virtual clock has announced in this case."""
    start_cost: float = field(default=0.0, init=False)
    """CPU time in seconds until the driver answered `hello`; elapsed time if that is unknown."""
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
        """Start the process; raise DriverUnusable if that fails."""
        self._process = DriverProcess.start(self.command, self._hear, self._end)

    def listen(self, recorder: Recorder) -> None:
        """Record the driver's messages in the trace of `recorder` from now on."""
        self._recorder = recorder
        self.announced = 0
        self._beckoned = dict.fromkeys(self._beckoned)

    def ask(self, operation: str, name: str, arguments: Mapping[str, Json] | None = None) -> None:
        """Send the command `name`; record the answer to it as the result of `operation`."""
        self._number += 1
        self._pending[self._number] = operation
        if self._recorder is not None:
            self._recorder.add(Called(operation))
        self._process.send(command(self._number, name, arguments or {}))

    def beckon(
        self, then: Callable[[], None] | None = None, *, advance_ms: float | None = None
    ) -> int:
        """Send a `wake` that does not end a sleep, and return its number for `came_back`.

        If `advance_ms` is given, the command also advances the driver's clock by that much. `then`
        is called when the answer arrives, unless `listen` has been called in the meantime.
        """
        self._number += 1
        self._beckoned[self._number] = then
        time: Mapping[str, Json] = {} if advance_ms is None else {"ms": advance_ms}
        self._process.send(command(self._number, "wake", {"n": 0, **time}))
        return self._number

    def came_back(self, number: int) -> bool:
        """Return whether the answer to the `beckon` with this number has arrived."""
        return number not in self._beckoned

    def wake(self, number: int) -> None:
        """End the driver's sleep with this number; the driver does not answer the command."""
        self._process.send(command(None, "wake", {"n": number}))

    def drain(self) -> None:
        """Record every message that the driver has already written."""
        self._process.drain()

    def busy_seconds(self) -> float | None:
        """Return the driver's CPU time in seconds; None if the system does not report it."""
        return self._process.busy_seconds()

    def memory(self) -> int | None:
        """Return the memory use of the driver and its descendants in bytes, or None if unknown."""
        return self._process.memory()

    @property
    def logged(self) -> int:
        """The number of bytes that the driver has written to its standard error so far."""
        return self._process.log.length

    def log_since(self, logged: int) -> str:
        """Return what the driver wrote to its standard error after the first `logged` bytes."""
        self._process.drain_log()
        return self._process.log.since(logged)

    @property
    def log(self) -> str:
        """The first and last lines that the driver wrote to its standard error."""
        return str(self._process.log)

    @property
    def unanswered(self) -> Sequence[str]:
        """The operations whose commands the driver has not answered yet."""
        return tuple(self._pending.values())

    async def stop(self) -> None:
        """End the process, killing it if necessary."""
        with anyio.CancelScope(shield=True):
            self._reading.cancel()
            if self._began:  # a task that is cancelled immediately never starts
                await self._stopped.wait()
            await self._process.stop()

    def introduced(self) -> Identity:
        """Return the driver's identity; raise DriverUnusable if the driver did not answer hello."""
        if self.identity is None:
            raise DriverUnusable("did not answer hello")
        return self.identity

    def introduce(self, recorder: Recorder, waited: float) -> None:
        """Read the answer to `hello` from a trace; raise DriverUnusable if there is none.

        `waited` is how many seconds the kit waited for the answer.
        """
        busy = self.busy_seconds()
        self.start_cost = waited if busy is None else busy
        settled = recorder.trace.first("hello.settled")
        if settled is None or not isinstance(settled.fact, Settled):
            said = f"; it wrote:\n{self.log}" if self.log else ""
            silent = f"did not answer hello within {waited:.0f} s"
            hint = "" if said else "; make sure that it flushes its output after each line"
            if self.broken is None:
                raise DriverSilent(silent + hint + said)
            raise DriverUnusable(self.broken + said)
        if settled.fact.failure is not None:
            raise DriverUnusable(f"refused {PROTOCOL}: {settled.fact.failure.message}")
        try:
            self.identity = parse_identity(settled.fact.ok)
        except DriveError as error:
            raise DriverUnusable(str(error)) from error

    async def read(self) -> None:
        """Read what the driver writes until it exits or is stopped; run this in its own task."""
        self._began = True
        try:
            with self._reading:
                # A driver that exits immediately may be stopped before this task first runs.
                await anyio.lowlevel.checkpoint_if_cancelled()
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
            self._settle(message, len(line))
        elif self._recorder is None:
            if not isinstance(message, Noted):
                self._end(f"sent a message while no case was open: {_shortly(message)}")
        elif isinstance(message, Slept | SleepEnded) and not self._has_virtual_clock():
            self._announce(self._recorder)
        else:
            self._recorder.said(message, len(line))

    def _has_virtual_clock(self) -> bool:
        return self.identity is not None and VIRTUAL_CLOCK in self.identity.capabilities

    def _announce(self, recorder: Recorder) -> None:
        """Count an announced sleep; note, once per case, that the kit does not end such sleeps."""
        self.announced += 1
        if self.announced == 1:
            recorder.add(
                Noted(
                    "kit",
                    f"will not end the announced sleep: the driver does not declare {VIRTUAL_CLOCK}",
                )
            )

    def _settle(self, answer: Answer, size: int) -> None:
        if answer.re in self._beckoned:
            then = self._beckoned.pop(answer.re)
            if then is not None:
                then()
            if self._recorder is not None:
                self._recorder.alive()
            return
        operation = self._pending.pop(answer.re, None)
        if operation is None:
            known = 0 < answer.re <= self._number
            why = " a second time" if known else ", which the kit never sent"
            self._end(f"answered command {answer.re}{why}")
        elif self._recorder is not None:
            self._recorder.said(Settled(operation, answer.ok, answer.failure), size)

    def _end(self, reason: str) -> None:
        self.broken = self.broken or f"the driver {reason}"
        if self._recorder is not None:
            self._recorder.poke()


def _shortly(message: Message) -> str:
    text = str(message)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
