"""Where a rule stalls or ends a response, how the response ends, and what happens afterwards."""

from collections.abc import Callable, Iterable

from attrs import define

from mock_server.faults.actions import (
    Action,
    AwaitGate,
    End,
    Pause,
)
from mock_server.scenario.rule import Rule
from mock_server.scenario.words.end import After, IdleEnd, Outage, Stall
from mock_server.sse import Frame


@define
class Breakpoint:
    """A point in a stream at which a rule acts.

    `fire` counts the action; it returns False once the rule has reached its limit.
    """

    after: After
    fire: Callable[[], bool]
    stall: Stall | None
    end: End | None
    reached: bool = False

    @property
    def depends_on_frames(self) -> bool:
        """Whether the point comes after the very start of the stream."""
        return self.after != After()

    @property
    def _within_a_frame(self) -> bool:
        named = self.after.id is not None or self.after.event is not None
        return bool(self.after.bytes) and not named

    def reaches(self, sent: int, frame: Frame | None) -> bool:
        """Return whether the point is right after `frame`, the `sent`-th frame of the stream."""
        if self.reached or self._within_a_frame or sent < self.after.frames:
            return False
        if self.after.id is not None and (frame is None or frame.id != self.after.id):
            return False
        return self.after.event is None or (frame is not None and frame.event == self.after.event)

    def cuts(self, sent: int) -> bool:
        """Return whether the point is inside the next frame; `sent` frames came before that one."""
        return not self.reached and self._within_a_frame and sent == self.after.frames

    def actions(self) -> list[Action]:
        """Return the actions at this point: a stall, an end, or both."""
        stalled = [] if self.stall is None else [stalling(self.stall)]
        return stalled if self.end is None else [*stalled, self.end]


def stalling(stall: Stall) -> Action:
    """Return the action for a stall."""
    return Pause(stall.seconds) if stall.gate is None else AwaitGate(stall.gate)


def end_of(rule: Rule) -> End | None:
    """Return how a rule ends a response; None if it does not."""
    return None if rule.end.end is None else End(rule.end.end, extra_of((rule,)))


def final_of(rules: Iterable[Rule]) -> End | None:
    """Return how the rules end a response that was sent completely; None if they do not."""
    whole = (rule for rule in rules if rule.end.after is None and rule.request.lose is None)
    return next((end for rule in whole if (end := end_of(rule)) is not None), None)


def extra_of(rules: Iterable[Rule]) -> bytes:
    """Return the bytes that the rules send after the end of a response."""
    given = (rule.end.extra_hex or (rule.end.extra or "").encode() for rule in rules)
    return next((extra for extra in given if extra), b"")


def idle_end_of(rules: Iterable[Rule]) -> tuple[IdleEnd, float] | None:
    """Return how the rules end an idle connection, and after how many seconds, or None."""
    return next(((how, rule.end.idle) for rule in rules if (how := rule.end.idle_end)), None)


def outage_of(rules: Iterable[Rule]) -> tuple[Outage, float] | None:
    """Return the port outage that begins when the exchange ends, and its length in seconds."""
    return next(
        ((outage, rule.end.listener_for) for rule in rules if (outage := rule.end.listener)), None
    )
