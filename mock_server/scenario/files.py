"""Scenarios as TOML, JSON and plain tables, and back; strict, with the nearest right word.

The file formats, and what a carrier can carry. Which words make no sense together is in
`checks.py`; what a fault does is elsewhere.
"""

import json
import re
import reprlib
import tomllib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from mock_server.durable import OddFile, check_regular, read_regular, reason_of
from mock_server.scenario.checks import check_scenario
from mock_server.scenario.model import Scenario
from mock_server.scenario.rule import needs_of
from mock_server.scenario.vocabulary import Capability
from mock_server.strict.json import DEEPEST
from mock_server.strict.lines import json_lines, line_of, toml_lines
from mock_server.strict.schema import schema_document
from mock_server.strict.shapes import ScenarioError, is_array, is_table
from mock_server.strict.toml import toml_value
from mock_server.strict.words import plain_table, table

_SCENARIO: Final = table(Scenario, "a scenario")
_MOST: Final = 1 << 30
# The marks of UTF-32 begin like those of UTF-16.
_MARKS: Final = (
    (BOM_UTF8, "UTF-8"),
    (BOM_UTF32_LE, "UTF-32"),
    (BOM_UTF32_BE, "UTF-32"),
    (BOM_UTF16_LE, "UTF-16"),
    (BOM_UTF16_BE, "UTF-16"),
)
_NUMBERED: Final = re.compile(r"^(rule|job) (\d+)\.")


def scenario_from_dict(data: Mapping[str, object]) -> Scenario:
    """Read a scenario from plain tables; raises ScenarioError that names the place."""
    try:
        _check_depth(data)
        found = _SCENARIO.read(data, "")
        check_scenario(found)
    except ScenarioError as error:
        raise error.rewritten(_readable) from None
    except RecursionError:
        raise ScenarioError("scenario: is nested too deeply; a scenario is flat") from None
    return found


def _readable(error: ScenarioError) -> str:
    return _NUMBERED.sub(r"\1 \2: ", str(error)).removeprefix(": ")


def scenario_from_toml(source: str) -> Scenario:
    """Read a scenario from TOML; raises ScenarioError that names every line and place."""
    return _located(_from_toml(source), source, toml_lines)


def scenario_from_json(source: str) -> Scenario:
    """Read a scenario from JSON; raises ScenarioError that names every line and place."""
    return _located(_from_json(source), source, json_lines)


def _located(
    data: Mapping[str, object], source: str, find: Callable[[str], Mapping[str, int]]
) -> Scenario:
    try:
        return scenario_from_dict(data)
    except ScenarioError as error:
        lines = find(source)

        def with_line(mistake: ScenarioError) -> str:
            line = line_of(mistake.at, lines)
            return str(mistake) if line is None else f"{mistake} (line {line})"

        raise error.rewritten(with_line) from None


def scenario_from_file(path: Path) -> Scenario:
    """Read a `.toml` or `.json` file; raises ScenarioError that begins with the file's name."""
    return checked_file(path)[0]


def checked_file(path: Path) -> tuple[Scenario, bool]:
    """Read a file; return also whether it says which version of the vocabulary it is written in.

    Raises ScenarioError that begins, for each of its mistakes, with the file's name.
    """
    try:
        source = _text_of(path)
        if path.suffix == ".json":
            data = _from_json(source)
            return _located(data, source, json_lines), "schema" in data
        data = _from_toml(source)
        return _located(data, source, toml_lines), "schema" in data
    except ScenarioError as error:
        raise error.rewritten(lambda mistake: f"{path}: {mistake}") from None


def _check_depth(data: object) -> None:
    level, depth = [data], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise ScenarioError(f"nested more than {DEEPEST} levels deep; a scenario is flat")
        tables = [item for each in level if is_table(each) for item in each.values()]
        level = tables + [item for each in level if is_array(each) for item in each]


def _from_toml(source: str) -> Mapping[str, object]:
    try:
        return tomllib.loads(source)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"TOML: {error}") from None
    except RecursionError:
        raise ScenarioError("TOML: nested too deeply; a scenario is flat") from None
    except ValueError:  # Python reads no number of more than 4,300 digits, and no 30 February
        raise ScenarioError("TOML: a number or a date is out of range") from None


def _from_json(source: str) -> Mapping[str, object]:
    try:
        data: object = json.loads(source, object_pairs_hook=_once_each)
    except ScenarioError:
        raise
    except json.JSONDecodeError as error:
        raise ScenarioError(f"JSON: {error}") from None
    except RecursionError:
        raise ScenarioError("JSON: nested too deeply; a scenario is flat") from None
    except ValueError:
        raise ScenarioError("JSON: a number has too many digits") from None
    if not is_table(data):
        raise ScenarioError('JSON: a scenario is an object, such as {"rule": []}')
    return data


def _check_suffix(path: Path) -> None:
    if path.suffix not in {".toml", ".json"}:
        given = f"the suffix {path.suffix!r}" if path.suffix else "no suffix"
        raise OddFile(f"has {given}")


def _once_each(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Make a table; raises ScenarioError for a key that comes twice, of which one would be lost."""
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise ScenarioError(f"JSON: {reprlib.repr(key)} is given twice in one object; keep one")
        found[key] = value
    return found


def _text_of(path: Path) -> str:
    is_file = "a scenario is a .toml or .json file"
    try:
        check_regular(path)
        _check_suffix(path)
        content = read_regular(path, _MOST)
    except OddFile as odd:
        raise ScenarioError(f"{odd}; {is_file}") from None
    except (OSError, ValueError) as error:
        raise ScenarioError(reason_of(error)) from None
    for mark, coding in _MARKS:
        if content.startswith(mark):
            raise ScenarioError(
                f"begins with the byte order mark of {coding}; save it as UTF-8 without"
            )
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ScenarioError(
            f"byte {error.start} is not UTF-8; write such bytes as bytes_hex (line {line})"
        ) from None


def scenario_to_dict(scenario: Scenario) -> dict[str, object]:
    """Write a scenario as plain tables that `scenario_from_dict` reads back, defaults left out."""
    return {"schema": scenario.schema, **plain_table(scenario)}


def scenario_to_toml(scenario: Scenario) -> str:
    """Write a scenario as TOML that `scenario_from_toml` reads back."""
    data = scenario_to_dict(scenario)
    heads = [
        f"{key} = {toml_value(value)}" for key, value in data.items() if key not in {"rule", "job"}
    ]
    blocks = ["\n".join(heads)]
    for key in ("job", "rule"):
        items = data.get(key, [])
        for item in items if is_array(items) else []:
            lines = [f"{name} = {toml_value(value)}" for name, value in _pairs(item)]
            blocks.append("\n".join([f"[[{key}]]", *lines]))
    return "\n\n".join(blocks) + "\n"


def _pairs(value: object) -> list[tuple[str, object]]:
    return list(value.items()) if is_table(value) else []


def scenario_schema() -> dict[str, object]:
    """Return the JSON Schema (2020-12) of a scenario."""
    title = "A scenario of the Arkor mock backend"
    return schema_document("scenario", title, _SCENARIO.schema())


def check_capabilities(
    scenario: Scenario, capabilities: frozenset[Capability], carrier: str
) -> None:
    """Refuse a scenario that this carrier cannot carry; raises ScenarioError naming the rule."""
    for number, rule in enumerate(scenario.rules, 1):
        for what, needed in needs_of(rule):
            if needed not in capabilities:
                raise ScenarioError(
                    f"rule {number}: {what!r} needs the {needed} capability; "
                    f"the {carrier} carrier lacks it"
                )
