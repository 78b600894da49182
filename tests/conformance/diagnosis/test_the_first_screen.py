"""A client with one fault: the first screen names the cause in one sentence, and so do the reports."""

import sys
from pathlib import Path
from typing import Final

import pytest

from conformance.reports import write_run
from conformance.reports.digest import causes, cells, reference_step
from conformance.reports.run_json.saved import load
from conformance.strict_data import Table
from tests.conformance.commandline import kit

MUTANT: Final = (sys.executable, "-P", "-m", "conformance.mutants.driver")
SAID: Final = (
    "All 6 failures begin with the same step: after the back-off, the client opens the stream again "
    "without Last-Event-ID"
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the run.json of a client that starts over after each break, beside what was printed."""
    path = tmp_path_factory.mktemp("starts-over") / "run.json"
    case = ("--case", "resume.cursor-is-sent-on-reopen", "--profile", "2026-07")
    done = kit("run", *case, "--report", str(path), "--", *MUTANT, "resume.starts-over")
    path.with_suffix(".txt").write_text(done.out, "utf-8")
    return path


def test_the_screen_ends_with_the_cause_the_table_and_what_to_do_next(saved: Path) -> None:
    lines = saved.with_suffix(".txt").read_text("utf-8").splitlines()
    (sentence,) = (n for n, line in enumerate(lines) if line.startswith(f"1. {SAID}") and n > 9)
    (table,) = (n for n, line in enumerate(lines) if line.startswith("profile "))
    assert sentence < table
    assert lines[-2] == f"The report: {saved}"
    assert lines[-1].startswith("To run only the first failure: arkor-conformance run --case ")


def test_the_step_of_the_reference_is_beside_the_clients(saved: Path) -> None:
    run = Table("run", load(saved))
    first = causes(run)[0].results[0]
    assert "(Last-Event-ID: " in reference_step(first, run)
    assert cells(first) == "backing off / due"


def test_every_report_groups_by_the_same_cause(saved: Path) -> None:
    reports = [saved.with_name(name) for name in ("report.md", "junit.xml")]
    write_run(reports, load(saved))
    for path in reports:
        text = path.read_text("utf-8").replace("\\", "")
        assert SAID in text, path.name
