"""Whatever a driver does wrong, the kit ends with a clear verdict and the right status."""

import json
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conformance.commandline import ROOT, judge, kit

ONE_PROFILE = ("tests/conformance/wrong_drivers/unsound.py", "declares-one-profile")
NO_DRIVER = {
    "exits-at-once": "exited with status 7",
    "prints-garbage-first": "'Welcome to my client, version 3!', which is not a line of JSON",
    "prints-a-long-line-first": "printed a line longer than 16777216 bytes",
    "never-answers": "did not answer hello",
    "closes-stdin-first": "did not answer hello",
    "refuses-hello": "refused arkor-drive/1: I speak arkor-drive/9",
    "says-hello-without-profiles": "name at least one in 'profiles'",
    "claims-unknown-capability": "the unknown capability 'telepathy'; use only",
}
TALKATIVE = "talks-without-end"
LIARS = {
    "exits-mid-case": "exited with status 139",
    "prints-garbage": "'DEBUG connecting', which is not a line of JSON",
    "prints-a-long-line": "printed a line longer than 16777216 bytes",
    "never-answers-in-case": "start never settled",
    "answers-twice": "a second time",
    "answers-for-another-case": ", which the kit never sent",
    "closes-stdin": "closed its standard input",
    "closes-stdout": "closed its standard output without exiting",
    TALKATIVE: "leaves out further log lines from the driver",
    "says-an-unknown-event": "'telepathy' is unknown",
}


@pytest.mark.parametrize(("fault", "reason"), NO_DRIVER.items())
def test_a_driver_that_is_no_driver_ends_with_status_3_and_a_reason(
    fault: str, reason: str
) -> None:
    done = judge(fault)
    assert (done.status, reason in done.err) == (3, True), done


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        pytest.param(*each, marks=pytest.mark.thorough if each[0] == TALKATIVE else ())
        for each in LIARS.items()
    ],
)
def test_a_driver_that_says_hello_and_then_lies_ends_with_status_1_and_a_reason(
    fault: str, reason: str
) -> None:
    done = judge(fault)
    assert (done.status, reason in done.out) == (1, True), done


def test_a_driver_without_a_client_fails_by_what_the_wire_shows() -> None:
    done = kit(
        *("run", "--case", "create.accepted", "--profile", "2026-05", "--patience", "1", "--"),
        *("python3", "tests/conformance/wrong_drivers/unsound.py", "none"),
    )
    assert done.status == 1
    assert "start resolved before any request" in done.out


def test_a_missing_driver_ends_with_status_3_and_its_name() -> None:
    done = kit("run", "--case", "create.accepted", "--", "./no-such-driver")
    assert (done.status, "./no-such-driver: no such program" in done.err) == (3, True)


def test_a_driver_that_is_not_executable_ends_with_status_3(tmp_path: Path) -> None:
    driver = tmp_path / "driver"
    driver.write_text("#!/bin/sh\n")
    done = kit("run", "--case", "create.accepted", "--", str(driver))
    assert (done.status, "is not executable" in done.err) == (3, True)


def test_a_file_that_is_no_program_ends_with_status_3(tmp_path: Path) -> None:
    driver = tmp_path / "driver"
    driver.write_bytes(b"\x00\x01no program")
    driver.chmod(driver.stat().st_mode | stat.S_IXUSR)
    done = kit("run", "--case", "create.accepted", "--", str(driver))
    assert (done.status, "cannot be run" in done.err) == (3, True)


def test_a_driver_that_dies_is_started_again_for_the_next_case() -> None:
    done = kit(
        *(
            "run",
            "--filter",
            "create.start-*",
            "--profile",
            "2026-05",
            "--patience",
            "1",
            "-j",
            "1",
        ),
        *("--", "python3", "tests/conformance/wrong_drivers/unsound.py", "exits-mid-case"),
    )
    assert done.status == 1
    assert "exited with status 139" in done.out
    assert (
        "begin with the same step: the client could not be fully judged: the driver exited"
        in done.out
    )


@pytest.mark.parametrize(
    ("how", "word"), [("says-so", "conduct.woken"), ("is-silent", "conduct.wake")]
)
def test_smoke_calls_a_driver_that_does_not_sleep_its_sleeps_unsound(how: str, word: str) -> None:
    done = kit("smoke", "--", sys.executable, "-m", "tests.conformance.wrong_drivers.eager", how)
    assert (done.status, word in done.out) == (1, True), done
    assert "the driver does not work yet" in done.out


def test_a_driver_that_does_not_sleep_its_sleeps_breaks_a_rule_of_conduct_in_every_case() -> None:
    done = kit(
        *("run", "--case", "backoff.a-retry-field-is-ignored", "--profile", "2026-05", "--"),
        *(sys.executable, "-m", "tests.conformance.wrong_drivers.eager", "says-so"),
    )
    assert (done.status, "conduct.woken" in done.out) == (1, True), done


@pytest.mark.thorough
def test_a_request_from_a_case_long_over_is_caught_at_the_end_of_the_run(tmp_path: Path) -> None:
    done = kit(
        *("run", "--filter", "sse.*", "--profile", "2026-05", "-j", "1", "--patience", "1"),
        *("--report", str(tmp_path / "run.json"), "--"),
        *(sys.executable, "tests/conformance/wrong_drivers/unsound.py", "haunts-the-first-case"),
    )
    results = json.loads((tmp_path / "run.json").read_text())["results"]
    haunted = [
        number
        for number, result in enumerate(results)
        if any(finding["assertion"] == "conduct.zombie" for finding in result["findings"])
    ]
    assert (done.status, haunted, len(results) > 200) == (1, [0], True)


@pytest.mark.thorough
def test_few_open_files_are_said_and_the_newest_cases_are_still_watched() -> None:
    command = [sys.executable, "-m", "conformance", "run", "--filter", "events.*"]
    command += ["--profile", "2026-05"]
    done = subprocess.run(
        ["/bin/sh", "-c", 'ulimit -n 300; exec "$@"', "sh", *command],
        capture_output=True,
        cwd=ROOT,
        text=True,
        timeout=240,
        check=False,
    )
    assert (done.returncode, done.stdout.count("conforms in the")) == (0, 1), done
    assert "the limit on open files is too low: only 22 of " in done.stderr


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("cancel.sends-one-request", "0 cancel requests"),
        ("abort.on-an-idle-stream", "which step 2 waits for"),
    ],
)
def test_a_driver_that_claims_what_its_client_cannot_do_fails_by_the_wire(
    case: str, said: str
) -> None:
    done = kit(
        *("run", "--case", case, "--profile", "2026-05", "--patience", "1", "--"),
        *(sys.executable, "tests/conformance/wrong_drivers/unsound.py", "none"),
    )
    assert (done.status, said in done.out) == (1, True), done
    assert "step step" not in done.out


def test_a_driver_that_never_answers_is_told_how_long_it_was_waited_for() -> None:
    assert (
        "within 4 s; make sure that it flushes its output after each line"
        in judge("never-answers").err
    )


def test_a_directory_is_no_driver(tmp_path: Path) -> None:
    done = kit("run", "--", str(tmp_path))
    assert (done.status, "is a directory" in done.err) == (3, True)


def test_a_script_without_its_interpreter_is_told_from_a_missing_one(tmp_path: Path) -> None:
    driver = tmp_path / "driver"
    driver.write_text("#!/no/such/interpreter\n")
    driver.chmod(driver.stat().st_mode | stat.S_IXUSR)
    done = kit("run", "--", str(driver))
    assert (done.status, "the interpreter named in its first line" in done.err) == (3, True)


def test_a_profile_that_the_driver_does_not_declare_gets_no_verdict() -> None:
    done = kit("run", "--case", "create.accepted", "--", sys.executable, *ONE_PROFILE)
    row = next(line for line in done.out.splitlines() if line.startswith("hardened"))
    assert row.split() == ["hardened", "not", "declared", "by", "the", "driver", "-", "-", "-"]


def test_a_reader_that_has_seen_enough_is_no_error_of_the_kit() -> None:
    done = subprocess.run(
        [
            "/bin/bash",
            "-c",
            '"$0" -m conformance list | head -1; exit ${PIPESTATUS[0]}',
            sys.executable,
        ],
        capture_output=True,
        cwd=ROOT,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (141, "")
