"""A counter-example as a case: the schedule of faults in it, with what the oracle predicts."""

from collections.abc import Sequence
from typing import Final

from attrs import define, evolve, field

from conformance.explore.oracle import Attempt, Frame, Kind, Schedule, Trigger
from conformance.states.facts import MAX_ATTEMPTS
from conformance.states.samples import LOG

_OPERATIONS: Final = {
    "start": "it calls start() by itself, and a schedule has one wait()",
    "cancel": "it calls cancel() at a moment that is not in a callback",
    "leave": "it leaves a wait, which no driver can be asked to do",
}
_NO_CREATE: Final = "its create fails, and a schedule has a create that succeeds"


class NotACase(Exception):
    """A counter-example cannot be a case; the message says why."""


@define
class _Script:
    """What is known of a schedule while the moves are read."""

    sent: int = 0
    heard: int = 0
    callback: int | None = None
    attempts: list[Attempt] = field(factory=list[Attempt])
    open: Attempt | None = None
    trigger: Trigger | None = None
    waits: int = 0

    def read(self, move: str) -> None:
        """Read one move; raises NotACase."""
        match move:
            case "follow":
                self.waits += 1
                if self.waits > 1:
                    raise NotACase("it calls wait() twice, and a schedule has one wait()")
            case "abort" | "fails":
                self._do_in_a_callback("abort_in" if move == "abort" else "throw_in")
            case "create refuses" | "create breaks":
                raise NotACase(_NO_CREATE)
            case _ if move in _OPERATIONS or move.startswith("cancel"):
                raise NotACase(_OPERATIONS.get(move, _OPERATIONS["cancel"]))
            case "stream accepts":
                self.open = Attempt()
                self.sent = self.heard
            case "stream refuses":
                self.open = Attempt(status=500)
            case "stream breaks" | "stream ends":
                done = Attempt(status=500) if self.open is None else self.open
                self.attempts.append(evolve(done, clean=move == "stream ends"))
                self.open = None
            case _:
                self._read_frames(move)

    def _read_frames(self, move: str) -> None:
        if self.open is None:
            return
        match move:
            case "stream ping":
                frames: Sequence[Frame] = [Frame(Kind.PING)]
            case "stream noise":
                frames = [Frame(Kind.MALFORMED)]
            case "stream event":
                frames = self._events(self.sent + 1)
            case "stream burst":
                frames = self._events(len(LOG))
            case _:
                return
        self.open = evolve(self.open, frames=(*self.open.frames, *frames))

    def _events(self, upto: int) -> list[Frame]:
        places = range(self.sent + 1, upto + 1)
        self.sent = self.heard = upto
        return [
            Frame(Kind.COMPLETED if place == len(LOG) else Kind.LOG, str(place)) for place in places
        ]

    def _do_in_a_callback(self, does: str) -> None:
        if self.trigger is not None:
            raise NotACase("two callbacks do something, and a schedule has one that does")
        if self.open is None or not self.open.frames:
            raise NotACase("it aborts at a moment that is not in a callback")
        last = self.heard == len(LOG)
        self.trigger = Trigger(does, "completed" if last else "log", 1 if last else self.heard)

    def schedule(self, profile: str) -> Schedule:
        """Return the schedule; a stream that is open and all that may follow bring the rest."""
        rest = tuple(self._events(len(LOG))) or (Frame(Kind.COMPLETED, str(len(LOG))),)
        attempts = list(self.attempts)
        if self.open is not None:
            attempts.append(evolve(self.open, frames=(*self.open.frames, *rest)))
        last = Attempt(frames=rest)
        return Schedule(
            profile=profile,
            attempts=(*attempts, last),
            max_attempts=MAX_ATTEMPTS,
            trigger=self.trigger,
        )


def schedule_of(profile: str, moves: Sequence[str]) -> Schedule:
    """Return the schedule of faults in a counter-example; raises NotACase."""
    script = _Script()
    for move in moves:
        script.read(move)
    if not script.waits:
        raise NotACase("it never calls wait(), and a schedule is one wait()")
    return script.schedule(profile)
