"""Random requests: the processes keep running, stay small and do not record any secret.

`ARKOR_RANDOM_REQUESTS=100000` sets how many are sent, `ARKOR_RANDOM_SEED=…` the seed.
"""

import json
import os
import re
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import define, field

from tests.mock_server.net.random_requests import SECRET, RandomRequests
from tests.mock_server.test_cli import Ready, Serving, Starter, starts

__all__ = ["starts"]

TOKEN = "token-of-the-admin-of-this-run"
MOST_GROWTH = 100 << 10  # KiB
_HEALTHY = b'"ok":true'
_LINK = f"https://me:{SECRET}@h/?a=b&X-Amz-Signature={SECRET}"
TELLING = {
    "rule": [
        {
            "on": {"route": "me"},
            "json": {"access_token": [SECRET], "a": _LINK, "b": [{"Token": {"x": SECRET}}]},
            "headers": {"Location": _LINK, "Set-Cookie": SECRET, "X-Auth-Token": SECRET},
        },
        {
            "on": {"route": "stream"},
            "frames": [
                {"id": "1", "json": {"Token": SECRET}},
                {"raw": f'data: {{"token":\ndata: "{SECRET}"}}\n\n'},
                {"raw": f": token={SECRET}\ndata: {_LINK}\n\n"},
                {"raw": f'data: {{"token": "{SECRET}'},
            ],
            "end": "rst",
        },
        {"on": {"route": "projects"}, "body": f"password={SECRET}&a=b"},
        {"on": {"route": "chat"}, "body": f'{{"a":1,"api_key":"{SECRET}"', "status": 500},
    ]
}


@pytest.fixture
def seed() -> str:
    """Return and print the seed, so that pytest shows it when a test fails."""
    found = os.environ.get("ARKOR_RANDOM_SEED", "1")
    print(f"ARKOR_RANDOM_SEED={found}")  # noqa: T201 - shown when it fails
    return found


@pytest.fixture
def count(request: pytest.FixtureRequest) -> int:
    """Return the number of requests."""
    usual = "4000" if request.config.getoption("--thorough") else "400"
    return int(os.environ.get("ARKOR_RANDOM_REQUESTS", usual))


@define
class Target:
    """One process, and its answers so far."""

    serving: Serving
    ready: Ready
    at_first: int = 0
    statuses: dict[str, int] = field(factory=dict[str, int])

    @property
    def peak(self) -> int:
        """The peak memory of the process, in KiB."""
        status = Path(f"/proc/{self.ready.pid}/status").read_text(encoding="ascii")
        return int(re.findall(r"VmHWM:\s*(\d+) kB", status)[0])

    def asked(self, data: bytes) -> bytes:
        """Send this to the main port, half-close, and return everything that comes back."""
        return self._without_secrets(data, self.heard(data))

    def heard(self, data: bytes) -> bytes:
        """Do the same with the proxy, whose upstream sends secrets."""
        return self._talk(self.ready.base_url, data)

    def admin_asked(self, data: bytes) -> bytes:
        """Send this to the admin."""
        return self._without_secrets(data, self._talk(self.ready.admin_url, data))

    def _without_secrets(self, data: bytes, found: bytes) -> bytes:
        for secret in (SECRET.encode(), TOKEN.encode()):
            if (at := found.find(secret)) >= 0:
                pytest.fail(
                    f"{secret!r} in {found[max(0, at - 400) : at + 60]!r} for {data[:900]!r}"
                )
        return found

    def _talk(self, url: str, data: bytes) -> bytes:
        found = b""
        try:
            with socket.create_connection(("127.0.0.1", port_of(url)), timeout=30) as client:
                client.sendall(data)
                client.shutdown(socket.SHUT_WR)
                while more := client.recv(1 << 16):
                    found += more
        except TimeoutError:
            pytest.fail(f"no end after {found[:300]!r} for {data[:3000]!r}")
        except OSError as error:  # reset or refused by a rule
            self._count(type(error).__name__)
        self._count(found[9:12].decode("latin-1"))
        if b"this server failed" in found:
            pytest.fail(f"a bug answers {data[:3000]!r}")
        return found

    def _count(self, what: str) -> None:
        self.statuses[what] = self.statuses.get(what, 0) + 1

    def admin(self, method: str, path: str, body: bytes = b"") -> bytes:
        """Send one valid request to the admin."""
        host = f"127.0.0.1:{port_of(self.ready.admin_url)}"
        head = (
            f"{method} /__mock__/v1{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n"
            f"Authorization: Bearer {TOKEN}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        return self.admin_asked(head.encode() + body)

    def reset(self) -> None:
        """Load an empty scenario."""
        assert b"HTTP/1.1 200" in self.admin("PUT", "/servers/1/scenario", b"{}")

    def settle(self) -> None:
        """Check that the mock is running and recorded no bug, and search everything it has written."""
        assert _HEALTHY in self.admin("GET", "/health")
        assert b'{"failures":[]}' in self.admin("GET", "/failures")
        journal = self.admin("GET", "/servers/1/journal")
        assert b"ConnectionFailed" not in journal
        self.admin("GET", "/servers/1/scenario")
        self.admin("GET", "/servers/1/rules")
        assert b"HTTP/1.1 " in self.asked(b"GET /v1/me HTTP/1.1\r\nHost: a\r\n\r\n")
        grown = self.peak - self.at_first
        print(f"{grown} KiB more than {self.at_first} KiB; answers: {self.statuses}")  # noqa: T201 - shown when it fails
        assert grown < MOST_GROWTH
        process = self.serving.process
        process.terminate()
        said, failed = process.communicate(timeout=30)
        assert process.returncode == 0
        assert SECRET not in said + failed
        assert TOKEN not in said + failed
        assert "Traceback" not in failed


def port_of(url: str) -> int:
    found = re.search(r":(\d+)", url)
    assert found is not None
    return int(found[1])


def started(starts: Starter, *arguments: str) -> Target:
    serving = starts(*arguments, "--admin-token", TOKEN)
    target = Target(serving, serving.ready())
    target.admin("GET", "/health")
    target.heard(b"GET /v1/me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\n\r\n")
    target.at_first = target.peak
    return target


def shown(target: Target, say: Callable[[bytes], bytes], data: bytes) -> None:
    """Send one request, and name it if the process does not survive it."""
    say(data)
    if target.serving.process.poll() is not None:
        pytest.fail(f"the process died of {data[:3000]!r}")


def test_random_requests_harm_no_process_and_leave_no_secret(
    starts: Starter, seed: str, count: int
) -> None:
    mock = started(starts, "serve")
    proxy = started(starts, "proxy", "--upstream", mock.ready.base_url)
    make = RandomRequests(seed)
    host = f"127.0.0.1:{port_of(mock.ready.admin_url)}"
    for number in range(count):
        where = make.rng.random()
        if number % 100 == 99:
            mock.reset()
        elif where < 0.6:
            shown(mock, mock.asked, make.to_mock())
        elif where < 0.85:
            shown(mock, mock.admin_asked, make.to_admin(host, TOKEN))
        else:
            shown(proxy, proxy.asked, make.to_mock())
    mock.reset()
    proxy.settle()
    mock.settle()


@pytest.mark.thorough
def test_random_bytes_harm_no_process_and_leave_no_secret(
    starts: Starter, seed: str, count: int
) -> None:
    mock = started(starts, "serve")
    proxy = started(starts, "proxy", "--upstream", mock.ready.base_url)
    make = RandomRequests(seed)
    for number in range(max(count // 10, 100)):
        target = proxy if number % 4 == 3 else mock
        shown(target, target.asked, make.bytes_to_mock())
    proxy.settle()
    mock.settle()


@pytest.mark.thorough
def test_a_recording_of_random_requests_holds_no_secret(
    starts: Starter, seed: str, count: int, tmp_path: Path
) -> None:
    out = tmp_path / "recorded.toml"
    mock = started(starts, "serve")
    mock.admin("PUT", "/servers/1/scenario", json.dumps(TELLING).encode())
    record = started(starts, "record", "--upstream", mock.ready.base_url, "--out", str(out))
    make = RandomRequests(seed)
    for _ in range(min(count // 10, 300)):
        shown(record, record.heard, make.to_mock())
    mock.reset()
    record.settle()
    written = out.read_text(encoding="utf-8")
    assert "[[rule]]" in written
    assert SECRET not in written
