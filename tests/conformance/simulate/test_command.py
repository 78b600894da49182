"""`arkor-conformance simulate` on the command line."""

import json
import shlex
from pathlib import Path
from typing import Final

import pytest

from conformance.simulate.faults import Kind
from conformance.simulate.fleet import STRATEGIES
from tests.conformance.commandline import kit

PLACES: Final = {kind.word: kind.place for kind in Kind}


def test_jobs_that_keep_their_promises_are_told_in_a_table() -> None:
    found = kit("simulate", "--jobs", "5", "--hours", "2")
    assert (found.status, found.err) == (0, "")
    assert "no event was lost or repeated" in found.out
    assert [line.split()[0] for line in found.out.splitlines()[1:4]] == [
        "2026-05",
        "2026-07",
        "hardened",
    ]


@pytest.mark.parametrize(
    ("mutant", "shrunk"),
    [
        ("create.mints-a-key-for-every-try", ["create"]),
        ("resume.loses-the-last-event-of-a-stream", ["open"]),
        ("resume.starts-over-after-a-rejected-wait", ["event"]),
    ],
)
def test_a_broken_client_is_shrunk_and_told_with_the_command_that_repeats_it(
    mutant: str, shrunk: list[str], tmp_path: Path
) -> None:
    where = tmp_path / "found.json"
    words = ("--jobs", "40", "--hours", "2", "--profile", "hardened", "--mutant", mutant)
    found = kit("simulate", *words, "--json", str(where))
    assert found.status == 1, found.out
    (told,) = json.loads(where.read_text("utf-8"))["jobs"]
    assert [PLACES[word] for word, _, _ in told["shrunk"]] == shrunk
    assert sum(told["faults"].values()) > 0
    (again,) = [line for line in found.out.splitlines() if line.strip().startswith("again")]
    repeated = kit(*shlex.split(again)[2:], "--json", str(where))
    assert repeated.status == 1
    assert repeated.out.splitlines()[-1] == told["broken"]
    assert json.loads(where.read_text("utf-8"))["broken"] == told["broken"]


def test_a_fleet_is_told_in_a_table_and_drawn(tmp_path: Path) -> None:
    picture, figures = tmp_path / "fleet.svg", tmp_path / "fleet.json"
    files = ("--plot", str(picture), "--json", str(figures))
    found = kit("simulate", "--fleet", "200", "--outage", "5", *files)
    assert found.status == 0, found.err
    assert "decorrelated" in found.out
    assert picture.read_text("utf-8").startswith("<svg")
    rows = json.loads(figures.read_text("utf-8"))["fleets"]
    assert [row["strategy"] for row in rows] == list(STRATEGIES)
    assert [row["formula_per_second"] for row in rows] == [None, 400.0, 400.0, 200.0, 100.0]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--plot", "x.svg"], "--plot: applies only to a fleet; add --fleet N"),
        (["--capacity", "5"], "--capacity: applies only to a fleet; add --fleet N"),
        (["--fleet", "5", "--jobs", "2"], "--jobs: does not apply to a fleet"),
        (["--faults", "[]"], "--faults: needs --job and --profile"),
        (["--faults", "1", "--job", "1", "--profile", "hardened"], "--faults: is not a list"),
        (["--mutant", "no.such"], "--mutant no.such: no such mutant"),
        (["--fleet", "0"], "--fleet: '0' is not a whole number from 1 to 1000000"),
        (["--fleet", "1000000000"], "--fleet: '1000000000' is not a whole number"),
        (["--fleet", "5", "--capacity", "0"], "--capacity: '0' is not a number of connections"),
        (["--seed", "one"], "--seed: 'one' is not a whole number"),
        (["--hours", "nan"], "--hours: 'nan' is not a number of hours"),
    ],
)
def test_bad_options_are_told_in_one_line(words: list[str], said: str) -> None:
    found = kit("simulate", *words)
    assert found.status == 2
    assert said in found.err
    assert len(found.err.splitlines()) == 1


@pytest.mark.parametrize("option", ["--plot", "--json"])
def test_a_file_that_cannot_be_written_is_told_before_anything_is_simulated(
    option: str, tmp_path: Path
) -> None:
    found = kit("simulate", "--fleet", "5", option, str(tmp_path))
    assert (found.status, found.out) == (3, "")
    assert found.err == f"arkor-conformance: {option} {tmp_path}: exists but is not a file\n"
