"""Drivers that print without end, leave children behind or print nonsense do not block the kit."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from conformance.casefile.selection import select
from conformance.drive.connection import DriverConnection
from conformance.strict_data import parse_json
from tests.conformance.catalogue import all_cases
from tests.conformance.commandline import ROOT, kit
from tests.conformance.processes import alive
from tests.forked import Finished

WILD = (sys.executable, "tests/conformance/wrong_drivers/wild.py")
ONE = ("--case", "create.start-opens-no-stream", "--profile", "2026-05")
MUCH_MEMORY = 400_000
"""In KiB; the kit alone takes about 50,000."""
PEAK = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
print("peak:", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(done.returncode)
"""
"""A program that runs another and prints how much memory it took at most, in KiB."""
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the group is ended")


def judge(fault: str, *options: str, patience: str = "0.3", file: Path | None = None) -> Finished:
    chosen = () if "--filter" in options else ONE
    named = () if file is None else (str(file),)
    return kit("run", *chosen, "--patience", patience, *options, "--", *WILD, fault, *named)


@pytest.mark.parametrize(
    "fault", ["logs-before-hello", "floods-before-hello", "floods-stderr-before-hello"]
)
def test_a_driver_that_talks_instead_of_saying_hello_ends_with_status_3(fault: str) -> None:
    done = judge(fault)
    assert (done.status, "did not answer hello" in done.err) == (3, True), done


@pytest.mark.parametrize("fault", ["logs-without-end", "sleeps-without-end", "spins"])
def test_a_driver_that_talks_instead_of_answering_gets_a_verdict(fault: str) -> None:
    done = judge(fault)
    assert (done.status, "start never settled" in done.out) == (1, True), done


@pytest.mark.parametrize(
    ("fault", "said"),
    [("logs-much", "start never settled"), ("calls-back-much", "the same repeated")],
)
@pytest.mark.thorough
def test_what_a_driver_says_takes_bounded_memory(fault: str, said: str) -> None:
    command = ("run", *ONE, "--patience", "0.3", "--", *WILD, fault)
    done = kit(*command, under=(sys.executable, "-c", PEAK))
    assert (done.status, said in done.out) == (1, True), done
    assert int(done.err.rsplit("peak:", 1)[1]) < MUCH_MEMORY


@pytest.mark.parametrize("fault", ["very-deep", "long", "utf-16"])
def test_a_line_that_cannot_be_read_is_a_verdict_about_the_driver(fault: str) -> None:
    done = judge(fault)
    assert (done.status, "the driver printed" in done.out) == (1, True), done


def test_lines_may_end_with_a_carriage_return_too() -> None:
    assert "the driver printed" not in judge("ends-lines-with-crlf").out


@pytest.mark.parametrize("ms", ["NaN", "null", "1e400", "9" * 400, "-Infinity"])
def test_a_delay_that_is_not_finite_is_the_fault_of_the_client(ms: str, tmp_path: Path) -> None:
    report = tmp_path / "run.json"
    done = judge(f"sleeps {ms}", "--report", str(report))
    assert (done.status, "the delay is not finite" in done.out) == (1, True), done
    assert "ARK-BAK-8 MUST" in done.out
    parse_json(report.read_text())  # This parser refuses NaN and Infinity.


def test_a_name_that_is_not_unicode_is_spelled_out() -> None:
    done = judge("has-a-surrogate-in-its-name")
    assert (done.status, done.err) == (0, ""), done
    assert (r"wi\ud800ld\u001b[31m 0" in done.out, "\x1b" in done.out) == (True, False), done


def test_an_unknown_id_in_declared_gaps_is_noticed() -> None:
    done = judge("declares-an-unknown-gap")
    assert "create.acceptedd: no such case; did you mean" in done.err
    assert "the driver's declared_gaps" in done.err


def test_smoke_notices_an_unknown_id_in_declared_gaps() -> None:
    done = kit("smoke", "--patience", "0.3", "--", *WILD, "declares-an-unknown-gap")
    assert (done.status, "create.acceptedd: no such case" in done.out) == (1, True)


def test_a_dead_driver_is_told_by_its_first_and_last_lines() -> None:
    said = judge("tells-much-and-dies").err
    assert "it wrote:\nthe first line\na line\n" in said
    assert said.endswith("\na line\nthe last line\n")


@ON_LINUX
def test_a_driver_that_is_dead_is_noticed_though_a_child_holds_its_output(tmp_path: Path) -> None:
    file = tmp_path / "pid"
    # A kit that waited for the end of the output would wait for four times this patience.
    done = judge("leaves-a-child-and-dies", patience="60", file=file)
    assert (done.status, "exited with status 9" in done.err) == (3, True), done
    assert not alive(int(file.read_text()))


@ON_LINUX
@pytest.mark.parametrize("fault", ["dies-with-a-child", "drops-the-mark"])
def test_no_child_of_a_driver_survives_the_run(fault: str, tmp_path: Path) -> None:
    file = tmp_path / "pids"
    judge(fault, file=file)
    assert not any(alive(int(pid)) for pid in file.read_text().split())


@ON_LINUX
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_kit_that_is_told_to_end_says_what_it_has_and_leaves_no_driver(
    number: signal.Signals, status: int, tmp_path: Path
) -> None:
    file, report = tmp_path / "pids", tmp_path / "run.json"
    # `is-stubborn` never answers wait: the first case that waits holds the run.
    os.mkfifo(tmp_path / "ready")
    command = [sys.executable, "-m", "conformance", "run", "--filter", "create.*", "-j", "1"]
    command += ["--profile", "2026-05", "--patience", "60", "--report", str(report), "--"]
    command += [*WILD, "is-stubborn", str(file), str(tmp_path / "ready")]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            (tmp_path / "ready").read_text()  # until a case waits
            running.send_signal(number)
            out, err = running.communicate(timeout=100)
        finally:
            running.kill()
    said = f"cases were not played (interrupted by {number.name})"
    assert (running.returncode, said in " ".join(out.split())) == (status, True), (out, err)
    assert said in report.read_text()
    assert not any(alive(int(pid)) for pid in file.read_text().split())


def test_sleeps_that_are_announced_without_the_clock_get_no_wake_and_one_message() -> None:
    done = judge("announces-undeclared", "--filter", "create.start-*", "-j", "1")
    assert done.err.count("the driver announces sleeps but does not declare clock.virtual") == 1
    assert "conduct.w" not in done.out


def test_a_driver_that_waits_for_a_wake_it_did_not_declare_is_not_judged() -> None:
    done = judge("waits-undeclared")
    assert (done.status, "NOT JUDGED" in done.out) == (3, True), done
    assert "declare clock.virtual, or really sleep" in " ".join(done.out.split())


def test_virtual_time_is_not_forced_on_a_driver_without_the_clock() -> None:
    done = judge("announces-undeclared", "--time", "virtual")
    assert (done.status, "does not declare clock.virtual, but --time virtual" in done.err) == (
        3,
        True,
    )


@ON_LINUX
def test_a_driver_may_be_ended_by_a_signal_that_has_no_name() -> None:
    done = judge("ends-by-a-signal-without-a-name")
    assert (done.status, "was killed by signal 40" in done.out) == (1, True), done


@pytest.mark.parametrize(
    "fault",
    ["crashes", pytest.param("calls-back-fast-without-end", marks=pytest.mark.thorough)],
)
def test_crashes_and_endless_loops_do_not_stop_a_run(fault: str) -> None:
    done = judge(fault, "--filter", "create.a*", "--profile", "2026-05", "--max-hung", "1")
    assert (done.status, "not played" in done.out) == (1, False), done


def test_a_run_in_which_everything_hangs_stops_and_says_what_is_missing(tmp_path: Path) -> None:
    reports = tmp_path / "reports"
    options = ("--filter", "create.*", "--max-hung", "2", "-j", "1", "--report", str(reports))
    done = judge("hangs", *options)
    assert done.status == 1
    found = re.search(r"partial: \d+ of (\d+) cases were not played \(2 cases hung", done.out)
    own = select(all_cases(), (), ("create.*",))
    # The driver declares one profile; cases of the others do not count as missing.
    assert found is not None
    assert int(found[1]) == sum("2026-05" in each.profiles for each in own)
    for name in ("run.json", "junit.xml", "summary.md", "badge.json", "report.html"):
        assert "not played" in (reports / name).read_text(), name


def test_cases_that_are_known_to_hang_stop_no_run() -> None:
    options = ("--filter", "create.accepted*", "--max-hung", "1", "-j", "1")
    done = judge("hangs-where-it-says-so", *options)
    assert (done.status, "3 known-failure" in done.out, "not played" in done.out) == (
        0,
        True,
        False,
    )


def test_a_driver_that_ended_before_it_was_first_read_is_stopped_without_a_fuss() -> None:
    async def play() -> None:
        connection = DriverConnection([sys.executable, "-c", ""])
        connection.start()
        async with anyio.create_task_group() as group:
            group.start_soon(connection.read)
            await connection.stop()

    anyio.run(play)


def test_a_run_of_which_nobody_said_how_much_may_hang_stops_after_six_in_a_row() -> None:
    done = judge("hangs", "--filter", "create.*", "-j", "1", patience="0.05")
    assert (done.status, "6 cases in a row hung for 0.05 s each" in done.out) == (1, True)
