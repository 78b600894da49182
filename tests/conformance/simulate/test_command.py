"""`arkor-conformance simulate` on the command line."""

import shlex
from pathlib import Path

import pytest

from tests.conformance.commandline import kit


def test_jobs_that_keep_their_promises_are_told_in_a_table() -> None:
    found = kit("simulate", "--jobs", "5", "--hours", "2")
    assert found.status == 0, found.err
    assert "nothing lost, nothing twice" in found.out
    assert [line.split()[0] for line in found.out.splitlines()[1:4]] == [
        "2026-05",
        "2026-07",
        "hardened",
    ]


def test_a_broken_client_is_shrunk_and_told_with_the_command_that_repeats_it() -> None:
    mutant = "resume.forgets-the-cursor-on-the-second-reconnect"
    found = kit(
        "simulate", "--jobs", "40", "--hours", "2", "--profile", "hardened", "--mutant", mutant
    )
    assert found.status == 1, found.out
    (again,) = [line for line in found.out.splitlines() if line.strip().startswith("again")]
    words = shlex.split(again)[2:]
    repeated = kit(*words)
    assert repeated.status == 1
    assert "was called back" in repeated.out


def test_a_fleet_is_told_in_a_table_and_drawn(tmp_path: Path) -> None:
    picture = tmp_path / "fleet.svg"
    found = kit("simulate", "--fleet", "200", "--outage", "5", "--plot", str(picture))
    assert found.status == 0, found.err
    assert "decorrelated" in found.out
    assert picture.read_text("utf-8").startswith("<svg")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--plot", "x.svg"], "--plot: draws a fleet"),
        (["--faults", "[]"], "--faults: needs --job and --profile"),
        (["--mutant", "no.such"], "--mutant no.such: no such mutant"),
        (["--fleet", "0"], "--fleet"),
        (["--hours", "nan"], "--hours"),
    ],
)
def test_bad_options_are_told_in_one_line(words: list[str], said: str) -> None:
    found = kit("simulate", *words)
    assert found.status == 2
    assert said in found.err
    assert len(found.err.splitlines()) == 1
