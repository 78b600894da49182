"""The page of evidence is what its declarations and measurements say, and misses nothing in silence."""

import importlib.util
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

import click
import pytest

from conformance.__main__ import cli
from conformance.generate.evidence import (
    PAGE,
    Command,
    Goal,
    Measurement,
    check_status,
    declared,
    measure,
    measured,
    page,
)
from conformance.strict_data import ReadingError
from tests.forked import ROOT

DECLARED = declared()
DECLARATION = """\
[[command]]
name = "count"
section = "Counting"
run = "arkor-conformance count"
needs = "test"
short = "the same"
[[command.promise]]
name = "all"
promise = "All are counted."
read = '(?P<counted>[0-9,]+) of (?P<all>[0-9,]+) in (?P<seconds>[0-9.]+) s'
figure = "{counted} of {all}"
goals = ["counted = all", "seconds ≤ 2"]
missed = "It was night."
"""


def one(tmp_path: Path, text: str = DECLARATION) -> Command:
    """Return the command of a declaration."""
    path = tmp_path / "evidence.toml"
    path.write_text(text, "utf-8")
    (command,) = declared(path)
    return command


def found(command: Command, printed: str) -> Mapping[str, Measurement]:
    """Return what was measured if the command prints this."""
    return {command.name: measure(command, printed, 3.0, "a machine")}


def test_the_page_is_what_the_declarations_and_the_measurements_say() -> None:
    assert PAGE.read_text("utf-8") == page(DECLARED, measured())


@pytest.mark.parametrize("command", DECLARED, ids=lambda command: command.name)
def test_every_promise_has_the_figure_of_its_command(command: Command) -> None:
    measurement = measured()[command.name]
    assert measurement.run == command.run, "it has changed since it was measured"
    assert set(measurement.figures) == {promise.name for promise in command.promises}
    for promise in command.promises:
        figures = measurement.figures[promise.name]
        assert promise.figure.format_map(figures)
        assert not promise.open_goals(figures) or promise.missed, "missed without a reason"


def test_nothing_is_measured_that_is_not_declared() -> None:
    assert set(measured()) == {command.name for command in DECLARED}


@pytest.mark.parametrize("command", DECLARED, ids=lambda command: command.name)
def test_a_command_is_one_that_there_is(command: Command) -> None:
    first, *rest = shlex.split(command.run)
    if first == "python":
        module = rest[rest.index("-m") + 1]
        assert importlib.util.find_spec(module) is not None
    else:
        assert first in {"arkor-conformance", "lint-imports", "locust", "pyright", "pytest"}
    if first == "locust":
        assert (ROOT / rest[rest.index("-f") + 1]).is_file()
    if first == "arkor-conformance":
        options = rest[1 : rest.index("--")] if "--" in rest else rest[1:]
        subcommand = cli.get_command(click.Context(cli), rest[0])
        assert subcommand is not None
        known = {option for each in subcommand.params for option in each.opts}
        assert {option for option in options if option.startswith("-")} <= known


@pytest.mark.parametrize("command", DECLARED, ids=lambda command: command.name)
def test_the_tests_that_ci_runs_instead_are_there(command: Command) -> None:
    for path in re.findall(r"`(tests/[\w/.]+)`", command.short):
        assert (ROOT / path).exists()


def test_a_missed_goal_is_listed_first_with_its_reason(tmp_path: Path) -> None:
    command = one(tmp_path)
    text = page([command], found(command, "1,999 of 2,000 in 2.1 s"))
    assert (
        "- All are counted. Measured: 1,999 of 2,000; the goal is `counted = all`. It was night."
        in text
    )
    assert "| 1,999 of 2,000 | counted = all (**missed**), seconds ≤ 2 (**missed**) |" in text


def test_a_goal_that_is_met_is_not_listed(tmp_path: Path) -> None:
    command = one(tmp_path)
    text = page([command], found(command, "2,000 of 2000 in 2 s"))
    assert "## Missed goals\n\nNone.\n" in text
    assert "| 2,000 of 2000 | counted = all, seconds ≤ 2 |" in text


def test_what_was_not_measured_is_said_to_be_so(tmp_path: Path) -> None:
    assert "Not measured yet." in page([one(tmp_path)], {})


def test_a_figure_that_was_not_printed_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReadingError, match=r"count: all: nothing in the command's output matches"):
        measure(one(tmp_path), "it crashed", 3.0, "a machine")


@pytest.mark.parametrize(
    ("printed", "status", "problem"),
    [
        ("1 of 2 in 1 s", 1, ""),
        ("2 of 2 in 1 s", 0, ""),
        ("2 of 2 in 1 s", 1, "count: ended with status 1"),
        ("1 of 2 in 1 s", 3, "count: ended with status 3"),
    ],
)
def test_only_a_missed_goal_explains_that_a_command_fails(
    tmp_path: Path, printed: str, status: int, problem: str
) -> None:
    command = one(tmp_path)
    measurement = found(command, printed)[command.name]
    if not problem:
        check_status(command, measurement, status)
        return
    with pytest.raises(ReadingError, match=problem):
        check_status(command, measurement, status)


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("{counted} of", "{some} of", "'read' has no group named some"),
        ("seconds ≤ 2", "time ≤ 2", "'read' has no group named time"),
        ("seconds ≤ 2", "seconds < 2", "is not a goal; write, for example"),
        ('name = "all"', "", "'name' is missing"),
    ],
)
def test_a_wrong_declaration_is_an_error(tmp_path: Path, old: str, new: str, problem: str) -> None:
    with pytest.raises(ReadingError, match=re.escape(problem)):
        one(tmp_path, DECLARATION.replace(old, new))


def test_names_are_unique(tmp_path: Path) -> None:
    with pytest.raises(ReadingError, match="a name occurs twice"):
        one(tmp_path, DECLARATION + DECLARATION)


@pytest.mark.parametrize(
    ("goal", "met"), [("a = b", False), ("a ≤ b", True), ("a ≥ 1,000", True), ("b ≥ 2000.5", True)]
)
def test_goals_compare_with_numbers_and_other_figures(goal: str, *, met: bool) -> None:
    assert Goal.read(goal, "here").is_met({"a": "1,000", "b": "2000.5"}) is met
