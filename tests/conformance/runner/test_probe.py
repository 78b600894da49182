"""The start-up probe: a client is not judged by what its HTTP stack cannot notice."""

import json
import sys
from pathlib import Path

import pytest

from conformance.casefile.selection import select
from conformance.drive.protocol import DriveError, parse_identity
from conformance.runner.probe import worth_probing
from conformance.runner.stack import Sight, Stack
from conformance.words import PROBED
from tests.conformance.catalogue import all_cases
from tests.conformance.commandline import kit
from tests.conformance.sample_case import one

CUT = (
    *("run", "--profile", "2026-07"),
    *("--case", "backoff.cut-chunks-after-progress-are-a-break"),
    *("--case", "backoff.a-short-body-after-progress-is-a-break"),
)
MISSED = dict.fromkeys(PROBED, Sight.MISSED.value).items()


def test_a_stack_that_tells_a_cut_body_is_judged_by_it() -> None:
    done = kit(*CUT)
    assert (done.status, "3 pass" in done.out) == (0, True), done
    assert (
        "can tell a truncated body from a complete one (chunked: yes, Content-Length: yes)"
        in done.err
    )


def test_a_stack_that_does_not_is_not_judged_and_the_summary_says_why(tmp_path: Path) -> None:
    report = tmp_path / "run.json"
    driver = (sys.executable, "-m", "tests.conformance.wrong_drivers.careless")
    done = kit(*CUT, "--case", "create.accepted[200]", "--report", str(report), "--", *driver)
    assert (done.status, "1 pass, 3 n/a" in done.out) == (0, True), done
    assert "cannot always tell a truncated body from a complete one" in done.err
    assert "(chunked: no, Content-Length: no)." in done.err
    assert "the client's HTTP stack lacks truncation.chunks" in done.out
    assert json.loads(report.read_text())["stack"].items() >= MISSED


def test_without_a_budget_nothing_is_found_out_and_nothing_judged() -> None:
    done = kit(
        *CUT, "--", sys.executable, "tests/conformance/wrong_drivers/unsound.py", "no-back-off"
    )
    assert (done.status, "3 n/a" in done.out) == (4, True), done
    assert "Content-Length: not known): the driver lacks config.backoff." in done.err


def test_a_client_that_cannot_be_opened_is_not_found_out_about_and_the_reason_is_its_own() -> None:
    driver = (sys.executable, "tests/conformance/wrong_drivers/unsound.py", "refuses-open")
    done = kit(*CUT, "--", *driver)
    assert (done.status, "3 n/a" in done.out) == (4, True), done
    assert "not known): the driver could not open the case: it follows alone." in done.err


def test_cases_that_do_not_depend_on_it_cost_no_probe() -> None:
    assert kit("run", "--case", "create.accepted[200]").err == ""


def test_only_cases_that_need_it_are_worth_a_probe() -> None:
    assert worth_probing([one("[expect]\nconnects = 1")]) is False
    assert worth_probing([one("needs = ['truncation.length']\n[expect]\nconnects = 1")]) is True


def test_every_word_of_the_probe_has_a_case() -> None:
    cases = all_cases()
    assert set(PROBED) <= {need for case in select(cases) for need in case.needs}


def test_no_driver_can_declare_what_is_probed() -> None:
    hello = {"impl": "x", "version": "1", "profiles": ["2026-05"], "capabilities": [PROBED[0]]}
    with pytest.raises(DriveError, match="use only"):
        parse_identity(hello)


@pytest.mark.parametrize(
    ("sight", "reason"),
    [
        (Sight.MISSED, "lacks truncation.length: it cannot tell a truncated body"),
        (Sight.UNKNOWN, "could not find out whether the client has truncation.length"),
    ],
)
def test_what_was_not_seen_is_lacking(sight: Sight, reason: str) -> None:
    stack = Stack({PROBED[0]: Sight.TOLD, PROBED[1]: sight})
    assert stack.lacking([PROBED[0]]) == ""
    assert reason in stack.lacking(PROBED)
