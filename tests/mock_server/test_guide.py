"""Run the code of the guide exactly as it is printed."""

import http.client
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

import mock_server
from mock_server import scenario_from_dict
from mock_server.__main__ import main
from mock_server.testing.sync import mock_in_thread
from tests.mock_server.mitm.mitmdump import needs_mitmproxy
from tests.mock_server.testing.test_pytest_plugin import OPTIONS

pytest_plugins = ["pytester"]

GUIDE = (Path(mock_server.__file__).parent / "GUIDE.md").read_text()
BLOCK = re.compile(r"^```(\w+)\n(?:#|//) (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILES = {name: content for _, name, content in BLOCK.findall(GUIDE)}


def written(name: str, directory: Path) -> Path:
    path = directory / name
    path.write_text(FILES[name])
    return path


def test_the_scenario_of_the_guide_is_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", str(written("flaky.toml", tmp_path))]) == 0
    assert "2 rules" in capsys.readouterr().out


def test_the_pytest_example_passes(pytester: pytest.Pytester) -> None:
    written("flaky.toml", pytester.path)
    written("test_flaky.py", pytester.path)
    written("test_handoff.py", pytester.path)
    pytester.runpytest_subprocess(*OPTIONS, "-W", "error").assert_outcomes(passed=4)


def test_the_example_with_a_dead_address_connects(tmp_path: Path) -> None:
    root = str(Path(mock_server.__file__).parents[1])
    ended = subprocess.run(
        [sys.executable, "-W", "error", str(written("resolving.py", tmp_path))],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node on this machine")
def test_the_node_example_drives_the_process_over_http_only(tmp_path: Path) -> None:
    node = shutil.which("node") or ""
    script = written("drive.mjs", tmp_path)
    ended = subprocess.run(
        [node, str(script), sys.executable],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(mock_server.__file__).parents[1],
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert found["cut"] == "TypeError"
    assert "training.completed" in found["resumed"]
    assert found["verdict"] == {"status": 200, "body": {"ok": True}}


def test_the_python_example_drives_the_process_over_http_only(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "error", str(written("drive.py", tmp_path))],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.stderr == ""
    assert ended.stdout == "503 200 409 ['me(): expected exactly 3, got 2']\n"


def test_the_example_of_a_controlled_process_makes_a_job_end(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "error", str(written("control.py", tmp_path))],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        cwd=Path(mock_server.__file__).parents[1],
    )
    assert ended.stderr == ""
    assert ended.stdout == "{'ids': ['1', '2']} {'id': '3'}\n"


COMMANDS = re.findall(r"^((?:arkor-mock|mitmdump) .+)$", GUIDE, re.MULTILINE)
PATH = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])


def command_of_the_guide(words: str) -> str:
    """Return the one line of the guide that begins like this."""
    (found,) = [line for line in COMMANDS if line.startswith(words)]
    return str(found)


@contextmanager
def running(line: str, upstream: str, home: Path) -> Generator[subprocess.Popen[str], None, None]:
    """Run a line of the guide as a shell does, with an upstream on the loopback."""
    line = line.replace("https://api.example.com", upstream).replace(":8080", ":0")
    with subprocess.Popen(  # noqa: S602 - a line of the guide
        f"exec {line}",
        shell=True,
        cwd=home,
        env={**os.environ, "PATH": PATH, "HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.wait(30)


def port_of(process: subprocess.Popen[str]) -> int:
    """Read where it listens, from a ready line or from the output of mitmdump."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("{"):
            return int(json.loads(line)["base_url"].rpartition(":")[2])
        if "listening at" in line:
            return int(line.strip().rstrip(".").rpartition(":")[2])
    raise AssertionError("it ended before it listened")


def follow_once(port: int) -> tuple[int, bytes]:
    """Open the stream of the first job; return status 0 for a connection that was cut."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        client.request("GET", "/v1/jobs/job-1/events/stream", headers={"Authorization": "Bearer t"})
        answer = client.getresponse()
        return answer.status, answer.read()
    except (ConnectionError, http.client.IncompleteRead):
        return 0, b""
    finally:
        client.close()


@pytest.mark.parametrize(
    "words",
    ["arkor-mock proxy", pytest.param("mitmdump", marks=[needs_mitmproxy, pytest.mark.thorough])],
)
def test_a_scenario_of_the_guide_acts_in_front_of_a_real_backend(
    words: str, tmp_path: Path
) -> None:
    written("flaky.toml", tmp_path)
    with mock_in_thread(scenario_from_dict({"job": [{"id": "job-1", "submitted": True}]})) as real:
        with running(command_of_the_guide(words), real.base_url, tmp_path) as process:
            port = port_of(process)
            statuses = [follow_once(port)[0] for _ in range(3)]
        assert statuses == [0, 503, 200]
        real.verify.stream().at_least(2)


def test_what_the_guide_records_it_replays(tmp_path: Path) -> None:
    with mock_in_thread(scenario_from_dict({"job": [{"id": "job-1", "submitted": True}]})) as real:
        line = command_of_the_guide("arkor-mock record")
        with running(line, real.base_url, tmp_path) as process:
            heard = follow_once(port_of(process))
    assert heard[0] == 200
    with running(command_of_the_guide("arkor-mock serve rec"), "", tmp_path) as process:
        assert follow_once(port_of(process)) == heard


def test_every_command_of_the_guide_exists() -> None:
    for command in re.findall(r"arkor-mock (\w[\w-]*)", GUIDE):
        assert main([command, "--help"]) == 0
