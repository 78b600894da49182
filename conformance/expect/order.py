"""Expectations about which events happen, which do not, and in what order."""

from attrs import frozen

from conformance.expect.mismatch import Divergence
from conformance.trace.events import CallbackRan, Ended, Trace


@frozen
class Reached:
    """Expects that an event happens."""

    reference: str

    @property
    def word(self) -> str:
        """The name of the expectation, including the event."""
        return f"reached {self.reference}"

    @property
    def awaited(self) -> tuple[str, ...]:
        """The event."""
        return (self.reference,)

    def judge(self, trace: Trace) -> Divergence | None:
        """Look for the event in the trace."""
        if trace.first(self.reference) is not None:
            return None
        return Divergence(f"the case reaches {self.reference}", "the event did not happen")


@frozen
class Never:
    """Expects that an event does not happen before the driver has closed the case."""

    reference: str

    @property
    def word(self) -> str:
        """The name of the expectation, including the event."""
        return f"never {self.reference}"

    @property
    def awaited(self) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def judge(self, trace: Trace) -> Divergence | None:
        """Look for the event in the trace."""
        event = trace.first(self.reference)
        return Divergence(f"no {self.reference}", "it happened", event) if event else None


@frozen
class Before:
    """Expects that two events happen, `earlier` before `later`."""

    earlier: str
    later: str

    @property
    def word(self) -> str:
        """The name of the expectation, including the events."""
        return f"before {self.earlier} {self.later}"

    @property
    def awaited(self) -> tuple[str, ...]:
        """Both events."""
        return (self.earlier, self.later)

    def judge(self, trace: Trace) -> Divergence | None:
        """Compare the positions of the events in the trace."""
        earlier, later = trace.first(self.earlier), trace.first(self.later)
        expected = f"{self.earlier} before {self.later}"
        if earlier is None or later is None:
            missing = self.earlier if earlier is None else self.later
            return Divergence(expected, f"{missing} never happened", later)
        if earlier.seq < later.seq:
            return None
        return Divergence(expected, f"{self.later} happened first", later)


@frozen
class QuietAfter:
    """Expects that no callback runs after an event."""

    reference: str

    @property
    def word(self) -> str:
        """The name of the expectation, including the event."""
        return f"quiet_after {self.reference}"

    @property
    def awaited(self) -> tuple[str, ...]:
        """The event."""
        return (self.reference,)

    def judge(self, trace: Trace) -> Divergence | None:
        """Look for a callback that ran after the event."""
        event = trace.first(self.reference)
        expected = f"no callback after {self.reference}"
        if event is None:
            return Divergence(expected, f"{self.reference} never happened")
        late = next((each for each, _ in trace.of(CallbackRan) if each.seq > event.seq), None)
        return Divergence(expected, "a callback ran", late) if late else None


@frozen
class ClosedByClient:
    """Expects that the client closes the connection of an exchange before the kit closes the case.

    If the server ended the exchange, the expectation is met: the client has nothing left to close.
    """

    exchange: str

    @property
    def word(self) -> str:
        """The name of the expectation, including the exchange."""
        return f"closed {self.exchange}"

    @property
    def awaited(self) -> tuple[str, ...]:
        """The closing of the exchange's connection."""
        return (f"{self.exchange}.closed",)

    def judge(self, trace: Trace) -> Divergence | None:
        """Check that the server ended the exchange or the client closed the connection in time."""
        event = trace.first(f"{self.exchange}.closed")
        ended = trace.first(f"{self.exchange}.ended")
        by_server = (
            ended is not None and isinstance(ended.fact, Ended) and ended.fact.by != "client"
        )
        # Closing the case closes the client and all of its open connections.
        closing = trace.first("close.called")
        in_time = event is not None and (closing is None or event.seq < closing.seq)
        if by_server or in_time:
            return None
        return Divergence(
            f"the client closes the connection of {self.exchange} before the kit closes the case",
            "the client left it open",
            event or ended,
        )
