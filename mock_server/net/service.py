"""What the connections of one server share: rules, journal, origin, gates, limits."""

import time
from collections import Counter
from collections.abc import Callable
from http import HTTPStatus

import anyio
from attrs import define, field

from mock_server.faults.rules import Rules
from mock_server.journal.journal import Journal
from mock_server.journal.records import RuleFired
from mock_server.net.origin import Origin
from mock_server.net.tls.settings import TlsSettings
from mock_server.requests import Claims, Request
from mock_server.scenario.model import Limits
from mock_server.scenario.serving import ServingPlan
from mock_server.scenario.words.end import Outage


@define
class Gates:
    """Named gates, which are closed until they are opened."""

    _gates: dict[str, anyio.Event] = field(factory=dict[str, anyio.Event], init=False)
    waited_at: set[str] = field(factory=set[str], init=False)
    """The gates at which a stream has waited."""
    opened: set[str] = field(factory=set[str], init=False)
    """The gates that were opened, including those that were shut again."""
    waiting: Counter[str] = field(factory=Counter[str], init=False)
    """How many streams are waiting at each gate."""

    def open(self, name: str) -> None:
        """Open a gate, for streams that are waiting at it and for later ones."""
        self.opened.add(name)
        self._gate(name).set()

    def shut(self, name: str) -> None:
        """Close a gate again, for later streams."""
        if self.is_open(name):
            del self._gates[name]

    def is_open(self, name: str) -> bool:
        """Return whether a gate is open."""
        return self._gate(name).is_set()

    async def wait(self, name: str) -> None:
        """Wait until a gate is open."""
        self.waited_at.add(name)
        self.waiting[name] += 1
        try:
            await self._gate(name).wait()
        finally:
            self.waiting[name] -= 1

    def _gate(self, name: str) -> anyio.Event:
        return self._gates.setdefault(name, anyio.Event())


@define(eq=False)
class Service:
    """What a connection needs; the host sets `outage`, the function that begins an outage."""

    rules: Rules
    journal: Journal
    origin: Origin
    limits: Limits
    tls: TlsSettings | None = None
    serving: ServingPlan = field(factory=ServingPlan)
    claims: Claims | None = None
    """Called with every complete request before it is counted; if None, all are accepted."""
    outage: Callable[[Outage, float], None] = field(init=False)
    gates: Gates = field(factory=Gates)
    clock: Callable[[], float] = time.monotonic
    failure: HTTPStatus = HTTPStatus.INTERNAL_SERVER_ERROR
    """The status that a client gets if this server itself fails; 502 for a proxy."""
    grace: float = 1.0
    """Seconds without progress after which a client that sent its FIN is assumed to have left."""
    admits: Callable[[Request], bool] = field(default=lambda _: True)
    """Returns whether the head of a request has a valid token; if not, a long body is dropped."""
    _open_bytes: int = field(default=0, init=False)

    def hold(self, size: int) -> bool:
        """Count bytes of requests that are being read or answered; a negative size releases them.

        Return False if all connections together hold more than `open_bytes`.
        """
        self._open_bytes += size
        return size <= 0 or self._open_bytes <= self.limits.open_bytes

    def note_fired(self, rule: int) -> None:
        """Record that a rule fired."""
        self.journal.add(RuleFired(*self.journal.stamp(), rule))
