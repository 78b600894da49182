"""What happened while a case was played, and the rules that the backend broke."""

from typing import Final, NoReturn

from attrs import define, field

from conformance.backends.blocks import Block
from conformance.backends.follower import Follower
from conformance.backends.wire import BY_CLOSE, COMPLETE, LEFT, now
from conformance.expect.mismatch import Divergence
from conformance.strict_data import Json
from conformance.trace.events import Ended, Event, Fact, Framed, Noted, Responded, Trace
from conformance.verdict.result import Finding

_ENDINGS: Final = {
    COMPLETE: "has ended",
    BY_CLOSE: "ended when the connection was closed",
    LEFT: "was still open when the kit closed the connection",
}


class NotReached(Exception):
    """The case could not test its rules; the message says why.

    `rule` is the rule whose breach prevented the test, if there is one.
    """

    def __init__(self, why: str, rule: str = "") -> None:
        super().__init__(why)
        self.rule = rule


class Stop(Exception):
    """Ends a case after `Account.stop` has recorded a breach."""


@define(eq=False, kw_only=True)
class Account:
    """The trace and the findings of a case."""

    trace: Trace = field(factory=Trace)
    findings: list[Finding] = field(factory=list[Finding])
    quiet: bool = False
    """True while the trace leaves out requests that are repeated thousands of times."""
    notes: list[str] = field(factory=list[str])
    """Remarks for readers of the report."""
    _began: float = field(factory=now)

    def record(self, fact: Fact) -> Event:
        """Add a fact to the trace."""
        return self.trace.append(fact, now() - self._began)

    def note(self, text: str) -> None:
        """Add a remark by the kit to the trace."""
        self.record(Noted("kit", text))

    def broke(self, rule: str, expected: str, actual: str, event: Event | None = None) -> None:
        """Record that the backend broke a rule; the case continues."""
        number = rule if "-" in rule else f"ARK-SRV-{rule}"
        found = Divergence(expected, actual, event)
        last = self.trace.events[-1] if self.trace.events else None
        self.findings.append(Finding.of(number, (number,), found, last))

    def stop(self, rule: str, expected: str, actual: str, event: Event | None = None) -> NoReturn:
        """Record that the backend broke a rule, and end the case."""
        self.broke(rule, expected, actual, event)
        raise Stop

    def got(self, follower: Follower) -> str:
        """Describe what a follower received."""
        if not follower.status:
            return "no response to the stream request"
        if not follower.is_stream:
            kind = follower.header("content-type").partition(";")[0]
            return f"{follower.status} {kind}".strip()
        ids = list(follower.ids)
        shown = ", ".join(repr(each) for each in ids[-3:])
        count = f"{len(ids)} event{'s' if len(ids) > 1 else ''}"
        events = f"{count}, the last {shown}" if ids else "no event"
        return f"{events} (the stream {_state(follower)})"

    def at(self, follower: Follower, block: int = 0) -> Event | None:
        """Return the trace event for the arrival of a block; if there is none, the follower's last event."""
        own = [
            event
            for event in self.trace.events
            if isinstance(event.fact, Responded | Framed | Ended)
            and (event.fact.route, event.fact.attempt) == (follower.route, follower.attempt)
        ]
        found = [e for e in own if isinstance(e.fact, Framed) and e.fact.index == block]
        return next(iter(found or own[-1:]), None)

    def compare(self, ours: Follower, theirs: Follower, rule: str = "36") -> None:
        """Check that each event that both followers received has the same content in both."""
        known = {block.id: block for block in ours.frames if block.id is not None}
        for block in theirs.frames:
            other = known.get(block.id or "")
            if other is not None and _content(block) != _content(other):
                expected = f"event {block.id} as another follower received it: {other.data!r:.200}"
                self.stop(rule, expected, f"{block.data!r:.200}")

    def streams(self, follower: Follower) -> None:
        """Check that the response is a stream; otherwise raise NotReached with the broken rule."""
        if not follower.status:
            raise NotReached("the stream request got no response", "ARK-SRV-20")
        if not follower.is_stream:
            raise NotReached(
                f"the response to the stream request ({follower.status}) was not an event stream",
                "ARK-SRV-17",
            )

    def adopt(self, trace: Trace) -> None:
        """Continue the trace of a shared job, because this case judges what happened to it."""
        self.trace = trace


def _content(block: Block) -> Json:
    """Return an event's parsed JSON, or its text if it is not JSON."""
    return block.data if block.value is None else block.value


def _state(follower: Follower) -> str:
    """Return the words after "the stream" in a message: how it ended, or "is still open"."""
    if not follower.ended:
        return "is still open"
    return _ENDINGS.get(follower.ended, f"was {follower.ended}")
