"""The two clocks of a driver: one that the kit moves, and the one on the wall.

They know how a sleep is announced, woken and ended. They refuse to know who sleeps, and why.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import anyio
from attrs import define, field

from conformance.strict_data import Json


class Clock(Protocol):
    """What a client needs of time, in seconds."""

    def time(self) -> float:
        """Return the time."""
        ...

    async def sleep_until(self, deadline: float, purpose: str) -> None:
        """Return at `deadline`."""
        ...

    def wake(self, number: Json) -> None:
        """End a sleep that the kit was told of, if it is still slept."""
        ...

    def advance(self, ms: Json) -> None:
        """Let so many milliseconds pass, and end nobody's sleep."""
        ...


@define
class VirtualClock:
    """Stands still but for the sleeps that the kit ends."""

    _emit: Callable[[Mapping[str, object]], None] = field(alias="emit")
    _now: float = field(default=0.0, init=False)
    _sleeps: dict[int, anyio.Event] = field(factory=dict[int, anyio.Event], init=False)
    _slept: int = field(default=0, init=False)

    def time(self) -> float:
        """Return the virtual time.

        To look at the clock takes a nanosecond: a timer that is set again is another timer.
        """
        self._now += 1e-9
        return self._now

    async def sleep_until(self, deadline: float, purpose: str) -> None:
        """Sleep for as long as the kit wants; then it is `deadline`."""
        self._slept += 1
        number = self._slept
        woken = self._sleeps[number] = anyio.Event()
        ms = max(0.0, deadline - self._now) * 1000
        self._emit({"event": "sleep", "n": number, "ms": round(ms, 3), "purpose": purpose})
        why = "cancelled"
        try:
            await woken.wait()
            why = "woken"
            self._now = max(self._now, deadline)
        finally:
            del self._sleeps[number]
            self._emit({"event": "sleep_end", "n": number, "why": why})

    def wake(self, number: Json) -> None:
        """End a sleep, if it is still slept."""
        if isinstance(number, int) and number in self._sleeps:
            self._sleeps[number].set()

    def advance(self, ms: Json) -> None:
        """Let time pass; the kit knows which sleeps are over by then, and ends them."""
        if isinstance(ms, int | float):
            self._now += ms / 1000


@define
class WallClock:
    """Real time, for a kit that asks for no virtual time; nothing is announced."""

    def time(self) -> float:
        """Return the time of the event loop, which is monotonic."""
        return anyio.current_time()

    async def sleep_until(self, deadline: float, purpose: str) -> None:  # noqa: ARG002 - protocol
        """Sleep."""
        await anyio.sleep_until(deadline)

    def wake(self, number: Json) -> None:
        """Do nothing: no sleep was ever announced."""

    def advance(self, ms: Json) -> None:
        """Do nothing: real time passes by itself."""
