"""The blocking client, over plain sockets: for scripts, threads and gevent.

`_blocking_driver.py` carries the session and explains which thread does what, `_blocking_http.py`
carries the bytes. Callbacks run in the thread that waits. A request that is under way has a thread
of its own, which ends with the answer; between two calls there is none.

Every method may be called from any thread, `Trainer.abort` from a signal handler too. Ctrl-C, and
any other signal whose handler raises, ends a call wherever it is and leaves the trainer whole. A
process that is forked while a thread waits gets a RuntimeError from every call of the client, and
must make another; forked at rest, it may use the client, over connections of its own.
"""

import random as chance
import ssl
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from attrs import asdict, field, frozen

from arkor_proto._backoff import Random, ReconnectPolicy
from arkor_proto._calls import (
    ChatReader,
    anonymous_request,
    create_project_request,
    me_request,
    projects_request,
)
from arkor_proto._dialect import JsonLoads
from arkor_proto._job import job_spec
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
from arkor_proto._profile import PROFILE_2026_05, Profile
from arkor_proto._session import Session
from arkor_proto._types import (
    Bounds,
    CheckpointSaved,
    Endpoint,
    JobSpec,
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
from arkor_proto.transports._callbacks import check_callbacks
from arkor_proto.transports._plain import check_done, check_plain
from arkor_proto.transports._surface import (
    NO_TOKEN,
    Settings,
    adapter,
    client_repr,
    expect,
    infer_request,
    new_endpoint,
    trainer_repr,
)
from arkor_proto.transports._tcp import Address, Timeouts, checked_timeouts

__all__ = [
    "ArkorClient",
    "Callbacks",
    "Checkpoint",
    "Clock",
    "Events",
    "MonotonicClock",
    "Timeouts",
    "Trainer",
]


@frozen(kw_only=True)
class Checkpoint:
    """What `on_checkpoint` is called with: the event, and inference bound to the checkpoint."""

    saved: CheckpointSaved
    job_id: str
    _client: "ArkorClient" = field(repr=False, alias="client")

    @property
    def step(self) -> int | None:
        """The step at which the checkpoint was saved."""
        return self.saved.step

    @property
    def adapter(self) -> JsonObject:
        """What names the checkpoint on the wire."""
        return adapter(self.saved, self.job_id)

    def infer(
        self,
        messages: Sequence[JsonObject],
        *,
        on_delta: Callable[[str], object] | None = None,
        options: JsonObject | None = None,
    ) -> str:
        """Ask the checkpoint to go on with a chat; return the whole text of the answer.

        `on_delta` is called with each piece as it comes. `options` are sent along as they are.
        Raises StatusError, ResponseError or TransportError.
        """
        whom = self._client.endpoint
        request = infer_request(whom, self.saved, self.job_id, messages, options)
        return self._client.chat(request, on_delta)


Callbacks = _callbacks.Callbacks[Checkpoint]


class Trainer:
    """One job: submit it, follow it, cancel it. Made by `ArkorClient.trainer` or `.attach`."""

    def __init__(self, client: "ArkorClient", session: Session, callbacks: Callbacks) -> None:
        self._client = client
        self._session = session
        for name, function in asdict(callbacks, recurse=False).items():
            check_plain(name, function)
        self._callbacks = callbacks
        self._call = callbacks.caller(self.checkpoint)
        self._driver = client.drive(session, self._call_back, self._announce)

    def __repr__(self) -> str:
        return trainer_repr(self._client.endpoint, self._session)

    @property
    def job(self) -> TrainingJob | None:
        """The job as last known; None before the create was accepted."""
        return self._session.job

    @property
    def last_event_id(self) -> str:
        """The cursor to resume from in another process: the id of the last event heard."""
        return self._session.last_event_id

    def start(self) -> str:
        """Submit the job and return its id; a second call returns it without a request (ARK-CRE).

        After an interrupted start the next call takes over where that one was, so that no job is
        lost. Raises StatusError, ResponseError or TransportError, after which it may be called
        again.
        """
        return expect(self._driver.operate(Operation.START, Start()), Accepted).job_id

    def wait(self) -> TrainingResult:
        """Follow the job to its end, calling the callbacks; a job that failed is a result too.

        Raises Aborted, GaveUp, StatusError, UnsendableCursor, EventTooLarge, what `start` raises,
        and, under profiles that say so, what a callback raised; TypeError for a callback that
        turns out to be async, whose event a later `wait` hears again. A KeyboardInterrupt ends the
        wait alone: a later `wait` goes on where this one was.
        """
        return expect(self._driver.operate(Operation.FOLLOW, Follow()), Resolved).result

    def events(self) -> "Events":
        """Return the events of the job, to be iterated over in place of callbacks.

        `with trainer.events() as events: for event in events: …` gets the events that `wait` would
        call callbacks for, in the same order and with the same back-pressure. An event counts as
        handled when the next one is asked for. Leaving the block ends the wait: the event in hand is
        delivered again to the next one. The iteration ends with the job, and `events.result` is what
        `wait` would return; it raises what `wait` raises. One thread iterates.
        """
        return Events(self._driver)

    def cancel(self) -> None:
        """Ask the backend to stop the job; without a started job it does nothing (ARK-CAN).

        Raises StatusError when the backend declines, as it may for a job that is over, and
        TransportError. It does not end `wait`, which goes on to the terminal event.
        """
        outcome = self._driver.operate(Operation.CANCEL, Cancel())
        if not isinstance(outcome, NothingToCancel):
            expect(outcome, CancelSent)

    def abort(self, reason: object = None) -> None:
        """End the local wait, now and for good; the backend hears nothing of it (ARK-ABT).

        It returns at once and takes no lock: a signal handler may call it.
        """
        self._driver.abort(reason)

    def _call_back(self, event: TrainingEvent) -> None:
        returned = self._call(event)
        if returned is not None:  # as it nearly always is; the check takes its time
            check_done(f"the callback for {type(event).__name__}", returned)

    def _announce(self, notice: Notice) -> None:
        returned = self._callbacks.announced(notice)
        check_done(f"the hook for {type(notice).__name__}", returned)

    def checkpoint(self, saved: CheckpointSaved) -> Checkpoint:
        """Return what `on_checkpoint` is called with, for an event that was iterated over."""
        job_id = self.job.id if self.job is not None else ""
        return Checkpoint(saved=saved, job_id=job_id, client=self._client)


class Events:
    """The events of a job, one after the other; made by `Trainer.events`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._waiter: Waiter | None = None
        self._telling: Follow | Handled = Follow()
        self.result: TrainingResult | None = None
        """How the job ended, once the iteration is over."""

    def __enter__(self) -> Self:
        if self._waiter is not None:
            raise RuntimeError("events: they were entered before; call events() again")
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
            raise RuntimeError("events: use them inside 'with'")
        with Shield() as shield:
            todo = self._driver.proceed(self._waiter, self._telling, shield)
            if isinstance(todo, Deliver):
                self._telling = Handled(todo.delivery)
                return todo.event
            self.result = expect(todo, Resolved).result
            raise StopIteration


class ArkorClient:
    """The entry: a context manager that owns the connections.

    `random` spreads the delays (None: nominal delays); `clock` tells the time of the sessions and
    of the timeouts; `ssl_context` replaces the verification against the system's trust. Raises
    ValueError for an address or a token that cannot be sent, TypeError for an argument of another
    type.
    """

    def __init__(
        self,
        base_url: str,
        *,
        token: str = NO_TOKEN,
        org: str = "",
        project: str = "",
        profile: Profile = PROFILE_2026_05,
        policy: ReconnectPolicy | None = None,
        random: Random | None = chance.random,
        clock: Clock | None = None,
        timeouts: Timeouts | None = None,
        bounds: Bounds | None = None,
        ssl_context: ssl.SSLContext | None = None,
        json_loads: JsonLoads | None = None,
    ) -> None:
        self.endpoint: Endpoint = new_endpoint(base_url, token, org, project)
        self._settings = Settings(
            endpoint=self.endpoint,
            profile=profile,
            policy=policy,
            random=random,
            bounds=Bounds() if bounds is None else bounds,
            json_loads=json_loads,
        )
        self._connector = Connector(
            Address.of(base_url, ssl_context), checked_timeouts(timeouts), clock or MonotonicClock()
        )
        self._caller = Caller(self.endpoint, self._connector, self._settings.bounds)

    def __repr__(self) -> str:
        return client_repr(self.endpoint, self._settings.profile)

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
        """Close every connection; whatever still waits raises TransportError."""
        self._connector.close()

    def trainer(
        self,
        name: str,
        *,
        model: str,
        dataset: JsonObject,
        lora: JsonObject | None = None,
        callbacks: Callbacks | None = None,
        **options: object,
    ) -> Trainer:
        """Return a trainer for a new job; nothing is sent before `start` or `wait`.

        `options` are those of the wire in snake_case, such as `max_steps`; `lora` takes `r`,
        `alpha`, `max_length` and `load_in_4bit`. What is absent is not sent, None is. Raises
        ValueError for an unknown option.
        """
        spec = job_spec(name, model=model, dataset=dataset, lora=lora, options=options)
        return self._trainer(spec, "", callbacks)

    def attach(
        self, job_id: str, *, last_event_id: str = "", callbacks: Callbacks | None = None
    ) -> Trainer:
        """Return a trainer for a job that exists, to be followed behind `last_event_id`."""
        return self._trainer(job_id, last_event_id, callbacks)

    def job(self, job_id: str) -> TrainingJob:
        """Return a job as it stands. Raises StatusError, ResponseError or TransportError."""
        return read_job(self._caller.read(job_request(self.endpoint, job_id)), "job")

    def me(self) -> JsonObject:
        """Return who the token belongs to. Raises as `job` does."""
        return read_object(self._caller.read(me_request(self.endpoint)), "me")

    def projects(self) -> JsonObject:
        """Return the organisation and its projects. Raises as `job` does."""
        return read_object(self._caller.read(projects_request(self.endpoint)), "projects")

    def create_project(self, name: str, slug: str) -> JsonObject:
        """Create a project; StatusError 409 says that the slug exists. Raises as `job` does."""
        request = create_project_request(self.endpoint, name, slug)
        return read_object(self._caller.read(request), "project")

    def anonymous_token(self) -> JsonObject:
        """Return a token for somebody without an account. Raises as `job` does."""
        return read_object(self._caller.read(anonymous_request(self.endpoint)), "anonymous token")

    def chat(self, request: Request, on_delta: Callable[[str], object] | None) -> str:
        """Make an inference call and return the whole text; `Checkpoint.infer` builds it."""
        check_plain("on_delta", on_delta)
        reader: ChatReader | None = None

        def read(head: Responded, data: bytes) -> bool:
            nonlocal reader
            reader = reader or self._settings.chat_reader(head)
            for piece in reader.feed(data) if data else reader.finish():
                if on_delta is not None:
                    check_done("on_delta", on_delta(piece))
            reader.check()
            return reader.done

        self._caller.chat(request, read)
        return reader.text if reader is not None else ""

    def drive(
        self,
        session: Session,
        call_back: Callable[[TrainingEvent], object],
        announce: Callable[[Notice], object],
    ) -> Driver:
        """Return a driver of `session` that uses this client's connections."""
        return Driver(session, self._connector, call_back, announce)

    def _trainer(
        self, job: JobSpec | str, last_event_id: str, callbacks: Callbacks | None
    ) -> Trainer:
        callbacks = Callbacks() if callbacks is None else callbacks
        check_callbacks(callbacks)
        return Trainer(self, self._settings.session(job, last_event_id), callbacks)
