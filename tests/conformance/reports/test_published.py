"""Reports link each rule to the specification, where the package says that it is published."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from conformance.backends.requirements import backend_requirements
from conformance.casefile.requirements import load_requirements
from conformance.reports import write_run
from conformance.reports.published import PAGES, addresses, documentation, places
from conformance.verdict.statuses import Verdict
from tests.conformance.sample_run import result, run
from tests.forked import ROOT


def published() -> str:
    """Return the address in pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return str(project["urls"]["Documentation"])


def test_the_address_is_that_of_the_package() -> None:
    assert documentation() == published()


RULES = {"protocol.md": load_requirements(), "backend.md": backend_requirements()}


@pytest.mark.parametrize("page", PAGES)
def test_every_rule_has_a_place(page: str) -> None:
    assert set(places(page)) == set(RULES[page])
    directory = published().removesuffix("protocol.md")
    for rule, place in places(page).items():
        assert addresses()[rule] == f"{directory}{page}#{place}"


@pytest.mark.parametrize("page", PAGES)
def test_a_place_is_a_section_that_the_table_of_contents_links_to(page: str) -> None:
    contents = (ROOT / "spec" / page).read_text("utf-8").partition("## 1 ")[0]
    linked = set(re.findall(r"\(#([^)]+)\)", contents))
    assert {place.partition(":~:")[0] for place in places(page).values()} <= linked


@pytest.mark.parametrize("page", PAGES)
def test_a_place_names_the_rule_by_a_text_that_is_nowhere_else(page: str) -> None:
    text = (ROOT / "spec" / page).read_text("utf-8").replace("**", "")
    found = places(page)
    named = {rule: rule.replace("-", "%2D") for rule, place in found.items() if ":~:" in place}
    assert len(named) >= len(found) - 1
    for rule, said in named.items():
        level = RULES[page][rule].level.value
        assert found[rule].endswith(f":~:text={said}%20%C2%B7%20{level}")
        assert text.count(f"{rule} · {level}") == 1


def test_the_page_has_the_text_and_the_address_of_its_rules(tmp_path: Path) -> None:
    write_run([tmp_path / "report.html"], run([result(Verdict.FAIL)]))
    text = (tmp_path / "report.html").read_text("utf-8")
    data = re.search(r'id="run">(.*?)</script>', text, re.DOTALL)
    assert data is not None
    told = json.loads(data[1])
    assert told["requirements"]["ARK-BUD-1"]["text"] == "A rule."
    assert told["published"]["ARK-BUD-1"] == addresses()["ARK-BUD-1"]
    assert set(told["published"]) <= set(told["requirements"])


def test_a_summary_links_the_rules_that_are_broken(tmp_path: Path) -> None:
    write_run([tmp_path / "summary.md"], run([result(Verdict.FAIL)]))
    text = (tmp_path / "summary.md").read_text("utf-8")
    assert f"- [**ARK-BUD-1**]({addresses()['ARK-BUD-1']}) MUST: A rule" in text
