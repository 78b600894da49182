"""Mutants of the delays that a server asks for: `retry` and `Retry-After`."""

# Mutants patch private names.
# ruff: noqa: D401, SLF001
# pyright: reportPrivateUsage=false

import re
from collections.abc import Callable
from email.utils import mktime_tz, parsedate_tz

from attrs import evolve

from arkor_proto import _wait, _wire
from arkor_proto._backoff import Budget
from arkor_proto._sse import EventStreamParser
from arkor_proto._types import Headers
from arkor_proto._wire import header
from conformance.mutants.patching import (
    ByObject,
    breaks,
    change_profiles,
    replace,
)

_FOR_ALL = ("2026-05", "2026-07")


@breaks("ARK-BAK-9")
def obeys_the_server() -> None:
    """`retry:` and `Retry-After` change delays where they must not."""
    change_profiles(lambda profile: evolve(profile, honours_server_delay=True), *_FOR_ALL)


@breaks("ARK-BAK-10", "ARK-BAK-11")
def ignores_the_server() -> None:
    """Neither `retry:` nor `Retry-After` is a floor."""
    change_profiles(lambda profile: evolve(profile, honours_server_delay=False), "hardened")


@breaks("ARK-BAK-11")
def keeps_retry_after() -> None:
    """`Retry-After` is a floor under every later delay."""

    def ask(budget: Budget, *, stream: float | None = None, once: float | None = None) -> None:
        if once is not None or stream is not None:
            budget._stream_floor = max(budget._stream_floor, once or 0.0, stream or 0.0)

    replace(Budget, "ask", ask)


@breaks("ARK-BAK-10")
def lets_retry_decide_alone() -> None:
    """`retry:` takes the place of the formula, also to wait less."""
    original = Budget._raised
    said = ByObject[float]()

    def ask(budget: Budget, *, stream: float | None = None, once: float | None = None) -> None:
        if stream is not None:
            said[budget] = min(stream, budget.policy.max_delay)
        if once is not None:
            budget._once_floor = once

    def raised(budget: Budget, delay: float) -> float:
        return said.get(budget, original(budget, delay))

    replace(Budget, "ask", ask)
    replace(Budget, "_raised", raised)


def _read_retry_after(read: Callable[[Headers, str], float | None]) -> None:
    """Read `Retry-After` in another way where it is no number of seconds."""
    original = _wire.retry_after

    def retry_after(headers: Headers) -> float | None:
        value = header(headers, b"retry-after") or ""
        plain = not value or (value.isascii() and value.isdigit())
        return original(headers) if plain else read(headers, value)

    replace(_wait, "retry_after", retry_after)


def _seconds(headers: Headers, then: str, *, default: float | None = None) -> float | None:
    """Return how long after the answer's own time `then` is; `default` is the time without it."""
    date, now = parsedate_tz(then), parsedate_tz(header(headers, b"date") or "")
    at = default if now is None else mktime_tz(now)
    return None if date is None or at is None else mktime_tz(date) - at


@breaks("ARK-BAK-12")
def ignores_dates() -> None:
    """`Retry-After` as a date is ignored."""
    _read_retry_after(lambda _, __: None)


@breaks("ARK-BAK-12")
def goes_by_its_own_clock() -> None:
    """`Retry-After` as a date is compared with the client's clock where the answer has no time."""
    its_own = 1_777_777_777.0
    _read_retry_after(lambda headers, value: _seconds(headers, value, default=its_own))


@breaks("ARK-BAK-12")
def waits_for_what_has_passed() -> None:
    """A `Retry-After` that lies an hour in the past is an hour to wait."""

    def read(headers: Headers, value: str) -> float | None:
        seconds = _seconds(headers, value)
        return None if seconds is None else abs(seconds)

    _read_retry_after(read)


@breaks("ARK-BAK-12")
def takes_the_first_number_for_retry_after() -> None:
    """Of a `Retry-After` that is no number of seconds the first digits count."""

    def read(_: Headers, value: str) -> float | None:
        digits = re.search("[0-9]+", value)
        return None if digits is None else float(digits.group())

    _read_retry_after(read)


@breaks("ARK-BAK-12")
def waits_a_minute_for_a_malformed_retry_after() -> None:
    """A `Retry-After` that says nothing is a minute."""

    def read(headers: Headers, value: str) -> float | None:
        return 60.0 if parsedate_tz(value) is None else _seconds(headers, value)

    _read_retry_after(read)


@breaks("ARK-BAK-13", "ARK-BAK-2")
def does_not_clamp_the_floor() -> None:
    """The server may ask for any delay."""
    original = Budget._raised

    def raised(budget: Budget, delay: float) -> float:
        floor = max(budget._stream_floor, budget._once_floor)
        return max(original(budget, delay), floor)

    replace(Budget, "_raised", raised)


@breaks("ARK-BAK-14")
def spreads_below_the_floor() -> None:
    """A floor is spread downward as well."""
    original = Budget._raised

    def raised(budget: Budget, delay: float) -> float:
        result = original(budget, delay)
        return result * 0.8 if result > delay else result

    replace(Budget, "_raised", raised)


@breaks("ARK-SSE-17")
def takes_retry_at_the_blank_line() -> None:
    """`retry:` acts only when its block is complete."""

    def hold(parser: EventStreamParser, data: bytes) -> None:
        parser._block += data

    replace(EventStreamParser, "_hold", hold)


@breaks("ARK-SSE-18")
def reads_any_number_as_retry() -> None:
    """`retry: -5` and `retry: 5000x` are taken for 5,000 ms."""
    original = EventStreamParser.feed

    def feed(parser: EventStreamParser, data: bytes) -> object:
        for line in bytes(data).split(b"\n"):
            digits = bytes(c for c in line if chr(c).isdigit())
            if line.startswith(b"retry:") and not line[6:].strip().isdigit():
                parser._retry = int(digits or b"0") or 5000
        return original(parser, data)

    replace(EventStreamParser, "feed", feed)


def _every_retry(read: Callable[[bytes], int | None]) -> None:
    """Read each `retry` line in another way, the standard's own being kept besides."""
    original = EventStreamParser.feed

    def feed(parser: EventStreamParser, data: bytes) -> object:
        events = original(parser, data)
        for line in bytes(data).split(b"\n"):
            name, colon, value = line.partition(b":")
            if name == b"retry" and colon and (retry := read(value)) is not None:
                parser._retry = retry
        return events

    replace(EventStreamParser, "feed", feed)


@breaks("ARK-SSE-18")
def reads_retry_with_its_number_parser() -> None:
    """What the language takes for a whole number is one: signs, spaces, any script's digits."""

    def read(value: bytes) -> int | None:
        try:
            return abs(int(value.decode()))
        except ValueError:
            return None

    _every_retry(read)


@breaks("ARK-SSE-18")
def reads_retry_up_to_the_first_letter() -> None:
    """`1000x` is 1,000, as `parseInt` has it."""

    def read(value: bytes) -> int | None:
        found = re.match(rb" ?(\d+)", value)
        return None if found is None else int(found[1])

    _every_retry(read)


@breaks("ARK-SSE-18")
def reads_retry_as_a_float() -> None:
    """`5e3` is 5,000."""

    def read(value: bytes) -> int | None:
        try:
            return int(float(value))
        except (ValueError, OverflowError):
            return None

    _every_retry(read)


@breaks("ARK-SSE-20")
def takes_an_empty_retry_for_zero() -> None:
    """`retry:` without a value takes the floor away."""
    _every_retry(lambda value: None if value.strip() else 0)


@breaks("ARK-SSE-20")
def takes_an_empty_retry_for_the_default() -> None:
    """`retry:` without a value stands for the three seconds of browsers."""
    _every_retry(lambda value: None if value.strip() else 3000)


@breaks("ARK-BAK-10")
def takes_a_retry_of_zero_for_none() -> None:
    """`retry: 0` stands for the three seconds of browsers."""
    _every_retry(lambda value: 3000 if value.strip() == b"0" else None)


@breaks("ARK-SSE-18")
def refuses_leading_zeros_of_retry() -> None:
    """`retry: 03000` is ignored."""
    original = EventStreamParser.feed

    def feed(parser: EventStreamParser, data: bytes) -> object:
        lines = bytes(data).split(b"\n")
        kept = [line for line in lines if not re.match(rb"retry: ?0[0-9]", line)]
        return original(parser, b"\n".join(kept))

    replace(EventStreamParser, "feed", feed)
