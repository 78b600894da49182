"""The back-off delays of a client, in milliseconds: asked for in virtual time, or seen on the wire.

It knows how delays are bounded and spread, and how often chance alone would blame a sound client.
It refuses to know whose time it is.
"""

import math
from collections.abc import Sequence
from typing import Final

from attrs import evolve, frozen

from conformance.expect.mismatch import Divergence
from conformance.trace.events import (
    Called,
    Event,
    Requested,
    Slept,
    Trace,
)

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
class FirstDelays:
    """The first back-off delays of a client, however many follow."""

    delays: tuple[Delay, ...]

    def judge(self, trace: Trace) -> Divergence | None:
        """Compare as many delays as are given."""
        seen = _reconnect_sleeps(trace)[: len(self.delays)]
        pairs = zip(seen, self.delays, strict=False)
        wrong = next((event for (event, ms), delay in pairs if not delay.holds(ms)), None)
        if wrong is None and len(seen) == len(self.delays):
            return None
        return Divergence(
            f"delays of {', '.join(map(str, self.delays))} ms first",
            f"{', '.join(f'{ms:g}' for _, ms in seen) or 'none'} ms",
            wrong,
        )


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


@frozen
class SleepsSpread:
    """`samples` delays of the client's own dice: all within the bounds, and spread.

    Spread means: they range over at least `at_least` ms. `over` is the narrowest spread that is
    taken for one; the chance that a client which spreads evenly over it is blamed is known.
    """

    delay: Delay
    samples: int
    at_least: float
    over: float
    spread: bool = True
    word: str = "sleeps_spread"

    @property
    def false_alarm(self) -> float:
        """The chance that n even samples of [0, 1] range over less than r: n rⁿ⁻¹ - (n - 1) rⁿ."""
        n, r = self.samples, self.at_least / self.over
        return float(n * r ** (n - 1) - (n - 1) * r**n)

    @property
    def awaited(self) -> tuple[str, ...]:
        """The last sample must come."""
        return (f"sleep#{self.samples}",)

    def judge(self, trace: Trace) -> Divergence | None:
        """Compare every delay with the bounds, and then their range."""
        seen = _reconnect_sleeps(trace)
        delays = [ms for _, ms in seen]
        wrong = [event for event, ms in seen if not self.delay.holds(ms)]
        wide = bool(delays) and max(delays) - min(delays) >= self.at_least
        if not wrong and len(seen) == self.samples and wide is self.spread:
            return None
        actual = f"{', '.join(f'{ms:g}' for ms in delays) or 'none'} ms"
        return Divergence(str(self), actual, wrong[0] if wrong else seen[-1][0] if seen else None)

    def negated(self) -> "SleepsSpread":
        """Expect delays that are all about the same."""
        return evolve(self, spread=not self.spread)

    def __str__(self) -> str:
        ranging = "at least" if self.spread else "less than"
        return (
            f"{self.samples} delays of {self.delay} ms that range over {ranging} "
            f"{self.at_least:g} ms (a client that spreads them evenly over {self.over:g} ms or "
            f"more fails by chance once in {1 / self.false_alarm:.2g} runs)"
        )


@frozen
class Gaps:
    """Back-offs as the wire shows them: from one open of a wait to the next, at least so long.

    A gap begins with the request before: the client cannot have begun to sleep before the backend
    had that, however late the machine is. So a gap is never measured too short.
    """

    bounds: tuple[float, ...]
    word: str = "sleeps"

    @property
    def awaited(self) -> tuple[str, ...]:
        """The settling of the operations ends the case."""
        return ()

    def judge(self, trace: Trace) -> Divergence | None:
        """Compare the gaps one by one; the first that is too short, or too many, diverges."""
        seen = _gaps(trace)
        wrong = [
            event
            for n, (event, ms) in enumerate(seen)
            if n >= len(self.bounds) or ms < self.bounds[n] - _ROUNDING_MS
        ]
        if not wrong and len(seen) == len(self.bounds):
            return None
        return Divergence(
            f"{len(self.bounds)} reopens"
            + (
                f", at least {_listed(self.bounds)} ms after the open before"
                if any(self.bounds)
                else ""
            ),
            f"{len(seen)} reopens, after {_listed([ms for _, ms in seen])} ms",
            wrong[0] if wrong else None,
        )

    def negated(self) -> "Gaps":
        """Expect one more."""
        return evolve(self, bounds=(*self.bounds, 0.0))


def _gaps(trace: Trace) -> list[tuple[Event, float]]:
    found: list[tuple[Event, float]] = []
    before: float | None = None
    for event in trace.events:
        match event.fact:
            case Called(operation=operation) if operation.startswith("wait"):
                before = None
            case Requested(route="stream"):
                if before is not None:
                    found.append((event, (event.at - before) * 1000))
                before = event.at
            case _:
                pass
    return found


def _listed(delays: Sequence[float]) -> str:
    return ", ".join(f"{ms:.4g}" for ms in delays) or "none"


def _reconnect_sleeps(trace: Trace) -> list[tuple[Event, float]]:
    return [(event, fact.ms) for event, fact in trace.of(Slept) if fact.purpose != "idle"]
