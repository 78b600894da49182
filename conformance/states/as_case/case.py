"""Turn a counter-example into a case that replays its moves and that a correct client passes."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from arkor_proto import Profile
from conformance.casefile.loader import read_case
from conformance.casefile.model import Case
from conformance.casefile.requirements import Requirement
from conformance.casefile.steps import default_name
from conformance.states.as_case.answers import CANCELLED, rest_of_the_log
from conformance.states.as_case.script import VERBS, NotACase, Script
from conformance.states.as_case.sound_client import SoundClient
from conformance.states.describe import MOVES
from conformance.states.facts import MAX_ATTEMPTS
from conformance.states.graph import Breach
from conformance.states.promises import MISUSE
from conformance.states.worlds import Setting
from conformance.strict_data import Json

_ROUNDS: Final = 3
"""How many times a case repeats the moves of an endless loop."""
_INITIAL_MS: Final = 1000
"""The length of every delay, in milliseconds; the budget runs out before any delay doubles."""
_COUNTS: Final = "ARK-BUD-"
"""The id prefix of the rules about counting failures; cases for these exhaust the budget."""
_OTHERWISE: Final = "ARK-ERR-10"
"""The rule that every operation settles; a case cites it if its promise has no rule to cite."""


def _possible(client: SoundClient, breach: Breach) -> Iterator[str]:
    """Yield the moves of a breach up to the first one that a correct client makes impossible."""
    moves = [*breach.moves]
    if breach.loop is not None:
        moves += [*breach.moves[breach.loop :]] * _ROUNDS
    for move in moves:
        if move == "leave":
            raise NotACase(
                "it leaves a wait() before it returns, and drivers have no command for that"
            )
        if move not in VERBS and move not in client.moves():
            return
        client.move(move)
        yield move


def about(setting: Setting, profile: Profile, breach: Breach) -> str:
    """Return the comment at the top of a case's file: where the case comes from, and the trace."""
    moves = (f"#   {number:>2}  {MOVES[move]}" for number, move in enumerate(breach.moves, 1))
    return "\n".join(
        (f"# Found by `arkor-conformance states` ({setting.name}, {profile.name}):", *moves)
    )


def case_of(
    setting: Setting, profile: Profile, breach: Breach, known: Mapping[str, Requirement]
) -> Case:
    """Return a case that a correct client passes; raise NotACase if none expresses the breach."""
    if breach.promise is MISUSE:
        raise NotACase("it passes the session invalid input that no client receives")

    def client() -> SoundClient:
        return SoundClient(profile, setting.attached, setting.remembers)

    moves = tuple(_possible(client(), breach))
    script = Script(client())
    rule = breach.promise.rule
    script.play(moves, exhausts=rule.startswith(_COUNTS))
    cites = rule in known and profile.name in known[rule].profiles
    config = _config(script, setting)
    words: dict[str, Json] = {
        "id": f"states.{setting.name}.{rule.lower() if cites else 'own'}",
        "requires": [rule if cites else _OTHERWISE],
        "profiles": [profile.name],
        "needs": sorted(script.needs),
        "why": f"Promise: {breach.promise.text}. Counter-example: {breach.how}.",
        **config,
        "server": _server(script, setting),
        **({"hold": script.hold} if script.hold else {}),
        "step": _plainer(script.steps),
        "expect": _expect(script, rule),
    }
    return read_case("states", words, known)


def _config(script: Script, setting: Setting) -> Mapping[str, Json]:
    job: Mapping[str, Json] = {"job": "{job}"} if setting.attached else {}
    script.needs |= {"attach"} if setting.attached else set()
    budget: Mapping[str, Json] = {}
    if script.client.cursors:
        script.needs |= {"config.backoff"} | ({"clock.virtual"} if script.client.sleeps else set())
        budget = {"initial_ms": _INITIAL_MS, "max_attempts": MAX_ATTEMPTS}
    config: Mapping[str, Json] = {**job, **budget, **script.triggers}
    return {"config": config} if config else {}


def _server(script: Script, setting: Setting) -> Mapping[str, Json]:
    client = script.client
    server: dict[str, Json] = {}
    for call, count in client.sent.items():
        answers = [script.answer_to(call, number).words for number in range(1, count + 1)]
        if call == "stream" and answers and not client.finished:
            answers.append(rest_of_the_log(client.heard))
        good: Mapping[str, Json] = CANCELLED if call == "cancel" else {}
        if call in {"create", "cancel"} and answers and answers[-1] != good:
            answers.append(good)
        if any(answers):
            server[call] = answers
    if setting.attached:
        server["scenario"] = {"job": [{"id": "{job}", "submitted": True}]}
    return server


def _plainer(steps: Sequence[dict[str, Json]]) -> Sequence[Json]:
    """Remove `detach` from each step that the next one waits for, and from the last step."""
    earlier: Counter[str] = Counter()
    for step, following in zip(steps, [*islice(steps, 1, None), None], strict=True):
        verb = str(step["do"])
        name = default_name(verb, earlier[verb])
        earlier[verb] += 1
        if following is None:
            step.pop("detach", None)
        elif following.get("after") == [f"{name}.settled"]:
            del step["detach"], following["after"]
    return steps


def _expect(script: Script, rule: str) -> Mapping[str, Json]:
    client = script.client
    expect: dict[str, Json] = {"requests": dict(client.sent)}
    if client.cursors:
        expect["last_event_ids"] = [str(cursor) if cursor else False for cursor in client.cursors]
        expect["sleeps"] = [_INITIAL_MS] * client.sleeps
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
