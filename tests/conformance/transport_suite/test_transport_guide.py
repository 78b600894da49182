"""The guide for authors of transports is executed, and agrees with the suite."""

import re
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from conformance.casefile.requirements import load_requirements
from conformance.transport_suite import CHECKS, Check, Client, Setup
from tests.conformance.commandline import ROOT
from tests.conformance.transport_suite.test_broken import CAUGHT

GUIDE: Final = (ROOT / "spec" / "transport-guide.md").read_text("utf-8")
LACKING: Final = re.compile(
    "abort|a-close|closed-client|share|overlap|cancel-during|may-cancel|has-a-limit|has-the-limit"
    "|interim|before-the-request|not-http-is-a|silent|does-not-end|refused-connection|hook-that"
    "|open-stream$|tls|authority|another-host|in-a-header"
)
"""The checks for which the first transport of the guide is too simple."""
KEPT: Final = [check for check in CHECKS if not LACKING.search(check.name)]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Setup], Client]:
    found = re.search(
        r"<!-- file: first.py -->\n```python\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL
    )
    assert found is not None
    path = tmp_path_factory.mktemp("guide") / "first.py"
    path.write_text(found[1], "utf-8")
    return transport_in(path)


def transport_in(path: Path) -> Callable[[Setup], Client]:
    """Return the class that the guide's program defines."""
    opened: Callable[[Setup], Client] = runpy.run_path(str(path))["First"]
    return opened


@pytest.mark.parametrize("check", KEPT, ids=str)
def test_the_first_transport_keeps_what_the_guide_says(
    check: Check, first: Callable[[Setup], Client]
) -> None:
    check.run(first)


def test_the_guide_counts_what_the_first_transport_keeps() -> None:
    assert f"This transport passes {len(KEPT)} of the {len(CHECKS)} checks." in GUIDE


def test_the_guide_lists_the_mistakes_that_are_planted() -> None:
    listed = re.findall(r"^\| (.+) \| `(.+)` \|$", GUIDE.partition("## 5")[2], re.MULTILINE)
    assert listed == [((kind.__doc__ or "").rstrip("."), name) for kind, name, _ in CAUGHT]


@pytest.mark.parametrize("check", CHECKS, ids=str)
def test_a_check_names_a_clause_of_the_contract_and_rules_that_exist(check: Check) -> None:
    assert f"**{check.clause} " in GUIDE
    assert set(check.rules) <= load_requirements().keys()
    assert check.expected.endswith(".")


def test_every_clause_but_the_first_has_a_check() -> None:
    clauses = set(re.findall(r"^\*\*(T\d+) ", GUIDE, re.MULTILINE))
    assert clauses - {check.clause for check in CHECKS} == {"T1"}


def test_no_two_checks_have_the_same_name() -> None:
    assert len({check.name for check in CHECKS}) == len(CHECKS)
