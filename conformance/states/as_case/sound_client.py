"""A model of a correct client: what the client does on each move, in the terms that cases use.

The model follows the specification and shares no code with the session, so that a mistake in the
session does not affect the model.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from attrs import Factory, define, field

from arkor_proto import HARDENED, CallbackErrors, Profile, Progress
from conformance.casefile.steps import default_name
from conformance.states.facts import MAX_ATTEMPTS
from conformance.states.samples import LOG
from conformance.strict_data import Json

_OK: Final = 200
_REFUSED: Final = 500
_HTTP: Final[Mapping[str, Json]] = {"error": "http", "code": _REFUSED}
_LOST: Final[Mapping[str, Json]] = {"error": "any"}
_DONE: Final[Mapping[str, Json]] = {"ok": True}
_COMPLETED: Final[Mapping[str, Json]] = {"status": "completed"}
_ABORTED: Final[Mapping[str, Json]] = {"error": "aborted"}


@define
class Exchange:
    """An open request; `sent` is the position of the last event sent on it."""

    call: str
    number: int
    sent: int = 0
    resumed: bool = False
    status: int = 0
    progressed: bool = False
    empty: bool = True
    """Whether nothing but pings has arrived."""

    @property
    def name(self) -> str:
        """The name of this exchange in a case."""
        return f"{self.call}#{self.number}"

    def places(self, what: str) -> range:
        """Return the log positions of the events that an `event` or `burst` move sends."""
        return range(self.sent + 1, (self.sent + 1 if what == "event" else len(LOG)) + 1)


@define
class SoundClient:
    """The model of a client; `attached` says whether the client follows an existing job.

    `remembers` says whether the backend resumes streams.
    """

    profile: Profile
    attached: bool
    remembers: bool
    open: dict[str, Exchange] = Factory(dict[str, Exchange])
    """The requests in progress, by call."""
    asked: dict[str, list[str]] = Factory(lambda: {"start": [], "wait": [], "cancel": []})
    """The names of pending operations, by verb; an operation called from a callback has no name."""
    sent: dict[str, int] = Factory(lambda: dict.fromkeys(("create", "stream", "cancel", "job"), 0))
    cursors: list[int] = Factory(list[int])
    callbacks: list[str] = Factory(list[str])
    results: dict[str, Mapping[str, Json]] = Factory(dict[str, Mapping[str, Json]])
    closed: list[str] = Factory(list[str])
    """The exchanges that the client has closed."""
    sleeps: int = 0
    sleeping: bool = False
    running: bool = False
    """Whether a callback is running."""
    failures: int = 0
    heard: int = 0
    aborted: bool = False
    finished: bool = False
    _known: bool = field(init=False)
    _newest: int = field(default=0, init=False)
    _current: bool = field(default=False, init=False)
    _called: dict[str, int] = field(factory=dict[str, int], init=False)
    _queue: list[int | tuple[Exchange, bool]] = field(
        factory=list[int | tuple[Exchange, bool]], init=False
    )
    """Positions of undelivered events; a stream's end is (exchange, whether it ended cleanly)."""
    _stream: Exchange | None = field(default=None, init=False)
    _did: list[str] = field(factory=list[str], init=False)

    def __attrs_post_init__(self) -> None:
        """Treat the job as known from the start if the client is attached to it."""
        self._known = self.attached

    @property
    def is_busy(self) -> bool:
        """Whether a callback of the current wait is running."""
        return self.running and self._current

    def operation(self, verb: str) -> str:
        """Return the name of the next operation; empty if it is called from a callback."""
        if self.is_busy:
            return ""
        return default_name(verb, self._called.get(verb, 0))

    def moves(self) -> Iterator[str]:
        """Yield the moves that are possible now, except calls made by the application."""
        if self.running:
            yield from ("handled", "fails")
        if self.sleeping:
            yield "tick"
        for exchange in self.open.values():
            yield from (f"{exchange.call} {what}" for what in self._what(exchange))

    def _what(self, exchange: Exchange) -> Iterator[str]:
        yield "breaks"
        if exchange.call == "job":
            yield from ("refuses", "is over" if self.heard == len(LOG) else "runs")
        elif not exchange.status:
            yield from ("accepts", "refuses")
        else:
            yield "ends"
        if exchange.call == "stream" and exchange.status == _OK:
            yield from () if self.is_busy else ("ping", "noise")
            yield from ("event",) if exchange.sent < len(LOG) else ()
            yield from ("burst",) if exchange.sent < len(LOG) - 1 else ()

    def move(self, name: str) -> tuple[str, ...]:
        """Make a move; return the names of the events that the client causes in response."""
        self._did = []
        match name:
            case "start" | "cancel" | "abort":
                self._say(name)
            case "follow":
                self._say("wait")
            case "handled" | "fails":
                self._return(raised=name == "fails")
            case "tick":
                self._open_stream()
            case _:
                call, _, what = name.partition(" ")
                self._network(self.open[call], what)
        return tuple(self._did)

    def _say(self, verb: str) -> None:
        name = self.operation(verb)
        if name:
            self._called[verb] = self._called.get(verb, 0) + 1
        if verb == "abort":
            self._abort(name)
            return
        joins = bool(self.asked[verb])
        self.asked[verb].append(name)
        if verb == "wait":
            self._wait(joins=joins)
        elif self._known and verb == "start":
            self._settle("start", {"ok": {"job_id": "{job}"}})
        elif verb == "start" and "create" not in self.open:
            self._send("create")
        elif verb == "cancel" and self._known and not joins:
            self._send("cancel")
        elif verb == "cancel" and not self._known and "create" not in self.open:
            self._settle("cancel", _DONE)

    def _wait(self, *, joins: bool) -> None:
        if self.finished or self.aborted:
            self._settle("wait", _COMPLETED if self.finished else _ABORTED)
        elif joins:
            return
        elif self._known:
            self.failures = 0
            self._open_stream()
        elif "create" not in self.open:
            self._send("create")

    def _abort(self, name: str) -> None:
        if name:
            self._did.append(f"{name}.settled")
        self.aborted = self.aborted or not self.finished
        self._end_wait(_ABORTED)
        self._current = False

    def _end_wait(self, result: Mapping[str, Json]) -> None:
        """Settle the wait, and close its exchanges."""
        self._close("stream")
        self._close("job")
        self._queue.clear()
        self.sleeping = False
        self._settle("wait", result)

    def _close(self, call: str) -> None:
        if (exchange := self.open.pop(call, None)) is not None:
            self.closed.append(exchange.name)

    def _settle(self, verb: str, result: Mapping[str, Json]) -> None:
        for name in filter(None, self.asked[verb]):
            self.results[name] = result
            self._did.append(f"{name}.settled")
        self.asked[verb].clear()

    def _send(self, call: str) -> Exchange:
        self.sent[call] += 1
        exchange = self.open[call] = Exchange(call, self.sent[call])
        self._did.append(f"{exchange.name}.requested")
        return exchange

    def _open_stream(self) -> None:
        self.sleeping = False
        self.cursors.append(self.heard)
        self._stream = exchange = self._send("stream")
        exchange.resumed = self.heard > 0
        exchange.sent = self.heard if self.remembers else 0

    def _network(self, exchange: Exchange, what: str) -> None:
        match exchange.call:
            case "create":
                del self.open["create"]
                self._created(what)
            case "cancel":
                del self.open["cancel"]
                results = {"accepts": _DONE, "refuses": _HTTP, "breaks": _LOST}
                self._settle("cancel", results[what])
            case "job":
                del self.open["job"]
                if what == "is over":
                    self.finished = True
                    self._end_wait(_COMPLETED)
                else:
                    self._count(progressed=False, clean=True)
            case _:
                self._streamed(exchange, what)

    def _created(self, what: str) -> None:
        if what != "accepts":
            failure = _HTTP if what == "refuses" else _LOST
            self._settle("start", failure)
            self._settle("wait", failure)
            self._settle("cancel", _DONE)
            return
        self._known = True
        self._settle("start", {"ok": {"job_id": "{job}"}})
        if self.asked["cancel"]:
            self._send("cancel")
        if self.asked["wait"]:
            self.failures = 0
            self._open_stream()

    def _streamed(self, exchange: Exchange, what: str) -> None:
        match what:
            case "accepts" | "refuses":
                exchange.status = _OK if what == "accepts" else _REFUSED
            case "ping" | "noise":
                exchange.progressed |= self.profile.progress is Progress.ANY_FRAME
                exchange.empty = exchange.empty and what == "ping"
            case "ends" | "breaks":
                del self.open["stream"]
                self._queue.append((exchange, what == "ends"))
            case _:
                places = exchange.places(what)
                self._queue += places
                exchange.sent = places[-1]
        self._read()

    def _read(self) -> None:
        """Handle queued events and stream ends until a callback is running."""
        while self._queue and not self.running:
            match self._queue.pop(0):
                case int(place):
                    self._call_back(place)
                case (exchange, clean):
                    self._lose(exchange, clean=clean)

    def _call_back(self, place: int) -> None:
        new = place > self._newest
        self.heard, self._newest = place, max(place, self._newest)
        if self._stream is not None:
            self._stream.progressed |= new or self.profile.name != HARDENED.name
            self._stream.empty = False
        if place == len(LOG):
            self._close("stream")
        self.callbacks.append("completed" if place == len(LOG) else "log")
        self._did.append(f"callback#{len(self.callbacks)}")
        self.running = self._current = True

    def _return(self, *, raised: bool) -> None:
        current, self.running = self._current, False
        last = self.heard == len(LOG)
        if not current:
            return
        retries = self.profile.callback_errors is CallbackErrors.RETRY
        if raised and not retries:
            self.finished = last
            self._end_wait({"error": "callback"})
        elif last:
            self.finished = True
            self._end_wait(_COMPLETED)
        elif raised:
            self._close("stream")
            self._queue.clear()
            self._count(progressed=True, clean=False)
        self._read()

    def _lose(self, exchange: Exchange, *, clean: bool) -> None:
        asks = clean and exchange.status == _OK and exchange.empty and exchange.resumed
        if asks and self.profile.asks_for_the_job:
            self._send("job")
        else:
            progressed = exchange.status == _OK and exchange.progressed
            self._count(progressed=progressed, clean=clean)

    def _count(self, *, progressed: bool, clean: bool) -> None:
        """Count the end of a stream, then either back off or give up."""
        if progressed:
            self.failures = 0 if clean else 1
        else:
            self.failures += 1
        if self.failures > MAX_ATTEMPTS:
            self._end_wait({"error": "gave_up"})
        else:
            self.sleeping = True
            self.sleeps += 1
            self._did.append(f"sleep#{self.sleeps}")
