"""The record of broken clients is of the present ones, and what it hints at is never wrong."""

import random
from collections import Counter

import anyio
import pytest

from conformance.diagnosis.broken_clients import BrokenClient, Record, read, record, written
from conformance.diagnosis.causes import Beginning, Cause, Failure, causes
from conformance.diagnosis.diagnose import rank_of
from conformance.generate.broken_clients import play
from conformance.mutants import Mutant, all_mutants
from conformance.mutants.explanations import one_of_each_template
from conformance.verdict.statuses import Verdict
from tests.conformance.catalogue import all_cases, all_rules

MUTANTS = {mutant.name: mutant for mutant in all_mutants()}
REPLAYED = 4
"""Mutants that are played again; the seed is printed with them."""


def test_the_record_is_of_every_mutant_and_of_every_template() -> None:
    found = [(each.name, each.what, each.breaks) for each in record().clients]
    assert found == [(each.name, each.what, each.breaks) for each in all_mutants()]
    templates = {case.id.partition("[")[0] for case in all_cases()}
    assert {each.partition("@")[0] for each in record().plays} == templates
    assert len(record().plays) == len(templates)


def test_a_record_is_read_as_it_was_written() -> None:
    assert read(written(record())) == record()


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
    passed = record().plays - set(client.fails) if client.whole else frozenset[str]()
    return causes(found, passed, rank_of(all_rules()), known)


def judged(mutant: Mutant, found: tuple[Cause, ...]) -> str:
    like = found[0].resembles if found else None
    if like is None:
        return "unknown"
    return "right" if set(like.breaks) & set(mutant.breaks) else "wrong"


def test_with_each_client_left_out_no_hint_is_wrong() -> None:
    table = Counter[str]()
    wrong: list[str] = []
    for client in record().clients:
        others = [each for each in record().clients if each.name != client.name]
        answer = judged(MUTANTS[client.name], causes_of(client, others))
        table[answer] += 1
        wrong += [client.name] if answer == "wrong" else []
    assert not wrong
    assert table["right"] >= len(MUTANTS) // 4, table


def test_the_first_cause_is_a_rule_that_the_client_breaks() -> None:
    missed: list[str] = []
    for client in record().clients:
        others = [each for each in record().clients if each.name != client.name]
        mutant, found = MUTANTS[client.name], causes_of(client, others)
        if found and found[0].rule not in {*mutant.breaks, *mutant.follows}:
            missed.append(f"{client.name}: {found[0].rule}")
    assert len(missed) <= len(MUTANTS) // 50, missed


@pytest.mark.thorough
@pytest.mark.timeout(300)
def test_the_record_is_of_what_the_clients_do_today() -> None:
    seed = random.randrange(10**6)  # noqa: S311 - a sample, not a secret
    chosen = random.Random(seed).sample(list(MUTANTS.values()), REPLAYED)  # noqa: S311 - likewise
    cases = one_of_each_template(all_cases())
    found: Record = anyio.run(play, chosen, cases)
    known = {each.name: each for each in record().clients}
    for client in found.clients:
        assert dict(client.fails) == dict(known[client.name].fails), f"seed {seed}: {client.name}"
