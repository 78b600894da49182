"""A client that only follows jobs: it is judged by the attached forms, and its verdict says so."""

import sys

import anyio
import pytest

from conformance.casefile.attached import is_attachable
from conformance.casefile.selection import in_turn
from conformance.diagnosis.diagnose import REFERENCE
from conformance.mutants import all_mutants
from conformance.mutants.kill_matrix import about, kill_matrix
from conformance.runner.run import Outcome, Plan, run
from conformance.verdict.statuses import Verdict
from tests.conformance.catalogue import all_cases
from tests.conformance.commandline import kit

FOLLOWER = (sys.executable, "-P", "-m", "tests.conformance.partial.follower")
MUTANTS = (
    "resume.forgets-the-cursor-on-the-second-reconnect",
    "wire.accepts-anything",
    "backoff.waits-linearly",
    "budget.tries-once-more",
    "sse.knows-only-lf",
    "cancel.cancel-ends-the-wait",
)


def attached(share: int) -> Outcome:
    cases = in_turn([case for case in all_cases() if is_attachable(case)][::share])
    plan = Plan(command=FOLLOWER, cases=cases, lanes=2)
    return anyio.run(run, plan)


def test_the_reference_passes_a_sample_of_the_attached_forms() -> None:
    outcome = attached(share=25)
    assert len(outcome.results) >= 40
    assert [r.name for r in outcome.results if r.verdict is not Verdict.PASS] == []


@pytest.mark.thorough
def test_the_reference_passes_every_attached_form() -> None:
    outcome = attached(share=1)
    assert len(outcome.results) >= 900
    assert [r.name for r in outcome.results if r.verdict is not Verdict.PASS] == []


@pytest.mark.parametrize(
    "name",
    [*MUTANTS[:2], *(pytest.param(name, marks=pytest.mark.thorough) for name in MUTANTS[2:])],
)
def test_a_broken_client_is_caught_by_attached_forms(name: str) -> None:
    (mutant,) = [each for each in all_mutants() if each.name == name]
    cases = [case for case in about(mutant, all_cases()) if is_attachable(case)]

    async def judge() -> bool:
        found = await kill_matrix([mutant], cases, lambda _: None, attached=True, enough=True)
        return not found.survivors

    assert anyio.run(judge)


def test_the_verdict_says_that_nothing_was_created() -> None:
    cases = (
        "--filter",
        "resume.a-block-without-data*",
        "--filter",
        "create.*",
        "--profile",
        "2026-07",
    )
    done = kit("run", *cases, "--", *FOLLOWER)
    assert done.status == 0, done.out
    assert "cases are played in attached form, on jobs that already exist" in done.err
    assert "the driver does not declare create" in done.out
    assert "(no create" in done.out


def test_its_failures_are_compared_with_a_reference_that_only_follows() -> None:
    cases = ("--case", "resume.a-block-without-data-moves-the-cursor", "--profile", "2026-07")
    library = (sys.executable, "-P", "-m", "conformance.drivers.python.launchdarkly")
    done = kit("run", *cases, "--", *library)
    assert done.status == 1, done.out
    assert "backs off for 2000 ms instead of 1000 ms" in done.out
    assert "create#1" not in done.out
    assert "submitting the job" not in done.out


def test_a_driver_that_declares_neither_create_nor_attach_creates_jobs() -> None:
    done = kit("run", "--case", "create.accepted[200]", "--", *FOLLOWER, "neither")
    assert (done.status, "conforms in the" in done.out) == (0, True), done.out


def test_smoke_does_not_call_what_is_not_declared() -> None:
    done = kit("smoke", "--", *FOLLOWER, "no-cancel")
    assert (done.status, "the driver works" in done.out) == (0, True), done.out
    assert "calls wait" in done.out
    assert "calls start" not in done.out
    assert "calls cancel" not in done.out


def test_all_that_is_declared_is_called_by_smoke() -> None:
    done = kit("smoke", "--", *REFERENCE)
    called = [name for name in ("start", "wait", "cancel", "abort") if f"calls {name}" in done.out]
    assert called == ["start", "wait", "cancel", "abort"]
