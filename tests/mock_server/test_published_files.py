"""Committed files that are generated from the code must be up to date."""

import json
from pathlib import Path

import pytest

from mock_server.scenario.files import scenario_from_toml, scenario_schema
from mock_server.scenario.reference import catalogue
from mock_server.scenario.rule import FAULTS, WORDS
from mock_server.strict.words import plain_table

ROOT = Path(__file__).parents[2]
PUBLISHED = {
    "spec/schemas/scenario.schema.json": lambda: json.dumps(scenario_schema(), indent=2) + "\n",
    "mock_server/FAULTS.md": catalogue,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_file_is_what_the_code_says(name: str) -> None:
    expected = PUBLISHED[name]()
    found = (ROOT / name).read_text()
    assert found == expected, (
        f"{name}: is out of date; run python -m mock_server.scenario.reference"
    )


@pytest.mark.parametrize("name", FAULTS)
def test_the_example_of_a_fault_is_a_scenario_that_uses_it(name: str) -> None:
    scenario = scenario_from_toml(f"[[rule]]\n{FAULTS[name].example}\n")
    assert name in plain_table(scenario.rules[0])


def test_every_word_of_a_rule_is_declared_as_a_fault() -> None:
    assert set(WORDS) - set(FAULTS) == {"on", "name"}
