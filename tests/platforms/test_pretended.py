"""The three commands, the clients and the mock on Linux without what other platforms lack.

Not the same as running there, but it finds every call that only Linux has.
"""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.arkor_proto.blocking.fixtures_blocking import serving

ROOT: Final = Path(__file__).parents[2]
PRETENDING: Final = Path(__file__).parent / "pretending"
TIMEOUT: Final = 60


@pytest.fixture(params=["win32", "darwin"])
def platform(request: pytest.FixtureRequest) -> str:
    """Return the platform to pretend."""
    found: str = request.param
    return found


def environment(platform: str) -> dict[str, str]:
    """Return an environment in which Python pretends to be on a platform."""
    return {
        **os.environ,
        "ARKOR_PRETEND": platform,
        "ARKOR_TOKEN": "t",
        "PYTHONPATH": f"{PRETENDING}{os.pathsep}{ROOT}",
    }


def run(platform: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run Python to its end."""
    return subprocess.run(
        [sys.executable, "-P", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=environment(platform),
        timeout=TIMEOUT,
    )


def test_it_does_pretend(platform: str) -> None:
    plan = "import sys, socket; print(sys.platform, hasattr(socket, 'TCP_INFO'))"
    assert run(platform, "-c", plan).stdout == f"{platform} False\n"
    plan = "import fcntl, os; os.killpg"
    assert (run(platform, "-c", plan).returncode == 0) is (platform == "darwin")


def test_the_core_the_blocking_client_and_the_mock_work(platform: str, tmp_path: Path) -> None:
    done = run(platform, "-W", "error", "-m", "tests.platforms.journey", str(tmp_path))
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


def test_the_command_line_follows_a_job(platform: str) -> None:
    with serving(job=[{"id": "job-1", "submitted": True}]) as mock:
        done = run(platform, "-m", "arkor_proto", "follow", "job-1", "--base-url", mock.base_url)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr
    assert "completed" in done.stdout


def test_the_demonstration_runs(platform: str) -> None:
    done = run(platform, "-m", "arkor_proto", "demo")
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done.stderr


@pytest.mark.parametrize("driver", ["reference", "blocking"])
def test_the_kit_judges_a_client(platform: str, driver: str) -> None:
    own = (sys.executable, "-P", "-m", f"conformance.drivers.python.{driver}")
    words = ["--filter", "create.accepted*", "--filter", "budget.*", "--profile", "2026-05"]
    done = run(platform, "-m", "conformance", "run", *words, "--", *own)
    assert (done.returncode, "Traceback" in done.stderr) == (0, False), done
    assert "conforms in the" in done.stdout


def test_the_drivers_of_diff_may_have_backslashes_in_their_paths_on_windows(platform: str) -> None:
    words = ("--schedules", "1", "--patience", "1", r"C:\none\driver.exe", "x")
    done = run(platform, "-m", "conformance", "diff", *words)
    assert done.returncode == 3
    path = r"C:\none\driver.exe" if platform == "win32" else "C:nonedriver.exe"
    assert f"the left driver ({path}): {path}: no such program" in done.stderr


def test_the_kit_ends_a_driver_that_does_not_read(platform: str) -> None:
    deaf = "import time; print('{}', flush=True); time.sleep(600)"
    words = ("--case", "create.accepted", "--patience", "0.1")
    done = run(platform, "-m", "conformance", "run", *words, "--", sys.executable, "-c", deaf)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_mock_serves_until_a_signal(platform: str, number: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "mock_server", "serve"],
        env=environment(platform),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as server:
        assert server.stdout is not None
        assert json.loads(server.stdout.readline())["base_url"].startswith("http://127.0.0.1:")
        server.send_signal(number)
        _, err = server.communicate(timeout=TIMEOUT)
    assert (server.returncode, err) == (0, b"")


def test_the_mock_says_which_fault_is_impossible(platform: str, tmp_path: Path) -> None:
    scenario = tmp_path / "a.toml"
    scenario.write_text('[[rule]]\non = {attempt = 1}\nlistener = "blackhole"\n', "utf-8")
    done = run(platform, "-m", "mock_server", "serve", str(scenario))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "arkor-mock: rule 1: 'listener = blackhole' needs the full_queue capability; "
        f"the mock carrier lacks it on {platform}\n"
    )
