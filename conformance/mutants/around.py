"""Wrap sessions, so that a mutant can change their inputs and outputs.

`surround` wraps every session that is created afterwards in a `Client`. All inputs of the session
go through `Client.into`, and all its outputs through `Client.out`; a mutant replaces one of these
two methods (see `filters.py`). A `Client` uses only the public interface of a session: its
constructor, `handle`, `poll`, `job`, `last_event_id`, and the state of its machines.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from typing import Final, TypeAlias, TypeGuard

from attrs import define, evolve, field, frozen

from arkor_proto import (
    Broken,
    Cancel,
    Close,
    Deliver,
    Done,
    Finished,
    Follow,
    Handled,
    Headers,
    Idle,
    Input,
    Leave,
    Operation,
    Outcome,
    Output,
    Profile,
    Random,
    Received,
    ReconnectPolicy,
    Rejected,
    Request,
    Responded,
    Send,
    Session,
    SessionConfig,
    Settle,
    Start,
    Tick,
    TrainingEvent,
)
from conformance.mutants.patching import Job, Stop, Stream, header, replace

Report: TypeAlias = Responded | Received | Finished | Broken
IMPERATIVES: Final[Mapping[Operation, Input]] = {
    Operation.START: Start(),
    Operation.FOLLOW: Follow(),
    Operation.CANCEL: Cancel(),
}
_MOST_KEPT: Final = 2**17


class Call(Enum):
    """The kinds of requests that a session sends."""

    CREATE = "create"
    STREAM = "stream"
    CANCEL = "cancel"
    ASK = "request the job"


@define(eq=False)
class Exchange:
    """One request, and the part of its response that the session has received."""

    number: int
    call: Call
    request: Request
    hops: int = 0
    status: int = 0
    headers: Headers = ()
    body: bytearray = field(factory=bytearray)
    received: int = 0

    @property
    def succeeded(self) -> bool:
        """Whether the status is 2xx."""
        return 200 <= self.status < 300  # noqa: PLR2004 - RFC 9110 §15.3


@frozen
class Setup:
    """The arguments with which a session is created."""

    config: SessionConfig
    profile: Profile
    policy: ReconnectPolicy


@define(eq=False)
class Client:
    """One session, and what mutants need to know about it.

    Times are in seconds on the driver's clock. `came_from` is the state of the stream before the
    current input.
    """

    session: Session
    setup: Setup
    now: float = -math.inf
    event: Input = field(factory=Tick)
    """The current input, as the driver passed it."""
    told: Input = field(factory=Tick)
    """The last input that was passed to the session."""
    came_from: Stream = Stream.IDLE
    sent: dict[Call, Exchange] = field(factory=dict[Call, Exchange])
    """The latest exchange of each kind of request."""
    opened: Exchange | None = None
    """The latest exchange that opened a stream."""
    asked: set[Operation] = field(factory=set[Operation])
    outputs: deque[Output] = field(factory=deque[Output])
    """Outputs that `poll` returns before any output of the session."""
    _exchanges: dict[int, Exchange] = field(factory=dict[int, Exchange])
    _inner: dict[int, int] = field(factory=dict[int, int])
    _outer: dict[int, int] = field(factory=dict[int, int])
    _own: int = 0
    _answered: set[int] = field(factory=set[int])
    _instead: Outcome | None = None
    _skew: float = 0.0
    _fed: int = 0
    _fed_at: float = -math.inf

    @property
    def job_state(self) -> Job:
        """The state of the job on the backend, as far as the session knows it."""
        return self.session.job_state

    @property
    def stream(self) -> Stream:
        """The session's state for the event stream."""
        return self.session.stream_state

    @property
    def stop(self) -> Stop:
        """The session's state for the cancel request."""
        return self.session.stop_state

    def into(self, event: Input) -> None:
        """Pass an input to the session; mutants override this."""
        self.feed(event)

    def out(self, output: Output) -> Iterable[Output]:
        """Return the outputs that replace one output of the session; mutants override this."""
        return (output,)

    def handle(self, event: Input, now: float) -> None:
        """Handle an input from the driver."""
        self.now, self.event, self.told = now, event, Tick()
        self.came_from = self.stream
        match event:
            case Start():
                self.asked.add(Operation.START)
            case Follow():
                self.asked.add(Operation.FOLLOW)
            case Cancel():
                self.asked.add(Operation.CANCEL)
            case Handled(delivery) if delivery in self._answered:
                self._answered.remove(delivery)
                return
            case Responded() | Received() | Finished() | Broken():
                number = self._inner.get(event.exchange, event.exchange)
                if number < 0 or self._outer.get(number, number) != event.exchange:
                    return  # about a request of the mutant's own, or one that `send_instead` replaced
                event = self.event = evolve(event, exchange=number)
            case _:
                pass
        self.into(event)

    def poll(self) -> Output:
        """Return what the driver must do next."""
        while not self.outputs:
            output, fed = _poll(self.session), self._fed
            shown = [*self.out(self._translated(output))]
            if isinstance(output, Idle | Done) and (self._fed != fed or self.outputs):
                continue
            self.outputs += (each for each in shown if self._is_wanted(each))
        return self.outputs.popleft()

    def first(self) -> Output:
        """Return the next output; like a session, put a `Deliver` after all other outputs."""
        output = self.poll()
        if not isinstance(output, Deliver):
            return output
        others: list[Output] = []
        while not isinstance(other := self.poll(), Idle | Done):
            others.append(other)
        self.outputs += (*others, output)
        return self.outputs.popleft()

    def feed(self, event: Input) -> None:
        """Pass an input to the session, bypassing all filters."""
        self.told = event
        self._fed += 1
        if isinstance(event, Responded | Received):
            self._note(event)
        self._fed_at = max(self._fed_at, self.now + self._skew)
        _handle(self.session, event, self._fed_at)

    def postpone(self, seconds: float) -> None:
        """Delay all deadlines of the session; a negative number brings them forward."""
        self._skew -= seconds

    def send(self, request: Request) -> int:
        """Send the mutant's own request and ignore the response; return the request's number."""
        self._own -= 1
        self.outputs.append(Send(self._own, request))
        return self._own

    def send_instead(self, exchange: Exchange, request: Request) -> None:
        """Close an exchange and send `request` in its place; the session gets the new response."""
        self.outputs.append(Close(self._outer.get(exchange.number, exchange.number)))
        number = self.send(request)
        self._inner[number], self._outer[exchange.number] = exchange.number, number

    def again(self, call: Call) -> None:
        """Repeat the last request of this kind, if any, as the mutant's own request."""
        if call in self.sent:
            self.send(self.sent[call].request)

    def settle(self, operation: Operation, outcome: Outcome) -> None:
        """Settle an operation that the driver has requested, unless it is already settled."""
        if operation in self.asked:
            self.asked.remove(operation)
            self.outputs.append(Settle(operation, outcome))

    def reject(self, error: Exception) -> None:
        """End `wait()` by rejecting it with `error`."""
        self._instead = Rejected(error)
        self.feed(Leave())

    def break_off(self, error: Exception) -> None:
        """Close the connection of the stream, and report it to the session as broken."""
        number = self.sent[Call.STREAM].number
        self.outputs.append(Close(self._outer.get(number, number)))
        self.feed(Broken(number, error))

    def answer(self, delivery: int) -> None:
        """Report a delivery to the session as handled, and ignore the driver's own report of it."""
        self._answered.add(delivery)
        self.feed(Handled(delivery))

    def deliver(self, event: TrainingEvent) -> None:
        """Deliver the mutant's own event to the callbacks, with a negative delivery number."""
        self._own -= 1
        self.outputs.append(Deliver(self._own, event))

    def is_of_stream(self, event: Input) -> TypeGuard[Received | Finished | Broken]:
        """Return whether an input is part of the body of an open stream, or the end of that body."""
        stream = self.sent.get(Call.STREAM)
        return (
            isinstance(event, Received | Finished | Broken)
            and stream is not None
            and stream.number == event.exchange
            and stream.succeeded
        )

    def exchange_of(self, report: Report) -> Exchange:
        """Return the exchange that a report concerns."""
        return self._exchanges[report.exchange]

    def _note(self, event: Responded | Received) -> None:
        exchange = self._exchanges[event.exchange]
        if isinstance(event, Responded):
            exchange.status, exchange.headers = event.status, event.headers
            if exchange.call is Call.STREAM and exchange.succeeded:
                self.opened = exchange
            return
        exchange.received += len(event.data)
        if not (exchange.call is Call.STREAM and exchange.succeeded):
            exchange.body += event.data[: _MOST_KEPT - len(exchange.body)]

    def _translated(self, output: Output) -> Output:
        match output:
            case Send(number, request):
                self._note_request(number, request)
            case Close(number):
                return Close(self._outer.get(number, number))
            case Idle(until, timer) if until is not None:
                return Idle(until - self._skew, timer)
            case Settle(Operation.FOLLOW, _) if self._instead is not None:
                outcome, self._instead = self._instead, None
                return Settle(Operation.FOLLOW, outcome)
            case _:
                pass
        return output

    def _note_request(self, number: int, request: Request) -> None:
        call, before = call_of(request), self.sent.get(Call.STREAM)
        moved = isinstance(self.told, Responded) and call is Call.STREAM
        hops = before.hops + 1 if moved and before else 0
        self.sent[call] = self._exchanges[number] = Exchange(number, call, request, hops)

    def _is_wanted(self, output: Output) -> bool:
        """Return whether to forward an output; False if it settles an operation that was not requested."""
        if not isinstance(output, Settle):
            return True
        wanted = output.operation in self.asked
        self.asked.discard(output.operation)
        return wanted


def call_of(request: Request) -> Call:
    """Return the kind of a request."""
    if request.method == "GET":
        streams = header(request.headers, b"accept") == "text/event-stream"
        return Call.STREAM if streams else Call.ASK
    ends = request.target.partition("?")[0].endswith("/cancel")
    return Call.CANCEL if ends else Call.CREATE


_make: Final = Session.__init__
_handle: Final = Session.handle
_poll: Final = Session.poll


def surround(change: Callable[[Setup], Setup] = lambda setup: setup) -> None:
    """Wrap every session created from now on in a `Client`; let `change` replace its setup."""
    make = Session.__init__ if Session.handle is not _handle else _make
    # Keyed by the `id` of the session, which the client keeps alive, so no other session gets it.
    clients: Final = dict[int, Client]()

    def init(
        session: Session,
        config: SessionConfig,
        *,
        profile: Profile,
        policy: ReconnectPolicy | None = None,
        random: Random | None = None,
        json_loads: Callable[[str], object] | None = None,
    ) -> None:
        setup = Setup(config, profile, policy or ReconnectPolicy())
        new = change(setup)
        make(
            session,
            new.config,
            profile=new.profile,
            policy=new.policy,
            random=random,
            json_loads=json_loads,
        )
        clients[id(session)] = Client(session, setup)

    def handle(session: Session, event: Input, now: float) -> None:
        clients[id(session)].handle(event, now)

    def poll(session: Session) -> Output:
        return clients[id(session)].poll()

    replace(Session, "__init__", init)

    def step(session: Session, event: Input, now: float) -> Output:
        client = clients[id(session)]
        client.handle(event, now)
        return client.first()

    replace(Session, "handle", handle)
    replace(Session, "poll", poll)
    replace(Session, "step", step)

    def handled(session: Session, delivery: int, now: float) -> Output:
        return step(session, Handled(delivery), now)

    replace(Session, "handled", handled)


def surround_once() -> None:
    """Wrap every session created from now on, unless `surround` has been called already."""
    if Session.handle is _handle:
        surround()
