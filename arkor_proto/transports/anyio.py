"""The asynchronous client, for asyncio and trio.

All its tasks run in the client's `async with` block and end with it. `_async_driver.py` runs the
sessions; `_async_http.py` transfers the bytes.
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from inspect import isawaitable
from types import TracebackType
from typing import Self, TypeAlias
from weakref import WeakSet

import anyio
from anyio.abc import TaskGroup
from attrs import field, frozen

from arkor_proto._calls import (
    ChatReader,
    anonymous_request,
    create_project_request,
    me_request,
    projects_request,
)
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
from arkor_proto.transports._async_calls import Caller
from arkor_proto.transports._async_driver import Clock, Driver, MonotonicClock, Waiter
from arkor_proto.transports._async_http import Connector
from arkor_proto.transports._callbacks import Checkpointer
from arkor_proto.transports._hooks import HookQueue
from arkor_proto.transports._surface import (
    CLOSED,
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

    async def infer(
        self,
        messages: Sequence[JsonObject],
        *,
        on_delta: Callable[[str], object] | None = None,
        options: JsonObject | None = None,
    ) -> str:
        request = self._request(self._client.endpoint, messages, options)
        return await self._client.chat(request, on_delta)


Callbacks = _callbacks.Callbacks[Checkpoint]
TokenProvider: TypeAlias = Callable[[], str | Awaitable[str]]
"""A function that returns the token for the next request, or an awaitable that resolves to it.

It is called and awaited in the task that sends the request, and is cancelled with the request. A
provider that is not async blocks the event loop until it returns.
"""


class Trainer(TrainerSurface[Checkpoint, "Events"]):
    """Submits, follows and cancels one job; created by `ArkorClient.trainer` or `.attach`."""

    def __init__(self, client: "ArkorClient", session: Session, callbacks: Callbacks) -> None:
        super().__init__(client.endpoint, session, callbacks.checkpointer)
        self._client = client
        self._call = callbacks.caller(self.checkpoint)
        call_back = self._call if callbacks.checkpointer is None else self._call_back_and_save
        self._driver = client.drive(session, call_back, callbacks.hooked)

    async def start(self) -> str:
        outcome = await self._driver.operate(Operation.START, Start())
        return expect(outcome, Accepted).job_id

    async def wait(self) -> TrainingResult:
        return expect(await self._driver.follow(), Resolved).result

    def events(self) -> "Events":
        return Events(self._driver, self._save)

    async def cancel(self) -> None:
        outcome = await self._driver.operate(Operation.CANCEL, Cancel())
        if not isinstance(outcome, NothingToCancel):
            expect(outcome, CancelSent)

    def abort(self, reason: object = None) -> None:
        self._driver.tell(Abort(reason))

    def checkpoint(self, saved: CheckpointSaved) -> Checkpoint:
        job_id = self.job.id if self.job is not None else ""
        return Checkpoint(saved=saved, job_id=job_id, client=self._client)

    async def _call_back_and_save(self, event: TrainingEvent) -> None:
        for step in (partial(self._call, event), self._save):
            returned = step()
            if isawaitable(returned):
                await returned


class Events:
    """An iterator over the events of a job, created by `Trainer.events`.

    `anext(events)` may be cancelled, for example by `anyio.fail_after`: no event is lost, and the
    next `anext` continues where the cancelled one stopped.
    """

    def __init__(self, driver: Driver, save: Callable[[], object]) -> None:
        self._driver = driver
        self._save = save
        self._waiter: Waiter | None = None
        self._in_hand: Deliver | None = None
        self.result: TrainingResult | None = None
        """The result of the job; None until the iteration ends."""

    async def __aenter__(self) -> Self:
        if self._waiter is not None:
            raise RuntimeError("events: already entered; call events() again")
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
            raise RuntimeError("events: iterate over them inside an 'async with' block")
        if self._in_hand is not None:
            saved = self._save()
            if isawaitable(saved):
                await saved
        delivery, self._in_hand = self._in_hand, None
        following = None if delivery is None else self._driver.hand_back(delivery, None)
        following = following or await self._driver.next_delivery(self._waiter)
        if following is None:
            self.result = expect(self._waiter.settled, Resolved).result
            raise StopAsyncIteration
        self._in_hand = following
        return following.event


class ArkorClient(ClientSurface[Clock, Checkpoint, Trainer, TokenProvider]):
    """The entry point: an async context manager that owns the connections and tasks."""

    def _connect_to(
        self,
        address: Address,
        timeouts: Timeouts,
        clock: Clock | None,
        provider: TokenProvider | None,
    ) -> None:
        self._clock = clock or MonotonicClock()
        refreshes = self._settings.profile.refreshes_token
        self._connector = Connector(address, timeouts, provider, refreshes)
        self._caller = Caller(self._connector, self._settings.bounds)
        self._tasks: TaskGroup | None = None
        self._entered = False
        self._drivers: WeakSet[Driver] = WeakSet()

    async def __aenter__(self) -> Self:
        if self._entered:
            raise RuntimeError("client: already entered; create a new ArkorClient")
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
            # An error in the block is raised unchanged; the task group would wrap it in a group.
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

    async def job(self, job_id: str) -> TrainingJob:
        return read_job(await self._read(job_request(self.endpoint, job_id)), "job")

    async def me(self) -> JsonObject:
        return read_object(await self._read(me_request(self.endpoint)), "me")

    async def projects(self) -> JsonObject:
        return read_object(await self._read(projects_request(self.endpoint)), "projects")

    async def create_project(self, name: str, slug: str) -> JsonObject:
        request = create_project_request(self.endpoint, name, slug)
        return read_object(await self._read(request), "project")

    async def anonymous_token(self) -> JsonObject:
        request = anonymous_request(self.endpoint)
        return read_object(await self._read(request), "anonymous token")

    async def chat(self, request: Request, on_delta: Callable[[str], object] | None) -> str:
        reader: ChatReader | None = None
        hider = self._settings.hider()

        async def read(head: Responded, data: bytes) -> bool:
            nonlocal reader
            reader = reader or self._settings.chat_reader(head, hider)
            for piece in reader.feed(data) if data else reader.finish():
                returned = on_delta(piece) if on_delta is not None else None
                if isawaitable(returned):
                    await returned
            reader.check()
            return reader.done

        self._group()
        await self._caller.chat(request, read, hider)
        return reader.text if reader is not None else ""

    def drive(
        self,
        session: Session,
        call_back: Callable[[TrainingEvent], object],
        hook: Callable[[Notice], object],
    ) -> Driver:
        """Return a driver that runs `session` in this client; `hook` receives its notices."""
        tasks = self._group()
        hooks = HookQueue(hook, tasks)
        driver = Driver(session, self._clock, self._connector, tasks, call_back, hooks.tell)
        self._drivers.add(driver)
        return driver

    def _trainer(self, session: Session, callbacks: Callbacks) -> Trainer:
        return Trainer(self, session, callbacks)

    async def _read(self, request: Request) -> bytes:
        self._group()
        return await self._caller.read(request, self._settings.hider())

    def _group(self) -> TaskGroup:
        if self._tasks is None:
            raise RuntimeError(CLOSED)
        return self._tasks


def _only_member(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error in a group of one, or the group itself if it has several."""
    return group.exceptions[0] if len(group.exceptions) == 1 else group
