"""Loading another scenario on the same port leaves nothing of the old one."""

import anyio
import pytest

from mock_server import (
    ConnectionOpened,
    MockServer,
    PortChanged,
    Record,
    ScenarioError,
    scenario_from_dict,
)
from tests.mock_server.rawclient import RawClient, create, follow, request_bytes

pytestmark = pytest.mark.anyio

LIVE = {"id": "live", "events": 1, "status": "running", "submitted": True}
STREAM = "/v1/jobs/live/events/stream"


async def opened(client: RawClient) -> None:
    await client.send(request_bytes("GET", STREAM))
    await client.read_until(b"id: 1")


async def gone(client: RawClient) -> str:
    return (await client.read_to_end())[1]


async def test_the_end_of_an_old_connection_is_not_in_the_new_journal() -> None:
    scenario = scenario_from_dict({"job": [LIVE]})
    async with MockServer(scenario) as mock, RawClient(mock.port) as client:
        await opened(client)
        mock.load(scenario)
        assert await gone(client) == "ECONNRESET"
        while mock.open_connections:
            await anyio.lowlevel.checkpoint()
        assert mock.journal == []


async def test_a_request_of_an_old_connection_is_not_counted_by_the_new_rules() -> None:
    rule = {"on": {"route": "me", "attempt": 1}, "status": 503}
    async with MockServer(scenario_from_dict({"rule": [rule]})) as mock:
        async with RawClient(mock.port) as old:
            assert (await old.ask("GET", "/v1/me")).status == 503
            await old.send(request_bytes("GET", "/v1/me"))
            mock.load(mock.scenario)
            await gone(old)
        async with RawClient(mock.port) as client:
            assert (await client.ask("GET", "/v1/me")).status == 503


async def test_two_scenarios_in_quick_succession_leave_the_second_in_force() -> None:
    seen: list[Record] = []
    async with MockServer(scenario_from_dict({"job": [LIVE]}), seen.append) as mock:
        clients = [RawClient(mock.port) for _ in range(20)]
        async with anyio.create_task_group() as group:
            for client in clients:
                await client.__aenter__()
                group.start_soon(opened, client)
        for status in (500, 418):
            mock.load(scenario_from_dict({"rule": [{"on": {"route": "me"}, "status": status}]}))
        for client in clients:
            assert await gone(client) == "ECONNRESET"
            await client.__aexit__(None, None, None)
        before = len(seen)
        async with RawClient(mock.port) as client:
            assert (await client.ask("GET", "/v1/me")).status == 418
        first = seen[before]
        assert isinstance(first, ConnectionOpened)
        assert mock.journal[0] == first


async def test_a_reset_ends_an_outage() -> None:
    rule = {"on": {"route": "me"}, "listener": "down", "listener_ms": 60_000}
    async with MockServer(scenario_from_dict({"rule": [rule]})) as mock:
        async with RawClient(mock.port) as client:
            await client.ask("GET", "/v1/me")
            await mock.wait_until(lambda record: isinstance(record, PortChanged))
        mock.load(mock.scenario)
        assert await create(mock.port) == "job-1"
        assert not [record for record in mock.journal if isinstance(record, PortChanged)]


async def test_an_outage_of_the_new_scenario_is_not_cut_short_by_the_old_one() -> None:
    rule = {"on": {"route": "me"}, "listener": "down", "listener_ms": 50}
    longer = {**rule, "listener_ms": 60_000}
    async with MockServer(scenario_from_dict({"rule": [rule]})) as mock:
        for scenario in (None, scenario_from_dict({"rule": [longer]})):
            if scenario is not None:
                mock.load(scenario)
            async with RawClient(mock.port) as client:
                await client.ask("GET", "/v1/me")
                await mock.wait_until(lambda record: isinstance(record, PortChanged))
        with anyio.move_on_after(0.1):
            await mock.wait_until(
                lambda record: isinstance(record, PortChanged) and record.state == "up"
            )
        with pytest.raises(ConnectionRefusedError):
            await create(mock.port)


async def test_a_gate_belongs_to_whatever_is_loaded() -> None:
    rule = {"on": {"route": "stream"}, "stall": {"gate": "go"}}
    scenario = scenario_from_dict({"rule": [rule], "job": [{"events": 2}]})
    async with MockServer(scenario) as mock:
        gate = mock.gate("go")
        gate.open()
        mock.load(scenario)
        assert not gate.is_open
        gate.open()
        assert (await follow(mock.port, await create(mock.port))).unchunked.count(b"id: ") == 2


async def test_a_scenario_that_cannot_be_carried_changes_nothing() -> None:
    async with MockServer(scenario_from_dict({"job": [LIVE]})) as mock:
        async with RawClient(mock.port) as client:
            await opened(client)
            with pytest.raises(ScenarioError, match="needs the tls_raw capability"):
                mock.load(scenario_from_dict({"rule": [{"tls": "hang"}]}))
            assert mock.open_connections == 1
            assert mock.gate_names == frozenset()
        assert mock.journal
