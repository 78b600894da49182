"""Variants that behave differently but break no rule: the kit must pass every one of them.

The protocol leaves these choices to the client. If the kit fails one of these variants, the kit
is wrong.
"""

# ruff: noqa: D401

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from urllib.parse import quote, quote_plus, urlencode
from weakref import WeakKeyDictionary

import anyio.lowlevel
from anyio.abc import ByteStream
from attrs import evolve

from arkor_proto import Input, Random, Received, ReconnectPolicy, Request
from arkor_proto.transports import _async_http
from arkor_proto.transports._async_http import Connection
from conformance.drivers.python import lines
from conformance.drivers.python.clocks import VirtualClock
from conformance.drivers.python.stdio import Desk
from conformance.mutants.around import Client
from conformance.mutants.dialect import misread
from conformance.mutants.families.wire import edit_queries
from conformance.mutants.filters import edit_requests, filter_inputs
from conformance.mutants.patching import body_of, breaks, replace, with_body, with_header

_SINGLY: Final = 100_000  # Reading all bytes of a connection one at a time would take minutes.
_LARGE: Final = 65_536


def _every_request(change: Callable[[Request], Request]) -> None:
    edit_requests(lambda _, request: change(request))


def _every_header(change: Callable[[bytes], bytes]) -> None:
    _every_request(
        lambda r: evolve(r, headers=tuple((change(name), value) for name, value in r.headers))
    )


@breaks()
def writes_header_names_in_lower_case() -> None:
    """The client writes header names in lower case."""
    _every_header(bytes.lower)


@breaks()
def writes_header_names_in_upper_case() -> None:
    """The client writes header names in upper case."""
    _every_header(bytes.upper)


@breaks()
def sends_headers_in_reverse_order() -> None:
    """The client sends headers in reverse order."""
    _every_request(lambda r: evolve(r, headers=tuple(reversed(r.headers))))


@breaks()
def sends_headers_of_its_own() -> None:
    """Every request has a `User-Agent` header, which the protocol does not require."""
    _every_request(lambda r: with_header(r, b"User-Agent", b"benign/1.0 (a variant)"))


@breaks()
def asks_for_connections_to_be_closed() -> None:
    """Every request has `Connection: close`, so no connection is kept alive."""
    _every_request(lambda r: with_header(r, b"Connection", b"close"))


@breaks()
def writes_json_with_spaces() -> None:
    """The client indents JSON bodies."""

    def change(request: Request) -> Request:
        if not request.body:
            return request
        return with_body(request, json.dumps(body_of(request), indent=4).encode())

    _every_request(change)


@breaks()
def writes_json_in_another_order() -> None:
    """JSON bodies have members in reverse order and unescaped non-ASCII characters."""

    def change(request: Request) -> Request:
        if not request.body:
            return request
        turned = dict(reversed(list(body_of(request).items())))
        return with_body(request, json.dumps(turned, ensure_ascii=False).encode())

    _every_request(change)


@breaks()
def writes_spaces_in_the_query_as_plus() -> None:
    """The client writes spaces in the query as `+`."""
    edit_queries(lambda pairs: urlencode(pairs, quote_via=quote_plus))


@breaks()
def writes_the_query_in_another_order() -> None:
    """The client writes query parameters in reverse order."""
    edit_queries(lambda pairs: urlencode(dict(reversed(list(pairs.items()))), quote_via=quote))


@breaks()
def reads_byte_by_byte() -> None:
    """The client reads the first 100,000 bytes of a connection one at a time."""
    original = Connection.read
    so_far: WeakKeyDictionary[ByteStream, int] = WeakKeyDictionary()

    async def read(connection: Connection) -> bytes:
        count = so_far.get(connection.stream, 0)
        replace(_async_http, "_READ_SIZE", 1 if count < _SINGLY else _LARGE)
        data = await original(connection)
        so_far[connection.stream] = count + len(data)
        return data

    replace(Connection, "read", read)


@breaks()
def reads_small_pieces() -> None:
    """The client reads seven bytes at a time from the socket."""
    replace(_async_http, "_READ_SIZE", 7)


@breaks()
def parses_byte_by_byte() -> None:
    """The parser is given one byte at a time."""

    def change(client: Client, event: Input) -> Iterable[Input]:
        if client.is_of_stream(event) and isinstance(event, Received):
            for n in range(len(event.data)):
                yield Received(event.exchange, event.data[n : n + 1])
        else:
            yield event

    filter_inputs(change)


@breaks()
def writes_each_event_anew() -> None:
    """The parser gets each event in one piece and in its simplest form, however it was sent."""
    misread(lambda block: block)


@breaks()
def keeps_no_connection() -> None:
    """Every request uses a new connection."""
    replace(_async_http, "_MAX_IDLE", 0)


@breaks()
def has_slow_callbacks() -> None:
    """Callbacks are slow: each yields to other tasks 50 times."""
    original = Desk.heard

    async def heard(desk: Desk, name: str, data: Mapping[str, object]) -> None:
        await original(desk, name, data)
        for _ in range(50):
            await anyio.lowlevel.checkpoint()

    replace(Desk, "heard", heard)


@breaks()
def reads_slowly() -> None:
    """The client yields to other tasks 20 times before each read."""
    original = Connection.read

    async def read(connection: Connection) -> bytes:
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        return await original(connection)

    replace(Connection, "read", read)


@breaks()
def makes_noise_on_stderr() -> None:
    """The client writes debug messages to standard error."""
    original = lines.emit

    def emit(message: Mapping[str, object]) -> None:
        sys.stderr.write(f"DEBUG about to send {sorted(message)}\n")
        original(message)

    replace(lines, "emit", emit)


@breaks()
def sends_logs_between() -> None:
    """The driver sends a log event before every other event."""
    original = lines.emit

    def emit(message: Mapping[str, object]) -> None:
        if "re" not in message:
            original({"event": "log", "text": "something is about to happen"})
        original(message)

    replace(lines, "emit", emit)


@breaks()
def does_not_spread_failures() -> None:
    """The client spreads the delay after the first failure in a row, but not after later ones."""
    original = ReconnectPolicy.delay

    def delay(
        policy: ReconnectPolicy, n: int, random: Random | None, previous: float | None = None
    ) -> float:
        spread = n == 0 and random is not None
        return original(policy, n, random if spread else None, previous)

    replace(ReconnectPolicy, "delay", delay)


@breaks()
def rounds_delays_to_milliseconds() -> None:
    """The client rounds delays to whole milliseconds."""
    original = VirtualClock.sleep_until

    async def sleep_until(clock: VirtualClock, deadline: float, purpose: str) -> None:
        await original(clock, round(deadline, 3), purpose)

    replace(VirtualClock, "sleep_until", sleep_until)
