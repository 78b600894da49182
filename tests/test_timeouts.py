"""No test can hang a run: each has a time limit, also where SIGINT is ignored."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.thoroughness import LONG

ROOT = Path(__file__).parent.parent
INTERRUPTING = (
    "tests/arkor_proto/cli/test_cli_signals.py"
    "::test_an_import_in_any_other_process_can_be_interrupted_as_usual"
)
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly")
ALONE = {**os.environ, "PYTEST_ADDOPTS": ""}
HANGS = """
import signal, threading
import pytest

@pytest.fixture
def stuck():
    yield
    threading.Event().wait()

def test_it(stuck): pass
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


def test_a_run_whose_sigint_is_ignored_ends_what_it_interrupts() -> None:
    """As under `nohup`: a process that a test starts and interrupts must not inherit that."""
    done = subprocess.run(  # noqa: S603 - our own tests
        ["/bin/sh", "-c", 'trap "" INT; exec "$@"', "sh", *PYTEST, INTERRUPTING],
        cwd=ROOT,
        env=ALONE,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done.stdout


def test_a_test_that_hangs_in_spite_of_its_limit_ends_the_run(tmp_path: Path) -> None:
    (tmp_path / "test_hangs.py").write_text(HANGS)
    limits = ("timeout=0", "faulthandler_timeout=1", "faulthandler_exit_on_timeout=true")
    done = subprocess.run(  # noqa: S603 - our own tests
        [*PYTEST, *(part for each in limits for part in ("-o", each)), str(tmp_path)],
        cwd=tmp_path,
        env=ALONE,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode != 0
    assert "in stuck" in done.stderr
