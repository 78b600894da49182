"""The kit judges a client on a common HTTP library with its defaults, above all its pool.

The client was written from the specification, so every failure is a bug of the client or of the kit.
The warnings that the defaults of a common library cause are listed here.
"""

import sys
from collections.abc import Mapping
from typing import Final

import pytest

from conformance.casefile.selection import in_turn, select
from tests.conformance.catalogue import all_cases
from tests.conformance.mutants.test_kit_itself import play

DRIVER: Final = (sys.executable, "-m", "tests.conformance.pooled.driver")
ELSEWHERE: Final = "it is followed without credentials and cursor, which no source forbids"
WARNED: Final[Mapping[str, str]] = {
    "wire.six-redirects-are-a-failure": "how many hops are followed is the HTTP stack's choice",
    "wire.an-empty-location-is-a-failure": "an empty reference is the same place (RFC 3986 §5.2)",
    **{
        f"wire.a-redirect-to-another-origin-is-a-failure[{status}]": ELSEWHERE
        for status in (301, 302, 303, 307, 308)
    },
    **{
        f"wire.a-redirect-that-looks-like-home-is-a-failure[{target}]": ELSEWHERE
        for target in ("no-scheme", "credentials", "a-name", "credentials-without-scheme")
    },
}
"""Cases in which the kit warns about a default of httpx that no source forbids."""
FINE: Final = ("pass", "warn", "n/a")
STACKS: Final = ("stdlib", "strict")


@pytest.mark.thorough
def test_a_pooling_client_is_warned_of_the_defaults_of_its_library_and_fails_in_no_case() -> None:
    """Every case is played under one of its profiles in turn, those that warn under all of them."""
    cases = all_cases()
    warning = [case for case in cases if case.id in WARNED]
    once = in_turn([case for case in cases if case not in warning])
    results = play([*once, *warning], 3, DRIVER).results
    failed = {
        f"{result.name}: {finding.actual}"
        for result in results
        if result.verdict.value not in {"pass", "warn"}
        for finding in result.findings
    }
    assert failed == set()
    assert {each.case.id for each in results if each.verdict.value == "warn"} == set(WARNED)
    unjudged = [each for each in results if each.verdict.value == "n/a"]
    assert {bool(each.case.applies) for each in unjudged} == {True}, "it asks for gzip"
    assert len(results) > 900


@pytest.mark.thorough
@pytest.mark.parametrize("stack", STACKS)
def test_the_same_client_fails_in_no_case_on_another_stack(stack: str) -> None:
    """`http.client` in threads, and httpx with a check that every job is complete and its own.

    Each plays every other case; plain httpx plays all.
    """
    share = in_turn(all_cases())[STACKS.index(stack) :: len(STACKS)]
    results = play(share, 3, (*DRIVER, stack)).results
    failed = {result.name for result in results if result.verdict.value not in FINE}
    assert (failed, len(results) > 450) == (set(), True)
    assert {each.case.id for each in results if each.verdict.value == "warn"} <= set(WARNED)


@pytest.mark.parametrize("stack", STACKS)
@pytest.mark.thorough
def test_another_stack_is_not_blamed_either(stack: str) -> None:
    cases = select(all_cases(), (), ("*during-the-create*", "wire.*job*"))
    results = play(in_turn(cases), 2, (*DRIVER, stack)).results
    assert {each.verdict.value for each in results} == {"pass"}


@pytest.mark.thorough
def test_a_pooling_client_uses_its_connection_again_behind_a_held_create() -> None:
    """The cases in which clients with a pool once failed because of a bug in the mock."""
    cases = select(all_cases(), (), ("*during-the-create*",))
    assert {each.verdict.value for each in play(cases, 2, DRIVER).results} == {"pass"}
