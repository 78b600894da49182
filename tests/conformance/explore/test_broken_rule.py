"""The first wrong step on a schedule names the broken rule, and what is known is passed over."""

from collections.abc import Sequence

import pytest

from conformance.casefile.requirements import load_requirements
from conformance.explore.known import Broken, PassingOver, broken
from conformance.explore.oracle import (
    Attempt,
    Does,
    Frame,
    Kind,
    Schedule,
    Step,
    Trigger,
    predict,
)
from conformance.explore.parting import Parting, parting
from conformance.explore.schedules import as_case
from conformance.trace.events import CallbackRan, Fact, Failure, Requested, Settled, Slept, Trace
from conformance.verdict.known_failures import Known
from conformance.verdict.result import CaseResult, Finding
from conformance.verdict.statuses import Verdict
from tests.conformance.catalogue import all_cases

DONE = Attempt(frames=(Frame(Kind.COMPLETED, "9"),))
LOG = Attempt(frames=(Frame(Kind.LOG, "1"),))
BROKEN = Attempt(frames=(Frame(Kind.LOG, "1"),), clean=False)
REFUSED = Attempt(status=503)


def of(*frames: Frame, clean: bool = True) -> Attempt:
    return Attempt(frames=frames, clean=clean)


def schedule(*attempts: Attempt, profile: str = "2026-07", budget: int = 3) -> Schedule:
    return Schedule(profile=profile, attempts=attempts, max_attempts=budget)


def fact(step: Step) -> Fact:
    """Return what a trace has of a step."""
    match step.does:
        case Does.OPENS:
            cursor = step.what.removeprefix("after ").strip("'")
            sent = () if step.what == "without a cursor" else (("last-event-id", cursor),)
            return Requested("stream", 1, "GET", "/", sent, "", 1)
        case Does.ASKS:
            return Requested("job", 1, "GET", "/", (), "", 1)
        case Does.CALLS:
            return CallbackRan(step.what, {})
        case Does.SLEEPS:
            return Slept(1, float(step.what.removesuffix(" ms")), "reconnect")
        case Does.SETTLES:
            kind, _, rest = step.what.partition(" ")
            if kind.startswith("resolved"):
                return Settled("wait", {"job": {"status": rest.removeprefix("job ")}}, None)
            return Settled("wait", {}, Failure(kind, int(rest) if rest else None, ""))


def trace_of(steps: Sequence[Step]) -> Trace:
    trace = Trace()
    for n, step in enumerate(steps):
        trace.append(fact(step), float(n))
    return trace


def leaving(of_schedule: Schedule, at: int, *instead: Step) -> Parting | None:
    """Return the parting of a client that takes the predicted steps up to one, then others."""
    return parting(of_schedule, trace_of([*predict(of_schedule).steps[:at], *instead]))


OPENS = Step(Does.OPENS, "without a cursor")
GAVE_UP = Step(Does.SETTLES, "gave_up")
DONE_WITH = Step(Does.SETTLES, "resolved, job completed")


def sleeps(ms: int) -> Step:
    return Step(Does.SLEEPS, f"{ms} ms")


@pytest.mark.parametrize("profile", ["2026-05", "2026-07", "hardened"])
def test_a_client_that_takes_every_predicted_step_breaks_nothing(profile: str) -> None:
    right = schedule(REFUSED, LOG, BROKEN, DONE, profile=profile)
    assert parting(right, trace_of(predict(right).steps)) is None


@pytest.mark.parametrize(
    ("rule", "played", "at", "instead"),
    [
        ("ARK-RES-2", schedule(LOG, DONE), 3, OPENS),
        ("ARK-RES-1", schedule(REFUSED, DONE), 2, Step(Does.OPENS, "after '0'")),
        ("ARK-RES-1", schedule(REFUSED, DONE), 2, Step(Does.OPENS, "after ''")),
        ("ARK-RES-3", schedule(of(Frame(Kind.LOG, "1"), Frame(Kind.LOG)), DONE), 4, OPENS),
        (
            "ARK-RES-9",
            schedule(of(Frame(Kind.LOG, "a b"), Frame(Kind.LOG)), DONE),
            4,
            Step(Does.OPENS, "after 'ab'"),
        ),
        ("ARK-EVT-5", schedule(of(Frame(Kind.PING)), DONE), 1, DONE_WITH),
        ("ARK-RES-3", schedule(LOG, of(Frame(Kind.LOG)), DONE), 6, OPENS),
        ("ARK-RES-5", schedule(of(Frame(Kind.ID_ONLY, "2")), DONE), 2, OPENS),
        ("ARK-RES-8", schedule(of(Frame(Kind.UNKNOWN, "2")), DONE), 2, OPENS),
        (
            "ARK-RES-9",
            schedule(of(Frame(Kind.LOG, "a b")), DONE),
            3,
            Step(Does.OPENS, "after 'ab'"),
        ),
        ("ARK-RES-10", schedule(of(Frame(Kind.LOG, "é")), DONE), 3, OPENS),
        ("ARK-BAK-1", schedule(REFUSED), 1, sleeps(500)),
        ("ARK-BAK-1", schedule(REFUSED), 3, sleeps(1000)),
        ("ARK-BAK-4", schedule(LOG, DONE), 2, sleeps(1100)),
        ("ARK-BUD-3", schedule(REFUSED, BROKEN, DONE), 4, sleeps(2000)),
        ("ARK-BUD-5", schedule(REFUSED, LOG, DONE), 4, sleeps(2000)),
        ("ARK-BUD-9", schedule(REFUSED, LOG, REFUSED, DONE), 6, sleeps(2000)),
        ("ARK-BUD-12", schedule(BROKEN, REFUSED, BROKEN, DONE), 7, sleeps(4000)),
        (
            "ARK-BUD-15",
            schedule(REFUSED, of(Frame(Kind.LOG), clean=False), DONE, profile="hardened"),
            4,
            sleeps(2000),
        ),
        (
            "ARK-EVT-7",
            schedule(of(Frame(Kind.MALFORMED)), budget=0),
            1,
            Step(Does.SETTLES, "protocol"),
        ),
        ("ARK-BUD-13", schedule(REFUSED, of(Frame(Kind.PING)), DONE), 3, sleeps(1000)),
        ("ARK-BUD-18", schedule(REFUSED, of(Frame(Kind.NOT_AN_OBJECT)), DONE), 3, sleeps(1000)),
        ("ARK-BUD-16", schedule(REFUSED, of(Frame(Kind.COMMENT)), DONE), 3, sleeps(1000)),
        ("ARK-BUD-10", schedule(REFUSED, of(), DONE), 3, sleeps(1000)),
        ("ARK-BUD-4", schedule(of(), DONE, budget=0), 1, sleeps(1000)),
        ("ARK-BUD-3", schedule(BROKEN, DONE, budget=0), 2, sleeps(1000)),
        ("ARK-RES-13", schedule(BROKEN, DONE, budget=0), 1, GAVE_UP),
        ("ARK-BUD-6", schedule(REFUSED), 7, sleeps(8000)),
        ("ARK-BUD-6", schedule(REFUSED), 5, GAVE_UP),
        ("ARK-BUD-5", schedule(LOG, DONE, budget=0), 2, GAVE_UP),
        ("ARK-BUD-2", schedule(REFUSED), 1, Step(Does.SETTLES, "http 503")),
        ("ARK-ERR-2", schedule(Attempt(status=401)), 1, sleeps(1000)),
        ("ARK-ERR-3", schedule(Attempt(status=418), profile="hardened"), 1, sleeps(1000)),
        (
            "ARK-ERR-1",
            schedule(Attempt(status=401), profile="2026-05"),
            1,
            Step(Does.SETTLES, "http 401"),
        ),
        ("ARK-EVT-1", schedule(LOG, DONE), 1, sleeps(1000)),
        ("ARK-RES-13", schedule(BROKEN, DONE), 1, sleeps(1000)),
        (
            "ARK-EVT-7",
            schedule(of(Frame(Kind.MALFORMED), Frame(Kind.LOG)), DONE),
            1,
            Step(Does.SETTLES, "protocol"),
        ),
        ("ARK-EVT-25", schedule(LOG, LOG, DONE), 4, sleeps(1000)),
        (
            "ARK-EVT-25",
            schedule(of(Frame(Kind.LOG, "1"), Frame(Kind.LOG, "1")), DONE),
            2,
            sleeps(1000),
        ),
        ("ARK-EVT-9", schedule(DONE), 2, Step(Does.CALLS, "log")),
        ("ARK-EVT-6", schedule(of(Frame(Kind.END))), 1, sleeps(1000)),
        ("ARK-STR-2", schedule(DONE), 2, sleeps(1000)),
        ("ARK-STR-4", schedule(LOG, DONE), 2, DONE_WITH),
        ("ARK-STR-18", schedule(LOG, of(), DONE, profile="hardened"), 4, sleeps(1000)),
        (
            "ARK-BUD-4",
            schedule(LOG, of(), profile="hardened", budget=0),
            5,
            sleeps(1000),
        ),
        ("ARK-ERR-10", schedule(LOG, DONE), 2, ()),
    ],
)
def test_the_first_wrong_step_names_the_rule(
    rule: str, played: Schedule, at: int, instead: Step | tuple[()]
) -> None:
    found = leaving(played, at, *([instead] if isinstance(instead, Step) else []))
    assert found is not None
    assert (found.rule, rule in load_requirements()) == (rule, True), found


@pytest.mark.parametrize(
    ("does", "profile", "instead", "rule"),
    [
        ("abort_in", "2026-07", Step(Does.CALLS, "log"), "ARK-ABT-7"),
        ("abort_in", "2026-07", sleeps(1000), "ARK-ABT-1"),
        ("cancel_in", "2026-07", Step(Does.SETTLES, "aborted"), "ARK-CAN-6"),
        ("throw_in", "2026-07", sleeps(1000), "ARK-EVT-16"),
        ("throw_in", "2026-05", Step(Does.SETTLES, "callback"), "ARK-EVT-15"),
    ],
)
def test_what_the_application_did_decides_about_the_step_after_it(
    does: str, profile: str, instead: Step, rule: str
) -> None:
    told = Schedule(
        profile=profile, attempts=(LOG, DONE), max_attempts=1, trigger=Trigger(does, "log", 1)
    )
    found = leaving(told, 2, instead)
    assert found is not None
    assert found.rule == rule


@pytest.mark.parametrize(("second", "rule"), [("log", "ARK-EVT-2"), ("checkpoint", "ARK-EVT-1")])
def test_an_event_that_comes_later_is_out_of_order_and_another_is_lost(
    second: str, rule: str
) -> None:
    both = schedule(of(Frame(Kind.LOG), Frame(Kind.CHECKPOINT)), DONE)
    found = leaving(both, 1, Step(Does.CALLS, "checkpoint"), Step(Does.CALLS, second))
    assert found is not None
    assert found.rule == rule


def test_a_cancel_that_is_not_sent_is_found_although_every_step_is_right() -> None:
    told = Schedule(
        profile="2026-07",
        attempts=(LOG, DONE),
        max_attempts=1,
        trigger=Trigger("cancel_in", "log", 1),
    )
    found = parting(told, trace_of(predict(told).steps))
    assert found is not None
    assert found.rule == "ARK-CAN-2"


RULES = load_requirements()
PLAYED = schedule(LOG, DONE)


def result(*assertions: str, rule: str = "ARK-SEC-1", steps: int = 3) -> CaseResult:
    """Return a result without a cursor on the reopened stream, with findings by these words."""
    findings = tuple(
        Finding(assertion=word, requires=(rule,), expected="", actual="", event=None)
        for word in assertions
    )
    return CaseResult(
        case=as_case("n", PLAYED, RULES),
        profile="2026-07",
        verdict=Verdict.FAIL if findings else Verdict.PASS,
        findings=findings,
        trace=trace_of([*predict(PLAYED).steps[:steps], OPENS]),
    )


def test_what_follows_from_the_first_wrong_step_is_not_broken_as_well() -> None:
    found = broken(PLAYED, result("last_event_ids", "callbacks", "conduct.end"))
    assert [each.rule for each in found] == ["ARK-RES-2"]


def test_a_breach_of_conduct_is_broken_as_well() -> None:
    found = broken(PLAYED, result("last_event_ids", "conduct.secrets"))
    assert [each.rule for each in found] == ["ARK-RES-2", "ARK-SEC-1"]


def test_a_driver_that_fails_breaks_what_its_finding_cites() -> None:
    assert [each.rule for each in broken(PLAYED, result("driver", rule="ARK-ERR-10"))] == [
        "ARK-ERR-10"
    ]


def test_a_client_that_passes_breaks_nothing() -> None:
    assert broken(PLAYED, result()) == ()


FOUND = (Broken("ARK-RES-2", "last_event_ids", ""),)
BY_RULE = Known(rule=("ARK-RES-2",), reason="r")


@pytest.mark.parametrize(
    ("known", "covered"),
    [
        (BY_RULE, True),
        (Known(rule=("ARK-RES-3",), reason="r"), False),
        (Known(rule=("ARK-RES-2",), reason="r", profile=("hardened",)), False),
        (Known(rule=("ARK-RES-2",), reason="r", assertion=("sleeps",)), False),
        (Known(case="resume.cursor-follows-the-stream", reason="r"), True),
        (Known(case="resume.cursor-is-sent-on-reopen", reason="r"), True),
        (Known(case="create.accepted[200]", reason="r"), False),
        (
            Known(case="create.accepted[200]", rule=("ARK-RES-2",), assertion=("x",), reason="r"),
            True,
        ),
    ],
)
def test_a_known_failure_is_matched_by_its_rule(known: Known, *, covered: bool) -> None:
    passing = PassingOver.of([known], all_cases())
    assert (passing.covers("2026-07", FOUND) is known) is covered


@pytest.mark.parametrize("frame", [Frame(Kind.LOG, "é"), Frame(Kind.ID_ONLY, "2")])
def test_a_client_that_sends_no_cursor_may_never_send_one(frame: Frame) -> None:
    found = leaving(schedule(of(frame), DONE), 2 + (frame.kind is Kind.LOG), OPENS)
    assert found is not None
    seen = Broken(found.rule, "last_event_ids", "", found.rules)
    assert PassingOver.of([BY_RULE], ()).covers("2026-07", [seen]) is BY_RULE


def test_a_schedule_is_passed_over_only_if_all_of_it_is_known() -> None:
    passing = PassingOver.of([BY_RULE], ())
    leak = Broken("ARK-SEC-1", "conduct.secrets", "")
    assert passing.covers("2026-07", (*FOUND, leak)) is None
    assert passing.covers("2026-07", ()) is None


def test_what_was_passed_over_is_counted_up_to_the_first_that_was_not() -> None:
    passing = PassingOver.of([BY_RULE], ())
    for place in (0, 2, 7):
        passing.note(place, BY_RULE)
    assert list(passing.said(5)) == [
        "2 schedules were skipped because of known failures:",
        "  2x ARK-RES-2: r",
    ]
    assert list(PassingOver.of([BY_RULE], ()).said(5)) == []


def test_the_case_of_a_schedule_is_about_the_rule_that_is_broken() -> None:
    case = as_case("n", PLAYED, RULES, "ARK-BUD-9")
    assert case.requires == ("ARK-BUD-9",)
    assert {rule for each in case.expect for rule in each.requires} == {"ARK-BUD-9"}
