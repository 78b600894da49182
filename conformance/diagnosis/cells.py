"""Find the cell of the state table in which a client takes a step, and what led to that step.

Both are inferred from the trace: the state from what has happened, the signal from the client's
reaction. The names are those of the table in `spec/machine.md`.
"""

from collections.abc import Sequence
from typing import Final

from attrs import define, frozen

from arkor_proto._table import (
    Job,
    JobSignal,
    Signal,
    State,
    Stop,
    StopSignal,
    Stream,
    StreamSignal,
)
from conformance.diagnosis.steps import Step
from conformance.trace.events import (
    CallbackRan,
    Called,
    Ended,
    Event,
    Framed,
    Requested,
    Responded,
    Settled,
    SleepEnded,
    Slept,
)
from conformance.verdict.not_reached.frames import frames_in

_SUCCESS: Final = range(200, 300)
_REDIRECT: Final = range(300, 400)
_LAST: Final = frozenset({"completed", "failed"})


@frozen
class Cell:
    """A cell of the state table: the state, and the signal."""

    state: str
    signal: str

    def __str__(self) -> str:
        return f"{self.state} / {self.signal}"


@define
class _Where:
    """The states of the client's three machines, as far as a trace shows them."""

    job: Job = Job.UNSUBMITTED
    stream: Stream = Stream.IDLE
    stop: Stop = Stop.IDLE

    def see(self, event: Event) -> None:  # noqa: C901 - one arm per kind of fact
        match event.fact:
            case Called(operation=operation):
                self._called(operation.partition("#")[0])
            case Requested(route="create"):
                self.job = Job.CREATING
            case Requested(route="stream"):
                self._follow(Stream.OPENING)
            case Requested(route="job"):
                self._follow(Stream.ASKING)
            case Requested(route="cancel"):
                self.stop = Stop.CANCELLING
            case Responded(route=route, status=status):
                self._answered(route, status)
            case CallbackRan(name=name) if name in _LAST:
                self._follow(Stream.CONCLUDING)
            case Slept(purpose="reconnect"):
                self._follow(Stream.BACKING_OFF)
            case Settled(operation=operation) if operation.startswith("wait"):
                over = self.stream is Stream.CONCLUDING
                self._follow(Stream.CONCLUDED if over else Stream.IDLE)
            case Settled(operation=operation) if operation.startswith("cancel"):
                self.stop = Stop.IDLE
            case _:
                pass

    def _called(self, verb: str) -> None:
        match verb:
            case "wait" if self.stream is Stream.IDLE:
                self.stream = Stream.AWAITING_JOB
            case "cancel" if self.stop is Stop.IDLE:
                self.stop = Stop.AWAITING_JOB
            case "abort":
                self.stream = Stream.ABORTED
            case _:
                pass

    def _follow(self, state: Stream) -> None:
        if self.stream is not Stream.ABORTED:
            self.stream = state

    def _answered(self, route: str, status: int) -> None:
        match route:
            case "create":
                self.job = Job.ACCEPTED if status in _SUCCESS else Job.UNSUBMITTED
            case "stream":
                self._follow(Stream.STREAMING if status in _SUCCESS else Stream.REFUSED)
            case _:
                pass

    def cell(self, step: Step | None) -> Cell:
        """Return the cell of a step; `step` is None if the client does nothing more."""
        if step is None:
            return Cell(self.stream.value, "nothing")
        state, signal = self._of(step)
        return Cell(state.value, signal.value)

    def _of(self, step: Step) -> tuple[State, Signal]:  # noqa: PLR0911 - one arm per kind of step
        match step.fact:
            case Requested(route="create"):
                return self.job, JobSignal.START
            case Requested(route="cancel"):
                return self.stop, StopSignal.JOB_KNOWN
            case Requested(route="job"):
                return self.stream, StreamSignal.ASK
            case Requested() if self.stream is Stream.AWAITING_JOB:
                return self.stream, StreamSignal.JOB_KNOWN
            case Requested():
                redirected = self.stream is Stream.REFUSED
                return self.stream, StreamSignal.REDIRECT if redirected else StreamSignal.DUE
            case CallbackRan(name=name):
                last = name in _LAST
                return self.stream, StreamSignal.TERMINAL if last else StreamSignal.FRAME
            case Slept():
                return self.stream, StreamSignal.RETRY
            case Settled(operation=operation, failure=failure):
                return self._settled(
                    operation.partition("#")[0], None if not failure else failure.kind
                )
            case _:
                return self.stream, StreamSignal.HANDLED

    def _settled(self, verb: str, failure: str | None) -> tuple[State, Signal]:
        match verb, failure:
            case "start", None:
                return self.job, JobSignal.ACCEPT
            case "start", _:
                return self.job, JobSignal.REFUSE
            case "cancel", _:
                return self.stop, StopSignal.ANSWER
            case _, "aborted":
                return self.stream, StreamSignal.ABORT
            case _, None:
                over = self.stream is Stream.CONCLUDING
                return self.stream, StreamSignal.HANDLED if over else StreamSignal.END
            case _:
                known = self.job is Job.ACCEPTED or self.stream is not Stream.AWAITING_JOB
                return self.stream, StreamSignal.REJECT if known else StreamSignal.NO_JOB


def cell_of(events: Sequence[Event], step: Step | None) -> Cell:
    """Return the cell in which a client takes a step; `step` is None if it does nothing more."""
    where = _Where()
    for event in events:
        if step is not None and event.seq >= step.seq:
            break
        where.see(event)
    return where.cell(step)


def occasion(events: Sequence[Event], until: int, *, of_a_callback: bool) -> str:
    """Return what an event of the client is a reaction to, such as "after the stream broke off".

    `until` is the number of that event. A callback is a reaction to a frame, even if the
    stream has broken off since then. Statuses are shortened to their class, such as 4xx.
    """
    said, framed, pieces, refused = "", list[bytes](), list[bytes](), False
    for event in events:
        if event.seq >= until:
            break
        match event.fact:
            case Called(operation=operation) if operation != "open":
                said = f"after {operation.partition('#')[0]}() was called"
            case Responded(route=route, status=status):
                refused, pieces = status not in _SUCCESS, []
                said = f"after {_answer(route, status)}"
            case Framed(data=data):
                pieces.append(data)
                framed, said = pieces, ""  # the frames are parsed only once, at the end
            case Ended(route="stream", how=how, by="server") if not refused:
                said = f"after the stream {'ended' if how == 'eof' else 'broke off'}"
            case SleepEnded():
                said = "after the back-off"
            case _:
                pass
    return _after_frames(framed) if framed and (of_a_callback or not said) else said


def _after_frames(pieces: Sequence[bytes]) -> str:
    last = [*frames_in(pieces)][-1:]
    if not last:
        return "before the first frame was complete"
    return f"after a `{last[0].type}` frame" if last[0].type else f"after {last[0].kind.value}"


def _thing(route: str) -> str:
    return {"other": "unknown"}.get(route, route)


def _answer(route: str, status: int) -> str:
    if status in _SUCCESS:
        return f"the {_thing(route)} request was accepted"
    kind = "a redirect of" if status in _REDIRECT else f"a {status // 100}xx response to"
    return f"{kind} the {_thing(route)} request"
