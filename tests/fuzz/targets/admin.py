"""The admin: requests to the real handler, without a network and in virtual time.

An input is requests, separated by NUL: a line `METHOD TARGET`, perhaps with ` toml` after it, and the
body below. They come with the right Host and the token. An input that begins with `RAW` and a line end
is sent as it is. Every request is answered, never with 500; afterwards the admin still answers, and it
knows as many servers as there are.
"""

import asyncio
import json
import re
from collections.abc import Iterator, Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

import anyio
import h11
from attrs import define, frozen

from mock_server.admin.operations import OPERATIONS
from mock_server.admin.requests import PREFIX
from mock_server.admin.server import AdminOrigin, Fleet
from mock_server.faults.rules import Rules
from mock_server.journal.journal import Journal
from mock_server.journal.records import (
    ConnectionClosed,
    ConnectionFailed,
    ConnectionOpened,
    ExchangeEnded,
    FrameSent,
    RequestReceived,
    ResponseStarted,
)
from mock_server.net.connection import ServerConnection
from mock_server.net.names.host_names import HostNames
from mock_server.net.service import Service
from mock_server.scenario.files import scenario_from_dict, scenario_from_toml, scenario_to_dict
from mock_server.scenario.model import Limits, Scenario
from mock_server.scenario.rule import FAULTS
from mock_server.scenario.vocabulary import Route
from mock_server.strict.shapes import is_table
from tests.fuzz.targets.virtual import MemoryWire, VirtualLoop

LONGEST: Final = 2048
_RAW: Final = b"RAW\n"
_NUL: Final = b"\0"
_TOKEN: Final = "t"
_PORT: Final = 1
_MINE: Final = b"Host: 127.0.0.1:1\r\nAuthorization: Bearer t\r\n"
_SCENARIO: Final = scenario_from_toml(
    "schema = 1\n[[job]]\nid = 'a'\nsubmitted = true\n[[rule]]\nstall = {gate = 'g'}\n"
)
_NEVER: Final = {500, 502, 504}
"""The statuses that say that something went wrong which should not."""
_READ: Final = ("", "/scenario", "/rules", "/gates", "/connections", "/journal")
_LARGEST_HEAD: Final = 100_000
TOKENS: Final = (
    *(f"{each.method} {PREFIX}{each.path}\n".encode() for each in OPERATIONS),
    *(b"\0", b"GET ", b"POST ", b"PUT ", b"DELETE ", b"HEAD ", b"/__mock__/v1/servers/1", b"%00"),
    *(b" toml\n", b'{"schema":1}', b"schema = 1\n", b"?after=1", b"&wait=100", b"&format=jsonl"),
    *(b'{"how":"fin"}', b'{"data":"x"}', b'"rule"', b'"within_ms":10', b"null", b"1e400", b"%ff"),
    *(b"RAW\n", b"HTTP/1.1\r\n", b"\r\n\r\n", b"Transfer-Encoding: chunked\r\n", _MINE),
    *(
        b"Content-Length: 1\r\n",
        b"Expect: 100-continue\r\n",
        b"Connection: close\r\n",
        b"0\r\n\r\n",
    ),
    *(f'"{name}":'.encode() for name in FAULTS),
)


@frozen
class Answer:
    """One answer; `whole` tells whether it came to its end."""

    status: int
    kind: str
    body: bytes
    last: bool
    """Whether the connection ends after it."""
    whole: bool


@define(eq=False)
class _Admin:
    """The admin as `arkor-mock serve` makes it, without its listener."""

    origin: AdminOrigin
    service: Service

    @classmethod
    def of(cls, fleet: Fleet) -> "_Admin":
        names = HostNames.of("127.0.0.1", _PORT)
        book = Journal(1000, bytes_limit=1 << 22)
        origin = AdminOrigin(fleet, _TOKEN, False, names, anyio.Event(), book)  # noqa: FBT003
        limits = Limits(body_bytes=1 << 16, records=1000)
        service = Service(Rules(0, lambda _: None), book, origin, limits, admits=origin.admits)
        return cls(origin, service)

    async def answers(self, data: bytes) -> bytes:
        """Serve one connection; return what its client gets."""
        wire = MemoryWire.of(data)
        await ServerConnection(self.service, wire, 1).run()
        assert wire.closed, "the connection was not closed"
        return bytes(wire.got)

    async def ask(self, *paths: str) -> list[Answer]:
        """Read these paths, one after another."""
        requests = [_written(f"GET {PREFIX}{path}".encode()) for path in paths]
        return _read(await self.answers(b"".join(requests)), [b"GET"] * len(paths))


def target(data: bytes) -> None:
    """Send requests to the admin; raise where it does not deal with them as it should."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(_played(data))


async def _played(data: bytes) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.watch_threads()
    async with anyio.create_task_group() as group:
        fleet = Fleet("127.0.0.1", group)
        name = await fleet.start(_SCENARIO)
        _write(fleet.servers[name].record_book)
        admin = _Admin.of(fleet)
        await _send(admin, data)
        await _check(admin)
        group.cancel_scope.cancel()


def _write(book: Journal) -> None:
    """Put something into a journal that can be waited for and verified."""
    book.add(ConnectionOpened(*book.stamp(), 1))
    book.add(
        RequestReceived(
            *book.stamp(),
            connection=1,
            route=Route.STREAM,
            attempt=1,
            method="GET",
            target="/v1/jobs/a/events/stream",
            headers=(("last-event-id", "1"),),
            authorized=True,
            body=b"",
            json=None,
            job="a",
            last_event_id="1",
        )
    )
    book.add(ResponseStarted(*book.stamp(), 1, Route.STREAM, 1, HTTPStatus.OK))
    book.add(FrameSent(*book.stamp(), 1, Route.STREAM, 1, 1, "2", None, "training.log"))
    book.add(ExchangeEnded(*book.stamp(), 1, Route.STREAM, 1, "eof", "server"))
    book.add(ConnectionClosed(*book.stamp(), 1, "client", "fin"))


async def _send(admin: _Admin, data: bytes) -> None:
    if data.startswith(_RAW):
        got = await admin.answers(data.removeprefix(_RAW))
        if status := re.match(rb"HTTP/1\.1 (\d\d\d) ", got):
            assert int(status[1]) not in _NEVER, f"answered with {got[:200]!r}"
        else:
            assert not got, f"answered with {got[:200]!r}"
        return
    requests = data.split(_NUL)
    got = await admin.answers(b"".join(map(_written, requests)))
    found = _read(got, [request.partition(b" ")[0] for request in requests])
    for answer in found:
        assert answer.status not in _NEVER, f"answered with {answer}"
        if answer.kind == "application/json" and answer.whole and answer.body:
            _check_words(json.loads(answer.body))
    ended = found and (found[-1].last or not found[-1].whole)
    assert ended or len(found) == len(requests), f"{len(requests)} requests, {len(found)} answers"


def _check_words(found: object) -> None:
    """Check that an error is told in words."""
    if is_table(found) and "error" in found:
        error = found["error"]
        assert isinstance(error, str), f"{error!r} is no text"
        assert error.strip(" :") == error, f"half a sentence: {error!r}"


def _written(request: bytes) -> bytes:
    """Return a request as it is sent."""
    line, _, body = request.partition(b"\n")
    toml = line.endswith(b" toml")
    kind = b"Content-Type: application/toml\r\n" if toml else b""
    head = line.removesuffix(b" toml") + b" HTTP/1.1\r\n" + _MINE + kind
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def _read(got: bytes, methods: Sequence[bytes]) -> list[Answer]:
    """Read the answers to requests with these methods; raise for what is not HTTP."""
    found: list[Answer] = []
    for method in methods:
        if not got or (found and found[-1].last):
            break
        http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST_HEAD)
        host = [(b"Host", b"x")]
        http.send(
            h11.Request(method="HEAD" if method == b"HEAD" else "GET", target="/", headers=host)
        )
        http.send(h11.EndOfMessage())
        http.receive_data(got)
        answer, got = _next(http)
        found.append(answer)
    assert not got or found[-1].last, f"more than was asked for: {got[:200]!r}"
    return found


def _next(http: h11.Connection) -> tuple[Answer, bytes]:
    status, kind, last, body = 0, "", False, bytearray()
    while True:
        event = http.next_event()
        match event:
            case h11.Response(status_code=status, headers=headers):
                fields = {name: value.decode("latin-1") for name, value in headers}
                kind = fields.get(b"content-type", "")
                last = fields.get(b"connection", "") == "close"
            case h11.Data(data=data):
                body += data
            case h11.InformationalResponse():
                pass
            case _:
                whole = isinstance(event, h11.EndOfMessage)
                rest = http.trailing_data[0] if whole else b""
                return Answer(status, kind, bytes(body), last, whole), rest


async def _check(admin: _Admin) -> None:
    """Check that the admin lives on, and knows what it has."""
    bugs = [each for each in admin.service.journal.records if isinstance(each, ConnectionFailed)]
    assert not bugs, f"an exception: {bugs}"
    assert not admin.origin.polls.waiting, "a request still waits for a record"
    servers = dict(admin.origin.fleet.servers)
    paths = ["/health"]
    for name, server in servers.items():
        paths += [f"/servers/{name}{path}" for path in _READ]
        paths += [f"/servers/{name}/jobs/{quote(job, safe='')}" for job in server.jobs]
        _survives(server.scenario)
    found = await admin.ask(*paths)
    assert len(found) == len(paths), f"{len(paths)} requests, {len(found)} answers"
    for path, answer in zip(paths, found, strict=True):
        assert answer.status == HTTPStatus.OK, f"{path}: {answer}"
    health: object = json.loads(found[0].body)
    assert health == {"ok": True, "servers": len(servers)}, health


def _survives(scenario: Scenario) -> None:
    again = scenario_from_dict(scenario_to_dict(scenario))
    assert again == scenario, f"{scenario} was read again as {again}"


def seeds() -> Iterator[bytes]:
    """Yield every request of the admin, with a body that fits, and what is not HTTP."""
    names = {"server": "1", "rule": "1", "job": "a", "gate": "g", "connection": "1"}
    bodies = {
        "/servers": b'{"schema":1}',
        "/servers/{server}/scenario": b'{"schema":1,"seed":3,"job":[{"id":"b"}]}',
        "/servers/{server}/rules": b'{"on":{"route":"stream"},"end":"fin"}',
        "/servers/{server}/jobs": b'{"id":"c","events":2}',
        "/servers/{server}/jobs/{job}/events": b'[{"json":{"type":"training.log"}},{"id":"7"}]',
        "/servers/{server}/wait": b'{"route":"stream","frame":1,"within_ms":5}',
        "/servers/{server}/verify": b'{"conduct":true,"resume_chain":true,"requests":[{"request":{"route":"stream"},"times":1}]}',
    }
    lines: list[bytes] = []
    for each in OPERATIONS:
        line = f"{each.method} {PREFIX}{each.path.format(**names)}".encode()
        lines.append(line + b"\n" + bodies.get(each.path, b"") if each.method != "GET" else line)
    yield from lines
    yield _NUL.join(lines[:6])
    yield b"POST /__mock__/v1/servers toml\nschema = 1\n[[rule]]\ndrop = true\n"
    yield b"PUT /__mock__/v1/servers/1/scenario toml\nschema = 1\n[[rule]]\nreplace = {gate = 'g'}\n"
    yield b"DELETE /__mock__/v1/servers/1/rules/x\n\0GET /__mock__/v1/servers/1/journal?after=-1"
    yield b"GET /__mock__/v1/servers/1/journal?after=0&wait=20&format=jsonl"
    yield _RAW + b"GET /__mock__/v1/health HTTP/1.0\r\n" + _MINE + b"\r\n"
    chunked = b"Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
    yield _RAW + b"POST /__mock__/v1/servers/1/reset HTTP/1.1\r\n" + _MINE + chunked
    yield _RAW + b"\x16\x03\x01 no HTTP\r\n\r\n"
