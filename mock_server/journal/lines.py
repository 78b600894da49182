"""Turn records into lines for people to read: one for each exchange, and for some other events."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from attrs import define, field

from mock_server.durable import one_line
from mock_server.journal.records import (
    ConnectionClosed,
    ConnectionFailed,
    ConnectionOpened,
    ExchangeEnded,
    FrameSent,
    PortChanged,
    Record,
    RequestReceived,
    RequestRejected,
    ResponseStarted,
    RuleFired,
    UpstreamFailed,
)
from mock_server.scenario.words.declaring import time_of
from mock_server.strict.shapes import count_of

_LONGEST: Final = 100
_LONG: Final = 0.1
"""The line of an exchange shows how long it took if that was at least this many seconds."""
_PORT: Final = {
    "down": "the port is down: connections are refused",
    "blackhole": "the port leaves connection attempts unanswered",
    "up": "the port is up again",
}
_ENDS: Final = {
    ("fin", "client"): "the client closed the connection",
    ("rst", "client"): "the client reset the connection",
    ("fin", "server"): "the server closed the connection without ending the response",
    ("rst", "server"): "the server reset the connection",
    ("half_close", "server"): "the server closed its half of the connection",
    ("hang", "client"): "the server sent nothing more, and the client left",
    ("hang", "server"): "the server sent nothing more, and half-closed the connection",
}


@define
class _Exchange:
    """What is known about one exchange so far."""

    request: RequestReceived
    answer: ResponseStarted | None = None
    frames: int = 0
    last_id: str | None = None
    failure: str | None = None
    announced: bool = False
    """Whether a line has already reported that the exchange is still open."""

    def line(self, state: str = "") -> str:
        """Describe the request and its response, then `state`, such as "still open"."""
        request = self.request
        asked = f"{request.method} {_short(request.target)}"
        if request.last_event_id is not None:
            asked += f" (Last-Event-ID {_short(request.last_event_id)!r})"
        parts = [part for part in (*self._answered(), state) if part]
        answered = ", ".join(parts) or "no response"
        return f"{request.route.value} {request.attempt}: {asked} → {answered}"

    def _answered(self) -> Iterator[str]:
        if self.answer is not None:
            yield str(self.answer.status)
            if self.answer.retry_after is not None:
                yield f"Retry-After {_short(self.answer.retry_after)}"
        if self.frames:
            last = "" if self.last_id is None else f" (last id {_short(self.last_id)!r})"
            yield count_of(self.frames, "frame") + last
        if self.failure is not None:
            yield f"the upstream failed: {self.failure}"


@define(eq=False)
class ExchangeLines:
    """Turns the records of one server into lines; `rule` maps a rule's number to its description.

    An exchange gets its line when it ends, after the lines of the rules that acted on it.
    `still_open` describes the exchanges that have not ended.
    """

    _rule: Callable[[int], str]
    _open: dict[int, _Exchange] = field(factory=dict[int, _Exchange], init=False)
    """The open exchange of each connection that has one, by the number of the connection."""
    _silent: set[int] = field(factory=set[int], init=False)
    """The connections on which no request has arrived yet."""

    def of(self, record: Record) -> list[str]:
        """Return the lines to print when this record is added: usually none or one."""
        return [timed(record.at, text) for text in self._texts(record)]

    def _texts(self, record: Record) -> Iterator[str]:  # noqa: C901 - one case for each kind
        match record:
            case ConnectionOpened(connection=number):
                self._silent.add(number)
            case RequestReceived(connection=number):
                self._silent.discard(number)
                self._open[number] = _Exchange(record)
            case ResponseStarted(connection=number) if found := self._open.get(number):
                found.answer = record
            case FrameSent(connection=number) if found := self._open.get(number):
                found.frames += 1
                found.last_id = record.id if record.id is not None else found.last_id
            case UpstreamFailed(connection=number) if found := self._open.get(number):
                found.failure = record.reason
            case ExchangeEnded(connection=number) if found := self._open.pop(number, None):
                yield found.line(_ended(record.how, record.by, record.at - found.request.at))
            case ConnectionClosed(connection=number):
                yield from self._closed(record)
            case RequestRejected(connection=number):
                self._silent.discard(number)
                asked = f" {record.method} {_short(record.path or '')}" if record.method else ""
                yield f"connection {number}:{asked} refused with {record.status}: {record.why}"
            case ConnectionFailed(connection=number):
                yield f"connection {number}: the mock failed: {record.error} at {record.where}"
            case RuleFired(rule=number):
                yield f"rule {number} fired: {self._rule(number)}"
            case PortChanged(state=state):
                yield _PORT.get(state, f"the port is {state}")
            case _:
                pass

    def _closed(self, record: ConnectionClosed) -> Iterator[str]:
        if found := self._open.pop(record.connection, None):
            yield found.line(_ended(record.how, record.by, record.at - found.request.at))
        elif record.connection in self._silent and record.by == "server":
            yield f"connection {record.connection}: ended by the server before any request arrived"
        self._silent.discard(record.connection)

    def keep(self, connections: Iterable[int]) -> None:
        """Forget all connections except these, which are the ones that the server still has."""
        known = frozenset(connections)
        self._open = {number: each for number, each in self._open.items() if number in known}
        self._silent &= known

    def still_open(self, now: float, least: float = 0.0) -> list[str]:
        """Describe each exchange open for `least` seconds or longer, unless a previous call did."""
        found: list[str] = []
        for each in self._open.values():
            if not each.announced and now - each.request.at >= least:
                each.announced = True
                found.append(timed(now, each.line("still open")))
        return found


def lines_of(records: Iterable[Record], rule: Callable[[int], str]) -> list[str]:
    """Return the lines of these records, then one for each exchange that is still open."""
    lines, now, found = ExchangeLines(rule), 0.0, list[str]()
    for record in records:
        now = record.at
        found += lines.of(record)
    return found + lines.still_open(now)


def timed(at: float, text: str) -> str:
    """Return a line that begins with its time, in seconds since the start."""
    return f"{at:8.3f} s  {one_line(text)}"


def _ended(how: str, by: str, seconds: float) -> str:
    took = f"{time_of(round(seconds, 2))}" if seconds >= _LONG else ""
    end = "" if how == "eof" else _ENDS.get((how, by), f"ended by the {by} ({how})")
    return f"{end} after {took}" if end and took else end or (took and f"in {took}")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
