"""Premises with values: what a client must have done before a case judges its rule."""

import pytest

from conformance.trace.events import CallbackRan, Fact, Slept, Trace
from tests.conformance.sample_case import one

FACTS: tuple[Fact, ...] = (
    Slept(1, 1000, "reconnect"),
    Slept(2, 2000, "reconnect"),
    CallbackRan("log", {"step": 1}),
    CallbackRan("failed", {"error": "out of memory", "step": None}),
)


def met(premise: str) -> bool:
    trace = Trace()
    for fact in FACTS:
        trace.append(fact, 0.0)
    steps = "step = [{do = 'wait'}]\n"
    case = one(f"{steps}expect.requests = {{stream = 1}}\npremise.{premise}")
    return all(each.judge(trace) is None for each in case.premise)


@pytest.mark.parametrize(
    "premise", ["sleeps = [1000]", "sleeps = [1000, 2000]", "carries = {failed = 'error'}"]
)
def test_a_premise_holds_however_much_follows_it(premise: str) -> None:
    assert met(premise)


@pytest.mark.parametrize("premise", ["sleeps = [2000]", "sleeps = [1000, 2000, 4000]"])
def test_a_premise_about_delays_fails_where_one_differs_or_is_missing(premise: str) -> None:
    assert not met(premise)


@pytest.mark.parametrize("premise", ["carries = {failed = 'step'}", "carries = {log = 'error'}"])
def test_a_premise_about_a_text_fails_where_the_callback_has_none(premise: str) -> None:
    assert not met(premise)


def test_a_premise_about_a_text_fails_where_the_callback_never_ran() -> None:
    assert not met("carries = {completed = 'error'}")
