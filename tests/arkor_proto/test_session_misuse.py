"""A caller with a bug: told so at once, and nothing has changed."""

import math
from operator import methodcaller

import pytest

from arkor_proto import (
    HARDENED,
    Broken,
    Done,
    Endpoint,
    Finished,
    Follow,
    Handled,
    Idle,
    Input,
    JobSpec,
    LocalProtocolError,
    Operation,
    Received,
    Responded,
    Session,
    SessionConfig,
    Start,
    Tick,
)
from arkor_proto._table import Job
from conformance.states.snapshot import snapshot
from tests.arkor_proto.session_driver import Trainer, following, streaming
from tests.arkor_proto.wire_samples import (
    COMPLETED,
    ENDPOINT,
    SPEC,
    frame,
    log,
)


def refused(trainer: Trainer, event: Input, now: float | None = None) -> str:
    """Give an input that must be refused and change nothing; return the words."""
    before = snapshot(trainer.session)
    with pytest.raises(LocalProtocolError) as caught:
        trainer.session.handle(event, trainer.now if now is None else now)
    assert snapshot(trainer.session) == before
    return str(caught.value)


REPORTS: list[Input] = [Responded(2, 200), Received(2, b"x"), Finished(2), Broken(2, OSError())]


@pytest.mark.parametrize("event", REPORTS, ids=lambda event: type(event).__name__)
def test_a_report_on_an_exchange_that_was_never_asked_for(event: Input) -> None:
    assert "no such exchange" in refused(Trainer().start(), event)


@pytest.mark.parametrize("number", [0, -1, 10**9])
def test_exchanges_are_counted_from_one(number: int) -> None:
    assert "no such exchange" in refused(Trainer().start(), Finished(number))


def test_a_body_before_its_head() -> None:
    assert "before the response head" in refused(following(), Received(2, b"x"))


def test_an_end_before_the_head() -> None:
    assert "before the response head" in refused(following(), Finished(2))


def test_a_second_head() -> None:
    assert "has already arrived" in refused(streaming(), Responded(2, 200))


@pytest.mark.parametrize("status", [0, 99, 100, 101, 199, 1000, -200])
def test_a_status_that_is_not_final(status: int) -> None:
    assert "not a final status" in refused(following(), Responded(2, status))


@pytest.mark.parametrize("now", [9.9, -1.0, math.nan, math.inf, -math.inf])
def test_time_that_goes_back_or_nowhere(now: float) -> None:
    assert "time must not go backwards" in refused(streaming().later(10.0), Tick(), now)


@pytest.mark.parametrize(
    "now",
    [
        math.nan,
        math.inf,
        -math.inf,
    ],
)
def test_a_first_moment_that_is_none(now: float) -> None:
    assert "time must not go backwards" in refused(Trainer(), Follow(), now)


def test_time_may_begin_below_zero_and_stand_still() -> None:
    session = Session(SessionConfig(endpoint=ENDPOINT, job=SPEC))
    session.handle(Start(), -5.0)
    session.handle(Tick(), -5.0)
    assert session.job_state is Job.CREATING


@pytest.mark.parametrize("delivery", [0, 1, 2])
def test_an_event_that_is_not_with_the_callback(delivery: int) -> None:
    assert "no callback is handling this event" in refused(streaming(), Handled(delivery))


def test_an_event_that_is_handled_twice() -> None:
    assert "no callback is handling this event" in refused(streaming().frame(log(1)), Handled(1))


def test_an_event_that_was_not_delivered_yet() -> None:
    trainer = streaming(callback=None).raw(frame(log(1)) + frame(log(2)))
    assert "no callback is handling this event" in refused(trainer, Handled(2))


@pytest.mark.parametrize("event", REPORTS, ids=lambda event: type(event).__name__)
def test_a_late_report_on_a_closed_exchange_is_no_misuse(event: Input) -> None:
    trainer = streaming().abort()
    before = snapshot(trainer.session)
    trainer.session.handle(event, trainer.now)
    assert snapshot(trainer.session) == before


@pytest.mark.parametrize("event", REPORTS, ids=lambda event: type(event).__name__)
def test_a_report_on_an_exchange_that_ended_by_itself_is_no_misuse(event: Input) -> None:
    trainer = streaming().frame(log(1), id="1").eof()
    before = snapshot(trainer.session)
    trainer.session.handle(event, trainer.now)
    assert snapshot(trainer.session) == before


def test_poll_may_be_asked_as_often_as_one_likes() -> None:
    trainer = streaming(HARDENED)
    before = snapshot(trainer.session)
    assert [trainer.session.poll() for _ in range(3)] == [trainer.rest] * 3
    assert snapshot(trainer.session) == before


def test_a_session_that_nobody_asked_for_anything_is_done() -> None:
    session = Trainer().session
    assert (session.poll(), session.job, session.last_event_id) == (Done(), None, "")


def test_a_request_under_way_is_idled_for() -> None:
    assert following().rest == Idle()


@pytest.mark.parametrize(
    "config",
    [{"a": math.nan}, {"a": math.inf}, {"a": object()}, {"a": b"bytes"}, {"a": {1, 2}}],
)
def test_a_job_that_cannot_be_written_is_refused_before_any_session(
    config: dict[str, object],
) -> None:
    with pytest.raises(ValueError, match="JSON"):
        JobSpec(name="bot", config=config)


@pytest.mark.parametrize("name", ["org", "project"])
def test_a_scope_that_is_no_text_is_refused_before_any_session(name: str) -> None:
    with pytest.raises(ValueError, match=f"{name}: .* surrogates"):
        Endpoint(base_url="https://h", **{name: "\ud800"})


@pytest.mark.parametrize("key", ["a\r\nX-Evil: 1", "two words", "", "\ud800", "schlüssel"])
def test_an_idempotency_key_that_no_header_can_hold_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="idempotency_key"):
        Session(SessionConfig(endpoint=ENDPOINT, job=SPEC, idempotency_key=key), profile=HARDENED)


@pytest.mark.parametrize("client", ["", "a b", "a\r\nb", "ünicode"])
def test_a_client_name_that_no_header_can_hold_is_refused(client: str) -> None:
    with pytest.raises(ValueError, match="client: "):
        Endpoint(base_url="https://h", client=client)


@pytest.mark.parametrize(
    "address",
    ["", "h", "ftp://h", "https://", "https://h?x=1", "https://h#x", "https://h/a b", "https://ü"],
)
def test_an_address_that_cannot_be_used_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="base_url: "):
        Endpoint(base_url=address)


def test_a_job_that_is_no_json_object_is_refused() -> None:
    make = methodcaller("__call__", name="bot", config=["no", "object"])
    with pytest.raises(ValueError, match="config: a value of type list is not a JSON object"):
        make(JobSpec)


def test_what_is_no_input_is_refused() -> None:
    session = Trainer().session
    with pytest.raises(LocalProtocolError, match="str is not an input of a session"):
        methodcaller("handle", "start", 0.0)(session)


def test_an_operation_is_settled_once_however_often_the_world_repeats_itself() -> None:
    trainer = streaming().frame(COMPLETED)
    for event in REPORTS * 3:
        trainer.session.handle(event, trainer.now)
    assert len(trainer.outcomes(Operation.FOLLOW)) == 1
    assert trainer.session.poll() == Done()


@pytest.mark.parametrize(
    ("delivery", "now"), [(2, 1.0), (0, 1.0), (1, 0.5), (1, math.nan), (1, math.inf), (1, "1.0")]
)
def test_an_event_is_handed_back_in_short_with_the_same_checks(delivery: int, now: float) -> None:
    trainer = streaming(callback=None).later(1.0).frame(log(1), id="1")
    before = snapshot(trainer.session)
    with pytest.raises((LocalProtocolError, TypeError)) as long:
        trainer.session.step(Handled(delivery), now)
    with pytest.raises(long.type) as short:
        trainer.session.handled(delivery, now)
    assert str(short.value) == str(long.value)
    assert snapshot(trainer.session) == before


def test_an_event_is_handed_back_in_short_at_a_time_in_whole_seconds() -> None:
    session = streaming(callback=None).frame(log(1), id="1").session
    assert isinstance(session.handled(1, 10), Idle)
