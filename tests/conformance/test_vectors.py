"""The compiled cases say what the cases say."""

import json

from conformance.loader import load_cases, read_case
from conformance.specification import load_requirements, specification_directory
from conformance.vectors import DIRECTORY, vector_files


def test_the_compiled_cases_are_up_to_date() -> None:
    directory = specification_directory() / DIRECTORY
    files = vector_files(load_cases(load_requirements()))
    assert {path.name for path in directory.glob("*.json")} == set(files)
    stale = [name for name, text in files.items() if (directory / name).read_text("utf-8") != text]
    assert stale == [], "run python -m conformance.vectors"


def test_a_compiled_case_reads_back_as_the_same_case() -> None:
    rules = load_requirements()
    cases = {case.id: case for case in load_cases(rules)}
    for name, text in vector_files(tuple(cases.values())).items():
        for compiled in json.loads(text)["cases"]:
            again, case = read_case(name, compiled, rules), cases[compiled["id"]]
            assert (again.steps, again.expect, again.profiles) == (
                case.steps,
                case.expect,
                case.profiles,
            )
