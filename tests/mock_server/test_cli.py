"""The `arkor-mock` process, run from outside: its ready line, its end, its messages."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from attrs import define, frozen

from mock_server.__main__ import main

COMMAND = [sys.executable, "-m", "mock_server"]


@frozen
class Ready:
    """The ready line."""

    base_url: str
    admin_url: str
    token: str
    pid: int


@define
class Serving:
    """One `arkor-mock` process."""

    process: subprocess.Popen[str]

    def ready(self) -> Ready:
        """Wait for the ready line."""
        assert self.process.stdout is not None
        return Ready(**json.loads(self.process.stdout.readline()))

    def ended(self) -> int:
        """Wait for the end; return the exit code."""
        return self.process.wait(timeout=20)


@pytest.fixture
def starts() -> Iterator["Starter"]:
    starter = Starter([])
    yield starter
    for process in starter.processes:
        process.kill()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
        process.wait()


@define
class Starter:
    """Starts processes, and stops them after the test."""

    processes: list[subprocess.Popen[str]]

    def __call__(self, *arguments: str) -> Serving:  # noqa: D102 - it starts
        process = subprocess.Popen(
            [*COMMAND, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return Serving(process)


def get(url: str) -> bytes:
    request = urllib.request.Request(url, headers={"Authorization": "Bearer t"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        content: bytes = answer.read()
        return content


def test_the_ready_line_says_where_everything_is(starts: Starter) -> None:
    serving = starts("serve")
    ready = serving.ready()
    assert json.loads(get(ready.admin_url + "/health"))["ok"] is True
    assert b"user-1" in get(ready.base_url + "/v1/me")
    assert ready.pid == serving.process.pid


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_cleanly(starts: Starter, number: signal.Signals) -> None:
    serving = starts("serve")
    serving.ready()
    serving.process.send_signal(number)
    assert serving.ended() == 0


def test_the_end_of_stdin_ends_the_process_when_asked(starts: Starter) -> None:
    serving = starts("serve", "--exit-on-stdin-eof")
    serving.ready()
    assert serving.process.stdin is not None
    serving.process.stdin.close()
    assert serving.ended() == 0


def test_a_lifetime_ends_the_process(starts: Starter) -> None:
    serving = starts("serve", "--max-lifetime", "0.05")
    serving.ready()
    assert serving.ended() == 0


def test_the_admin_ends_the_process(starts: Starter) -> None:
    serving = starts("serve", "--admin-token", "own")
    ready = serving.ready()
    request = urllib.request.Request(
        ready.admin_url + "/shutdown", b"", {"Authorization": "Bearer own"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 202
    assert serving.ended() == 0


def test_a_scenario_file_is_served(starts: Starter, tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text('[[rule]]\non = {route = "me"}\njson = {a = 1}\n')
    assert get(starts("serve", str(path)).ready().base_url + "/v1/me") == b'{"a":1}'


def test_a_port_in_use_is_told(starts: Starter, capsys: pytest.CaptureFixture[str]) -> None:
    port = starts("serve").ready().base_url.rpartition(":")[2]
    assert main(["serve", "--port", port]) == 3
    why = "Address already in use; use port 0 to get a free one"
    assert capsys.readouterr().err == f"arkor-mock: 127.0.0.1:{port}: {why}\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('schema = 1\n[[rule]]\nend = "rst"\n', ["fine, 1 rule"]),
        ("schema = 1\n[[job]]\n[[job]]\n", ["fine, 2 jobs"]),
        ('schema = 1\n[[job]]\n[[rule]]\nend = "rst"\n', ["fine, 1 job and 1 rule"]),
        (
            '[[rule]]\nend = "rst"\n',
            ["fine, 1 rule", "the version is missing; write `schema = 1` at the top"],
        ),
        (
            "",
            [
                "fine, but it scripts nothing; the backend keeps its default behaviour",
                "the version is missing; write `schema = 1` at the top",
            ],
        ),
        ("schema = 1\nseed = 3\n", ["fine, but it has only settings, and no jobs or rules"]),
    ],
)
def test_check_says_what_it_found_and_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, said: list[str]
) -> None:
    path = tmp_path / "s.toml"
    path.write_text(content)
    assert main(["check", str(path)]) == 0
    assert capsys.readouterr().out == "".join(f"{path}: {line}\n" for line in said)


def test_check_of_a_directory_says_that_it_is_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(tmp_path)]) == 1
    expected = f"arkor-mock: {tmp_path}: is a directory; give a .toml or .json file\n"
    assert capsys.readouterr().err == expected


def test_check_names_file_rule_mistake_and_the_nearest_word(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "s.toml"
    path.write_text('[[rule]]\nend = "rst"\n\n[[rule]]\nafterwards = {frames = 1}\n')
    assert main(["check", str(path)]) == 1
    expected = (
        f"arkor-mock: {path}: rule 2: 'afterwards' is unknown; did you mean 'after'? (line 5)\n"
    )
    assert capsys.readouterr().err == expected


def test_explain_says_it_in_plain_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "s.toml"
    path.write_text(
        'seed = 7\n[[job]]\nevents = 3\n[[rule]]\nname = "cut"\n'
        'on = {route = "stream", attempt = 1}\nafter = {frames = 2}\nend = "rst"\n'
    )
    assert main(["explain", str(path)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == (
        "Job 1 is created by a request: emits 3 events as soon as followers are ready and ends with the status completed."
    )
    assert lines[2] == (
        "Rule 1 (cut), for request 1 of stream: "
        "after 2 frames resets the connection (RST). It needs the capabilities frame, raw."
    )


def test_a_mistyped_command_is_told_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["chek", "x.toml"]) == 2
    assert capsys.readouterr().err == (
        "arkor-mock: 'chek' is not a command; did you mean 'check'?\n"
    )


def test_schema_is_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["additionalProperties"] is False


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--host", "192.0.2.1"], "is not a loopback address; add --allow-remote"),
        (["--host", "192.0.2.1", "--allow-remote"], "needs --admin-token with a token of your own"),
        (["--port", "70000"], "--port: '70000' is not a whole number from 0 to 65535"),
        (["--max-lifetime", "0"], "more than 0 seconds"),
    ],
)
def test_bad_usage_is_a_message_and_exit_2(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["serve", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_proxy_stands_before_a_real_backend(starts: Starter, tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text('[[rule]]\non = {route = "me", attempt = 2}\nstatus = 204\n')
    upstream = starts("serve").ready().base_url
    proxy = starts("proxy", "--upstream", upstream, str(path)).ready().base_url
    assert b"user-1" in get(proxy + "/v1/me")
    assert get(proxy + "/v1/me") == b""


def test_record_writes_a_scenario_that_can_be_served(starts: Starter, tmp_path: Path) -> None:
    path = tmp_path / "out.toml"
    upstream = starts("serve").ready().base_url
    recording = starts("record", "--upstream", upstream, "--out", str(path), "--exit-on-stdin-eof")
    get(recording.ready().base_url + "/v1/me")
    assert recording.process.stdin is not None
    recording.process.stdin.close()
    assert recording.ended() == 0
    assert b"user-1" in get(starts("serve", str(path)).ready().base_url + "/v1/me")


@pytest.mark.parametrize("before", [None, "seed = 3\n"])
def test_a_recording_of_nothing_leaves_the_file_as_it_was(
    starts: Starter, tmp_path: Path, before: str | None
) -> None:
    path = tmp_path / "out.toml"
    if before is not None:
        path.write_text(before)
    arguments = ("--upstream", "http://127.0.0.1:1", "--out", str(path), "--max-lifetime", "0.01")
    recording = starts("record", *arguments)
    recording.ready()
    assert recording.ended() == 0
    assert (path.read_text() if path.exists() else None) == before


def test_record_says_how_much_it_wrote_and_where(starts: Starter, tmp_path: Path) -> None:
    path = tmp_path / "out.toml"
    upstream = starts("serve").ready().base_url
    recording = starts("record", "--upstream", upstream, "--out", str(path))
    get(recording.ready().base_url + "/v1/me")
    recording.process.terminate()
    assert recording.ended() == 0
    assert recording.process.stderr is not None
    said = recording.process.stderr.read()
    assert said == f"arkor-mock: recorded 1 exchange, in {path}\n"


@pytest.mark.parametrize(
    ("arguments", "message", "code"),
    [
        (["proxy", "--upstream", "nowhere"], "must be an http:// or https:// URL", 2),
        (["record", "--upstream", "http://a", "--out", "x.json"], "must end in .toml", 2),
        (["record", "--upstream", "http://a", "--out", "/nowhere/x.toml"], "No such file", 2),
    ],
)
def test_a_bad_proxy_is_a_message(
    arguments: list[str], message: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == code
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_process_also_while_stdin_is_open(
    starts: Starter, how: signal.Signals
) -> None:
    serving = starts("serve", "--exit-on-stdin-eof")
    serving.ready()
    serving.process.send_signal(how)
    assert serving.ended() == 0
