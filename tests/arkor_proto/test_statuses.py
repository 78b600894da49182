"""What the response to a stream request means, status by status and profile by profile."""

import pytest

from arkor_proto import (
    HARDENED,
    PROFILE_2026_05,
    PROFILE_2026_07,
    PROFILES,
    Operation,
    Profile,
    Request,
    StatusError,
)
from tests.arkor_proto.session_driver import Trainer, following, streaming
from tests.arkor_proto.wire_samples import COMPLETED, log

everywhere = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
TRANSIENT = [300, 304, 400, 404, 408, 409, 422, 425, 429, 500, 502, 503, 504, 599, 600, 999]
SAME_ORIGIN = ((b"Location", b"/elsewhere?x=1"),)


def rejected_with(trainer: Trainer) -> int:
    """Return the status that the last wait was rejected with."""
    error = trainer.error()
    assert isinstance(error, StatusError), error
    return error.status


@pytest.mark.parametrize("status", [*TRANSIENT, 401, 403, 410, 426])
def test_no_status_is_permanent_in_the_founding_document(status: int) -> None:
    assert following(PROFILE_2026_05).refuse(status).delays == [1.0]


@pytest.mark.parametrize("status", TRANSIENT)
def test_every_other_status_is_a_failure_since_the_amendment(status: int) -> None:
    assert following(PROFILE_2026_07).refuse(status).delays == [1.0]


@pytest.mark.parametrize("status", [401, 403, 410, 426])
def test_four_statuses_reject_at_once_since_the_amendment(status: int) -> None:
    trainer = following(PROFILE_2026_07).refuse(status)
    assert (rejected_with(trainer), trainer.delays) == (status, [])


@pytest.mark.parametrize("status", sorted(set(range(400, 500)) - {404, 408, 409, 425, 429}))
def test_a_4xx_rejects_at_once_when_hardened(status: int) -> None:
    assert rejected_with(following(HARDENED).refuse(status)) == status


@pytest.mark.parametrize("status", [300, 304, 408, 409, 425, 429, 500, 503, 599, 600])
def test_what_may_pass_is_a_failure_when_hardened(status: int) -> None:
    assert following(HARDENED).refuse(status).delays == [1.0]


@pytest.mark.parametrize("profile", PROFILES[1:])
def test_a_permanent_status_rejects_on_a_reopen_too(profile: Profile) -> None:
    trainer = streaming(profile).frame(log(1), id="1").eof().due().refuse(410)
    assert rejected_with(trainer) == 410


@pytest.mark.parametrize("profile", PROFILES[1:])
def test_a_wait_after_a_permanent_status_resumes_at_the_cursor(profile: Profile) -> None:
    trainer = streaming(profile).frame(log(1), id="1").eof().due().refuse(401).follow()
    assert trainer.last_event_ids == [None, b"1", b"1"]


def test_a_404_just_after_the_create_is_a_failure_when_hardened() -> None:
    trainer = following(HARDENED)
    trainer.now = 29.9
    assert trainer.refuse(404).delays == [1.0]


def test_a_404_after_the_grace_is_permanent_when_hardened() -> None:
    trainer = following(HARDENED)
    trainer.now = 30.0
    assert rejected_with(trainer.refuse(404)) == 404


def test_a_404_for_an_attached_job_is_permanent_when_hardened() -> None:
    assert rejected_with(Trainer(HARDENED, job="job-1").follow().refuse(404)) == 404


@pytest.mark.parametrize("profile", PROFILES[:2])
@pytest.mark.parametrize("status", [200, 201, 202, 204, 206, 299])
@pytest.mark.parametrize("headers", [(), ((b"content-type", b"text/html"),)])
def test_any_2xx_is_read_as_a_stream_before_hardening(
    profile: Profile, status: int, headers: tuple[tuple[bytes, bytes], ...]
) -> None:
    trainer = following(profile).open(status, headers).frame(COMPLETED)
    assert trainer.result.job.status == "completed"


@everywhere
def test_the_body_of_a_refusal_is_not_read_for_events(profile: Profile) -> None:
    trainer = following(profile).open(500).frame(COMPLETED).eof()
    assert (trainer.events, trainer.is_waiting) == ([], True)


@everywhere
@pytest.mark.parametrize("coding", [b"gzip", b"br", b"deflate, gzip"])
def test_a_content_coding_that_nobody_asked_for_is_a_failure(
    profile: Profile, coding: bytes
) -> None:
    headers = ((b"Content-Encoding", coding), (b"Content-Type", b"text/event-stream"))
    trainer = following(profile).open(200, headers)
    assert (trainer.delays, trainer.closed) == ([1.0], [2])


@everywhere
@pytest.mark.parametrize("coding", [b"identity", b"Identity", b""])
def test_the_identity_coding_is_none(profile: Profile, coding: bytes) -> None:
    headers = ((b"Content-Encoding", coding), (b"Content-Type", b"text/event-stream"))
    assert following(profile).open(200, headers).frame(COMPLETED).result.job.id == "job-1"


@everywhere
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_the_same_origin_is_followed_at_once(profile: Profile, status: int) -> None:
    trainer = following(profile).open(status, SAME_ORIGIN)
    first, second = trainer.sent[2], trainer.sent[3]
    assert second == Request("GET", "/elsewhere?x=1", first.headers)
    assert (trainer.delays, trainer.closed) == ([], [2])


@everywhere
def test_five_redirects_are_followed_and_no_more(profile: Profile) -> None:
    trainer = following(profile)
    for _ in range(5):
        trainer.open(302, SAME_ORIGIN)
    assert trainer.refuse(302, headers=SAME_ORIGIN).delays == [1.0]
    assert trainer.routes == ["create"] + ["stream"] * 6


@everywhere
def test_each_attempt_has_redirects_of_its_own(profile: Profile) -> None:
    trainer = following(profile)
    for _ in range(5):
        trainer.open(302, SAME_ORIGIN)
    trainer.broken().due().open(302, SAME_ORIGIN)
    assert trainer.routes == ["create"] + ["stream"] * 8


@everywhere
def test_a_reopen_asks_the_original_place_again(profile: Profile) -> None:
    trainer = following(profile).open(301, SAME_ORIGIN).broken().due()
    assert trainer.sent[4].target == trainer.sent[2].target


@everywhere
@pytest.mark.parametrize(
    "location",
    [
        b"https://evil.example/",
        b"//evil.example/",
        b"http://api.example/",
        b"https://api.example:444/",
        b"https://[::1",
        b"https://api.example:x/",
        b"mailto:me",
        b"",
    ],
)
def test_a_redirect_to_anywhere_else_is_a_failure(profile: Profile, location: bytes) -> None:
    trainer = following(profile).refuse(302, headers=((b"Location", location),))
    assert (trainer.delays, trainer.routes) == ([1.0], ["create", "stream"])


@everywhere
def test_a_redirect_without_a_place_is_a_failure(profile: Profile) -> None:
    assert following(profile).refuse(302).delays == [1.0]


@everywhere
def test_a_redirected_stream_resumes_with_the_same_cursor(profile: Profile) -> None:
    trainer = streaming(profile).frame(log(1), id="1").eof().due().open(307, SAME_ORIGIN)
    assert trainer.last_event_ids == [None, b"1", b"1"]


@everywhere
def test_the_words_of_a_refusal_are_the_backends(profile: Profile) -> None:
    trainer = Trainer(profile).start().refuse(402, b'{"error": "no credit", "x": 1}', name="create")
    error = trainer.error(Operation.START)
    assert isinstance(error, StatusError)
    assert (error.message, error.body) == ("no credit", {"error": "no credit", "x": 1})


@everywhere
def test_an_error_body_that_never_ends_is_waited_for_five_seconds(profile: Profile) -> None:
    trainer = following(profile).open(500).raw(b"{").due()
    assert (trainer.now, trainer.delays, trainer.closed) == (5.0, [1.0], [2])


@everywhere
def test_an_error_body_that_breaks_off_is_still_that_status(profile: Profile) -> None:
    trainer = following(profile).open(500).raw(b'{"error": "ov').broken()
    assert trainer.delays == [1.0]
