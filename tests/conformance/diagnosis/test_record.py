"""The record of broken clients is of the present ones, and what it hints at is never wrong."""

import random
from collections import Counter

import anyio
import pytest

from conformance.diagnosis.broken_clients import (
    BrokenClient,
    broken_clients,
    play_of,
    read,
    written,
)
from conformance.diagnosis.causes import Beginning, Cause, Failure, causes
from conformance.diagnosis.diagnose import rank_of
from conformance.generate.broken_clients import play
from conformance.mutants import Mutant, all_mutants
from conformance.mutants.explanations import one_of_each_template, sample
from conformance.mutants.kill_matrix import about
from conformance.verdict.statuses import Verdict
from tests.conformance.catalogue import all_cases, all_rules

LEAST_HINTS = 8
"""Hints to be right at least when the client itself is not on record: most have no double."""
MISSED = ["create.changes-the-job-id: ARK-ERR-2"]
"""It asks for a job that does not exist: only the backend knows that the 404 is no refusal."""
MUTANTS = {mutant.name: mutant for mutant in all_mutants()}
REPLAYED = 4
"""Mutants that are played again; the seed is printed with them."""


def plays_of(mutant: Mutant) -> frozenset[str]:
    """Return every play that a mutant was tried with."""
    chosen = sample(one_of_each_template(all_cases()), [mutant])
    return frozenset(play_of(case.id, case.profiles[0]) for case in chosen)


def test_the_record_is_of_every_mutant_and_of_cases_that_there_are() -> None:
    found = [(each.name, each.what, each.breaks) for each in broken_clients()]
    assert found == [(each.name, each.what, each.breaks) for each in all_mutants()]
    for client in broken_clients():
        assert set(client.fails) <= plays_of(MUTANTS[client.name]), client.name


def test_a_record_is_read_as_it_was_written() -> None:
    assert read(written(broken_clients())) == broken_clients()


def test_every_rule_and_every_template_about_what_a_mutant_breaks_is_in_its_sample() -> None:
    cases = one_of_each_template(all_cases())
    for mutant in all_mutants()[::20]:
        chosen = sample(cases, [mutant])
        assert {r for case in chosen for r in case.requires} == {
            r for c in cases for r in c.requires
        }
        assert {c.id for c in about(mutant, cases)} <= {case.id for case in chosen}


def causes_of(client: BrokenClient, known: list[BrokenClient]) -> tuple[Cause, ...]:
    """Return the causes that a run would show, by what is known of other clients."""
    found = [
        Failure(
            place=0,
            play=name,
            rule=fails.rule,
            verdict=Verdict.WARN if fails.warns else Verdict.FAIL,
            begins=Beginning(kind=fails.kind, said=fails.kind),
        )
        for name, fails in client.fails.items()
    ]
    tried = plays_of(MUTANTS[client.name]) if client.whole else frozenset[str]()
    passed = tried - set(client.fails)
    return causes(found, passed, rank_of(all_rules()), known)


def judged(mutant: Mutant, found: tuple[Cause, ...]) -> str:
    like = found[0].resembles if found else None
    if like is None:
        return "unknown"
    return "right" if set(like.breaks) & set(mutant.breaks) else "wrong"


def test_with_each_client_left_out_no_hint_is_wrong() -> None:
    table = Counter[str]()
    wrong: list[str] = []
    for client in broken_clients():
        others = [each for each in broken_clients() if each.name != client.name]
        answer = judged(MUTANTS[client.name], causes_of(client, others))
        table[answer] += 1
        wrong += [client.name] if answer == "wrong" else []
    assert not wrong
    assert table["right"] >= LEAST_HINTS, table


def test_the_first_cause_of_each_client_is_a_rule_that_it_breaks() -> None:
    missed: list[str] = []
    for client in broken_clients():
        others = [each for each in broken_clients() if each.name != client.name]
        mutant, found = MUTANTS[client.name], causes_of(client, others)
        if found and found[0].rule not in {*mutant.breaks, *mutant.follows}:
            missed.append(f"{client.name}: {found[0].rule}")
    assert missed == MISSED


@pytest.mark.thorough
@pytest.mark.timeout(300)
def test_the_record_is_of_what_the_clients_do_today() -> None:
    seed = random.randrange(10**6)  # noqa: S311 - a sample, not a secret
    chosen = random.Random(seed).sample(list(MUTANTS.values()), REPLAYED)  # noqa: S311 - likewise
    cases = one_of_each_template(all_cases())
    found = anyio.run(play, chosen, cases)
    known = {each.name: each for each in broken_clients()}
    for client in found:
        assert dict(client.fails) == dict(known[client.name].fails), f"seed {seed}: {client.name}"


def test_a_client_that_is_on_record_is_recognised() -> None:
    named = 0
    for client in broken_clients():
        found = causes_of(client, list(broken_clients()))
        named += judged(MUTANTS[client.name], found) == "right"
    assert named >= len(MUTANTS) // 5
