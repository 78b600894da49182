"""The table of `_table.py`, executed.

It knows in which state each machine of one trainer is, and how a move of one makes another move.
It refuses to know what a signal or a move is good for.
"""

from collections.abc import Mapping
from typing import Final

from attrs import define

from arkor_proto._errors import LocalProtocolError
from arkor_proto._table import (
    JOINT,
    TABLE,
    Illegal,
    Job,
    JobSignal,
    Joint,
    Move,
    Signal,
    State,
    Stop,
    Stream,
    StreamSignal,
)

_JOINT_BY_SIGNAL: Final[Mapping[Signal, tuple[Joint, ...]]] = {
    signal: tuple(joint for joint in JOINT if joint.when is signal)
    for signal in {joint.when for joint in JOINT}
}


def next_state(state: State, signal: Signal) -> State | None:
    """Return where `signal` leads from `state`, None where it is ignored.

    Raises LocalProtocolError where the pair is illegal.
    """
    cell = TABLE[state][signal]
    if isinstance(cell, Move):
        return cell.to
    if isinstance(cell, Illegal):
        raise LocalProtocolError(f"{signal.value!r} while {state.value!r}: {cell.why}")
    return None


@define(eq=False)
class Machines:
    """The job, the stream and the stop of one trainer."""

    job: Job
    stream: Stream = Stream.IDLE
    stop: Stop = Stop.IDLE

    @property
    def states(self) -> tuple[Job, Stream, Stop]:
        """Where the three stand."""
        return self.job, self.stream, self.stop

    def take(self, signal: Signal) -> list[Signal]:
        """Apply `signal` and all that follows from it; return those that moved, in order."""
        state = self.stream if isinstance(signal, StreamSignal) else self._state_for(signal)
        match next_state(state, signal):  # the most frequent first
            case Stream() as to:
                self.stream = to
            case Job() as to:
                self.job = to
            case Stop() as to:
                self.stop = to
            case _:
                return []
        moved = [signal]
        for joint in _JOINT_BY_SIGNAL.get(signal, ()):
            if joint.given in self.states:
                moved += self.take(joint.then)
        return moved

    def _state_for(self, signal: Signal) -> State:
        return self.job if isinstance(signal, JobSignal) else self.stop
