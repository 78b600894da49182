"""The asynchronous client, on asyncio and on trio.

Everything that runs is a task of the client's `async with` block and ends with it. The sessions are
carried by `_async_driver.py`, the bytes by `_async_http.py`.
"""

import random as chance
import ssl
from collections.abc import Callable, Sequence
from inspect import isawaitable
from types import TracebackType
from typing import Self
from weakref import WeakSet

import anyio
from anyio.abc import TaskGroup
from attrs import field, frozen

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
    Abort,
    Accepted,
    Cancel,
    CancelSent,
    Deliver,
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
from arkor_proto.transports._async_calls import Caller
from arkor_proto.transports._async_driver import Clock, Driver, MonotonicClock, Waiter
from arkor_proto.transports._async_http import Connector
from arkor_proto.transports._callbacks import check_callbacks
from arkor_proto.transports._hooks import HookQueue
from arkor_proto.transports._surface import (
    CLOSED,
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

    async def infer(
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
        return await self._client.chat(request, on_delta)


Callbacks = _callbacks.Callbacks[Checkpoint]


class Trainer:
    """One job: submit it, follow it, cancel it. Made by `ArkorClient.trainer` or `.attach`."""

    def __init__(self, client: "ArkorClient", session: Session, callbacks: Callbacks) -> None:
        self._client = client
        self._session = session
        call_back = callbacks.caller(self.checkpoint)
        self._driver = client.drive(session, call_back, callbacks.hooked)

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

    async def start(self) -> str:
        """Submit the job and return its id; a second call returns it without a request (ARK-CRE).

        A start whose task is cancelled goes on: the next call joins it, so that no job is lost.
        Raises StatusError, ResponseError or TransportError, after which it may be called again.
        """
        outcome = await self._driver.operate(Operation.START, Start())
        return expect(outcome, Accepted).job_id

    async def wait(self) -> TrainingResult:
        """Follow the job to its end, calling the callbacks; a job that failed is a result too.

        Raises Aborted, GaveUp, StatusError, UnsendableCursor, EventTooLarge, what `start` raises,
        and, under profiles that say so, what a callback raised. Cancelling the task ends the wait
        alone: a later `wait` goes on where this one was.
        """
        return expect(await self._driver.follow(), Resolved).result

    def events(self) -> "Events":
        """Return the events of the job, to be iterated over in place of callbacks.

        `async with trainer.events() as events: async for event in events: …` gets the events that
        `wait` would call callbacks for, in the same order and with the same back-pressure. An event
        counts as handled when the next one is asked for. Leaving the block ends the wait: the event
        in hand is delivered again to the next one. The iteration ends with the job, and
        `events.result` is what `wait` would return; it raises what `wait` raises.
        """
        return Events(self._driver)

    async def cancel(self) -> None:
        """Ask the backend to stop the job; without a started job it does nothing (ARK-CAN).

        Raises StatusError when the backend declines, as it may for a job that is over, and
        TransportError. It does not end `wait`, which goes on to the terminal event.
        """
        outcome = await self._driver.operate(Operation.CANCEL, Cancel())
        if not isinstance(outcome, NothingToCancel):
            expect(outcome, CancelSent)

    def abort(self, reason: object = None) -> None:
        """End the local wait, now and for good; the backend hears nothing of it (ARK-ABT)."""
        self._driver.tell(Abort(reason))

    def checkpoint(self, saved: CheckpointSaved) -> Checkpoint:
        """Return what `on_checkpoint` is called with, for an event that was iterated over."""
        job_id = self.job.id if self.job is not None else ""
        return Checkpoint(saved=saved, job_id=job_id, client=self._client)


class Events:
    """The events of a job, one after the other; made by `Trainer.events`."""

    def __init__(self, driver: Driver) -> None:
        self._driver = driver
        self._waiter: Waiter | None = None
        self._in_hand: Deliver | None = None
        self.result: TrainingResult | None = None
        """How the job ended, once the iteration is over."""

    async def __aenter__(self) -> Self:
        if self._waiter is not None:
            raise RuntimeError("events: they were entered before; call events() again")
        self._waiter = self._driver.join(id(self))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        in_hand, self._in_hand = self._in_hand, None
        self._driver.part(id(self), in_hand)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> TrainingEvent:
        if self._waiter is None:
            raise RuntimeError("events: use them inside 'async with'")
        delivery, self._in_hand = self._in_hand, None
        following = None if delivery is None else self._driver.hand_back(delivery, None)
        following = following or await self._driver.next_delivery(self._waiter)
        if following is None:
            self.result = expect(self._waiter.settled, Resolved).result
            raise StopAsyncIteration
        self._in_hand = following
        return following.event


class ArkorClient:
    """The entry: an async context manager that owns connections and tasks.

    `random` spreads the delays (None: nominal delays); `clock` tells the time of the sessions;
    `ssl_context` replaces the verification against the system's trust. Raises ValueError for an
    address or a token that cannot be sent, TypeError for an argument of another type.
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
        self._clock = clock or MonotonicClock()
        self._connector = Connector(Address.of(base_url, ssl_context), checked_timeouts(timeouts))
        self._caller = Caller(self.endpoint, self._connector, self._settings.bounds)
        self._tasks: TaskGroup | None = None
        self._entered = False
        self._drivers: WeakSet[Driver] = WeakSet()

    def __repr__(self) -> str:
        return client_repr(self.endpoint, self._settings.profile)

    async def __aenter__(self) -> Self:
        if self._entered:
            raise RuntimeError("client: it was entered before; make another ArkorClient")
        self._entered = True
        self._tasks = await anyio.create_task_group().__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        tasks, self._tasks = self._group(), None
        for driver in self._drivers:
            driver.close()
        self._caller.close()
        tasks.cancel_scope.cancel()
        failure: BaseException | None = None
        try:
            # An error of the block goes on as it is; the task group would wrap it in a group.
            if isinstance(error, anyio.get_cancelled_exc_class()):
                return await tasks.__aexit__(kind, error, trace)
            await tasks.__aexit__(None, None, None)
        except BaseExceptionGroup as group:
            failure = _only_member(group)
        finally:
            with anyio.CancelScope(shield=True):
                await self._connector.aclose()
        if failure is not None:
            raise failure
        return None

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
        """Return a trainer for a job that exists, to be followed after `last_event_id`."""
        return self._trainer(job_id, last_event_id, callbacks)

    async def job(self, job_id: str) -> TrainingJob:
        """Return a job as it is now. Raises StatusError, ResponseError or TransportError."""
        return read_job(await self._read(job_request(self.endpoint, job_id)), "job")

    async def me(self) -> JsonObject:
        """Return who the token belongs to. Raises as `job` does."""
        return read_object(await self._read(me_request(self.endpoint)), "me")

    async def projects(self) -> JsonObject:
        """Return the organisation and its projects. Raises as `job` does."""
        return read_object(await self._read(projects_request(self.endpoint)), "projects")

    async def create_project(self, name: str, slug: str) -> JsonObject:
        """Create a project; StatusError 409 says that the slug exists. Raises as `job` does."""
        request = create_project_request(self.endpoint, name, slug)
        return read_object(await self._read(request), "project")

    async def anonymous_token(self) -> JsonObject:
        """Return a token for use without an account. Raises as `job` does."""
        request = anonymous_request(self.endpoint)
        return read_object(await self._read(request), "anonymous token")

    async def chat(self, request: Request, on_delta: Callable[[str], object] | None) -> str:
        """Make an inference call and return the whole text; `Checkpoint.infer` builds it."""
        reader: ChatReader | None = None

        async def read(head: Responded, data: bytes) -> bool:
            nonlocal reader
            reader = reader or self._settings.chat_reader(head)
            for piece in reader.feed(data) if data else reader.finish():
                returned = on_delta(piece) if on_delta is not None else None
                if isawaitable(returned):
                    await returned
            reader.check()
            return reader.done

        self._group()
        await self._caller.chat(request, read)
        return reader.text if reader is not None else ""

    def drive(
        self,
        session: Session,
        call_back: Callable[[TrainingEvent], object],
        hook: Callable[[Notice], object],
    ) -> Driver:
        """Return a driver of `session` whose tasks belong to this client; `hook` hears notices."""
        tasks = self._group()
        hooks = HookQueue(hook, tasks)
        driver = Driver(session, self._clock, self._connector, tasks, call_back, hooks.tell)
        self._drivers.add(driver)
        return driver

    def _trainer(
        self, job: JobSpec | str, last_event_id: str, callbacks: Callbacks | None
    ) -> Trainer:
        callbacks = Callbacks() if callbacks is None else callbacks
        check_callbacks(callbacks)
        return Trainer(self, self._settings.session(job, last_event_id), callbacks)

    async def _read(self, request: Request) -> bytes:
        self._group()
        return await self._caller.read(request)

    def _group(self) -> TaskGroup:
        if self._tasks is None:
            raise RuntimeError(CLOSED)
        return self._tasks


def _only_member(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error of a group of one, as it was raised; a larger group stays what it is."""
    return group.exceptions[0] if len(group.exceptions) == 1 else group
