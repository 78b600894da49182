"""Simulate a fleet: many real sessions that lose their streams at the same time and reconnect.

Each client is a session of the library, with its own parser, budget and timers. The clients share
what does not change: the configuration, the policy, the profile, and one random source. As a
result, a client takes about 6 KB, and 100,000 fit into 620 MB. Connecting takes no time.
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
"""A fleet with more attempts than this would take hours to simulate."""


@frozen(kw_only=True)
class Outage:
    """An outage: all streams break at the same time, and the backend is down for a while."""

    clients: int = 10_000
    seconds: float = 30.0
    """The length of the outage, in seconds; if it is 0, only the streams break."""
    capacity: float | None = None
    """The number of connections accepted per second after the outage; None accepts them all."""
    strategy: str = Jitter.FULL.value
    initial_delay: float = 1.0
    max_delay: float = 60.0
    seed: int = 0
    profile: Profile = HARDENED

    @property
    def expected_attempts(self) -> float:
        """Return roughly how many attempts the fleet will make before all clients are back.

        Delays soon reach their maximum, which jitter halves on average. Without jitter, all clients
        try at the same moments, and each time only one second's capacity is accepted.
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
    """The number of first attempts of clients in each tenth of a second."""
    back: list[float] = field(factory=list[float])
    """The times at which clients reconnected, in seconds since the streams broke, in order."""
    attempts: int = 0
    during: int = 0
    """The number of attempts while the backend was down."""
    wasted: int = 0
    """The number of attempts that were refused although the backend was up."""
    seconds: float = 0.0

    def peak(self, window: float, since: float = 0.0) -> int:
        """Return the maximum number of attempts in any `window` after `since`, both in seconds.

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
        """The highest rate of first attempts, per second, measured over a tenth of a second."""
        return max(self.first.values()) / TENTH

    @property
    def returns(self) -> Counter[int]:
        """The number of clients that reconnected in each tenth of a second."""
        return Counter(int(when / TENTH) for when in self.back)

    @property
    def nearly_all_back(self) -> float:
        """The seconds from the loss of the streams until 99 % of the clients had reconnected."""
        return self.back[max(0, round(len(self.back) * _BACK) - 1)]

    @property
    def back_after(self) -> float:
        """The seconds from the end of the outage until 99 % of the clients had reconnected."""
        return self.nearly_all_back - self.outage.seconds


def lived(outage: Outage, on_client: Callable[[], None] = lambda: None) -> FleetResult:
    """Simulate a fleet through an outage; `on_client` is called for each client that reconnects."""
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
    """Open a client's stream and send an event, which resets its budget; return the exchange."""
    session.handle(Follow(), 0.0)
    exchange, _ = _next(session)
    assert exchange is not None
    session.handle(Responded(exchange, 200, _STREAM), 0.0)
    session.handle(Received(exchange, _EVENT), 0.0)
    _next(session)
    return exchange


def _next(session: Session) -> tuple[int | None, float]:
    """Return the exchange that a session opens next, or None, and the time until which it waits."""
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
    """Return the expected peak rate after a break, clients / window, in attempts per second.

    The window is the range of the first delay in seconds. Without jitter, the rate is infinite,
    because all clients reconnect at the same time.
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
