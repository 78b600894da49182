"""Whether the causes of broken clients are right, and which of two faults the plays show."""

from collections.abc import Sequence
from typing import Final

import pytest
from attrs import evolve

from conformance.commands.mutants_command import command
from conformance.diagnosis.broken_clients import BrokenClient, Fails
from conformance.diagnosis.causes import Beginning, Cause, Failure
from conformance.mutants import Mutant, all_mutants, explanations
from conformance.mutants.explanations import Explanation, Fault, drawn_pairs, shown_of
from conformance.verdict.result import CaseResult
from conformance.verdict.statuses import Verdict
from tests.conformance.commandline import kit
from tests.conformance.sample_run import result

CURSOR: Final = "opens the stream again without Last-Event-ID"
DELAY: Final = "backs off for too long"


def mutant(name: str, breaks: str, *follows: str) -> Mutant:
    return Mutant(name, "", (breaks,), "", lambda: None, follows)


ONE: Final = mutant("one", "R-1", "R-3")
OTHER: Final = mutant("other", "R-2", "R-1")
ALONE: Final = BrokenClient(
    name="one", what="", breaks=("R-1",), fails={"a": Fails(CURSOR, "R-1"), "b": Fails(DELAY, "")}
)


def failure(play: str, kind: str, rule: str = "", place: int = 0) -> Failure:
    begins = Beginning(kind=kind, said=kind)
    return Failure(place=place, play=play, rule=rule, verdict=Verdict.FAIL, begins=begins)


def citing(*rules: str) -> CaseResult:
    """Return a result with one finding for each of these rules."""
    failed = result(Verdict.FAIL)
    return evolve(
        failed, findings=tuple(evolve(failed.findings[0], requires=(rule,)) for rule in rules)
    )


def shown(found: Failure, played: CaseResult) -> Sequence[Failure]:
    return shown_of(ONE, ALONE, [found], [played]).shown


def cause(rule: str, *found: Failure) -> Cause:
    return Cause(rule=rule, failures=found, alike=1)


def test_a_fault_is_reached_where_a_play_fails_as_it_does_with_this_fault_alone() -> None:
    same = failure("a", CURSOR, "R-9")
    assert shown(same, citing("R-9")) == (same,)
    cites = failure("a", DELAY, "R-9")
    assert shown(cites, citing("R-9", "R-1")) == (cites,)


@pytest.mark.parametrize(
    ("play", "kind", "rule"), [("a", DELAY, "R-9"), ("c", CURSOR, "R-1"), ("b", CURSOR, "R-1")]
)
def test_a_play_that_fails_in_another_way_does_not_show_a_fault(
    play: str, kind: str, rule: str
) -> None:
    assert not shown(failure(play, kind, rule), citing(rule))


def test_each_of_two_faults_needs_a_cause_of_its_own() -> None:
    both = (ONE, OTHER)
    assert Explanation(both, (cause("R-2"), cause("R-3"))).right
    assert not Explanation(both, (cause("R-1"), cause("R-9"))).right
    assert not Explanation(both, (cause("R-3"), cause("R-9"))).right


def fault(of: Mutant, *found: Failure, alone: int = 3) -> Fault:
    return Fault(mutant=of, alone=alone, shown=found)


def test_a_pair_says_why_it_does_not_count_or_is_not_explained() -> None:
    both = (ONE, OTHER)
    seen, hidden = failure("a", CURSOR, "R-1"), failure("b", CURSOR, "R-3")
    reached = (fault(ONE, seen), fault(OTHER, hidden))
    explained = Explanation(both, (cause("R-2", hidden), cause("R-1", seen)), reached)
    missed = Explanation(both, (cause("R-3", seen, hidden),), reached)
    shared = Explanation(both, (cause("R-1", seen, hidden),), reached)
    assert (explained.reached, explained.right, explained.why()) == (True, True, "")
    assert (missed.reached, missed.right) == (True, False)
    assert missed.why() == (
        "other has no cause of its own: its failures, such as b, are listed under R-3"
    )
    assert shared.why() == "one cause covers both faults"
    unseen = evolve(missed, faults=(fault(ONE, seen), fault(OTHER)))
    assert not unseen.reached
    assert unseen.why() == (
        "other was not reached: a client with only this fault fails 3 plays, but this client does "
        "not fail them in the same way"
    )
    invisible = evolve(missed, faults=(fault(ONE, alone=0), fault(OTHER, hidden)))
    assert invisible.why() == (
        "one was not reached: a client with only this fault passes all the cases played"
    )


def test_pairs_are_drawn_once_each_and_break_no_rule_in_common() -> None:
    third = mutant("third", "R-1")
    drawn = drawn_pairs((ONE, OTHER, third), 9, 1)
    assert sorted((a.name, b.name) for a, b in drawn) == [("one", "other"), ("other", "third")]
    assert drawn_pairs(all_mutants(), 5, 7) == drawn_pairs(all_mutants(), 5, 7)
    assert drawn_pairs(all_mutants(), 5, 7) != drawn_pairs(all_mutants(), 5, 8)


TWICE: Final = "create.submits-again-on-a-second-start"
AGAIN: Final = "resume.starts-over"
FEW: Final = (
    "--case",
    "create.second-start-sends-nothing",
    "--case",
    "resume.cursor-is-sent-on-reopen",
)


def test_the_command_counts_pairs_by_whether_both_faults_were_reached() -> None:
    pair = ("mutants", "--causes", "--pairs", "3", "--mutant", TWICE, "--mutant", AGAIN)
    done = kit(*pair, *FEW, "--patience", "2")
    last = done.out.splitlines()[-1]
    assert (done.status, last) == (
        0,
        "1 pair played; both faults were reached in 1, and both causes are listed in 1 of these",
    ), done
    done = kit(*pair, *FEW[:2], "--patience", "2")
    *_, why, last = done.out.splitlines()
    assert why == (
        f"{TWICE} + {AGAIN}: {AGAIN} was not reached: "
        "a client with only this fault passes all the cases played"
    )
    assert (done.status, last.endswith("both faults were reached in 0")) == (0, True), done


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--mutant", AGAIN, "--mutant", "resume.starts-ovr"), "--mutant resume.starts-ovr: "),
        (("--pairs", "1"), "--pairs: needs --causes"),
        (("--draw", "1"), "--draw: needs --cited or --causes"),
        (("--causes", "--pairs", "1", "--draw", "1"), "--draw: "),
        (("--causes", "--pairs", "1", "--mutant", AGAIN), "--pairs: no two of these mutants "),
        (("--causes", "--cited"), "--causes: "),
    ],
)
def test_options_that_do_not_go_together_are_refused(arguments: tuple[str, ...], said: str) -> None:
    done = kit("mutants", *arguments)
    assert (done.status, done.out, done.err.count("\n")) == (2, "", 1), done
    assert f"arkor-conformance: {said}" in done.err, done


def test_a_reference_that_cannot_start_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(explanations, "REFERENCE", ("./no-driver",))
    status: object = command.main(["--causes", "--mutant", AGAIN], standalone_mode=False)
    out, err = capfd.readouterr()
    assert (status, out, err.count("\n")) == (3, "", 1), err
    assert err.startswith("arkor-conformance: no verdict: the kit's own client ./no-driver: "), err


def test_a_shard_without_a_client_judges_nothing() -> None:
    name = ("--mutant", AGAIN)
    found = [kit("mutants", "--list", *name, "--shard", f"{n}/2").status for n in (1, 2)]
    empty = found.index(4) + 1
    done = kit("mutants", "--causes", *name, "--shard", f"{empty}/2")
    assert (done.status, done.out) == (4, "")
