"""Expectations about a client's back-off delays, in milliseconds.

In virtual time, the client announces its delays; otherwise, the kit measures them on the wire.
"""

import math
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from conformance.expect.mismatch import Divergence
from conformance.trace.events import Called, Event, Requested, Slept, Trace

SPREAD: Final = 0.25
"""The published jitter: a client may vary a delay by up to a quarter, but not exceed the cap."""
_ROUNDING_MS: Final = 1.0
"""The tolerance for a client that rounds to whole milliseconds."""


@frozen
class Delay:
    """One expected delay: from `low` to `high` milliseconds, inclusive."""

    low: float
    high: float
    asked: bool = False
    """Whether the case itself states a minimum, for example because the backend asks for one."""

    @classmethod
    def nominal(cls, delay: float, cap: float) -> "Delay":
        """Return the bounds of a nominal delay with the published jitter; the upper one is at most `cap`."""
        return cls(delay * (1 - SPREAD), min(delay * (1 + SPREAD), max(cap, 0.0)))

    def holds(self, delay: float) -> bool:
        """Return whether `delay`, perhaps rounded to whole milliseconds, is within the bounds."""
        return self.low - _ROUNDING_MS < delay < self.high + _ROUNDING_MS

    def __str__(self) -> str:
        if self.low == self.high:
            return f"{self.low:g}"
        if math.isinf(self.high):
            return f"≥ {self.low:g}"
        return f"{self.low:g} to {self.high:g}"


@frozen
class Sleeps:
    """Expects exactly these back-off delays, in this order."""

    delays: tuple[Delay, ...]
    word: str = "sleeps"

    @property
    def awaited(self) -> tuple[str, ...]:
        """The last expected sleep."""
        return (f"sleep#{len(self.delays)}",) if self.delays else ()

    def judge(self, trace: Trace) -> Divergence | None:
        """Compare the client's delays with the expected ones."""
        seen = reconnect_sleeps(trace)
        wrong = [
            event
            for n, (event, ms) in enumerate(seen)
            if n >= len(self.delays) or not self.delays[n].holds(ms)
        ]
        if not wrong and len(seen) == len(self.delays):
            return None
        return Divergence(
            f"delays of {', '.join(map(str, self.delays)) or 'none'} ms",
            told_delays(seen),
            wrong[0] if wrong else None,
        )


@frozen
class SleepsDiffer:
    """Expects back-off delays that differ or, if `spread` is false, that are all equal."""

    spread: bool
    word: str = "sleeps_differ"

    @property
    def awaited(self) -> tuple[str, ...]:
        """The second sleep, because the comparison needs two."""
        return ("sleep#2",)

    def judge(self, trace: Trace) -> Divergence | None:
        """Compare every delay with the first."""
        seen = reconnect_sleeps(trace)
        different = len({ms for _, ms in seen}) > 1
        if different is self.spread:
            return None
        return Divergence(
            "delays that differ" if self.spread else "delays that are all equal",
            told_delays(seen),
            seen[-1][0] if seen else None,
        )


@frozen
class SleepsSpread:
    """Expects `samples` delays that the client draws at random, spread out within the bounds.

    The longest must be at least `at_least` ms longer than the shortest. `over` is the narrowest
    range over which a correct client may spread its delays; `false_alarm` is the probability that
    a client that uses exactly this range fails by chance.
    """

    delay: Delay
    samples: int
    at_least: float
    over: float
    word: str = "sleeps_spread"

    @property
    def false_alarm(self) -> float:
        """The probability that n uniform samples from [0, 1] span < r: n rⁿ⁻¹ - (n - 1) rⁿ."""
        n, r = self.samples, self.at_least / self.over
        return float(n * r ** (n - 1) - (n - 1) * r**n)

    @property
    def awaited(self) -> tuple[str, ...]:
        """The last expected sleep."""
        return (f"sleep#{self.samples}",)

    def judge(self, trace: Trace) -> Divergence | None:
        """Compare every delay with the bounds, and the range of all delays with `at_least`."""
        seen = reconnect_sleeps(trace)
        delays = [ms for _, ms in seen]
        wrong = [event for event, ms in seen if not self.delay.holds(ms)]
        wide = bool(delays) and max(delays) - min(delays) >= self.at_least
        if not wrong and len(seen) == self.samples and wide:
            return None
        where = wrong[0] if wrong else seen[-1][0] if seen else None
        return Divergence(str(self), told_delays(seen), where)

    def __str__(self) -> str:
        return (
            f"{self.samples} delays of {self.delay} ms, the longest at least "
            f"{self.at_least:g} ms longer than the shortest (a client that spreads its delays "
            f"evenly over {self.over:g} ms or more fails by chance about once in "
            f"{1 / self.false_alarm:.2g} runs)"
        )


@frozen
class Gaps:
    """Expects these minimum times, in milliseconds, between the stream requests of one `wait`.

    A gap is measured from the previous request. The client cannot have begun to sleep before the
    backend received that request, so a slow machine never makes a gap look too short.
    """

    bounds: tuple[float, ...]
    word: str = "sleeps"

    @property
    def awaited(self) -> tuple[str, ...]:
        """No event: the case ends when its operations settle."""
        return ()

    def judge(self, trace: Trace) -> Divergence | None:
        """Compare the gaps with the expected minimums; report the first wrong gap."""
        seen = _gaps(trace)
        wrong = [
            event
            for n, (event, ms) in enumerate(seen)
            if n >= len(self.bounds) or ms < self.bounds[n] - _ROUNDING_MS
        ]
        if not wrong and len(seen) == len(self.bounds):
            return None
        return Divergence(
            f"{len(self.bounds)} reopen{'s' * (len(self.bounds) != 1)}"
            + (
                f", at least {_listed(self.bounds)} ms after the previous request"
                if any(self.bounds)
                else ""
            ),
            f"{len(seen)} reopen{'s' * (len(seen) != 1)}, "
            f"after {_listed([ms for _, ms in seen])} ms"
            if seen
            else "no reopens",
            wrong[0] if wrong else None,
        )


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
    return ", ".join(f"{ms:.4g}" for ms in delays)


def reconnect_sleeps(trace: Trace) -> list[tuple[Event, float]]:
    """Return every back-off delay that the client announced, in milliseconds."""
    return [(event, fact.ms) for event, fact in trace.of(Slept) if fact.purpose != "idle"]


def told_delays(seen: Sequence[tuple[Event, float]]) -> str:
    """Return a client's delays as text, such as `1000, 2000 ms`."""
    return f"{', '.join(f'{ms:g}' for _, ms in seen)} ms" if seen else "no delays"
