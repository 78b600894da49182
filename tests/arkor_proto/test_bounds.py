"""How much of an answer is read: bytes and seconds, and what is said about too much."""

import pytest

from arkor_proto import (
    PROFILES,
    Bounds,
    EventTooLarge,
    Operation,
    Profile,
    ResponseError,
    StatusError,
    TransportError,
)
from tests.arkor_proto.session_driver import Trainer, following, streaming
from tests.arkor_proto.wire_samples import (
    COMPLETED,
    frame,
    job_answer,
    log,
)

everywhere = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
SMALL = Bounds(event=100, create_body=100, error_body=100)


def test_the_bounds_have_their_published_defaults() -> None:
    bounds = Bounds()
    assert (bounds.event, bounds.create_body, bounds.error_body) == (2**23, 2**20, 2**16)
    assert bounds.error_wait == 5.0


@everywhere
def test_an_event_over_the_bound_rejects_at_once(profile: Profile) -> None:
    trainer = streaming(profile, bounds=SMALL).raw(b"data: " + b"x" * 200)
    error = trainer.error()
    assert isinstance(error, EventTooLarge)
    assert (error.limit, trainer.closed, trainer.delays) == (100, [2], [])


@everywhere
def test_a_comment_over_the_bound_rejects_too(profile: Profile) -> None:
    trainer = streaming(profile, bounds=SMALL).raw(b":" + b"x" * 200)
    assert isinstance(trainer.error(), EventTooLarge)


@everywhere
def test_events_before_the_one_that_is_too_large_are_delivered(profile: Profile) -> None:
    trainer = streaming(profile, bounds=SMALL, callback=None)
    trainer.raw(frame(log(1), id="1") + frame(log(2), id="2") + b"data:" + b"x" * 200)
    assert trainer.settled == []
    trainer.handled().handled()
    assert (trainer.steps, isinstance(trainer.error(), EventTooLarge)) == ([1, 2], True)


@everywhere
def test_a_terminal_event_before_it_resolves(profile: Profile) -> None:
    trainer = streaming(profile, bounds=SMALL).raw(frame(COMPLETED) + b"data:" + b"x" * 200)
    assert trainer.result.job.status == "completed"


@everywhere
def test_a_wait_after_an_event_too_large_resumes_at_the_cursor(profile: Profile) -> None:
    trainer = streaming(profile, bounds=SMALL).frame(log(1), id="1").raw(b":" + b"x" * 200)
    trainer.follow().open().frame(COMPLETED)
    assert (trainer.last_event_ids, trainer.result.job.status) == ([None, b"1"], "completed")


@everywhere
def test_an_answer_to_the_create_over_the_bound_rejects(profile: Profile) -> None:
    trainer = Trainer(profile, bounds=SMALL).start()
    exchange = trainer.exchange("create")
    trainer.respond(exchange, 200).receive(exchange, job_answer(name="x" * 100))
    assert isinstance(trainer.error(Operation.START), ResponseError)
    assert "larger than 100 bytes" in str(trainer.error(Operation.START))
    assert trainer.closed == [1]


def test_an_answer_to_the_create_at_the_bound_is_read() -> None:
    body = job_answer()
    bounds = Bounds(create_body=len(body))
    assert Trainer(bounds=bounds).start().answer("create", 200, body).outcomes(Operation.START)


def test_an_answer_to_the_create_that_never_ends_rejects_after_a_while() -> None:
    trainer = Trainer().start()
    trainer.respond(trainer.exchange("create"), 200).due()
    assert isinstance(trainer.error(Operation.START), TransportError)
    assert (trainer.now, trainer.closed) == (30.0, [1])


@everywhere
def test_an_error_body_is_read_up_to_its_bound(profile: Profile) -> None:
    trainer = following(profile, bounds=SMALL).open(500)
    for _ in range(20):
        if not trainer.closed:
            trainer.raw(b"0123456789")
    assert (trainer.closed, trainer.delays) == ([2], [1.0])


@everywhere
@pytest.mark.parametrize("name", ["create", "cancel"])
def test_an_endless_refusal_is_still_that_refusal(profile: Profile, name: str) -> None:
    trainer = Trainer(profile, bounds=SMALL).start()
    if name == "cancel":
        trainer.accept().cancel()
    exchange = trainer.exchange(name)
    trainer.respond(exchange, 418).receive(exchange, b"x" * 1000)
    error = trainer.error(Operation.START if name == "create" else Operation.CANCEL)
    assert isinstance(error, StatusError)
    assert error.status == 418
    assert len(error.message) <= 101


def test_a_bound_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="max_event_size: 0 is too small"):
        Trainer(bounds=Bounds(event=0))


@everywhere
def test_two_deadlines_at_once_are_both_met(profile: Profile) -> None:
    trainer = following(profile).cancel()
    trainer.respond(trainer.exchange("cancel"), 500)
    trainer.open(500).due()
    assert (sorted(trainer.closed), trainer.delays) == ([2, 3], [1.0])
    assert isinstance(trainer.error(Operation.CANCEL), StatusError)
