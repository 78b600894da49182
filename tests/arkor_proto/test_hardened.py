"""The hardened profile: the stream that is accepted, and the delays that a server may ask for."""

import tracemalloc

import pytest

from arkor_proto import HARDENED, PROFILES, Bounds, Headers, Profile, ReconnectPolicy, StatusError
from tests.arkor_proto.session_driver import following, streaming
from tests.arkor_proto.wire_samples import (
    EVENT_STREAM,
    attempts,
    frame,
    log,
)

published = pytest.mark.parametrize("profile", PROFILES[:2], ids=lambda profile: profile.name)


def wait(value: bytes, *more: tuple[bytes, bytes]) -> Headers:
    """Return the headers of an answer with `Retry-After`."""
    return ((b"Retry-After", value), *more)


@pytest.mark.parametrize(
    "media",
    [
        b"text/event-stream",
        b"Text/Event-Stream",
        b"text/event-stream; charset=utf-8",
        b" text/event-stream ;x=y",
        b"text/event-stream;",
    ],
)
def test_the_media_type_is_compared_without_case_and_parameters(media: bytes) -> None:
    assert following(HARDENED).open(200, ((b"content-type", media),)).delays == []


@pytest.mark.parametrize(
    "media", [b"text/html", b"application/json", b"x bogus", b"text/x-bogus", b"", b"text/event"]
)
def test_another_media_type_is_a_failure(media: bytes) -> None:
    trainer = following(HARDENED).open(200, ((b"Content-Type", media),))
    assert (trainer.delays, trainer.closed) == ([1.0], [2])


def test_an_answer_without_a_media_type_is_a_failure() -> None:
    assert following(HARDENED).open(200, ()).delays == [1.0]


@pytest.mark.parametrize("status", [201, 202, 203, 206, 299])
def test_another_2xx_is_a_failure(status: int) -> None:
    assert following(HARDENED).open(status).delays == [1.0]


@pytest.mark.parametrize("headers", [(), EVENT_STREAM, ((b"Content-Encoding", b"gzip"),)])
def test_a_204_ends_the_wait_with_that_status(headers: Headers) -> None:
    error = following(HARDENED).open(204, headers).error()
    assert isinstance(error, StatusError)
    assert error.status == 204


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 503])
def test_retry_after_is_a_floor_under_the_next_delay(status: int) -> None:
    assert following(HARDENED).refuse(status, headers=wait(b"7")).delays == [7.0]


def test_retry_after_holds_for_one_delay() -> None:
    trainer = following(HARDENED).refuse(503, headers=wait(b"7")).due().refuse(503)
    assert trainer.delays == [7.0, 2.0]


def test_retry_after_on_an_answer_that_is_no_stream_is_a_floor_too() -> None:
    assert following(HARDENED).open(202, wait(b"7")).delays == [7.0]


def test_retry_after_on_the_last_attempt_does_not_reach_into_the_next_wait() -> None:
    trainer = following(HARDENED, policy=attempts(0)).refuse(503, headers=wait(b"7"))
    assert trainer.follow().open().frame(log(1), id="1").eof().delays == [1.0]


def test_a_shorter_retry_after_shortens_nothing() -> None:
    trainer = following(HARDENED).broken().due().broken().due().refuse(503, headers=wait(b"1"))
    assert trainer.delays == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("value", [b"61", b"99999", b"9" * 5000])
def test_retry_after_is_cut_to_the_cap(value: bytes) -> None:
    assert following(HARDENED).refuse(503, headers=wait(value)).delays == [60.0]


@pytest.mark.parametrize("value", [b"", b"-5", b"+5", b"1.5", b"1_0", b"5 s", b"\xd9\xa3", b"soon"])
def test_a_malformed_retry_after_says_nothing(value: bytes) -> None:
    assert following(HARDENED).refuse(503, headers=wait(value)).delays == [1.0]


def test_a_date_counts_from_the_answers_own_date() -> None:
    headers = wait(b"Fri, 01 Jan 2027 00:00:20 GMT", (b"Date", b"Fri, 01 Jan 2027 00:00:00 GMT"))
    assert following(HARDENED).refuse(503, headers=headers).delays == [20.0]


def test_a_date_in_the_past_asks_for_nothing() -> None:
    headers = wait(b"Fri, 01 Jan 2027 00:00:00 GMT", (b"Date", b"Fri, 01 Jan 2027 00:00:20 GMT"))
    assert following(HARDENED).refuse(503, headers=headers).delays == [1.0]


@pytest.mark.parametrize("date", [(), ((b"Date", b"yesterday"),)])
def test_a_date_without_a_usable_date_of_the_answer_says_nothing(
    date: tuple[tuple[bytes, bytes], ...],
) -> None:
    headers = wait(b"Fri, 01 Jan 2027 00:00:20 GMT", *date)
    assert following(HARDENED).refuse(503, headers=headers).delays == [1.0]


def test_a_date_beyond_every_calendar_says_nothing_or_the_cap() -> None:
    headers = wait(b"Fri, 01 Jan 99999 00:00:20 GMT", (b"Date", b"Fri, 01 Jan 2027 00:00:00 GMT"))
    assert following(HARDENED).refuse(503, headers=headers).delays in ([1.0], [60.0])


def test_retry_is_a_floor_under_every_later_delay() -> None:
    trainer = streaming(HARDENED).raw(b"retry: 5000\n\n").frame(log(1), id="1").eof().due()
    assert trainer.broken().due().broken().due().broken().delays == [5.0, 5.0, 5.0, 5.0]


def test_retry_takes_effect_before_its_blank_line() -> None:
    assert streaming(HARDENED).raw(b"retry: 5000\n").broken().delays == [5.0]


def test_retry_holds_until_another_one() -> None:
    trainer = streaming(HARDENED).raw(b"retry: 5000\n").broken().due().open()
    assert trainer.raw(b"retry: 0\n").broken().delays == [5.0, 2.0]


@pytest.mark.parametrize("value", [b"", b"-1", b"1_0", b"5s", b"+5", b"\xd9\xa3", b" 5"])
def test_a_malformed_retry_says_nothing(value: bytes) -> None:
    trainer = streaming(HARDENED).raw(b"retry:  " + value + b"\n").broken()
    assert trainer.delays == [1.0]


@pytest.mark.parametrize("digits", [6, 19, 5000])
def test_a_huge_retry_is_cut_to_the_cap(digits: int) -> None:
    assert streaming(HARDENED).raw(b"retry: " + b"9" * digits + b"\n").broken().delays == [60.0]


def test_a_retry_of_zero_is_no_tight_loop() -> None:
    assert streaming(HARDENED).raw(b"retry: 0\n").broken().delays == [1.0]


@published
def test_the_published_revisions_ignore_both(profile: Profile) -> None:
    trainer = streaming(profile).raw(b"retry: 9000\n\n").broken().due()
    assert trainer.refuse(503, headers=wait(b"30")).delays == [1.0, 2.0]


@pytest.mark.parametrize("chance", [0.0, 0.3, 0.999])
def test_a_floor_is_never_undercut_by_the_spread(chance: float) -> None:
    trainer = following(HARDENED, random=lambda: chance).refuse(503, headers=wait(b"20"))
    assert 20.0 <= trainer.delays[0] <= 25.0


@pytest.mark.parametrize(("chance", "delay"), [(0.0, 0.75), (0.5, 1.0)])
def test_a_clean_end_is_spread(chance: float, delay: float) -> None:
    trainer = streaming(HARDENED, random=lambda: chance).frame(log(1), id="1").eof()
    assert trainer.delays == [delay]


def test_a_floor_above_a_small_cap_is_that_cap() -> None:
    policy = ReconnectPolicy(1.0, 2.0)
    trainer = following(HARDENED, policy=policy, random=lambda: 0.9)
    assert trainer.refuse(503, headers=wait(b"9")).delays == [2.0]


def test_ids_of_any_length_are_remembered_in_little_memory() -> None:
    trainer = streaming(HARDENED, bounds=Bounds(event=2**20))
    body = b"".join(frame(log(n), id=f"{n:04}" + "x" * 500_000) for n in range(60))
    trainer.raw(frame(log(0), id="0"))
    tracemalloc.start()
    try:
        for start in range(0, len(body), 2**16):
            trainer.raw(body[start : start + 2**16])
        for kept in (trainer.events, trainer.inputs, trainer.outputs):
            kept.clear()
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < 8 * 2**20


@pytest.mark.parametrize("length", [63, 64, 65, 66, 1000])
def test_an_id_of_any_length_is_recognised_when_it_comes_again(length: int) -> None:
    first, second = "a" * length, "a" * (length - 1) + "b"
    trainer = streaming(HARDENED, policy=attempts(5))
    trainer.frame(log(1), id=first).frame(log(2), id=second).broken().due().open()
    assert trainer.frame(log(1), id=first).eof().failures == [1, 2]
    assert trainer.due().open().frame(log(3), id=second + "c").eof().failures == [1, 2, 0]


def test_the_last_1024_ids_are_remembered_and_no_more() -> None:
    trainer = streaming(HARDENED)
    for number in range(1025):
        trainer.frame(log(number), id=f"{number}")
    trainer.broken().due().open()
    assert trainer.frame(log(1), id="1").eof().failures == [1, 2]
    assert trainer.due().open().frame(log(0), id="0").eof().failures == [1, 2, 0]
