"""Mutants that mishandle `retry:` and `Retry-After`, which a server uses to ask for a delay."""

# ruff: noqa: D401

import re
from collections.abc import Callable
from email.utils import mktime_tz, parsedate_tz

from attrs import evolve

from arkor_proto import Headers, Reconnecting, Responded
from conformance.mutants.around import Client
from conformance.mutants.dialect import change_chunks, connection, watch_blocks
from conformance.mutants.filters import change_bytes, change_delays, change_heads, with_field
from conformance.mutants.patching import ByObject, Stream, breaks, change_profiles, header

_FOR_ALL = ("2026-05", "2026-07")
_LONGEST = 1e9


@breaks("ARK-BAK-9")
def obeys_the_server() -> None:
    """`retry:` and `Retry-After` change delays in profiles where they must not."""
    change_profiles(lambda profile: evolve(profile, honours_server_delay=True), *_FOR_ALL)


@breaks("ARK-BAK-10", "ARK-BAK-11")
def ignores_the_server() -> None:
    """The client ignores `retry:` and `Retry-After`, which should set a floor for its delays."""
    change_profiles(lambda profile: evolve(profile, honours_server_delay=False), "hardened")


@breaks("ARK-BAK-11")
def keeps_retry_after() -> None:
    """`Retry-After` is a floor for all later delays, not only for the next one."""
    latest = ByObject[str]()

    def change(client: Client, head: Responded) -> Responded:
        value = header(head.headers, b"retry-after") or latest.get(client)
        if value is not None:
            latest[client] = value
        return with_field(head, b"retry-after", value)

    change_heads(change)


def _change_floors(change: Callable[[Client, float, float, float], float]) -> None:
    """Change delays in profiles that honour `retry:` and `Retry-After`.

    `change` takes the delay, the latest `retry` of the stream (-1 if none), and the `Retry-After`
    of the response that caused this delay (0 if none), all in seconds.
    """
    blocks, asked = watch_blocks(), ByObject[float]()

    def changed(client: Client, notice: Reconnecting) -> float:
        for block in blocks(client):
            asked[client] = asked.get(client, -1.0) if block.retry is None else block.retry / 1000
        answered = client.came_from in {Stream.OPENING, Stream.REFUSED}
        value = header(connection(client).headers, b"retry-after") if answered else None
        once = min(float(value), _LONGEST) if value and value.isdigit() else 0.0
        if not client.setup.profile.honours_server_delay:
            return notice.delay
        return change(client, notice.delay, asked.get(client, -1.0), once)

    change_delays(changed)


@breaks("ARK-BAK-10")
def lets_retry_decide_alone() -> None:
    """`retry:` replaces the back-off formula, even if that makes the delay shorter."""

    def change(client: Client, delay: float, asked: float, _: float) -> float:
        return delay if asked < 0 else min(asked, client.setup.policy.max_delay)

    _change_floors(change)


def _read_retry_after(read: Callable[[Headers, str], float | None]) -> None:
    """Change how the client reads a `Retry-After` that is not a number of seconds."""

    def change(_: Client, head: Responded) -> Responded:
        value = header(head.headers, b"retry-after") or ""
        if not value or (value.isascii() and value.isdigit()):
            return head
        seconds = read(head.headers, value)
        return with_field(
            head, b"retry-after", None if seconds is None or seconds < 0 else f"{seconds:.0f}"
        )

    change_heads(change)


def _seconds(headers: Headers, then: str, *, default: float | None = None) -> float | None:
    """Return the seconds from the response's `Date` (or `default` if it has none) to `then`."""
    date, now = parsedate_tz(then), parsedate_tz(header(headers, b"date") or "")
    at = default if now is None else mktime_tz(now)
    return None if date is None or at is None else mktime_tz(date) - at


@breaks("ARK-BAK-12")
def ignores_dates() -> None:
    """The client ignores a `Retry-After` that is a date."""
    _read_retry_after(lambda _, __: None)


@breaks("ARK-BAK-12")
def goes_by_its_own_clock() -> None:
    """Without a `Date` header, the client compares a `Retry-After` date with its own clock."""
    its_own = 1_777_777_777.0
    _read_retry_after(lambda headers, value: _seconds(headers, value, default=its_own))


@breaks("ARK-BAK-12")
def waits_for_what_has_passed() -> None:
    """If a `Retry-After` date is an hour in the past, the client waits for an hour."""

    def read(headers: Headers, value: str) -> float | None:
        seconds = _seconds(headers, value)
        return None if seconds is None else abs(seconds)

    _read_retry_after(read)


@breaks("ARK-BAK-12")
def takes_the_first_number_for_retry_after() -> None:
    """If `Retry-After` is not a number of seconds, the client reads its first digits as seconds."""

    def read(_: Headers, value: str) -> float | None:
        digits = re.search("[0-9]+", value)
        return None if digits is None else float(digits.group())

    _read_retry_after(read)


@breaks("ARK-BAK-12")
def waits_a_minute_for_a_malformed_retry_after() -> None:
    """The client waits for a minute after a malformed `Retry-After`."""

    def read(headers: Headers, value: str) -> float | None:
        return 60.0 if parsedate_tz(value) is None else _seconds(headers, value)

    _read_retry_after(read)


@breaks("ARK-BAK-13", "ARK-BAK-2")
def does_not_clamp_the_floor() -> None:
    """The client does not apply the cap to the delay that the server asks for."""
    _change_floors(lambda _, delay, asked, once: max(delay, asked, once))


@breaks("ARK-BAK-14", follows=("ARK-BAK-10", "ARK-BAK-11", "ARK-BAK-13"))
def spreads_below_the_floor() -> None:
    """The client shortens the delay by a fifth, to less than the floor that the server asked for."""

    def change(client: Client, delay: float, asked: float, once: float) -> float:
        floor = min(max(asked, once), client.setup.policy.max_delay)
        return 0.8 * delay if floor > 0 and delay >= floor else delay

    _change_floors(change)


@breaks("ARK-SSE-17")
def takes_retry_at_the_blank_line() -> None:
    """`retry:` takes effect only when its block is complete, instead of immediately."""
    change_chunks(lambda _, __, blocks: blocks, lambda _, __, ___: b"")


def _change_lines(change: Callable[[bytes], bytes | None]) -> None:
    """Replace each `retry:` line of a chunk with the result of `change`; None removes the line."""

    def changed(_: Client, data: bytes) -> bytes:
        lines = (change(line) if line.startswith(b"retry:") else line for line in data.split(b"\n"))
        return b"\n".join(line for line in lines if line is not None)

    change_bytes(changed)


@breaks("ARK-SSE-18")
def reads_any_number_as_retry() -> None:
    """The client uses the digits of a malformed `retry:` (`5000x`), or 5,000 ms if it has none."""

    def change(line: bytes) -> bytes:
        digits = bytes(c for c in line if chr(c).isdigit())
        return line if line[6:].strip().isdigit() else b"retry: %d" % (int(digits or b"0") or 5000)

    _change_lines(change)


def _every_retry(read: Callable[[bytes], int | None]) -> None:
    """Replace the value of each `retry` line with what `read` returns, unless it returns None."""

    def change(line: bytes) -> bytes:
        number = read(line.removeprefix(b"retry:"))
        return line if number is None else b"retry: %d" % number

    _change_lines(change)


@breaks("ARK-SSE-18")
def reads_retry_with_its_number_parser() -> None:
    """The client parses `retry:` with `int()`, which accepts signs, spaces and non-ASCII digits."""

    def read(value: bytes) -> int | None:
        try:
            return abs(int(value.decode()))
        except ValueError:
            return None

    _every_retry(read)


@breaks("ARK-SSE-18")
def reads_retry_up_to_the_first_letter() -> None:
    """The client reads `retry: 1000x` as 1,000 ms, as `parseInt` does."""

    def read(value: bytes) -> int | None:
        found = re.match(rb" ?(\d+)", value)
        return None if found is None else int(found[1])

    _every_retry(read)


@breaks("ARK-SSE-18")
def reads_retry_as_a_float() -> None:
    """The client reads `retry: 5e3` as 5,000 ms."""

    def read(value: bytes) -> int | None:
        try:
            return int(float(value))
        except (ValueError, OverflowError):
            return None

    _every_retry(read)


@breaks("ARK-SSE-20")
def takes_an_empty_retry_for_zero() -> None:
    """`retry:` without a value removes the floor."""
    _every_retry(lambda value: None if value.strip() else 0)


@breaks("ARK-SSE-20")
def takes_an_empty_retry_for_the_default() -> None:
    """`retry:` without a value sets the floor to 3 s, the default in browsers."""
    _every_retry(lambda value: None if value.strip() else 3000)


@breaks("ARK-BAK-10")
def takes_a_retry_of_zero_for_none() -> None:
    """`retry: 0` sets the floor to 3 s, the default in browsers."""
    _every_retry(lambda value: 3000 if value.strip() == b"0" else None)


@breaks("ARK-SSE-18")
def refuses_leading_zeros_of_retry() -> None:
    """The client ignores a `retry:` with leading zeros, such as `03000`."""
    _change_lines(lambda line: None if re.match(rb"retry: ?0[0-9]", line) else line)
