"""Peers can use only a limited amount of memory, and long work does not block other clients."""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mock_server import (
    FrameSent,
    MockServer,
    RequestReceived,
    Route,
    Scenario,
    ScriptedFrame,
    scenario_from_dict,
    to_jsonl,
)
from mock_server.admin.requests import PREFIX
from mock_server.admin.server import AdminServer
from mock_server.journal.journal import Journal
from mock_server.journal.records import size_of
from mock_server.proxy.origin import ProxyOrigin, Upstream
from mock_server.sse import Framer
from tests.few_files import few_files
from tests.mock_server.admin.test_admin import TOKEN, Driver
from tests.mock_server.rawclient import CREATE_BODY, Answer, RawClient, create, request_bytes
from tests.mock_server.rawupstream import raw_upstream

pytestmark = pytest.mark.anyio

NO_TOKEN = {"Authorization": "Basic x"}


def bodies(mock: MockServer) -> list[bytes]:
    return [record.body for record in mock.journal if isinstance(record, RequestReceived)]


async def test_a_long_body_without_a_valid_token_is_not_kept() -> None:
    body = b'{"x":"' + b"y" * 900_000 + b'"}'
    note = b"[dropped: %d bytes of a request without a valid token]" % len(body)
    scenario = scenario_from_dict({"backend": {"token": "right"}})
    async with MockServer(scenario) as mock:
        for headers in (NO_TOKEN, {"Authorization": "Bearer wrong"}):
            async with RawClient(mock.port) as client:
                assert (await client.ask("POST", "/v1/jobs", headers, body)).status == 401
        assert bodies(mock) == [note, note]
        async with MockServer(upstream=ProxyOrigin(Upstream.at(mock.base_url))) as proxy:
            async with RawClient(proxy.port) as client:
                raw = request_bytes("POST", "/v1/jobs", None, body)
                await client.send(raw.replace(b"Authorization: Bearer t\r\n", b""))
                assert (await client.answer()).status == 401
            assert bodies(proxy) == [note]


async def test_the_journal_drops_its_oldest_bodies_first_and_counts_them() -> None:
    body = json.dumps({"kind": "cli", "x": "y" * 50_000}).encode()
    scenario = scenario_from_dict({"limits": {"journal_bytes": 1 << 20}})
    async with MockServer(scenario) as mock, RawClient(mock.port) as client:
        for _ in range(40):
            await client.ask("POST", "/v1/auth/anonymous", None, body)
        book = mock.record_book
        assert book.size <= 1 << 20
        assert book.size == sum(map(size_of, book.records))
        assert book.bodies_dropped > 20
        assert book.dropped == 0
        assert bodies(mock)[0] == b"[dropped: %d bytes; the journal is full]" % len(body)
        assert bodies(mock)[-1] == body


def test_the_journal_drops_its_oldest_records_when_there_are_no_bodies() -> None:
    book = Journal(bytes_limit=100_000)
    for _ in range(5000):
        book.add(FrameSent(*book.stamp(), 1, Route.STREAM, 1, 1, "x" * 100, None, None))
        assert book.size <= 100_000
    assert book.dropped + len(book.records) == 5000
    assert book.size == sum(map(size_of, book.records))


async def test_long_names_are_cut_in_records_and_stay_different() -> None:
    ids = ["a" * 30_000 + end for end in ("x", "y", "x")]
    async with MockServer() as mock:
        for job in ids:
            async with RawClient(mock.port) as client:
                headers = {"Last-Event-ID": job, "X": job, "Connection": "close"}
                answer = await client.ask_to_end("GET", f"/v1/jobs/{job}", headers)
                assert answer.status == 404
                assert len(answer.body) < 1000
        records = [record for record in mock.journal if isinstance(record, RequestReceived)]
        assert len(to_jsonl(records)) < 3 * 10_000
        for texts in (
            [record.job for record in records],
            [record.target for record in records],
            [record.last_event_id for record in records],
        ):
            assert texts[0] == texts[2] != texts[1]


async def first_answers(clients: list[RawClient], count: int) -> list[Answer]:
    """Wait for `count` answers, from any of the clients."""
    found: list[Answer] = []
    async with anyio.create_task_group() as group:

        async def take(client: RawClient) -> None:
            found.append(await client.answer())
            if len(found) == count:
                group.cancel_scope.cancel()

        for client in clients:
            group.start_soon(take, client)
    return found


async def test_requests_that_are_not_whole_take_bounded_memory_all_together() -> None:
    scenario = scenario_from_dict({"limits": {"open_bytes": 1 << 20}})
    begun = b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\nContent-Length: 90000\r\n\r\n"
    async with MockServer(scenario) as mock:
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(RawClient(mock.port)) for _ in range(30)]
            for client in clients:
                await client.send(begun + b"x" * 80_000)
            answers = await first_answers(clients, 10)
        assert {answer.status for answer in answers} == {503}
        while mock.open_connections:
            await anyio.lowlevel.checkpoint()
        assert await create(mock.port)


async def test_jobs_take_bounded_memory_and_the_client_is_told() -> None:
    scenario = scenario_from_dict({"limits": {"job_bytes": 1 << 20}})
    body = json.dumps({"name": "n", "config": {"model": "m", "x": "y" * 100_000}}).encode()
    async with MockServer(scenario) as mock, RawClient(mock.port) as client:
        answers = [await client.ask("POST", "/v1/jobs", None, body) for _ in range(12)]
        assert [answer.status for answer in answers].count(507) == 2
        assert "limits.job_bytes" in str(answers[-1].json["error"])
        small = await client.ask("POST", "/v1/jobs", None, CREATE_BODY)
        assert small.status == 200


@given(
    st.lists(
        st.sampled_from([b"data: abc", b"\n", b"\r\n", b"\r", b"\n\n", b"x" * 30]), max_size=30
    ),
    st.lists(st.integers(1, 9)),
)
def test_a_long_block_is_cut_and_no_byte_is_lost(parts: list[bytes], sizes: list[int]) -> None:
    stream, framer, found = b"".join(parts), Framer(limit=20), b""
    at = 0
    for size in sizes:
        found += b"".join(frame.raw for frame in framer.feed(stream[at : at + size]))
        at = min(at + size, len(stream))
        assert at - len(found) <= 20
    rest = [*framer.feed(stream[at:]), *framer.close()]
    assert found + b"".join(frame.raw for frame in rest) == stream


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_a_block_that_was_cut_ends_where_it_would_have_ended(end: bytes) -> None:
    stream = b"data: " + b"x" * 50 + end + b"id: 1" + end + end + b"data: y" + end + end
    for size in range(1, 30):
        framer = Framer(limit=20)
        found = [
            frame.raw
            for at in range(0, len(stream), size)
            for frame in framer.feed(stream[at : at + size])
        ]
        assert found[-1] == b"data: y" + end + end
        assert b"".join(found) == stream


async def test_a_line_without_an_end_passes_the_proxy_in_bounded_pieces() -> None:
    line = b"data: " + b"x" * (12 << 20)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
    with raw_upstream() as upstream:
        upstream.say(head, line, b"\n\ndata: y\n\n")
        longest = 0

        def measure(record: object) -> None:
            nonlocal longest
            longest = max(longest, len(record.data) if isinstance(record, FrameSent) else 0)

        async with (
            MockServer(on_record=measure, upstream=ProxyOrigin(Upstream.at(upstream.url))) as proxy,
            RawClient(proxy.port) as client,
        ):
            await client.send(request_bytes("GET", "/v1/jobs/j/events/stream"))
            size, ending = 0, b""
            while b"0\r\n\r\n" not in ending:
                data = await client.read()
                size, ending = size + len(data), (ending + data)[-100:]
        assert b"data: y\n\n" in ending
        assert size > len(line)
        assert 0 < longest < 10 << 20


@asynccontextmanager
async def administered(
    scenario: Scenario | None = None,
) -> AsyncGenerator[tuple[AdminServer, MockServer], None]:
    async with AdminServer(TOKEN) as admin:
        yield admin, await admin.start(scenario or Scenario())


async def test_requests_that_wait_for_records_do_not_keep_others_out() -> None:
    async with administered() as (admin, _), AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(RawClient(admin.port)) for _ in range(404)]
        for client in clients:
            await Driver(admin, client).send("GET", "/servers/1/journal?wait=60000&after=999999")
        for answer in await first_answers(clients, 4):
            assert answer.status == 503
            assert "retry later" in str(answer.json["error"])
        async with RawClient(admin.port) as client:
            driver = Driver(admin, client)
            assert (await driver.ask("GET", "/health")).status == 200
            assert (await driver.ask("POST", "/servers/1/wait", {"route": "me"})).status == 503


async def turns_of_others(port: int, work: Callable[[], Awaitable[object]]) -> int:
    """Count the requests of another client that are answered while some work is done."""
    turns = found = 0

    async def ask() -> None:
        nonlocal turns
        async with RawClient(port) as client:
            while True:
                await client.ask("GET", "/v1/me")
                turns += 1

    async with anyio.create_task_group() as group:
        group.start_soon(ask)
        while not turns:
            await anyio.lowlevel.checkpoint()
        before = turns
        await work()
        found = turns - before
        group.cancel_scope.cancel()
    return found


async def test_others_are_answered_while_a_long_journal_is_read() -> None:
    async with administered() as (admin, mock), RawClient(admin.port) as client:
        book = mock.record_book
        for number in range(20_000):
            book.add(FrameSent(*book.stamp(), 1, Route.STREAM, 1, 1, str(number), "e", None))
        driver = Driver(admin, client)
        for path, mark in (("journal", b'"dropped": 0'), ("journal?format=jsonl", b'"19999"')):
            found = b""

            async def read(path: str = path) -> None:
                nonlocal found
                found = (await driver.ask("GET", f"/servers/1/{path}")).unchunked

            assert await turns_of_others(mock.port, read) > 10
            assert mark in found
            assert found.count(b'"id"') == 20_000


async def test_others_are_answered_while_a_job_with_many_events_is_read() -> None:
    job = {"id": "j", "events": 20_000, "submitted": True, "emitted": True}
    async with administered(scenario_from_dict({"job": [job]})) as (admin, mock):
        for port, target in ((mock.port, "/v1/jobs/j"), (admin.port, f"{PREFIX}/servers/1/jobs/j")):
            found = b""

            async def read(port: int = port, target: str = target) -> None:
                nonlocal found
                async with RawClient(port) as client:
                    host = {"Host": f"127.0.0.1:{admin.port}"} if port == admin.port else {}
                    raw = request_bytes("GET", target, host)
                    await client.send(
                        raw.replace(b"Host: mock\r\n", b"" if host else b"Host: mock\r\n")
                    )
                    found = (await client.answer()).unchunked

            assert await turns_of_others(mock.port, read) > 10
            shown = json.loads(found)
            assert len(shown["events"]) == 20_000
            assert shown["job"]["status"] == "completed"


async def test_toml_is_read_beside_other_work_and_has_a_bound() -> None:
    rule = b'[[rule]]\non = {route = "me", attempt = 9}\nstatus = 500\n'
    async with administered() as (admin, mock), RawClient(admin.port) as client:
        driver = Driver(admin, client)
        headers = {"Content-Type": "application/toml"}

        async def put() -> None:
            answer = await driver.ask("POST", "/servers", rule * 3000, headers)
            assert answer.status == 201

        assert await turns_of_others(mock.port, put) > 3
        answer = await driver.ask("PUT", "/servers/1/scenario", b"#" * (4 << 20), headers)
        assert answer.status == 413


async def test_connections_for_which_no_file_is_left_are_told_so_and_the_next_is_served() -> None:
    async with MockServer() as mock:
        with few_files(100):  # the mock keeps 64 free; each connection takes two in this process
            async with AsyncExitStack() as stack:
                clients = [await stack.enter_async_context(RawClient(mock.port)) for _ in range(25)]
                statuses = [(await client.ask("GET", "/v1/jobs/none")).status for client in clients]
        assert (statuses[0], set(statuses), statuses[-1]) == (404, {404, 503}, 503)
        async with RawClient(mock.port) as client:
            assert (await client.ask("GET", "/v1/jobs/none")).status == 404


async def test_a_server_for_which_there_is_no_socket_is_refused_and_the_admin_goes_on() -> None:
    async with AdminServer(TOKEN) as admin, RawClient(admin.port) as client:
        driver = Driver(admin, client)
        assert (await driver.ask("GET", "/health")).status == 200
        with few_files(0):
            refused = await driver.ask("POST", "/servers", {})
        assert (refused.status, "cannot open a port for a server" in str(refused.json)) == (
            503,
            True,
        )
        assert (await driver.ask("POST", "/servers", {})).status == 201


def after_a_stream(size: int) -> bytes:
    """Return a request for the stream of job `j`, and another one of `size` bytes after it."""
    stream = request_bytes("GET", "/v1/jobs/j/events/stream")
    return stream + request_bytes("POST", "/v1/me", None, b"x" * size)


RUNNING = scenario_from_dict(
    {"job": [{"id": "j", "events": 0, "status": "running", "submitted": True}]}
)


@pytest.mark.parametrize("size", [1_000, 300_000, 3_000_000])
async def test_a_client_that_leaves_an_open_stream_is_noticed_after_whatever_it_sent(
    size: int,
) -> None:
    async with MockServer(RUNNING) as mock, RawClient(mock.port) as client:
        await client.send(after_a_stream(size))
        client.half_close()
        answered, _ = await client.read_to_end()
    assert answered.startswith(b"HTTP/1.1 200 OK")


async def test_a_request_that_was_too_long_to_wait_for_the_end_of_a_stream_is_refused() -> None:
    async with MockServer(RUNNING) as mock, RawClient(mock.port) as client:
        # More than all buffers can take: when it is sent, the server has begun to drop it.
        await client.send(after_a_stream(30_000_000))
        end = {"type": "training.completed"}
        mock.push("j", ScriptedFrame(id="1", event="training.completed", json=end))
        assert (await client.answer()).status == 200
        refused = await client.answer()
    assert (refused.status, "too much was sent" in refused.body.decode()) == (413, True)
