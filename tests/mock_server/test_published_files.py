"""Committed files that are generated from the code must be up to date."""

import json
from pathlib import Path

import pytest

from mock_server.scenario.checks import said
from mock_server.scenario.files import scenario_from_toml, scenario_schema
from mock_server.scenario.model import Rule
from mock_server.scenario.reference import EXAMPLES, catalogue
from mock_server.strict.words import words_of

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


def test_every_fault_has_an_example_and_every_example_is_a_scenario() -> None:
    faults = set(words_of(Rule)) - {"on", "name"}
    assert set(EXAMPLES) == faults
    for name, example in EXAMPLES.items():
        scenario = scenario_from_toml(f"[[rule]]\n{example}\n")
        assert name in said(scenario.rules[0])
