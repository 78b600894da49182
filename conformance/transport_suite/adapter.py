"""The interface that authors of transports implement: a function that opens a client for a check.

The suite calls the client from threads. `InEventLoop` runs an asynchronous client in an event loop.
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
    """The settings with which a check opens its client; times are in seconds.

    `session()` returns a session with these settings. A client that makes its own session reads
    the individual values.
    """

    base_url: str
    on_event: Callable[[TrainingEvent], None] = field(repr=False)
    """The callback for every event; it may block and may raise. See also `on_event_async`."""
    on_notice: Callable[[Notice], None] = field(repr=False)
    """The hook to call for every `Notify`; it does not block, but may raise."""
    profile: Profile
    policy: ReconnectPolicy
    job: str | None = None
    """The id of a job to attach to; None means that `start` submits a new job."""
    last_event_id: str = ""
    clock: VirtualClock | None = None
    """The clock to use; None means the system's."""
    connect_timeout: float = 600.0
    """The time limit for the DNS lookup, the connection and the TLS handshake together."""
    head_timeout: float = 600.0
    """The time limit from sending a request until the head of its final response arrives."""
    ssl_context: ssl.SSLContext | None = None
    """The TLS context; None means the system's trust store."""
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
        """Return a new session for the job; its reconnect delays are not randomised."""
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
        """Call `on_event` in a thread, so that it does not block the event loop."""
        await to_thread.run_sync(self.on_event, event)


class Client(Protocol):
    """A trainer for one job, for use from threads; a method may be called while another blocks."""

    def start(self) -> str:
        """Submit the job and return its id; raise the operation's error if it fails."""
        ...

    def wait(self) -> TrainingResult:
        """Follow the job and call `on_event` for each event.

        Return the result, or raise the operation's error.
        """
        ...

    def cancel(self) -> None:
        """Ask the backend to stop the job; raise the operation's error if it fails."""
        ...

    def abort(self, reason: object, /) -> None:
        """End the local `wait`, without a request to the backend. This call does not block."""
        ...

    def close(self) -> None:
        """End all calls and close all connections; a second call does nothing."""
        ...


class AsyncClient(Protocol):
    """Like `Client`, but in an event loop; leaving its `async with` block closes it."""

    async def start(self) -> str:
        """See `Client.start`."""
        ...

    async def wait(self) -> TrainingResult:
        """Like `Client.wait`, but await `setup.on_event_async(event)` for each event."""
        ...

    async def cancel(self) -> None:
        """See `Client.cancel`."""
        ...

    def abort(self, reason: object, /) -> None:
        """See `Client.abort`."""
        ...


Open: TypeAlias = Callable[[Setup], Client]
"""An adapter: a function that opens a client for one check. The check closes the client."""


@frozen
class InEventLoop:
    """Turns an asynchronous adapter into a synchronous one; each client gets its own event loop.

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
    """A client that runs in an event loop and is called from threads."""

    _client: AsyncClient
    _portal: BlockingPortal
    _inside: ExitStack
    _loop: ExitStack
    _thread: int
    _calls: int = field(default=0, init=False)
    """The number of calls in progress."""
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
        # Calls that the client has ended may not have returned to their threads yet.
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
