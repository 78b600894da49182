"""Tests of the kit itself: each of its assertions can fail; load and order change nothing."""

import subprocess
import sys
from collections.abc import Sequence
from functools import partial

import anyio
import pytest
from attrs import evolve

from conformance.casefile.model import Await, Case, Step, Until
from conformance.casefile.requirements import PROFILE_NAMES
from conformance.casefile.selection import in_turn, select
from conformance.diagnosis.diagnose import REFERENCE
from conformance.mutants import Mutant, all_mutants, benign_variants
from conformance.mutants.kill_matrix import KillMatrix, kill_matrix
from conformance.mutants.traceability import coverage, unknown_rules
from conformance.runner.run import Outcome, Plan, run
from conformance.verdict.result import CaseResult
from tests.conformance.catalogue import all_cases, all_rules
from tests.conformance.expect.contrary import judge_contrary
from tests.conformance.processes import hogs

SAMPLE = ("create.*", "resume.cursor*", "backoff.*", "budget.*", "cancel.*", "abort.*")
_SHARE = 3
LONG = "backoff.a-thousand-failures-in-a-row"


def play(
    cases: Sequence[Case],
    lanes: int,
    command: Sequence[str] = REFERENCE,
    profiles: Sequence[str] = PROFILE_NAMES,
) -> Outcome:
    plan = Plan(command=command, cases=cases, lanes=lanes, profiles=profiles)
    return anyio.run(run, plan)


def sample(cases: Sequence[Case]) -> Sequence[Case]:
    return [case for case in select(cases, (), SAMPLE) if case.id != LONG]


def verdicts(outcome: Outcome) -> dict[str, str]:
    return {result.name: result.verdict.value for result in outcome.results}


@pytest.fixture(scope="module")
def catalogue() -> tuple[Case, ...]:
    return all_cases()


def deaf(result: CaseResult) -> list[str]:
    """Return the assertions of a case whose contrary holds as well."""
    return [
        f"{result.name}: {each.assertion.word}"
        for each in result.case.expect
        if judge_contrary(each.assertion, result.trace) is None
    ]


ON_THE_WHOLE = ("requests.", "closed ")
"""The expectations that judge a whole case, not one moment of it."""
SHOWN_TO_WORK_AFTERWARDS = {
    "errors.a-deprecated-create-succeeds": "the second create shows that creating works at all",
    "wire.the-token-is-the-callers": "the second create shows that creating works at all",
}


def too_early(result: CaseResult) -> list[str]:
    """Return the assertions of a case about events that come before its premise is met."""
    if result.case.id in SHOWN_TO_WORK_AFTERWARDS:
        return []
    first = result.trace.first
    waited = [name for step in result.case.steps for name in awaited_by(step)]
    premise = [*waited, *(name for each in result.case.premise for name in each.awaited)]
    reached = max((event.seq for name in premise if (event := first(name))), default=0)
    return [
        f"{result.name}: {each.assertion.word}"
        for each in result.case.expect
        if not each.assertion.word.startswith(ON_THE_WHOLE)
        and (names := each.assertion.awaited)
        and all((event := first(name)) is not None and event.seq < reached for name in names)
    ]


def awaited_by(step: Step) -> tuple[str, ...]:
    match step:
        case Until(events=events):
            return events
        case Await():
            return ()
        case _:
            return step.after


def missed(result: CaseResult) -> list[str]:
    """Return the premises of a case that were not reached."""
    return [
        f"{result.name}: {each.word}"
        for each in result.case.premise
        if each.judge(result.trace) is not None
    ]


@pytest.mark.thorough
def test_the_reference_passes_every_case_for_reasons_that_could_fail_it(
    catalogue: tuple[Case, ...],
) -> None:
    """It is a single test because the run takes a minute."""
    found = play(in_turn(catalogue), 3)
    not_passed = {name: word for name, word in verdicts(found).items() if word != "pass"}
    assert (not_passed, len(found.results)) == ({}, len(catalogue))
    for flaw in (deaf, too_early, missed):
        assert [each for result in found.results for each in flaw(result)] == [], flaw.__name__


@pytest.mark.thorough
@pytest.mark.parametrize("lanes", [1, 8])
def test_order_and_parallelism_change_no_verdict(catalogue: tuple[Case, ...], lanes: int) -> None:
    shuffled = sorted(in_turn(sample(catalogue)), key=lambda case: case.id[::-1])
    found = verdicts(play(shuffled, lanes))
    assert {name for name, verdict in found.items() if verdict != "pass"} == set()


@pytest.mark.thorough
@pytest.mark.parametrize("number", range(len(benign_variants())))
def test_a_variant_that_breaks_nothing_passes(catalogue: tuple[Case, ...], number: int) -> None:
    """Each variant plays a third of the sample, so any three in a row play all of it."""
    command = (sys.executable, "-m", "conformance.mutants.driver", benign_variants()[number].name)
    share = sample(catalogue)[number % _SHARE :: _SHARE]
    found = verdicts(play(share, 2, command, ["hardened"]))
    assert {name: verdict for name, verdict in found.items() if verdict != "pass"} == {}


@pytest.mark.thorough
def test_a_busy_machine_changes_no_verdict(catalogue: tuple[Case, ...]) -> None:
    with hogs(8):
        found = verdicts(play(select(catalogue, (), ["abort.*"]), 2))
    assert {name for name, verdict in found.items() if verdict != "pass"} == set()


def test_there_are_enough_broken_clients_and_enough_sound_ones() -> None:
    assert (len(all_mutants()) >= 80, len(benign_variants()) >= 15) == (True, True)


def test_every_mutant_and_every_variant_has_a_name_of_its_own() -> None:
    names = [mutant.name for mutant in (*all_mutants(), *benign_variants())]
    assert sorted(set(names)) == sorted(names)


def test_every_surgery_still_applies_to_the_core() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.conformance.mutants.apply_each"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [], "the core has moved: mend these in conformance/mutants"


def test_every_must_has_a_case_and_a_mutant(catalogue: tuple[Case, ...]) -> None:
    requirements = all_rules()
    lines = coverage(requirements, catalogue, all_mutants())
    assert [(line.requirement.id, line.hole) for line in lines if line.hole] == []


def test_mutants_break_requirements_that_there_are() -> None:
    assert unknown_rules(all_rules(), all_mutants()) == []


def named(name: str) -> Mutant:
    return next(each for each in (*all_mutants(), *benign_variants()) if each.name == name)


def trials(cases: Sequence[Case], *mutants: Mutant) -> KillMatrix:
    async def go() -> KillMatrix:
        return await kill_matrix(mutants, cases, lambda _: None, patience=2.0)

    return anyio.run(go)


def test_a_hunt_catches_a_mutant_by_what_it_breaks(catalogue: tuple[Case, ...]) -> None:
    found = trials(catalogue, named("create.submits-again-on-a-second-start"))
    reasons = {rule for kill in found.trials[0].kills for rule in kill.finding.requires}
    assert reasons == {"ARK-CRE-2"}


@pytest.mark.thorough
def test_a_hunt_lets_a_sound_client_survive(catalogue: tuple[Case, ...]) -> None:
    sound = evolve(named("benign.keeps-no-connection"), breaks=("ARK-CRE-2",))
    assert trials(catalogue, sound).survivors != []


def test_a_finding_about_something_else_catches_nothing(catalogue: tuple[Case, ...]) -> None:
    wrong = evolve(named("wire.tells-the-token"), breaks=("ARK-CRE-10",))
    (survivor,) = trials(catalogue, wrong).survivors
    assert {kill.finding.assertion for kill in survivor.wrong_reason} == {"conduct.secret"}


@pytest.mark.thorough
def test_a_case_that_catches_no_mutant_is_idle(catalogue: tuple[Case, ...]) -> None:
    cases = select(catalogue, ("create.second-start-sends-nothing", "create.accepted"), ())
    found = trials(cases, named("create.submits-again-on-a-second-start"))
    assert {case.id for case in found.idle(cases)} == {
        "create.accepted[200]",
        "create.accepted[201]",
        "create.accepted[202]",
    }


@pytest.mark.thorough
def test_a_hunt_that_has_enough_plays_no_case_twice_to_the_same_end(
    catalogue: tuple[Case, ...],
) -> None:
    async def go(*, enough: bool) -> KillMatrix:
        cases = select(catalogue, ("create.accepted",), ())
        both = (
            named("create.changes-the-job-id"),
            named("calls.takes-every-create-for-refused"),
        )
        return await kill_matrix(both, cases, lambda _: None, lanes=1, patience=2.0, enough=enough)

    whole, quick = anyio.run(partial(go, enough=False)), anyio.run(partial(go, enough=True))
    assert (whole.survivors, quick.survivors) == ([], [])
    assert sum(each.played for each in quick.trials) < sum(each.played for each in whole.trials)


def test_the_reference_is_the_control_of_a_hunt(catalogue: tuple[Case, ...]) -> None:
    cases = select(catalogue, ("create.second-start-sends-nothing",), ())
    found = trials(cases, named("create.submits-again-on-a-second-start"))
    assert [(each.family, each.passed, each.played) for each in found.controls] == [
        ("create", True, 3)
    ]
