"""`cancel()`: best effort, on the backend, and without any effect on the wait."""

import pytest

from arkor_proto import (
    PROFILES,
    CancelSent,
    Done,
    NothingToCancel,
    Operation,
    Profile,
    Rejected,
    StatusError,
)
from tests.arkor_proto.session_driver import Trainer, following, streaming
from tests.arkor_proto.wire_samples import (
    COMPLETED,
    STARTED,
    job_answer,
    log,
)

everywhere = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)


@everywhere
def test_a_cancel_before_any_start_is_a_no_op(profile: Profile) -> None:
    trainer = Trainer(profile).cancel()
    assert (trainer.outcome(Operation.CANCEL), trainer.routes) == (NothingToCancel(), [])


@everywhere
def test_a_no_op_cancel_is_not_remembered(profile: Profile) -> None:
    assert Trainer(profile).cancel().start().accept().routes == ["create"]


@everywhere
def test_a_cancel_after_start_asks_the_backend(profile: Profile) -> None:
    trainer = Trainer(profile).start().accept("a/b").cancel()
    assert trainer.sent[2].target == "/v1/jobs/a%2Fb/cancel?orgSlug=acme&projectSlug=bots"
    assert trainer.answer("cancel").outcome(Operation.CANCEL) == CancelSent()


@everywhere
def test_a_cancel_during_the_create_is_sent_once_the_id_is_known(profile: Profile) -> None:
    trainer = Trainer(profile).start().cancel()
    before = list(trainer.routes)
    assert (before, trainer.accept().routes) == (["create"], ["create", "cancel"])


@everywhere
def test_a_cancel_during_the_create_of_a_wait_is_sent_beside_the_stream(profile: Profile) -> None:
    trainer = Trainer(profile).follow().cancel().accept()
    assert sorted(trainer.routes) == ["cancel", "create", "stream"]


@everywhere
def test_a_cancel_during_a_create_that_fails_is_a_no_op(profile: Profile) -> None:
    trainer = Trainer(profile).start().cancel().refuse(500, name="create")
    assert (trainer.outcome(Operation.CANCEL), trainer.routes) == (NothingToCancel(), ["create"])


@everywhere
def test_cancels_that_wait_for_the_job_are_one_request(profile: Profile) -> None:
    trainer = Trainer(profile).start().cancel().cancel().accept().answer("cancel")
    assert trainer.routes == ["create", "cancel"]
    assert trainer.outcome(Operation.CANCEL) == CancelSent()


@everywhere
def test_overlapping_cancels_are_one_request(profile: Profile) -> None:
    trainer = Trainer(profile).start().accept().cancel().cancel().answer("cancel")
    assert trainer.routes == ["create", "cancel"]
    assert trainer.outcome(Operation.CANCEL) == CancelSent()


@everywhere
def test_a_later_cancel_is_a_request_of_its_own(profile: Profile) -> None:
    trainer = Trainer(profile).start().accept().cancel().answer("cancel").cancel().answer("cancel")
    assert trainer.routes == ["create", "cancel", "cancel"]
    assert trainer.outcomes(Operation.CANCEL) == [CancelSent()] * 2


@everywhere
@pytest.mark.parametrize("status", [301, 400, 404, 409, 500, 503])
def test_a_cancel_that_is_refused_rejects_and_is_not_repeated(
    profile: Profile, status: int
) -> None:
    trainer = Trainer(profile).start().accept().cancel()
    trainer.refuse(status, b'{"error": "too late"}', name="cancel").later(1000.0)
    error = trainer.error(Operation.CANCEL)
    assert isinstance(error, StatusError)
    assert (error.status, error.message) == (status, "too late")
    assert (trainer.routes, trainer.rest) == (["create", "cancel"], Done())


@everywhere
def test_a_cancel_without_an_answer_rejects_with_that_very_error(profile: Profile) -> None:
    error = OSError("down")
    trainer = Trainer(profile).start().accept().cancel().broken(error, name="cancel")
    assert trainer.error(Operation.CANCEL) is error


def test_a_refused_cancel_whose_body_breaks_off_is_still_that_refusal() -> None:
    trainer = Trainer().start().accept().cancel()
    trainer.respond(trainer.exchange("cancel"), 409).broken(name="cancel")
    assert str(trainer.error(Operation.CANCEL)) == "409: cloud-api 409"


@everywhere
def test_a_cancel_that_is_answered_2xx_is_sent_however_its_body_ends(profile: Profile) -> None:
    trainer = Trainer(profile).start().accept().cancel()
    trainer.respond(trainer.exchange("cancel"), 202).broken(name="cancel")
    assert trainer.outcome(Operation.CANCEL) == CancelSent()


@everywhere
def test_a_cancel_whose_answer_never_ends_is_sent_after_a_while(profile: Profile) -> None:
    trainer = Trainer(profile).start().accept().cancel()
    trainer.respond(trainer.exchange("cancel"), 200).due()
    assert (trainer.outcome(Operation.CANCEL), trainer.now) == (CancelSent(), 5.0)
    assert trainer.closed == [2]


@everywhere
def test_a_cancel_leaves_the_wait_alone(profile: Profile) -> None:
    trainer = streaming(profile).frame(STARTED).cancel().answer("cancel").frame(COMPLETED)
    assert trainer.result.job.status == "completed"


@everywhere
def test_a_refused_cancel_leaves_the_wait_alone(profile: Profile) -> None:
    trainer = streaming(profile).cancel().refuse(401, name="cancel").frame(COMPLETED)
    assert trainer.result.job.status == "completed"


@everywhere
def test_a_cancel_in_back_off_does_not_touch_the_delay(profile: Profile) -> None:
    trainer = following(profile).broken().cancel().answer("cancel")
    assert (trainer.delays, trainer.due().routes[-1]) == ([1.0], "stream")


@everywhere
def test_a_cancel_after_the_terminal_frame_is_sent_all_the_same(profile: Profile) -> None:
    trainer = streaming(profile).frame(COMPLETED).cancel().answer("cancel", 409)
    assert trainer.routes[-1] == "cancel"
    assert isinstance(trainer.outcome(Operation.CANCEL), Rejected)


@everywhere
def test_a_cancel_after_an_abort_is_sent(profile: Profile) -> None:
    trainer = streaming(profile).frame(log(1)).abort().cancel().answer("cancel")
    assert trainer.outcome(Operation.CANCEL) == CancelSent()


@everywhere
def test_a_cancel_asked_before_an_abort_is_sent_after_it(profile: Profile) -> None:
    trainer = Trainer(profile).follow().cancel().abort().accept().answer("cancel")
    assert trainer.routes == ["create", "cancel"]
    assert trainer.outcome(Operation.CANCEL) == CancelSent()


@everywhere
def test_an_attached_trainer_can_cancel_although_it_started_nothing(profile: Profile) -> None:
    assert Trainer(profile, job="job-9").cancel().routes == ["cancel"]


def test_a_cancel_request_has_no_body() -> None:
    request = Trainer().start().accept().cancel().sent[2]
    assert (request.method, request.body) == ("POST", b"")
    assert (b"Content-Length", b"0") in request.headers


def test_a_cancelled_job_is_cancelled_only_when_the_stream_says_so() -> None:
    trainer = streaming().cancel().answer("cancel", 200, job_answer(status="cancelled"))
    job = trainer.session.job
    assert job is not None
    assert job.status == "queued"


def test_the_state_of_a_cancel_can_be_read() -> None:
    trainer = Trainer().start()
    states = [trainer.session.stop_state]
    states.append(trainer.cancel().session.stop_state)
    states.append(trainer.accept().session.stop_state)
    states.append(trainer.answer("cancel").session.stop_state)
    assert [state.value for state in states] == ["idle", "awaiting job", "cancelling", "idle"]
