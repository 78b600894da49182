"""How the backend treats silent streams, requests and connections, as raw sockets see it.

First what a server owes its clients without a word of a scenario, then the words that take it away.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

import anyio
import pytest

from mock_server import (
    ConnectionClosed,
    ExchangeEnded,
    FrameSent,
    MockServer,
    Record,
    RequestReceived,
    RequestRejected,
    ScriptedFrame,
    scenario_from_dict,
)
from mock_server.scenario.serving import ServingPlan
from mock_server.strict.words import words_of
from tests.mock_server.rawclient import CREATE_BODY, EOF, RawClient, follow, request_bytes

pytestmark = pytest.mark.anyio

JOB = "/v1/jobs/j-1"
STREAM = f"{JOB}/events/stream"
LIVE = {"id": "j-1", "submitted": True, "emitted": True, "events": 2, "status": "running"}
OVER = {**LIVE, "id": "over", "status": "completed"}
DONE = ScriptedFrame(json={"type": "training.completed"})
SHOWN: set[str] = set()
T = TypeVar("T")


def shows(*words: str) -> Callable[[T], T]:
    """Note which words a test shows."""
    SHOWN.update(words)
    return lambda test: test


def serve(
    *rules: Mapping[str, object], limits: dict[str, object] | None = None, **words: object
) -> MockServer:
    """Serve a job that runs and one that is over, with these words of `[backend]`."""
    scenario = {"job": [LIVE, OVER], "backend": words, "rule": list(rules), "limits": limits or {}}
    return MockServer(scenario_from_dict(scenario))


# --- what a server owes


@pytest.mark.parametrize("target", [JOB, STREAM.replace("j-1", "over"), "/v1/me?x=1"])
@pytest.mark.parametrize("scheme", ["http", "HTTPS"])
async def test_a_target_may_be_a_url(target: str, scheme: str) -> None:
    async with serve() as mock, RawClient(mock.port) as client:
        plain = await client.ask("GET", target)
        answer = await client.ask("GET", f"{scheme}://elsewhere.invalid{target}")
    assert plain.status == 200
    assert answer == plain


async def test_head_of_a_stream_ends_at_once_and_opens_none() -> None:
    async with serve() as mock, RawClient(mock.port) as client:
        hold = mock.hold("j-1")
        await client.send(request_bytes("HEAD", STREAM))
        head = (await client.read_until(b"\r\n\r\n")).decode()
        assert head.startswith("HTTP/1.1 405 ")
        assert "\r\nAllow: GET\r\n" in head
        assert (await client.ask("GET", "/v1/me")).status == 200
        assert mock.hold("j-1") is hold, "the hold is for the next stream, and HEAD opened none"
        assert not [each for each in mock.journal if isinstance(each, FrameSent)]
        assert mock.open_connections == 1


async def test_a_client_that_expects_100_gets_it_before_it_sends_a_body() -> None:
    expecting = {"Expect": "100-continue", "Content-Length": str(len(CREATE_BODY))}
    async with serve() as mock, RawClient(mock.port) as client:
        await client.send(request_bytes("POST", "/v1/jobs", expecting))
        assert await client.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await client.send(CREATE_BODY)
        assert (await client.answer()).status == 200


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/jobs/%6A-1", 200),
        ("/v1/jobs/j%2D1", 200),
        (f"{JOB}%2Fcancel", 404),
        ("/v1/jobs/j%2f1", 404),
    ],
)
async def test_a_letter_may_be_encoded_and_a_slash_stays_in_its_segment(
    path: str, status: int
) -> None:
    async with serve() as mock, RawClient(mock.port) as client:
        assert (await client.ask("GET", path)).status == status
        (request,) = (each for each in mock.journal if isinstance(each, RequestReceived))
    assert request.route == "job"


@pytest.mark.parametrize("target", [JOB, STREAM.replace("j-1", "over")])
async def test_a_client_that_closes_its_sending_half_gets_its_whole_answer(target: str) -> None:
    async with serve() as mock:
        async with RawClient(mock.port) as client:
            whole = await client.ask("GET", target)
        async with RawClient(mock.port) as client:
            await client.send(request_bytes("GET", target))
            client.half_close()
            assert await client.answer() == whole
            assert (await client.read_to_end()) == (b"", EOF)


async def test_a_stream_that_ends_by_itself_has_a_last_chunk_and_keeps_the_connection() -> None:
    async with serve() as mock, RawClient(mock.port) as client:
        for cursor in (None, "1", "2"):
            headers = {} if cursor is None else {"Last-Event-ID": cursor}
            answer = await client.ask("GET", STREAM.replace("j-1", "over"), headers)
            assert answer.body.endswith(b"0\r\n\r\n")
        mock.push("j-1", DONE)
        assert (await client.ask("GET", STREAM)).body.endswith(b"\r\n0\r\n\r\n")
        assert (await client.ask("GET", "/v1/me")).status == 200


# --- the words


@shows("first_comment")
async def test_a_first_comment_follows_the_head_at_once() -> None:
    async with serve(first_comment=True) as mock, RawClient(mock.port) as client:
        await client.send(request_bytes("GET", STREAM, {"Last-Event-ID": "2"}))
        await client.read_until(b"\r\n\r\n")
        assert (await client.read_until(b"\n\n")).partition(b"\r\n")[2].startswith(b": ")


@shows("keep_alive_ms")
async def test_a_silent_stream_gets_comments_and_loses_no_event() -> None:
    async with serve(keep_alive_ms=20) as mock, RawClient(mock.port) as client:
        await client.send(request_bytes("GET", STREAM))
        await client.read_until(b"id: 2")
        for _ in range(3):
            await client.read_until(b": keep-alive\n\n")
        mock.push("j-1", ScriptedFrame(json={"type": "training.log"}))
        mock.push("j-1", DONE)
        rest = await client.read_until(b"0\r\n\r\n")
    assert rest.index(b"id: 3") < rest.index(b"id: 4")


async def test_a_rule_does_not_count_the_comments_of_the_server() -> None:
    rule = {"on": {"route": "stream", "frame": 2}, "drop": True}
    async with serve(rule, keep_alive_ms=10, first_comment=True) as mock:
        hold = mock.hold("j-1")
        async with RawClient(mock.port) as client:
            await client.send(request_bytes("GET", STREAM))
            await client.read_until(b"keep-alive")
            hold.release()
            mock.push("j-1", DONE)
            await client.read_until(b"0\r\n\r\n")
    assert [each.id for each in mock.journal if isinstance(each, FrameSent)] == ["1", "3"]


async def test_a_rule_that_stalls_a_stream_also_stalls_its_comments() -> None:
    rule = {"on": {"route": "stream"}, "stall": {"gate": "g"}}
    backend = serve(rule, keep_alive_ms=10, first_comment=True)
    async with backend as mock, RawClient(mock.port) as client:
        await client.send(request_bytes("GET", STREAM))
        await client.read_until(b"\r\n\r\n")
        with anyio.move_on_after(0.1) as waited:
            await client.read_until(b":")
        assert waited.cancelled_caught
        mock.gate("g").open()
        await client.read_until(b": ")


async def test_held_bytes_hold_the_comments_of_the_server_too() -> None:
    rule = {"on": {"route": "stream"}, "hold_bytes": 1 << 20}
    backend = serve(rule, keep_alive_ms=10, first_comment=True)
    async with backend as mock, RawClient(mock.port) as client:
        await client.send(request_bytes("GET", STREAM))
        await client.read_until(b"\r\n\r\n")
        with anyio.move_on_after(0.1) as waited:
            await client.read_until(b":")
        assert waited.cancelled_caught
        mock.push("j-1", DONE)
        assert b"keep-alive" in await client.read_until(b"0\r\n\r\n")


async def test_only_the_streams_of_jobs_have_comments() -> None:
    rules: list[dict[str, object]] = [
        {"on": {"route": "stream", "attempt": 1}, "frames": [{"data": "1"}]},
        {"on": {"route": "stream", "attempt": 2}, "status": 503},
        {"on": {"route": "stream", "attempt": 3}, "status": 204},
    ]
    async with serve(*rules, keep_alive_ms=10, first_comment=True) as mock:
        bodies = [(await follow(mock.port, "over")).body for _ in range(3)]
    assert [b": " in body.replace(b"data: ", b"") for body in bodies] == [False, False, False]


async def test_a_client_that_leaves_a_silent_stream_is_noticed() -> None:
    async with serve(keep_alive_ms=10) as mock:
        async with RawClient(mock.port) as client:
            await client.send(request_bytes("GET", STREAM))
            await client.read_until(b"keep-alive")
        ended = await mock.wait_for("stream", ended=True)
    assert isinstance(ended, ExchangeEnded)
    assert ended.by == "client"


@shows("targets")
@pytest.mark.parametrize("target", [JOB, STREAM])
async def test_a_backend_may_refuse_urls_as_targets(target: str) -> None:
    async with serve(targets="origin") as mock:
        async with RawClient(mock.port) as client:
            answer = await client.ask("GET", f"http://u:hunter2@elsewhere.invalid{target}")
            assert answer.status == 400
        assert [each.status for each in mock.journal if isinstance(each, RequestRejected)] == [400]
        assert "hunter2" not in repr(mock.journal)
        async with RawClient(mock.port) as client:
            assert (await client.ask("GET", JOB)).status == 200


@shows("paths")
async def test_a_backend_may_take_a_path_as_it_is() -> None:
    async with serve(paths="raw") as mock, RawClient(mock.port) as client:
        assert (await client.ask("GET", "/v1/jobs/%6A-1")).status == 404
        assert (await client.ask("GET", JOB)).status == 200


@shows("paths")
async def test_a_backend_may_decode_a_path_before_it_routes() -> None:
    async with serve(paths="early") as mock, RawClient(mock.port) as client:
        assert (await client.ask("GET", "/v1/jobs/%6A-1")).status == 200
        assert (await client.ask("GET", "/v1/jobs/%256A-1")).status == 404
        assert (await client.ask("POST", f"{JOB}%2Fcancel")).json["job"]
        assert mock.jobs["j-1"].over


@shows("expect")
async def test_a_backend_may_ignore_that_a_client_waits_to_send_its_body() -> None:
    expecting = {"Expect": "100-continue", "Content-Length": str(len(CREATE_BODY))}
    async with serve(expect="ignored") as mock, RawClient(mock.port) as client:
        await client.send(request_bytes("POST", "/v1/jobs", expecting))
        with anyio.move_on_after(0.1) as waited:
            await client.read()
        assert waited.cancelled_caught
        await client.send(CREATE_BODY)
        assert (await client.answer()).status == 200


@shows("half_close")
@pytest.mark.parametrize("target", [JOB, STREAM, STREAM.replace("j-1", "over")])
async def test_a_backend_may_drop_a_client_that_closes_its_sending_half(target: str) -> None:
    async with serve(half_close="dropped") as mock:
        async with RawClient(mock.port) as client:
            await client.send(request_bytes("GET", target))
            client.half_close()
            assert await client.read_to_end() == (b"", EOF)
        async with RawClient(mock.port) as client:
            assert (await client.ask("GET", JOB)).status == 200


async def drop_streams(mock: MockServer, count: int) -> None:
    """Open and drop streams one after another, and wait until the server has noticed each."""
    for _ in range(count):
        async with RawClient(mock.port) as client:
            await client.send(request_bytes("GET", STREAM))
            await client.read_until(b"id: 2")
        await all_closed(mock)


def _is_end_of(number: int) -> Callable[[Record], bool]:
    return lambda record: isinstance(record, ConnectionClosed) and record.connection == number


async def all_closed(mock: MockServer) -> None:
    """Wait until the server has closed every connection that is open now."""
    for number in mock.connections:
        await mock.wait_until(_is_end_of(number))


@shows("leak")
async def test_a_leak_loses_a_connection_for_each_dropped_stream() -> None:
    async with serve(leak=True, limits={"connections": 3}) as mock:
        await drop_streams(mock, 2)
        async with RawClient(mock.port) as client:
            assert (await client.ask("GET", "/v1/me")).status == 200
        assert (await follow(mock.port, "over")).status == 200
        await all_closed(mock)
        await drop_streams(mock, 1)
        async with RawClient(mock.port) as client:
            refusal = await client.answer()
        assert (refusal.status, refusal.header("Retry-After")) == (503, "1")
        mock.load(mock.scenario)
        assert (await follow(mock.port, "over")).status == 200


async def test_without_a_leak_dropped_streams_leave_room() -> None:
    async with serve(limits={"connections": 2}) as mock:
        await drop_streams(mock, 5)
        assert (await follow(mock.port, "over")).status == 200


async def flooded(mock: MockServer, client: RawClient) -> None:
    """Follow, read nothing but the replay, and emit more than the kernel buffers.

    Returns when the first of it comes, so that the mock has begun to send.
    """
    await client.send(request_bytes("GET", STREAM))
    await client.read_until(b"id: 2")
    big = ScriptedFrame(data="x" * (1 << 20))
    for _ in range(24):
        mock.push("j-1", big)
    await client.read_until(b"id: 3\n")


async def read_past(client: RawClient, mark: bytes) -> None:
    """Read up to a mark, and keep nothing."""
    tail = b""
    while mark not in tail:
        data = await client.read()
        assert data, f"the connection ended before {mark!r}"
        tail = tail[-len(mark) :] + data


async def test_a_follower_that_does_not_read_holds_up_no_other() -> None:
    async with serve() as mock, RawClient(mock.port) as slow, RawClient(mock.port) as other:
        await flooded(mock, slow)
        await other.send(request_bytes("GET", STREAM))
        with anyio.fail_after(20):
            await read_past(other, b"id: 26\n")


@shows("fan_out")
async def test_followers_may_be_served_one_after_the_other() -> None:
    async with serve(fan_out="serial") as mock, RawClient(mock.port) as other:
        async with RawClient(mock.port) as slow:
            await flooded(mock, slow)
            await other.send(request_bytes("GET", STREAM))
            with anyio.move_on_after(0.2) as waited:
                await read_past(other, b"id: 26\n")
            assert waited.cancelled_caught
            assert (await follow(mock.port, "over")).status == 200
        with anyio.fail_after(20):
            await read_past(other, b"id: 26\n")


@shows("fan_out")
async def test_a_backend_may_freeze_while_a_follower_does_not_read() -> None:
    async with serve(fan_out="frozen") as mock, RawClient(mock.port) as other:
        async with RawClient(mock.port) as slow:
            await flooded(mock, slow)
            await other.send(request_bytes("GET", "/v1/me"))
            with anyio.move_on_after(0.2) as waited:
                await other.answer()
            assert waited.cancelled_caught
        with anyio.fail_after(20):
            assert (await other.answer()).status == 200


async def test_followers_in_turn_each_get_every_event() -> None:
    backend = serve(fan_out="serial", keep_alive_ms=10)
    async with backend as mock, RawClient(mock.port) as one, RawClient(mock.port) as two:
        for client in (one, two):
            await client.send(request_bytes("GET", STREAM))
            await client.read_until(b"keep-alive")
        for _ in range(200):
            mock.push("j-1", ScriptedFrame(data="x"))
        mock.push("j-1", DONE)
        for client in (one, two):
            rest = await client.read_until(b"0\r\n\r\n")
            assert [rest.count(b"id: %d\n" % n) for n in range(3, 204)] == [1] * 201


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
def test_every_word_is_shown(anyio_backend: str) -> None:
    del anyio_backend
    assert {*words_of(ServingPlan), "fan_out"} == SHOWN
