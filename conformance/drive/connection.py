"""Speaking `arkor-drive/1` with one driver, one case at a time.

Here is kept which commands are unanswered, and to which trace the driver's messages belong. A
message that belongs nowhere breaks the conversation, with a reason. How long the kit waits is
decided here too, and how much of what a driver says a trace takes in.
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
"""A trace takes in so many bytes of what a driver says: two lines of the greatest length."""
MOST_LOGS: Final = 500
MOST_LOGGED: Final = 2**16
"""A trace takes in so many lines of log, and so many characters."""
TALK: Final = 8
"""A driver that only talks, while nothing reaches the backend, has so many times the patience."""
_TALK_BESIDE: Final = 10.0
"""And so many seconds, so that an impatient kit does not fail a client on a busy machine."""
_INDULGENCES: Final = 8
_SECONDS_PER_BYTE: Final = 2e-5
"""A client may use so much of the processor for each byte that it was sent: it may read bytes singly."""
_SHARE: Final = 4
"""On a machine under load that takes so many times as long."""
_SHOWN: Final = 300


@define
class Recorder:
    """Appends to a trace with the time since it began, and wakes whatever waits for growth.

    `heard` is when the driver or its client last did anything but log, `proven` when that was
    something that does not rest on the driver's word alone: traffic, or an answer. Both are
    monotonic. A connection alone, or another program's request, is neither.
    """

    trace: Trace = field(factory=Trace)
    _start: float = field(factory=time.monotonic, init=False)
    heard: float = field(factory=time.monotonic, init=False)
    proven: float = field(factory=time.monotonic, init=False)
    overfull: bool = field(default=False, init=False)
    """Whether there was more than a trace takes in."""
    bytes_sent: Callable[[], int] = field(default=lambda: 0, init=False)
    """How many bytes the backend has sent so far: a client that takes more of them is at work."""
    foreign: int = field(default=0, init=False)
    """How many events are of other programs that found the backend."""
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
                pass  # any program can connect, and ask for something
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
        """Append what the driver said in a line of `size` bytes, if there is room for it."""
        match fact:
            case Noted(who=who, text=text):
                self._log(who, text)
            case _ if self._weigh(size):
                self.add(fact)
            case _:
                pass

    def alive(self) -> None:
        """Take notice of an answer that is not part of the trace."""
        self.heard = time.monotonic()
        self.poke()

    def _log(self, who: str, text: str) -> None:
        full = self._logs >= MOST_LOGS or self._logged + len(text) > MOST_LOGGED
        if full and not self._cut:
            self.add(Noted("kit", f"leaves out what the {who} logs from here on: it is too much"))
        elif not full:
            self.add(Noted(who, text))
        self._logs, self._logged, self._cut = self._logs + 1, self._logged + len(text), full

    def _weigh(self, size: int) -> bool:
        """Count `size` bytes in; return whether there was room for them."""
        self._bytes += size
        if self._bytes > MOST_BYTES and not self.overfull:
            self.overfull = True
            self.add(Noted("kit", f"cuts this trace, which is larger than {MOST_BYTES >> 20} MiB"))
        return not self.overfull

    def poke(self) -> None:
        """Wake whatever waits, though the trace did not grow."""
        self._grown.set()
        self._grown = anyio.Event()

    async def growth(self) -> None:
        """Wait for the next event."""
        await self._grown.wait()


@define
class DriverConnection:
    """A driver process being spoken to. `broken` says why it cannot be spoken to any more."""

    command: Sequence[str]
    broken: str | None = field(default=None, init=False)
    identity: Identity | None = field(default=None, init=False)
    announced: int = field(default=0, init=False)
    """How many sleeps the driver announced although it does not declare the clock for that."""
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
        return self._process.log.length

    def log_since(self, logged: int) -> str:
        """Return what it wrote to its standard error since there were `logged` bytes."""
        self._process.drain_log()
        return self._process.log.since(logged)

    @property
    def log(self) -> str:
        """The first and the last lines of the driver's standard error."""
        return str(self._process.log)

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
            said = f"; it wrote:\n{self.log}" if self.log else ""
            silent = f"never answered hello, for which it had {waited:.0f} s"
            hint = "" if said else " (is each line flushed?)"
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
        """Hear the driver until it ends or is stopped; to be run in a task of its own."""
        self._began = True
        try:
            with self._reading:
                # A driver that ended at once may be stopped before this has its first turn.
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
                self._end(f"spoke while no case was open: {_shortly(message)}")
        elif isinstance(message, Slept | SleepEnded) and not self._has_virtual_clock():
            self._announce(self._recorder)
        else:
            self._recorder.said(message, len(line))

    def _has_virtual_clock(self) -> bool:
        return self.identity is not None and VIRTUAL_CLOCK in self.identity.capabilities

    def _announce(self, recorder: Recorder) -> None:
        """Note, once for a case, that a sleep was announced that the kit does not end."""
        self.announced += 1
        if self.announced == 1:
            recorder.add(
                Noted(
                    "kit", f"hears of a sleep, but {VIRTUAL_CLOCK} is not declared: no wake follows"
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
            why = "a second time" if known else "though nobody asked"
            self._end(f"answered command {answer.re} {why}")
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
    """Wait for `done` as long as anything happens at all; return whether it came about.

    The watchdog starts again with every event, so that traffic and answers have no deadline at all.
    Log lines do not count as events, and what only the driver vouches for (callbacks, sleeps) must
    be followed by traffic or an answer within `TALK` times the patience. A driver that uses the
    processor may be silent for longer, and for longer still the more bytes it was sent. `most` is
    an absolute limit. All times are in seconds.
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
    """Whether a silent driver is still at work: it uses the processor, but not without end."""

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
        """How much of the processor the client may use for what it was sent, in seconds."""
        return self.recorder.bytes_sent() * _SECONDS_PER_BYTE

    def excused(self, heard: float) -> bool:
        """Grant more time, if the driver is at work; `heard` is when it last gave a sign of life."""
        now, sent = self.connection.busy_seconds(), self.recorder.bytes_sent()
        takes_more, self._taken = sent > self._taken, sent
        if now is None or self.used is None:
            self.since = time.monotonic()
            return takes_more
        worked, self.used, self.since = now - self.used, now, time.monotonic()
        if heard > self._heard:
            # What it has worked before it fell silent is no part of the silence.
            self._heard, self._spent = heard, 0.0
        else:
            self._spent += worked
        self._excuses += 1
        reading = self.reading
        # On a machine under load, a driver gets little of the processor in much time.
        idle = worked <= self.patience / 20 and not takes_more
        spinning = self._spent > self.patience / 2 + reading
        most = _INDULGENCES + reading * _SHARE / self.patience
        return not idle and not spinning and self._excuses <= most
