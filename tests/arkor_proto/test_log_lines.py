"""What a backend says is one short line of visible characters in the log (CWE-117)."""

import logging
from collections.abc import Callable

import pytest

from arkor_proto import (
    CallbackFailed,
    Deprecated,
    FrameSkipped,
    Notice,
    Reconnecting,
    StatusError,
    TrainingLog,
    UpgradeRequired,
)
from arkor_proto._text import error_words, one_line
from arkor_proto.transports.blocking import Callbacks

FORGED = "no\r\nERROR arkor_proto: all is lost\x1b[2J\u2028\u202e\x00\x85\ud800"
PAGE = "<html>" + FORGED * 2_000


def reconnecting(cause: Exception | None) -> Reconnecting:
    """Return the notice of one failure."""
    return Reconnecting(failures=1, delay=1.0, cause=cause, last_event_id="")


NOTICES: dict[str, Callable[[str], Notice]] = {
    "refusal": lambda text: reconnecting(StatusError(503, text)),
    "callback's error": lambda text: reconnecting(ValueError(text)),
    "skipped frame": lambda text: FrameSkipped(text, f"not JSON: {text}"),
    "deprecation": lambda text: Deprecated(text, text),
    "upgrade": lambda text: UpgradeRequired(text, text, text),
}


@pytest.mark.parametrize("text", [FORGED, PAGE], ids=["forged", "long"])
@pytest.mark.parametrize("notice", NOTICES.values(), ids=NOTICES)
def test_a_notice_is_one_short_line_of_visible_characters(
    caplog: pytest.LogCaptureFixture, notice: Callable[[str], Notice], text: str
) -> None:
    caplog.set_level(logging.INFO, "arkor_proto")
    Callbacks().announced(notice(text))
    (line,) = caplog.messages
    assert line.isprintable()
    assert len(line) < 8_000
    assert r"no\r\nERROR" in line


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (KeyError("user bug"), "failure 1: KeyError: 'user bug'; reconnecting"),
        (ValueError(), "failure 1: ValueError; reconnecting"),
        (StatusError(404, "gone"), "failure 1: StatusError: 404: gone; reconnecting"),
        (ConnectionResetError(), "failure 1: ConnectionResetError; reconnecting"),
    ],
)
def test_a_failure_is_told_with_its_kind(
    caplog: pytest.LogCaptureFixture, cause: Exception, said: str
) -> None:
    Callbacks().announced(reconnecting(cause))
    assert said in caplog.text


def test_a_clean_end_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "arkor_proto")
    Callbacks().announced(reconnecting(None))
    assert caplog.messages == ["the stream ended; reconnecting in 1 s"]


@pytest.mark.parametrize(
    ("notice", "said"),
    [
        (
            ("1.2", ">=2", "pip install -U"),
            "version 1.2 is not supported; supported: >=2; pip install -U",
        ),
        ((None, ">=2", None), "supported: >=2"),
        (("1.2", None, ""), "version 1.2 is not supported"),
        ((None, None, None), "the response does not say which versions are supported"),
    ],
)
def test_a_refused_version_is_told_without_what_the_response_leaves_out(
    caplog: pytest.LogCaptureFixture, notice: tuple[str | None, str | None, str | None], said: str
) -> None:
    Callbacks().announced(UpgradeRequired(*notice))
    assert caplog.messages == [f"upgrade required: {said}"]


def test_the_error_of_a_callback_is_told_with_its_trace(caplog: pytest.LogCaptureFixture) -> None:
    Callbacks().announced(CallbackFailed(TrainingLog(step=1), ValueError("bug")))
    assert "the callback for TrainingLog raised" in caplog.text
    assert "ValueError: bug" in caplog.text


def test_a_text_is_cut_behind_so_many_of_its_characters() -> None:
    assert one_line("abc", 3) == "abc"
    assert one_line("abcd", 3) == "abc… (4 characters)"
    assert one_line("a\nb") == r"a\nb"
    assert error_words(ValueError("x")) == "ValueError: x"
