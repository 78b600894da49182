"""Each expectation accepts and rejects the right traces, and its contrary the opposite ones."""

from collections.abc import Sequence

import pytest

from conformance.expect.mismatch import Assertion, difference
from conformance.strict_data import Json
from conformance.trace.events import (
    CallbackRan,
    Called,
    Closed,
    Ended,
    Fact,
    Failure,
    Requested,
    Responded,
    Settled,
    Slept,
    Trace,
    Woken,
)
from tests.conformance.expect.contrary import contrary, judge_contrary
from tests.conformance.sample_case import one


def request(route: str, attempt: int, **headers: str) -> Requested:
    found = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    target = "/v1/jobs/a%2Fb/events/stream?orgSlug=my%20org"
    return Requested(route, attempt, "GET", target, found, '{"a": {"b": 1}}', attempt)


FACTS: Sequence[Fact] = (
    Called("wait"),
    request("stream", 1, accept="text/event-stream"),
    Responded("stream", 1, 200),
    CallbackRan("log", {"step": 1, "loss": 0.5}),
    Ended("stream", 1, "eof", "server"),
    Slept(1, 1000.0, "reconnect"),
    Woken(1),
    request("stream", 2, last_event_id="7", idempotency_key="k"),
    Closed(2, "fin", "client", ("stream#2",)),
    CallbackRan("completed", {}),
    Settled("wait", {"job": {"status": "completed"}}, None),
    Called("cancel"),
    Settled("cancel", {}, Failure("http", 409, "over")),
)


def trace(facts: Sequence[Fact] = FACTS) -> Trace:
    made = Trace()
    for fact in facts:
        made.append(fact, 0.0)
    return made


def asserted(expectation: str) -> Assertion:
    steps = "step = [{do = 'wait'}, {do = 'cancel'}]\n"
    (expected,) = one(f"{steps}[expect]\n{expectation}").expect
    return expected.assertion


HOLD = (
    "requests = {stream = 2}",
    "requests = {create = 0}",
    "connects = 2",
    "last_event_ids = [false, '7']",
    "sleeps = [1000]",
    "sleeps = [1300]",
    "sleeps = [{exact = 1000}]",
    "sleeps = [{min = 900}]",
    "sleeps_differ = false",
    "callbacks = ['log', 'completed']",
    "callbacks = ['log', {name = 'completed', data = {}}]",
    "callbacks = [{name = 'log', data = {step = 1}}, 'completed']",
    "calls.log = [{step = 1}]",
    "calls.log = [{}]",
    "calls.completed = [{}]",
    "result.wait = {ok = true}",
    "result.wait = {status = 'completed'}",
    "result.cancel = {error = 'http', code = 409}",
    "result.cancel = {error = 'any'}",
    "quiet_after = ['wait.settled']",
    "request.'stream#1' = {method = 'GET'}",
    "request.'stream#1' = {path = '/v1/jobs/a%2Fb/events/stream'}",
    "request.'stream#1' = {query = {orgSlug = 'my org'}}",
    "request.'stream#1' = {headers = {Accept = 'text/*'}, absent = ['last-event-id']}",
    "request.'stream#1' = {absent = ['last-event-id']}",
    "request.'stream#1' = {json = {a = {b = 1}}}",
    "request.'stream#1' = {json_absent = ['a.c']}",
    "never = ['create#1.requested']",
    "before = [['callback.log#1', 'stream#2.requested']]",
    "closed = ['stream#2']",
    "closed = ['stream#1']",
)
BREAK = (
    "requests = {stream = 1}",
    "last_event_ids = [false, false]",
    "last_event_ids = ['', '7']",
    "last_event_ids = [false]",
    "sleeps = []",
    "sleeps = [2000]",
    "sleeps = [1000, 1000]",
    "sleeps_differ = true",
    "callbacks = ['log']",
    "callbacks = ['completed', 'log']",
    "callbacks = ['log', 'completed', 'failed']",
    "callbacks = [{name = 'log', data = {loss = '<null>'}}, 'completed']",
    "calls.log = [{step = 2}]",
    "calls.log = [{step = 1}, {}]",
    "calls.failed = [{}]",
    "result.wait = {error = 'any'}",
    "result.wait = {status = 'failed'}",
    "result.cancel = {ok = true}",
    "result.cancel = {error = 'http', code = 404}",
    "result.cancel = {error = 'aborted'}",
    "request.'stream#1' = {method = 'POST'}",
    "request.'stream#1' = {query = {projectSlug = 'p'}}",
    "request.'stream#1' = {headers = {x-none = '*'}}",
    "request.'stream#2' = {absent = ['last-event-id']}",
    "request.'stream#1' = {json_absent = ['a.b']}",
    "request.'stream#3' = {method = 'GET'}",
    "equal = [['wait', 'cancel']]",
    "equal_header = {header = 'idempotency-key', of = ['stream#1', 'stream#2']}",
    "never = ['stream#2']",
    "quiet_after = ['callback.log#1']",
    "quiet_after = ['cancel#1.requested']",
    "before = [['stream#2.requested', 'callback.log#1']]",
    "closed = ['stream#3']",
)


@pytest.mark.parametrize("expectation", HOLD)
def test_an_expectation_that_holds_finds_nothing_and_its_contrary_does(expectation: str) -> None:
    assertion = asserted(expectation)
    assert assertion.judge(trace()) is None
    assert judge_contrary(assertion, trace()) is not None


@pytest.mark.parametrize("expectation", BREAK)
def test_an_expectation_that_breaks_says_what_was_expected_and_what_came(expectation: str) -> None:
    found = asserted(expectation).judge(trace())
    assert found is not None
    assert found.expected
    assert found.actual


def test_the_first_diverging_event_is_named() -> None:
    found = asserted("callbacks = ['started', 'completed']").judge(trace())
    assert found is not None
    assert found.event is not None
    assert found.event.names == ("callback#1", "callback.log#1")


def test_a_connection_that_closing_the_case_closes_does_not_count_as_closed() -> None:
    late = (Called("close"), Closed(1, "fin", "client", ("stream#1",)))
    found = asserted("closed = ['stream#1']").judge(trace((request("stream", 1), *late)))
    assert found is not None


def test_a_delay_is_never_above_the_cap() -> None:
    case = one("[config]\nmax_ms = 1100\n[expect]\nsleeps = [1000]")
    assertion = case.expect[0].assertion
    assert assertion.judge(trace((Slept(1, 1099.0, "reconnect"),))) is None
    assert assertion.judge(trace((Slept(1, 1200.0, "reconnect"),))) is not None


def test_idle_timers_are_not_back_off() -> None:
    assert asserted("sleeps = []").judge(trace((Slept(1, 45_000.0, "idle"),))) is None


@pytest.mark.parametrize(
    ("expected", "actual", "same"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, True),
        ({"a": 1}, {"b": 2}, False),
        (1, 1.0, True),
        (1, True, False),
        ("1", 1, False),
        (None, None, True),
        (None, False, False),
        ([1, {"a": 1}], [1, {"a": 1, "b": 1}], True),
        ([1], [1, 2], False),
        ([], "", False),
    ],
)
def test_tables_are_compared_by_the_keys_that_are_expected(
    expected: Json, actual: Json, *, same: bool
) -> None:
    assert (difference(expected, actual) is None) is same


@pytest.mark.parametrize("value", [True, 1, "x", None, {"a": 1}, {}, [], [1]])
def test_the_contrary_of_a_value_differs_from_it(value: Json) -> None:
    assert difference(contrary(value), value) is not None
