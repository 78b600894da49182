"""The table of `_table.py`, executed.

It knows in which state each machine of one trainer is, and how a move of one makes another move.
It refuses to know what a signal or a move is good for.
"""

from attrs import define

from arkor_proto._errors import LocalProtocolError
from arkor_proto._table import JOINT, TABLE, Illegal, Job, Move, Signal, State, Stop, Stream


def next_state(state: State, signal: Signal) -> State | None:
    """Return where `signal` leads from `state`, None where it is ignored.

    Raises LocalProtocolError where the pair is illegal.
    """
    cell = TABLE[state][signal]
    if isinstance(cell, Illegal):
        raise LocalProtocolError(f"{signal.value!r} while {state.value!r}: {cell.why}")
    return cell.to if isinstance(cell, Move) else None


@define
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
        for state in self.states:
            if signal in TABLE[state]:
                to = next_state(state, signal)
                if to is None:
                    return []
                self._set(to)
        moved = [signal]
        for joint in JOINT:
            if joint.when is signal and joint.given in self.states:
                moved += self.take(joint.then)
        return moved

    def _set(self, to: State) -> None:
        if isinstance(to, Job):
            self.job = to
        elif isinstance(to, Stream):
            self.stream = to
        elif isinstance(to, Stop):
            self.stop = to
