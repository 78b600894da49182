"""Record what happens in a case, and the time of the client's last activity.

This module also limits how much of a driver's output goes into a trace.
"""

import time
from collections.abc import Callable
from typing import Final

import anyio
from attrs import define, field

from conformance.trace.events import (
    CallbackRan,
    Closed,
    Connected,
    Event,
    Fact,
    Noted,
    Requested,
    SleepEnded,
    Slept,
    Stranger,
    Trace,
    Woken,
)

MOST_BYTES: Final = 32 * 2**20
"""The most bytes of messages and requests in a trace: two driver lines of maximum length."""
MOST_LOGS: Final = 500
MOST_LOGGED: Final = 2**16
"""The most characters in all log lines of a trace; `MOST_LOGS` limits the number of lines."""


@define
class Recorder:
    """Appends facts to a trace, each with its time, and wakes the tasks that wait for more.

    `heard` is the time of the last activity of the driver or its client, other than log lines.
    `proven` is the time of the last activity that the kit saw itself: traffic, or an answer. Both
    times are monotonic, in seconds. A bare connection or a request from another program changes
    neither.
    """

    trace: Trace = field(factory=Trace)
    _start: float = field(factory=time.monotonic, init=False)
    heard: float = field(factory=time.monotonic, init=False)
    proven: float = field(factory=time.monotonic, init=False)
    overfull: bool = field(default=False, init=False)
    """Whether the driver and the client together have sent more than a trace may contain."""
    bytes_sent: Callable[[], int] = field(default=lambda: 0, init=False)
    """Returns how many bytes the backend has sent; if this keeps growing, the client is working."""
    foreign: int = field(default=0, init=False)
    """The number of events in the trace that were caused by other programs, not by the client."""
    _grown: anyio.Event = field(factory=anyio.Event, init=False)
    _bytes: int = field(default=0, init=False)
    _logs: int = field(default=0, init=False)
    _logged: int = field(default=0, init=False)
    _cut: bool = field(default=False, init=False)

    def add(self, fact: Fact) -> Event:
        """Append `fact` with the current time; return the resulting event."""
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
        """Append a fact that the driver reported in a line of `size` bytes, if there is room."""
        match fact:
            case Noted(who=who, text=text):
                self._log(who, text)
            case _ if self._weigh(size):
                self.add(fact)
            case _:
                pass

    def alive(self) -> None:
        """Record that the driver was active: it sent an answer that does not go into the trace."""
        self.heard = time.monotonic()
        self.poke()

    def _log(self, who: str, text: str) -> None:
        full = self._logs >= MOST_LOGS or self._logged + len(text) > MOST_LOGGED
        if full and not self._cut:
            self.add(
                Noted(
                    "kit",
                    f"leaves out further log lines from the {who}, because there are too many",
                )
            )
        elif not full:
            self.add(Noted(who, text))
        self._logs, self._logged, self._cut = self._logs + 1, self._logged + len(text), full

    def _weigh(self, size: int) -> bool:
        """Count `size` more bytes towards the limit of the trace; return whether they fit."""
        self._bytes += size
        if self._bytes > MOST_BYTES and not self.overfull:
            self.overfull = True
            self.add(Noted("kit", f"ends this trace: it is larger than {MOST_BYTES >> 20} MiB"))
        return not self.overfull

    def poke(self) -> None:
        """Wake the waiting tasks, even if the trace has not grown."""
        self._grown.set()
        self._grown = anyio.Event()

    async def growth(self) -> None:
        """Wait for the next event, or for a call to `poke`."""
        await self._grown.wait()
