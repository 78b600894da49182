"""What is judged in every case, whatever it expects: how a client may behave at all."""

from collections.abc import Iterator

from attrs import frozen

from conformance.assertions.divergence import Divergence
from conformance.trace import (
    CallbackRan,
    Called,
    Event,
    Requested,
    Settled,
    SleepEnded,
    Slept,
    Trace,
    Woken,
)


@frozen
class Breach:
    """A breach of conduct, with the word under which it is reported."""

    word: str
    divergence: Divergence


def breaches(trace: Trace) -> Iterator[Breach]:
    """Yield every breach of conduct of a trace, the first of each kind."""
    for word, found in (
        ("conduct.wake", _reconnect_while_asleep(trace)),
        ("conduct.settled", _life_after_settling(trace)),
    ):
        if found is not None:
            yield Breach(word, found)


def _reconnect_while_asleep(trace: Trace) -> Divergence | None:
    asleep: dict[int, float] = {}
    for event in trace.events:
        match event.fact:
            case Slept(n=n, ms=ms, purpose="reconnect"):
                asleep[n] = ms
            case Woken(n=n) | SleepEnded(n=n):
                asleep.pop(n, None)
            case Requested(route="stream") if asleep:
                delays = ", ".join(f"{ms:g}" for ms in asleep.values())
                return Divergence(
                    f"no request before the delay of {delays} ms is over", "it came", event
                )
            case _:
                pass
    return None


def _life_after_settling(trace: Trace) -> Divergence | None:
    """Once every `wait` has settled, nothing of it may live on."""
    waiting: set[str] = set()
    settled: Event | None = None
    for event in trace.events:
        match event.fact:
            case Called(operation=operation) if operation.startswith("wait"):
                waiting.add(operation)
                settled = None
            case Settled(operation=operation) if operation in waiting:
                waiting.discard(operation)
                settled = event if not waiting else None
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
