"""One job in memory: the real session, the mock's backend, a network between them, virtual time.

Nothing really waits: the next event is taken from a heap, and the clock is set to its time.
"""

from collections.abc import Callable, Sequence
from functools import partial
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Final, assert_never

from attrs import define, field, frozen

from arkor_proto import (
    HARDENED,
    Broken,
    CallbackErrors,
    Close,
    Deliver,
    Done,
    Endpoint,
    Finished,
    Follow,
    Handled,
    Idle,
    Input,
    Notify,
    Operation,
    Output,
    Profile,
    Received,
    ReconnectPolicy,
    Rejected,
    Responded,
    Send,
    Session,
    SessionConfig,
    Settle,
    Tick,
    TrainingEvent,
    job_spec,
)
from arkor_proto import Request as Sent
from conformance.simulate.faults import Fault, Faults, Kind
from conformance.simulate.promises import Violated, check, check_requests
from mock_server.backend.answers import Follow as Stream
from mock_server.backend.answers import Reply
from mock_server.backend.backend import Backend
from mock_server.backend.jobs import Job
from mock_server.requests import Request, request_of
from mock_server.scenario.model import BackendPlan, JobPlan, Scenario
from mock_server.scenario.vocabulary import Route
from mock_server.sse import Frame

ENDPOINT: Final = Endpoint(
    base_url="http://backend.invalid",
    token="any",  # noqa: S106 - not a real token
    org="acme",
    project="adapters",
    client="kit/1",
)
SPEC: Final = job_spec("job", model="acme/base", dataset={"type": "huggingface", "name": "set"})
_LATENCY: Final = 0.05
_KEEP_ALIVE: Final = 30.0
_COMMENT: Final = b":\n\n"
_GARBAGE: Final = b"event: training.log\ndata: {not json\n\n"
_AT_ONCE: Final = 64
_STARTS: Final = 4
"""How often, at most, the application calls `wait()` again because a create failed."""
_IDLE_TICKS: Final = 100
_SPARE: Final = 7200.0
"""The seconds a job may take beyond its events, slow callbacks and the computer's sleep."""
Sessions = Callable[[SessionConfig, Profile, ReconnectPolicy, Random], Session]


def real(
    config: SessionConfig, profile: Profile, policy: ReconnectPolicy, random: Random
) -> Session:
    """Create a session of the library; tests replace this to simulate faulty clients."""
    return Session(config, profile=profile, policy=policy, random=random.random)


@frozen(kw_only=True)
class JobTime:
    """The length of a job: how many events it has, and the seconds between them."""

    events: int = 144
    every: float = 600.0

    @property
    def seconds(self) -> float:
        """How long the job runs, in seconds, whether or not anyone follows it."""
        return self.events * self.every


@define(eq=False)
class _Link:
    """An open stream."""

    number: int
    job: Job
    position: int
    fault: Fault | None
    sent: int = 0
    heard_at: float = 0.0


@define(eq=False)
class World:
    """A simulated job, with its client, its backend and its network."""

    faults: Faults
    seed: str
    profile: Profile = HARDENED
    time: JobTime = field(factory=JobTime)
    sessions: Sessions = real
    now: float = 0.0
    inputs: int = 0
    opens: int = 0
    creates: int = 0
    heard: list[tuple[str, object]] = field(factory=list[tuple[str, object]])
    outcomes: list[object] = field(factory=list[object])
    happened: set[Fault] = field(factory=set[Fault])
    """The faults injected so far; one that is not due before the job ends is never injected."""
    backend: Backend = field(init=False)
    _random: Random = field(init=False)
    _session: Session = field(init=False)
    _coming: list[tuple[float, int, Callable[[], None]]] = field(
        factory=list[tuple[float, int, Callable[[], None]]], init=False
    )
    _order: "count[int]" = field(factory=count, init=False)
    _links: dict[int, _Link] = field(factory=dict[int, _Link], init=False)
    _gone: set[int] = field(factory=set[int], init=False)
    _asleep: list[Fault] = field(init=False)
    _raised: list[Exception] = field(factory=list[Exception], init=False)
    """Exceptions that callbacks raised and that the client has not yet reported to the application."""
    _starts: int = field(default=0, init=False)
    _idle_ticks: int = field(default=0, init=False)
    """The number of times in a row that a timer fired immediately."""

    def __attrs_post_init__(self) -> None:
        self._random = Random(self.seed)
        plan = JobPlan(events=self.time.events, interval=self.time.every)
        self.backend = Backend(Scenario(backend=BackendPlan(), jobs=(plan,)))
        config = SessionConfig(endpoint=ENDPOINT, job=SPEC, idempotency_key="key-1")
        self._session = self.sessions(config, self.profile, ReconnectPolicy(), self._random)
        self._asleep = sorted(
            (each for each in self.faults if each.kind is Kind.ASLEEP), key=lambda each: each.at
        )
        for each in self.faults:
            if each.kind is Kind.EARLY:
                self._at(each.at, partial(self._fire_early, each))

    def run(self) -> "World":
        """Simulate the job until the client is done; raise Violated if a promise is broken."""
        self._take(Follow())
        latest = self._latest()
        while isinstance(rest := self._drain(), Idle):
            due = rest.until
            if self._coming and (due is None or self._coming[0][0] <= due):
                at, _, happen = heappop(self._coming)
                self._pass(at)
                happen()
            elif due is not None:
                self._tick(due)
            else:
                raise Violated("the client is waiting for the backend, which sends nothing more")
            if self.now > latest:
                raise Violated(
                    f"wait() is still running {_SPARE:.0f} s after the job should be done"
                )
        if self._raised:
            raise Violated(f"wait() did not reject with the callback's error: {self._raised[-1]}")
        check(
            outcomes=self.outcomes,
            jobs=[*self.backend.jobs.values()],
            heard=self.heard,
        )
        return self

    def _latest(self) -> float:
        spent = sum(each.value for each in self.faults if each.kind in {Kind.SLOW, Kind.ASLEEP})
        return self.time.seconds + spent + _SPARE

    def _pass(self, at: float) -> None:
        """Advance the clock to `at`, plus the time that the computer sleeps on the way."""
        self.now = max(self.now, at)
        while self._asleep and self._asleep[0].at <= self.now:
            fault = self._asleep.pop(0)
            self.happened.add(fault)
            self.now += fault.value

    def _tick(self, due: float) -> None:
        """Let the client's timer fire at `due`."""
        self._idle_ticks = 0 if due > self.now else self._idle_ticks + 1
        if self._idle_ticks > _IDLE_TICKS:
            raise Violated("the client keeps setting timers for a time that has passed")
        self._pass(due)
        self._take(Tick())

    def _fire_early(self, fault: Fault) -> None:
        self.happened.add(fault)
        self._take(Tick())

    def _at(self, delay: float, happen: Callable[[], None]) -> None:
        heappush(self._coming, (self.now + delay, next(self._order), happen))

    def _take(self, event: Input) -> None:
        self.inputs += 1
        try:
            self._session.handle(event, self.now)
        except Exception as error:
            raise Violated(f"the client raised {error!r}") from error

    def _poll(self) -> Output:
        try:
            return self._session.poll()
        except Exception as error:
            raise Violated(f"the client raised {error!r}") from error

    def _drain(self) -> Idle | Done:
        while True:
            output = self._poll()
            match output:
                case Idle() | Done():  # first, because these are the most frequent
                    return output
                case Send(number, request):
                    self._send(number, request)
                case Close(number):
                    self._gone.add(number)
                    self._links.pop(number, None)
                case Deliver(delivery, event):
                    self._deliver(delivery, event)
                case Settle(operation, outcome):
                    if operation is Operation.FOLLOW:
                        self.outcomes.append(outcome)
                        self._wait_again(outcome)
                case Notify():
                    pass
                case never:
                    assert_never(never)

    def _wait_again(self, outcome: object) -> None:
        """Call `wait()` again, like an application, if a create or a callback made it fail."""
        if not isinstance(outcome, Rejected):
            return
        if self._raised and outcome.error is self._raised[-1]:
            self._raised.pop()
        elif self._starts == _STARTS or (self.backend.jobs and self.opens):
            return
        else:
            self._starts += 1
        self.outcomes.pop()
        self._take(Follow())

    def _deliver(self, delivery: int, event: TrainingEvent) -> None:
        self.heard.append((type(event).__name__, getattr(event, "step", None)))
        fault = self._fault("event", len(self.heard))
        if fault is None:
            self._take(Handled(delivery))
            return
        self.happened.add(fault)
        if fault.kind is Kind.SLOW:
            self._at(fault.value, lambda: self._take(Handled(delivery)))
            return
        error = RuntimeError(f"the callback for event {len(self.heard)} failed")
        if self.profile.callback_errors is CallbackErrors.REJECT:
            self._raised.append(error)
        self._take(Handled(delivery, error))

    def _fault(self, place: str, number: int) -> Fault | None:
        return next(
            (each for each in self.faults if each.kind.place == place and each.at == number), None
        )

    def _send(self, number: int, request: Sent) -> None:
        headers = tuple(
            (k.decode("latin-1").lower(), v.decode("latin-1")) for k, v in request.headers
        )
        meant = request_of(request.method, request.target, headers, request.body or b"")
        if meant.route is Route.STREAM:
            self.opens += 1
            check_requests(self.happened, self.opens, self.creates)
            self._open(number, meant, self._fault("open", self.opens))
            return
        fault = None
        if meant.route is Route.CREATE:
            self.creates += 1
            check_requests(self.happened, self.opens, self.creates)
            fault = self._fault("create", self.creates)
        lost = None
        if fault is not None:
            self.happened.add(fault)
            lost = fault.kind
        if lost is not Kind.LOST_CREATE:
            answer = self.backend.answer(meant, self.now)
            assert isinstance(answer, Reply), answer
            if lost is None:
                self._at(_LATENCY, lambda: self._reply(number, answer))
        if lost is not None:
            self._at(_LATENCY, lambda: self._report(Broken(number, OSError("connection lost"))))

    def _reply(self, number: int, answer: Reply) -> None:
        self._report(Responded(number, answer.status, _headers(answer.headers)))
        self._report(Received(number, answer.body))
        self._report(Finished(number))

    def _report(self, event: Responded | Received | Finished | Broken) -> None:
        """Pass an event to the client, unless its exchange has ended or been closed."""
        if event.exchange not in self._gone:
            if isinstance(event, _LAST):
                self._gone.add(event.exchange)
                self._links.pop(event.exchange, None)
            self._take(event)

    def _open(self, number: int, request: Request, fault: Fault | None) -> None:
        kind = None if fault is None else fault.kind
        if fault is not None and kind not in _AFTER:
            self.happened.add(fault)
        if kind is Kind.REFUSED:
            refused = Broken(number, OSError("connection refused"))
            self._at(_LATENCY, lambda: self._report(refused))
        elif kind is Kind.STATUS and fault is not None:
            answer = Reply(int(fault.value), (), b"{}")
            self._at(_LATENCY, lambda: self._reply(number, answer))
        else:
            late = fault.value if fault is not None and kind is Kind.LATE else 0.0
            self._at(_LATENCY + late, lambda: self._answer(number, request, fault))

    def _answer(self, number: int, request: Request, fault: Fault | None) -> None:
        if number in self._gone:
            return
        answer = self.backend.answer(request, self.now)
        if not isinstance(answer, Stream):
            assert isinstance(answer, Reply), answer
            self._reply(number, answer)
            return
        self._links[number] = _Link(number, answer.job, answer.position, fault, heard_at=self.now)
        self._report(Responded(number, answer.status, _headers(answer.headers)))
        self._pump(number)

    def _pump(self, number: int) -> None:
        """Send the events of a stream that are due, and schedule the next call to this method."""
        link = self._links.get(number)
        if link is None:
            return
        job, due = link.job, link.job.next_due
        if link.position < len(job.log) or (due is not None and due <= self.now):
            while frames := self._due(link):
                self._carry(link, frames)
                if number not in self._links:
                    return
            due = job.next_due
        if link.fault is not None and self._ends(link, link.fault):
            return
        if job.over and link.position == len(job.log):
            self._report(Finished(number))
            return
        silent = self.now - link.heard_at
        if silent >= _KEEP_ALIVE:
            link.heard_at, silent = self.now, 0.0
            self._report(Received(number, _COMMENT))
        wait = _KEEP_ALIVE - silent
        if link.position < len(job.log):  # nothing but the fault, now over, held events back
            wait = 0.0
        elif due is not None:
            wait = min(wait, due - self.now)
        self._at(max(wait, 0.001), partial(self._pump, number))

    def _due(self, link: _Link) -> Sequence[Frame]:
        """Return the frames to send now, but none from after the point where a fault is due."""
        limit = _AT_ONCE
        if link.fault is not None and link.fault.kind in _AFTER:
            limit = min(limit, int(link.fault.value) - link.sent)
        return link.job.pull(link.position, limit, self.now) if limit > 0 else ()

    def _carry(self, link: _Link, frames: Sequence[Frame]) -> None:
        """Send frames as two pieces of bytes, cut at a random place."""
        link.position += len(frames)
        link.sent += len(frames)
        link.heard_at = self.now
        data = b"".join(frame.raw for frame in frames)
        cut = self._random.randrange(len(data))
        for piece in (data[:cut], data[cut:]):
            if piece and link.number in self._links:
                self._report(Received(link.number, piece))

    def _ends(self, link: _Link, fault: Fault) -> bool:
        """Inject a stream's fault if it is due; return whether the stream sends nothing more."""
        if fault.kind not in _AFTER or link.sent < fault.value:
            return False
        if fault.kind is Kind.END and link.job.over and not link.sent:
            # An empty stream of a job that is over means that nothing is left (ARK-STR-18).
            link.fault = None
            return False
        self.happened.add(fault)
        if fault.kind is Kind.GARBAGE:
            link.fault = None
            self._report(Received(link.number, _GARBAGE))
            return False
        self._links.pop(link.number)
        if fault.kind is Kind.CUT:
            self._report(Broken(link.number, OSError("connection reset")))
        elif fault.kind is Kind.END:
            self._report(Finished(link.number))
        return True


_AFTER: Final = frozenset({Kind.CUT, Kind.END, Kind.SILENCE, Kind.GARBAGE})
"""Faults that are injected once a stream has carried a certain number of events."""
_LAST: Final = (Finished, Broken)


def _headers(fields: Sequence[tuple[str, str]]) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in fields)
