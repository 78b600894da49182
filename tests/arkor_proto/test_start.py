"""`start()`: one job, submitted once, by whoever asks first."""

import pytest

from arkor_proto import (
    HARDENED,
    PROFILES,
    Accepted,
    Done,
    Operation,
    Profile,
    Rejected,
    ResponseError,
    StatusError,
)
from tests.arkor_proto.session_driver import Trainer
from tests.arkor_proto.wire_samples import job_answer

everywhere = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)


@everywhere
def test_start_submits_the_job_and_resolves_with_its_id(profile: Profile) -> None:
    trainer = Trainer(profile).start().accept("job-7")
    assert trainer.outcome(Operation.START) == Accepted("job-7")


@everywhere
def test_start_opens_no_stream_and_calls_nobody(profile: Profile) -> None:
    trainer = Trainer(profile).start().accept()
    assert (trainer.routes, trainer.events, trainer.rest) == (["create"], [], Done())


@everywhere
def test_a_second_start_returns_the_same_id_without_a_request(profile: Profile) -> None:
    trainer = Trainer(profile).start().accept().start()
    assert trainer.outcomes(Operation.START) == [Accepted("job-1")] * 2
    assert trainer.routes == ["create"]


@everywhere
def test_overlapping_starts_are_one_request(profile: Profile) -> None:
    trainer = Trainer(profile).start().start().start().accept()
    assert (trainer.routes, trainer.outcome(Operation.START)) == (["create"], Accepted("job-1"))


@everywhere
def test_a_start_that_overlaps_a_wait_joins_its_create(profile: Profile) -> None:
    trainer = Trainer(profile).follow().start().accept()
    assert trainer.routes == ["create", "stream"]
    assert trainer.outcome(Operation.START) == Accepted("job-1")


@everywhere
def test_a_wait_that_overlaps_a_start_joins_its_create(profile: Profile) -> None:
    trainer = Trainer(profile).start().follow().accept()
    assert trainer.routes == ["create", "stream"]


@everywhere
def test_a_failed_start_is_forgotten(profile: Profile) -> None:
    trainer = Trainer(profile).start().refuse(503, name="create").start().accept()
    first, second = trainer.outcomes(Operation.START)
    assert isinstance(first, Rejected)
    assert (second, trainer.routes) == (Accepted("job-1"), ["create", "create"])


@everywhere
@pytest.mark.parametrize("status", [400, 401, 408, 409, 422, 426, 429, 500, 503])
def test_a_refused_create_is_never_repeated_by_itself(profile: Profile, status: int) -> None:
    trainer = Trainer(profile).follow().refuse(status, name="create").later(1000.0)
    assert (trainer.routes, trainer.rest) == (["create"], Done())


@everywhere
def test_a_create_that_breaks_before_its_answer_rejects_with_that_very_error(
    profile: Profile,
) -> None:
    error = OSError("no route")
    trainer = Trainer(profile).start().broken(error, name="create")
    assert trainer.error(Operation.START) is error


@everywhere
def test_a_create_whose_answer_breaks_off_rejects(profile: Profile) -> None:
    trainer = Trainer(profile).start()
    exchange = trainer.exchange("create")
    trainer.respond(exchange, 200).receive(exchange, job_answer()[:9])
    trainer.broken(error := OSError("cut"), name="create")
    assert trainer.error(Operation.START) is error


def test_a_refusal_whose_body_breaks_off_is_still_that_refusal() -> None:
    trainer = Trainer().start()
    trainer.respond(trainer.exchange("create"), 402).broken(name="create")
    error = trainer.error(Operation.START)
    assert isinstance(error, StatusError)
    assert error.status == 402


@everywhere
def test_a_failed_create_rejects_the_wait_that_asked_for_it(profile: Profile) -> None:
    trainer = Trainer(profile).follow().refuse(500, b'{"error": "full"}', name="create")
    assert str(trainer.error()) == "500: full"
    assert trainer.routes == ["create"]


@everywhere
def test_a_failed_create_rejects_everyone_who_joined_it(profile: Profile) -> None:
    trainer = Trainer(profile).start().follow().refuse(500, name="create")
    assert trainer.error() is trainer.error(Operation.START)


@everywhere
def test_a_wait_after_a_failed_wait_submits_again(profile: Profile) -> None:
    trainer = Trainer(profile).follow().refuse(500, name="create").follow().accept()
    assert trainer.routes == ["create", "create", "stream"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"null",
        b"[]",
        b"{}",
        b'{"job": null}',
        b'{"job": {}}',
        b'{"job": {"id": 7}}',
        b'{"job": {"id": ""}}',
        b'{"job": {"id": ".."}}',
        b'{"job": {"id": "\\ud800"}}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_an_answer_without_a_usable_job_rejects_and_is_forgotten(body: bytes) -> None:
    trainer = Trainer().start().answer("create", 200, body)
    assert isinstance(trainer.error(Operation.START), ResponseError)
    assert trainer.start().routes == ["create", "create"]


@pytest.mark.parametrize("status", [200, 201, 202, 299])
def test_any_2xx_with_a_job_accepts_it(status: int) -> None:
    trainer = Trainer().start().answer("create", status, job_answer("j"))
    assert trainer.outcome(Operation.START) == Accepted("j")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_create_is_never_redirected(status: int) -> None:
    location = ((b"Location", b"/v2/jobs"),)
    trainer = Trainer().start().answer("create", status, headers=location)
    assert (trainer.routes, str(trainer.error(Operation.START))[:3]) == (["create"], str(status))


@everywhere
def test_an_attached_trainer_submits_nothing(profile: Profile) -> None:
    trainer = Trainer(profile, job="job-9").start().follow()
    assert trainer.outcome(Operation.START) == Accepted("job-9")
    assert trainer.routes == ["stream"]


@pytest.mark.parametrize("bad", ["", ".", "..", "\ud800"])
def test_an_id_that_no_path_can_carry_is_refused_at_once(bad: str) -> None:
    with pytest.raises(ValueError, match="job id"):
        Trainer(job=bad)


def test_the_key_is_the_same_whenever_the_same_start_is_tried_again() -> None:
    trainer = Trainer(HARDENED).start().refuse(503, name="create").start()
    keys = [dict(request.headers)[b"Idempotency-Key"] for request in trainer.sent.values()]
    assert keys == [b"key-1", b"key-1"]


def test_the_key_stands_on_the_error_of_a_failed_create() -> None:
    trainer = Trainer(HARDENED).start().broken(name="create")
    notes = trainer.error(Operation.START).__notes__
    assert notes == ["the create was sent with Idempotency-Key key-1"]


@pytest.mark.parametrize("profile", PROFILES[:2])
def test_the_published_revisions_send_no_key(profile: Profile) -> None:
    trainer = Trainer(profile).start()
    assert b"Idempotency-Key" not in dict(trainer.sent[1].headers)
