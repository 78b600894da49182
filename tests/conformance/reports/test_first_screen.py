"""What a newcomer sees: one sentence, the table, and what to type next."""

import io
from pathlib import Path

import pytest

from conformance.commands.progress import Judging
from conformance.commands.run_command import next_steps
from conformance.reports.screen import Screen
from conformance.reports.summary import in_a_sentence
from conformance.strict_data import Table
from conformance.verdict.statuses import Verdict
from conformance.verdict.time_modes import TimeMode
from tests.conformance.commandline import judge, kit
from tests.conformance.sample_run import result, run

QUICK = ("--case", "create.accepted", "--profile", "2026-07")


@pytest.mark.parametrize(
    ("verdicts", "sentence"),
    [
        ("pass pass", "satisfies every MUST rule of 2026-05 and 2026-07: it passed 2 cases"),
        ("pass fail", "does not conform to 2026-07. It passed 1 of 2 cases"),
        ("pass n/a", "satisfies every MUST rule of 2026-05: it passed 1 case"),
        ("known-failure n/a", "passed 0 of 1 case"),
    ],
)
def test_one_sentence_says_who_was_judged_and_how_it_came_out(verdicts: str, sentence: str) -> None:
    profiles = ("2026-05", "2026-07")
    results = [
        result(Verdict(each), profile=profile)
        for each, profile in zip(verdicts.split(), profiles, strict=True)
    ]
    said = in_a_sentence(Table("run", run(results)))
    rest = " over real sockets, with real faults, in virtual time (1.5 s)."
    assert said == f"probe 1 {sentence}{rest}"


def test_the_sentence_names_the_time_that_was_used() -> None:
    said = in_a_sentence(Table("run", run([result(Verdict.PASS)], time=TimeMode.REAL)))
    assert "with real faults, in real time" in said


def test_the_first_command_says_how_to_get_a_report_and_how_to_judge_a_client_of_ones_own() -> None:
    done = kit("run", *QUICK)
    assert done.out.splitlines()[-3:] == [
        "For a page with every case and what happened in it, add --report report.html",
        "To judge your own client: arkor-conformance run -- node my-driver.mjs",
        "How to write a driver for it: spec/driver-guide.md",
    ]
    assert Path("spec/driver-guide.md").exists()


def test_elsewhere_the_guide_that_is_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    next_steps(run([]), reported=True, own_driver=False)
    *_, named = capsys.readouterr().out.split()
    assert Path(named).read_text("utf-8").startswith("# Write a driver")


def test_what_was_done_already_is_not_suggested(tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    done = judge("sound", "--report", str(report))
    assert done.out.splitlines()[-1] == f"The report: {report}"
    assert "your own client" not in done.out


def test_the_bar_shows_failures_and_the_time_left() -> None:
    output = io.StringIO()
    screen = Screen(file=output, force_terminal=True, width=100, color_system=None)
    judging = Judging(4, screen, shown=True)
    with judging.bar:
        for verdict in (Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE):
            judging.add(result(verdict))
        judging.bar.refresh()
        drawn = output.getvalue().splitlines()[-1]
    assert "3/4 2 failed" in drawn
    assert drawn.rstrip().endswith("left")


def test_there_is_no_bar_where_none_can_be_seen() -> None:
    output = io.StringIO()
    judging = Judging(1, Screen(file=output, force_terminal=True), shown=False)
    with judging.bar:
        judging.add(result(Verdict.PASS))
    assert output.getvalue() == ""
