"""Clients that misbehave: each gets a clear answer, and the server goes on."""

import anyio
import pytest

from mock_server import MockServer, RequestReceived, RequestRejected, scenario_from_dict
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
