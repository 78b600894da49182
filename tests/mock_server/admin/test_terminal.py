"""`arkor-mock serve` and `control` at a terminal, and watched files: processes on a pty."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from attrs import define

COMMAND = [sys.executable, "-m", "mock_server"]
PATIENCE = 20
CUT = """
[[rule]]
on = {route = "stream", attempt = 1}
after = {frames = 2}
end = "rst"
"""
HELD = """
[[job]]
id = "held"
submitted = true
[[rule]]
on = {route = "stream"}
after = {frames = 1}
stall = {gate = "mid"}
"""


@define
class Terminal:
    """A command at a terminal of its own."""

    process: subprocess.Popen[bytes]
    _master: int
    shown: str = ""

    def until(self, wanted: str) -> "re.Match[str]":
        """Read the screen until it matches."""
        end = time.monotonic() + PATIENCE
        while (found := re.search(wanted, self.shown)) is None:
            ready, _, _ = select.select([self._master], [], [], max(0, end - time.monotonic()))
            assert ready, f"{wanted!r} is not on the screen: {self.shown}"
            self._read()
        return found

    def end(self) -> int:
        """Send Ctrl-C, and read what is left; return the exit status."""
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(PATIENCE)
        while select.select([self._master], [], [], 0)[0] and self._read():
            pass
        return status

    def _read(self) -> bool:
        try:
            block = os.read(self._master, 1 << 16)
        except OSError:  # the last process that had it open is gone
            return False
        self.shown += block.decode().replace("\r\n", "\n")
        return True


@contextmanager
def at_a_terminal(*arguments: str) -> Generator[Terminal, None, None]:
    master, slave = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, *arguments], stdin=slave, stdout=slave, stderr=slave
    ) as process:
        os.close(slave)
        try:
            yield Terminal(process, master)
        finally:
            process.kill()
            os.close(master)


def curl_of(line: str) -> tuple[str, bytes | None]:
    """Return the address and the body of a curl command."""
    body = re.search(r"-d '(.*)' ", line)
    return line.rpartition(" ")[2], None if body is None else body[1].encode()


def do(url: str, body: bytes | None = None, token: str = "", method: str | None = None) -> bytes:
    headers = {"Authorization": f"Bearer {token or 't'}"}
    request = urllib.request.Request(url, body, headers, method=method)
    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
        content: bytes = answer.read()
        return content


def written(folder: Path, text: str) -> Path:
    file = folder / "flaky.toml"
    file.write_text(text)
    return file


def test_a_terminal_shows_commands_to_paste_and_a_line_for_each_exchange(tmp_path: Path) -> None:
    with at_a_terminal("serve", str(written(tmp_path, CUT))) as terminal:
        terminal.until("one line for each exchange")
        assert re.search(r"serves \S*flaky.toml \(1 rule\)", terminal.shown)
        create, follow = (curl_of(line) for line in re.findall(r"  curl .*", terminal.shown))
        assert json.loads(do(*create))["job"]["id"] == "job-1"
        with pytest.raises(ConnectionError):
            do(*follow)
        terminal.until(
            r"s  create 1: POST /v1/jobs → 200\n"
            r" +\d\.\d{3} s  rule 1 fired: after 2 frames resets the connection \(RST\)\n"
            r" +\d\.\d{3} s  stream 1: GET /v1/jobs/job-1/events/stream → 200, 2 frames "
            r"\(last id '2'\), the server reset the connection\n"
        )
        assert terminal.end() == 0


def test_a_stream_that_waits_at_a_gate_is_shown_while_it_waits(tmp_path: Path) -> None:
    with at_a_terminal("serve", str(written(tmp_path, HELD))) as terminal:
        follow = curl_of(terminal.until(r"  curl .*stream(?=\n)")[0])
        address = urlsplit(follow[0])
        with ThreadPoolExecutor() as pool:
            followed = pool.submit(do, *follow)
            terminal.until("1 stream waiting at the gate 'mid'; open the gate on the page")
            terminal.until(f"GET {address.path} → 200, 1 frame .*, still open")
            admin = terminal.until(r"admin +(\S+)  \(token (\S+)\)")
            do(f"{admin[1]}/servers/1/gates/mid/open", token=admin[2], method="POST")
            assert followed.result(PATIENCE).count(b"id: ") == 6
        terminal.until(f"GET {address.path} → 200, 6 frames .*, in ")


def test_the_exchanges_of_a_second_server_are_told_apart() -> None:
    with at_a_terminal("serve") as terminal:
        admin = terminal.until(r"admin +(\S+)  \(token (\S+)\)")
        made = json.loads(do(f"{admin[1]}/servers", b"{}", admin[2]))
        do(made["base_url"] + "/v1/me")
        terminal.until(r"server 2 .* me 1: GET /v1/me → 200\n")


def test_a_proxy_says_where_requests_go_and_why_they_failed() -> None:
    with at_a_terminal("proxy", "--upstream", "http://127.0.0.1:9") as terminal:
        terminal.until("forwards requests to http://127.0.0.1:9, without faults\n")
        with pytest.raises(OSError, match="502"):
            do(*curl_of(terminal.until(r"  curl .*/v1/me(?=\n)")[0]))
        terminal.until("me 1: GET /v1/me → 502, the upstream failed: refused\n")


def test_quiet_leaves_the_log_out() -> None:
    with at_a_terminal("serve", "--quiet") as terminal:
        terminal.until("Ctrl-C stops the mock.\n")
        do(*curl_of(terminal.until(r"  curl .*jobs(?=\n)")[0]))
        assert terminal.end() == 0
        assert "create 1" not in terminal.shown


def test_the_address_of_the_page_has_the_token_where_no_server_sees_it() -> None:
    with at_a_terminal("serve", "--admin-token", "a&b#c") as terminal:
        page = urlsplit(terminal.until(r"page +(\S+)")[1])
        assert (page.path, page.query, page.fragment) == ("/__mock__/", "", "token=a%26b%23c")


def test_a_token_that_a_scenario_demands_is_not_shown(tmp_path: Path) -> None:
    text = '[backend]\ntoken = "sesame-street"\n'
    with at_a_terminal("serve", str(written(tmp_path, text))) as terminal:
        terminal.until("(?s)THE_TOKEN_OF_THE_SCENARIO.*THE_TOKEN_OF_THE_SCENARIO.*exchange")
        assert "sesame-street" not in terminal.shown


def test_commands_for_a_backend_with_tenants_name_the_first_project(tmp_path: Path) -> None:
    tenant = '{token = "sesame-street", org = "a&b", projects = ["p"]}'
    with at_a_terminal("serve", str(written(tmp_path, f"[backend]\ntenants = [{tenant}]\n"))) as on:
        on.until(r"(?s)'http://[^']+/v1/jobs\?orgSlug=a%26b&projectSlug=p'.*exchange")
        assert "sesame-street" not in on.shown


def test_the_control_program_says_at_a_terminal_what_it_waits_for() -> None:
    with at_a_terminal("control") as terminal:
        terminal.until(
            'arkor-mock: this command is meant to be driven by a conformance kit, which sends lines such as {"id": 1, '
        )
        assert terminal.end() == 0
        assert terminal.shown.count("\n") == 1


def test_a_watched_scenario_is_loaded_again_when_its_file_changes(tmp_path: Path) -> None:
    file = written(tmp_path, '[[rule]]\non = {route = "me"}\nbody = "first"\n')
    with at_a_terminal("serve", "--watch", str(file)) as terminal:
        base = terminal.until(r"for clients +(\S+)")[1]
        assert do(base + "/v1/me") == b"first"

        file.write_text('[[rule]]\non = {route = "me"}\nbdy = "second"\nother = 1\n')
        mistake = r"arkor-mock: \S*flaky.toml: rule 1: 'bdy' is unknown; .* \(and 1 more mistake;"
        terminal.until(mistake + ".*the old scenario stays active\n")
        assert do(base + "/v1/me") == b"first"

        other = tmp_path / "new"
        other.write_text('[[rule]]\non = {route = "me"}\nbody = "third"\n')
        other.rename(file)
        terminal.until("flaky.toml has changed: loaded it and started over\n")
        assert do(base + "/v1/me") == b"third"


def test_a_watched_file_that_disappears_changes_nothing_until_it_is_back(tmp_path: Path) -> None:
    file = written(tmp_path, '[[rule]]\non = {route = "me"}\nbody = "first"\n')
    with at_a_terminal("serve", "--watch", str(file)) as terminal:
        base = terminal.until(r"for clients +(\S+)")[1]
        file.unlink()
        assert do(base + "/v1/me") == b"first"
        file.write_text("")
        terminal.until("flaky.toml has changed")
        assert json.loads(do(base + "/v1/me")) != b"first"
        assert "the old scenario stays" not in terminal.shown


def test_a_scenario_that_was_broken_and_repaired_does_not_start_over(tmp_path: Path) -> None:
    text = '[[rule]]\non = {route = "me", attempt = 1}\nbody = "first"\n'
    file = written(tmp_path, text)
    with at_a_terminal("serve", "--watch", str(file)) as terminal:
        base = terminal.until(r"for clients +(\S+)")[1]
        assert do(base + "/v1/me") == b"first"
        file.write_text(text + "oops")
        terminal.until("the old scenario stays")
        file.write_text(text)
        terminal.until(
            "flaky.toml is valid again and matches the active scenario; nothing to load\n"
        )
        assert do(base + "/v1/me") != b"first"


def test_a_watch_without_a_scenario_is_refused() -> None:
    done = subprocess.run([*COMMAND, "serve", "--watch"], capture_output=True, check=False)
    assert done.returncode == 2
    assert done.stderr == b"arkor-mock: --watch: needs a scenario; give its file\n"
    assert done.stdout == b""
