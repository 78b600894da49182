"""Premises: what a client must have done before a case can judge its rule.

A premise is an action of the client: a request, a callback, a delay or the end of an operation. An
action of the backend would not do, because it does not show how far the client got.
"""

from collections.abc import Mapping
from typing import TypeAlias

from attrs import frozen

from conformance.expect.callbacks import Result
from conformance.expect.delays import Delay, reconnect_sleeps, told_delays
from conformance.expect.mismatch import Divergence
from conformance.expect.order import Reached
from conformance.expect.requests import cursors, told
from conformance.trace.events import CallbackRan, Trace


@frozen
class FirstCursors:
    """The first stream requests had these cursors; None means no `Last-Event-ID`."""

    chain: tuple[str | None, ...]
    word: str = "premise.last_event_ids"

    @property
    def awaited(self) -> tuple[str, ...]:
        """The event to wait for: the last of these requests."""
        return (f"stream#{len(self.chain)}.requested",)

    def judge(self, trace: Trace) -> Divergence | None:
        """Compare the cursors of the first stream requests with the premise."""
        seen = cursors(trace)[: len(self.chain)]
        if tuple(cursor for _, cursor in seen) == self.chain:
            return None
        wrong = [e for n, (e, cursor) in enumerate(seen) if cursor != self.chain[n]]
        actual = told(tuple(cursor for _, cursor in seen))
        return Divergence(told(self.chain), actual, wrong[0] if wrong else None)


@frozen
class FirstCallbacks:
    """The first callbacks had these names."""

    names: tuple[str, ...]
    word: str = "premise.callbacks"

    @property
    def awaited(self) -> tuple[str, ...]:
        """The event to wait for: the last of these callbacks."""
        return (f"callback#{len(self.names)}",)

    def judge(self, trace: Trace) -> Divergence | None:
        """Compare the first callbacks with the premise."""
        seen = list(trace.of(CallbackRan))[: len(self.names)]
        names = tuple(fact.name for _, fact in seen)
        if names == self.names:
            return None
        wrong = [event for n, (event, fact) in enumerate(seen) if fact.name != self.names[n]]
        return Divergence(
            ", ".join(self.names), ", ".join(names) or "none", wrong[0] if wrong else None
        )


@frozen
class FirstSleeps:
    """The first back-off delays were within these bounds."""

    delays: tuple[Delay, ...]
    word: str = "premise.sleeps"

    @property
    def awaited(self) -> tuple[str, ...]:
        """The event to wait for: the last of these delays."""
        return (f"sleep#{len(self.delays)}",)

    def judge(self, trace: Trace) -> Divergence | None:
        """Compare the first delays with the premise."""
        seen = reconnect_sleeps(trace)[: len(self.delays)]
        pairs = zip(seen, self.delays, strict=False)
        wrong = next((event for (event, ms), delay in pairs if not delay.holds(ms)), None)
        if wrong is None and len(seen) == len(self.delays):
            return None
        expected = f"first delays of {', '.join(map(str, self.delays))} ms"
        return Divergence(expected, told_delays(seen), wrong)


@frozen
class Carries:
    """In the first call to the callback, this member of the argument was a string."""

    callback: str
    member: str
    word: str = "premise.carries"

    @property
    def awaited(self) -> tuple[str, ...]:
        """The event to wait for: the first call to the callback."""
        return (f"callback.{self.callback}#1",)

    def judge(self, trace: Trace) -> Divergence | None:
        """Check that the member is a string in the first call."""
        expected = f"a call to {self.callback} in which {self.member} is a string"
        for event, fact in trace.of(CallbackRan):
            if fact.name == self.callback:
                told = fact.data.get(self.member) if isinstance(fact.data, Mapping) else None
                if isinstance(told, str):
                    return None
                return Divergence(expected, f"its {self.member} is {told!r}", event)
        return Divergence(expected, f"{self.callback} was never called")


Premise: TypeAlias = Reached | FirstCursors | FirstCallbacks | FirstSleeps | Carries | Result
