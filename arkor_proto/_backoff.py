"""Reconnection arithmetic: delays, jitter, and the budget of consecutive failures.

This module contains the published formula, the kinds of jitter, and the rule for when the budget is
exhausted. The source of random numbers is an argument. All durations are in seconds.
"""

import math
import sys
from collections.abc import Callable
from enum import Enum
from typing import Final, TypeAlias, assert_never

from attrs import Attribute, define, field, frozen

from arkor_proto._checks import check_kind, of_kind
from arkor_proto._value import Value

Random: TypeAlias = Callable[[], float]
"""Returns a float in [0, 1), such as `random.Random(seed).random`."""

# 2.0 ** -1074 is the smallest positive float: doubled this many times, it exceeds the largest one.
_EXPONENT_LIMIT: Final = 2200


class Jitter(Enum):
    """How a delay is randomised. The names are those in common use."""

    NONE = "none"
    PROPORTIONAL = "proportional"
    """Within ±25% of the nominal delay, but never above `max_delay` (ARK-BAK)."""
    EQUAL = "equal"
    """From half the nominal delay to the nominal delay."""
    FULL = "full"
    """From zero to the nominal delay."""
    DECORRELATED = "decorrelated"
    """From the initial delay to three times the previous delay, but never above `max_delay`."""


def _duration(_: object, attribute: "Attribute[float]", value: float) -> None:
    check_kind(attribute.name, value, (int, float), "a number of seconds")
    if not 0 <= value <= sys.float_info.max:
        problem = "is not a duration; pass a number of seconds, 0 or more"
        raise ValueError(f"{attribute.name}: {value!r} {problem}")


def _count(_: object, attribute: "Attribute[int | None]", value: int | None) -> None:
    if value is not None:
        check_kind(attribute.name, value, int, "a whole number, or None for no limit")
    if value is not None and value < 0:
        problem = "is not a count; pass 0 or more, or None for no limit"
        raise ValueError(f"{attribute.name}: {value!r} {problem}")


@frozen(repr=False, eq=False)
class ReconnectPolicy(Value):
    """How long to wait before the next attempt, and how many attempts may fail in a row.

    `initial_delay` and `max_delay` are in seconds. After `max_attempts` failures in
    a row there is one last attempt, so n allows n + 1 attempts; None sets no limit. Raises
    ValueError for negative or non-finite values, and TypeError for values of the wrong type.
    """

    initial_delay: float = field(default=1.0, validator=_duration)
    max_delay: float = field(default=60.0, validator=_duration)
    max_attempts: int | None = field(default=None, validator=_count)
    jitter: Jitter = field(
        default=Jitter.PROPORTIONAL, validator=of_kind(Jitter, "a Jitter, such as Jitter.FULL")
    )

    def nominal_delay(self, attempt: int) -> float:
        """Return exactly `min(initial_delay * 2 ** attempt, max_delay)`, for any attempt ≥ 0."""
        try:
            delay = math.ldexp(self.initial_delay, min(attempt, _EXPONENT_LIMIT))
        except OverflowError:
            return self.max_delay
        return min(delay, self.max_delay)

    def delay(self, attempt: int, random: Random | None, previous: float | None = None) -> float:
        """Return the delay before the next attempt; it is the nominal delay if `random` is None.

        `previous` is the delay before the last attempt; only decorrelated jitter uses it.
        """
        nominal = self.nominal_delay(attempt)
        if random is None:
            return nominal
        match self.jitter:
            case Jitter.NONE:
                return nominal
            case Jitter.PROPORTIONAL:
                # Cap the range, not the sample, or many clients would wait exactly `max_delay`.
                return _between(0.75 * nominal, min(1.25 * nominal, self.max_delay), random)
            case Jitter.EQUAL:
                return _between(nominal / 2, nominal, random)
            case Jitter.FULL:
                return _between(0.0, nominal, random)
            case Jitter.DECORRELATED:
                low = self.nominal_delay(0)
                high = min(3 * (low if previous is None else previous), self.max_delay)
                return _between(low, max(low, high), random)
            case never:
                assert_never(never)


def _between(low: float, high: float, random: Random) -> float:
    return low + (high - low) * random()


@define(eq=False, repr=False)
class Budget:
    """Counts consecutive failures and computes the delay after each of them.

    The server can set a minimum, the floor: a `retry:` sets it until another `retry:` arrives, a
    `Retry-After` only for the next delay. Under a profile that does not honour them, `ask` is never
    called.
    """

    policy: ReconnectPolicy
    random: Random | None = None
    failures: int = 0
    _previous: float | None = field(default=None, alias="previous")
    _stream_floor: float = field(default=0.0, alias="stream_floor")
    _once_floor: float = field(default=0.0, alias="once_floor")

    def progressed(self) -> None:
        """Reset the failure count, because there was progress (ARK-BUD)."""
        self.failures = 0
        self._previous = None

    def ask(self, *, stream: float | None = None, once: float | None = None) -> None:
        """Record the minimum delay that the server asks for, in seconds."""
        if stream is not None:
            self._stream_floor = stream
        if once is not None:
            self._once_floor = once

    def failed(self) -> float | None:
        """Count one failure; return the delay before the next attempt, or None if none remains."""
        limit = self.policy.max_attempts
        delay = self._raised(self.policy.delay(self.failures, self.random, self._previous))
        self.failures += 1
        if limit is not None and self.failures > limit:
            return None
        self._previous = delay
        return delay

    def clean_end(self, *, spread: bool) -> float:
        """Return the delay after a clean end with progress; such an end is not a failure."""
        return self._raised(self.policy.delay(0, self.random if spread else None))

    def _raised(self, delay: float) -> float:
        cap = self.policy.max_delay
        floor = min(max(self._stream_floor, self._once_floor), cap)
        self._once_floor = 0.0
        if delay >= floor:
            return delay
        # No client returns earlier than asked, and they do not all return at the same moment.
        return (
            floor if self.random is None else _between(floor, min(1.25 * floor, cap), self.random)
        )
