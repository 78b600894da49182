"""What a client is told never exhausts the stack, however little its caller has left of it."""

import inspect
import json
import sys
from collections.abc import Callable

import pytest

from arkor_proto import (
    PROFILE_2026_05,
    Aborted,
    ArkorError,
    GaveUp,
    StatusError,
    TrainingJob,
    TrainingLog,
    decode_event,
    decode_job,
)
from tests.arkor_proto.session_driver import following, streaming
from tests.arkor_proto.wire_samples import attempts, log

NESTED = json.loads('{"a":' * 140 + "1" + "}" * 140)
BODY = json.dumps({"error": "no", "x": NESTED}).encode()


def near_the_limit(do: Callable[[], object], left: int = 120) -> object:
    """Call `do` with only so many frames left."""
    if len(inspect.stack(0)) < sys.getrecursionlimit() - left:
        return _sunk(do, sys.getrecursionlimit() - left - len(inspect.stack(0)))
    return do()


def _sunk(do: Callable[[], object], levels: int) -> object:
    return _sunk(do, levels - 1) if levels > 0 else do()


@pytest.mark.parametrize(
    "value",
    [
        TrainingJob(id="j", extra=NESTED),
        TrainingLog(extra=NESTED),
        TrainingJob(id="j", config=NESTED),
    ],
    ids=["job", "event", "config"],
)
def test_a_value_is_shown_as_far_as_the_stack_goes(value: object) -> None:
    assert "…" in str(near_the_limit(lambda: repr(value)))


@pytest.mark.parametrize("decode", [decode_job, decode_event])
def test_what_the_stack_cannot_hold_is_nested_too_deeply(
    decode: Callable[[dict[str, object]], object],
) -> None:
    source: dict[str, object] = {"id": "j", "type": "training.log", "x": NESTED}
    with pytest.raises(ValueError, match="nested more than"):
        near_the_limit(lambda: decode(source))


def test_a_refusal_that_the_stack_cannot_hold_keeps_its_status() -> None:
    trainer = following(policy=attempts(0))
    near_the_limit(lambda: trainer.refuse(503, BODY), left=200)
    error = trainer.error()
    assert isinstance(error, GaveUp)
    assert isinstance(error.cause, StatusError)
    assert error.cause.status == 503


class Unspeakable(Exception):
    """An exception whose message cannot be had."""

    def __str__(self) -> str:
        raise ValueError("no words")


def test_a_reason_without_words_aborts_all_the_same() -> None:
    reason = Unspeakable()
    error = streaming().abort(reason).error()
    assert isinstance(error, Aborted)
    assert error.reason is reason
    assert "Unspeakable" in str(error)


def test_a_callback_error_without_words_is_a_cause_like_any_other() -> None:
    failed = Unspeakable()
    trainer = streaming(PROFILE_2026_05, policy=attempts(0), callback=lambda _: failed)
    error = trainer.frame(log(1)).error()
    assert isinstance(error, GaveUp)
    assert error.cause is failed
    assert "Unspeakable" in str(error)


@pytest.mark.parametrize(
    ("cause", "said"),
    [
        (KeyError("step"), "the last error: KeyError: 'step'"),
        (ValueError(), "the last error: ValueError"),
        (ArkorError("plain"), "the last error: plain"),
    ],
)
def test_giving_up_names_the_kind_of_a_foreign_error(cause: Exception, said: str) -> None:
    assert str(GaveUp(1, cause, job_id="j", cursor="")).endswith(said)
