"""What is judged in every case, whatever it expects: how a client may behave at all."""

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
"""So many waits at once overlap."""


@frozen
class Breach:
    """A breach of conduct: the word under which it is reported, the requirement it breaks."""

    word: str
    rule: str
    divergence: Divergence


def breaches(trace: Trace, secrets: Sequence[str], log: str) -> Iterator[Breach]:
    """Yield every breach of conduct of a trace, the first of each kind.

    `secrets` must occur in no message of the driver, and not in its `log` either.
    """
    for word, rule, found in (
        ("conduct.delay", "ARK-BAK-8", _no_delay(trace)),
        ("conduct.wake", "ARK-BAK-1", _reconnect_while_asleep(trace)),
        ("conduct.woken", "ARK-BAK-1", _woken_by_nobody(trace)),
        ("conduct.settled", "ARK-ERR-10", _life_after_settling(trace)),
        ("conduct.secret", "ARK-SEC-8", _told_secret(trace, secrets, log)),
    ):
        if found is not None:
            yield Breach(word, rule, found)


def _told_secret(trace: Trace, secrets: Sequence[str], log: str) -> Divergence | None:
    expected = "no secret in a message of an error or in the log"
    for event in trace.events:
        match event.fact:
            case Settled(failure=Failure(message=text)) | Noted(who="driver", text=text):
                if any(secret in text for secret in secrets):
                    return Divergence(expected, "it contains a token", event)
            case _:
                pass
    if any(secret in log for secret in secrets):
        return Divergence(expected, "the driver wrote a token to its standard error")
    return None


def _no_delay(trace: Trace) -> Divergence | None:
    """Find a back-off that no clock can keep."""
    for event, sleep in trace.of(Slept):
        if sleep.purpose == "reconnect" and not 0 <= sleep.ms < math.inf:
            negative = -math.inf < sleep.ms < 0
            wrong = "is negative" if negative else "is not a number"
            return Divergence(
                "a delay that is a finite number, zero or more",
                f"the delay {wrong}: {sleep.ms:g} ms",
                event,
            )
    return None


def _reconnect_while_asleep(trace: Trace) -> Divergence | None:
    """Find a request during a delay; with two waits under way it may be the other one's."""
    asleep: dict[int, float] = {}
    waiting: set[str] = set()
    for event in trace.events:
        match event.fact:
            case Called(operation=operation) if operation.startswith("wait"):
                waiting.add(operation)
            case Settled(operation=operation) if operation in waiting:
                waiting.discard(operation)
                if not waiting:  # and its delays with it, whether the driver says so or not
                    asleep.clear()
            case Slept(n=n, ms=ms, purpose="reconnect"):
                asleep[n] = ms
            case Woken(n=n) | SleepEnded(n=n):
                asleep.pop(n, None)
            case Requested(route="stream") if asleep and len(waiting) < _OVERLAP:
                delays = ", ".join(f"{ms:g}" for ms in asleep.values())
                return Divergence(
                    f"no request before the delay of {delays} ms is over", "it came", event
                )
            case _:
                pass
    return None


def _woken_by_nobody(trace: Trace) -> Divergence | None:
    """Find a driver that announces a sleep, does not sleep it and says that it was woken.

    The end of a sleep that was not announced, in this case at least, says nothing about the client.
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
                    "it ended as 'woken' before any wake: announced, and not slept",
                    event,
                )
            case _:
                pass
    return None


def _life_after_settling(trace: Trace) -> Divergence | None:
    """Once every `wait` has settled, nothing of it may live on.

    A request that arrives right after may have been sent before; only one that arrives after
    everything is quiet is known to have been sent later.
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
            case _:
                if settled is not None and (life := _sign_of_life(event)):
                    return Divergence("nothing of wait lives on once it has settled", life, event)
    return None


def _sign_of_life(event: Event) -> str | None:
    match event.fact:
        case CallbackRan(name=name):
            return f"the callback {name} ran"
        case Requested(route="stream"):
            return "the stream was opened again"
        case Slept(purpose="reconnect", ms=ms):
            return f"a back-off of {ms:g} ms began"
        case _:
            return None
