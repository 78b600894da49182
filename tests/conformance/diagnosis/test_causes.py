"""Failures are grouped by how they begin; each group is named after one rule."""

from collections.abc import Sequence

from conformance.diagnosis.broken_clients import BrokenClient, Fails, Signature, resembling
from conformance.diagnosis.causes import Beginning, Cause, Failure, causes
from conformance.verdict.statuses import Verdict

CURSOR = "opens the stream again without Last-Event-ID"
DELAY = "backs off for too long"


def failure(play: str, kind: str, rule: str, verdict: Verdict = Verdict.FAIL) -> Failure:
    begins = Beginning(kind=kind, said=kind)
    return Failure(place=0, play=play, rule=rule, verdict=verdict, begins=begins)


def broken(name: str, breaks: str, **fails: tuple[str, str]) -> BrokenClient:
    return BrokenClient(
        name=name,
        what="",
        breaks=(breaks,),
        fails={play: Fails(*each) for play, each in fails.items()},
    )


def rank(rule: str) -> int:
    """Rank rules by their last digit."""
    return int(rule[-1:] or 0)


def grouped(
    found: Sequence[Failure],
    known: Sequence[BrokenClient] = (),
    passed: frozenset[str] = frozenset(),
) -> tuple[Cause, ...]:
    return causes(found, passed, rank, known)


def test_failures_with_the_same_first_step_have_one_cause_whatever_they_cite() -> None:
    found = grouped(
        [failure("a", CURSOR, "R-2"), failure("b", CURSOR, "R-2"), failure("c", CURSOR, "S-1")]
    )
    assert [(each.rule, len(each.failures), each.alike) for each in found] == [("R-2", 3, 3)]


def test_the_most_typical_failure_comes_first() -> None:
    found = grouped(
        [
            failure("a", CURSOR, "S-1"),
            failure("b", CURSOR, "R-2", Verdict.INCONCLUSIVE),
            failure("c", CURSOR, "R-2"),
        ]
    )
    assert [each.play for each in found[0].failures] == ["c", "b", "a"]


def test_of_rules_that_are_cited_as_often_the_published_one_is_named() -> None:
    found = grouped([failure("a", CURSOR, "S-4"), failure("b", CURSOR, "R-2")])
    assert [each.rule for each in found] == ["R-2"]


def test_groups_of_one_rule_are_one_cause_and_the_largest_speaks_for_it() -> None:
    found = grouped(
        [
            failure("a", DELAY, "R-2"),
            failure("b", CURSOR, "R-2"),
            failure("c", CURSOR, "R-2"),
        ]
    )
    assert [(each.begins.kind, each.alike, len(each.failures)) for each in found] == [
        (CURSOR, 2, 3)
    ]


def test_the_largest_cause_comes_first_and_warnings_last() -> None:
    found = grouped(
        [
            *(failure(str(n), DELAY, "W-1", Verdict.WARN) for n in range(5)),
            failure("a", CURSOR, "R-2"),
        ]
    )
    assert [(each.rule, each.fails) for each in found] == [("R-2", True), ("W-1", False)]


def test_another_fault_with_the_same_first_step_is_a_cause_of_its_own() -> None:
    known = [broken("one", "R-2", a=(CURSOR, "R-2")), broken("two", "S-1", c=(CURSOR, "S-1"))]
    found = grouped(
        [failure("a", CURSOR, "R-2"), failure("b", CURSOR, "R-2"), failure("c", CURSOR, "S-1")],
        known,
    )
    assert [each.rule for each in found] == ["R-2", "S-1"]


def test_what_a_client_with_the_first_fault_fails_as_well_is_no_cause_of_its_own() -> None:
    known = [
        broken("one", "R-2", a=(CURSOR, "R-2"), c=(CURSOR, "S-1")),
        broken("two", "S-1", c=(CURSOR, "S-1")),
    ]
    found = grouped(
        [failure("a", CURSOR, "R-2"), failure("b", CURSOR, "R-2"), failure("c", CURSOR, "S-1")],
        known,
    )
    assert [each.rule for each in found] == ["R-2"]


def test_a_cause_that_another_explains_says_that_it_may_follow() -> None:
    known = [broken("one", "R-2", a=(CURSOR, "R-2"), c=(DELAY, "S-1"))]
    found = grouped([failure("a", CURSOR, "R-2"), failure("c", DELAY, "S-1")], known)
    assert [(each.rule, each.follows) for each in found] == [("S-1", False), ("R-2", False)]
    found = grouped(
        [failure("a", CURSOR, "R-2"), failure("b", CURSOR, "R-2"), failure("c", DELAY, "S-1")],
        known,
    )
    assert [(each.rule, each.follows) for each in found] == [("R-2", False), ("S-1", True)]


def signature(*plays: str, passed: Sequence[str] = ()) -> Signature:
    return Signature(fails=dict.fromkeys(plays, CURSOR), passes=frozenset(passed))


ONE = broken("one", "R-2", **dict.fromkeys("abcd", (CURSOR, "R-2")))


def test_the_broken_client_that_is_most_alike_is_a_hint() -> None:
    other = broken("other", "S-1", a=(DELAY, "S-1"), z=(DELAY, "S-1"))
    assert resembling(signature("a", "b", "c", "d", passed=["z"]), "R-2", [ONE, other]) == ONE


def test_every_play_that_only_the_broken_client_fails_counts_against_it() -> None:
    many = broken("many", "R-2", **dict.fromkeys("abcdefgh", (CURSOR, "R-2")))
    assert resembling(signature("a", "b", "c", passed="defgh"), "R-2", [many]) is None


def test_plays_that_were_not_played_do_not_count() -> None:
    assert resembling(signature("a", "b", "c"), "R-2", [ONE]) == ONE


def test_a_client_that_fails_hardly_anything_is_not_recognised() -> None:
    assert resembling(signature("a", "b"), "R-2", [ONE]) is None


def test_there_is_no_hint_when_two_that_break_different_rules_are_as_alike() -> None:
    other = broken("other", "S-1", **dict.fromkeys("abcd", (CURSOR, "S-1")))
    assert resembling(signature("a", "b", "c", "d"), "R-2", [ONE, other]) is None


def test_there_is_no_hint_that_contradicts_the_rule() -> None:
    assert resembling(signature("a", "b", "c", "d"), "S-1", [ONE]) is None
