"""A counter-example as a case: its moves as steps, and what a sound client makes of them.

Every answer of the backend waits for what came before it in the trace, unless it follows by itself.
After the last move everything that is under way is brought to its end.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from attrs import define, field

from arkor_proto import Profile
from conformance.casefile.loader import read_case
from conformance.casefile.model import Case
from conformance.casefile.requirements import Requirement
from conformance.states.answers import NOISE, PING, Answer, frames_of, rest_of_the_log
from conformance.states.describe import MOVES
from conformance.states.graph import Breach
from conformance.states.promises import MISUSE
from conformance.states.sound_client import Exchange, SoundClient
from conformance.states.worlds import Setting
from conformance.strict_data import Json

_VERBS: Final = {"start": "start", "follow": "wait", "cancel": "cancel", "abort": "abort"}
_ROUNDS: Final = 3
"""How often what goes round for ever is written out; the backend goes on like that."""
_DRAIN: Final = ("handled", "tick", "runs", "is over", "accepts", "burst", "event", "ends")
"""What brings everything to an end, the first that can happen."""
_OTHERWISE: Final = "ARK-ERR-10"
"""The rule of a promise that the specification does not have: every operation settles."""


class NotACase(Exception):
    """A counter-example cannot be a case; the message says why."""


@define
class _Script:
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
    closed: tuple[str, ...] = ()
    """What the client has to close by the last move."""
    drains: bool = False

    def play(self, moves: Sequence[str]) -> None:
        """Read the moves, the last of which breaks the promise; then bring all to its end."""
        for number, move in enumerate(moves, 1):
            self._take(move, last=number == len(moves))
        self.closed = tuple(self.client.closed)
        self.waiting = {each.name for each in self.client.open.values()} - self.owners
        if self.client.sleeping:
            self.waiting |= {f"sleep#{self.client.sleeps}"} - self.owners
        self.drains = True
        while (move := self._next()) is not None:
            self._take(move, last=False)

    def _next(self) -> str | None:
        can = list(self.client.moves())
        ways = (each for what in _DRAIN for each in can if each == what or each.endswith(f" {what}"))
        return next(ways, None)

    def _take(self, move: str, *, last: bool) -> None:
        seen: tuple[str, ...]
        if move in _VERBS:
            seen = self._say(_VERBS[move])
        elif move == "fails":
            self._trigger("throw_in", "its callbacks raise twice, and a case has one that raises")
            seen = ()
        elif move == "tick":
            seen = self._wake(f"sleep#{self.client.sleeps}")
        elif move == "handled":
            seen = ()
        else:
            seen = self._answer(move)
        did = self.client.move(move)
        if not self.drains and (seen or did):
            self.before = seen if last else (did or seen)
        if move != "handled" or did:
            own = {name.removesuffix(".requested") for name in did}
            kept = {seen[0].partition(".")[0]} if seen and " " in move else set[str]()
            self.owners = frozenset(own | kept)

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
        self.steps.append({**words, **after})
        if not self.drains:
            self.before = ()

    def _wake(self, sleep: str) -> tuple[str, ...]:
        self.needs.add("clock.virtual")
        if self._is_held(sleep):
            self.hold.append(sleep)
            self._step(do="wake", sleep=sleep)
        return (f"{sleep}.woken",) if self.hold else (sleep,)

    def _is_held(self, name: str) -> bool:
        """Tell whether something has to wait for a step, as something else came in between."""
        if not self.drains:
            return name not in self.owners
        held = name in self.waiting
        self.waiting.discard(name)
        return held

    def _gate(self, exchange: Exchange) -> str:
        if not self._is_held(exchange.name):
            return ""
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


def _possible(client: SoundClient, breach: Breach) -> Iterator[str]:
    """Yield the moves of a breach, as long as they can happen to a client that keeps the promise."""
    moves = [*breach.moves]
    if breach.loop is not None:
        moves += [*breach.moves[breach.loop :]] * _ROUNDS
    for move in moves:
        if move == "leave":
            raise NotACase("it leaves a wait, and no driver can be asked to do that")
        if move not in _VERBS and move not in client.moves():
            return
        client.move(move)
        yield move


def about(setting: Setting, profile: Profile, breach: Breach) -> str:
    """Say where a case comes from, for the beginning of its file: the moves of the trace."""
    moves = (f"#   {number:>2}  {MOVES[move]}" for number, move in enumerate(breach.moves, 1))
    return "\n".join(
        (f"# Found by `arkor-conformance states` ({setting.name}, {profile.name}):", *moves)
    )


def case_of(
    setting: Setting, profile: Profile, breach: Breach, known: Mapping[str, Requirement]
) -> Case:
    """Return a counter-example as a case that expects what is right; raises NotACase."""
    if breach.promise is MISUSE:
        raise NotACase("it makes a report that is never true, and no client gets one")

    def client() -> SoundClient:
        return SoundClient(profile, setting.attached, setting.remembers)

    moves = tuple(_possible(client(), breach))
    script = _Script(client())
    script.play(moves)
    rule = breach.promise.rule
    cites = rule in known and profile.name in known[rule].profiles
    config = _config(script, setting)
    words: dict[str, Json] = {
        "id": f"states.{setting.name}.{rule.lower() if cites else 'own'}",
        "requires": [rule if cites else _OTHERWISE],
        "profiles": [profile.name],
        "needs": sorted(script.needs),
        "why": f"The promise: {breach.promise.text}. Here {breach.how}.",
        **config,
        "server": _server(script, setting),
        **({"hold": script.hold} if script.hold else {}),
        "step": _plainer(script.steps),
        "expect": _expect(script, rule),
    }
    return read_case("states", words, known)


def _config(script: _Script, setting: Setting) -> Mapping[str, Json]:
    job: Mapping[str, Json] = {"job": "{job}"} if setting.attached else {}
    script.needs |= {"attach"} if setting.attached else set()
    budget: Mapping[str, Json] = {}
    if script.client.cursors:
        script.needs.add("config.backoff")
        budget = {"initial_ms": 1000, "max_attempts": 1}
    config: Mapping[str, Json] = {**job, **budget, **script.triggers}
    return {"config": config} if config else {}


def _server(script: _Script, setting: Setting) -> Mapping[str, Json]:
    client = script.client
    server: dict[str, Json] = {}
    for call, count in client.sent.items():
        answers = [script.answer_to(call, number).words for number in range(1, count + 1)]
        if call == "stream" and answers and not client.finished:
            answers.append(rest_of_the_log(client.heard))
        if call in {"create", "cancel"} and answers and answers[-1]:
            answers.append({})
        if any(answers):
            server[call] = answers
    if setting.attached:
        server["scenario"] = {"job": [{"id": "{job}", "submitted": True}]}
    return server


def _plainer(steps: Sequence[dict[str, Json]]) -> Sequence[Json]:
    """Leave out that a step is detached where the next one waits for its answer, or none comes."""
    names: dict[str, int] = {}
    plain: list[Json] = []
    for step, following in zip(steps, [*islice(steps, 1, None), None], strict=True):
        verb = str(step["do"])
        names[verb] = names.get(verb, 0) + 1
        name = verb if names[verb] == 1 else f"{verb}#{names[verb]}"
        after = () if following is None else following.get("after", ())
        if following is None or after == [f"{name}.settled"]:
            step = {key: value for key, value in step.items() if key != "detach"}
            if following is not None:
                following.pop("after")
        plain.append(step)
    return plain


def _expect(script: _Script, rule: str) -> Mapping[str, Json]:
    client = script.client
    expect: dict[str, Json] = {"requests": dict(client.sent)}
    if client.cursors:
        expect["last_event_ids"] = [str(cursor) if cursor else False for cursor in client.cursors]
    expect["callbacks"] = [*client.callbacks]
    if client.results:
        expect["result"] = dict(client.results)
    if script.closed:
        expect["closed"] = [*script.closed]
    if rule == "ARK-CRE-11":
        creates = [f"create#{number}" for number in range(1, client.sent["create"] + 1)]
        carried: Json = {"headers": {"Idempotency-Key": "*"}}
        expect["request"] = dict.fromkeys(creates, carried)
    return expect
