"""Secrets of clients and users never appear in answers, the journal, the admin API or reprs."""

import json
from collections.abc import Mapping

import pytest

from mock_server import (
    MockServer,
    RequestReceived,
    RequestRejected,
    scenario_from_dict,
    to_jsonl,
)
from mock_server.admin.server import AdminServer
from mock_server.proxy.origin import ProxyOrigin, Upstream
from mock_server.requests import request_of
from tests.mock_server.admin.test_admin import TOKEN, Driver, driven
from tests.mock_server.rawclient import RawClient, create, request_bytes
from tests.mock_server.rawupstream import raw_upstream

pytestmark = pytest.mark.anyio

SECRET = "hunter2-hunter2"
MALFORMED = [
    f"Authorization : Bearer {SECRET}",
    f"Authorization\t: Bearer {SECRET}",
    f"Authorization Bearer {SECRET}",
    f"Authorization: Bearer {SECRET}\x00",
    f"Authorization: Bearer {SECRET}\r\nContent-Length: {SECRET}",
    f"Authorization: Bearer {SECRET}\r\nTransfer-Encoding: {SECRET}",
    f"Host: {SECRET}",
]
ODD = [
    f" Authorization: Bearer {SECRET}",
    f"\tAuthorization: Bearer {SECRET}",
    f"Authorization: Bearer {SECRET}\x7f\x01",
    f"Authorization:\r\n Bearer {SECRET}",
    f"X: Authorization: {SECRET}",
]


@pytest.mark.parametrize("line", MALFORMED)
async def test_a_malformed_line_is_told_to_be_one_and_not_quoted(line: str) -> None:
    async with MockServer() as mock, RawClient(mock.port) as client:
        await client.send(f"GET /v1/me HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n".encode())
        found, _ = await client.read_to_end()
        (rejected,) = [each for each in mock.journal if isinstance(each, RequestRejected)]
    assert found.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 501 "))
    assert rejected.why
    assert SECRET not in found.decode() + to_jsonl(mock.journal)


@pytest.mark.parametrize("line", ODD)
async def test_an_odd_line_is_not_quoted(line: str) -> None:
    async with MockServer() as mock, RawClient(mock.port) as client:
        await client.send(f"GET /v1/me HTTP/1.1\r\nHost: a\r\n{line}\r\n\r\n".encode())
        client.half_close()
        found, _ = await client.read_to_end()
    assert found.startswith(b"HTTP/1.1 ")
    assert SECRET not in found.decode() + to_jsonl(mock.journal)


@pytest.mark.parametrize("line", [f"GET /?token={SECRET}", f"\x16{SECRET}", f"A {SECRET} B C"])
async def test_a_malformed_request_line_is_not_quoted(line: str) -> None:
    async with MockServer() as mock, RawClient(mock.port) as client:
        await client.send(f"{line}\r\nHost: a\r\n\r\n".encode())
        found, _ = await client.read_to_end()
    assert found.startswith(b"HTTP/1.1 400 ")
    assert SECRET not in found.decode() + to_jsonl(mock.journal)


TARGETS = [
    f"/v1/me?Token={SECRET}",
    f"/v1/nothing?access_token={SECRET}",
    f"http://me:{SECRET}@host/v1/nothing",
    f"/v1/nothing/http://me:{SECRET}@host/",
    f"/v1/jobs/x;token={SECRET}",
    f"/v1/jobs/https:%2F%2Fme:{SECRET}@host",
    f"/v1/me?next=https%3A%2F%2Fme%3A{SECRET}%40host%2F%3Ftoken%3D{SECRET}",
]
FIELDS: list[Mapping[str, str]] = [
    {"X-Auth-Token": SECRET},
    {"X-Whatever": f"Bearer {SECRET}"},
    {"Referer": f"https://me:{SECRET}@host/?sig={SECRET}"},
    {"Last-Event-ID": f"token={SECRET}"},
]
BODIES = [
    f'{{"Token":"{SECRET}"}}',
    f'{{"token":["{SECRET}"],"a":{{"API_KEY":{{"x":"{SECRET}"}}}}}}',
    f'{{"token":"x","token":"{SECRET}","token":1}}',
    f'{{"token":"{SECRET}"',
    f"{{'token':'{SECRET}'}}",
    f"token={SECRET}&a=b",
    f'{{"name":"n","config":{{"model":"m","a":[{{"Access_Token":["{SECRET}"]}}]}}}}',
]


@pytest.mark.parametrize("target", TARGETS)
async def test_a_secret_in_a_target_is_neither_written_down_nor_quoted(target: str) -> None:
    async with MockServer() as mock, RawClient(mock.port) as client:
        answer = await client.ask("GET", target)
        assert SECRET not in answer.body.decode() + to_jsonl(mock.journal)


@pytest.mark.parametrize("headers", FIELDS)
async def test_a_secret_in_a_field_is_not_written_down(headers: Mapping[str, str]) -> None:
    async with MockServer() as mock, RawClient(mock.port) as client:
        await client.ask("GET", "/v1/me", headers)
        assert SECRET not in to_jsonl(mock.journal)


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", "x"])
async def test_a_secret_in_a_body_is_neither_written_down_nor_shown(body: str, kind: str) -> None:
    async with MockServer() as mock, RawClient(mock.port) as client:
        await client.ask("POST", "/v1/jobs", {"Content-Type": kind}, body.encode())
        shown = await client.ask("GET", "/v1/jobs/job-1")
        (asked, _) = [each for each in mock.journal if isinstance(each, RequestReceived)]
        assert asked.body
        assert SECRET not in to_jsonl(mock.journal) + shown.body.decode()


async def test_what_is_no_secret_stays_readable() -> None:
    body = b'{ "name":"n","config":{"model":"m","max_tokens":5} }'
    async with MockServer() as mock, RawClient(mock.port) as client:
        await client.ask("POST", "/v1/jobs?orgSlug=a", {"Idempotency-Key": "k"}, body)
        (asked,) = [each for each in mock.journal if isinstance(each, RequestReceived)]
        assert asked.body == body
        assert asked.json == json.loads(body)
        assert asked.target == "/v1/jobs?orgSlug=a"
        assert ("idempotency-key", "k") in asked.headers


async def test_the_admin_shows_no_token_of_a_scenario_and_does_not_take_the_note_for_one() -> None:
    words = {
        "backend": {"token": SECRET},
        "rule": [
            {"on": {"route": "me", "header": {"Authorization": f"Bearer {SECRET}"}}, "status": 500}
        ],
    }
    async with driven(scenario_from_dict(words)) as (driver, _):
        shown = await driver.ask("GET", "/servers/1/scenario")
        rules = await driver.ask("GET", "/servers/1/rules")
        again = await driver.ask("PUT", "/servers/1/scenario", shown.body)
        wrong = await driver.ask("PUT", "/servers/1/scenario", {"backend": {"token": [SECRET]}})
    assert shown.json["backend"] == {"token": "[redacted]"}
    assert SECRET not in shown.body.decode() + rules.body.decode() + wrong.body.decode()
    assert again.status == wrong.status == 400
    assert "is what the admin API shows instead of a token" in str(again.json["error"])


async def test_the_admin_shows_no_token_of_a_tenant_and_does_not_take_the_note_for_one() -> None:
    words = {"backend": {"tenants": [{"token": SECRET, "org": "o", "projects": ["p"]}]}}
    async with driven(scenario_from_dict(words)) as (driver, _):
        shown = await driver.ask("GET", "/servers/1/scenario")
        again = await driver.ask("PUT", "/servers/1/scenario", shown.body)
    tenant = {"token": "[redacted]", "org": "o", "projects": ["p"]}
    assert shown.json["backend"] == {"tenants": [tenant]}
    assert str(again.json["error"]).startswith(
        "backend.tenants: '[redacted]' is what the admin API"
    )


async def test_the_admin_quotes_no_secret() -> None:
    async with driven() as (driver, _):
        for method, path in (
            ("GET", f"/nothing?token={SECRET}"),
            ("GET", f"/servers/token={SECRET}"),
            ("GET", f"/servers/1/jobs/https:%2F%2Fme:{SECRET}@host"),
            ("DELETE", f"/servers/1/rules/token={SECRET}"),
            ("GET", f"/servers/1/journal?after=token%3D{SECRET}"),
            ("GET", f"/servers/1/journal?format=token%3D{SECRET}"),
        ):
            answer = await driver.ask(method, path)
            assert answer.status >= 400
            assert SECRET not in answer.body.decode()
    async with AdminServer(TOKEN) as admin, RawClient(admin.port) as client:
        answer = await Driver(admin, client).ask("GET", "/health", None, {"Host": f"me:{SECRET}@a"})
        assert answer.status == 403
        assert SECRET not in answer.body.decode()


async def test_what_an_upstream_says_wrong_is_not_quoted() -> None:
    with raw_upstream() as upstream:
        upstream.say(f"HTTP/1.1 200 OK\r\nAuthorization : {SECRET}\r\n\r\n".encode())
        async with (
            MockServer(upstream=ProxyOrigin(Upstream.at(upstream.url))) as proxy,
            RawClient(proxy.port) as client,
        ):
            answer = await client.ask("GET", "/v1/me")
    assert answer.status == 502
    assert "a header field is malformed" in str(answer.json["error"])
    assert SECRET not in answer.body.decode()


async def test_no_repr_holds_a_secret() -> None:
    scenario = scenario_from_dict({"backend": {"token": SECRET}})
    target = f"/v1/me?token={SECRET}"
    request = request_of("GET", target, (("authorization", SECRET),), SECRET.encode())
    async with MockServer(scenario) as mock:
        raw = request_bytes("GET", target, {"Authorization": f"Bearer {SECRET}"})
        async with RawClient(mock.port) as client:
            await client.send(raw)
            await client.answer()
        await mock.wait_for("me", ended=True)
        assert SECRET not in repr((scenario, mock, request, mock.journal))
    async with MockServer() as mock:
        assert await create(mock.port)
