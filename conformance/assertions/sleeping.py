"""The back-off delays that a client asked for, in milliseconds of virtual time."""

import math
from typing import Final

from attrs import evolve, frozen

from conformance.assertions.divergence import Divergence
from conformance.trace import Event, Slept, Trace

SPREAD: Final = 0.25
"""An implementation may spread a delay by a quarter, never above the cap (published)."""
_ROUNDING_MS: Final = 1.0
"""A client may count in whole milliseconds."""


@frozen
class Delay:
    """One expected delay: any number of milliseconds from `low` to `high`, both included."""

    low: float
    high: float

    @classmethod
    def nominal(cls, delay: float, cap: float) -> "Delay":
        """Return the published spread around a nominal delay under a cap."""
        return cls(delay * (1 - SPREAD), min(delay * (1 + SPREAD), max(cap, 0.0)))

    def holds(self, delay: float) -> bool:
        """Tell whether `delay` is within the bounds, but for rounding to a millisecond."""
        return self.low - _ROUNDING_MS < delay < self.high + _ROUNDING_MS

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.low:g}"
        if math.isinf(self.high):
            return f"≥ {self.low:g}"
        return f"{self.low:g} to {self.high:g}"


@frozen
class Sleeps:
    """Exactly these back-off delays, in order."""

    delays: tuple[Delay, ...]
    word: str = "sleeps"

    @property
    def awaited(self) -> tuple[str, ...]:
        """The last sleep must come."""
        return (f"sleep#{len(self.delays)}",) if self.delays else ()

    def judge(self, trace: Trace) -> Divergence | None:
        """Compare the delays one by one."""
        seen = _reconnect_sleeps(trace)
        wrong = [
            event
            for n, (event, ms) in enumerate(seen)
            if n >= len(self.delays) or not self.delays[n].holds(ms)
        ]
        if not wrong and len(seen) == len(self.delays):
            return None
        return Divergence(
            f"delays of {', '.join(map(str, self.delays)) or 'none'} ms",
            f"{', '.join(f'{ms:g}' for _, ms in seen) or 'none'} ms",
            wrong[0] if wrong else None,
        )

    def negated(self) -> "Sleeps":
        """Expect one delay more, or the last one far above its bounds."""
        if not self.delays or math.isinf(self.delays[-1].high):
            return evolve(self, delays=(*self.delays, Delay(0.0, math.inf)))
        beyond = self.delays[-1].high + 2 * _ROUNDING_MS
        return evolve(self, delays=(*self.delays[:-1], Delay(beyond, math.inf)))


@frozen
class SleepsDiffer:
    """The back-off delays are spread: not all the same number."""

    spread: bool
    word: str = "sleeps_differ"

    @property
    def awaited(self) -> tuple[str, ...]:
        """Two sleeps are needed to differ."""
        return ("sleep#2",)

    def judge(self, trace: Trace) -> Divergence | None:
        """Compare every delay with the first."""
        seen = _reconnect_sleeps(trace)
        different = len({ms for _, ms in seen}) > 1
        if different is self.spread:
            return None
        return Divergence(
            "delays that differ" if self.spread else "delays all alike",
            f"{', '.join(f'{ms:g}' for _, ms in seen) or 'none'} ms",
            seen[-1][0] if seen else None,
        )

    def negated(self) -> "SleepsDiffer":
        """Expect the opposite."""
        return evolve(self, spread=not self.spread)


def _reconnect_sleeps(trace: Trace) -> list[tuple[Event, float]]:
    return [(event, fact.ms) for event, fact in trace.of(Slept) if fact.purpose != "idle"]
