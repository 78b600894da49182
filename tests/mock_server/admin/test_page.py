"""The page of the admin: who gets it, what it may run, and who may use the admin from it."""

from collections.abc import Mapping

import pytest

from mock_server.admin.page import page
from mock_server.admin.requests import ROOT
from mock_server.admin.server import AdminServer
from tests.mock_server.admin.test_admin import TOKEN, driven
from tests.mock_server.rawclient import RawClient, request_bytes


async def ask_page(admin: AdminServer, headers: Mapping[str, str]) -> tuple[int, str, str]:
    async with RawClient(admin.port) as client:
        host = f"Host: 127.0.0.1:{admin.port}".encode()
        await client.send(request_bytes("GET", f"{ROOT}/", headers).replace(b"Host: mock", host))
        answer = await client.answer()
        return answer.status, answer.head, answer.body.decode()


@pytest.mark.anyio
async def test_the_page_itself_has_no_secret_and_needs_no_token() -> None:
    async with AdminServer(TOKEN, reads_need_token=True) as admin:
        status, head, body = await ask_page(admin, {"Authorization": ""})
    assert (status, body) == (200, page().body.decode())
    assert TOKEN not in body + head


@pytest.mark.anyio
async def test_only_the_style_and_the_script_of_the_page_may_run() -> None:
    async with AdminServer(TOKEN) as admin:
        _, head, body = await ask_page(admin, {})
    policy = next(line for line in head.split("\r\n") if line.startswith("Content-Security-Policy"))
    assert "default-src 'none'; script-src 'sha256-" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert not [each for each in ("http://", "https://", "src=", "@import", "url(") if each in body]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://127.0.0.1:{}", 200),
        ("http://localhost:{}", 403),
        ("http://127.0.0.1:1", 403),
        ("null", 403),
        ("http://127.0.0.1:{}.evil.example", 403),
    ],
)
async def test_the_page_may_use_the_admin_and_no_other_page_may(origin: str, status: int) -> None:
    async with driven() as (driver, _):
        headers = {"Origin": origin.format(driver.port)}
        answer = await driver.ask("POST", "/servers/1/reset", headers=headers)
    assert answer.status == status
