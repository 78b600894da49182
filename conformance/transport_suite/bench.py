"""Plays a scene: a backend, a client of the transport under test, and what each saw of the other."""

import ssl
import threading
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Final, Generic, TypeAlias, TypeVar

from attrs import define, evolve, field, frozen

from arkor_proto import (
    PROFILE_2026_05,
    JsonObject,
    Notice,
    Profile,
    Reconnecting,
    ReconnectPolicy,
    Timer,
    TrainingEvent,
    TrainingLog,
    TrainingResult,
)
from conformance.transport_suite.adapter import Client, Open, Setup
from conformance.transport_suite.clock import VirtualClock
from conformance.transport_suite.peer import Peer, Script
from conformance.transport_suite.wire import accepted, answer, job, sends

SOON: Final = 0.2
"""Seconds for a limit that is meant to pass."""

Returned = TypeVar("Returned")
Raised = TypeVar("Raised", bound=BaseException)
Hear: TypeAlias = "Callable[[Play, TrainingEvent], object]"
Learn: TypeAlias = "Callable[[Play, Notice], object]"


class Unexpected(AssertionError):
    """What was seen is not what the check expects; the message says what was seen."""


def same(what: str, seen: object, wanted: object) -> None:
    """Expect `seen` to be `wanted`; raises Unexpected."""
    if seen != wanted:
        raise Unexpected(f"{what}: {_short(seen)}, not {_short(wanted)}")


def holds(condition: object, what: str) -> None:
    """Expect a condition; raises Unexpected with what was seen instead."""
    if not condition:
        raise Unexpected(what)


def _short(value: object, limit: int = 400) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


@frozen
class Call(Generic[Returned]):
    """An operation that runs in a thread of its own."""

    what: str
    patience: float
    _future: Future[Returned] = field(factory=Future[Returned], init=False)

    def run(self, function: Callable[[], Returned]) -> None:
        """Run it; its result, or what it raises, is the result of the call."""
        try:
            self._future.set_result(function())
        except BaseException as error:  # noqa: BLE001 - it is raised where the result is asked for
            self._future.set_exception(error)

    def result(self) -> Returned:
        """Return the result, or raise what was raised; raises Unexpected if it hangs."""
        self._end()
        return self._future.result()

    def error(self, kind: type[Raised]) -> Raised:
        """Return what was raised; raises Unexpected if that is not a `kind`."""
        self._end()
        error = self._future.exception()
        if not isinstance(error, kind):
            what = _short(error or self._future.result())
            raise Unexpected(f"{self.what} ended with {what}, not with {kind.__name__}")
        return error

    def failed(self) -> bool:
        """Tell whether it raised; raises Unexpected if it hangs."""
        self._end()
        return self._future.exception() is not None

    def is_over(self) -> bool:
        """Tell whether it has returned."""
        return self._future.done()

    def _end(self) -> None:
        try:
            self._future.exception(self.patience)
        except TimeoutError:
            raise Unexpected(f"{self.what} did not return within {self.patience} s") from None


@frozen
class Hold:
    """A callback that blocks: `began` is set once it runs, and it returns after `go_on`."""

    began: threading.Event = field(factory=threading.Event)
    go_on: threading.Event = field(factory=threading.Event)

    def __call__(self, play: "Play", _: TrainingEvent) -> None:
        """Block at the first event; let later ones pass once `go_on` is set."""
        self.began.set()
        self.go_on.wait(play.patience)


def ignore(_: "Play", __: object) -> None:
    """Do nothing."""


@frozen(kw_only=True)
class Scene:
    """What a check sets up. The nth request of a route gets the nth script, or the last one."""

    streams: Sequence[Script] = (job(),)
    create: Sequence[Script] = (sends(accepted()),)
    cancel: Sequence[Script] = (sends(answer(200, b"{}")),)
    on_event: Hear = ignore
    on_notice: Learn = ignore
    job: str | None = "job-1"
    last_event_id: str = ""
    profile: Profile = PROFILE_2026_05
    initial_delay: float = 1.0
    max_attempts: int | None = 5
    clock: VirtualClock | None = field(factory=VirtualClock)
    connect_timeout: float = 600.0
    head_timeout: float = 600.0
    tls: ssl.SSLContext | None = None
    ssl_context: ssl.SSLContext | None = None
    scheme: str | None = None
    """None: that of the backend."""
    url: str | None = None
    """None: that of the backend. `{port}` is its port."""
    early: bool = False
    greeting: bytes = b""
    """What the backend sends before any request."""
    rows: int = 0
    """A dataset of so many MiB."""

    def dataset(self, usual: JsonObject) -> JsonObject:
        """Return the dataset of the job."""
        return {**usual, "rows": ["x" * 2**20] * self.rows} if self.rows else usual


@define(eq=False)
class Play:
    """A scene under way."""

    peer: Peer
    clock: VirtualClock
    patience: float
    _on_event: Hear
    _on_notice: Learn
    heard: list[TrainingEvent] = field(factory=list[TrainingEvent], init=False)
    notices: list[Notice] = field(factory=list[Notice], init=False)
    overlaps: int = field(default=0, init=False)
    """How many callbacks began while another one ran."""
    _inside: int = field(default=0, init=False)
    _client: Client | None = field(default=None, init=False)

    @property
    def client(self) -> Client:
        """The client under test."""
        assert self._client is not None, "it is opened before the check begins"
        return self._client

    @property
    def steps(self) -> list[int | None]:
        """The steps of the logs that were heard."""
        return [each.step for each in self.heard if isinstance(each, TrainingLog)]

    @property
    def causes(self) -> list[str]:
        """What each reconnect is said to be for, by the name of its class; `clean` for an end."""
        reconnects = [each for each in self.notices if isinstance(each, Reconnecting)]
        return ["clean" if each.cause is None else type(each.cause).__name__ for each in reconnects]

    def hear(self, event: TrainingEvent) -> None:
        """Take an event."""
        self.overlaps += self._inside > 0
        self._inside += 1
        self.heard.append(event)
        try:
            self._on_event(self, event)
        finally:
            self._inside -= 1

    def learn(self, notice: Notice) -> None:
        """Take a notice."""
        self.notices.append(notice)
        self._on_notice(self, notice)

    def run(self, what: str, function: Callable[[], Returned]) -> Call[Returned]:
        """Run `function` in a thread."""
        call = Call[Returned](what, self.patience)
        threading.Thread(target=call.run, args=(function,), daemon=True).start()
        return call

    def waiting(self) -> Call[TrainingResult]:
        """Begin a wait()."""
        return self.run("wait()", self.client.wait)

    def wait(self) -> TrainingResult:
        """Wait to the end."""
        return self.waiting().result()

    def starting(self) -> Call[str]:
        """Begin a start()."""
        return self.run("start()", self.client.start)

    def cancelling(self) -> Call[None]:
        """Begin a cancel()."""
        return self.run("cancel()", self.client.cancel)

    def abort(self, reason: object) -> None:
        """Abort the wait, which takes no time."""
        self.run("abort()", lambda: self.client.abort(reason)).result()

    def close(self) -> None:
        """Close the client."""
        self.run("close()", self.client.close).result()

    def came(self, route: str, number: int = 1) -> None:
        """Expect the request of this number, counted from 1."""
        came = self.peer.came(route, number, self.patience)
        holds(came, f"{route} request {number} did not arrive within {self.patience} s")

    def visited(self) -> None:
        """Expect a connection."""
        holds(self.peer.visited(self.patience), f"no connection arrived within {self.patience} s")

    def all_left(self) -> None:
        """Expect the client to close every connection."""
        left = self.peer.all_left(self.patience)
        holds(left, f"a connection was still open after {self.patience} s")

    def backs_off(self) -> None:
        """Expect a delay before a reconnect."""
        waits = self.clock.waits_for(Timer.RECONNECT, self.patience)
        holds(waits, f"no delay before a reconnect began within {self.patience} s")

    def begin(self, transport: Open, setup: Setup) -> None:
        """Open the client."""
        self._client = self.run("opening the client", lambda: transport(setup)).result()


@frozen
class Bench:
    """Where a check plays its scenes."""

    transport: Open
    patience: float

    @contextmanager
    def play(self, scene: Scene) -> Generator[Play, None, None]:
        """Play a scene; at its end the client is closed and no connection may be left."""
        scripts = {"create": scene.create, "stream": scene.streams, "cancel": scene.cancel}
        with Peer(scripts, scene.tls, scene.early, scene.greeting) as peer:
            clock = scene.clock or VirtualClock()
            play = Play(peer, clock, self.patience, scene.on_event, scene.on_notice)
            play.begin(self.transport, self.setup(scene, play))
            try:
                yield play
            except BaseException:
                play.run("close()", play.client.close)
                raise
            play.close()
            play.all_left()

    @staticmethod
    def setup(scene: Scene, play: Play) -> Setup:
        """Return what the client of a scene is asked for."""
        scheme = scene.scheme or ("http" if scene.tls is None else "https")
        host = "127.0.0.1" if scheme == "http" else "localhost"
        url = scene.url or f"{scheme}://{host}:{{port}}"
        setup = Setup(
            base_url=url.replace("{port}", str(play.peer.port)),
            on_event=play.hear,
            on_notice=play.learn,
            profile=scene.profile,
            policy=ReconnectPolicy(scene.initial_delay, max_attempts=scene.max_attempts),
            job=scene.job,
            last_event_id=scene.last_event_id,
            clock=scene.clock,
            connect_timeout=scene.connect_timeout,
            head_timeout=scene.head_timeout,
            ssl_context=scene.ssl_context,
        )
        return evolve(setup, dataset=scene.dataset(setup.dataset))
