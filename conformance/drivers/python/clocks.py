"""The two clocks of a driver: virtual time, which the kit controls, and real time."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Protocol

import anyio
from attrs import define, field

from conformance.strict_data import Json


class Clock(Protocol):
    """The clock that the client uses; times are in seconds."""

    def time(self) -> float:
        """Return the current time."""
        ...

    async def sleep_until(self, deadline: float, purpose: str) -> None:
        """Sleep until `deadline`; `purpose` is `reconnect` or `idle`."""
        ...

    def wake(self, number: Json) -> None:
        """End the announced sleep with this number, if it has not ended yet."""
        ...

    def advance(self, ms: Json) -> None:
        """Advance the time by `ms` milliseconds without ending any sleep."""
        ...


@define
class VirtualClock:
    """Virtual time: only the kit lets it pass, by ending a sleep or advancing the clock."""

    _emit: Callable[[Mapping[str, object]], None] = field(alias="emit")
    _now: float = field(default=0.0, init=False)
    _lock: threading.Lock = field(factory=threading.Lock, init=False)
    _sleeps: dict[int, anyio.Event] = field(factory=dict[int, anyio.Event], init=False)
    _slept: int = field(default=0, init=False)

    def time(self) -> float:
        """Return the virtual time.

        Each call advances it by a nanosecond, so that resetting a timer gives it a new deadline.
        """
        with self._lock:  # the blocking client calls this from several threads
            self._now += 1e-9
            return self._now

    async def sleep_until(self, deadline: float, purpose: str) -> None:
        """Sleep until the kit ends the sleep; then advance the time to at least `deadline`."""
        self._slept += 1
        number = self._slept
        woken = self._sleeps[number] = anyio.Event()
        ms = max(0.0, deadline - self._now) * 1000
        self._emit({"event": "sleep", "n": number, "ms": round(ms, 3), "purpose": purpose})
        why = "cancelled"
        try:
            await woken.wait()
            why = "woken"
            with self._lock:
                self._now = max(self._now, deadline)
        finally:
            del self._sleeps[number]
            self._emit({"event": "sleep_end", "n": number, "why": why})

    def wake(self, number: Json) -> None:
        """End the sleep with this number, if it has not ended yet."""
        if isinstance(number, int) and number in self._sleeps:
            self._sleeps[number].set()

    def advance(self, ms: Json) -> None:
        """Advance the time by `ms` milliseconds; the kit then ends the sleeps that are due."""
        if isinstance(ms, int | float):
            with self._lock:
                self._now += ms / 1000


@define
class WallClock:
    """Real time, used unless the kit asks for virtual time; sleeps are not announced."""

    def time(self) -> float:
        """Return the monotonic time; the blocking client can call this without an event loop."""
        return time.monotonic()

    async def sleep_until(self, deadline: float, purpose: str) -> None:  # noqa: ARG002 - protocol
        """Sleep until `deadline`."""
        await anyio.sleep(max(0.0, deadline - time.monotonic()))

    def wake(self, number: Json) -> None:
        """Do nothing: the kit ends only announced sleeps, and these are not announced."""

    def advance(self, ms: Json) -> None:
        """Do nothing: real time passes on its own."""
