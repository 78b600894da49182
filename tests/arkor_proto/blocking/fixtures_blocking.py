"""What these tests begin with: a backend in a thread, a client, threads, a clock that never waits.

It knows how to talk to the asynchronous backend from a thread that blocks. It refuses to know what
any test wants of it.
"""

import gc
import ssl
import threading
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Final, Protocol, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal
from attrs import define, field, frozen

from arkor_proto import PROFILE_2026_05, Bounds, Profile, ReconnectPolicy, Timer, TrainingEvent
from arkor_proto.transports.blocking import (
    ArkorClient,
    Callbacks,
    Checkpoint,
    Clock,
    Timeouts,
    TokenProvider,
    Trainer,
)
from mock_server import (
    ConnectionClosed,
    ConnectionOpened,
    MockServer,
    Record,
    RequestReceived,
    Route,
    ScriptedFrame,
    scenario_from_dict,
)
from tests.arkor_proto.transports.peer import Peer, Visit, listening, unreachable
from tests.arkor_proto.wire_samples import DATASET_TOKEN, TOKEN

PATIENCE: Final = 20.0
"""Seconds after which a test that hangs is a test that failed."""

DATASET: Final = {"type": "blob", "url": "https://d.example/x", "token": DATASET_TOKEN}

Ready = TypeVar("Ready")
Result = TypeVar("Result")


@define(eq=False)
class VirtualClock:
    """Virtual time: a timer of `rings` rings at once, any other never."""

    rings: frozenset[Timer | None] = frozenset({Timer.RECONNECT})
    now: float = 0.0
    delays: list[float] = field(factory=list[float])
    backing_off: threading.Event = field(factory=threading.Event)
    """Set once somebody waits for the next attempt."""

    def time(self) -> float:
        """Return the virtual time."""
        return self.now

    def wait(
        self, select: Callable[[float | None], Ready], deadline: float | None, timer: Timer | None
    ) -> Ready:
        """Return at once at a deadline that rings, else when a socket has something to say."""
        if timer is Timer.RECONNECT and deadline is not None:
            self.delays.append(deadline - self.now)
            self.backing_off.set()
        if deadline is None or timer not in self.rings:
            return select(None)
        self.now = max(self.now, deadline)
        return select(0)


@frozen
class Backend:
    """The mock backend, as threads that block see it."""

    mock: MockServer
    portal: BlockingPortal

    @property
    def base_url(self) -> str:
        """Where it listens."""
        return self.mock.base_url

    def wait_for(
        self, route: str, *, attempt: int = 1, frame: int | None = None, answered: bool = False
    ) -> None:
        """Wait for a request, the head of its response, or a frame of it."""
        wait = partial(self.mock.wait_for, route, attempt=attempt, frame=frame, answered=answered)
        self.portal.call(wait)

    def wait_until_left(self, *connections: int) -> list[str]:
        """Wait until these connections, or all so far, have been closed; return by whom each was."""
        opened = [each.connection for each in self.journal if isinstance(each, ConnectionOpened)]
        return [self._closed_by(number) for number in connections or opened]

    def _closed_by(self, number: int) -> str:
        def is_its_end(record: Record) -> bool:
            return isinstance(record, ConnectionClosed) and record.connection == number

        record = self.portal.call(self.mock.wait_until, is_its_end)
        assert isinstance(record, ConnectionClosed)
        return record.by

    def open(self, gate: str) -> None:
        """Open a gate."""
        self.portal.call(self.mock.gates.open, gate)

    def push(self, job_id: str, **words: object) -> None:
        """Append an event to a job's log."""
        self.portal.call(self.mock.push, job_id, ScriptedFrame(json=words))

    @property
    def journal(self) -> list[Record]:
        """What happened so far."""
        return self.mock.journal

    def asked(self, route: str) -> list[RequestReceived]:
        """Return the requests of a route so far."""
        wanted = Route(route)
        return [
            r for r in self.mock.journal if isinstance(r, RequestReceived) and r.route is wanted
        ]


@contextmanager
def serving(**words: object) -> Generator[Backend]:
    """Serve a scenario from a thread of its own."""
    with start_blocking_portal() as portal:
        mock = MockServer(scenario_from_dict(words))
        with portal.wrap_async_context_manager(mock):
            yield Backend(mock, portal)
    # What a client has left open is found here: its ResourceWarning is an error.
    gc.collect()


@contextmanager
def answering(
    handle: Callable[[Visit], Awaitable[None]], *, tls: ssl.SSLContext | None = None
) -> Generator[Peer]:
    """Serve every connection with `handle`, from a thread of its own."""
    with start_blocking_portal() as portal:
        host = "127.0.0.1" if tls is None else "localhost"
        with portal.wrap_async_context_manager(listening(handle, tls=tls, host=host)) as peer:
            yield peer
    gc.collect()


@contextmanager
def unreachable_address() -> Generator[str]:
    """Yield an address whose connections are never completed."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(unreachable()) as address,
    ):
        yield address


def client_of(
    base_url: str,
    *,
    token: str | TokenProvider = TOKEN,
    clock: Clock | None = None,
    profile: Profile = PROFILE_2026_05,
    max_attempts: int | None = None,
    timeouts: Timeouts | None = None,
    bounds: Bounds | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> ArkorClient:
    """Return a client whose delays are nominal and take no time."""
    return ArkorClient(
        base_url,
        token=token,
        org="acme",
        project="bots",
        profile=profile,
        policy=ReconnectPolicy(max_attempts=max_attempts),
        random=None,
        clock=clock or VirtualClock(),
        timeouts=timeouts,
        bounds=bounds,
        ssl_context=ssl_context,
    )


def trainer_of(client: ArkorClient, callbacks: Callbacks | None = None) -> Trainer:
    """Return a trainer of a job whose dataset has a token."""
    return client.trainer("bot", model="m", dataset=DATASET, callbacks=callbacks)


def hearing(hear: Callable[[TrainingEvent | Checkpoint], object]) -> Callbacks:
    """Return callbacks that all do the same."""
    return Callbacks(
        on_started=hear, on_log=hear, on_checkpoint=hear, on_completed=hear, on_failed=hear
    )


class Run(Protocol):
    """Runs a function in a thread of its own; `result(PATIENCE)` of the future is its result."""

    def __call__(self, function: Callable[[], Result], /) -> Future[Result]:
        """Start the thread."""
        ...


@contextmanager
def threads() -> Generator[Run]:
    """Yield what runs functions in threads; all of them have ended when the block has."""
    with ThreadPoolExecutor(16) as pool:
        yield pool.submit
