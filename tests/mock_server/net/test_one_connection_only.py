"""An error in one connection ends only that connection, and the server keeps running."""

import json
import socket
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import anyio
import pytest
from attrs import define

from mock_server import ConnectionFailed, MockServer, Record, scenario_from_dict
from mock_server.admin.server import AdminServer
from mock_server.faults.head import HeadPlan
from mock_server.faults.response import Head
from mock_server.journal.records import to_jsonl
from mock_server.net.origin import Answered, Reports
from mock_server.proxy.origin import ProxyOrigin, Upstream
from mock_server.requests import Request
from mock_server.scenario.words.end import Ending
from mock_server.sse import Frame
from mock_server.strict.shapes import is_array, is_table
from tests.mock_server.admin.test_admin import TOKEN, Driver, driven
from tests.mock_server.rawclient import CREATE_BODY, RawClient, create, request_bytes

pytestmark = pytest.mark.anyio

SECRET = "hunter2-hunter2"
DEEP = [b"[" * n + b"]" * n for n in (101, 900, 2000, 100_000)]
OBJECTS = [b'{"d":' * n + b"1" + b"}" * n for n in (101, 900, 2000, 100_000)]
HUGE = b"9" * 5000
HEADS = [
    b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
    b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nContent-Length: 2\r\n\r\n{}",
    b"GET /v1/me HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
    b"GET /v1/me HTTP/1.1\r\nHost: a\r\nConnection: keep-alive,\tclose\r\n\r\n",
    b"GET /v1/me HTTP/1.1\r\nHost: a\r\nConnection: ,,\t,CLOSE ,keep-alive\r\n\r\n",
    b"GET /v1/me HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
    b"GET /v1/me HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    b"GET /v1/me HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
    b"POST /v1/me HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
]


def failures(records: list[Record]) -> list[ConnectionFailed]:
    return [record for record in records if isinstance(record, ConnectionFailed)]


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("behind", [b"", b"GET /v1/nothing HTTP/1.1\r\nHost: a\r\n\r\n", b"\x00"])
async def test_an_odd_head_is_answered_and_the_server_goes_on(head: bytes, behind: bytes) -> None:
    async with MockServer() as mock:
        async with RawClient(mock.port) as client:
            await client.send(head + behind)
            assert await client.read_until(b"HTTP/1.1 ")
        assert await create(mock.port)
        assert failures(mock.journal) == []


@pytest.mark.parametrize("body", [*DEEP, *OBJECTS, HUGE, b"NaN", b'{"a":1e999}', b'"\\ud800"'])
async def test_an_odd_body_is_answered_on_every_route(body: bytes) -> None:
    async with MockServer() as mock:
        job = await create(mock.port)
        for target in (
            "/v1/jobs",
            "/v1/inference/chat",
            "/v1/projects?orgSlug=a",
            "/v1/auth/anonymous",
            f"/v1/jobs/{job}/cancel",
            "/nothing",
        ):
            async with RawClient(mock.port) as client:
                answer = await client.ask("POST", target, None, body)
            assert answer.status in {200, 400, 404}
        assert failures(mock.journal) == []
        json.loads("[" + ",".join(to_jsonl(mock.journal).splitlines()) + "]")


WRONG: list[object] = [
    None,
    True,
    0,
    -1,
    1.5,
    10**400,
    "",
    "x",
    "\ud800",
    [],
    [1],
    [[]],
    {},
    {"a": 1},
]


@pytest.mark.parametrize("wrong", WRONG)
async def test_no_member_of_a_body_has_a_type_that_ends_more_than_its_request(
    wrong: object,
) -> None:
    whole: dict[str, object] = {
        "/v1/jobs": {"name": "n", "config": {"model": "m", "datasetSource": {"token": "t"}}},
        "/v1/inference/chat": {"messages": [], "adapter": {"jobId": "j"}, "stream": True},
        "/v1/projects?orgSlug=a": {"name": "n", "slug": "s"},
        "/v1/auth/anonymous": {"kind": "cli"},
    }
    async with MockServer() as mock, RawClient(mock.port) as client:
        for target, body in whole.items():
            for changed in variants(body, wrong):
                answer = await client.ask("POST", target, None, json.dumps(changed).encode())
                assert answer.status < 500
        assert failures(mock.journal) == []


def variants(body: object, wrong: object) -> Generator[object, None, None]:
    """Yield the body with one member after another replaced, and then the value alone."""
    yield wrong
    if is_table(body):
        for key, value in body.items():
            for changed in variants(value, wrong):
                yield {**body, key: changed}


@define
class Broken:
    """A backend with a bug: it raises when it is asked, or during its body."""

    error: BaseException
    late: bool = False
    end: Ending = Ending.EOF

    async def answer(self, request: Request, plan: HeadPlan, reports: Reports) -> Answered:
        """Raise, or begin an answer."""
        del request, plan, reports
        if not self.late:
            raise self.error
        return Answered(Head(200, "OK", (("Content-Type", "text/event-stream"),)), self)

    async def next(self, limit: int, *, whole: bool = True) -> list[Frame]:
        """Return one frame, then raise."""
        del limit, whole
        if self.late:
            self.late = False
            return [Frame(b"data: 1\n\n")]
        raise self.error

    async def aclose(self) -> None:
        """Do nothing."""


BUGS: list[tuple[Exception, set[str]]] = [
    (RuntimeError(SECRET), {"RuntimeError"}),
    (RecursionError(SECRET), {"RecursionError"}),
    (KeyError(SECRET), {"KeyError"}),
    (OSError(5, SECRET), {"OSError"}),
    (ConnectionResetError(SECRET), {"ConnectionResetError"}),
    (
        ExceptionGroup("two", [ValueError(SECRET), ExceptionGroup("one", [TypeError(SECRET)])]),
        {"ValueError", "TypeError"},
    ),
]


@pytest.mark.parametrize(("error", "kinds"), BUGS)
async def test_a_bug_is_a_502_of_the_proxy_and_its_kind_is_written_down(
    error: Exception, kinds: set[str]
) -> None:
    async with MockServer(upstream=Broken(error)) as proxy:
        for _ in range(2):
            async with RawClient(proxy.port) as client:
                answer = await client.ask_to_end("GET", "/v1/me")
            assert answer.status == 502
            assert answer.ending == "FIN"
        assert {failed.error for failed in failures(proxy.journal)} == kinds
        assert SECRET not in to_jsonl(proxy.journal)


async def test_a_bug_within_a_body_resets_the_connection_so_that_it_does_not_look_whole() -> None:
    async with MockServer(upstream=Broken(RuntimeError(SECRET), late=True)) as proxy:
        async with RawClient(proxy.port) as client:
            answer = await client.ask_to_end("GET", "/v1/jobs/j/events/stream")
        assert answer.ending == "ECONNRESET"
        (failed,) = failures(proxy.journal)
        assert failed.error == "RuntimeError"
        assert SECRET not in to_jsonl(proxy.journal)


async def test_a_bug_leaves_the_other_connections_alone() -> None:
    def claims(request: Request) -> bool:
        if request.target == "/v1/bug":
            raise ValueError(SECRET)
        return True

    job = {"id": "live", "events": 2, "status": "running", "submitted": True}
    async with (
        MockServer(scenario_from_dict({"job": [job]}), claims=claims) as mock,
        RawClient(mock.port) as stream,
    ):
        await stream.send(request_bytes("GET", "/v1/jobs/live/events/stream"))
        await stream.read_until(b"id: 2")
        async with RawClient(mock.port) as client:
            assert (await client.ask_to_end("GET", "/v1/bug")).status == 500
        (failed,) = failures(mock.journal)
        assert failed.error == "ValueError"
        assert failed.where.startswith("mock_server.net.reading:")
        mock.jobs["live"].cancel()
        await stream.read_until(b"cancelled")


@contextmanager
def closing_upstream(answer: bytes) -> Generator[int, None, None]:
    """Listen, and close every connection after its first bytes and one answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    accepted, _ = listener.accept()
                except OSError:
                    return
                with accepted:
                    accepted.recv(65_536)
                    accepted.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize("answer", [b"", b"\x16\x03\x03\x00\x7a\x02", b"HTTP/1.1 400 No\r\n\r\n"])
async def test_an_upstream_that_closes_amid_the_tls_handshake_is_a_502(answer: bytes) -> None:
    with closing_upstream(answer) as port:
        origin = ProxyOrigin(Upstream.at(f"https://127.0.0.1:{port}"))
        async with MockServer(upstream=origin) as proxy:
            for _ in range(2):
                async with RawClient(proxy.port) as client:
                    assert (await client.ask("GET", "/v1/me")).status == 502
            assert failures(proxy.journal) == []


@asynccontextmanager
async def bearing_up() -> AsyncGenerator[Driver, None]:
    """Drive an admin, and check that it still answers at the end and that nothing failed."""
    async with driven(scenario_from_dict({"job": [{"id": "j", "submitted": True}]})) as (driver, _):
        yield driver
        assert (await driver.ask("GET", "/health")).status == 200
        assert (await driver.ask("GET", "/failures")).json == {"failures": []}


NUMBERS = ["9" * 5000, "9" * 400, "-1", "1.5", "\u0663", "1_0", "0x1", "", " 1", "%00"]


@pytest.mark.parametrize("number", NUMBERS)
async def test_no_number_in_a_path_or_query_brings_the_admin_down(number: str) -> None:
    quoted = number.encode().decode("latin-1")
    async with bearing_up() as driver:
        for method, path in (
            ("DELETE", f"/servers/1/rules/{quoted}"),
            ("POST", f"/servers/1/connections/{quoted}/end"),
            ("GET", f"/servers/1/journal?after={quoted}"),
            ("GET", f"/servers/1/journal?wait={quoted}"),
            ("GET", f"/servers/1/journal/tail?after={quoted}x"),
            ("GET", f"/servers/{quoted}"),
            ("DELETE", f"/servers/{quoted}"),
        ):
            if quoted.isascii() and " " not in quoted:
                assert 200 <= (await driver.ask(method, path)).status < 500


BODIES: dict[str, object] = {
    "PUT /servers/1/scenario": {
        "schema": 1,
        "name": "n",
        "seed": 1,
        "backend": {"token": "t", "authenticate": True, "unknown_cursor": "gone", "reply": "r"},
        "limits": {"connections": 9, "records": 100, "stall_ms": 5},
        "job": [{"id": "a", "events": [{"data": "x"}], "interval_ms": 0, "status": "failed"}],
        "rule": [{"on": {"route": "me", "attempt": "1-2", "header": {"a": "b"}}, "status": 500}],
    },
    "POST /servers/1/rules": {
        "on": {"route": "stream", "frame": 1, "probability": 0.5, "times": 2},
        "inject": {"before": [{"data": "x"}], "after": []},
        "delay_ms": 1,
    },
    "POST /servers/1/jobs": {"id": "new", "events": 2, "length": 3, "ids": True, "error": "e"},
    "POST /servers/1/jobs/j/events": [{"data": "x", "id": "9", "event": "e", "retry": 1}],
    "POST /servers/1/connections/7/end": {"how": "rst"},
    "POST /servers/1/wait": {"route": "me", "attempt": 1, "within_ms": 1, "ended": False},
    "POST /servers/1/verify": {
        "requests": [{"request": {"route": "me", "attempt": 1, "json": {}}, "times": 0}],
        "order": [{"method": "GET"}],
        "conduct": True,
        "profile": "hardened",
        "max_attempts": 1,
    },
}


@pytest.mark.parametrize("wrong", [*WRONG, "9" * 5000, "1-" + "9" * 5000, ["rst"], {"rst": 1}])
@pytest.mark.parametrize("route", BODIES)
async def test_no_member_of_a_body_brings_the_admin_down(route: str, wrong: object) -> None:
    method, _, path = route.partition(" ")
    async with bearing_up() as driver:
        for changed in members(BODIES[route], wrong):
            text = json.dumps(changed)
            assert (await driver.ask(method, path, text.encode())).status < 500


def members(body: object, wrong: object) -> Generator[object, None, None]:
    yield from variants(body, wrong)
    if is_table(body):
        for key, value in body.items():
            if is_table(value) or is_array(value):
                yield from ({**body, key: changed} for changed in members(value, wrong))
    if is_array(body):
        for each in body:
            yield from ([changed] for changed in members(each, wrong))


@pytest.mark.parametrize(
    "toml",
    [
        b"seed = " + HUGE,
        b"seed = 0x" + b"f" * 5000,
        b"limits.stall_ms = 0x" + b"f" * 5000,
        b"seed = [" * 2000,
        b"name = " + b"[" * 200 + b"]" * 200,
        b"rule = [{json = " + b"[" * 150 + b"]" * 150 + b"}]",
        b"name = 2026-02-30",
        b"name = 2026-05-01",
        b"seed = nan",
        b"a." * 500_000 + b"b = 1",
    ],
)
async def test_no_toml_brings_the_admin_down(toml: bytes) -> None:
    async with bearing_up() as driver:
        headers = {"Content-Type": "application/toml"}
        for method, path in (("PUT", "/servers/1/scenario"), ("POST", "/servers")):
            assert (await driver.ask(method, path, toml, headers)).status == 400


@pytest.mark.parametrize("extra", [b"", b"GET /v1/me HTTP/1.1\r\nHost: a\r\n\r\n"])
async def test_a_client_that_has_said_all_it_has_to_say_gets_its_answer(extra: bytes) -> None:
    async with MockServer() as mock:
        job = await create(mock.port)
        for target, mark in (
            ("/v1/me", b"user-1"),
            (f"/v1/jobs/{job}/events/stream", b"completed"),
        ):
            async with RawClient(mock.port) as client:
                await client.send(request_bytes("GET", target) + extra)
                client.half_close()
                found, ending = await client.read_to_end()
            assert mark in found
            assert ending == "FIN"
            assert found.count(b"HTTP/1.1 ") == 1 + bool(extra)


async def test_a_half_closing_client_gets_its_answer_through_the_proxy_and_from_the_admin() -> None:
    async with (
        MockServer() as mock,
        MockServer(upstream=ProxyOrigin(Upstream.at(mock.base_url))) as proxy,
        RawClient(proxy.port) as client,
    ):
        await client.send(request_bytes("POST", "/v1/jobs", None, CREATE_BODY))
        client.half_close()
        assert b"job-1" in (await client.read_to_end())[0]
    async with AdminServer(TOKEN) as admin, RawClient(admin.port) as client:
        head = f"GET /__mock__/v1/health HTTP/1.1\r\nHost: 127.0.0.1:{admin.port}\r\n\r\n"
        await client.send(head.encode())
        client.half_close()
        assert b'"ok":true' in (await client.read_to_end())[0]


async def test_a_stream_that_waits_does_not_wait_for_a_client_that_has_closed() -> None:
    job = {"id": "live", "events": 2, "status": "running", "submitted": True}
    async with MockServer(scenario_from_dict({"job": [job]})) as mock:
        async with RawClient(mock.port) as client:
            await client.send(request_bytes("GET", "/v1/jobs/live/events/stream"))
            client.half_close()
            found, _ = await client.read_to_end()
        assert b"id: 2" in found
        with anyio.fail_after(20):
            await mock.wait_for("stream", ended=True)


async def test_a_client_that_closes_behind_requests_that_nobody_reads_has_closed() -> None:
    job = {"id": "live", "events": 2, "status": "running", "submitted": True}
    scenario = scenario_from_dict({"job": [job], "limits": {"header_bytes": 300}})
    async with MockServer(scenario) as mock, RawClient(mock.port) as client:
        await client.send(request_bytes("GET", "/v1/jobs/live/events/stream"))
        await client.read_until(b"id: 2")
        await client.send(request_bytes("GET", "/v1/me") * 50)
        client.half_close()
        with anyio.fail_after(20):
            await mock.wait_for("stream", ended=True)
