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
    """Named gates, all closed at first."""

    _gates: dict[str, anyio.Event] = field(factory=dict[str, anyio.Event], init=False)
    waited_at: set[str] = field(factory=set[str], init=False)
    """The gates at which at least one stream has waited."""
    opened: set[str] = field(factory=set[str], init=False)
    """The gates that have ever been opened, including any that were closed again."""
    waiting: Counter[str] = field(factory=Counter[str], init=False)
    """How many streams are waiting at each gate."""

    def open(self, name: str) -> None:
        """Open a gate for the streams that are waiting at it and for later ones."""
        self.opened.add(name)
        self._gate(name).set()

    def shut(self, name: str) -> None:
        """Close a gate, if it is open, so that later streams wait at it."""
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
    """What every connection needs; the host sets `outage`, which begins an outage of the port."""

    rules: Rules
    journal: Journal
    origin: Origin
    limits: Limits
    tls: TlsSettings | None = None
    serving: ServingPlan = field(factory=ServingPlan)
    claims: Claims | None = None
    """Returns whether a complete request is meant for this server; if None, every request is."""
    outage: Callable[[Outage, float], None] = field(init=False)
    gates: Gates = field(factory=Gates)
    clock: Callable[[], float] = time.monotonic
    failure: HTTPStatus = HTTPStatus.INTERNAL_SERVER_ERROR
    """The status that a client gets if this server itself fails; 502 for a proxy."""
    grace: float = 1.0
    """Seconds without progress after which a client that has sent a FIN is assumed to be gone."""
    admits: Callable[[Request], bool] = field(default=lambda _: True)
    """Returns whether a request has acceptable credentials; if not, a long body is dropped."""
    _open_bytes: int = field(default=0, init=False)

    def hold(self, size: int) -> bool:
        """Add `size` to the bytes of requests being read or answered; if negative, release bytes.

        Return False if bytes were added and all connections together now hold more than
        `open_bytes`.
        """
        self._open_bytes += size
        return size <= 0 or self._open_bytes <= self.limits.open_bytes

    def note_fired(self, rule: int) -> None:
        """Record that a rule fired."""
        self.journal.add(RuleFired(*self.journal.stamp(), rule))
