"""A driver that hides failures never gets a plain verdict or a green badge.

The client deletes instead of cancelling, or is the reference itself; its driver hides what it can.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final

import anyio
import pytest
from attrs import evolve

from conformance.casefile.model import Case
from conformance.reports.badge import badge
from conformance.runner.run import Plan, run
from conformance.strict_data import Json, Table
from conformance.verdict.claim import SURFACE, Rank
from conformance.verdict.known_failures import declared, weigh
from conformance.verdict.scope import Scope
from tests.conformance.catalogue import all_cases, all_rules
from tests.conformance.sample_run import recorded

BETWEEN: Final = Path(__file__).parents[1] / "wrong_drivers" / "between.py"
REFERENCE: Final = (sys.executable, "-P", "-m", "conformance.drivers.python.reference")
DELETES: Final = (
    sys.executable,
    "-P",
    "-m",
    "conformance.mutants.driver",
    "wire.cancels-with-delete",
)
PROFILE: Final = "2026-07"
_OF_EACH: Final = 1
_NOTHING: Final = "no cancel, no abort, no concurrent, no callbacks.async, no config.backoff"
WAYS: Final = (
    ("declares-no:cancel", DELETES, "no cancel"),
    ("declares-nothing", DELETES, _NOTHING),
    ("unsupported:cancel", REFERENCE, "no cancel"),
    ("unsupported:abort", REFERENCE, "no abort"),
    ("unsupported:start", REFERENCE, "start"),
    ("unsupported-in-the-end", REFERENCE, "close refused in"),
    ("opens-no:cancel", REFERENCE, "open refused in"),
)
"""The way in which a driver hides, the client, and what the verdict says about it."""


@cache
def cases() -> tuple[Case, ...]:
    """Return a few cases about each part of the protocol, used here instead of all cases."""
    every = [case for case in all_cases() if PROFILE in case.profiles]
    some = [case for part in SURFACE for case in [c for c in every if part in c.needs][:_OF_EACH]]
    plain = [case for case in every if case.family == "create" and not case.needs][:_OF_EACH]
    return tuple({case.id: case for case in (*plain, *some)}.values())


def judged(
    way: str, client: Sequence[str], profiles: Sequence[str] = (PROFILE,)
) -> Mapping[str, Json]:
    """Return the run of a client whose driver hides failures."""
    command = (sys.executable, str(BETWEEN), way, *client)
    plan = Plan(command=command, cases=cases(), profiles=profiles, lanes=2, patience=2)
    outcome = anyio.run(run, plan)
    known = declared(outcome.identity.declared_gaps)
    weighed = weigh(outcome.results, known, cases(), date(2026, 1, 1))
    outcome = evolve(outcome, results=weighed.results)
    return recorded(outcome, all_rules(), command, Scope.of(cases(), cases(), profiles))


def verdict(found: Mapping[str, Json]) -> tuple[str, str]:
    """Return the rank and the verdict of the first profile."""
    profile = Table("run", found).tables("profiles")[0]
    return profile.text("rank"), profile.text("verdict")


def colour(found: Mapping[str, Json]) -> str:
    return str(json.loads(badge(found))["color"])


def test_the_reference_conforms_plainly_with_a_green_badge() -> None:
    found = judged("hides-nothing", REFERENCE)
    assert (verdict(found), colour(found)) == (("conforms", "conforms"), "brightgreen")


def test_a_client_that_hides_nothing_does_not_conform() -> None:
    found = judged("hides-nothing", DELETES)
    assert (verdict(found)[0], colour(found)) == (Rank.FAILS.value, "red")


@pytest.mark.parametrize(("way", "client", "said"), WAYS)
def test_hiding_makes_the_claim_smaller(way: str, client: Sequence[str], said: str) -> None:
    found = judged(way, client)
    rank, words = verdict(found)
    assert (rank, said in words) == (Rank.IN_PART.value, True), words
    assert (colour(found), said in str(json.loads(badge(found))["message"])) == ("yellow", True)


def test_a_driver_that_supports_nothing_gets_no_verdict() -> None:
    found = judged("supports-nothing", DELETES)
    assert (verdict(found)[0], colour(found)) == (Rank.NOTHING_RAN.value, "lightgrey")


def test_a_driver_that_opens_nothing_gets_no_verdict() -> None:
    found = judged("opens-no:.", DELETES)
    assert (verdict(found)[0], colour(found)) == (Rank.NOTHING_RAN.value, "lightgrey")


def test_a_driver_that_dies_where_its_client_is_wrong_does_not_conform() -> None:
    found = judged("dies-in:cancel", DELETES)
    assert (verdict(found)[0], colour(found)) == (Rank.FAILS.value, "red")


def test_declared_gaps_everywhere_are_no_green_badge() -> None:
    found = judged(f"declares-gaps:{','.join(case.id for case in cases())}", DELETES)
    rank, words = verdict(found)
    assert (rank, colour(found)) == (Rank.KNOWN_FAILURES.value, "yellow")
    assert "except for" in words


def test_a_profile_that_is_not_declared_is_shown_as_such() -> None:
    found = judged("declares-one-profile", REFERENCE)
    assert (verdict(found)[0], colour(found)) == (Rank.UNDECLARED.value, "lightgrey")


def test_what_did_not_apply_is_grouped_by_the_missing_capability() -> None:
    found = judged("declares-nothing", REFERENCE)
    groups = Table("run", found).tables("not_applicable")
    names = {group.text("name") for group in groups}
    assert {"cancel", "abort", "concurrent", "config.backoff"} <= names
    cancel = next(group for group in groups if group.text("name") == "cancel")
    assert cancel.count("cases") == sum("cancel" in case.needs for case in cases())
    assert cancel.texts("musts"), "cancelling has rules of its own, which were not judged at all"
