"""The endings of a response, as the kernel reports them to a raw socket."""

import errno

import anyio
import pytest

from mock_server import ConnectionClosed, Ending, ExchangeEnded, MockServer, scenario_from_dict
from tests.mock_server.rawclient import EOF, RawClient, create, follow, request_bytes

pytestmark = pytest.mark.anyio

STREAM = "/v1/jobs/job-1/events/stream"


def ending(how: str, **more: object) -> MockServer:
    rule = {"on": {"route": "stream"}, "after": {"frames": 2}, "end": how, **more}
    return MockServer(scenario_from_dict({"job": [{"events": 6}], "rule": [rule]}))


async def test_an_rst_reaches_the_client_as_econnreset_after_the_frames() -> None:
    async with ending("rst") as mock:
        answer = await follow(mock.port, await create(mock.port))
    assert answer.ending == "ECONNRESET"
    assert answer.body.count(b"id: ") == 2


async def test_a_fin_reaches_the_client_as_end_of_file_without_the_last_chunk() -> None:
    async with ending("fin") as mock:
        answer = await follow(mock.port, await create(mock.port))
    assert answer.ending == EOF
    assert not answer.body.endswith(b"0\r\n\r\n")


async def test_after_a_fin_what_the_client_sends_is_answered_with_a_reset() -> None:
    async with ending("fin") as mock:
        await create(mock.port)
        async with RawClient(mock.port) as client:
            await client.send(request_bytes("GET", STREAM))
            assert (await client.read_to_end())[1] == EOF
            await mock.wait_until(
                lambda record: isinstance(record, ConnectionClosed) and record.connection == 2
            )
            with pytest.raises(OSError, match=r".") as caught:
                await send_for_ever(client)
    assert caught.value.errno in {errno.EPIPE, errno.ECONNRESET}


async def send_for_ever(client: RawClient) -> None:
    while True:
        await client.send(b"more")
        await anyio.lowlevel.checkpoint()


async def test_after_a_half_close_the_client_can_go_on_sending() -> None:
    async with ending("half_close") as mock:
        await create(mock.port)
        async with RawClient(mock.port) as client:
            await client.send(request_bytes("GET", STREAM))
            body, how = await client.read_to_end()
            assert how == EOF
            assert body.count(b"id: ") == 2
            for _ in range(20):
                await client.send(b"more")
                await anyio.lowlevel.checkpoint()
            assert mock.open_connections == 1
        closed = await mock.wait_until(
            lambda record: isinstance(record, ConnectionClosed) and record.connection == 2
        )
    assert isinstance(closed, ConnectionClosed)
    assert closed.by == "client"


async def test_an_eof_is_the_last_chunk_and_the_connection_stays() -> None:
    async with ending("eof") as mock:
        await create(mock.port)
        async with RawClient(mock.port) as client:
            first = await client.ask("GET", STREAM)
            second = await client.ask("GET", STREAM, {"Last-Event-ID": "2"})
    assert first.unchunked.count(b"id: ") == 2
    assert b"id: 3\n" in second.unchunked


async def test_a_bad_chunk_has_no_size_that_can_be_read() -> None:
    async with ending("bad_chunk") as mock:
        answer = await follow(mock.port, await create(mock.port))
    assert answer.ending == EOF
    assert answer.unchunked.endswith(b"zz")


async def test_a_short_chunk_ends_before_the_size_it_announced() -> None:
    async with ending("short_chunk") as mock:
        answer = await follow(mock.port, await create(mock.port))
    assert answer.ending == EOF
    assert answer.body.endswith(b"40\r\n: short")


async def test_a_hang_says_nothing_until_the_client_leaves() -> None:
    async with ending("hang") as mock:
        await create(mock.port)
        async with RawClient(mock.port) as client:
            await client.send(request_bytes("GET", STREAM))
            await mock.wait_for("stream", frame=2)
            with anyio.move_on_after(0.05):
                await client.read_until(b"id: 3")
            assert mock.open_connections == 1
        record = await mock.wait_for("stream", ended=True)
    assert isinstance(record, ExchangeEnded)
    assert (record.how, record.by) == ("hang", "client")


async def test_a_stream_can_be_cut_in_the_middle_of_a_frame() -> None:
    async with ending("rst", after={"frames": 1, "bytes": 7}) as mock:
        answer = await follow(mock.port, await create(mock.port))
    assert answer.unchunked.endswith(b"\n\nid: 2\ne")
    assert answer.ending == "ECONNRESET"


async def test_a_client_that_leaves_in_the_middle_is_written_down_as_the_one_who_closed() -> None:
    scenario = scenario_from_dict({"job": [{"events": 2, "status": "running"}]})
    async with MockServer(scenario) as mock:
        await create(mock.port)
        async with RawClient(mock.port) as client:
            await client.send(request_bytes("GET", STREAM))
            await client.read_until(b"id: 2")
        record = await mock.wait_for("stream", ended=True)
    assert isinstance(record, ExchangeEnded)
    assert (record.how, record.by) == ("fin", "client")


@pytest.mark.parametrize(("how", "seen"), [(Ending.FIN, EOF), (Ending.RST, "ECONNRESET")])
async def test_a_connection_ended_from_outside_ends_as_told_whatever_is_unread(
    how: Ending, seen: str
) -> None:
    scenario = scenario_from_dict({"job": [{"events": 2, "status": "running"}]})
    async with MockServer(scenario) as mock:
        await create(mock.port)
        async with RawClient(mock.port) as client:
            await client.send(request_bytes("GET", STREAM))
            await client.read_until(b"id: 2")
            await client.send(b"x" * 1000)
            mock.end_connection(2, how)
            assert (await client.read_to_end())[1] == seen
        closed = await mock.wait_until(
            lambda record: isinstance(record, ConnectionClosed) and record.connection == 2
        )
    assert isinstance(closed, ConnectionClosed)
    assert (closed.by, closed.how) == ("server", how.value)


async def test_a_lost_request_never_reaches_the_backend() -> None:
    rule = {"on": {"route": "create"}, "lose": "request"}
    async with MockServer(scenario_from_dict({"rule": [rule]})) as mock:
        async with RawClient(mock.port) as client:
            answer = await client.ask_to_end("POST", "/v1/jobs", body=b"{}")
        assert (answer.head, answer.ending) == ("", "ECONNRESET")
        with pytest.raises(KeyError):
            mock.jobs["job-1"]


async def test_a_lost_response_was_applied_all_the_same() -> None:
    rule = {"on": {"route": "create", "attempt": 1}, "lose": "response", "end": "fin"}
    async with MockServer(scenario_from_dict({"rule": [rule]})) as mock:
        with pytest.raises(AssertionError, match="ended before"):
            await create(mock.port)
        assert mock.jobs["job-1"].name == "n"
