"""The steps and the answers of a case, written move by move as a trace has them.

Every answer of the backend waits for what came before it in the trace, unless it follows by itself.
After the last move everything that is under way is brought to its end.
"""

from collections.abc import Sequence
from typing import Final

from attrs import define, field

from conformance.states.as_case.answers import NOISE, PING, Answer, frames_of
from conformance.states.as_case.sound_client import Exchange, SoundClient
from conformance.strict_data import Json

VERBS: Final = {"start": "start", "follow": "wait", "cancel": "cancel", "abort": "abort"}
"""The moves of the application, with the operation that each one is."""
_FIRST: Final = ("create accepts", "cancel accepts", "handled", "tick", "job runs", "job is over")
_TO_THE_RESULT: Final = (*_FIRST, *(f"stream {w}" for w in ("accepts", "burst", "event", "ends")))
"""What brings everything to a good end, the first that can happen."""
_TO_EXHAUSTION: Final = (*_FIRST, "stream breaks")
"""The same with streams that break until the wait gives up, which shows how failures were counted."""


class NotACase(Exception):
    """A counter-example cannot be a case; the message says why."""


@define
class Script:
    """A case while the moves are read."""

    client: SoundClient
    steps: list[dict[str, Json]] = field(factory=list[dict[str, Json]])
    hold: list[str] = field(factory=list[str])
    triggers: dict[str, Json] = field(factory=dict[str, Json])
    answers: dict[str, list[Answer]] = field(factory=dict[str, list[Answer]])
    needs: set[str] = field(factory=set[str])
    before: tuple[str, ...] = ()
    """What the next step has to wait for."""
    owners: frozenset[str] = frozenset()
    """What the latest move was about: that goes on by itself."""
    waiting: set[str] = field(factory=set[str])
    """What began before the last move, and goes on only after it."""
    late: set[str] = field(factory=set[str])
    """Streams that were answered after something else: a gate can only hold back what follows."""
    closed: tuple[str, ...] = ()
    """What the client has to close by the last move."""
    unseen: bool = False
    """Whether what the latest move does, or a faulty client makes of it, cannot be waited for."""
    drains: bool = False

    def play(self, moves: Sequence[str], *, exhausts: bool) -> None:
        """Read the moves, the last of which breaks the promise; then bring all to its end.

        `exhausts` breaks every stream from then on, until the budget is exhausted.
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
            self._trigger("throw_in", "its callbacks raise twice, and a case has one that raises")
        elif move == "tick":
            seen = self._wake(f"sleep#{self.client.sleeps}")
        elif move != "handled":
            seen = self._answer(move)
        did = self.client.move(move)
        if not self.drains:
            after = seen if last else did or seen
            kept = self.before if move in {"handled", "fails"} or not after else ()
            if move == "fails":  # a callback raises at once, and the client may close its stream
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
                raise NotACase(f"it calls {verb}() during a callback, and those of a driver cannot")
            twice = f"it calls {verb}() in two callbacks, and a case has one that does"
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
            # The kit advances the clock only when the client has done all that it does at once.
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
        """Tell whether something has to wait for a step, as something else came in between."""
        if not self.drains:
            return name not in self.owners
        held = name in self.waiting
        self.waiting.discard(name)
        return held

    def _gate(self, exchange: Exchange) -> str:
        held = self._is_held(exchange.name) or exchange.name in self.late
        # What a callback does, a driver does at once: what comes during it comes right behind.
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
                raise NotACase("its cancel breaks later on, and a case can only break one at once")
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
        """Return the answer to a request."""
        answers = self.answers.setdefault(call, [])
        while len(answers) < number:
            answers.append(Answer(call))
        return answers[number - 1]


def _check_in_a_callback(move: str) -> None:
    """Refuse what cannot happen to a callback that awaits its cancel; raises NotACase."""
    if move in {"handled", "fails"}:
        raise NotACase("its callback ends before the cancel it calls, and a driver's awaits that")
    if move in {"cancel refuses", "cancel breaks"}:
        raise NotACase("the cancel in its callback fails, and so would the callback of a driver")
