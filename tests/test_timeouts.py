"""No test can hang a run: each has a time limit, and `nohup pytest` ends what it starts."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.forked import Finished
from tests.thoroughness import LONG

ROOT = Path(__file__).parent.parent
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly")
HANGS = """
import signal, threading
import pytest

@pytest.fixture
def stuck():
    yield
    threading.Event().wait()

def test_it(stuck): pass
"""
ENDS = """
import signal, subprocess, sys
import pytest

@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_a_signal_ends_a_process(number):
    program = f"import os; os.kill(os.getpid(), {number})"
    assert subprocess.call([sys.executable, "-c", program]) == -number
"""


def test_a_timer_runs_while_a_test_does() -> None:
    left, _ = signal.getitimer(signal.ITIMER_REAL)
    assert left > 0


def test_no_test_has_taken_its_time_limit_off(request: pytest.FixtureRequest) -> None:
    config = request.config
    most = float(LONG)
    limits = [
        float(*marker.args, **marker.kwargs)
        for item in request.session.items
        if (marker := item.get_closest_marker("timeout")) is not None
    ]
    assert 0 < float(config.getini("timeout")) <= most
    assert float(config.getini("faulthandler_timeout")) > most
    assert config.getini("faulthandler_exit_on_timeout") is True
    assert [each for each in limits if not 0 < each <= most] == []


def inner(folder: Path, test: str, *options: str, before: str = ":") -> Finished:
    """Run a test file of its own, after this command of a shell."""
    (folder / "test_inner.py").write_text(test)
    done = subprocess.run(
        ["/bin/sh", "-c", f'{before}; exec "$@"', "sh", *PYTEST, *options, str(folder)],
        cwd=ROOT,
        env={**os.environ, "PYTEST_ADDOPTS": "", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def test_what_a_test_starts_can_be_interrupted_though_nohup_started_the_tests(
    tmp_path: Path,
) -> None:
    done = inner(tmp_path, ENDS, "-p", "tests.conftest", before='trap "" INT HUP')
    assert (done.status, "2 passed" in done.out) == (0, True), done.out


def test_a_test_that_hangs_in_spite_of_its_limit_ends_the_run(tmp_path: Path) -> None:
    limits = ("timeout=0", "faulthandler_timeout=1", "faulthandler_exit_on_timeout=true")
    done = inner(tmp_path, HANGS, *(part for each in limits for part in ("-o", each)))
    assert done.status != 0
    assert "in stuck" in done.err
