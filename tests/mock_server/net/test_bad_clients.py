"""Clients that misbehave get a clear answer, and the server keeps running."""

import anyio
import pytest

from mock_server import (
    MockServer,
    RequestReceived,
    RequestRejected,
    Scenario,
    scenario_from_dict,
)
from mock_server.admin.requests import PREFIX
from mock_server.admin.server import AdminServer
from mock_server.journal.records import to_jsonl
from tests.mock_server.rawclient import RawClient, create, request_bytes

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"garbage\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /v1/me HTTP/1.1\r\n\r\n", 400),
        (b"GET /v1/me HTTP/1.1\r\nHost: a\r\nX: " + b"y" * (1 << 20) + b"\r\n\r\n", 431),
        (
            b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n" + b"x" * 9000,
            413,
        ),
        (b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
    ],
)
async def test_what_is_no_request_is_told_so(sent: bytes, status: int) -> None:
    async with MockServer(scenario_from_dict({"limits": {"body_bytes": 8000}})) as mock:
        async with RawClient(mock.port) as client:
            await client.send(sent)
            found, ending = await client.read_to_end()
        assert found.startswith(b"HTTP/1.1 %d " % status)
        assert b'{"error":' in found
        assert ending == "FIN"
        assert [r.status for r in mock.journal if isinstance(r, RequestRejected)] == [status]
        assert await create(mock.port)


async def test_a_body_that_never_comes_is_a_timeout() -> None:
    scenario = scenario_from_dict({"limits": {"request_ms": 50}})
    async with MockServer(scenario) as mock, RawClient(mock.port) as client:
        await client.send(b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")
        found, _ = await client.read_to_end()
    assert found.startswith(b"HTTP/1.1 408 ")


async def test_connections_over_the_limit_are_told_so_and_the_others_go_on() -> None:
    scenario = scenario_from_dict({"limits": {"connections": 2}})
    async with (
        MockServer(scenario) as mock,
        RawClient(mock.port) as first,
        RawClient(mock.port) as second,
    ):
        for client in (first, second):
            assert (await client.ask("GET", "/v1/me")).status == 200
        told = 0
        for _ in range(300):
            async with RawClient(mock.port) as client:
                found, _ = await client.read_to_end()
                told += found.startswith(b"HTTP/1.1 503 ")
        assert told == 300
        assert (await first.ask("GET", "/v1/me")).status == 200


async def test_a_client_that_leaves_within_a_request_leaves_no_request_behind() -> None:
    async with MockServer() as mock:
        async with RawClient(mock.port) as client:
            await client.send(b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx")
        while mock.open_connections or len(mock.journal) < 2:
            await anyio.lowlevel.checkpoint()
        assert not any(isinstance(record, RequestReceived) for record in mock.journal)


async def test_a_client_that_does_not_read_stops_its_own_stream_only() -> None:
    scenario = scenario_from_dict({"job": [{"events": 5000, "length": 10_000}]})
    async with MockServer(scenario) as mock:
        job = await create(mock.port)
        async with RawClient(mock.port) as slow:
            await slow.send(request_bytes("GET", f"/v1/jobs/{job}/events/stream"))
            await mock.wait_for("stream", frame=64)
            async with RawClient(mock.port) as other:
                assert (await other.ask("GET", "/v1/me")).status == 200


async def test_pipelined_requests_are_answered_in_order() -> None:
    async with MockServer() as mock, RawClient(mock.port) as client:
        await client.send(request_bytes("GET", "/v1/me") + request_bytes("GET", "/v1/nothing"))
        assert b"user-1" in await client.read_until(b"}]}")
        assert b"404" in await client.read_until(b'"}')


async def test_a_client_that_expects_a_continue_gets_it() -> None:
    async with MockServer() as mock, RawClient(mock.port) as client:
        await client.send(
            b"POST /v1/auth/anonymous HTTP/1.1\r\nHost: a\r\nContent-Length: 14\r\n"
            b"Expect: 100-continue\r\n\r\n"
        )
        assert await client.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(b'{"kind":"cli"}')
        assert b"200 OK" in await client.read_until(b"\r\n\r\n")


async def test_a_slow_read_takes_its_time_and_the_whole_body() -> None:
    rule = {"on": {"route": "create"}, "slow_read": 100_000}
    async with MockServer(scenario_from_dict({"rule": [rule]})) as mock:
        assert await create(mock.port) == "job-1"


async def test_an_http_1_0_client_gets_a_stream_that_ends_with_the_connection() -> None:
    async with MockServer() as mock:
        job = await create(mock.port)
        async with RawClient(mock.port) as client:
            await client.send(
                f"GET /v1/jobs/{job}/events/stream HTTP/1.0\r\nAuthorization: Bearer t\r\n\r\n".encode()
            )
            found, ending = await client.read_to_end()
    assert b"chunked" not in found
    assert b"training.completed" in found
    assert ending == "FIN"


NASTY = [
    b"",
    b"{",
    b"null",
    b"[]",
    b'"\\ud800"',
    b'{"name":"\\ud800","config":{"model":"\\udfff"},"messages":["\\ud800"],"kind":"\\ud800"}',
    b'{"name":"n","config":{"model":"m","x":NaN,"y":1e999}}',
    b"[" * 100_000,
    b"\xff\xfe\x00",
    b"9" * 5000,
    b'{"name":1,"config":[],"messages":{},"kind":[],"data":null,"how":{}}',
    b'{"rule":[{"frames":[{"json":"\\ud800"}]}]}',
    b'{"rule":[{"json":"\\ud800"}],"name":"\\ud800"}',
    b'{"schema":1e400,"seed":-1}',
    b'{"data":"\\ud800"}',
    b'{"id":"\\ud800"}',
    b'{"requests":[{"request":{"json":"\\ud800"},"at_least":1}],"order":[{},{}]}',
]
TARGETS = [
    "/v1/jobs",
    "/v1/jobs/%FF%00",
    "/v1/jobs/job-1/cancel",
    "/v1/jobs/job-1/events/stream?orgSlug=%ff&orgSlug",
    "/v1/inference/chat",
    "/v1/projects?orgSlug=%",
    "/v1/auth/anonymous",
    "*",
    "//",
    "http://else/v1/me",
]
BELOW = ["", "/scenario", "/rules", "/jobs", "/jobs/job-1/events", "/verify", "/gates/%FF/open"]


async def test_no_body_and_no_target_brings_the_backend_down() -> None:
    async with MockServer() as mock:
        await create(mock.port)
        for target in TARGETS:
            for body in NASTY:
                for method in ("POST", "GET", "PUT"):
                    async with RawClient(mock.port) as client:
                        headers = {"Connection": "close", "Last-Event-ID": "\xff\xe9"}
                        answer = await client.ask_to_end(method, target, headers, body)
                    assert answer.head.startswith("HTTP/1.1 "), (method, target, body[:40])
        for record in mock.journal:
            to_jsonl([record]).encode()


async def test_no_body_and_no_target_brings_the_admin_down() -> None:
    async with AdminServer("t") as admin:
        await admin.start(Scenario())
        targets = [f"{PREFIX}/servers", *(f"{PREFIX}/servers/1{path}" for path in BELOW)]
        for target in targets:
            for body in NASTY:
                for method in ("POST", "PUT", "GET"):
                    async with RawClient(admin.port) as client:
                        headers = {"Connection": "close", "Host": f"127.0.0.1:{admin.port}"}
                        raw = request_bytes(method, target, headers, body)
                        await client.send(raw.replace(b"Host: mock\r\n", b""))
                        found, _ = await client.read_to_end()
                    assert found.startswith(b"HTTP/1.1 "), (method, target, body[:40])
