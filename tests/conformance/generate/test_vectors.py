"""The vectors agree with the cases, match their schemas, and can be used without the kit."""

import json
import re
import subprocess
from pathlib import Path
from typing import Final

import pytest

from conformance.casefile.loader import read_case
from conformance.casefile.requirements import specification_directory
from conformance.casefile.steps import STEPS
from conformance.generate.vectors import DIRECTORY, vector_files
from conformance.strict_data import Table, parse_json
from tests.conformance.catalogue import all_cases, all_rules
from tests.conformance.npm import installed_adapters
from tests.json_schema import problem

VECTORS: Final = specification_directory() / "vectors"
GUIDE: Final = (VECTORS / "README.md").read_text("utf-8")
FILES: Final = ["sse.json", *sorted(f"cases/{path.name}" for path in VECTORS.glob("cases/*.json"))]


def schema(name: str) -> str:
    """Return the text of a schema, with the schemas that it refers to included."""
    text = (specification_directory() / "schemas" / f"{name}.schema.json").read_text("utf-8")
    reference = r'\{\s*"\$ref": "([a-z-]+)\.schema\.json"\s*\}'
    return re.sub(reference, lambda found: schema(found[1]), text)


def words(file: str, *path: str) -> set[str]:
    """Return every key of the tables at a path: lists are walked, `*` is any key."""
    found = [parse_json((VECTORS / file).read_bytes())]
    for key in path:
        tables = [Table.of(file, each) for each in found]
        if key == "*":
            found = [value for table in tables for value in table.values.values()]
        else:
            found = [table.values[key] for table in tables if key in table.values]
        lists = [each for each in found if isinstance(each, list)]
        found = [each for each in found if not isinstance(each, list)]
        found += [item for each in lists for item in each]
    return {key for each in found for key in Table.of(file, each).values}


def test_the_compiled_cases_are_up_to_date() -> None:
    directory = specification_directory() / DIRECTORY
    files = vector_files(all_cases())
    assert {path.name for path in directory.glob("*.json")} == set(files)
    stale = [name for name, text in files.items() if (directory / name).read_text("utf-8") != text]
    assert stale == [], "run python -m conformance.generate.vectors"


def test_a_compiled_case_reads_back_as_the_same_case() -> None:
    rules = all_rules()
    cases = {case.id: case for case in all_cases()}
    for name, text in vector_files(tuple(cases.values())).items():
        for compiled in json.loads(text)["cases"]:
            again, case = read_case(name, compiled, rules), cases[compiled["id"]]
            assert (again.steps, again.expect, again.profiles) == (
                case.steps,
                case.expect,
                case.profiles,
            )


@pytest.mark.parametrize("file", FILES)
def test_every_file_satisfies_its_schema(file: str) -> None:
    name = "sse-vectors" if file == "sse.json" else "case-vectors"
    assert problem(schema(name), json.loads((VECTORS / file).read_bytes())) == ""


@pytest.mark.parametrize(
    "path",
    [
        ("vectors",),
        ("vectors", "expect"),
        ("cases",),
        ("cases", "step"),
        ("cases", "expect"),
        ("cases", "expect", "result", "*"),
        ("cases", "expect", "request", "*"),
        ("cases", "server", "stream", "frames"),
    ],
)
def test_the_guide_explains_every_word_of_the_files(path: tuple[str, ...]) -> None:
    files = [file for file in FILES if (file == "sse.json") == (path[0] == "vectors")]
    used = {word for file in files for word in words(file, *path)}
    explained = set(re.findall(r'[`".]([a-z_]+)[`"]', GUIDE))
    assert used - explained == set()


def test_the_guide_explains_every_step() -> None:
    unexplained = [word for word in STEPS if f"`{word}`" not in GUIDE]
    assert unexplained == []


@pytest.mark.thorough
def test_the_harness_of_the_guide_runs_streams_and_cases_without_the_kit(tmp_path: Path) -> None:
    (source,) = re.findall(
        r"<!-- file: harness.mjs -->\n```\w+\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL
    )
    harness = installed_adapters(tmp_path) / "node" / "harness.mjs"
    harness.write_text(source, "utf-8")
    done = subprocess.run(
        ["node", str(harness), str(VECTORS)],  # noqa: S607 - as the guide says
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = re.fullmatch(r"(\d+) event streams and (\d+) cases; \d+ cases are .*\n", done.stdout)
    assert said is not None, done.stdout
    assert (int(said[1]) > 100, int(said[2]) > 250) == (True, True)
