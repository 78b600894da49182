"""The backend of a case: responses by route and a scenario, in the mock's vocabulary."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from attrs import evolve, frozen

from conformance.trace.events import ROUTES
from mock_server.scenario.checks import check_scenario
from mock_server.scenario.model import Scenario
from mock_server.scenario.rule import RULE, Rule
from mock_server.scenario.vocabulary import Route
from mock_server.strict.mistakes import Mistakes, together
from mock_server.strict.shapes import ScenarioError, Shape, array, is_table, mapping, one_of, wrong
from mock_server.strict.values import Span
from mock_server.strict.words import EMPTY, table

JOB_MEMBERS: Final = ("id", "orgId", "projectId", "name", "status", "config", "createdAt")
"""The members that a complete job object has (section 5.12 of the specification)."""
_NUMBERED: Final = re.compile(r"(rule|job) (\d+)")


@frozen(kw_only=True)
class Server:
    """How the backend of a case behaves. Placeholders are filled in when the case is played."""

    answers: Mapping[str, tuple[Rule | None, ...]]
    """Responses by route, one per request; the last one repeats. None means the mock's default."""
    scenario: Scenario
    """The complete scenario; it begins with the rules made from `answers`."""
    scripted: bool = False
    """Whether the case defines a scenario itself, with or without `answers`."""


NOTHING: Final = Server(answers={}, scenario=Scenario())
"""The unchanged backend."""
_ANSWER: Final[Shape[Rule | None]] = Shape(
    RULE.kinds,
    "a response, such as {status = 503}",
    lambda value, where: None if value == {} else RULE.read(value, where),
    RULE.schema,
)
_ANSWERS: Final = mapping(array(_ANSWER), keys=one_of((*ROUTES, "scenario")))
_SCENARIO: Final = table(Scenario, "a scenario")


def _read(value: object, where: str) -> Server:
    if not is_table(value):
        raise wrong(value, where, _SAYS)
    words = {key: item for key, item in value.items() if key != "scenario"}
    own = value.get("scenario", {})
    mistakes = Mistakes()
    answers = mistakes.take(lambda: _ANSWERS.read(words, where), EMPTY)
    scenario = mistakes.take(lambda: _SCENARIO.read(own, f"{where}.scenario"), Scenario())
    mistakes.settle()
    numbered = {
        route: tuple(_numbered(route, answers[route])) for route in ROUTES if answers.get(route)
    }
    whole = _whole(numbered, scenario, where)
    return Server(answers=numbered, scenario=whole, scripted="scenario" in value)


def _numbered(route: str, answers: Sequence[Rule | None]) -> Sequence[Rule | None]:
    """Return rules that give request n the n-th answer, and all later requests the last one."""
    last = len(answers)
    spans = [Span(n, None if n == last else n) for n in range(1, last + 1)]
    return [
        answer and evolve(answer, on=evolve(answer.on, route=Route(route), attempt=span))
        for answer, span in zip(answers, spans, strict=True)
    ]


def _whole(
    answers: Mapping[str, Sequence[Rule | None]], scenario: Scenario, where: str
) -> Scenario:
    """Combine the answers with the scenario; raise a ScenarioError that lists all mistakes."""
    rules = [
        (f"{where}.{route} {number}", rule)
        for route, numbered in answers.items()
        for number, rule in enumerate(numbered, 1)
        if rule is not None
    ]
    rules += [(f"{where}.scenario.rule {n}", rule) for n, rule in enumerate(scenario.rules, 1)]
    whole = evolve(scenario, rules=tuple(rule for _, rule in rules))
    mistakes = Mistakes()
    for place, rule in rules:
        with mistakes.collected():
            _check_job(rule, place)
    with mistakes.collected():
        try:
            check_scenario(whole)
        except ScenarioError as error:
            raise _placed(error, [place for place, _ in rules], where) from None
    mistakes.settle()
    return whole


def _check_job(rule: Rule, where: str) -> None:
    """Raise ScenarioError if the job object is incomplete, because clients may reject it."""
    job = rule.head.json.get("job") if is_table(rule.head.json) else None
    if is_table(job) and (missing := [key for key in JOB_MEMBERS if key not in job]):
        raise ScenarioError(f"{where}.json.job: the job object also needs {', '.join(missing)}")


def _placed(error: ScenarioError, places: Sequence[str], where: str) -> ScenarioError:
    """Translate an error's places in the combined scenario into places in the case."""

    def place(found: re.Match[str]) -> str:
        number = int(found[2])
        return places[number - 1] if found[1] == "rule" else f"{where}.scenario.job {number}"

    return together(
        [
            ScenarioError(_NUMBERED.sub(place, str(each), 1), at=_NUMBERED.sub(place, each.at, 1))
            for each in error.each
        ]
    )


def _schema() -> dict[str, object]:
    answers = array(_ANSWER).schema()
    properties = {**dict.fromkeys(ROUTES, answers), "scenario": _SCENARIO.schema()}
    return {
        "title": "Server",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }


_SAYS: Final = "a table of responses by route, with an optional scenario"
SERVER: Final[Shape[Server]] = Shape(frozenset({"object"}), _SAYS, _read, _schema)
