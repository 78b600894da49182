"""Whatever a driver does, the kit ends with a clear verdict and the right status."""

import stat
import sys
from pathlib import Path

import pytest

from tests.conformance.commandline import judge, kit

NO_DRIVER = {
    "exits-at-once": "exited with status 7",
    "prints-garbage-first": "'Welcome to my client, version 3!', which is no line of JSON",
    "prints-a-long-line-first": "printed a line longer than 16777216 bytes",
    "never-answers": "never answered hello",
    "closes-stdin-first": "never answered hello",
    "refuses-hello": "refused arkor-drive/1: I speak arkor-drive/9",
    "says-hello-without-profiles": "'profiles' names at least one",
    "claims-unknown-capability": "the capability 'telepathy'; known are",
}
LIARS = {
    "exits-mid-case": "exited with status 139",
    "prints-garbage": "'DEBUG connecting', which is no line of JSON",
    "prints-a-long-line": "printed a line longer than 16777216 bytes",
    "never-answers-in-case": "nothing happened any more",
    "answers-twice": "a second time",
    "answers-for-another-case": "though nobody asked",
    "closes-stdin": "closed its standard input",
    "closes-stdout": "closed its standard output without exiting",
    "talks-without-end": "it went on without end",
    "says-an-unknown-event": "'telepathy' is unknown",
}


@pytest.mark.parametrize(("fault", "reason"), NO_DRIVER.items())
def test_a_driver_that_is_no_driver_ends_with_status_3_and_a_reason(
    fault: str, reason: str
) -> None:
    done = judge(fault)
    assert (done.status, reason in done.err) == (3, True), done


@pytest.mark.parametrize(("fault", "reason"), LIARS.items())
def test_a_driver_that_says_hello_and_then_lies_ends_with_status_1_and_a_reason(
    fault: str, reason: str
) -> None:
    done = judge(fault)
    assert (done.status, reason in done.out) == (1, True), done


def test_a_driver_without_a_client_fails_by_what_the_wire_shows() -> None:
    done = kit(
        *("run", "--case", "create.accepted", "--profile", "2026-05", "--patience", "1", "--"),
        *("python3", "tests/conformance/drivers/unsound.py", "none"),
    )
    assert done.status == 1
    assert "0 create requests" in done.out


def test_a_missing_driver_ends_with_status_3_and_its_name() -> None:
    done = kit("run", "--case", "create.accepted", "--", "./no-such-driver")
    assert (done.status, "./no-such-driver: there is no such program" in done.err) == (3, True)


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
        *("--", "python3", "tests/conformance/drivers/unsound.py", "exits-mid-case"),
    )
    assert done.status == 1
    assert done.out.count("exited with status 139") == done.out.count("rerun it alone") > 1


@pytest.mark.parametrize(
    ("how", "word"), [("says-so", "conduct.woken"), ("is-silent", "conduct.wake")]
)
def test_smoke_calls_a_driver_that_does_not_sleep_its_sleeps_unsound(how: str, word: str) -> None:
    done = kit("smoke", "--", sys.executable, "-m", "tests.conformance.drivers.eager", how)
    assert (done.status, word in done.out) == (1, True), done
    assert "the driver is not sound yet" in done.out


def test_a_driver_that_does_not_sleep_its_sleeps_breaks_a_rule_of_conduct_in_every_case() -> None:
    done = kit(
        *("run", "--case", "backoff.a-retry-field-is-ignored", "--profile", "2026-05", "--"),
        *(sys.executable, "-m", "tests.conformance.drivers.eager", "says-so"),
    )
    assert (done.status, "conduct.woken" in done.out) == (1, True), done
