"""`arkor-conformance states` on the command line."""

import json
import sys
from pathlib import Path

import pytest

from tests.conformance.commandline import kit

MUTANT = "budget.never-gives-up"


def test_the_figures_are_shown_in_a_table_and_written_as_json(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    found = kit("states", "--world", "cancel", "--json", str(figures))
    assert found.status == 0, found.err
    assert "every promise holds in every state" in found.out
    assert "ARK-CAN-7" in found.out
    rows = json.loads(figures.read_text("utf-8"))["explorations"]
    assert [(row["profile"], row["states"]) for row in rows] == [
        ("2026-05", 16),
        ("2026-07", 16),
        ("hardened", 16),
    ]


def test_a_bound_that_cuts_is_told() -> None:
    found = kit("states", "--world", "cancel", "--profile", "hardened", "--most", "5")
    assert found.status == 0
    assert (
        "some states were not explored: the limit --most 5 was reached in cancel under hardened"
        in found.out
    )


def test_a_counter_example_is_written_and_replayed(tmp_path: Path) -> None:
    trace, case = tmp_path / "trace.json", tmp_path / "case.toml"
    words = ["--world", "follow", "--profile", "hardened", "--mutant", MUTANT]
    found = kit("states", *words, "--out", str(trace), "--case", str(case))
    assert found.status == 1, found.err
    assert "ARK-BUD-6 is broken" in found.out
    assert "ARK-BUD-6" in case.read_text("utf-8")
    again = kit("states", "--replay", str(trace))
    assert again.status == 1
    assert "ARK-BUD-6 is broken" in again.out
    mended = json.loads(trace.read_text("utf-8"))
    del mended["mutant"]
    trace.write_text(json.dumps(mended), "utf-8")
    fixed = kit("states", "--replay", str(trace))
    assert fixed.status == 0
    assert fixed.out.startswith("the trace no longer fails")


def test_a_counter_example_that_cannot_be_a_case_says_why(tmp_path: Path) -> None:
    case, trace = tmp_path / "case.toml", tmp_path / "trace.json"
    words = ["--world", "leave", "--profile", "hardened"]
    found = kit("states", *words, "--mutant", MUTANT, "--out", str(trace))
    assert found.status == 1
    moved = json.loads(trace.read_text("utf-8"))
    moved["moves"] = ["follow", "leave", *moved["moves"]]
    trace.write_text(json.dumps(moved), "utf-8")
    again = kit("states", "--replay", str(trace), "--case", str(case))
    assert again.status == 1, again.err
    assert "the counter-example cannot be written as a case: it leaves a wait" in again.out
    assert not case.exists()


def test_a_case_that_the_client_passes_is_not_written(tmp_path: Path) -> None:
    case = tmp_path / "case.toml"
    words = ["--world", "cancel", "--mutant", "cancel.does-not-send-the-cancel"]
    found = kit("states", *words, "--case", str(case))
    assert found.status == 1
    assert "the case made from the counter-example was not written: the client passes" in found.out
    assert not case.exists()


def test_a_trace_is_written_as_a_case_that_the_kit_plays(tmp_path: Path) -> None:
    case, trace = tmp_path / "case.toml", tmp_path / "trace.json"
    words = ["--world", "cancel", "--mutant", "create.overlapping-starts-submit-twice"]
    assert kit("states", *words, "--out", str(trace)).status == 1
    found = kit("states", "--replay", str(trace), "--case", str(case))
    assert f"wrote {case}, a case that this client fails" in found.out
    assert kit("run", "--strict", "--file", str(case)).status == 0
    driver = (sys.executable, "-P", "-m", "conformance.mutants.driver", words[-1])
    assert kit("run", "--strict", "--file", str(case), "--", *driver).status == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "the file is empty"),
        ('{"format": "arkor-states/1", "moves": ["fol', "the file is cut off"),
        ("[]", "must be an object"),
        ("{}", "is not a trace from"),
        ('{"format": "arkor-states/2"}', "has the format 'arkor-states/2'"),
        ('{"format": "arkor-states/1"}', "'world' is missing"),
    ],
)
def test_a_file_that_is_not_a_trace_is_refused(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    path.write_text(content, "utf-8")
    found = kit("states", "--replay", str(path))
    assert found.status == 2
    assert said in found.err
    assert len(found.err.splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--case", "."], 3, "exists but is not a file"),
        (["--mutant", "no.such"], 2, "--mutant no.such: no such mutant"),
        (["--world", "nowhere"], 2, "--world"),
        (["--most", "0"], 2, "--most"),
        (["--replay", "missing.json"], 2, "--replay missing.json"),
        (["--out", "."], 3, "exists but is not a file"),
    ],
)
def test_bad_options_are_told_in_one_line(words: list[str], status: int, said: str) -> None:
    found = kit("states", *words)
    assert found.status == status
    assert said in found.err
    assert len(found.err.splitlines()) == 1
