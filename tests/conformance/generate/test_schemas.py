"""Every schema has a name of its own, and what is written in an editor is held against one."""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest

from conformance.casefile.loader import CASES
from conformance.casefile.requirements import specification_directory
from conformance.generate.schemas import case_file_schema
from conformance.strict_data import Json
from mock_server.strict.schema import schema_id
from tests.json_schema import problem

SCHEMAS: Final = specification_directory() / "schemas"
ROOT: Final = specification_directory().parent
DIRECTIVE: Final = re.compile(r"#:schema (\S+)\n")
FILES: Final = (
    *sorted(CASES.glob("*.toml")),
    *sorted(specification_directory().glob("*requirements.toml")),
)
PAGES: Final = (ROOT / "README.md", ROOT / "mock_server" / "GUIDE.md")
SLIPS: Final[tuple[tuple[str, Mapping[str, Json]], ...]] = (
    ("conects", {"expect": {"conects": 1}}),
    ("status", {"server": {"stream": [{"status": "many"}]}}),
    ("frames", {"server": {"stream": [{"frames": [{"dat": "x"}]}]}}),
    ("do", {"step": [{"do": "wiat"}]}),
    ("config", {"config": {"max_atempts": 1}}),
)


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.name)
def test_every_schema_is_sound_and_has_an_id_of_its_own(path: Path) -> None:
    schema = json.loads(path.read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"] == schema_id(path.name.removesuffix(".schema.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_file_begins_with_the_schema_that_it_satisfies(path: Path) -> None:
    text = path.read_text("utf-8")
    found = DIRECTIVE.match(text)
    assert found is not None, f"{path}: its first line is not a #:schema directive"
    schema = path.parent / found[1]
    assert schema.is_file()
    assert problem(schema.read_text("utf-8"), tomllib.loads(text)) == ""


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_scenario_of_a_page_begins_with_the_schema_that_it_satisfies(page: Path) -> None:
    blocks = re.findall(r"^```toml\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert blocks
    for block in blocks:
        found = DIRECTIVE.search(block)
        assert found is not None, block
        assert (ROOT / found[1]).is_file()
        assert problem((ROOT / found[1]).read_text("utf-8"), tomllib.loads(block)) == ""


@pytest.mark.parametrize(("word", "change"), SLIPS, ids=[word for word, _ in SLIPS])
def test_an_editor_sees_a_slip_in_a_case_file(word: str, change: Mapping[str, Json]) -> None:
    schema = json.dumps(case_file_schema())
    sound: Mapping[str, Json] = {
        "id": "a.b",
        "requires": ["ARK-BUD-1"],
        "why": "w",
        "expect": {"connects": 1},
    }
    assert problem(schema, {"case": [sound]}) == ""
    assert problem(schema, {"case": [{**sound, **change}]}) != "", word


def test_a_template_may_have_placeholders_in_the_place_of_values() -> None:
    schema = json.dumps(case_file_schema())
    case: Mapping[str, Json] = {
        "id": "a.b",
        "requires": ["ARK-BUD-1"],
        "why": "w",
        "each": {"status": [500, 503]},
        "server": {"stream": [{"status": "{status}"}]},
        "expect": {"connects": 1},
    }
    assert problem(schema, {"case": [case]}) == ""
