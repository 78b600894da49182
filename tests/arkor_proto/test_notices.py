"""What the user hears of although no operation ends."""

import pytest

from arkor_proto import (
    PROFILES,
    Deprecated,
    Headers,
    Operation,
    Profile,
    Reconnecting,
    StatusError,
    UpgradeRequired,
)
from tests.arkor_proto.session_driver import Trainer, following, streaming
from tests.arkor_proto.wire_samples import (
    COMPLETED,
    EVENT_STREAM,
    job_answer,
    log,
)

everywhere = pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
DEPRECATION: Headers = (
    (b"Deprecation", b"true"),
    (b"Warning", b'299 - "move to v2"'),
    (b"Sunset", b"Fri, 01 Jan 2027 00:00:00 GMT"),
)
NOTICE = Deprecated("move to v2", "Fri, 01 Jan 2027 00:00:00 GMT")
REFUSED = b'{"error": "too old", "currentVersion": "1", "supportedRange": ">=2", "upgrade": "pip"}'


@everywhere
def test_a_deprecation_is_a_notice_and_no_error(profile: Profile) -> None:
    trainer = Trainer(profile).start().answer("create", 200, job_answer(), DEPRECATION)
    assert trainer.heard(Deprecated) == [NOTICE]
    assert trainer.outcomes(Operation.START)


@everywhere
def test_a_deprecation_on_the_stream_does_not_end_it(profile: Profile) -> None:
    trainer = following(profile).open(200, EVENT_STREAM + DEPRECATION).frame(COMPLETED)
    assert (trainer.heard(Deprecated), trainer.result.job.id) == ([NOTICE], "job-1")


def test_the_same_deprecation_is_told_once() -> None:
    trainer = Trainer().follow().answer("create", 200, job_answer(), DEPRECATION)
    assert trainer.open(200, DEPRECATION).heard(Deprecated) == [NOTICE]


def test_another_deprecation_is_told_again() -> None:
    trainer = Trainer().follow().answer("create", 200, job_answer(), DEPRECATION)
    trainer.open(200, ((b"deprecation", b"TRUE"),))
    assert trainer.heard(Deprecated) == [NOTICE, Deprecated("", None)]


def test_a_warning_without_quotes_is_told_as_it_is() -> None:
    headers = ((b"Deprecation", b"true"), (b"Warning", b"299 - soon"))
    assert following().open(200, headers).heard(Deprecated)[0].message == "299 - soon"


@pytest.mark.parametrize("value", [b"false", b"", b"@1688169599"])
def test_only_true_is_a_deprecation(value: bytes) -> None:
    assert following().open(200, ((b"Deprecation", value),)).notices == []


@everywhere
@pytest.mark.parametrize("name", ["create", "stream", "cancel"])
def test_a_426_says_what_would_be_supported(profile: Profile, name: str) -> None:
    trainer = Trainer(profile).start() if name == "create" else following(profile)
    if name == "cancel":
        trainer.cancel()
    trainer.refuse(426, REFUSED, name=name)
    assert trainer.heard(UpgradeRequired) == [UpgradeRequired("1", ">=2", "pip")]


def test_a_426_without_words_is_a_notice_without_words() -> None:
    trainer = Trainer().start().refuse(426, b'{"currentVersion": 7}', name="create")
    assert trainer.heard(UpgradeRequired) == [UpgradeRequired(None, None, None)]


@pytest.mark.parametrize("profile", PROFILES[1:])
def test_a_426_carries_its_body_in_the_rejection(profile: Profile) -> None:
    error = following(profile).refuse(426, REFUSED).error()
    assert isinstance(error, StatusError)
    assert (error.message, error.body["supportedRange"]) == ("too old", ">=2")


@everywhere
def test_each_reconnect_says_why_and_where(profile: Profile) -> None:
    cause = OSError("gone")
    trainer = streaming(profile).frame(log(1), id="4").broken(cause)
    expected = Reconnecting(failures=1, delay=1.0, cause=cause, last_event_id="4")
    assert trainer.heard(Reconnecting) == [expected]
