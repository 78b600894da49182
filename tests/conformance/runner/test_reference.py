"""The reference client conforms, and the output of a run explains itself."""

import json
import os
import pty
import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from conformance.expect.premise import Premise
from tests.conformance.catalogue import all_cases, all_rules
from tests.conformance.commandline import ROOT, kit


def test_a_family_passes_and_the_screen_says_so_in_a_few_lines() -> None:
    done = kit("run", "--filter", "cancel.*", "-j", "2")
    assert done.status == 0, done.out
    assert done.out.count("conforms in the") == 3
    assert len(done.out.splitlines()) <= 10


def test_one_case_can_be_run_alone() -> None:
    done = kit("run", "--case", "create.second-start-sends-nothing", "--profile", "hardened")
    assert (done.status, "1 pass" in done.out) == (0, True)


@pytest.mark.parametrize("isolate", [(), ("--isolate",)])
@pytest.mark.thorough
def test_a_driver_process_per_case_says_the_same(isolate: tuple[str, ...]) -> None:
    done = kit("run", "--filter", "abort.*", "--profile", "2026-05", *isolate)
    assert (done.status, "conforms in the" in done.out) == (0, True)


def test_nothing_selected_is_a_status_of_its_own() -> None:
    done = kit("run", "--filter", "nothing.like-this")
    assert (done.status, "no case was selected" in done.err) == (4, True)


def test_an_unknown_case_is_a_usage_error_with_the_nearest_one() -> None:
    done = kit("run", "--case", "create.secondstart-sends-nothing")
    assert done.status == 2
    assert "did you mean 'create.second-start-sends-nothing'?" in done.err


def test_an_unknown_option_is_a_usage_error() -> None:
    assert kit("run", "--fast").status == 2


def test_the_smoke_test_calls_the_reference_sound() -> None:
    done = kit("smoke")
    assert (done.status, "the driver works" in done.out) == (0, True)


MODEST = """
import anyio

from conformance.drivers.python import translation as to
from conformance.drivers.python.reference import open_client
from conformance.drivers.python.stdio import serve

LEFT_OUT = ("cancel", "abort")
abilities = [each for each in to.HELLO["capabilities"] if each not in LEFT_OUT]
anyio.run(serve, {**to.HELLO, "capabilities": abilities}, open_client, to.explain)
"""
"""The reference driver, but it does not declare `cancel` and `abort`."""


def test_the_smoke_test_leaves_out_what_a_driver_does_not_declare() -> None:
    done = kit("smoke", "--", sys.executable, "-c", MODEST)
    assert (done.status, "the driver works" in done.out) == (0, True), done
    assert "not declared by the driver, so not tried: cancel, abort" in done.out
    assert not re.search("calls (cancel|abort)", done.out)


def on_screen(*arguments: str) -> str:
    """Return what the kit shows on standard error if that is a terminal."""
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        subprocess.run(
            (sys.executable, "-m", "conformance", *arguments),
            stderr=theirs,
            stdout=subprocess.DEVNULL,
            cwd=ROOT,
            timeout=60,
            check=False,
        )
        os.close(theirs)
        shown = screen.read(65536).decode()
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)


def test_the_progress_counts_only_the_profiles_that_the_driver_declares() -> None:
    driver = (sys.executable, "tests/conformance/wrong_drivers/unsound.py", "declares-one-profile")
    shown = on_screen("run", "-j", "1", "--case", "create.accepted", "--", *driver)
    assert "3/3" in shown, shown


def test_an_exploration_shows_its_progress(tmp_path: Path) -> None:
    shown = on_screen("explore", "--schedules", "3", "--out", str(tmp_path / "found.toml"))
    assert "3/3" in shown, shown


def test_a_case_can_be_shown_with_its_rules() -> None:
    done = kit("show", "create.second-start-sends-nothing")
    assert done.status == 0
    assert "ARK-CRE-2" in done.out
    assert "arkor-conformance run --case" in done.out


def test_a_case_is_shown_with_the_sources_of_its_rules() -> None:
    rule = all_rules()["ARK-BUD-13"]
    done = kit("show", "budget.ping-is-not-progress")
    assert f"ARK-BUD-13 · MUST · 2026-07, hardened · {rule.source}\n" in done.out
    assert "published: R-1\u2032" in done.out


@pytest.mark.parametrize("kind", get_args(Premise))
def test_a_case_is_shown_with_each_kind_of_its_premise(kind: type[Premise]) -> None:
    cases = [c for c in all_cases() if any(type(p) is kind for p in c.premise)]
    case = min(cases, key=lambda case: len(case.premise))
    (said,) = re.findall(r"^Premise: .*\n((?:  .+\n)+)$", kit("show", case.id).out, re.MULTILINE)
    assert said.count("\n") == len(case.premise)


def test_a_case_without_a_premise_or_a_placeholder_is_shown_without_them() -> None:
    cases = all_cases()
    case = next(c for c in cases if not c.premise and "{job}" not in json.dumps(c.source))
    done = kit("show", case.id)
    assert (done.status, "Premise:" in done.out, "a new value" in done.out) == (0, False, False)


def test_a_placeholder_of_a_shown_case_is_explained() -> None:
    cases = all_cases()
    case = next(case for case in cases if "{job}" in json.dumps(case.source))
    assert "{job}: a new value each time the case is played" in kit("show", case.id).out


def test_every_must_has_a_case_and_a_mutant_or_a_reason() -> None:
    done = kit("coverage", "--holes")
    assert (done.status, "0 holes" in done.out) == (0, True), done.out


@pytest.mark.parametrize(
    "mutant",
    [
        "create.submits-again-on-a-second-start",
        "backoff.waits-linearly",
        "budget.tries-once-more",
        "abort.abort-cancels-the-job",
    ],
)
@pytest.mark.thorough
def test_a_broken_client_is_caught_by_a_rule_that_it_breaks(mutant: str) -> None:
    done = kit("mutants", "--mutant", mutant)
    assert done.status == 0, done.out
    assert "1 of 1 mutants caught for the right reason" in done.out
