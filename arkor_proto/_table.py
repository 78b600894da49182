"""The state machines of the protocol, as data, and the code that executes them.

`_session.py` and `_wait.py` raise the signals and carry out the external effects of the moves.

Theory of operation
-------------------
A trainer consists of three machines that are almost independent:

- the *job* (`Job`): whether the create has been submitted, and whether the job's id is known;
- the *stream* (`Stream`): the wait, from the call to the result;
- the *stop* (`Stop`): the request to cancel the job on the backend.

Because they are independent, an abort is local and a cancel still works after it: `ABORT` is a
signal of the stream alone, and does not affect the job or the stop. Where one machine must wait
for another, a row of `JOINT` couples them: a follow or a cancel requested while the create is in
flight stays in `AWAITING_JOB` until the job's id is known or the create fails.

A fourth machine, the *exchange* (`Exchange`), exists once for each request. It filters the reports
from the network, so that no impossible report reaches the other three.

Every pair of state and signal has a cell. `Move` names the next state, `Ignored` says why nothing
happens, and `Illegal` says why the pair cannot occur; in that case the session raises
`LocalProtocolError` before anything changes. The session executes this table, the conformance kit
draws and prints it, and the tests enumerate it; there is no second copy.
"""

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Final, TypeAlias

from attrs import define, frozen

from arkor_proto._errors import LocalProtocolError
from arkor_proto._value import Value


class _Named(Enum):
    """A name in the table. Each member is a singleton, so it can be hashed by identity.

    `Enum.__hash__` is Python code that hashes the name; it takes longer than the rest of a look-up.
    """

    if not TYPE_CHECKING:  # type checkers see the method of Enum
        __hash__ = object.__hash__


class Job(_Named):
    """Whether the job has been created on the backend, as far as the client knows."""

    UNSUBMITTED = "unsubmitted"
    CREATING = "creating"
    ACCEPTED = "accepted"


class Stream(_Named):
    """The state of the wait."""

    IDLE = "idle"
    AWAITING_JOB = "awaiting job"
    OPENING = "opening"
    REFUSED = "refused"
    STREAMING = "streaming"
    ASKING = "requesting the job"
    DELIVERING = "delivering"
    BACKING_OFF = "backing off"
    CONCLUDING = "concluding"
    CONCLUDED = "concluded"
    ABORTED = "aborted"


class Stop(_Named):
    """The state of the cancel request."""

    IDLE = "idle"
    AWAITING_JOB = "awaiting job"
    CANCELLING = "cancelling"


class Exchange(_Named):
    """The state of one request and its response."""

    SENT = "sent"
    ANSWERED = "answered"
    OVER = "over"


class JobSignal(_Named):
    """The signals of the job machine."""

    START = "start"
    ACCEPT = "accept"
    REFUSE = "refuse"


class StreamSignal(_Named):
    """The signals of the stream machine."""

    FOLLOW = "follow"
    JOB_KNOWN = "job known"
    NO_JOB = "no job"
    OPEN = "open"
    REDIRECT = "redirect"
    REFUSE = "refuse"
    FRAME = "frame"
    HANDLED = "handled"
    TERMINAL = "terminal"
    END = "end"
    ASK = "ask"
    RETRY = "retry"
    DUE = "due"
    REJECT = "reject"
    ABORT = "abort"
    LEAVE = "leave"


class StopSignal(_Named):
    """The signals of the stop machine."""

    CANCEL = "cancel"
    JOB_KNOWN = "job known"
    NO_JOB = "no job"
    ANSWER = "answer"


class ExchangeSignal(_Named):
    """The signals of the exchange machine: the reports from the network."""

    RESPOND = "respond"
    RECEIVE = "receive"
    FINISH = "finish"
    BREAK = "break"


State: TypeAlias = Job | Stream | Stop | Exchange
Signal: TypeAlias = JobSignal | StreamSignal | StopSignal | ExchangeSignal


@frozen(repr=False, eq=False)
class Move(Value):
    """The machine moves to the state `to`, which may be the state that it is already in."""

    to: State


@frozen(repr=False, eq=False)
class Ignored(Value):
    """The signal may occur here, but it changes nothing; `why` gives the reason."""

    why: str


@frozen(repr=False, eq=False)
class Illegal(Value):
    """The signal cannot occur in this state unless there is a bug; `why` gives the reason."""

    why: str


Cell: TypeAlias = Move | Ignored | Illegal
Row: TypeAlias = Mapping[Signal, Cell]


@frozen(repr=False, eq=False)
class Joint(Value):
    """If `when` moves a machine while any machine is in the state `given`, `then` is raised too."""

    when: Signal
    given: State
    then: Signal


MACHINES: Final[tuple[tuple[type[State], type[Signal]], ...]] = (
    (Job, JobSignal),
    (Stream, StreamSignal),
    (Stop, StopSignal),
    (Exchange, ExchangeSignal),
)

# The cells that are the same in every state in which a caller is waiting.
_WAITING: Final[Row] = {
    StreamSignal.FOLLOW: Ignored("joins the wait in progress"),
    StreamSignal.ABORT: Move(Stream.ABORTED),
    StreamSignal.LEAVE: Move(Stream.IDLE),
}
_LATE: Final = Ignored("the exchange is over; data already in transit may still arrive")

_CELLS: Final[Mapping[State, Row]] = {
    Job.UNSUBMITTED: {JobSignal.START: Move(Job.CREATING)},
    Job.CREATING: {
        JobSignal.START: Ignored("joins the create that is in flight"),
        JobSignal.ACCEPT: Move(Job.ACCEPTED),
        JobSignal.REFUSE: Move(Job.UNSUBMITTED),
    },
    Job.ACCEPTED: {
        JobSignal.START: Ignored("the job's id is already known and is returned without a request")
    },
    Stream.IDLE: {
        StreamSignal.FOLLOW: Move(Stream.AWAITING_JOB),
        StreamSignal.ABORT: Move(Stream.ABORTED),
        StreamSignal.LEAVE: Ignored("no caller is waiting"),
    },
    Stream.AWAITING_JOB: {
        StreamSignal.JOB_KNOWN: Move(Stream.OPENING),
        StreamSignal.NO_JOB: Move(Stream.IDLE),
        **_WAITING,
    },
    Stream.OPENING: {
        StreamSignal.OPEN: Move(Stream.STREAMING),
        StreamSignal.REDIRECT: Move(Stream.OPENING),
        StreamSignal.REFUSE: Move(Stream.REFUSED),
        StreamSignal.RETRY: Move(Stream.BACKING_OFF),
        StreamSignal.REJECT: Move(Stream.IDLE),
        **_WAITING,
    },
    Stream.REFUSED: {
        StreamSignal.RETRY: Move(Stream.BACKING_OFF),
        StreamSignal.REJECT: Move(Stream.IDLE),
        **_WAITING,
    },
    Stream.STREAMING: {
        StreamSignal.FRAME: Move(Stream.DELIVERING),
        StreamSignal.TERMINAL: Move(Stream.CONCLUDING),
        StreamSignal.END: Move(Stream.CONCLUDED),
        StreamSignal.ASK: Move(Stream.ASKING),
        StreamSignal.RETRY: Move(Stream.BACKING_OFF),
        StreamSignal.REJECT: Move(Stream.IDLE),
        **_WAITING,
    },
    Stream.ASKING: {
        StreamSignal.END: Move(Stream.CONCLUDED),
        StreamSignal.RETRY: Move(Stream.BACKING_OFF),
        StreamSignal.REJECT: Move(Stream.IDLE),
        **_WAITING,
    },
    Stream.DELIVERING: {
        StreamSignal.HANDLED: Move(Stream.STREAMING),
        StreamSignal.RETRY: Move(Stream.BACKING_OFF),
        StreamSignal.REJECT: Move(Stream.IDLE),
        **_WAITING,
    },
    Stream.BACKING_OFF: {StreamSignal.DUE: Move(Stream.OPENING), **_WAITING},
    Stream.CONCLUDING: {StreamSignal.HANDLED: Move(Stream.CONCLUDED), **_WAITING},
    Stream.CONCLUDED: {
        StreamSignal.FOLLOW: Ignored(
            "the result is already known and is returned without a request"
        ),
        StreamSignal.ABORT: Ignored("the result is already known, so there is no wait to abort"),
        StreamSignal.LEAVE: Ignored("no caller is waiting"),
    },
    Stream.ABORTED: {
        StreamSignal.FOLLOW: Ignored("an abort is final: the wait rejects with the abort's reason"),
        StreamSignal.ABORT: Ignored("already aborted: the first reason is kept"),
        StreamSignal.LEAVE: Ignored("no caller is waiting"),
    },
    Stop.IDLE: {StopSignal.CANCEL: Move(Stop.AWAITING_JOB)},
    Stop.AWAITING_JOB: {
        StopSignal.CANCEL: Ignored("joins the cancel that is waiting for the job's id"),
        StopSignal.JOB_KNOWN: Move(Stop.CANCELLING),
        StopSignal.NO_JOB: Move(Stop.IDLE),
    },
    Stop.CANCELLING: {
        StopSignal.CANCEL: Ignored("joins the cancel that is in flight"),
        StopSignal.ANSWER: Move(Stop.IDLE),
    },
    Exchange.SENT: {
        ExchangeSignal.RESPOND: Move(Exchange.ANSWERED),
        ExchangeSignal.BREAK: Move(Exchange.OVER),
    },
    Exchange.ANSWERED: {
        ExchangeSignal.RECEIVE: Move(Exchange.ANSWERED),
        ExchangeSignal.FINISH: Move(Exchange.OVER),
        ExchangeSignal.BREAK: Move(Exchange.OVER),
    },
    Exchange.OVER: {
        ExchangeSignal.RESPOND: _LATE,
        ExchangeSignal.RECEIVE: _LATE,
        ExchangeSignal.FINISH: _LATE,
        ExchangeSignal.BREAK: _LATE,
    },
}

# The reason why a signal cannot occur in a state that has no cell for it above.
_ILLEGAL: Final[Mapping[Signal, Illegal]] = {
    JobSignal.ACCEPT: Illegal("no create is in flight"),
    JobSignal.REFUSE: Illegal("no create is in flight"),
    StreamSignal.JOB_KNOWN: Illegal("the stream is not waiting for the job's id"),
    StreamSignal.NO_JOB: Illegal("the stream is not waiting for the job's id"),
    StreamSignal.OPEN: Illegal("no stream request is waiting for its response head"),
    StreamSignal.REDIRECT: Illegal("no stream request is waiting for its response head"),
    StreamSignal.REFUSE: Illegal("no stream request is waiting for its response head"),
    StreamSignal.FRAME: Illegal("frames are read one at a time, only from an open stream"),
    StreamSignal.HANDLED: Illegal("no callback is handling an event"),
    StreamSignal.TERMINAL: Illegal("frames are read one at a time, only from an open stream"),
    StreamSignal.END: Illegal(
        "only an open stream or a response to a job request can show that the job has ended"
    ),
    StreamSignal.ASK: Illegal("the job is requested only after a stream has ended"),
    StreamSignal.RETRY: Illegal("no attempt is in progress"),
    StreamSignal.DUE: Illegal("no retry delay is running"),
    StreamSignal.REJECT: Illegal("no attempt is in progress"),
    StopSignal.JOB_KNOWN: Illegal("no cancel is waiting for the job's id"),
    StopSignal.NO_JOB: Illegal("no cancel is waiting for the job's id"),
    StopSignal.ANSWER: Illegal("no cancel is in flight"),
    ExchangeSignal.RESPOND: Illegal("the response head has already arrived"),
    ExchangeSignal.RECEIVE: Illegal("the body cannot arrive before the response head"),
    ExchangeSignal.FINISH: Illegal("the body cannot end before the response head has arrived"),
}

TABLE: Final[Mapping[State, Row]] = {
    state: {signal: _CELLS[state].get(signal) or _ILLEGAL[signal] for signal in signals}
    for states, signals in MACHINES
    for state in states
}

JOINT: Final = (
    Joint(when=StreamSignal.FOLLOW, given=Job.UNSUBMITTED, then=JobSignal.START),
    Joint(when=StreamSignal.FOLLOW, given=Job.ACCEPTED, then=StreamSignal.JOB_KNOWN),
    Joint(when=StopSignal.CANCEL, given=Job.UNSUBMITTED, then=StopSignal.NO_JOB),
    Joint(when=StopSignal.CANCEL, given=Job.ACCEPTED, then=StopSignal.JOB_KNOWN),
    Joint(when=JobSignal.ACCEPT, given=Stream.AWAITING_JOB, then=StreamSignal.JOB_KNOWN),
    Joint(when=JobSignal.ACCEPT, given=Stop.AWAITING_JOB, then=StopSignal.JOB_KNOWN),
    Joint(when=JobSignal.REFUSE, given=Stream.AWAITING_JOB, then=StreamSignal.NO_JOB),
    Joint(when=JobSignal.REFUSE, given=Stop.AWAITING_JOB, then=StopSignal.NO_JOB),
)

_JOINT_BY_SIGNAL: Final[Mapping[Signal, tuple[Joint, ...]]] = {
    signal: tuple(joint for joint in JOINT if joint.when is signal)
    for signal in {joint.when for joint in JOINT}
}


def next_state(state: State, signal: Signal) -> State | None:
    """Return the state that `signal` leads to from `state`, or None if the signal is ignored.

    Raise LocalProtocolError if the pair is illegal.
    """
    cell = TABLE[state][signal]
    if isinstance(cell, Move):
        return cell.to
    if isinstance(cell, Illegal):
        raise LocalProtocolError(f"{signal.value!r} while {state.value!r}: {cell.why}")
    return None


@define(eq=False, repr=False)
class Machines:
    """The three machines of one trainer: its job, its stream and its stop."""

    job: Job
    stream: Stream = Stream.IDLE
    stop: Stop = Stop.IDLE

    @property
    def states(self) -> tuple[Job, Stream, Stop]:
        """The states of the three machines."""
        return self.job, self.stream, self.stop

    def take(self, signal: Signal) -> list[Signal]:
        """Apply `signal` and any it triggers; return, in order, the signals that caused a move."""
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
