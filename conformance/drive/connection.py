"""Talk `arkor-drive/1` with one driver, one case at a time.

The connection tracks which commands are unanswered and which trace the driver's messages belong
to. A message that fits nowhere ends the connection with a reason. This module also decides how long
the kit waits for a driver, and how much of its output goes into a trace.
"""

import math
import time
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
from conformance.strict_data import Json
from conformance.trace.events import (
    CallbackRan,
    Called,
    Closed,
    Connected,
    Event,
    Fact,
    Noted,
    Requested,
    Settled,
    SleepEnded,
    Slept,
    Stranger,
    Trace,
    Woken,
)
from conformance.words import VIRTUAL_CLOCK

MOST_BYTES: Final = 32 * 2**20
"""The most bytes of a driver's messages that go into a trace: two lines of the maximum length."""
MOST_LOGS: Final = 500
MOST_LOGGED: Final = 2**16
"""The most log lines, and characters of them, that go into a trace."""
TALK: Final = 8
"""How many times the patience a driver has that only reports, while nothing reaches the backend."""
_TALK_BESIDE: Final = 10.0
"""Seconds on top of that, so that a short patience does not fail a client on a busy machine."""
_INDULGENCES: Final = 8
_SECONDS_PER_BYTE: Final = 2e-5
"""Processor time that a client may use for each byte it was sent: it may read byte by byte."""
_SHARE: Final = 4
"""How many times longer that takes on a machine under load."""
_SHOWN: Final = 300


@define
class Recorder:
    """Appends facts to a trace with their time, and wakes the tasks that wait for it to grow.

    `heard` is when the driver or its client last did anything other than log. `proven` is when the
    kit last saw evidence beyond the driver's own reports: traffic, or an answer. Both are monotonic
    times in seconds. A bare connection or a request from another program changes neither.
    """

    trace: Trace = field(factory=Trace)
    _start: float = field(factory=time.monotonic, init=False)
    heard: float = field(factory=time.monotonic, init=False)
    proven: float = field(factory=time.monotonic, init=False)
    overfull: bool = field(default=False, init=False)
    """Whether the driver sent more than fits into a trace."""
    bytes_sent: Callable[[], int] = field(default=lambda: 0, init=False)
    """Returns how many bytes the backend has sent; a client that takes more of them is at work."""
    foreign: int = field(default=0, init=False)
    """How many events come from other programs that reached the backend."""
    _grown: anyio.Event = field(factory=anyio.Event, init=False)
    _bytes: int = field(default=0, init=False)
    _logs: int = field(default=0, init=False)
    _logged: int = field(default=0, init=False)
    _cut: bool = field(default=False, init=False)

    def add(self, fact: Fact) -> Event:
        """Append `fact` now."""
        now = time.monotonic()
        event = self.trace.append(fact, now - self._start)
        match fact:
            case Noted() | Connected() | Stranger() | Closed(exchanges=()):
                pass  # any program can connect and send a request
            case CallbackRan() | Slept() | SleepEnded() | Woken():
                self.heard = now
            case Requested():
                self.heard = self.proven = now
                self._weigh(len(fact.target) + len(fact.body))
            case _:
                self.heard = self.proven = now
        self.poke()
        return event

    def said(self, fact: Fact, size: int) -> None:
        """Append what the driver reported in a line of `size` bytes, if there is room for it."""
        match fact:
            case Noted(who=who, text=text):
                self._log(who, text)
            case _ if self._weigh(size):
                self.add(fact)
            case _:
                pass

    def alive(self) -> None:
        """Count an answer that is not part of the trace as a sign of life."""
        self.heard = time.monotonic()
        self.poke()

    def _log(self, who: str, text: str) -> None:
        full = self._logs >= MOST_LOGS or self._logged + len(text) > MOST_LOGGED
        if full and not self._cut:
            self.add(Noted("kit", f"leaves out further log lines of the {who}: there are too many"))
        elif not full:
            self.add(Noted(who, text))
        self._logs, self._logged, self._cut = self._logs + 1, self._logged + len(text), full

    def _weigh(self, size: int) -> bool:
        """Count `size` bytes in; return whether there was room for them."""
        self._bytes += size
        if self._bytes > MOST_BYTES and not self.overfull:
            self.overfull = True
            self.add(Noted("kit", f"ends this trace: it is larger than {MOST_BYTES >> 20} MiB"))
        return not self.overfull

    def poke(self) -> None:
        """Wake the tasks that wait, although the trace did not grow."""
        self._grown.set()
        self._grown = anyio.Event()

    async def growth(self) -> None:
        """Wait for the next event."""
        await self._grown.wait()


@define
class DriverConnection:
    """The connection to a running driver. `broken` is the reason if it cannot be used any more."""

    command: Sequence[str]
    broken: str | None = field(default=None, init=False)
    identity: Identity | None = field(default=None, init=False)
    announced: int = field(default=0, init=False)
    """How many sleeps the driver announced without declaring a virtual clock."""
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
        """Record the driver's messages in this trace from now on."""
        self._recorder = recorder
        self.announced = 0
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
        """Send a command that at most advances the clock, and return its number; see `came_back`.

        `then` is called when the answer comes, unless `listen` has switched to another trace.
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
        """Let the driver's sleep `number` end; the driver does not answer this."""
        self._process.send(command(None, "wake", {"n": number}))

    def drain(self) -> None:
        """Record everything that the driver has already written."""
        self._process.drain()

    def busy_seconds(self) -> float | None:
        """Return the processor time that the driver has used; None if the system does not tell."""
        return self._process.busy_seconds()

    @property
    def logged(self) -> int:
        """How many bytes the driver has written to its standard error so far."""
        return self._process.log.length

    def log_since(self, logged: int) -> str:
        """Return what the driver wrote to its standard error after its first `logged` bytes."""
        self._process.drain_log()
        return self._process.log.since(logged)

    @property
    def log(self) -> str:
        """The first and the last lines of the driver's standard error."""
        return str(self._process.log)

    @property
    def unanswered(self) -> Sequence[str]:
        """The operations that were started and have not settled."""
        return tuple(self._pending.values())

    async def stop(self) -> None:
        """End the process, killing it if necessary."""
        with anyio.CancelScope(shield=True):
            self._reading.cancel()
            if self._began:  # a task that is cancelled right away never begins
                await self._stopped.wait()
            await self._process.stop()

    def introduced(self) -> Identity:
        """Return the identity of the driver; raises DriverUnusable if it never answered hello."""
        if self.identity is None:
            raise DriverUnusable("never answered hello")
        return self.identity

    def introduce(self, recorder: Recorder, waited: float) -> None:
        """Read the answer to `hello` from a trace; raises DriverUnusable if there is none.

        `waited` is how many seconds the driver had to answer.
        """
        settled = recorder.trace.first("hello.settled")
        if settled is None or not isinstance(settled.fact, Settled):
            said = f"; it wrote:\n{self.log}" if self.log else ""
            silent = f"never answered hello; the kit waited {waited:.0f} s"
            hint = "" if said else "; make sure that it flushes each line"
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
        """Read the driver's output until it ends or is stopped; run this in a task of its own."""
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
        """Note, once per case, that a sleep was announced that the kit will not end."""
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


async def patiently(
    recorder: Recorder,
    connection: DriverConnection,
    patience: float,
    done: Callable[[], bool],
    *,
    most: float = math.inf,
) -> bool:
    """Wait for `done` as long as anything happens; return whether `done` became true.

    The watchdog restarts with every event, so a case with traffic and answers has no deadline. Log
    lines do not count as events. Callbacks and sleeps are only the driver's claim, so traffic or an
    answer must follow within `TALK` times the patience. A driver that uses the processor may be
    silent for longer, and the longer the more bytes it was sent. `most` is an absolute limit. All
    times are in seconds.
    """
    began = time.monotonic()
    silence = _Silence(recorder, connection, patience, connection.busy_seconds())
    while not done():
        if connection.broken is not None or recorder.overfull:
            return False
        heard = max(recorder.heard, silence.since, began)
        beside = _TALK_BESIDE + silence.reading * _SHARE
        talk = recorder.proven + TALK * patience + beside
        left = min(heard + patience, talk, began + most) - time.monotonic()
        if left > 0:
            with anyio.move_on_after(left):
                await recorder.growth()
            continue
        before = recorder.heard
        connection.drain()
        if recorder.heard > before or recorder.proven + TALK * patience > talk:
            continue
        if done() or time.monotonic() >= min(talk, began + most) or not silence.excused(before):
            return done()
    return True


@define
class _Silence:
    """Decides whether a silent driver is still at work: using the processor, but not forever."""

    recorder: Recorder
    connection: DriverConnection
    patience: float
    used: float | None
    since: float = 0.0
    _heard: float = -1.0
    _excuses: int = 0
    _spent: float = 0.0
    _taken: int = 0

    @property
    def reading(self) -> float:
        """How many seconds of processor time the client may use for the bytes it was sent."""
        return self.recorder.bytes_sent() * _SECONDS_PER_BYTE

    def excused(self, heard: float) -> bool:
        """Return whether the driver gets more time; `heard` is when it last gave a sign of life."""
        now, sent = self.connection.busy_seconds(), self.recorder.bytes_sent()
        takes_more, self._taken = sent > self._taken, sent
        if now is None or self.used is None:
            self.since = time.monotonic()
            return takes_more
        worked, self.used, self.since = now - self.used, now, time.monotonic()
        if heard > self._heard:
            # Work done before the driver fell silent does not count as part of the silence.
            self._heard, self._spent = heard, 0.0
        else:
            self._spent += worked
        self._excuses += 1
        reading = self.reading
        # On a machine under load, a driver gets little processor time even over a long wait.
        idle = worked <= self.patience / 20 and not takes_more
        spinning = self._spent > self.patience / 2 + reading
        most = _INDULGENCES + reading * _SHARE / self.patience
        return not idle and not spinning and self._excuses <= most
