"""Followers on Locust, distributed over a master and two workers, on loopback."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Generator
from importlib.util import find_spec
from pathlib import Path

import pytest

from mock_server import scenario_from_file
from mock_server.testing.sync import SyncMock, mock_in_thread
from tests.forked import ROOT

# To import it here would patch the sockets of all tests.
pytestmark = pytest.mark.skipif(find_spec("locust") is None, reason="needs the load extra")
LOAD = ROOT / "conformance" / "load"
SUMMARY = re.compile(r"arkor: (\d+) jobs, (\d+) frames \((\d+)/s\), (\d+) lost, (\d+) duplicated")
SECONDS = "5"


@pytest.fixture
def backend() -> Generator[SyncMock]:
    """Serve jobs whose streams break, as the guide says."""
    with mock_in_thread(scenario_from_file(LOAD / "faults.toml")) as mock:
        yield mock


def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def locust(*arguments: str, **variables: str) -> "subprocess.Popen[str]":
    """Start Locust with the locustfile of the kit."""
    command = [sys.executable, "-m", "locust", "-f", str(LOAD / "locustfile.py"), *arguments]
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "ARKOR_SEED": "1", **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def counted(output: str) -> tuple[int, int, int, int]:
    """Return jobs, frames, lost and duplicated of the summary."""
    found = SUMMARY.search(output)
    assert found is not None, output
    jobs, frames, _, lost, duplicated = map(int, found.groups())
    return jobs, frames, lost, duplicated


def test_the_module_tells_where_the_locustfile_is() -> None:
    told = subprocess.check_output([sys.executable, "-m", "conformance.load"], text=True, cwd=ROOT)
    assert Path(told.strip()) == LOAD / "locustfile.py"


@pytest.mark.timeout(120)
def test_a_master_and_two_workers_follow_jobs_whose_streams_break() -> None:
    """Nothing is lost and nothing comes twice, although streams are cut and refused.

    No host is given: the target is the mock, which the master starts, and whose address it tells.
    """
    port = str(free_port())
    master = locust(
        *("--master", "--headless", "--expect-workers", "2", "--master-bind-host", "127.0.0.1"),
        *("--master-bind-port", port, "-u", "10", "-r", "10", "-t", f"{SECONDS}s"),
    )
    at = ("--worker", "--master-host", "127.0.0.1", "--master-port", port)
    workers = [locust(*at), locust(*at)]
    output, _ = master.communicate(timeout=100)
    told = [worker.communicate(timeout=30)[0] for worker in workers]
    assert master.returncode == 0, output + "\n".join(told)
    jobs, frames, lost, duplicated = counted(output)
    assert (lost, duplicated) == (0, 0)
    assert jobs >= 5
    assert frames > jobs
    names = ("create", "first frame", "resume gap", "wait", "log", "lost", "duplicated")
    assert [name for name in names if not re.search(rf"arkor +{name} ", output)] == []
    assert "Traceback" not in output
    mock = re.search(r"the target is arkor-mock at http://127.0.0.1:(\d+)", output)
    assert mock is not None, output
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", int(mock[1]))) != 0, "the mock was not ended"


@pytest.mark.timeout(60)
def test_a_share_that_is_not_one_is_refused(backend: SyncMock) -> None:
    found = locust(
        "--headless", "-u", "1", "-t", "1s", "--host", backend.base_url, ARKOR_CANCEL="2"
    )
    output, _ = found.communicate(timeout=50)
    assert "ARKOR_CANCEL: 2 is not a number from 0 to 1" in output
    assert "Traceback" not in output
    assert found.returncode != 0
