"""Simulate a fleet: many real sessions that lose their streams at the same time and reconnect.

Each client is a session of the library, with its own parser, budget and timers. The clients share
the configuration, the policy, the profile, and one random source, so a client takes only about 6 KB
and 100,000 fit into 620 MB. In the simulation, connecting takes no time.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from heapq import heapify, heappop, heappush
from random import Random
from typing import Final

from attrs import define, field, frozen

from arkor_proto import (
    HARDENED,
    Broken,
    Close,
    Deliver,
    Done,
    Follow,
    Handled,
    Idle,
    Jitter,
    Notify,
    Profile,
    Received,
    ReconnectPolicy,
    Responded,
    Send,
    Session,
    SessionConfig,
    Settle,
    Tick,
)
from conformance.simulate.world import ENDPOINT

STRATEGIES: Final[Mapping[str, Jitter]] = {jitter.value: jitter for jitter in Jitter}
_STREAM: Final = ((b"content-type", b"text/event-stream"),)
_EVENT: Final = b'id: 1\nevent: training.log\ndata: {"type": "training.log", "step": 1}\n\n'
_BACK: Final = 0.99
TENTH: Final = 0.1
"""The length in seconds of the intervals in which attempts are counted: a tenth of a second."""
_RAMP: Final = 5
"""The number of attempts after which a client's delays have reached their maximum."""
MOST_ATTEMPTS: Final = 50_000_000
"""The limit on a fleet's expected attempts; more of them would take hours to simulate."""


@frozen(kw_only=True)
class Outage:
    """An outage: all streams break at the same time, and the backend is down for a while."""

    clients: int = 10_000
    seconds: float = 30.0
    """The length of the outage in seconds; at 0, the streams break but the backend stays up."""
    capacity: float | None = None
    """The number of connections accepted per second after the outage; None means no limit."""
    strategy: str = Jitter.FULL.value
    initial_delay: float = 1.0
    max_delay: float = 60.0
    seed: int = 0
    profile: Profile = HARDENED

    @property
    def expected_attempts(self) -> float:
        """Return roughly how many attempts the fleet will make before all clients are back.

        Delays soon reach their maximum; with jitter, they average half of it. Without jitter, all
        clients try at the same moments, and each time only as many are accepted as in one second.
        """
        seconds_of_recovery = 0.0 if self.capacity is None else self.clients / self.capacity
        if self.strategy == Jitter.NONE.value:
            tries = self.seconds / self.max_delay + seconds_of_recovery / 2
        else:
            tries = (self.seconds + seconds_of_recovery / 2) / (self.max_delay / 2)
        return self.clients * (_RAMP + tries)

    def __str__(self) -> str:
        then = "" if self.capacity is None else f", then {self.capacity:g} connections a second"
        return f"{self.clients:,} clients, {self.seconds:g} s without a backend{then}"


@define
class FleetResult:
    """How a fleet reconnected after an outage."""

    outage: Outage
    tries: Counter[int] = field(factory=Counter[int])
    """The number of attempts to connect in each tenth of a second."""
    first: Counter[int] = field(factory=Counter[int])
    """The number of clients whose first attempt falls in each tenth of a second."""
    back: list[float] = field(factory=list[float])
    """When each client reconnected, in seconds after the streams broke; in ascending order."""
    attempts: int = 0
    during: int = 0
    """The number of attempts made while the backend was down."""
    wasted: int = 0
    """The number of attempts that were refused although the backend was up."""
    seconds: float = 0.0

    def peak(self, window: float, since: float = 0.0) -> int:
        """Return the largest number of attempts in any period of `window` seconds.

        Only periods that start at `since` or later count, in seconds after the streams broke.
        `window` must be a multiple of 0.1.
        """
        width = max(1, round(window / TENTH))
        first = int(since / TENTH)
        tenths = [tenth for tenth in self.tries if tenth >= first]
        return max(
            (sum(self.tries[tenth + n] for n in range(width)) for tenth in tenths), default=0
        )

    @property
    def first_peak(self) -> float:
        """The highest rate of first attempts in any tenth of a second, in attempts per second."""
        return max(self.first.values()) / TENTH

    @property
    def returns(self) -> Counter[int]:
        """The number of clients that reconnected in each tenth of a second."""
        return Counter(int(when / TENTH) for when in self.back)

    @property
    def nearly_all_back(self) -> float:
        """How many seconds after the streams broke 99% of the clients had reconnected."""
        return self.back[max(0, round(len(self.back) * _BACK) - 1)]

    @property
    def back_after(self) -> float:
        """How many seconds after the end of the outage 99% of the clients had reconnected."""
        return self.nearly_all_back - self.outage.seconds


def lived(outage: Outage, on_client: Callable[[], None] = lambda: None) -> FleetResult:
    """Simulate a fleet's outage and recovery; call `on_client` each time a client reconnects."""
    began = time.monotonic()
    fleet = _Fleet(outage, on_client)
    result = fleet.live()
    result.seconds = time.monotonic() - began
    return result


@define
class _Fleet:
    outage: Outage
    on_client: Callable[[], None]
    _sessions: list[Session] = field(factory=list[Session], init=False)
    _accepted: Counter[int] = field(factory=Counter[int], init=False)
    _first: Counter[int] = field(factory=Counter[int], init=False)

    def live(self) -> FleetResult:
        """Connect all clients, break their streams, and simulate until all have reconnected."""
        outage = self.outage
        random = Random(outage.seed).random
        policy = ReconnectPolicy(
            initial_delay=outage.initial_delay,
            max_delay=outage.max_delay,
            jitter=STRATEGIES[outage.strategy],
        )
        config = SessionConfig(endpoint=ENDPOINT, job="job-1", idempotency_key="key-1")
        waiting: list[tuple[float, int]] = []
        for number in range(outage.clients):
            session = Session(config, profile=outage.profile, policy=policy, random=random)
            self._sessions.append(session)
            exchange = _connect(session)
            session.handle(Broken(exchange, OSError("connection reset")), 0.0)
            until = _next(session)[1]
            self._first[int(until / TENTH)] += 1
            waiting.append((until, number))
        heapify(waiting)
        return self._come_back(waiting)

    def _come_back(self, waiting: list[tuple[float, int]]) -> FleetResult:
        result = FleetResult(self.outage, first=self._first)
        while waiting:
            now, number = heappop(waiting)
            session = self._sessions[number]
            session.handle(Tick(), now)
            exchange, until = _next(session)
            if exchange is None:  # its timer is not due yet
                heappush(waiting, (until, number))
                continue
            result.attempts += 1
            result.tries[int(now / TENTH)] += 1
            if self._accepts(now):
                result.back.append(now)
                self.on_client()
                continue
            if now < self.outage.seconds:
                result.during += 1
            else:
                result.wasted += 1
            session.handle(Broken(exchange, OSError("connection refused")), now)
            heappush(waiting, (_next(session)[1], number))
        return result

    def _accepts(self, now: float) -> bool:
        if now < self.outage.seconds:
            return False
        if self.outage.capacity is None:
            return True
        second = int(now)
        if self._accepted[second] >= self.outage.capacity:
            return False
        self._accepted[second] += 1
        return True


def _connect(session: Session) -> int:
    """Open a client's stream and receive an event, which resets the budget; return the exchange."""
    session.handle(Follow(), 0.0)
    exchange, _ = _next(session)
    assert exchange is not None
    session.handle(Responded(exchange, 200, _STREAM), 0.0)
    session.handle(Received(exchange, _EVENT), 0.0)
    _next(session)
    return exchange


def _next(session: Session) -> tuple[int | None, float]:
    """Let a session act until it waits; return the exchange it opened, if any, and the wait's end."""
    exchange = None
    while True:
        output = session.poll()
        match output:
            case Send(number, _):
                exchange = number
            case Deliver(delivery, _):
                session.handle(Handled(delivery), 0.0)
            case Idle(until=until):
                return exchange, float("inf") if until is None else until
            case Done():
                return exchange, float("inf")
            case Close() | Notify() | Settle():
                pass


def peak_rate(outage: Outage) -> float:
    """Return the expected peak rate after all streams break, in attempts per second.

    It is the number of clients divided by the width, in seconds, of the range from which the first
    delay is drawn. Without jitter, it is infinite, because all clients reconnect at the same time.
    """
    base = outage.initial_delay
    window = {
        Jitter.NONE: 0.0,
        Jitter.PROPORTIONAL: 0.5 * base,
        Jitter.EQUAL: 0.5 * base,
        Jitter.FULL: base,
        Jitter.DECORRELATED: 2.0 * base,
    }[STRATEGIES[outage.strategy]]
    return outage.clients / window if window else float("inf")
