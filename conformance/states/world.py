"""One session and its environment, changed move by move.

A move is an action of the backend, the network, the application or a callback. The session is a
black box: `checks.py` checks only its inputs and outputs.
"""

import json
import pickle
from collections.abc import Iterator
from typing import Final, assert_never

from attrs import Factory, define

from arkor_proto import (
    Abort,
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
    Output,
    Profile,
    Received,
    Reconnecting,
    ReconnectPolicy,
    Responded,
    Send,
    Session,
    SessionConfig,
    Settle,
    Start,
    Tick,
)
from conformance.states.checks import (
    BUG,
    check_close,
    check_delivery,
    check_move,
    check_notice,
    check_send,
    check_settle,
)
from conformance.states.facts import MAX_ATTEMPTS, Facts, Line, Running
from conformance.states.promises import LAST, MISUSE, Violated, violated
from conformance.states.samples import (
    ENDPOINT,
    EVENT_STREAM,
    KEY,
    LOG,
    NOISE,
    PING,
    SPEC,
    call_of,
    job_answer,
    place_of,
)
from conformance.states.snapshot import COUNTERS, snapshot

_OK: Final = 200
_REFUSED: Final = 500
_KEEP_ALIVES: Final = frozenset({"stream ping", "stream noise"})
# Attributes that do not distinguish states, and are left out when states are compared.
_SAME: Final = (
    COUNTERS
    | {"config", "endpoint", "profile", "policy", "bounds", "secrets", "request"}
    | {
        "expected",
        "pause",
        "shape",
    }  # speed up the parser without changing its results
    | {"lost_end"}  # used only while a skipped frame is handled
)
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
_CALLBACK: Final = ("handled", "fails")
MOVES: Final = frozenset(
    {
        *APPLICATION,
        *_CALLBACK,
        "tick",
        *(f"{call} {what}" for call in ("create", "cancel") for what in ("accepts", "refuses")),
        *(f"{call} breaks" for call in ("create", "cancel", "stream", "job")),
        *(f"stream {what}" for what in ("accepts", "refuses", "ends", "ping", "noise")),
        *("stream event", "stream burst", "job runs", "job refuses", "job is over"),
    }
)
"""Every move that can be made in a world."""


class NotPossible(Exception):
    """Raised when a move is not possible in the current state."""


@define
class World:
    """A session and its environment; `says` lists the calls that the application may make."""

    session: Session
    says: tuple[str, ...]
    facts: Facts
    rest: Idle | Done = Factory(Done)
    filtered: bool = False
    """Whether a fault is planted in the session.

    If so, `LAST`, `MISUSE` and `CLOSES`, which the session itself promises, are not checked.
    """
    outputs: list[Output] | None = None
    """The outputs of the latest move; None if they are not recorded."""

    def copies(self) -> "Iterator[World]":
        """Endlessly yield independent copies of this world in its current state."""
        saved = pickle.dumps(self)
        while True:
            again: World = pickle.loads(saved)  # noqa: S301 - pickled three lines above
            yield again

    def key(self) -> object:
        """Return a value for comparing states: two worlds in the same state have equal keys."""
        return (snapshot(self.session, _SAME), self.facts.key)

    def moves(self) -> Iterator[str]:
        """Yield the moves that are possible now."""
        facts = self.facts
        # A second callback without a wait would add no new behaviour.
        stale = any(not run.current for run in facts.running)
        yield from (name for name in self.says if name != "leave" or not stale)
        if facts.running:
            yield from _CALLBACK
        if isinstance(self.rest, Idle) and self.rest.until == 0:
            yield "tick"
        for line in facts.lines.values():
            # Keep-alives queued during a callback could grow for ever, and add no new behaviour.
            yield from (m for m in _moves_of(line) if not (facts.is_busy and m in _KEEP_ALIVES))
            if line.call == "job":
                yield "job is over" if facts.heard == len(LOG) else "job runs"

    def move(self, name: str) -> None:
        """Make a move and check all that the session then does; raise Violated if a check fails."""
        if self.outputs is not None:
            self.outputs.clear()
        before, last = self.facts.before, None
        if name in APPLICATION:
            self._say(name)
        elif name in _CALLBACK:
            last = self._return(name)
        elif name == "tick":
            self._take(name, Tick())
        else:
            self._network(name)
        check_move(self.facts, name, before, last)
        self._check_rest()

    def try_move(self, name: str) -> None:
        """Make a move as `move` does; raise NotPossible if it is not possible in this state."""
        if name not in self.moves():
            raise NotPossible(name)
        self.move(name)

    def misuses(self) -> Iterator[Input]:
        """Yield inputs that are invalid in this state."""
        yield from (Finished(0), Responded(10**6, 200), Received(-1, b"x"), Handled(10**6))
        for number, line in self.facts.lines.items():
            if line.status:
                yield Responded(number, 200)
            else:
                yield from (Received(number, b"x"), Finished(number), Responded(number, 100))

    def check_misuse(self) -> None:
        """Raise Violated if an invalid input or a late report changes the session."""
        before = snapshot(self.session)
        for event in self.misuses():
            try:
                self.session.handle(event, 0.0)
            except LocalProtocolError:
                continue
            raise Violated(MISUSE, f"{event} was not refused")
        if self.facts.closed:
            self.session.handle(Finished(self.facts.closed), 0.0)
        if snapshot(self.session) != before:
            raise Violated(MISUSE, "an invalid input or a late report changed the session")

    def _say(self, name: str) -> None:
        facts = self.facts
        if name == "follow" and Operation.FOLLOW not in facts.asked:
            facts.failures = 0
        if name in ASKS:
            facts.asked.add(ASKS[name])
        current = [run for run in facts.running if run.current]
        if name == "abort":
            facts.aborted = facts.aborted or not facts.is_finished
        if name == "leave" and current:
            facts.heard = current[0].event
        if name in {"leave", "abort"}:
            facts.end_callbacks_of_the_wait()
        self._take(name, APPLICATION[name])

    def _return(self, name: str) -> bool | None:
        """End the callback that has run longest; return whether its event is the last of the log.

        Return None if the wait that it belongs to is over.
        """
        run = self.facts.running.pop(0)
        last = run.event == len(LOG) - 1
        if name == "handled":
            self._rest(name, self.session.handled(run.delivery, 0.0))
        else:
            if run.current and not last:
                self.facts.failures = 1
            self._take(name, Handled(run.delivery, BUG))
        return last if run.current else None

    def _network(self, name: str) -> None:
        call, _, what = name.partition(" ")
        number, line = next((n, each) for n, each in self.facts.lines.items() if each.call == call)
        match what:
            case "accepts" | "refuses" if call != "job":
                self._answer(name, number, line, _OK if what == "accepts" else _REFUSED)
            case "runs" | "is over" | "refuses":
                self._take(name, Responded(number, _REFUSED if what == "refuses" else _OK))
                status = "running" if what == "runs" else "completed"
                self._take(name, Received(number, job_answer(status)))
                self._end(name, number, Finished(number))
            case "ends":
                self._end(name, number, Finished(number))
            case "breaks":
                self._end(name, number, Broken(number, OSError("broken")))
            case "event" | "burst":
                upto = line.sent + 1 if what == "event" else len(LOG)
                data, line.sent = (PING + NOISE).join(LOG[line.sent : upto]), upto
                self._take(name, Received(number, data))
            case _:
                self.facts.bring_keep_alive()
                self._take(name, Received(number, PING if what == "ping" else NOISE))

    def _answer(self, name: str, number: int, line: Line, status: int) -> None:
        line.status = status
        if line.call == "stream":
            self.facts.status = status
        self._take(name, Responded(number, status, EVENT_STREAM))
        if line.call == "stream":
            return
        if line.call == "create" and status == _OK:
            self.facts.accepted = True
            self._take(name, Received(number, job_answer()))
        self._end(name, number, Finished(number))

    def _end(self, name: str, number: int, report: Finished | Broken) -> None:
        line = self.facts.lines.pop(number, None)
        if line is not None:
            self.facts.closed = number
            if line.call == "stream":
                self.facts.lose(clean=isinstance(report, Finished))
            self._take(name, report)

    def _take(self, name: str, event: Input) -> None:
        self._rest(name, self.session.step(event, 0.0))

    def _rest(self, name: str, output: Output) -> None:
        delivered = False
        while not isinstance(output, (Idle, Done)):
            if self.outputs is not None:
                self.outputs.append(output)
            if delivered and not self.filtered:
                raise Violated(LAST, f"{output} followed an event")
            delivered = isinstance(output, Deliver)
            self._check(name, output)
            output = self.session.poll()
        self.rest = output

    def _check_rest(self) -> None:
        facts = self.facts
        under_way = bool(facts.lines or facts.running)
        if isinstance(self.rest, Done):
            if facts.asked or under_way:
                raise violated("ARK-ERR-10", "the session ended before every operation had settled")
        elif self.rest.until is None and not under_way:
            raise violated("ARK-ERR-10", "nothing is in progress, but the session waits for ever")

    def _check(self, move: str, output: Output) -> None:  # noqa: C901 - one arm per output
        facts = self.facts
        match output:
            case Send(number, request):
                call = call_of(request)
                check_send(facts, move, call, request)
                cursor = dict(request.headers).get(b"Last-Event-ID", b"").decode()
                if call == "stream":
                    facts.opened += 1
                    facts.progressed, facts.status = False, 0
                facts.lines[number] = Line(call, int(cursor or 0) if facts.remembers else 0)
            case Close(number):
                if not self.filtered:
                    check_close(facts, number)
                if facts.lines.pop(number, None) is not None:
                    facts.closed = number
            case Deliver(delivery, event):
                check_delivery(facts, event)
                place = place_of(event)
                facts.heard = max(facts.heard, place + 1)
                facts.progressed = True
                facts.running.append(Running(delivery, place))
            case Settle(operation, outcome):
                check_settle(facts, move, operation, outcome)
                facts.asked.remove(operation)
            case Notify(Reconnecting() as notice):
                check_notice(facts, notice)
            case Notify():
                pass
            case Idle() | Done():
                raise AssertionError(output)
            case never:
                assert_never(never)


def _moves_of(line: Line) -> Iterator[str]:
    yield f"{line.call} breaks"
    if line.call == "job":
        yield "job refuses"
        return
    if not line.status:
        yield from (f"{line.call} accepts", f"{line.call} refuses")
        return
    yield f"{line.call} ends"
    if line.status == _OK:
        yield from (f"{line.call} ping", f"{line.call} noise")
        if line.sent < len(LOG):
            yield f"{line.call} event"
        if line.sent < len(LOG) - 1:
            yield f"{line.call} burst"


def world(
    profile: Profile, job: JobSpec | str = SPEC, *, says: tuple[str, ...], remembers: bool = True
) -> World:
    """Return a world in its initial state; the client may retry once, without a delay."""
    config = SessionConfig(endpoint=ENDPOINT, job=job, idempotency_key=KEY)
    policy = ReconnectPolicy(0.0, max_attempts=MAX_ATTEMPTS)
    # Look the profile up by name: a planted broken client may change what the name returns.
    own = Profile.named(profile.name)
    session = Session(config, profile=own, policy=policy, json_loads=json.loads)
    return World(session, says, Facts(profile, isinstance(job, str), remembers))
