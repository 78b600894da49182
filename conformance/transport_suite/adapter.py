"""What the author of a transport writes: a function that opens a client as a check asks for it.

The suite calls from threads. A client for an event loop is put into one by `InEventLoop`.
"""

import ssl
import threading
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, ExitStack
from typing import Final, Protocol, TypeAlias, TypeVar

from anyio import to_thread
from anyio.from_thread import BlockingPortal, start_blocking_portal
from attrs import define, field, frozen

from arkor_proto import (
    Endpoint,
    JsonObject,
    Notice,
    Profile,
    ReconnectPolicy,
    Session,
    SessionConfig,
    TrainingEvent,
    TrainingResult,
    job_spec,
)
from conformance.transport_suite.clock import VirtualClock

TOKEN: Final = "tok-endpoint-4c1f0a52b7d9"  # noqa: S105 - it opens nothing; it must not be printed
DATASET_TOKEN: Final = "tok-dataset-9e386d10c2aa"  # noqa: S105 - it opens nothing either
_LEAVING: Final = 5.0

Returned = TypeVar("Returned")


@frozen(kw_only=True)
class Setup:
    """What a check asks of a client. Times are in seconds.

    `session()` is a session with all of it. A client that makes its own takes the single values.
    """

    base_url: str
    on_event: Callable[[TrainingEvent], None] = field(repr=False)
    """The callback of every event; it may block, and raise. In an event loop: `on_event_async`."""
    on_notice: Callable[[Notice], None] = field(repr=False)
    """The hook of every `Notify`. It does not block, and may raise."""
    profile: Profile
    policy: ReconnectPolicy
    job: str | None = None
    """The id of a job to attach to; None: a new job, of the values below."""
    last_event_id: str = ""
    clock: VirtualClock | None = None
    """None: the clock of the system."""
    connect_timeout: float = 600.0
    """For the name and the connection, TLS included."""
    head_timeout: float = 600.0
    """From the sent request to the head of its final answer."""
    ssl_context: ssl.SSLContext | None = None
    """None: verified against the system's trust."""
    token: str = field(default=TOKEN, repr=False)
    org: str = "acme"
    project: str = "bots"
    name: str = "bot"
    model: str = "m"
    dataset: JsonObject = field(
        factory=lambda: {"type": "blob", "url": "https://d.example/x", "token": DATASET_TOKEN},
        repr=False,
    )

    def session(self) -> Session:
        """Return a new session for the job, with nominal delays."""
        endpoint = Endpoint(
            base_url=self.base_url, token=self.token, org=self.org, project=self.project
        )
        new = job_spec(self.name, model=self.model, dataset=self.dataset, lora=None, options={})
        config = SessionConfig(
            endpoint=endpoint,
            job=new if self.job is None else self.job,
            last_event_id=self.last_event_id,
            idempotency_key="key-of-this-trainer",
        )
        return Session(config, profile=self.profile, policy=self.policy)

    async def on_event_async(self, event: TrainingEvent) -> None:
        """Call `on_event` in a thread, so that the event loop goes on while it blocks."""
        await to_thread.run_sync(self.on_event, event)


class Client(Protocol):
    """One trainer of one job, as threads see it. Any method may be called while others wait."""

    def start(self) -> str:
        """Submit the job and return its id, or raise the error of the outcome."""
        ...

    def wait(self) -> TrainingResult:
        """Follow the job, calling `on_event`; return the result or raise the outcome's error."""
        ...

    def cancel(self) -> None:
        """Ask the backend to stop the job, or raise the error of the outcome."""
        ...

    def abort(self, reason: object, /) -> None:
        """End the local wait; return at once."""
        ...

    def close(self) -> None:
        """End everything. A second call does nothing."""
        ...


class AsyncClient(Protocol):
    """The same in an event loop; leaving its `async with` block closes it."""

    async def start(self) -> str:
        """See `Client.start`."""
        ...

    async def wait(self) -> TrainingResult:
        """See `Client.wait`; it awaits `setup.on_event_async(event)`."""
        ...

    async def cancel(self) -> None:
        """See `Client.cancel`."""
        ...

    def abort(self, reason: object, /) -> None:
        """See `Client.abort`."""
        ...


Open: TypeAlias = Callable[[Setup], Client]
"""The adapter: opens a client for one check, which closes it."""


@frozen
class InEventLoop:
    """Makes an adapter of one that is asynchronous: each client gets an event loop of its own.

    `backend` is `"asyncio"` or `"trio"`.
    """

    open: Callable[[Setup], AbstractAsyncContextManager[AsyncClient]]
    backend: str = "asyncio"

    def __call__(self, setup: Setup) -> Client:
        """Open a client in a new event loop, which ends when the client is closed."""
        loop = ExitStack()
        portal = loop.enter_context(start_blocking_portal(self.backend))
        try:
            inside = ExitStack()
            client = inside.enter_context(portal.wrap_async_context_manager(self.open(setup)))
            return _InThreads(client, portal, inside, loop, portal.call(threading.get_ident))
        except BaseException:
            loop.close()
            raise


@define(eq=False)
class _InThreads:
    """A client in an event loop, called from threads."""

    _client: AsyncClient
    _portal: BlockingPortal
    _inside: ExitStack
    _loop: ExitStack
    _thread: int
    _calls: int = field(default=0, init=False)
    """How many calls are under way."""
    _changed: threading.Condition = field(factory=threading.Condition, init=False)

    def start(self) -> str:
        return self._call(self._client.start)

    def wait(self) -> TrainingResult:
        return self._call(self._client.wait)

    def cancel(self) -> None:
        self._call(self._client.cancel)

    def abort(self, reason: object, /) -> None:
        if threading.get_ident() == self._thread:
            self._client.abort(reason)
        else:
            self._portal.call(self._client.abort, reason)

    def close(self) -> None:
        self._inside.close()
        # The calls that the client let go have yet to return to their threads.
        with self._changed:
            returned = self._changed.wait_for(lambda: not self._calls, _LEAVING)
        if not returned:
            self._portal.call(self._portal.stop, True)  # noqa: FBT003 - anyio's own: cancel them
        self._loop.close()

    def _call(self, method: Callable[[], Coroutine[object, object, Returned]]) -> Returned:
        with self._changed:
            self._calls += 1
        try:
            return self._portal.start_task_soon(method).result()
        finally:
            with self._changed:
                self._calls -= 1
                self._changed.notify_all()
