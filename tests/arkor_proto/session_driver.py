"""A tiny in-memory driver of a session, with verbs that make tests read as sentences.

It tells a session what a network and an application would, and keeps the outputs. It judges nothing.
"""

from collections.abc import Callable
from typing import TypeAlias, TypeVar, assert_never

from arkor_proto import (
    PROFILE_2026_05,
    Abort,
    Bounds,
    Broken,
    Cancel,
    Close,
    Deliver,
    Done,
    Endpoint,
    Finished,
    Follow,
    Handled,
    Headers,
    Idle,
    Input,
    JobSpec,
    Leave,
    Notice,
    Notify,
    Operation,
    Outcome,
    Output,
    Profile,
    Random,
    Received,
    Reconnecting,
    ReconnectPolicy,
    Rejected,
    Request,
    Resolved,
    Responded,
    Send,
    Session,
    SessionConfig,
    Settle,
    Start,
    Tick,
    TrainingEvent,
    TrainingResult,
)
from tests.arkor_proto.wire_samples import (
    ENDPOINT,
    EVENT_STREAM,
    SPEC,
    Data,
    frame,
    job_answer,
    route,
)

Callback: TypeAlias = Callable[[TrainingEvent], Exception | None]
"""What the application does with an event; it returns what it would have raised."""
_Notice = TypeVar("_Notice", bound=Notice)


def content(_: TrainingEvent) -> None:
    """Be the callback that returns at once and raises nothing."""


class Trainer:
    """A session, its driver and a scripted world. Every verb returns the trainer itself.

    Every event is handled at once by `callback`; with None it rests until `handled` is called.
    """

    def __init__(
        self,
        profile: Profile = PROFILE_2026_05,
        *,
        policy: ReconnectPolicy | None = None,
        random: Random | None = None,
        callback: Callback | None = content,
        job: JobSpec | str = SPEC,
        last_event_id: str = "",
        bounds: Bounds | None = None,
        endpoint: Endpoint = ENDPOINT,
    ) -> None:
        config = SessionConfig(
            endpoint=endpoint,
            job=job,
            last_event_id=last_event_id,
            idempotency_key="key-1",
            bounds=bounds or Bounds(),
        )
        self.session = Session(config, profile=profile, policy=policy, random=random)
        self.callback = callback
        self.now = 0.0
        self.inputs: list[tuple[float, Input]] = []
        self.outputs: list[Output] = []
        self.sent: dict[int, Request] = {}
        self.open_exchanges: list[int] = []
        self.closed: list[int] = []
        self.events: list[TrainingEvent] = []
        self.with_callback: list[int] = []
        self.notices: list[Notice] = []
        self.settled: list[Settle] = []
        self.rest: Idle | Done = Done()

    # What the application says.

    def start(self) -> "Trainer":
        """Ask for the job to be submitted."""
        return self.take(Start())

    def follow(self) -> "Trainer":
        """Ask for the job's result."""
        return self.take(Follow())

    def cancel(self) -> "Trainer":
        """Ask for the job to be stopped."""
        return self.take(Cancel())

    def abort(self, reason: object = "enough") -> "Trainer":
        """Stop waiting for good."""
        return self.take(Abort(reason))

    def leave(self) -> "Trainer":
        """Stop waiting without prejudice."""
        return self.take(Leave())

    def handled(self, error: Exception | None = None) -> "Trainer":
        """End the oldest callback that is running."""
        return self.take(Handled(self.with_callback.pop(0), error))

    # What the clock says.

    def later(self, seconds: float) -> "Trainer":
        """Let time pass, and tick."""
        self.now += seconds
        return self.take(Tick())

    def due(self) -> "Trainer":
        """Let the time pass that the session is waiting for."""
        assert isinstance(self.rest, Idle)
        assert self.rest.until is not None, "the session waits for no moment"
        self.now = max(self.now, self.rest.until)
        return self.take(Tick())

    # What the network says.

    def answer(
        self, name: str, status: int = 200, body: bytes = b"", headers: Headers = ()
    ) -> "Trainer":
        """Answer the open call `name` with a whole response."""
        exchange = self.exchange(name)
        self.respond(exchange, status, headers)
        if body:
            self.receive(exchange, body)
        return self.take(Finished(exchange))

    def respond(self, exchange: int, status: int, headers: Headers = ()) -> "Trainer":
        """Answer an exchange with a head."""
        return self.take(Responded(exchange, status, headers))

    def receive(self, exchange: int, data: bytes) -> "Trainer":
        """Let bytes of a body arrive."""
        return self.take(Received(exchange, data))

    def accept(self, job_id: str = "job-1", **members: object) -> "Trainer":
        """Accept the create that is in flight."""
        return self.answer("create", body=job_answer(job_id, **members))

    def open(self, status: int = 200, headers: Headers = EVENT_STREAM) -> "Trainer":
        """Answer the stream's request with a head."""
        return self.respond(self.exchange("stream"), status, headers)

    def refuse(
        self, status: int, body: bytes = b"", headers: Headers = (), *, name: str = "stream"
    ) -> "Trainer":
        """Answer a request with a whole error."""
        return self.answer(name, status, body, headers)

    def raw(self, data: bytes) -> "Trainer":
        """Let bytes arrive on the stream."""
        return self.receive(self.exchange("stream"), data)

    def frame(
        self,
        data: Data,
        *,
        id: str | None = None,  # noqa: A002 - the standard's own word
        event: str = "message",
    ) -> "Trainer":
        """Let one frame arrive on the stream."""
        return self.raw(frame(data, id=id, event=event))

    def eof(self) -> "Trainer":
        """End the stream cleanly."""
        return self.take(Finished(self.exchange("stream")))

    def say_job(self, body: bytes = b"", status: int = 503) -> "Trainer":
        """Answer the question for the job, if it was asked; the default says nothing of it."""
        if any(route(self.sent[number]) == "job" for number in self.open_exchanges):
            self.answer("job", status, body)
        return self

    def broken(
        self, error: Exception | None = None, *, name: str = "stream", final: bool = False
    ) -> "Trainer":
        """Break an exchange."""
        error = error or OSError("connection reset")
        return self.take(Broken(self.exchange(name), error, final=final))

    # What there is to see.

    def exchange(self, name: str) -> int:
        """Return the open exchange of a call; fails where there is none."""
        found = [number for number in self.open_exchanges if route(self.sent[number]) == name]
        assert found, f"no {name} is under way"
        return found[-1]

    @property
    def routes(self) -> list[str]:
        """The calls that were made, in order."""
        return [route(request) for request in self.sent.values()]

    @property
    def last_event_ids(self) -> list[bytes | None]:
        """What each request for the stream said in `Last-Event-ID`."""
        streams = [request for request in self.sent.values() if route(request) == "stream"]
        return [dict(request.headers).get(b"Last-Event-ID") for request in streams]

    @property
    def delays(self) -> list[float]:
        """The delays before each reopening, in seconds."""
        return [notice.delay for notice in self.heard(Reconnecting)]

    @property
    def failures(self) -> list[int]:
        """The count of failures at each reopening."""
        return [notice.failures for notice in self.heard(Reconnecting)]

    @property
    def steps(self) -> list[int | None]:
        """The steps of all events that have one, in order."""
        return [getattr(event, "step", None) for event in self.events]

    def heard(self, kind: type[_Notice]) -> list[_Notice]:
        """Return the notices of one kind."""
        return [notice for notice in self.notices if isinstance(notice, kind)]

    def outcomes(self, operation: Operation) -> list[Outcome]:
        """Return how often and how `operation` was settled."""
        return [settle.outcome for settle in self.settled if settle.operation is operation]

    def outcome(self, operation: Operation = Operation.FOLLOW) -> Outcome:
        """Return the only outcome of `operation`."""
        (only,) = self.outcomes(operation)
        return only

    def error(self, operation: Operation = Operation.FOLLOW) -> Exception:
        """Return what the last `operation` was rejected with."""
        last = self.outcomes(operation)[-1]
        assert isinstance(last, Rejected), last
        return last.error

    @property
    def result(self) -> TrainingResult:
        """What the last wait resolved with."""
        last = self.outcomes(Operation.FOLLOW)[-1]
        assert isinstance(last, Resolved), last
        return last.result

    @property
    def is_waiting(self) -> bool:
        """Whether a follow was asked for that is not settled."""
        asked = [event for _, event in self.inputs if isinstance(event, Follow)]
        return bool(asked) and not self.outcomes(Operation.FOLLOW)

    # The loop of every driver.

    def take(self, event: Input) -> "Trainer":
        """Give one input to the session and act on all that it says."""
        self.inputs.append((self.now, event))
        self.session.handle(event, self.now)
        match event:
            case Finished(exchange) | Broken(exchange) if exchange in self.open_exchanges:
                self.open_exchanges.remove(exchange)
            case _:
                pass
        self._drain()
        while self.callback is not None and self.with_callback:
            delivery = self.with_callback.pop(0)
            self.take(Handled(delivery, self.callback(self.events[delivery - 1])))
        return self

    def _drain(self) -> None:
        while True:
            output = self.session.poll()
            self.outputs.append(output)
            match output:
                case Send(exchange, request):
                    self.sent[exchange] = request
                    self.open_exchanges.append(exchange)
                case Close(exchange):
                    self.open_exchanges.remove(exchange)
                    self.closed.append(exchange)
                case Deliver(delivery, event):
                    self.events.append(event)
                    self.with_callback.append(delivery)
                case Notify(notice):
                    self.notices.append(notice)
                case Settle():
                    self.settled.append(output)
                case Idle() | Done():
                    self.rest = output
                    return
                case never:
                    assert_never(never)


def following(
    profile: Profile = PROFILE_2026_05,
    *,
    policy: ReconnectPolicy | None = None,
    callback: Callback | None = content,
    random: Random | None = None,
    bounds: Bounds | None = None,
) -> Trainer:
    """Return a trainer whose stream is requested but not yet answered."""
    trainer = Trainer(profile, policy=policy, callback=callback, random=random, bounds=bounds)
    return trainer.follow().accept()


def streaming(
    profile: Profile = PROFILE_2026_05,
    *,
    policy: ReconnectPolicy | None = None,
    callback: Callback | None = content,
    random: Random | None = None,
    bounds: Bounds | None = None,
) -> Trainer:
    """Return a trainer whose stream is open and silent so far."""
    return following(profile, policy=policy, callback=callback, random=random, bounds=bounds).open()
