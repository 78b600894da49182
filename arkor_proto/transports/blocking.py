"""The blocking client, over plain sockets: for scripts, threads and gevent.

`_blocking_driver.py` runs the session and explains which thread does what; `_blocking_http.py`
transfers the bytes. Callbacks run in the thread that calls `wait()`. Each request in progress has
its own thread, which ends with the response; between calls there are no threads.

Every method may be called from any thread, and `Trainer.abort` also from a signal handler. Ctrl-C,
or any other signal whose handler raises, ends a call at any point and leaves the trainer usable. If
a process is forked while a thread waits, every call to the client raises RuntimeError in the child,
which must create a new client. If no thread waits, the child may use the client, which opens new
connections for it.
"""

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, TypeAlias

from attrs import asdict, field, frozen

from arkor_proto._calls import (
    ChatReader,
    anonymous_request,
    create_project_request,
    me_request,
    projects_request,
)
from arkor_proto._json import read_job, read_object
from arkor_proto._messages import (
    Accepted,
    Cancel,
    CancelSent,
    Deliver,
    Follow,
    Handled,
    NothingToCancel,
    Operation,
    Resolved,
    Responded,
    Start,
)
from arkor_proto._session import Session
from arkor_proto._types import (
    CheckpointSaved,
    Notice,
    Request,
    TrainingEvent,
    TrainingJob,
    TrainingResult,
)
from arkor_proto._walk import JsonObject
from arkor_proto._wire import job_request
from arkor_proto.transports import _callbacks
from arkor_proto.transports._blocking_calls import Caller
from arkor_proto.transports._blocking_clock import Clock, MonotonicClock
from arkor_proto.transports._blocking_driver import Driver, Waiter
from arkor_proto.transports._blocking_http import Connector
from arkor_proto.transports._blocking_shield import Shield
from arkor_proto.transports._callbacks import Checkpointer
from arkor_proto.transports._plain import check_done, check_plain
from arkor_proto.transports._surface import (
    CheckpointSurface,
    ClientSurface,
    TrainerSurface,
    expect,
)
from arkor_proto.transports._tcp import Address, Timeouts

__all__ = [
    "ArkorClient",
    "Callbacks",
    "Checkpoint",
    "Checkpointer",
    "Clock",
    "Events",
    "MonotonicClock",
    "Timeouts",
    "TokenProvider",
    "Trainer",
]


@frozen(kw_only=True)
class Checkpoint(CheckpointSurface):
    """What `on_checkpoint` gets: the event, and a method that runs inference on the checkpoint."""

    _client: "ArkorClient" = field(repr=False, alias="client")

    def infer(
        self,
        messages: Sequence[JsonObject],
        *,
        on_delta: Callable[[str], object] | None = None,
        options: JsonObject | None = None,
    ) -> str:
        request = self._request(self._client.endpoint, messages, options)
        return self._client.chat(request, on_delta)


Callbacks = _callbacks.Callbacks[Checkpoint]
TokenProvider: TypeAlias = Callable[[], str]
"""A function that returns the token for the next request; it must not be async.

Each call runs in its own thread, so calls for several requests may overlap. An abort, `close` or
Ctrl-C does not wait for a call to return: its thread is abandoned and its result is dropped.
"""


class Trainer(TrainerSurface[Checkpoint, "Events"]):
    """Submits, follows and cancels one job; created by `ArkorClient.trainer` or `.attach`."""

    def __init__(self, client: "ArkorClient", session: Session, callbacks: Callbacks) -> None:
        super().__init__(client.endpoint, session, callbacks.checkpointer)
        for name, function in asdict(callbacks, recurse=False).items():
            check_plain(name, function)
        self._client = client
        self._callbacks = callbacks
        self._call = callbacks.caller(self.checkpoint)
        call_back = self._call_back if callbacks.checkpointer is None else self._call_back_and_save
        self._driver = client.drive(session, call_back, self._announce)

    def start(self) -> str:
        return expect(self._driver.operate(Operation.START, Start()), Accepted).job_id

    def wait(self) -> TrainingResult:
        return expect(self._driver.operate(Operation.FOLLOW, Follow()), Resolved).result

    def events(self) -> "Events":
        return Events(self._driver, self._have_saved)

    def cancel(self) -> None:
        outcome = self._driver.operate(Operation.CANCEL, Cancel())
        if not isinstance(outcome, NothingToCancel):
            expect(outcome, CancelSent)

    def abort(self, reason: object = None) -> None:
        self._driver.abort(reason)

    def checkpoint(self, saved: CheckpointSaved) -> Checkpoint:
        job_id = self.job.id if self.job is not None else ""
        return Checkpoint(saved=saved, job_id=job_id, client=self._client)

    def _call_back(self, event: TrainingEvent) -> None:
        returned = self._call(event)
        if returned is not None:  # nearly always None, and the check is slow
            check_done(f"the callback for {type(event).__name__}", returned)

    def _call_back_and_save(self, event: TrainingEvent) -> None:
        self._call_back(event)
        self._have_saved()

    def _have_saved(self) -> None:
        check_done("the checkpointer", self._save())

    def _announce(self, notice: Notice) -> None:
        returned = self._callbacks.announced(notice)
        check_done(f"the hook for {type(notice).__name__}", returned)


class Events:
    """An iterator over the events of a job, created by `Trainer.events`."""

    def __init__(self, driver: Driver, save: Callable[[], object]) -> None:
        self._driver = driver
        self._save = save
        self._waiter: Waiter | None = None
        self._telling: Follow | Handled = Follow()
        self.result: TrainingResult | None = None
        """The result of the job; None until the iteration ends."""

    def __enter__(self) -> Self:
        if self._waiter is not None:
            raise RuntimeError("events: already entered; call events() again")
        self._waiter = self._driver.join(Operation.FOLLOW)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._waiter is not None:
            with Shield():
                self._driver.leave(self._waiter)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> TrainingEvent:
        if self._waiter is None:
            raise RuntimeError("events: iterate over them inside a 'with' block")
        if isinstance(self._telling, Handled):
            self._save()
        with Shield() as shield:
            todo = self._driver.proceed(self._waiter, self._telling, shield)
            if isinstance(todo, Deliver):
                self._telling = Handled(todo.delivery)
                return todo.event
            self.result = expect(todo, Resolved).result
            raise StopIteration


class ArkorClient(ClientSurface[Clock, Checkpoint, Trainer, TokenProvider]):
    """The entry point: a context manager that owns the connections."""

    def _connect_to(
        self,
        address: Address,
        timeouts: Timeouts,
        clock: Clock | None,
        provider: TokenProvider | None,
    ) -> None:
        check_plain("token", provider)
        refreshes = self._settings.profile.refreshes_token
        clock = clock or MonotonicClock()
        self._connector = Connector(address, timeouts, clock, provider, refreshes)
        self._caller = Caller(self._connector, self._settings.bounds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection; calls in progress raise TransportError."""
        self._connector.close()

    def job(self, job_id: str) -> TrainingJob:
        return read_job(self._read(job_request(self.endpoint, job_id)), "job")

    def me(self) -> JsonObject:
        return read_object(self._read(me_request(self.endpoint)), "me")

    def projects(self) -> JsonObject:
        return read_object(self._read(projects_request(self.endpoint)), "projects")

    def create_project(self, name: str, slug: str) -> JsonObject:
        request = create_project_request(self.endpoint, name, slug)
        return read_object(self._read(request), "project")

    def anonymous_token(self) -> JsonObject:
        return read_object(self._read(anonymous_request(self.endpoint)), "anonymous token")

    def chat(self, request: Request, on_delta: Callable[[str], object] | None) -> str:
        check_plain("on_delta", on_delta)
        reader: ChatReader | None = None
        hider = self._settings.hider()

        def read(head: Responded, data: bytes) -> bool:
            nonlocal reader
            reader = reader or self._settings.chat_reader(head, hider)
            for piece in reader.feed(data) if data else reader.finish():
                if on_delta is not None:
                    check_done("on_delta", on_delta(piece))
            reader.check()
            return reader.done

        self._caller.chat(request, read, hider)
        return reader.text if reader is not None else ""

    def drive(
        self,
        session: Session,
        call_back: Callable[[TrainingEvent], object],
        announce: Callable[[Notice], object],
    ) -> Driver:
        """Return a driver for `session` that uses this client's connections."""
        return Driver(session, self._connector, call_back, announce)

    def _read(self, request: Request) -> bytes:
        return self._caller.read(request, self._settings.hider())

    def _trainer(self, session: Session, callbacks: Callbacks) -> Trainer:
        return Trainer(self, session, callbacks)
