"""The rules of conduct that are checked in every case, whatever it expects."""

from collections.abc import Sequence

import pytest

from conformance.trace.events import (
    CallbackRan,
    Called,
    Fact,
    Failure,
    Noted,
    Quiet,
    Requested,
    Responded,
    Settled,
    SleepEnded,
    Slept,
    Trace,
    Woken,
)
from conformance.verdict.judge import judge
from conformance.verdict.result import Play, verdict_of
from conformance.verdict.statuses import Verdict
from tests.conformance.sample_case import one

OPEN: Sequence[Fact] = (Called("open"), Settled("open", {}, None))
DONE: Sequence[Fact] = (Called("wait"), Settled("wait", {}, None))
STREAM = Requested("stream", 1, "GET", "/", (), "", 1)
CREATE = Requested("create", 1, "POST", "/", (), "", 1)
CLOSE: Sequence[Fact] = (Called("close"), Settled("close", {}, None))


def words(facts: Sequence[Fact], log: str = "", unanswered: Sequence[str] = ()) -> list[str]:
    trace = Trace()
    for fact in (*OPEN, *facts):
        trace.append(fact, 0.0)
    made = Play(
        case=one("config.token = 'kit-token'\n[expect]\nrequests = {create = 0}"),
        profile="2026-05",
        trace=trace,
        log=log,
        unanswered=unanswered,
    )
    return [finding.assertion for finding in judge(made)]


def test_a_reconnect_before_its_wake_is_a_breach() -> None:
    assert words((Slept(1, 1000, "reconnect"), STREAM)) == ["conduct.wake"]


@pytest.mark.parametrize("end", [Woken(1), SleepEnded(1, "cancelled")])
def test_a_reconnect_after_its_wake_is_none(end: Fact) -> None:
    assert words((Slept(1, 1000, "reconnect"), end, STREAM)) == []


def test_a_sleep_that_ends_as_woken_before_any_wake_is_a_breach() -> None:
    assert words((Slept(1, 1000, "reconnect"), SleepEnded(1, "woken"))) == ["conduct.woken"]


def test_a_sleep_that_ends_as_woken_after_its_wake_is_none() -> None:
    assert words((Slept(1, 1000, "reconnect"), Woken(1), SleepEnded(1, "woken"))) == []


def test_the_end_of_a_sleep_that_was_never_announced_is_no_breach() -> None:
    assert words((SleepEnded(9, "woken"),)) == []


def test_a_delay_is_over_with_the_wait_that_it_belonged_to() -> None:
    aborted = Settled("wait", {}, Failure("aborted", None, ""))
    facts = (Called("wait"), Slept(1, 1000, "reconnect"), aborted, Called("wait#2"), STREAM)
    assert words(facts) == []


def test_an_idle_timer_forbids_no_request() -> None:
    assert words((Slept(1, 45_000, "idle"), STREAM)) == []


@pytest.mark.parametrize("life", [STREAM, CallbackRan("log", {}), Slept(1, 1000, "reconnect")])
def test_nothing_of_a_wait_lives_on_once_it_has_settled(life: Fact) -> None:
    assert words((*DONE, Quiet(), life)) == ["conduct.settled"]


def test_a_request_that_may_have_been_sent_before_wait_settled_is_no_breach() -> None:
    assert words((*DONE, STREAM)) == []


def test_what_the_driver_prints_after_wait_has_settled_is_known_to_be_later() -> None:
    assert words((*DONE, CallbackRan("log", {}))) == ["conduct.settled"]


def test_a_delay_of_one_wait_forbids_no_request_of_another() -> None:
    both = (Called("wait"), Called("wait#2"), Slept(1, 1000, "reconnect"), STREAM)
    assert words(both) == []


def test_another_wait_may_open_the_stream_again() -> None:
    assert words((*DONE, Called("wait#2"), STREAM)) == []


def test_a_request_after_the_case_was_closed_is_a_zombie() -> None:
    late = Requested("create", 1, "POST", "/", (), "", 1)
    assert "conduct.zombie" in words((*CLOSE, late))


def test_a_token_in_an_error_is_a_breach() -> None:
    leak = Settled("start", {}, Failure("http", 401, "bad token kit-token"))
    assert words((Called("start"), leak)) == ["conduct.secret"]


def test_a_token_in_the_log_of_the_driver_is_a_breach() -> None:
    assert words((Noted("driver", "using kit-token"),)) == ["conduct.secret"]
    assert words((), log="Authorization: Bearer kit-token") == ["conduct.secret"]


def test_an_operation_that_never_settles_is_a_breach() -> None:
    assert words((Called("wait"),), unanswered=("wait",)) == ["conduct.answer wait"]


def test_a_case_that_was_not_reached_is_inconclusive_and_fails() -> None:
    case = one("premise.reached = ['stream#2']\n[expect]\nrequests = {create = 0}")
    trace = Trace()
    refused = (Called("wait"), CREATE, Responded("create", 1, 200), STREAM)
    for fact in (*OPEN, *refused, Responded("stream", 1, 503)):
        trace.append(fact, 0.0)
    findings = judge(Play(case=case, trace=trace, profile="2026-05"))
    verdict = verdict_of(findings, lambda _: True)
    assert [(each.not_reached, each.requires) for each in findings] == [(True, ("ARK-BUD-2",))]
    assert (verdict, verdict.fails) == (Verdict.INCONCLUSIVE, True)


def test_what_no_rule_explains_is_an_error_of_the_kit() -> None:
    case = one("premise.reached = ['cancel#1']\n[expect]\nrequests = {create = 0}")
    trace = Trace()
    for fact in OPEN:
        trace.append(fact, 0.0)
    findings = judge(Play(case=case, trace=trace, profile="2026-05"))
    assert verdict_of(findings, lambda _: True) is Verdict.ERROR
