"""A stream that ends with nothing new has the job read, and what the answer is good for."""

import pytest

from arkor_proto import (
    HARDENED,
    PROFILE_2026_05,
    PROFILE_2026_07,
    Aborted,
    Bounds,
    GaveUp,
    Idle,
    Operation,
    Profile,
    Rejected,
    Resolved,
    Session,
    SessionConfig,
    Timer,
)
from tests.arkor_proto.session_driver import Trainer, streaming
from tests.arkor_proto.wire_samples import (
    COMPLETED,
    ENDPOINT,
    attempts,
    frame,
    job_answer,
    log,
)

NAN = '{"type": "training.completed", "metrics": {"loss": NaN}}'
OVER = ("completed", "failed", "cancelled")
over = pytest.mark.parametrize("status", OVER)


def resumed(profile: Profile = HARDENED, *, max_attempts: int | None = 0) -> Trainer:
    """Return a trainer that follows behind a cursor, its stream open and empty."""
    trainer = Trainer(profile, policy=attempts(max_attempts), job="job-1", last_event_id="9")
    return trainer.follow().open()


@over
def test_a_follow_behind_the_last_event_resolves_with_the_job_as_read(status: str) -> None:
    trainer = resumed().eof()
    assert trainer.routes == ["stream", "job"]
    trainer.answer("job", body=job_answer("job-1", status=status, error="why"))
    result = trainer.result
    assert (result.job.status, result.job.error, result.artifacts) == (status, "why", ())
    assert result.last_event_id == "9"
    assert (trainer.events, trainer.open_exchanges) == ([], [])
    assert trainer.session.job == result.job
    assert trainer.follow().outcomes(Operation.FOLLOW) == [Resolved(result)] * 2
    assert trainer.routes == ["stream", "job"]


@over
@pytest.mark.parametrize(
    "data", [b"", b": still here\n\n", b"retry: 5\n\n", frame("", event="ping")]
)
def test_keep_alives_are_nothing_new(status: str, data: bytes) -> None:
    trainer = resumed().raw(data).eof().answer("job", body=job_answer("job-1", status=status))
    assert trainer.result.job.status == status


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, job_answer("job-1", status="running")),
        (200, job_answer("job-1", status="queued")),
        (200, job_answer("job-1", status="archived")),
        (200, job_answer("job-2", status="completed")),
        (200, b'{"job": {"status": "completed"}}'),
        (200, b'{"status": "completed", "id": "job-1"}'),
        (200, b"[" * 2_000),
        (200, b"<html>"),
        (200, b""),
        (302, b""),
        (401, b"{}"),
        (404, job_answer("job-1", status="completed")),
        (503, b""),
    ],
)
def test_an_answer_without_an_end_changes_nothing(status: int, body: bytes) -> None:
    trainer = resumed(max_attempts=1).eof().answer("job", status, body)
    assert (trainer.failures, trainer.delays) == ([1], [1.0])
    assert trainer.due().open().eof().routes == ["stream", "job", "stream", "job"]
    trainer.broken(name="job")
    assert isinstance(trainer.error(), GaveUp)


def test_a_question_that_breaks_changes_nothing() -> None:
    assert resumed(max_attempts=1).eof().broken(name="job").failures == [1]


def test_a_question_that_nothing_can_mend_ends_the_wait_with_its_error() -> None:
    error = LookupError("no such account")
    trainer = resumed().eof().broken(error, name="job", final=True)
    assert trainer.error() is error
    assert trainer.follow().routes == ["stream", "job", "stream"]


def test_a_wait_that_gave_up_after_a_question_can_be_taken_up_again() -> None:
    trainer = resumed(max_attempts=0).eof().answer("job", 503)
    assert isinstance(trainer.error(), GaveUp)
    assert trainer.follow().routes == ["stream", "job", "stream"]


def test_an_answer_that_does_not_end_changes_nothing() -> None:
    trainer = resumed(max_attempts=1).eof()
    trainer.respond(trainer.exchange("job"), 200)
    assert isinstance(trainer.rest, Idle)
    assert trainer.rest.timer is Timer.ANSWER
    assert trainer.due().failures == [1]
    assert trainer.closed


def test_an_answer_beyond_its_bound_changes_nothing() -> None:
    trainer = resumed(max_attempts=1).eof()
    number = trainer.exchange("job")
    trainer.respond(number, 200).receive(number, b" " * (Bounds().create_body + 1))
    assert (trainer.failures, trainer.closed) == ([1], [number])


def test_an_answer_may_be_as_large_as_that_to_a_create() -> None:
    body = job_answer("job-1", status="completed", x="x" * 500_000)
    assert resumed().eof().answer("job", body=body).result.job.status == "completed"


def test_an_abort_ends_the_question() -> None:
    trainer = resumed().eof()
    number = trainer.exchange("job")
    error = trainer.abort("enough").error()
    assert isinstance(error, Aborted)
    assert (error.reason, trainer.closed) == ("enough", [number])


def test_a_wait_that_is_left_while_it_asks_goes_on_with_the_stream() -> None:
    trainer = resumed(max_attempts=None).eof().leave()
    assert isinstance(trainer.outcomes(Operation.FOLLOW)[-1], Rejected)
    assert trainer.follow().routes == ["stream", "job", "stream"]
    assert trainer.last_event_ids == [b"9", b"9"]


def test_the_same_wait_is_joined_while_it_asks() -> None:
    assert resumed().eof().follow().routes == ["stream", "job"]


def test_a_cancel_goes_its_own_way_while_the_wait_asks() -> None:
    trainer = resumed().eof().cancel().answer("cancel")
    trainer.answer("job", body=job_answer("job-1", status="cancelled"))
    assert trainer.result.job.status == "cancelled"


@pytest.mark.parametrize(
    "data", [frame(log(1), id="1"), frame("nope"), frame({"type": "new"}, id="2")]
)
def test_a_stream_that_brought_a_frame_is_not_empty(data: bytes) -> None:
    assert resumed(max_attempts=None).raw(data).eof().routes == ["stream"]


def test_an_empty_stream_from_the_start_is_a_failure_like_any_other() -> None:
    assert streaming(HARDENED).eof().routes == ["create", "stream"]


def test_a_broken_stream_says_nothing_about_the_job() -> None:
    assert resumed(max_attempts=None).broken().routes == ["stream"]


@pytest.mark.parametrize("profile", [PROFILE_2026_05, PROFILE_2026_07])
@pytest.mark.parametrize("data", [b"", frame(NAN, id="10")])
def test_the_published_profiles_ask_for_nothing(profile: Profile, data: bytes) -> None:
    trainer = resumed(profile, max_attempts=None).raw(data).eof().due().open().later(3600)
    assert set(trainer.routes) == {"stream"}


@over
@pytest.mark.parametrize(
    "lost",
    [
        frame(NAN, id="1"),
        frame('{"type":"training.failed", "x": Infinity}', id="1"),
        frame("{", id="1", event="training.completed"),
        frame("[]", id="1", event="training.failed"),
        frame('{"type" : "training.completed", "x": ' + "[" * 500, id="1"),
    ],
)
@pytest.mark.parametrize("ends", ["clean", "broken", "never"])
def test_a_terminal_frame_that_was_skipped_has_the_job_read(
    status: str, lost: bytes, ends: str
) -> None:
    trainer = streaming(HARDENED, policy=attempts(0)).raw(lost)
    match ends:
        case "clean":
            trainer.eof()
        case "broken":
            trainer.broken()
        case _:
            trainer.raw(frame("", event="ping")).due()
    trainer.answer("job", body=job_answer("job-1", status=status))
    assert (trainer.result.job.status, trainer.result.last_event_id) == (status, "1")


def test_a_stream_that_goes_on_after_a_lost_terminal_frame_is_heard_to_its_end() -> None:
    trainer = streaming(HARDENED).frame(NAN, id="1").frame(log(2), id="2").later(10)
    assert trainer.frame(COMPLETED, id="3").result.last_event_id == "3"
    assert "job" not in trainer.routes


def test_a_stream_that_stays_open_after_a_lost_terminal_frame_is_a_failure_if_the_job_runs() -> (
    None
):
    trainer = streaming(HARDENED).frame(NAN, id="1").later(Bounds().error_wait)
    trainer.answer("job", body=job_answer("job-1", status="running"))
    assert "not JSON" in str(trainer.notices[-1])


def test_the_question_goes_where_the_stream_goes() -> None:
    config = SessionConfig(endpoint=ENDPOINT, job="a/b", last_event_id="9", idempotency_key="key-1")
    trainer = resumed()
    trainer.session = Session(config, profile=HARDENED)
    trainer.open_exchanges.clear()
    trainer.follow().open().eof()
    request = trainer.sent[trainer.exchange("job")]
    assert request.target == "/v1/jobs/a%2Fb?orgSlug=acme&projectSlug=bots"
    assert dict(request.headers)[b"Authorization"] == f"Bearer {ENDPOINT.token}".encode()
