"""What the admin API says about itself: an index, and an OpenAPI description that is true."""

import json
from collections.abc import Mapping
from typing import get_args

import pytest
from openapi_spec_validator import validate

from mock_server import Scenario, scenario_from_dict
from mock_server.admin.openapi import description
from mock_server.admin.operations import OPERATIONS, Operation
from mock_server.admin.requests import PREFIX
from mock_server.admin.server import AdminServer
from mock_server.journal.records import Record
from mock_server.scenario.rule import FAULTS
from tests.mock_server.admin.test_admin import TOKEN, Driver, driven
from tests.mock_server.rawclient import CREATE_BODY, RawClient, create, request_bytes

pytestmark = pytest.mark.anyio

BODIES: Mapping[str, object] = {
    "POST /servers": {"rule": [{"on": {"route": "stream"}, "status": 503}]},
    "PUT /servers/{server}/scenario": {"name": "other"},
    "POST /servers/{server}/rules": {"on": {"route": "me"}, "status": 418},
    "POST /servers/{server}/jobs": {"id": "new", "events": 3},
    "POST /servers/{server}/jobs/{job}/events": [{"data": "x"}],
    "POST /servers/{server}/connections/{connection}/end": {"how": "fin"},
    "POST /servers/{server}/wait": {"route": "create"},
    "POST /servers/{server}/verify": {"requests": [{"request": {"route": "create"}, "times": 1}]},
}
VALUES = {"server": "1", "rule": "1", "job": "live", "gate": "mid", "connection": "1"}
USED = {
    "job": [{"id": "live", "events": 0, "status": "running", "submitted": True}],
    "rule": [{"on": {"route": "stream"}, "stall": {"gate": "mid"}}],
}


def named(operation: Operation) -> str:
    return f"{operation.method} {operation.path}"


def test_the_description_is_valid_openapi() -> None:
    validate(json.loads(json.dumps(description(PREFIX))))


async def test_the_description_is_served() -> None:
    async with driven() as (driver, _):
        answer = await driver.ask("GET", "/openapi.json")
    assert answer.json == json.loads(json.dumps(description(PREFIX)))


@pytest.mark.parametrize("path", ["", "/"])
async def test_the_index_lists_every_request_and_every_server(path: str) -> None:
    async with driven(Scenario(name="mine")) as (driver, port):
        index = (await driver.ask("GET", path)).json
    assert index["servers"] == [
        {
            "id": "1",
            "base_url": f"http://127.0.0.1:{port}",
            "name": "mine",
            "open_connections": 0,
        }
    ]
    assert index["requests"] == [
        {"method": each.method, "path": PREFIX + each.path, "does": each.does}
        for each in OPERATIONS
    ]
    assert (index["page"], index["openapi"]) == ("/__mock__/", f"{PREFIX}/openapi.json")


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
async def test_what_is_described_is_answered_as_described(operation: Operation) -> None:
    if operation.kind != "application/json":
        return  # the tail never ends; its records are checked with those of the journal
    path = operation.path.format_map(VALUES)
    async with driven(scenario_from_dict(USED)) as (driver, port), RawClient(port) as client:
        assert (await client.ask("POST", "/v1/jobs", {}, CREATE_BODY)).status == 200
        answer = await driver.ask(operation.method, path, BODIES.get(named(operation)))
    assert answer.status == operation.status


@pytest.mark.parametrize("operation", OPERATIONS, ids=named)
async def test_the_token_is_needed_where_the_description_says_so(operation: Operation) -> None:
    path = operation.path.format_map({**VALUES, "server": "none"})
    async with driven() as (driver, _):
        answer = await driver.ask(operation.method, path, headers={"Authorization": "Bearer no"})
    assert (answer.status == 401) == operation.needs_token


async def test_the_records_of_a_journal_are_as_described() -> None:
    async with driven(scenario_from_dict(USED)) as (driver, port):
        await create(port)
        async with RawClient(port) as client:
            await client.ask("BREW", "/v1/me")
        listed = await driver.ask("GET", "/servers/1/journal")
    assert {each["kind"] for each in json.loads(listed.body)["records"]} >= {
        "ConnectionOpened",
        "RequestReceived",
        "ResponseStarted",
        "ExchangeEnded",
    }


def test_every_kind_of_record_is_described() -> None:
    written = json.loads(json.dumps(description(PREFIX)))
    described = written["components"]["schemas"]["Record"]["oneOf"]
    assert [each["title"] for each in described] == [kind.__name__ for kind in get_args(Record)]


async def test_gates_say_whether_they_are_open_and_what_waits() -> None:
    async with driven(scenario_from_dict(USED)) as (driver, port), RawClient(port) as client:
        await client.send(request_bytes("GET", "/v1/jobs/live/events/stream"))
        await client.read_until(b"\r\n\r\n")
        shut = await driver.ask("GET", "/servers/1/gates")
        await driver.ask("POST", "/servers/1/gates/mid/open")
        await driver.ask("POST", "/servers/1/jobs/live/events", {"data": "x"})
        await client.read_until(b"data: x")
        opened = await driver.ask("GET", "/servers/1/gates")
    gate = {"name": "mid", "waited_at": True}
    assert shut.json == {"gates": [{**gate, "open": False, "waiting": 1}]}
    assert opened.json == {"gates": [{**gate, "open": True, "waiting": 0}]}


async def test_rules_are_described_in_plain_words() -> None:
    async with driven(scenario_from_dict(USED)) as (driver, _):
        answer = await driver.ask("GET", "/servers/1/rules")
    assert answer.json == {
        "rules": [
            {
                "index": 1,
                "acted": 0,
                "about": "every request of stream",
                "does": "before the first frame stalls until the gate 'mid' opens",
                "rule": {"on": {"route": "stream"}, "stall": {"gate": "mid"}},
            }
        ]
    }


async def test_there_is_a_rule_for_every_fault_and_it_can_be_added() -> None:
    async with driven() as (driver, _):
        faults = json.loads((await driver.ask("GET", "/servers/1/faults")).body)["faults"]
        assert [each["name"] for each in faults] == [n for n, f in FAULTS.items() if f.alone]
        assert [each["name"] for each in faults if each["unavailable"]] == ["tls"]
        assert faults[1]["unavailable"].startswith("rule 1: 'tls' needs the tls_raw capability")
        for each in faults:
            status = 400 if each["unavailable"] else 201
            once = {**each["rule"], "on": {**each["rule"]["on"], "times": 1}}
            assert (await driver.ask("POST", "/servers/1/rules", once)).status == status


async def test_no_rule_of_a_fault_waits_for_an_attempt_that_has_passed() -> None:
    async with driven() as (driver, _):
        faults = json.loads((await driver.ask("GET", "/servers/1/faults")).body)["faults"]
    assert not [each for each in faults if {"attempt", "connection"} & set(each["rule"]["on"])]


async def test_a_remote_admin_needs_the_token_for_the_index_too() -> None:
    async with AdminServer(TOKEN, reads_need_token=True) as admin:
        for path, status in (("", 401), ("/openapi.json", 401)):
            async with RawClient(admin.port) as client:
                refused = await Driver(admin, client).ask("GET", path, None, {"Authorization": ""})
            assert refused.status == status
