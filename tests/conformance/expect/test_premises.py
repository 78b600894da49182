"""Premises, and expectations about all requests or about another origin."""

from collections.abc import Sequence

import pytest

from conformance.trace.events import Called, Fact, Framed, Requested, Settled, Slept, Trace
from conformance.verdict.not_reached.frames import frames_of
from tests.conformance.sample_case import one

HERE = ("host", "127.0.0.1:80")
AWAY = ("host", "localhost:80")
TOKEN = ("authorization", "Bearer [redacted]")


def opened(attempt: int, *headers: tuple[str, str]) -> Requested:
    return Requested("stream", attempt, "GET", "/v1/jobs/a/events/stream", headers, "", attempt)


def trace(*facts: Fact) -> Trace:
    made = Trace()
    for fact in facts:
        made.append(fact, 0.0)
    return made


def met(premise: str, *facts: Fact) -> bool:
    (found,) = one(f"step = [{{do = 'wait'}}]\npremise.{premise}\nexpect.connects = 1\n").premise
    return found.judge(trace(*facts)) is None


def holds(expectation: str, *facts: Fact) -> bool:
    (found,) = one(f"step = [{{do = 'wait'}}]\nexpect.{expectation}\n").expect
    return found.assertion.judge(trace(*facts)) is None


SLEEPS = (Slept(1, 1000.0, "reconnect"), Slept(2, 45000.0, "idle"), Slept(3, 9000.0, "reconnect"))


@pytest.mark.parametrize(
    ("premise", "expected"),
    [("[1000]", True), ("[1000, 9000]", True), ("[2000]", False), ("[1000, 9000, 1000]", False)],
)
def test_a_premise_about_delays_is_about_the_first_ones_between_opens(
    premise: str, *, expected: bool
) -> None:
    assert met(f"sleeps = {premise}", *SLEEPS) is expected


def test_a_premise_about_a_result_is_about_how_the_operation_settled() -> None:
    settled = (Called("wait"), Settled("wait", {"job": {"status": "completed"}}, None))
    assert met("result.wait = {status = 'completed'}", *settled)
    assert not met("result.wait = {status = 'failed'}", *settled)
    assert not met("result.wait = {ok = true}", Called("wait"))


@pytest.mark.parametrize("name", ["*", "stream#*"])
@pytest.mark.parametrize(
    ("requests", "expected"),
    [
        ((opened(1, HERE, TOKEN), opened(2, HERE, TOKEN)), True),
        ((opened(1, HERE, TOKEN), opened(2, HERE)), False),
        ((), False),
    ],
)
def test_a_shape_of_all_requests_is_that_of_every_one(
    name: str, requests: Sequence[Requested], *, expected: bool
) -> None:
    shape = f"request.'{name}' = {{headers = {{Authorization = 'Bearer *'}}}}"
    assert holds(shape, *requests) is expected


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (opened(2, HERE, TOKEN), True),
        (opened(2, AWAY), True),
        (opened(2, AWAY, TOKEN), False),
    ],
)
def test_a_header_may_go_home_and_not_elsewhere(second: Requested, *, expected: bool) -> None:
    assert holds("not_elsewhere = ['Authorization']", opened(1, HERE, TOKEN), second) is expected
    assert not holds("not_elsewhere = ['Host']", opened(1, HERE), opened(2, AWAY))


def test_the_past_of_a_case_has_frames_of_any_size() -> None:
    huge = b'data: {"type": "training.log", "message": "' + b"x" * 9_000_000 + b'"}\n\n'
    events = trace(opened(1, HERE), Framed("stream", 1, 0, None, None, huge)).events
    assert [frame.type for frame in frames_of(events)] == ["training.log"]
