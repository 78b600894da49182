"""The rules of conduct, which are checked in every case."""

import math
from collections.abc import Iterator, Sequence

from attrs import frozen

from conformance.expect.mismatch import Divergence
from conformance.trace.events import (
    CallbackRan,
    Called,
    Event,
    Failure,
    Noted,
    Quiet,
    Requested,
    Settled,
    SleepEnded,
    Slept,
    Trace,
    Woken,
)

_OVERLAP = 2
"""With this many concurrent waits or more, a request during a delay may belong to another wait."""


@frozen
class Breach:
    """A breach of a rule of conduct: `word` names it in reports, and `rule` is the rule's id."""

    word: str
    rule: str
    divergence: Divergence


def breaches(trace: Trace, secrets: Sequence[str], log: str) -> Iterator[Breach]:
    """Yield the first breach in `trace` of each rule of conduct.

    `secrets` must not occur in the driver's error messages or in its `log`.
    """
    for word, rule, found in (
        ("conduct.delay", "ARK-BAK-8", _no_delay(trace)),
        ("conduct.wake", "ARK-BAK-1", _reconnect_while_asleep(trace)),
        ("conduct.woken", "ARK-BAK-1", _woken_too_early(trace)),
        ("conduct.settled", "ARK-ERR-10", _life_after_settling(trace)),
        ("conduct.secret", "ARK-SEC-8", _told_secret(trace, secrets, log)),
        ("conduct.zombie", "ARK-ERR-10", _life_after_closing(trace)),
    ):
        if found is not None:
            yield Breach(word, rule, found)


def _told_secret(trace: Trace, secrets: Sequence[str], log: str) -> Divergence | None:
    expected = "no secret in the driver's messages or on its standard error"
    for event in trace.events:
        match event.fact:
            case Settled(failure=Failure(message=text)) | Noted(who="driver", text=text):
                if any(secret in text for secret in secrets):
                    return Divergence(expected, "a message contains a token", event)
            case _:
                pass
    if any(secret in log for secret in secrets):
        return Divergence(expected, "the driver wrote a token to its standard error")
    return None


def _no_delay(trace: Trace) -> Divergence | None:
    """Find a back-off that is negative, infinite or not a number."""
    for event, sleep in trace.of(Slept):
        if sleep.purpose == "reconnect" and not 0 <= sleep.ms < math.inf:
            negative = -math.inf < sleep.ms < 0
            wrong = "is negative" if negative else "is not finite"
            return Divergence(
                "a finite delay of 0 ms or more",
                f"the delay {wrong}: {sleep.ms:g} ms",
                event,
            )
    return None


def _reconnect_while_asleep(trace: Trace) -> Divergence | None:
    """Find a stream request made during a delay, unless there are concurrent waits (ARK-BAK-1)."""
    asleep: dict[int, float] = {}
    waiting: set[str] = set()
    for event in trace.events:
        match event.fact:
            case Called(operation=operation) if operation.startswith("wait"):
                waiting.add(operation)
            case Settled(operation=operation) if operation in waiting:
                waiting.discard(operation)
                if not waiting:  # a settled wait has no delays, even if it did not report their end
                    asleep.clear()
            case Slept(n=n, ms=ms, purpose="reconnect"):
                asleep[n] = ms
            case Woken(n=n) | SleepEnded(n=n):
                asleep.pop(n, None)
            case Requested(route="stream") if asleep and len(waiting) < _OVERLAP:
                delays = ", ".join(f"{ms:g}" for ms in asleep.values())
                return Divergence(
                    f"no request before the delay of {delays} ms is over",
                    "the client sent one during the delay",
                    event,
                )
            case _:
                pass
    return None


def _woken_too_early(trace: Trace) -> Divergence | None:
    """Find a sleep that the driver reported as woken before the kit woke it.

    A sleep that the driver did not announce in this case is ignored.
    """
    asleep: set[int] = set()
    for event in trace.events:
        match event.fact:
            case Slept(n=n):
                asleep.add(n)
            case Woken(n=n):
                asleep.discard(n)
            case SleepEnded(n=n, why="woken") if n in asleep:
                return Divergence(
                    f"sleep {n} lasts until the kit wakes it",
                    "it ended as 'woken' before the kit woke it, so the client did not sleep",
                    event,
                )
            case _:
                pass
    return None


def _life_after_settling(trace: Trace) -> Divergence | None:
    """Find any activity of a `wait` after every `wait` has settled.

    A request that arrives shortly after a `wait` has settled may have been sent earlier. Only
    a request that arrives after `Quiet` is certain to have been sent later.
    """
    waiting: set[str] = set()
    settled: Event | None = None
    quiet = False
    for event in trace.events:
        match event.fact:
            case Called(operation=operation) if operation.startswith("wait"):
                waiting.add(operation)
                settled, quiet = None, False
            case Settled(operation=operation) if operation in waiting:
                waiting.discard(operation)
                settled, quiet = (event if not waiting else None), False
            case Quiet():
                quiet = True
            case Requested() if not quiet:
                pass
            case CallbackRan() | Requested(route="stream") | Slept(purpose="reconnect") if settled:
                expected = "no activity after the wait has settled"
                return Divergence(expected, _life(event.fact), event)
            case _:
                pass
    return None


def _life_after_closing(trace: Trace) -> Divergence | None:
    """Find any activity of the client after the case was closed."""
    closed = trace.first("close.settled")
    for event in () if closed is None else trace.events[closed.seq :]:
        if isinstance(event.fact, CallbackRan | Requested | Slept):
            expected = "no activity after the client has been closed"
            return Divergence(expected, _life(event.fact), event)
    return None


def _life(fact: CallbackRan | Requested | Slept) -> str:
    match fact:
        case CallbackRan(name=name):
            return f"the callback {name} ran"
        case Requested(route=route):
            return f"a {route} request arrived"
        case Slept(ms=ms):
            return f"a delay of {ms:g} ms began"
