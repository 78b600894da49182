"""The HTTP admin, used only over sockets, as a program in another language would."""

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import anyio
import pytest

from mock_server import Scenario, scenario_from_dict
from mock_server.admin.requests import PREFIX
from mock_server.admin.server import AdminServer
from tests.mock_server.admin.described import check_answer
from tests.mock_server.rawclient import Answer, RawClient, create, follow, request_bytes

pytestmark = pytest.mark.anyio

TOKEN = "admin-token"


class Driver:
    """A client of the admin API."""

    def __init__(self, admin: AdminServer, client: RawClient) -> None:
        self._client = client
        self.port = admin.port
        self._headers = {"Host": f"127.0.0.1:{admin.port}", "Authorization": f"Bearer {TOKEN}"}

    async def ask(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request to the admin API, and wait for its answer, which must be as described."""
        await self.send(method, path, body, headers)
        answer = await self._client.answer()
        check_answer(method, path, body, answer)
        return answer

    async def send(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send one request to the admin API."""
        raw = (
            body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        )
        everything = {**self._headers, **(headers or {})}
        await self._client.send(
            request_bytes(method, PREFIX + path, everything, raw).replace(b"Host: mock\r\n", b"")
        )


@asynccontextmanager
async def driven(scenario: Scenario | None = None) -> AsyncGenerator[tuple[Driver, int], None]:
    async with AdminServer(TOKEN) as admin:
        server = await admin.start(scenario or Scenario())
        async with RawClient(admin.port) as client:
            yield Driver(admin, client), server.port


def port_of(answer: Answer) -> int:
    return int(str(answer.json["base_url"]).rpartition(":")[2])


async def test_health_needs_no_token() -> None:
    async with driven() as (driver, _):
        answer = await driver.ask("GET", "/health", headers={"Authorization": ""})
    assert answer.json == {"ok": True, "servers": 1}


async def test_a_server_per_test_lives_from_post_to_delete() -> None:
    async with driven() as (driver, first):
        rule = {"on": {"route": "stream"}, "status": 503}
        answer = await driver.ask("POST", "/servers", {"rule": [rule]})
        assert answer.status == 201
        second = port_of(answer)
        assert (await follow(second, "j")).status == 503
        assert (await follow(first, "j")).status == 404
        assert (await driver.ask("DELETE", f"/servers/{answer.json['id']}")).status == 200
        with pytest.raises(ConnectionRefusedError):
            await create(second)


async def test_a_scenario_can_be_given_as_toml() -> None:
    toml = b'[[rule]]\non = {route = "me"}\nstatus = 418\n'
    async with driven() as (driver, port):
        headers = {"Content-Type": "application/toml"}
        answer = await driver.ask("PUT", "/servers/1/scenario", toml, headers)
        assert answer.status == 200
        async with RawClient(port) as client:
            assert (await client.ask("GET", "/v1/me")).status == 418
        shown = await driver.ask("GET", "/servers/1/scenario")
    assert shown.json["rule"] == [{"on": {"route": "me"}, "status": 418}]


async def test_rules_can_be_added_listed_and_removed() -> None:
    async with driven() as (driver, port):
        added = await driver.ask("POST", "/servers/1/rules", {"on": {"route": "me"}, "status": 500})
        assert added.json == {"index": 1}
        async with RawClient(port) as client:
            assert (await client.ask("GET", "/v1/me")).status == 500
            listed = await driver.ask("GET", "/servers/1/rules")
            assert json.dumps(listed.json).count('"acted": 1') == 1
            await driver.ask("DELETE", "/servers/1/rules/1")
            assert (await client.ask("GET", "/v1/me")).status == 200
        assert (await driver.ask("DELETE", "/servers/1/rules/1")).status == 404


async def test_events_are_pushed_into_a_live_stream() -> None:
    async with driven() as (driver, port):
        made = await driver.ask("POST", "/servers/1/jobs", {"id": "a/b", "events": 0})
        assert made.status == 201
        async with RawClient(port) as client:
            await client.send(request_bytes("GET", "/v1/jobs/a%2Fb/events/stream"))
            await client.read_until(b"\r\n\r\n")
            pushed = await driver.ask(
                "POST",
                "/servers/1/jobs/a%2Fb/events",
                [{"data": "x"}, {"event": "end", "data": ""}],
            )
            assert pushed.json == {"ids": ["1", "2"]}
            await client.read_until(b"event: end\n")
        late = await driver.ask("POST", "/servers/1/jobs/a%2Fb/events", {"data": "late"})
        assert late.status == 409
        assert (await driver.ask("GET", "/servers/1/jobs/a%2Fb")).status == 200


async def test_a_gate_is_opened_from_outside() -> None:
    rule = {"on": {"route": "stream"}, "stall": {"gate": "go"}}
    async with driven(scenario_from_dict({"rule": [rule]})) as (driver, port):
        job = await create(port)
        async with RawClient(port) as client:
            await client.send(request_bytes("GET", f"/v1/jobs/{job}/events/stream"))
            await client.read_until(b"\r\n\r\n")
            assert (await driver.ask("POST", "/servers/1/gates/go/open")).status == 200
            await client.read_until(b"training.completed")


async def test_a_connection_is_ended_now() -> None:
    scenario = scenario_from_dict({"job": [{"events": 1, "status": "running"}]})
    async with driven(scenario) as (driver, port):
        job = await create(port)
        async with RawClient(port) as client:
            await client.send(request_bytes("GET", f"/v1/jobs/{job}/events/stream"))
            await client.read_until(b"id: 1")
            listed = await driver.ask("GET", "/servers/1/connections")
            assert listed.json == {"connections": [2]}
            assert (await driver.ask("POST", "/servers/1/connections/2/end")).status == 200
            assert (await client.read_to_end())[1] == "ECONNRESET"
        assert (await driver.ask("POST", "/servers/1/connections/2/end")).status == 404


async def test_the_journal_is_polled_from_a_record_on() -> None:
    async with driven() as (driver, port):
        await create(port)
        answer = await driver.ask("GET", "/servers/1/journal?after=1")
        records = answer.json["records"]
        assert json.dumps(records).count('"kind": "RequestReceived"') == 1
        lines = await driver.ask("GET", "/servers/1/journal?format=jsonl")
        for shown in (answer, lines):
            assert b'"Bearer [redacted]"' in shown.body
        assert json.loads(lines.body.splitlines()[0])["kind"] == "ConnectionOpened"


async def test_a_long_poll_answers_when_something_happens() -> None:
    async with driven() as (driver, port), anyio.create_task_group() as group:
        group.start_soon(create, port)
        assert (await driver.ask("GET", "/servers/1/journal?wait=60000")).json["records"]


async def test_a_request_to_come_can_be_waited_for() -> None:
    async with driven() as (driver, port), anyio.create_task_group() as group:
        group.start_soon(create, port)
        answer = await driver.ask("POST", "/servers/1/wait", {"route": "create", "ended": True})
        assert answer.status == 200
        assert b'"kind":"ExchangeEnded"' in answer.body


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (
            {"route": "stream", "attempt": 3, "within_ms": 10},
            409,
            ("request 3 of stream did not arrive within 0.01 s; requests received: 1 of create"),
        ),
        ({"route": "steam"}, 400, "wait.route: 'steam' is unknown; did you mean 'stream'?"),
        ({"attempt": 1}, 400, "wait: needs a route to wait for"),
        ({"route": "me", "attempt": 0}, 400, "wait.attempt: 0 (integer) is not a whole number"),
    ],
)
async def test_a_wait_in_vain_says_why(body: dict[str, object], status: int, message: str) -> None:
    async with driven() as (driver, port):
        await create(port)
        answer = await driver.ask("POST", "/servers/1/wait", body)
    assert answer.status == status
    assert message in str(answer.json["error"])


async def test_the_journal_can_be_followed_as_a_stream() -> None:
    async with AdminServer(TOKEN) as admin:
        server = await admin.start(Scenario())
        async with RawClient(admin.port) as tail:
            target = f"{PREFIX}/servers/1/journal/tail"
            host = f"Host: 127.0.0.1:{admin.port}".encode()
            await tail.send(request_bytes("GET", target).replace(b"Host: mock", host))
            await tail.read_until(b"\r\n\r\n")
            await create(server.port)
            await tail.read_until(b"event: ConnectionClosed")


async def test_a_verdict_is_200_or_409_with_the_difference() -> None:
    def demand(name: str) -> object:
        request = {"route": "create", "json": {"name": name}}
        return {"requests": [{"request": request, "times": 1}]}

    async with driven() as (driver, port):
        await create(port)
        bad = await driver.ask("POST", "/servers/1/verify", demand("other"))
        good = await driver.ask("POST", "/servers/1/verify", demand("n"))
    assert bad.status == 409
    assert "json.name: expected 'other', got 'n'" in str(bad.json["problems"])
    assert (good.status, good.json) == (200, {"ok": True})


async def test_a_reset_starts_the_scenario_over() -> None:
    async with driven() as (driver, port):
        await create(port)
        assert (await driver.ask("POST", "/servers/1/reset")).status == 200
        assert b"RequestReceived" not in (await driver.ask("GET", "/servers/1/journal")).body
        assert await create(port) == "job-1"


async def test_shutdown_is_a_wish_that_the_process_hears() -> None:
    async with AdminServer(TOKEN) as admin, RawClient(admin.port) as client:
        answer = await Driver(admin, client).ask("POST", "/shutdown")
        assert answer.status == 202
        assert admin.shutdown.is_set()


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({"Authorization": ""}, 401, "use the one printed at start-up"),
        ({"Authorization": "Bearer wrong"}, 401, "missing or wrong"),
        ({"Host": "evil.example"}, 403, "does not name this server"),
        ({"Origin": "http://evil.example"}, 403, "other web pages cannot use the admin API"),
    ],
)
async def test_who_may_not_is_refused(headers: dict[str, str], status: int, message: str) -> None:
    async with driven() as (driver, _):
        answer = await driver.ask("POST", "/servers/1/reset", headers=headers)
    assert answer.status == status
    assert message in str(answer.json["error"])


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("GET", "/nothing", None, 404, "no route"),
        ("GET", "/servers/9", None, 404, "no server '9'; running servers: 1"),
        ("POST", "/servers", {"rules": []}, 400, "did you mean 'rule'?"),
        ("POST", "/servers", [1], 400, "must be a JSON object"),
        ("PUT", "/servers/1/scenario", b"{", 400, "must be a JSON object"),
        ("POST", "/servers/1/rules", {"end": "rts"}, 400, "did you mean 'rst'?"),
        ("POST", "/servers/1/jobs", {"evnts": 3}, 400, "did you mean 'events'?"),
        ("POST", "/servers/1/jobs/none/events", {"data": "x"}, 404, "no job 'none'"),
        ("POST", "/servers/1/connections/7/end", None, 404, "no open connection"),
        ("POST", "/servers/1/connections/7/end", {"how": "x"}, 400, "rst"),
        ("POST", "/servers/1/verify", {"conduct": 1}, 400, "true or false"),
        ("POST", "/servers/1/verify", {"conduct": True, "profile": "x"}, 400, "the profiles are"),
        (
            "POST",
            "/servers/1/verify",
            {"conducts": True},
            400,
            "'conducts' is unknown; did you mean",
        ),
        ("GET", "/servers/1/journal?after=x", None, 400, "not a whole number"),
        ("GET", "/servers/1/journal?format=x", None, 400, "json or jsonl"),
        ("GET", "/servers/1/jobs", None, 404, "no route"),
    ],
)
async def test_a_wrong_request_is_told_what_is_wrong_and_changes_nothing(
    method: str, path: str, body: object, status: int, message: str
) -> None:
    async with driven() as (driver, port):
        await create(port)
        answer = await driver.ask(method, path, body)
        assert answer.status == status
        assert message in str(answer.json["error"])
        assert not str(answer.json["error"]).startswith(":")
        assert "RequestReceived" in str((await driver.ask("GET", "/servers/1/journal")).json)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"[[rule]\n", "TOML: "),
        (b'name = "\xff"', "the byte at offset 8 is not UTF-8; use bytes_hex"),
        (b'[[rule]]\nedn = "rst"\n', "rule 1: 'edn' is unknown; did you mean 'end'?"),
        (b'[[rule]]\nstatus = "503"\n', "rule 1: status: '503' (string) is not a whole number"),
        (b'[[rule]]\nbody = "x"\njson = 1\n', "body and json cannot be combined"),
        (b"[[rule]]\n", "rule 1: does nothing"),
        (b'[[rule]]\ntls = "hang"\n', "rule 1: 'tls' needs the tls_raw capability"),
        (b"schema = 2\n", "schema: 2 (integer) is not supported; the only valid value is 1"),
    ],
)
@pytest.mark.parametrize(("method", "path"), [("PUT", "/servers/1/scenario"), ("POST", "/servers")])
async def test_a_bad_scenario_is_told_what_is_wrong_and_nothing_is_lost(
    method: str, path: str, body: bytes, message: str
) -> None:
    rule = {"on": {"route": "me"}, "status": 418}
    async with driven(scenario_from_dict({"rule": [rule]})) as (driver, port):
        async with RawClient(port) as client:
            answer = await driver.ask(method, path, body, {"Content-Type": "application/toml"})
            assert (await client.ask("GET", "/v1/me")).status == 418
        listed = await driver.ask("GET", "/servers")
    assert answer.status == 400
    assert message in str(answer.json["error"])
    assert json.loads(listed.body)["servers"][0]["id"] == "1"
    assert len(json.loads(listed.body)["servers"]) == 1


async def test_an_oversized_body_is_refused() -> None:
    async with driven() as (driver, _):
        answer = await driver.ask("POST", "/servers", b" " * (5 << 20))
    assert answer.status == 413
