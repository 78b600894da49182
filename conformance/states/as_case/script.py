"""Translate the moves of a trace into the steps and responses of a case.

Each response waits for the moves before it in the trace, unless it can only come after them anyway.
After the last move, everything in progress is finished.
"""

from collections.abc import Sequence
from typing import Final

from attrs import define, field

from conformance.states.as_case.answers import NOISE, PING, Answer, frames_of
from conformance.states.as_case.sound_client import Exchange, SoundClient
from conformance.strict_data import Json

VERBS: Final = {"start": "start", "follow": "wait", "cancel": "cancel", "abort": "abort"}
"""The operation that each of the application's moves calls."""
_FIRST: Final = ("create accepts", "cancel accepts", "handled", "tick", "job runs", "job is over")
_TO_THE_RESULT: Final = (*_FIRST, *(f"stream {w}" for w in ("accepts", "burst", "event", "ends")))
"""The moves that lead to a successful end; at each turn, the first one that is possible is made."""
_TO_EXHAUSTION: Final = (*_FIRST, "stream breaks")
"""The moves that break every stream until the wait gives up, to test how failures are counted."""


class NotACase(Exception):
    """Raised when a counter-example cannot be expressed as a case; the message says why."""


@define
class Script:
    """A case that is being written, move by move."""

    client: SoundClient
    steps: list[dict[str, Json]] = field(factory=list[dict[str, Json]])
    hold: list[str] = field(factory=list[str])
    triggers: dict[str, Json] = field(factory=dict[str, Json])
    answers: dict[str, list[Answer]] = field(factory=dict[str, list[Answer]])
    needs: set[str] = field(factory=set[str])
    before: tuple[str, ...] = ()
    """The events that the next step waits for."""
    owners: frozenset[str] = frozenset()
    """The exchanges and sleeps that the latest move affected; they can continue without a step."""
    waiting: set[str] = field(factory=set[str])
    """The exchanges and sleeps that were in progress at the last move; each waits for a step."""
    late: set[str] = field(factory=set[str])
    """Streams whose response still has to wait.

    A gate cannot hold back the head of a response. Instead, it holds back the next frame or the
    end.
    """
    closed: tuple[str, ...] = ()
    """The exchanges that the client must have closed once the last move is made."""
    unseen: bool = False
    """Whether the latest move has no effect that the next step could wait for."""
    drains: bool = False

    def play(self, moves: Sequence[str], *, exhausts: bool) -> None:
        """Translate the moves, the last of which breaks the promise; then finish everything.

        With `exhausts`, every stream after the last move breaks, until the wait gives up.
        """
        for number, move in enumerate(moves, 1):
            self._take(move, last=number == len(moves))
        self.closed = tuple(self.client.closed)
        self.waiting = {each.name for each in self.client.open.values()} - self.owners
        if self.client.sleeping:
            self.waiting |= {f"sleep#{self.client.sleeps}"} - self.owners
        self.drains = self.unseen = True
        ways = _TO_EXHAUSTION if exhausts else _TO_THE_RESULT
        while can := set(self.client.moves()):
            self._take(next(way for way in ways if way in can), last=False)

    def _take(self, move: str, *, last: bool) -> None:
        seen: tuple[str, ...] = ()
        if self.client.sleeping and move != "tick" and not self.drains:
            self._hold(f"sleep#{self.client.sleeps}")
        if "" in self.client.asked["cancel"]:
            _check_in_a_callback(move)
        if move in VERBS:
            seen = self._say(VERBS[move])
        elif move == "fails":
            self._trigger(
                "throw_in", "two of its callbacks raise, but in a case only one callback can raise"
            )
        elif move == "tick":
            seen = self._wake(f"sleep#{self.client.sleeps}")
        elif move != "handled":
            seen = self._answer(move)
        did = self.client.move(move)
        if not self.drains:
            after = seen if last else did or seen
            kept = self.before if move in {"handled", "fails"} or not after else ()
            # A callback raises immediately, and the client may close its stream.
            if move == "fails":
                kept = tuple(name for name in kept if not name.startswith("stream#"))
            self.before = (*kept, *after)
            self.unseen = " " in move and not did
        if move != "handled" or did:
            own = {name.removesuffix(".requested") for name in did}
            about = {seen[0].partition(".")[0]} if seen and " " in move else set[str]()
            self.owners = frozenset(own | about)

    def _say(self, verb: str) -> tuple[str, ...]:
        if verb in {"cancel", "abort"}:
            self.needs.add(verb)
        if self.client.is_busy:
            if verb in {"start", "wait"}:
                raise NotACase(f"it calls {verb}() during a callback, which a driver cannot do")
            twice = f"it calls {verb}() in two callbacks, but in a case only one callback can"
            self._trigger(f"{verb}_in", twice)
            return ()
        if verb != "abort" and any(self.client.asked.values()):
            self.needs.add("concurrent")
        name = self.client.operation(verb)
        self._step(do=verb, detach=True)
        return (f"{name}.called",)

    def _trigger(self, does: str, twice: str) -> None:
        if does in self.triggers:
            raise NotACase(twice)
        name = self.client.callbacks[-1]
        self.triggers[does] = {"callback": name, "nth": self.client.callbacks.count(name)}

    def _step(self, **words: Json) -> None:
        after = {"after": [*self.before]} if self.before else {}
        if self.unseen:
            # The kit advances the clock only when the client has nothing left to do.
            self.unseen = False
            self.needs |= {"clock.virtual", "clock.advance"}
            self.steps.append({"do": "advance", "ms": 0, **after})
            after = {}
        self.steps.append({**words, **after})
        if not self.drains:
            self.before = ()

    def _hold(self, sleep: str) -> None:
        self.needs.add("clock.virtual")
        if sleep not in self.hold:
            self.hold.append(sleep)

    def _wake(self, sleep: str) -> tuple[str, ...]:
        if self._is_held(sleep):
            self._hold(sleep)
        if sleep in self.hold:
            self._step(do="wake", sleep=sleep)
        return (f"{sleep}.woken",)

    def _is_held(self, name: str) -> bool:
        """Return whether an exchange or sleep has to wait for a step before it can continue."""
        if not self.drains:
            return name not in self.owners
        held = name in self.waiting
        self.waiting.discard(name)
        return held

    def _gate(self, exchange: Exchange) -> str:
        held = self._is_held(exchange.name) or exchange.name in self.late
        # A driver's callback acts immediately, so frames that arrive during it need no gate.
        if not held or (exchange.call == "stream" and self.client.is_busy):
            return ""
        self.late.discard(exchange.name)
        opened = sum(step["do"] == "open_gate" for step in self.steps)
        gate = f"gate-{opened + 1}"
        self._step(do="open_gate", gate=gate)
        return gate

    def _answer(self, move: str) -> tuple[str, ...]:
        call, _, what = move.partition(" ")
        exchange = self.client.open[call]
        answer = self.answer_to(call, exchange.number)
        if call != "stream":
            answer.how, answer.gate = what, self._gate(exchange)
            if answer.gate and call == "cancel" and what == "breaks":
                raise NotACase(
                    "its cancel request breaks after another move, "
                    "but in a case it can only break immediately"
                )
            return (f"{exchange.name}.{'ended' if what == 'breaks' else 'responded'}",)
        if what in {"accepts", "refuses"}:
            answer.how = what
            if self._is_held(exchange.name):
                self.late.add(exchange.name)
            return (f"{exchange.name}.responded",)
        if what in {"ends", "breaks"}:
            answer.end = "eof" if what == "ends" else "bad_chunk"
            answer.end_gate = self._gate(exchange)
            return (f"{exchange.name}.ended",)
        frames = frames_of(exchange.places(what))
        if what in {"ping", "noise"}:
            frames = [PING if what == "ping" else NOISE]
        elif what == "burst" and not self.drains:
            frames = [*frames[:1], *(each for event in frames[1:] for each in (PING, NOISE, event))]
        answer.add(frames, self._gate(exchange))
        if self.drains:
            answer.end = "eof"
        return (f"{exchange.name}.frame#{len(answer.frames)}",)

    def answer_to(self, call: str, number: int) -> Answer:
        """Return the response to request `number` of a call, creating it if necessary."""
        answers = self.answers.setdefault(call, [])
        while len(answers) < number:
            answers.append(Answer(call))
        return answers[number - 1]


def _check_in_a_callback(move: str) -> None:
    """Raise NotACase for a move that is impossible while a callback awaits cancel()."""
    if move in {"handled", "fails"}:
        raise NotACase(
            "its callback ends before the cancel() it called, but a driver's callback awaits it"
        )
    if move in {"cancel refuses", "cancel breaks"}:
        raise NotACase(
            "the cancel() that its callback calls fails; in a driver, the callback would then fail"
        )
