"""Read scenarios from TOML, JSON or plain tables, and write them; errors suggest corrections.

This module also checks whether a carrier supports a scenario. `checks.py` refuses words that make
no sense together.
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import evolve

from mock_server.scenario.checks import check_scenario
from mock_server.scenario.model import Scenario
from mock_server.scenario.rule import needs_in, needs_of
from mock_server.scenario.vocabulary import Capability
from mock_server.strict.files import from_json, from_toml, read_json, read_toml
from mock_server.strict.schema import schema_document
from mock_server.strict.shapes import ScenarioError, Shape
from mock_server.strict.toml import toml_value
from mock_server.strict.words import plain_table, table

SCENARIO: Final[Shape[Scenario]] = table(Scenario, "a scenario")
_NUMBERED: Final = re.compile(r"^(rule|job) (\d+)\.")


def scenario_from_dict(data: Mapping[str, object]) -> Scenario:
    """Read a scenario from plain tables; raise ScenarioError with the place of each mistake."""
    try:
        found = SCENARIO.read(data, "")
        check_scenario(found)
    except ScenarioError as error:
        raise error.rewritten(_readable) from None
    return found


def _readable(error: ScenarioError) -> str:
    return _NUMBERED.sub(r"\1 \2: ", str(error)).removeprefix(": ")


def scenario_from_toml(source: str) -> Scenario:
    """Read a scenario from TOML; raise ScenarioError with the line and place of each mistake."""
    return from_toml(source, scenario_from_dict)


def scenario_from_json(source: str) -> Scenario:
    """Read a scenario from JSON; raise ScenarioError with the line and place of each mistake."""
    return from_json(source, scenario_from_dict)


def scenario_from_file(path: Path) -> Scenario:
    """Read a `.toml` or `.json` file; raise a ScenarioError that starts with the file's path."""
    return checked_file(path)[0]


def checked_file(path: Path) -> tuple[Scenario, bool]:
    """Read a file; return the scenario, and whether the file states its `schema` version.

    Raise a ScenarioError in which every mistake starts with the file's path.
    """
    if path.suffix not in {".toml", ".json"} and path.is_file():
        given = f"the suffix {path.suffix!r}" if path.suffix else "no suffix"
        raise ScenarioError(f"{path}: has {given}; a scenario must be a .toml or .json file")
    read_file = read_json if path.suffix == ".json" else read_toml
    return read_file(path, lambda data: (scenario_from_dict(data), "schema" in data))


def scenario_to_dict(scenario: Scenario) -> dict[str, object]:
    """Convert a scenario to plain tables for `scenario_from_dict`; default values are left out."""
    return {"schema": scenario.schema, **plain_table(scenario)}


def scenario_to_toml(scenario: Scenario) -> str:
    """Convert a scenario to TOML that `scenario_from_toml` reads back."""
    blocks = [_lines(scenario_to_dict(evolve(scenario, jobs=(), rules=())))]
    blocks += ["[[job]]\n" + _lines(plain_table(job)) for job in scenario.jobs]
    blocks += ["[[rule]]\n" + _lines(plain_table(rule)) for rule in scenario.rules]
    return "\n".join(blocks)


def _lines(words: Mapping[str, object]) -> str:
    return "".join(f"{name} = {toml_value(value)}\n" for name, value in words.items())


def scenario_schema() -> dict[str, object]:
    """Return the JSON Schema (2020-12) for scenarios."""
    title = "A scenario of the Arkor mock backend"
    return schema_document("scenario", title, SCENARIO.schema())


def check_capabilities(
    scenario: Scenario,
    capabilities: frozenset[Capability],
    carrier: str,
    *,
    lacking: frozenset[Capability] = frozenset(),
) -> None:
    """Raise a ScenarioError that names the rule if a carrier does not support a scenario.

    `lacking` holds the capabilities that this platform lacks; if the rule needs one of them, the
    message also names the platform.
    """
    capabilities, where = capabilities - lacking, f" on {sys.platform}"
    needs = [("backend", *need) for need in needs_in(scenario.backend)]
    for number, rule in enumerate(scenario.rules, 1):
        needs += [(f"rule {number}", *need) for need in needs_of(rule)]
    for place, what, needed in needs:
        if needed not in capabilities:
            raise ScenarioError(
                f"{place}: {what!r} needs the {needed} capability; "
                f"the {carrier} carrier lacks it{where if needed in lacking else ''}"
            )
