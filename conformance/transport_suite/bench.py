"""Play a scene: run a client of the transport against a backend, and record what both receive."""

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
"""The value of a timeout that should expire during a check, in seconds."""

Returned = TypeVar("Returned")
Raised = TypeVar("Raised", bound=BaseException)
Hear: TypeAlias = "Callable[[Play, TrainingEvent], object]"
Learn: TypeAlias = "Callable[[Play, Notice], object]"


class Unexpected(AssertionError):
    """The client did not do what the check expects; the message says what it did."""


def same(what: str, seen: object, wanted: object) -> None:
    """Raise Unexpected if `seen` does not equal `wanted`."""
    if seen != wanted:
        raise Unexpected(f"{what}: {_short(seen)}, not {_short(wanted)}")


def holds(condition: object, what: str) -> None:
    """Raise Unexpected with the message `what` if a condition is false."""
    if not condition:
        raise Unexpected(what)


def _short(value: object, limit: int = 400) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


@frozen
class Call(Generic[Returned]):
    """An operation that runs in its own thread."""

    what: str
    patience: float
    _future: Future[Returned] = field(factory=Future[Returned], init=False)

    def run(self, function: Callable[[], Returned]) -> None:
        """Call `function` and store its result, or the exception that it raises."""
        try:
            self._future.set_result(function())
        except BaseException as error:  # noqa: BLE001 - `result` raises it again
            self._future.set_exception(error)

    def result(self) -> Returned:
        """Return the operation's result or raise its exception; raise Unexpected if it hangs."""
        self._end()
        return self._future.result()

    def error(self, kind: type[Raised]) -> Raised:
        """Return the operation's exception; raise Unexpected if it is not a `kind`."""
        self._end()
        error = self._future.exception()
        if not isinstance(error, kind):
            what = _short(error or self._future.result())
            raise Unexpected(f"{self.what} ended with {what}, not with {kind.__name__}")
        return error

    def failed(self) -> bool:
        """Return whether the operation raised; raise Unexpected if it hangs."""
        self._end()
        return self._future.exception() is not None

    def is_over(self) -> bool:
        """Return whether the operation has ended."""
        return self._future.done()

    def _end(self) -> None:
        try:
            self._future.exception(self.patience)
        except TimeoutError:
            raise Unexpected(f"{self.what} did not finish within {self.patience} s") from None


@frozen
class Hold:
    """A callback that blocks: it sets `began` when it runs, and returns once `go_on` is set."""

    began: threading.Event = field(factory=threading.Event)
    go_on: threading.Event = field(factory=threading.Event)

    def __call__(self, play: "Play", _: TrainingEvent) -> None:
        """Block until `go_on` is set; later calls then return at once."""
        self.began.set()
        self.go_on.wait(play.patience)


def ignore(_: "Play", __: object) -> None:
    """Do nothing."""


@frozen(kw_only=True)
class Scene:
    """The setup of a check; a route's nth request is answered by its nth script, or by its last."""

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
    """The scheme of the URL; None means the backend's."""
    url: str | None = None
    """The base URL; None means the backend's. `{port}` stands for the backend's port."""
    early: bool = False
    greeting: bytes = b""
    """Bytes to send before any request; the backend then closes the connection."""
    rows: int = 0
    """The amount of data to add to the dataset, in MiB."""

    def dataset(self, usual: JsonObject) -> JsonObject:
        """Return the dataset of the job: `usual`, with `rows` MiB of data added."""
        return {**usual, "rows": ["x" * 2**20] * self.rows} if self.rows else usual


@define(eq=False)
class Play:
    """A running scene: its client, its backend, and the events received."""

    peer: Peer
    clock: VirtualClock
    patience: float
    _on_event: Hear
    _on_notice: Learn
    heard: list[TrainingEvent] = field(factory=list[TrainingEvent], init=False)
    notices: list[Notice] = field(factory=list[Notice], init=False)
    overlaps: int = field(default=0, init=False)
    """The number of callbacks that began while another was still running."""
    _inside: int = field(default=0, init=False)
    _client: Client | None = field(default=None, init=False)

    @property
    def client(self) -> Client:
        """The client under test."""
        assert self._client is not None, "the client has not been opened yet"
        return self._client

    @property
    def steps(self) -> list[int | None]:
        """The `step` of each log event that the event callback received, in order."""
        return [each.step for each in self.heard if isinstance(each, TrainingLog)]

    @property
    def causes(self) -> list[str]:
        """The class name of each reconnect's cause; `clean` if the stream ended cleanly."""
        reconnects = [each for each in self.notices if isinstance(each, Reconnecting)]
        return ["clean" if each.cause is None else type(each.cause).__name__ for each in reconnects]

    def hear(self, event: TrainingEvent) -> None:
        """Receive an event; the client calls this as its event callback."""
        self.overlaps += self._inside > 0
        self._inside += 1
        self.heard.append(event)
        try:
            self._on_event(self, event)
        finally:
            self._inside -= 1

    def learn(self, notice: Notice) -> None:
        """Receive a notice; the client calls this as its notice hook."""
        self.notices.append(notice)
        self._on_notice(self, notice)

    def run(self, what: str, function: Callable[[], Returned]) -> Call[Returned]:
        """Run `function` in a thread; messages call the operation `what`."""
        call = Call[Returned](what, self.patience)
        threading.Thread(target=call.run, args=(function,), daemon=True).start()
        return call

    def waiting(self) -> Call[TrainingResult]:
        """Call wait() in a thread."""
        return self.run("wait()", self.client.wait)

    def wait(self) -> TrainingResult:
        """Wait for the job to end and return the result."""
        return self.waiting().result()

    def starting(self) -> Call[str]:
        """Call start() in a thread."""
        return self.run("start()", self.client.start)

    def cancelling(self) -> Call[None]:
        """Call cancel() in a thread."""
        return self.run("cancel()", self.client.cancel)

    def abort(self, reason: object) -> None:
        """Abort the wait; raise Unexpected if the call does not return."""
        self.run("abort()", lambda: self.client.abort(reason)).result()

    def close(self) -> None:
        """Close the client; raise Unexpected if the call does not return."""
        self.run("close()", self.client.close).result()

    def came(self, route: str, number: int = 1) -> None:
        """Wait for request `number` (from 1) of a route; raise Unexpected if none arrives."""
        came = self.peer.came(route, number, self.patience)
        holds(came, f"{route} request {number} did not arrive within {self.patience} s")

    def visited(self) -> None:
        """Wait for a connection; raise Unexpected if there is none."""
        holds(self.peer.visited(self.patience), f"no connection arrived within {self.patience} s")

    def all_left(self) -> None:
        """Wait until the client has closed every connection; raise Unexpected if it does not."""
        left = self.peer.all_left(self.patience)
        holds(left, f"a connection was still open after {self.patience} s")

    def backs_off(self) -> None:
        """Wait until the client starts a reconnect delay; raise Unexpected if it does not."""
        waits = self.clock.waits_for(Timer.RECONNECT, self.patience)
        holds(waits, f"the client did not start a reconnect delay within {self.patience} s")

    def begin(self, transport: Open, setup: Setup) -> None:
        """Open the client with the transport under test."""
        self._client = self.run("opening the client", lambda: transport(setup)).result()


@frozen
class Bench:
    """Plays the scenes of a check with the transport under test."""

    transport: Open
    patience: float

    @contextmanager
    def play(self, scene: Scene) -> Generator[Play, None, None]:
        """Play a scene; then close the client, and expect it to leave no connection open."""
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
        """Return the settings for the client of a scene."""
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
