"""Expectations about the number of requests and their cursors."""

from attrs import frozen

from conformance.expect.mismatch import Divergence
from conformance.trace.events import Event, Requested, Trace


@frozen
class Requests:
    """Expects exactly `count` requests to one route during the case."""

    route: str
    count: int
    word: str

    @property
    def awaited(self) -> tuple[str, ...]:
        """The name of the last expected request, if any is expected."""
        return (f"{self.route}#{self.count}.requested",) if self.count else ()

    def judge(self, trace: Trace) -> Divergence | None:
        """Compare the number of requests with `count`; report the first surplus request."""
        seen = [event for event, fact in trace.of(Requested) if fact.route == self.route]
        if len(seen) == self.count:
            return None
        return Divergence(
            _times(self.count, self.route),
            _times(len(seen), self.route),
            seen[self.count] if len(seen) > self.count else None,
        )


@frozen
class LastEventIds:
    """Expects stream requests with these `Last-Event-ID` values, in order; None means no header."""

    chain: tuple[str | None, ...]
    word: str = "last_event_ids"

    @property
    def awaited(self) -> tuple[str, ...]:
        """The name of the last expected stream request."""
        return (f"stream#{len(self.chain)}.requested",)

    def judge(self, trace: Trace) -> Divergence | None:
        """Compare the cursors of the stream requests with the expected chain."""
        seen = cursors(trace)
        actual = tuple(cursor for _, cursor in seen)
        if actual == self.chain:
            return None
        wrong = [
            event
            for n, (event, _) in enumerate(seen)
            if n >= len(self.chain) or actual[n] != self.chain[n]
        ]
        return Divergence(told(self.chain), told(actual), wrong[0] if wrong else None)


def _times(count: int, route: str) -> str:
    return f"{count} {route} request{'' if count == 1 else 's'}"


def cursors(trace: Trace) -> list[tuple[Event, str | None]]:
    """Return every stream request with its `Last-Event-ID`; None means no header."""
    return [
        (event, fact.header("last-event-id"))
        for event, fact in trace.of(Requested)
        if fact.route == "stream"
    ]


def told(chain: tuple[str | None, ...]) -> str:
    """Return a chain of cursors as one line of text."""
    return " → ".join("no header" if cursor is None else repr(cursor) for cursor in chain) or "none"
