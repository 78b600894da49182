"""Where a client leaves the reference: the first step that the other did not take."""

from collections.abc import Sequence

import pytest
from attrs import evolve

from conformance.casefile.nonces import Nonces
from conformance.diagnosis.parting import Parting, parting
from conformance.trace.events import (
    CallbackRan,
    Called,
    Connected,
    Ended,
    Fact,
    Failure,
    Framed,
    Requested,
    Responded,
    Settled,
    SleepEnded,
    Slept,
    Trace,
)
from conformance.verdict.result import CaseResult
from conformance.verdict.statuses import Verdict
from tests.conformance.sample_run import result

_LOG = b'data: {"type": "training.log", "step": 1}\n\n'


def opened(attempt: int, **headers: str) -> Requested:
    """Return a request for the stream; underscores in names of headers are hyphens."""
    given = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return Requested("stream", attempt, "GET", "/v1/jobs/job-1/events/stream", given, "", attempt)


def logged(step: int) -> CallbackRan:
    return CallbackRan("log", {"type": "training.log", "step": step})


def played(*facts: Fact, nonces: Nonces | None = None, blamed: int | None = None) -> CaseResult:
    """Return a failure with this trace; its finding points at event number `blamed`."""
    trace = Trace()
    for number, fact in enumerate(facts):
        trace.append(fact, number / 1000)
    failed = result(Verdict.FAIL)
    event = None if blamed is None else trace.events[blamed - 1]
    finding = evolve(failed.findings[0], event=event)
    return evolve(failed, trace=trace, nonces=nonces, findings=(finding,))


FIRST: Sequence[Fact] = (
    Called("wait"),
    opened(1, accept="text/event-stream"),
    Responded("stream", 1, 200),
    Framed("stream", 1, 1, "1", None, _LOG),
    Ended("stream", 1, "rst", "server"),
)
RESUMED: Sequence[Fact] = (
    logged(1),
    Slept(1, 1000, "reconnect"),
    SleepEnded(1, "woken"),
    opened(2, accept="text/event-stream", last_event_id="1"),
)
REFERENCE = played(*FIRST, *RESUMED)


def parted(*facts: Fact, blamed: int | None = None) -> Parting:
    found = parting(played(*FIRST, *facts, blamed=blamed), REFERENCE)
    assert found is not None
    return found


def test_clients_that_take_the_same_steps_do_not_part() -> None:
    assert parting(played(*FIRST, *RESUMED), REFERENCE) is None


def test_connections_idle_timers_and_the_value_of_accept_are_not_compared() -> None:
    other = (
        FIRST[0],
        Connected(7),
        opened(1, accept="text/event-stream, */*", user_agent="other"),
        *FIRST[2:],
        Slept(9, 30_000, "idle"),
        *RESUMED,
    )
    assert parting(played(*other), REFERENCE) is None


def test_other_headers_and_members_are_no_parting_unless_a_finding_points_at_them() -> None:
    other = (FIRST[0], opened(1, x_arkor_client="mine/1"), *FIRST[2:], logged(2), *RESUMED[1:])
    assert parting(played(*other), REFERENCE) is None
    found = parting(played(*other, blamed=2), REFERENCE)
    assert found is not None
    assert found.said == "opens the stream without Accept"


def test_of_several_differences_the_cursor_is_named_first() -> None:
    found = parted(*RESUMED[:-1], opened(2), blamed=9)
    assert found.kind == "opens the stream again without Last-Event-ID"


def test_nonces_are_not_compared() -> None:
    nonces = Nonces("0123456789abcdef")
    own = tuple(
        evolve(fact, target=fact.target.replace("job-1", f"{nonces.job_prefix}1"))
        if isinstance(fact, Requested)
        else fact
        for fact in (*FIRST, *RESUMED)
    )
    assert parting(played(*own, nonces=nonces), REFERENCE) is None


def test_callbacks_and_requests_may_be_interleaved_in_another_way() -> None:
    log, slept, ended, again = RESUMED
    assert parting(played(*FIRST, slept, ended, again, log), REFERENCE) is None


def test_a_delay_may_differ_by_the_published_spread() -> None:
    log, _, ended, again = RESUMED
    for delay in (700.0, 1600.0):
        client = played(*FIRST, log, Slept(1, delay, "reconnect"), ended, again)
        assert parting(client, REFERENCE) is None


def test_what_came_after_the_case_was_closed_is_not_compared() -> None:
    client = played(*FIRST, *RESUMED, Called("close"), opened(3))
    assert parting(client, REFERENCE) is None


def test_a_missing_header_is_named_with_its_value() -> None:
    found = parted(*RESUMED[:-1], opened(2, accept="text/event-stream"))
    assert found.said == 'opens the stream again without Last-Event-ID (the reference sends "1")'
    assert found.kind == "opens the stream again without Last-Event-ID"
    assert found.occasion == "after the back-off"
    assert (found.client.seq, found.reference.seq) == (9, 9)


def test_another_header_is_named_with_both_values() -> None:
    found = parted(*RESUMED[:-1], opened(2, accept="text/event-stream", last_event_id="0"))
    assert found.said == 'opens the stream again with Last-Event-ID "0" instead of "1"'


def test_a_header_that_is_too_much_is_named() -> None:
    client = played(FIRST[0], opened(1, accept="text/event-stream", last_event_id="0"))
    found = parting(client, REFERENCE)
    assert found is not None
    expected = "opens the stream with Last-Event-ID, which the reference does not send"
    assert (found.said, found.occasion) == (expected, "after wait() was called")


def test_a_step_instead_of_another_says_after_what_and_in_which_cell() -> None:
    found = parted(logged(1), Settled("wait", {}, Failure("transport", None, "reset")))
    assert found.said == "ends wait() with the error `transport` instead of backing off"
    assert found.occasion == "after the stream broke off"
    assert str(found.client.cell) == "streaming / reject"
    assert str(found.reference.cell) == "streaming / retry"


def test_a_client_that_does_nothing_more_is_told_from_one_that_does_something_else() -> None:
    found = parted(logged(1))
    assert found.said == "does nothing more instead of backing off"
    assert (found.client.seq, str(found.client.cell)) == (None, "streaming / nothing")


def test_a_step_that_the_reference_does_not_take_is_named() -> None:
    found = parted(*RESUMED, opened(3, accept="text/event-stream"))
    assert found.said == "opens the stream again although nothing more was due"


def test_a_callback_comes_from_the_last_frame_whatever_came_after_it() -> None:
    found = parted(logged(2), *RESUMED[1:], blamed=6)
    assert found.said == "calls back `log` with `step` 2 instead of 1"
    assert found.occasion == "after a `training.log` frame"


@pytest.mark.parametrize(("delay", "how"), [(2000.0, "too long"), (300.0, "too short a time")])
def test_a_wrong_delay_is_told_with_both(delay: float, how: str) -> None:
    found = parted(RESUMED[0], Slept(1, delay, "reconnect"), *RESUMED[2:])
    assert found.said == f"backs off for {delay:g} ms instead of 1000 ms"
    assert found.kind == f"backs off for {how}"


def test_a_client_that_announces_no_delays_is_compared_without_them() -> None:
    client = played(*FIRST, RESUMED[0], RESUMED[3])
    assert parting(client, REFERENCE) is not None
    assert parting(client, REFERENCE, delays=False) is None


def test_a_refusal_is_named_by_its_hundred_alone() -> None:
    refused = (FIRST[0], FIRST[1], Responded("stream", 1, 503), Ended("stream", 1, "eof", "server"))
    reference = played(*refused, Slept(1, 1000, "reconnect"))
    found = parting(played(*refused, Settled("wait", {}, Failure("http", 503, ""))), reference)
    assert found is not None
    assert found.occasion == "after a 5xx response to the stream request"
    assert found.said == "ends wait() with the error `http` 503 instead of backing off"


def test_a_long_value_is_cut() -> None:
    long = CallbackRan("log", {"type": "training.log", "step": "x" * 10_000})
    assert len(parted(long, *RESUMED[1:], blamed=6).said) < 200
