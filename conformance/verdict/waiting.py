"""Estimate how long a correct client waits during a case."""

import re
from collections.abc import Sequence
from typing import Final

from conformance.casefile.model import Case
from conformance.expect.delays import SPREAD, Sleeps
from conformance.expect.requests import Requests
from mock_server.scenario.frames import render

_BASE_MS: Final = 1_000.0
_CAP_MS: Final = 60_000.0
_DOUBLINGS: Final = 16
_MOST_OPENS: Final = 10_000
"""The maximum number of attempts to count, because a case may allow any number."""
_OPEN: Final = 0.01
"""Seconds that an attempt takes in addition to the delay before it."""
_NAME_OF_OPEN: Final = re.compile(r"stream#(?P<attempt>[0-9]{1,9})")


def back_off(case: Case) -> tuple[float, float]:
    """Return the initial and the maximum back-off that a case configures, in milliseconds."""
    return _number(case, "initial_ms", _BASE_MS), _number(case, "max_ms", _CAP_MS)


def delays(case: Case) -> Sequence[float]:
    """Estimate each delay of a correct client in a case, in milliseconds."""
    for each in case.expect:
        if isinstance(each.assertion, Sleeps):
            return [delay.low for delay in each.assertion.delays]
    scripted = case.server.answers.get("stream", ())
    found: list[float] = []
    failures = 0
    for n in range(min(_opens(case), _MOST_OPENS) - 1):
        answer = scripted[min(n, len(scripted) - 1)] if scripted else None
        progress = bool(answer and answer.head.frames) if scripted else not case.server.scripted
        failures = 0 if progress else failures + 1
        found.append(_delay_after(max(failures - 1, 0), case))
    return found


def longest_delay(case: Case) -> float:
    """Return the longest delay that a correct client may choose in a case, in milliseconds."""
    longest = back_off(case)[1] if has_hint(case) else _delay_after(_opens(case), case)
    return longest * (1 + SPREAD)


def length(case: Case, divisor: int) -> float:
    """Estimate how many seconds a case takes with a client that really sleeps.

    If the backend asks for delays, the estimate includes the longest delay that is possible.
    """
    found = delays(case)
    hinted = longest_delay(case) if has_hint(case) else 0.0
    return max(sum(found), hinted) / 1000 / divisor + len(found) * _OPEN


def has_hint(case: Case) -> bool:
    """Return whether the backend asks for a delay with `retry` or `Retry-After`."""
    rules = case.server.scenario.rules
    sent = [render(frame).raw for rule in rules for frame in rule.head.frames or ()]
    for rule in rules:
        sent += [name.encode() for name in rule.head.headers or ()]
        sent += [(rule.head.raw_head or "").encode(), rule.head.raw_head_hex or b""]
    return any(rule.head.retry_after is not None for rule in rules) or any(
        b"retry" in each.lower() for each in sent
    )


def _delay_after(doublings: int, case: Case) -> float:
    base, cap = back_off(case)
    return min(base * 2.0 ** min(doublings, _DOUBLINGS), cap)


def _opens(case: Case) -> int:
    """Estimate the number of stream requests in a case."""
    known = [len(case.server.answers.get("stream", ()))]
    known.append(int(_number(case, "max_attempts", 0)) + 1)
    for each in case.expect:
        match each.assertion:
            case Requests(route="stream", count=count):
                known.append(count)
            case Sleeps(delays=delays):
                known.append(len(delays) + 1)
            case _:
                pass
    awaited = (*case.premise, *(each.assertion for each in case.expect))
    names = [name for each in awaited for name in each.awaited]
    known += [int(found["attempt"]) for name in names if (found := _NAME_OF_OPEN.match(name))]
    return max(known)


def _number(case: Case, key: str, default: float) -> float:
    value = case.config.get(key, default)
    return float(value) if isinstance(value, int | float) else default
