"""Hostile use: killed clients, a process that ends under load, requests for what does not exist."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import anyio
import pytest

from mock_server import ExchangeEnded, MockServer, RequestRejected, scenario_from_dict
from tests.mock_server.admin.test_admin import driven
from tests.mock_server.rawclient import RawClient, create, follow, request_bytes
from tests.mock_server.test_cli import Ready, Serving, Starter, get, starts

__all__ = ["starts"]

STREAM = request_bytes("GET", "/v1/jobs/live/events/stream")
LIVE = """
schema = 1
[[job]]
id = "live"
events = 2
status = "running"
submitted = true
"""
CLIENT = """
import socket, sys, time
client = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
client.sendall(bytes.fromhex(sys.argv[2]))
while b"id: 2" not in client.recv(65536):
    pass
print("following", flush=True)
time.sleep(600)
"""


@contextmanager
def streams(port: int, count: int) -> Generator[list[socket.socket], None, None]:
    """Open `count` live streams and read what each has."""
    with ExitStack() as stack:
        found: list[socket.socket] = []
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", port), timeout=30)
            found.append(stack.enter_context(client))
            client.sendall(STREAM)
        for client in found:
            data = b""
            while b"id: 2" not in data:
                data += client.recv(65_536)
        yield found


def ending(client: socket.socket) -> str:
    """Read to the end; return how it ended."""
    try:
        while client.recv(65_536):
            pass
    except ConnectionResetError:
        return "RST"
    return "FIN"


def serving(starts: Starter, tmp_path: Path, *arguments: str) -> tuple[Serving, Ready]:
    path = tmp_path / "live.toml"
    path.write_text(LIVE)
    found = starts("serve", str(path), *arguments)
    return found, found.ready()


def port_of(ready: Ready) -> int:
    return int(ready.base_url.rpartition(":")[2])


@pytest.mark.anyio
async def test_a_client_killed_in_the_middle_of_a_stream_is_a_client_that_left() -> None:
    job = {"id": "live", "events": 2, "status": "running", "submitted": True}
    async with MockServer(scenario_from_dict({"job": [job]})) as mock:
        command = [sys.executable, "-c", CLIENT, str(mock.port), STREAM.hex()]
        async with await anyio.open_process(command, stdout=subprocess.PIPE) as client:
            assert client.stdout is not None
            assert (await client.stdout.receive()).startswith(b"f")
            client.kill()
        record = await mock.wait_for("stream", ended=True)
        assert isinstance(record, ExchangeEnded)
        assert record.by == "client"
        assert await create(mock.port)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_during_a_hundred_streams_ends_the_process_cleanly(
    starts: Starter, tmp_path: Path, number: signal.Signals
) -> None:
    mock, ready = serving(starts, tmp_path)
    with streams(port_of(ready), 100) as clients:
        mock.process.send_signal(number)
        assert mock.ended() == 0
        assert {ending(client) for client in clients} <= {"FIN", "RST"}
    assert mock.process.stderr is not None
    assert mock.process.stderr.read() == ""


def test_the_end_of_stdin_during_streams_ends_the_process_cleanly(
    starts: Starter, tmp_path: Path
) -> None:
    mock, ready = serving(starts, tmp_path, "--exit-on-stdin-eof")
    with streams(port_of(ready), 10):
        assert mock.process.stdin is not None
        mock.process.stdin.close()
        assert mock.ended() == 0
    assert mock.process.stderr is not None
    assert mock.process.stderr.read() == ""


def test_a_parent_that_was_killed_leaves_no_process_behind() -> None:
    parent = (
        "import subprocess, sys, time\n"
        "mock = subprocess.Popen([sys.executable, '-m', 'mock_server', 'serve',"
        " '--exit-on-stdin-eof'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)\n"
        "print(mock.stdout.readline().decode(), flush=True)\n"
        "time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        ready = Ready(**json.loads(process.stdout.readline()))
        with socket.create_connection(("127.0.0.1", port_of(ready)), timeout=30) as client:
            process.kill()
            assert ending(client) in {"FIN", "RST"}


def test_a_second_process_is_not_disturbed_by_the_end_of_the_first(
    starts: Starter, tmp_path: Path
) -> None:
    first, _ = serving(starts, tmp_path)
    _, ready = serving(starts, tmp_path)
    first.process.kill()
    first.process.wait()
    assert b"user-1" in get(ready.base_url + "/v1/me")


@pytest.mark.anyio
async def test_gates_may_be_opened_twice_and_shut_twice_but_not_be_unknown() -> None:
    rule = {"on": {"route": "stream"}, "stall": {"gate": "go"}}
    async with driven(scenario_from_dict({"rule": [rule]})) as (driver, port):
        for path in ("nobody/shut", "nobody/open", "og/open"):
            assert (await driver.ask("POST", f"/servers/1/gates/{path}")).status == 404
        for path in ("go/open", "go/open", "go/shut", "go/shut"):
            assert (await driver.ask("POST", f"/servers/1/gates/{path}")).status == 200
        job = await create(port)
        async with RawClient(port) as client:
            await client.send(request_bytes("GET", f"/v1/jobs/{job}/events/stream"))
            await client.read_until(b"\r\n\r\n")
            assert (await driver.ask("POST", "/servers/1/gates/go/open")).status == 200
            await client.read_until(b"training.completed")
        assert (await driver.ask("POST", "/servers/1/gates/go/break")).status == 404


@pytest.mark.anyio
async def test_two_scenarios_put_during_live_streams_leave_the_second() -> None:
    live = {"id": "live", "events": 2, "status": "running", "submitted": True}
    async with driven(scenario_from_dict({"job": [live]})) as (driver, port):
        clients = [RawClient(port) for _ in range(10)]
        for client in clients:
            await client.__aenter__()
            await client.send(STREAM)
            await client.read_until(b"id: 2")
        for status in (500, 418):
            scenario = {"rule": [{"on": {"route": "me"}, "status": status}]}
            assert (await driver.ask("PUT", "/servers/1/scenario", scenario)).status == 200
        for client in clients:
            assert (await client.read_to_end())[1] == "ECONNRESET"
            await client.__aexit__(None, None, None)
        async with RawClient(port) as client:
            assert (await client.ask("GET", "/v1/me")).status == 418
        journal = await driver.ask("GET", "/servers/1/journal")
        kinds = [each["kind"] for each in json.loads(journal.body)["records"]]
        assert kinds[0] == "ConnectionOpened"
        assert kinds.count("ConnectionClosed") <= 1


@pytest.mark.anyio
async def test_many_jobs_and_clients_at_once_do_not_mix() -> None:
    async with MockServer(scenario_from_dict({"job": [{"events": 20}]})) as mock:
        found: dict[str, list[bytes]] = {}

        async def one() -> None:
            job = await create(mock.port)
            answers = [await follow(mock.port, job) for _ in range(3)]
            found[job] = [answer.unchunked for answer in answers]

        async with anyio.create_task_group() as group:
            for _ in range(30):
                group.start_soon(one)
    assert len(found) == 30
    for job, bodies in found.items():
        assert len(set(bodies)) == 1
        assert bodies[0].count(b"id: ") == 20
        assert b'"jobId":"%b"' % job.encode() in bodies[0]


@pytest.mark.anyio
async def test_three_hundred_connections_at_once_over_the_limit_are_told_so() -> None:
    scenario = scenario_from_dict({"limits": {"connections": 20}})
    answers: list[bytes] = []
    async with MockServer(scenario) as mock:

        async def one(client: RawClient) -> None:
            await client.send(request_bytes("GET", "/v1/me", {"Connection": "close"}))
            answers.append((await client.read_to_end())[0])

        clients = [RawClient(mock.port) for _ in range(320)]
        for client in clients:
            await client.__aenter__()
        while mock.open_connections < 20:
            await anyio.lowlevel.checkpoint()
        async with anyio.create_task_group() as group:
            for client in clients:
                group.start_soon(one, client)
        for client in clients:
            await client.__aexit__(None, None, None)
        told = [answer[:12] for answer in answers]
        assert told.count(b"HTTP/1.1 503") == 300
        assert told.count(b"HTTP/1.1 200") == 20
        assert await create(mock.port)


@pytest.mark.anyio
async def test_a_request_that_trickles_in_is_a_timeout_however_busy_it_looks() -> None:
    async with MockServer(scenario_from_dict({"limits": {"request_ms": 60}})) as mock:
        async with RawClient(mock.port) as client:
            with anyio.move_on_after(30):
                while not any(isinstance(record, RequestRejected) for record in mock.journal):
                    await client.send(b"G")
                    await anyio.sleep(0.005)
            found, _ = await client.read_to_end()
        assert found.startswith(b"HTTP/1.1 408 ")
