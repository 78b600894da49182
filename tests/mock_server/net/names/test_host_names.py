# ruff: noqa: S104 - every address is bound on purpose, behind a token
"""Which address is bound, how URLs show it, and which Host the admin accepts."""

import json
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping

import pytest

from mock_server.__main__ import main
from mock_server.admin.server import AdminServer
from mock_server.net.names.host_names import (
    HostNames,
    OddHost,
    address_of,
    checked_name,
    in_url,
    is_loopback,
)
from mock_server.scenario.model import Scenario
from tests.mock_server.rawclient import Answer, RawClient

pytestmark = pytest.mark.anyio
LONG = "a-token-of-16-or-more"
SIXTEEN = "x" * 16


@pytest.mark.parametrize(
    ("host", "address", "loopback"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.9.8.7", "127.9.8.7", True),
        ("127.1", "127.0.0.1", True),
        ("localhost", "127.0.0.1", True),
        ("::1", "::1", True),
        ("[::1]", "::1", True),
        ("0:0:0:0:0:0:0:1", "::1", True),
        ("::ffff:127.0.0.1", "127.0.0.1", True),
        ("::ffff:0.0.0.0", "0.0.0.0", False),
        ("0.0.0.0", "0.0.0.0", False),
        ("0", "0.0.0.0", False),
        ("::", "::", False),
        ("192.0.2.1", "192.0.2.1", False),
    ],
)
def test_a_host_is_the_address_that_it_means(host: str, address: str, loopback: bool) -> None:  # noqa: FBT001 - a parameter of pytest
    assert address_of(host) == address
    assert is_loopback(address) is loopback


@pytest.mark.parametrize(
    "host", ["", " ", "256.1.1.1", "a..b", "x" * 70, "no.such.invalid", "[::1"]
)
def test_what_is_no_host_is_one_line(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(OddHost):
        address_of(host)
    assert main(["serve", "--host", host]) == 2
    message = capsys.readouterr().err
    assert message.startswith(f"arkor-mock: --host {host!r}: ")
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("::1", "[::1]"),
        ("[::1]", "[::1]"),
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "localhost"),
        ("0.0.0.0", "127.0.0.1"),
        ("::", "[::1]"),
        ("fe80::1", "[fe80::1]"),
    ],
)
def test_a_url_shows_a_host_that_a_client_can_use(host: str, shown: str) -> None:
    assert in_url(host) == shown


def started(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "mock_server", "serve", "--exit-on-stdin-eof", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def asked(url: str, host: str | None = None, token: str | None = None) -> int:
    headers = {"Authorization": f"Bearer {token or 't'}", **({"Host": host} if host else {})}
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code


def ready(process: "subprocess.Popen[str]") -> Mapping[str, str]:
    assert process.stdout is not None
    found: Mapping[str, str] = json.loads(process.stdout.readline())
    return found


needs_ipv6 = pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6 here")


@needs_ipv6
@pytest.mark.parametrize("host", ["::1", "[::1]"])
def test_an_ipv6_host_is_printed_in_brackets_and_served(host: str) -> None:
    with started("--host", host) as process:
        urls = ready(process)
        assert urls["base_url"].startswith("http://[::1]:")
        assert urls["admin_url"].startswith("http://[::1]:")
        assert asked(urls["base_url"] + "/v1/me") == 200
        assert asked(urls["admin_url"] + "/health") == 200
        process.communicate()


def test_every_address_with_an_allow_list_is_usable_from_elsewhere() -> None:
    arguments = ["--host", "0.0.0.0", "--allow-remote", "--admin-token", LONG]
    names = ["--allow-host", "Mock.Example", "--allow-host", "other.example:8080"]
    with started(*arguments, *names) as process:
        urls = ready(process)
        port = urls["admin_url"].split(":")[2].partition("/")[0]
        url = urls["admin_url"] + "/servers"
        for host in (None, f"mock.example:{port}", "mock.example", "other.example:8080"):
            assert asked(url, host, LONG) == 200, host
        for host in (f"localhost:{port}", f"192.0.2.7:{port}", f"[2001:db8::1]:{port}", "10.0.0.1"):
            assert asked(url, host, LONG) == 200, host
        for host in ("evil.example", f"evil.example:{port}", f"other.example:{port}", "a b", "."):
            assert asked(url, host, LONG) == 403, host
        assert asked(url) == 401  # reading, too, needs the token
        process.communicate()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--host", "0.0.0.0"], "is not a loopback address"),
        (["--host", "::"], "is not a loopback address"),
        (["--host", "0"], "is not a loopback address"),
        (["--host", "::ffff:0.0.0.0"], "is not a loopback address"),
        (["--host", "0.0.0.0", "--allow-remote"], "needs --admin-token with a token of your own"),
        (["--host", "0.0.0.0", "--allow-remote", "--admin-token", ""], "--admin-token: must be"),
        (
            ["--host", "0.0.0.0", "--allow-remote", "--admin-token", "x" * 15],
            "has 15 characters; with --allow-remote it must have 16 or more",
        ),
        (["--admin-token", "a b"], "--admin-token: must be printable ASCII"),
        (["--admin-token", "a\nb"], "--admin-token: must be printable ASCII"),
        (["--admin-token", "é" * 16], "--admin-token: must be printable ASCII"),
        (["--allow-host", "a/b"], "--allow-host 'a/b': is not a host"),
        (["--allow-host", ""], "--allow-host '': is not a host"),
        (["--allow-host", "http://a"], "is not a host"),
        (["--allow-host", "a:b"], "is not a host"),
        (["--port", "65536"], "--port: '65536' is not a whole number from 0 to 65535"),
        (["--max-lifetime", "nan"], "--max-lifetime: 'nan' is not a number of seconds"),
    ],
)
def test_unsafe_and_odd_settings_are_refused_in_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *arguments]) == 2
    message = capsys.readouterr().err
    assert said in message
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["serve", "--port", "1_0"],
        ["serve", "--port", "٣"],
        ["serve", "--port", "-1"],
        ["proxy", "--upstream", "http://a", "--upstream-timeout", "nan"],
        ["proxy", "--upstream", "http://a", "--upstream-timeout", "0"],
        ["proxy", "--upstream", "http://a", "--upstream-timeout", "1e999"],
    ],
)
def test_a_number_is_plain_digits(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith(f"arkor-mock: {arguments[-2]}: ")


def test_a_token_of_16_characters_will_do() -> None:
    with started("--host", "0.0.0.0", "--allow-remote", "--admin-token", SIXTEEN) as process:
        assert asked(ready(process)["admin_url"] + "/servers", token=SIXTEEN) == 200
        process.communicate()


async def host_answered(admin: AdminServer, host: str) -> Answer:
    async with RawClient(admin.port) as client:
        await client.send(f"GET /__mock__/v1/health HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        return await client.answer()


async def test_on_the_loopback_only_its_own_names_and_the_given_ones_are_taken() -> None:
    async with AdminServer("t", names=("given.example",)) as admin:
        port = admin.port
        right = (f"127.0.0.1:{port}", f"LOCALHOST:{port}", f"localhost.:{port}", "given.example:1")
        for host in (*right, f"[::1]:{port}"):
            assert (await host_answered(admin, host)).status == 200, host
        for host in ("localhost", "localhost:1", f"192.0.2.1:{port}", f"evil.example:{port}", "x"):
            assert (await host_answered(admin, host)).status == 403, host


async def test_the_host_of_a_url_as_the_target_counts() -> None:
    async with AdminServer("t") as admin, RawClient(admin.port) as client:
        await admin.start(Scenario())
        head = "GET http://evil.example/__mock__/v1/health HTTP/1.1\r\nHost: localhost:{}\r\n\r\n"
        await client.send(head.format(admin.port).encode())
        assert (await client.answer()).status == 403


@pytest.mark.parametrize("name", ["a", "a.b:80", "[::1]:80", "::1", "xn--x.example.", "1.2.3.4"])
def test_a_name_for_the_allow_list_is_what_a_host_says(name: str) -> None:
    names = HostNames.of("127.0.0.1", 1, [name])
    assert names.admit(checked_name(name))
