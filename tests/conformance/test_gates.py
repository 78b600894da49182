"""The kit is tested itself: each of its assertions can fail, and load and order change nothing."""

import contextlib
import subprocess
import sys
from collections.abc import Generator, Sequence

import anyio
import pytest

from conformance.case import Case
from conformance.catalogue import Outcome, Plan, run
from conformance.commands.run_command import REFERENCE
from conformance.loader import load_cases
from conformance.mutants import benign_variants
from conformance.selection import select
from conformance.specification import PROFILE_NAMES, load_requirements
from conformance.verdict import CaseResult

SAMPLE = ("create.*", "resume.cursor*", "backoff.*", "budget.*", "cancel.*", "abort.*")


def play(
    cases: Sequence[Case],
    lanes: int,
    command: Sequence[str] = REFERENCE,
    profiles: Sequence[str] = PROFILE_NAMES,
) -> Outcome:
    def ignore(_: CaseResult) -> None:
        return

    plan = Plan(command=command, cases=cases, lanes=lanes, profiles=profiles)
    return anyio.run(run, plan, ignore)


def verdicts(outcome: Outcome) -> dict[str, str]:
    return {result.name: result.verdict.value for result in outcome.results}


@pytest.fixture(scope="module")
def catalogue() -> tuple[Case, ...]:
    return load_cases(load_requirements())


@pytest.fixture(scope="module")
def reference(catalogue: tuple[Case, ...]) -> Outcome:
    return play(catalogue, 2)


def test_every_assertion_fails_the_reference_when_it_is_negated(reference: Outcome) -> None:
    deaf = [
        f"{result.name}: {each.assertion.word}"
        for result in reference.results
        for each in result.case.expect
        if each.assertion.negated().judge(result.trace) is None
    ]
    assert deaf == []


def test_the_reference_passes_every_case(reference: Outcome) -> None:
    assert {
        name: verdict for name, verdict in verdicts(reference).items() if verdict != "pass"
    } == {}


@pytest.mark.parametrize("lanes", [1, 8])
def test_order_and_parallelism_change_no_verdict(catalogue: tuple[Case, ...], lanes: int) -> None:
    shuffled = sorted(select(catalogue, (), SAMPLE), key=lambda case: case.id[::-1])
    found = verdicts(play(shuffled, lanes))
    assert {name for name, verdict in found.items() if verdict != "pass"} == set()


@pytest.mark.parametrize("variant", [variant.name for variant in benign_variants()])
def test_a_variant_that_breaks_nothing_passes(catalogue: tuple[Case, ...], variant: str) -> None:
    command = (sys.executable, "-m", "conformance.drivers.mutant", variant)
    found = verdicts(play(select(catalogue, (), SAMPLE), 2, command, ["hardened"]))
    assert {name: verdict for name, verdict in found.items() if verdict != "pass"} == {}


@contextlib.contextmanager
def hogs(count: int) -> Generator[None, None, None]:
    """Keep the machine busy with processes that only burn."""
    burn = (sys.executable, "-c", "while True: pass")
    burning = [subprocess.Popen(burn) for _ in range(count)]  # noqa: S603 - this interpreter
    try:
        yield
    finally:
        for each in burning:
            each.kill()
            each.wait()


def test_a_busy_machine_changes_no_verdict(catalogue: tuple[Case, ...]) -> None:
    with hogs(8):
        found = verdicts(play(select(catalogue, (), ["abort.*"]), 2))
    assert {name for name, verdict in found.items() if verdict != "pass"} == set()
