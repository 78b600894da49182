"""The trace of a case: network traffic, the driver's reports and the kit's actions, in order.

This module defines every kind of event and the names by which cases refer to events
(`stream#2.frame#1`, `callback.log#2`, `wait.settled`). Expectations are in `expect`.

Causes come before effects. Before it records a request, the kit reads everything that the driver
has already written, so a callback that ran before a request is also recorded before it.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias, TypeVar

from attrs import define, field, frozen

from conformance.strict_data import Json

ROUTES: Final = (
    "create",
    "stream",
    "cancel",
    "job",
    "chat",
    "projects",
    "anonymous",
    "me",
    "other",
)
CALLBACKS: Final = ("started", "log", "checkpoint", "completed", "failed")


@frozen
class Connected:
    """The client opened a connection."""

    connection: int


@frozen
class Requested:
    """A complete request arrived.

    The names in `headers` are in lower case; in `body`, bytes that are not UTF-8 are replaced.
    """

    route: str
    attempt: int
    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: str
    connection: int

    def header(self, name: str) -> str | None:
        """Return the first value of the header `name`, or None."""
        return next((value for key, value in self.headers if key == name), None)


@frozen
class Responded:
    """The backend sent a response head."""

    route: str
    attempt: int
    status: int


@frozen
class Framed:
    """The backend sent a frame, or a piece that the case treats as a frame; `data` is the bytes."""

    route: str
    attempt: int
    index: int
    id: str | None
    event: str | None
    data: bytes = field(default=b"", repr=False)


@frozen
class Ended:
    """An exchange ended, cleanly or not; `by` is the side that ended it, `server` or `client`."""

    route: str
    attempt: int
    how: str
    by: str


@frozen
class Closed:
    """A connection was closed; `exchanges` names the exchanges that it carried."""

    connection: int
    how: str
    by: str
    exchanges: tuple[str, ...]


@frozen
class Called:
    """The kit told the driver to start an operation."""

    operation: str


@frozen
class Failure:
    """How an operation failed. Only the kind and the code are judged, never the message."""

    kind: str
    code: int | None
    message: str


@frozen
class Settled:
    """The driver reported the result or the failure of an operation."""

    operation: str
    ok: Mapping[str, Json]
    failure: Failure | None


@frozen
class CallbackRan:
    """The driver ran a callback of its application; members of `data` are named as on the wire."""

    name: str
    data: Json


@frozen
class Slept:
    """The client began to sleep for `ms` milliseconds; `n` is the driver's number for the sleep."""

    n: int
    ms: float
    purpose: str


@frozen
class Woken:
    """The kit told the driver to end sleep `n`."""

    n: int


@frozen
class SleepEnded:
    """The driver reported the end of sleep `n`; `why` is `woken`, `aborted` or `cancelled`."""

    n: int
    why: str


@frozen
class Quiet:
    """The backend has received everything that the client sent before the last wait settled."""


@frozen
class Stranger:
    """A request from another program reached the backend. It was refused and is never judged."""

    method: str
    path: str


@frozen
class Noted:
    """A note for readers, such as a line the driver logged or a step of the kit. Never judged."""

    who: str
    text: str


Fact: TypeAlias = (
    Connected
    | Requested
    | Responded
    | Framed
    | Ended
    | Closed
    | Called
    | Settled
    | CallbackRan
    | Slept
    | Woken
    | SleepEnded
    | Quiet
    | Stranger
    | Noted
)
F = TypeVar("F", bound=Fact)


@frozen
class Event:
    """One entry of a trace; `at` is in seconds since the start of the trace."""

    seq: int
    at: float
    names: tuple[str, ...]
    fact: Fact


@define
class Trace:
    """An append-only list of events, in which `first` finds the first event with a given name."""

    events: list[Event] = field(factory=list[Event], init=False)
    _first: dict[str, Event] = field(factory=dict[str, Event], init=False)
    _counts: dict[str, int] = field(factory=dict[str, int], init=False)
    _sleeps: dict[int, str] = field(factory=dict[int, str], init=False)
    _listeners: list[Callable[[Event], None]] = field(
        factory=list[Callable[[Event], None]], init=False
    )

    def listen(self, listener: Callable[[Event], None]) -> None:
        """Call `listener` with every event that is appended from now on."""
        self._listeners.append(listener)

    def append(self, fact: Fact, at: float) -> Event:
        """Append an event for `fact` and return it; `at` is in seconds since the start."""
        event = Event(len(self.events) + 1, at, tuple(self._names(fact)), fact)
        self.events.append(event)
        for name in event.names:
            self._first.setdefault(name, event)
        for listener in self._listeners:
            listener(event)
        return event

    def first(self, name: str) -> Event | None:
        """Return the first event called `name`, or None."""
        return self._first.get(name)

    def of(self, kind: type[F]) -> Iterator[tuple[Event, F]]:
        """Yield each event whose fact is of type `kind`, together with that fact, in order."""
        for event in self.events:
            if isinstance(event.fact, kind):
                yield event, event.fact

    def _number(self, word: str) -> str:
        self._counts[word] = self._counts.get(word, 0) + 1
        return f"{word}#{self._counts[word]}"

    def _names(self, fact: Fact) -> Iterator[str]:  # noqa: C901 - one arm per fact
        match fact:
            case Requested(route=route, attempt=attempt):
                yield from (f"{route}#{attempt}", f"{route}#{attempt}.requested")
            case Responded(route=route, attempt=attempt):
                yield f"{route}#{attempt}.responded"
            case Framed(route=route, attempt=attempt, index=index):
                yield f"{route}#{attempt}.frame#{index}"
            case Ended(route=route, attempt=attempt):
                yield f"{route}#{attempt}.ended"
            case Closed(exchanges=exchanges):
                yield from (f"{exchange}.closed" for exchange in exchanges)
            case Called(operation=operation):
                yield f"{operation}.called"
            case Settled(operation=operation, failure=failure):
                how = "resolved" if failure is None else "rejected"
                yield from (f"{operation}.settled", f"{operation}.{how}")
            case CallbackRan(name=name):
                yield from (self._number("callback"), self._number(f"callback.{name}"))
            case Slept(n=n, purpose=purpose):
                self._sleeps[n] = self._number("idle" if purpose == "idle" else "sleep")
                yield self._sleeps[n]
            case Woken(n=n):
                yield from (f"{self._sleeps[n]}.woken" for _ in range(n in self._sleeps))
            case SleepEnded(n=n):
                yield from (f"{self._sleeps[n]}.ended" for _ in range(n in self._sleeps))
            case Connected() | Quiet() | Stranger() | Noted():
                return
