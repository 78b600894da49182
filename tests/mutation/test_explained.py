"""The list of mutants that no test notices is about the source as it is."""

import re

import pytest

from tests.mutation.verdict import README, explained

CORE = README.parents[2] / "arkor_proto"
LINES = {
    line.strip() for path in CORE.glob("_*.py") for line in path.read_text("utf-8").split("\n")
}


def lines(change: str, sign: str) -> list[str]:
    """Return the lines of a change that begin with `sign`, without their indentation."""
    return [line.strip() for line in re.findall(rf"^\{sign}(.*)$", change, re.MULTILINE)]


@pytest.mark.parametrize("change", explained())
def test_every_line_that_a_listed_mutant_changes_is_in_the_source(change: str) -> None:
    assert set(lines(change, "-")) <= LINES


@pytest.mark.parametrize("change", explained())
def test_no_listed_mutant_is_in_the_source(change: str) -> None:
    assert lines(change, "+") != lines(change, "-")


def test_no_mutant_is_listed_twice() -> None:
    assert len({*explained()}) == len(explained()) > 0
