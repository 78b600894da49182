"""List the faults, each with an example rule to edit and, if it is unavailable, the reason."""

from collections.abc import Mapping
from functools import cache
from typing import Final

from mock_server.scenario.builder import rule_from_words
from mock_server.scenario.files import scenario_from_toml
from mock_server.scenario.rule import FAULTS, WORDS
from mock_server.server import MockServer
from mock_server.strict.shapes import ScenarioError, is_array, is_table
from mock_server.strict.words import plain_table

_ALREADY_PASSED: Final = frozenset({"attempt", "connection"})


def faults_of(server: MockServer) -> list[dict[str, object]]:
    """Describe every fault; `unavailable` says why this server cannot inject it."""
    return [{**each, "unavailable": _obstacle(server, each["rule"])} for each in _faults()]


@cache
def _faults() -> tuple[Mapping[str, object], ...]:
    return tuple(
        {
            "name": name,
            "phase": WORDS[name].group,
            "means": WORDS[name].says,
            "values": _values(name),
            "rule": _rule(fault.example),
        }
        for name, fault in FAULTS.items()
        if fault.alone
    )


def _rule(example: str) -> dict[str, object]:
    """Return the example without `attempt` and `connection`, so it also matches later requests."""
    words = plain_table(scenario_from_toml(f"[[rule]]\n{example}\n").rules[0])
    selection = words.pop("on", None)
    kept = {
        key: value
        for key, value in (selection.items() if is_table(selection) else ())
        if key not in _ALREADY_PASSED
    }
    return {"on": kept, **words}


def _values(name: str) -> list[str]:
    values = WORDS[name].shape.schema().get("enum")
    return [str(value) for value in values] if is_array(values) else []


def _obstacle(server: MockServer, rule: object) -> str | None:
    try:
        server.check_rule(rule_from_words(dict(rule) if is_table(rule) else {}))
    except ScenarioError as error:
        return str(error)
    return None
