"""Everything that can happen around one session, and what must hold whatever happens.

The moves are those of a backend with a short log, of a network, of an application and of a callback;
the checks are the promises of the protocol. How a session works does not matter here: only what goes
in and what comes out.
"""

import json
import pickle
from collections.abc import Iterator
from typing import Final, assert_never

from attrs import Factory, define, frozen

from arkor_proto import (
    Abort,
    Aborted,
    Broken,
    Cancel,
    Close,
    Deliver,
    Done,
    Finished,
    Follow,
    Handled,
    Idle,
    Input,
    JobSpec,
    Leave,
    LocalProtocolError,
    Notify,
    Operation,
    Outcome,
    Output,
    Profile,
    Received,
    ReconnectPolicy,
    Rejected,
    Request,
    Resolved,
    Responded,
    Send,
    Session,
    SessionConfig,
    Settle,
    Start,
    Tick,
    TrainingEvent,
    TrainingLog,
)
from tests.arkor_proto.session_snapshot import COUNTERS, snapshot
from tests.arkor_proto.wire_samples import (
    COMPLETED,
    ENDPOINT,
    EVENT_STREAM,
    SPEC,
    frame,
    job_answer,
    log,
    route,
)

LOG: Final = (frame(log(0), id="1"), frame(log(1), id="2"), frame(COMPLETED, id="3"))
PING: Final = frame("", event="ping")
NOISE: Final = frame("no json")
KEEP_ALIVES: Final = frozenset({"stream ping", "stream noise"})
# What is the same in all states of one exploration needs no comparing.
SAME: Final = (
    COUNTERS
    | {"config", "endpoint", "profile", "policy", "bounds", "secrets", "request"}
    | {
        "expected",
        "pause",
        "shape",
    }  # how the parser reads fast, which changes nothing about what it reads
    | {"lost_end"}  # of use only while the frame that was skipped is acted on
)
BUG: Final = RuntimeError("bug in a callback")
APPLICATION: Final[dict[str, Input]] = {
    "start": Start(),
    "follow": Follow(),
    "leave": Leave(),
    "cancel": Cancel(),
    "abort": Abort("enough"),
}
ASKS: Final = {
    "start": Operation.START,
    "follow": Operation.FOLLOW,
    "cancel": Operation.CANCEL,
}


@define
class Line:
    """One exchange that is open: which call it is, how it was answered, how far the log was sent."""

    call: str
    sent: int
    status: int = 0


@frozen
class Running:
    """One callback that is running; `current` unless its wait was left or aborted."""

    delivery: int
    event: int
    current: bool = True


@define
class World:
    """A session and all around it.

    `says` is what the application may say; `remembers` whether the backend resumes behind
    `Last-Event-ID`.
    """

    session: Session
    says: tuple[str, ...]
    remembers: bool
    lines: dict[int, Line] = Factory(dict[int, Line])
    running: list[Running] = Factory(list[Running])
    asked: set[Operation] = Factory(set[Operation])
    heard: int = 0
    opened: int = 0
    closed: int = 0
    accepted: bool = False
    aborted: bool = False
    rest: Idle | Done = Factory(Done)

    def copies(self) -> "Iterator[World]":
        """Yield independent worlds in the state that this one has now, without end."""
        saved = pickle.dumps(self)
        while True:
            again: World = pickle.loads(saved)  # noqa: S301 - written three lines before
            yield again

    def key(self) -> object:
        """Return what tells this state from others."""
        lines = [(line.call, line.sent, line.status) for line in self.lines.values()]
        running = [(run.event, run.current) for run in self.running]
        flags = (self.heard, self.accepted, self.aborted, frozenset(self.asked))
        return (snapshot(self.session, SAME), tuple(lines), tuple(running), flags)

    def moves(self) -> Iterator[str]:
        """Yield all that can happen next."""
        # A second callback that nobody waits for would only repeat what the first one shows.
        stale = any(not run.current for run in self.running)
        yield from (name for name in self.says if name != "leave" or not stale)
        if self.running:
            yield from ("handled", "fails")
        if isinstance(self.rest, Idle) and self.rest.until == 0:
            yield "tick"
        busy = any(run.current for run in self.running)
        for line in self.lines.values():
            # A queue of keep-alives behind a callback could grow for ever, and says nothing new.
            yield from (m for m in _moves_of(line) if not (busy and m in KEEP_ALIVES))
            if line.call == "job":
                yield "job is over" if self.heard == len(LOG) else "job runs"

    def move(self, name: str) -> None:
        """Let one thing happen and check all that the session makes of it."""
        if name in APPLICATION:
            self._say(name)
        elif name in {"handled", "fails"}:
            run = self.running.pop(0)
            if name == "handled":
                self._rest(self.session.handled(run.delivery, 0.0))
            else:
                self._take(Handled(run.delivery, BUG))
        elif name == "tick":
            self._take(Tick())
        else:
            call = name.partition(" ")[0]
            number = next(n for n, line in self.lines.items() if line.call == call)
            self._network(number, name.removeprefix(f"{call} "))

    def misuses(self) -> Iterator[Input]:
        """Yield inputs that cannot be true in this state."""
        yield from (Finished(0), Responded(10**6, 200), Received(-1, b"x"), Handled(10**6))
        for number, line in self.lines.items():
            if line.status:
                yield Responded(number, 200)
            else:
                yield from (Received(number, b"x"), Finished(number), Responded(number, 100))

    def check_misuse(self) -> None:
        """Check that no misuse, and no report that comes too late, changes anything."""
        before = snapshot(self.session)
        for event in self.misuses():
            try:
                self.session.handle(event, 0.0)
            except LocalProtocolError:
                continue
            raise AssertionError(f"{event} was not refused")
        if self.closed:
            self.session.handle(Finished(self.closed), 0.0)
        assert snapshot(self.session) == before, "a misuse or a late report changed something"

    @property
    def is_finished(self) -> bool:
        """Whether the terminal event has been heard and its callback is over."""
        return self.heard == len(LOG) and not any(run.current for run in self.running)

    def _say(self, name: str) -> None:
        if name in ASKS:
            self.asked.add(ASKS[name])
        current = [run for run in self.running if run.current]
        if name == "abort":
            self.aborted = self.aborted or not self.is_finished
        if name == "leave" and current:
            self.heard = current[0].event
        if name in {"leave", "abort"}:
            self.running = [Running(run.delivery, run.event, current=False) for run in self.running]
        self._take(APPLICATION[name])

    def _network(self, number: int, what: str) -> None:
        line = self.lines[number]
        match what:
            case "accepts" | "refuses":
                line.status = 200 if what == "accepts" else 500
                self._take(Responded(number, line.status, EVENT_STREAM))
                if line.call == "stream":
                    return
                if line.call == "create" and line.status == 200:
                    self.accepted = True
                    self._take(Received(number, job_answer()))
                self._end(number, Finished(number))
            case "runs" | "is over":
                self._take(Responded(number, 200))
                status = "running" if what == "runs" else "completed"
                self._take(Received(number, job_answer(status=status)))
                self._end(number, Finished(number))
            case "ends":
                self._end(number, Finished(number))
            case "breaks":
                self._end(number, Broken(number, OSError("broken")))
            case "event" | "burst":
                upto = line.sent + 1 if what == "event" else len(LOG)
                data, line.sent = (PING + NOISE).join(LOG[line.sent : upto]), upto
                self._take(Received(number, data))
            case _:
                self._take(Received(number, PING if what == "ping" else NOISE))

    def _end(self, number: int, report: Finished | Broken) -> None:
        if self.lines.pop(number, None) is not None:
            self.closed = number
            self._take(report)

    def _take(self, event: Input) -> None:
        self._rest(self.session.step(event, 0.0))

    def _rest(self, output: Output) -> None:
        delivered = False
        while not isinstance(output, (Idle, Done)):
            assert not delivered, "an event is the last output before the session is at rest"
            delivered = isinstance(output, Deliver)
            self._check(output)
            output = self.session.poll()
        self.rest = output
        if isinstance(self.rest, Done):
            assert [*self.asked, *self.lines, *self.running] == [], "done too early"
        elif self.rest.until is None:
            assert self.lines or self.running, "nothing under way, and nothing to wait for"

    def _check(self, output: Output) -> None:
        match output:
            case Send(number, request):
                self._check_send(number, request)
            case Close(number):
                del self.lines[number]
                self.closed = number
            case Deliver(delivery, event):
                index = index_of(event)
                assert not self.aborted, "delivered after an abort"
                assert index <= self.heard, "an event was lost"
                assert index == self.heard or not self.remembers, "an event was heard twice"
                self.heard = max(self.heard, index + 1)
                self.running.append(Running(delivery, index))
            case Settle(operation, outcome):
                assert operation in self.asked, f"{operation} settled, but nobody asked"
                self.asked.remove(operation)
                if isinstance(outcome, Resolved):
                    assert self.is_finished, "resolved without a terminal event"
                if operation is Operation.FOLLOW and self.aborted:
                    assert is_abort(outcome), f"{outcome} after an abort"
            case Notify():
                pass
            case Idle() | Done():
                raise AssertionError(output)
            case never:
                assert_never(never)

    def _check_send(self, number: int, request: Request) -> None:
        call = route(request)
        assert call not in {line.call for line in self.lines.values()}, f"two {call} at once"
        if call == "create":
            assert not self.accepted, "a second create"
        cursor = dict(request.headers).get(b"Last-Event-ID", b"").decode()
        if call == "stream":
            assert not self.aborted, "opened after an abort"
            assert cursor == str(self.heard or "") or not self.remembers, cursor
            self.opened += 1
        self.lines[number] = Line(call, int(cursor or 0) if self.remembers else 0)


def _moves_of(line: Line) -> Iterator[str]:
    yield f"{line.call} breaks"
    if line.call == "job":
        yield "job refuses"
        return
    if not line.status:
        yield from (f"{line.call} accepts", f"{line.call} refuses")
        return
    yield f"{line.call} ends"
    if line.status == 200:
        yield from (f"{line.call} ping", f"{line.call} noise")
        if line.sent < len(LOG):
            yield f"{line.call} event"
        if line.sent < len(LOG) - 1:
            yield f"{line.call} burst"


def is_abort(outcome: Outcome) -> bool:
    """Tell whether an outcome is the rejection of an aborted wait."""
    return isinstance(outcome, Rejected) and isinstance(outcome.error, Aborted)


def index_of(event: TrainingEvent) -> int:
    """Return where in the log an event stands."""
    return (event.step or 0) if isinstance(event, TrainingLog) else len(LOG) - 1


def world(
    profile: Profile, job: JobSpec | str = SPEC, *, says: tuple[str, ...], remembers: bool = True
) -> World:
    """Return the world before anything happened; one failure in a row is retried, at once."""
    config = SessionConfig(endpoint=ENDPOINT, job=job, idempotency_key="key-1")
    policy = ReconnectPolicy(0.0, max_attempts=1)
    session = Session(config, profile=profile, policy=policy, json_loads=json.loads)
    return World(session, says, remembers)
