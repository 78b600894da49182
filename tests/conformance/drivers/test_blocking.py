"""The kit judges the blocking reference client: it conforms, as the asynchronous one does."""

import sys
from typing import Final

import pytest

from conformance.casefile.loader import load_cases
from conformance.casefile.requirements import load_requirements
from conformance.casefile.selection import in_turn, select
from tests.conformance.commandline import kit
from tests.conformance.mutants.test_kit_itself import play

DRIVER: Final = (sys.executable, "-m", "conformance.drivers.python.blocking")
FINE: Final = {"pass", "n/a"}


def test_the_blocking_client_passes_a_share_of_the_cases() -> None:
    """Cases of its own: it waits, sleeps, is aborted and calls back in threads."""
    cases = select(load_cases(load_requirements()), (), ("abort.*", "idle.*", "budget.*"))
    results = play(in_turn(cases)[::4], 2, DRIVER).results
    assert {each.name: each.verdict.value for each in results if each.verdict.value != "pass"} == {}
    assert len(results) > 20


def test_the_blocking_client_really_sleeps_when_it_is_asked_to() -> None:
    case = ("--case", "backoff.begins-anew-after-progress", "--profile", "2026-07")
    done = kit("run", "--time", "scaled", *case, "--", *DRIVER)
    assert (done.status, "1 pass" in done.out) == (0, True), done


@pytest.mark.thorough
def test_the_blocking_client_conforms() -> None:
    results = play(load_cases(load_requirements()), 2, DRIVER).results
    assert {each.name for each in results if each.verdict.value not in FINE} == set()
    assert len(results) > 2500
