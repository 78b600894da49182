"""The kit judged by broken backends, and by sound ones that are unusual."""

from functools import cache

import anyio
import pytest

from conformance.backends.broken import (
    BackendTrial,
    BrokenBackend,
    backend_matrix,
    benign_backends,
    broken_backends,
    tried,
)
from conformance.backends.cases import backend_cases
from conformance.backends.declare import BackendCase
from conformance.backends.requirements import backend_requirements
from conformance.casefile.requirements import Level
from mock_server.scenario.files import scenario_from_dict

pytestmark = pytest.mark.timeout(120)


@cache
def known() -> dict[str, BrokenBackend]:
    """Return every broken and every benign backend by name."""
    requirements = backend_requirements()
    every = [*broken_backends(requirements), *benign_backends(requirements)]
    return {each.name: each for each in every}


MUTANTS = [name for name, each in known().items() if each.breaks]
BENIGN = [name for name, each in known().items() if not each.breaks]


def test_there_are_enough_of_both() -> None:
    assert len(MUTANTS) >= 50
    assert len(BENIGN) >= 10


@pytest.mark.parametrize("name", known())
def test_a_scenario_is_one_that_the_mock_takes(name: str) -> None:
    scenario_from_dict(known()[name].scenario())


def test_every_must_has_a_case_and_a_mutant() -> None:
    cases = {rule for each in backend_cases().values() for rule in each.requires}
    broken = {rule for each in known().values() for rule in each.breaks}
    musts = {
        rule.id
        for rule in backend_requirements().values()
        if rule.level is Level.MUST and not rule.excluded
    }
    assert musts - cases == set()
    assert musts - broken == set()


def test_every_case_cites_rules_that_exist() -> None:
    rules = set(backend_requirements())
    assert [each.id for each in backend_cases().values() if set(each.requires) - rules] == []


def trial(name: str, *cases: BackendCase) -> BackendTrial:
    """Judge a backend by these cases."""

    async def run() -> BackendTrial:
        return await tried(known()[name], cases, lanes=4)

    return anyio.run(run)


def one_of_each_family() -> list[str]:
    """Return the first mutant of each family."""
    first: dict[str, str] = {}
    for name in MUTANTS:
        first.setdefault(known()[name].family, name)
    return list(first.values())


@pytest.mark.thorough  # CI plays the whole matrix
@pytest.mark.parametrize("name", one_of_each_family())
def test_a_broken_backend_is_caught_for_the_right_reason(name: str) -> None:
    breaks = set(known()[name].breaks)
    cases = [
        each for each in backend_cases().values() if set(each.requires) & breaks and not each.slow
    ]
    found = trial(name, *cases)
    assert found.problem == ""
    assert found.caught, found.wrong or found.missed


@pytest.mark.parametrize("name", [BENIGN[0], BENIGN[-1]])
def test_a_sound_backend_is_not_blamed(name: str) -> None:
    cases = [each for each in backend_cases().values() if not each.slow]
    found = trial(name, *cases)
    assert (found.wrong, found.caught, found.problem) == ({}, {}, "")


@pytest.mark.thorough
@pytest.mark.timeout(600)
def test_every_mutant_is_caught_and_no_sound_backend_blamed() -> None:
    mutants, benign = [known()[name] for name in MUTANTS], [known()[name] for name in BENIGN]
    cases = list(backend_cases().values())

    async def judge() -> tuple[list[str], list[str]]:
        found = await backend_matrix(mutants, benign, cases, lambda _: None)
        survivors = [each.broken.name for each in found.survivors]
        blamed = [each.broken.name for each in found.blamed]
        return survivors, blamed

    assert anyio.run(judge) == ([], [])
