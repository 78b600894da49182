"""What these tests begin with: a client, a trainer, a clock that does not wait."""

import ssl
from collections.abc import Callable
from typing import Final

import anyio
from attrs import define, field

from arkor_proto import (
    PROFILE_2026_05,
    Bounds,
    Profile,
    ReconnectPolicy,
    Timer,
    TrainingEvent,
)
from arkor_proto.transports.anyio import (
    ArkorClient,
    Callbacks,
    Checkpoint,
    Clock,
    Timeouts,
    TokenProvider,
    Trainer,
)
from mock_server import MockServer, RequestReceived, Route, scenario_from_dict
from tests.arkor_proto.wire_samples import DATASET_TOKEN, TOKEN

DATASET: Final = {"type": "blob", "url": "https://d.example/x", "token": DATASET_TOKEN}


@define(eq=False)
class VirtualClock:
    """Virtual time: a timer of `rings` rings at once, any other rings when it is told to."""

    rings: frozenset[Timer] = frozenset({Timer.RECONNECT})
    now: float = 0.0
    sleeps: list[tuple[Timer, float]] = field(factory=list[tuple[Timer, float]])
    _fell_asleep: anyio.Event = field(factory=anyio.Event, init=False)

    def time(self) -> float:
        """Return the virtual time."""
        return self.now

    async def sleep_until(self, deadline: float, timer: Timer) -> None:
        """Return at once, or never."""
        self.sleeps.append((timer, deadline - self.now))
        self._fell_asleep.set()
        self._fell_asleep = anyio.Event()
        if timer not in self.rings:
            await anyio.sleep_forever()
        self.now = max(self.now, deadline)
        await anyio.lowlevel.checkpoint()

    async def backing_off(self) -> None:
        """Wait until a delay before the next attempt is running."""
        await self.slept(Timer.RECONNECT)

    async def slept(self, timer: Timer, times: int = 1) -> None:
        """Wait until so many waits for this reason have begun."""
        while [each for each, _ in self.sleeps].count(timer) < times:
            await self._fell_asleep.wait()


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


def serve(**words: object) -> MockServer:
    """Return the mock backend with a scenario."""
    return MockServer(scenario_from_dict(words))


def asked(mock: MockServer, route: str) -> list[RequestReceived]:
    """Return the requests of a route so far."""
    wanted = Route(route)
    return [r for r in mock.journal if isinstance(r, RequestReceived) and r.route is wanted]
