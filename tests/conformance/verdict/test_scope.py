"""The version of the specification and the set of cases that a run is judged by."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest
from attrs import evolve

from conformance.casefile.model import Case
from conformance.casefile.requirements import Requirement, specification_version
from conformance.strict_data import ReadingError
from conformance.verdict.scope import Scope, check_version, digest, pinned
from tests.conformance.commandline import kit
from tests.conformance.sample_case import RULES, one

BODY: Final = "expect.connects = 1\n"
NEWER: Final[Mapping[str, Requirement]] = {
    **RULES,
    "ARK-BUD-1": evolve(RULES["ARK-BUD-1"], since="2"),
}


def named(name: str, since: str = "1") -> Case:
    source = {**one(BODY).source, "id": name}
    return evolve(one(BODY), id=name, since=since, source=source)


def test_the_hash_does_not_depend_on_the_order_of_cases_and_keys() -> None:
    turned = evolve(named("a"), source=dict(reversed(list(named("a").source.items()))))
    assert digest([named("a"), named("b")]) == digest([named("b"), turned])


def test_the_hash_changes_with_any_word_of_a_case() -> None:
    changed = evolve(named("a"), source={**named("a").source, "why": "Else."})
    assert digest([named("a")]) != digest([changed])


def test_a_version_leaves_out_newer_cases() -> None:
    chosen = pinned("1", RULES, [named("old"), named("new", "2"), named("newest", "1.1")])
    assert [case.id for case in chosen] == ["old"]


def test_a_version_leaves_out_cases_about_newer_rules() -> None:
    assert pinned("1", NEWER, [named("old")]) == ()
    assert len(pinned("2", NEWER, [named("old")])) == 1


def test_versions_are_numbers_and_not_texts() -> None:
    assert len(pinned("10", RULES, [named("a", "9")])) == 1


def test_an_unknown_version_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ReadingError, match=r"no version '7'; the versions are 1.*, 2"):
        check_version("7", NEWER, [])


def test_a_case_file_whose_version_is_not_a_version_is_refused() -> None:
    with pytest.raises(ReadingError, match=r"since: .soon. .* is not a version, such as .2."):
        one(f'since = "soon"\n{BODY}')


def test_a_scope_says_whether_cases_were_left_out() -> None:
    both = [named("a"), named("b")]
    assert Scope.of(both, both[:1]).narrowed("2026-05")
    assert not Scope.of(both, both).narrowed("2026-05")


def test_cases_of_a_file_are_never_the_catalogue() -> None:
    own = [evolve(named("a"), file="mine.toml")]
    assert Scope.of(own, own).narrowed("2026-05")


@pytest.mark.parametrize("version", ["7", "", "x", "1.x", "-1", "1_0"])
def test_a_version_that_never_was_is_an_error_of_usage(version: str) -> None:
    done = kit("run", "--case", "create.accepted", "--spec", version)
    assert (done.status, "the versions are 1" in done.err) == (2, True), done


def test_a_pinned_run_says_so_in_its_record(tmp_path: Path) -> None:
    chosen = ("--case", "create.accepted", "--profile", "2026-05")
    done = kit("run", *chosen, "--spec", "1", "--report", str(tmp_path / "run.json"))
    run = json.loads((tmp_path / "run.json").read_text("utf-8"))
    assert (done.status, run["specification"]["version"]) == (0, "1"), done
    assert "specification 1, cases " in done.out


def test_without_a_pin_the_newest_version_counts(tmp_path: Path) -> None:
    chosen = ("--case", "create.accepted", "--profile", "2026-05", "--strict")
    kit("run", *chosen, "--report", str(tmp_path / "run.json"))
    run = json.loads((tmp_path / "run.json").read_text("utf-8"))
    assert run["specification"]["version"] == specification_version()
    assert run["strict"] is True
