"""A sweep on Dask loses nothing, although a worker is killed in the middle."""

import os
import re
import signal
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.conformance.commandline import ROOT

NEEDED = pytest.mark.skipif(find_spec("distributed") is None, reason="needs the sweep extra")
LACKING = pytest.mark.skipif(find_spec("distributed") is not None, reason="has the sweep extra")


def sweep(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `python -m conformance.sweep`."""
    return subprocess.run(
        [sys.executable, "-m", "conformance.sweep", *arguments],
        capture_output=True,
        cwd=ROOT,
        text=True,
        timeout=100,
        check=False,
    )


@NEEDED
@pytest.mark.timeout(120)
def test_a_sweep_whose_worker_is_killed_has_every_row_once_and_right(tmp_path: Path) -> None:
    from distributed import Client, LocalCluster  # noqa: PLC0415 - an extra

    from conformance.sweep.sweep import (  # noqa: PLC0415
        Sweep,
        missing_or_duplicated,
        row,
        swept,
    )

    tasks = Sweep(clients=200, outages=(0.0, 30.0), seeds=2).tasks()
    killed: list[tuple[int, int]] = []

    def kill(count: int) -> None:
        if count == len(tasks) // 3:
            address, pid = min(client.run(os.getpid).items())
            killed.append((pid, len(client.processing()[address])))
            os.kill(pid, signal.SIGKILL)

    with (
        LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=None,
            silence_logs=100,
            local_directory=str(tmp_path),
        ) as cluster,
        Client(cluster) as client,
    ):
        rows = swept(client, tasks, kill)
        now = set(client.run(os.getpid).values())
    ((pid, running),) = killed
    assert running > 0
    assert pid not in now
    assert len(rows) == len(tasks) == 20
    assert missing_or_duplicated(tasks, rows) == (0, 0)
    assert rows == [row(task) for task in tasks]


@NEEDED
def test_a_row_that_is_missing_or_duplicated_is_counted() -> None:
    from conformance.sweep.sweep import Sweep, missing_or_duplicated, row  # noqa: PLC0415

    tasks = Sweep(clients=5, outages=(0.0,), seeds=1, strategies=("none", "full")).tasks()
    rows = [row(task) for task in tasks]
    assert missing_or_duplicated(tasks, rows) == (0, 0)
    assert missing_or_duplicated(tasks, [rows[0], rows[0]]) == (1, 1)


@NEEDED
@pytest.mark.timeout(120)
def test_the_command_kills_a_worker_and_compares_with_a_serial_run(tmp_path: Path) -> None:
    where = tmp_path / "rows.json"
    found = sweep(
        *("--clients", "50", "--outages", "0", "5", "--seeds", "1", "--kill-one", "--check"),
        *("--json", str(where)),
    )
    assert (found.returncode, found.stderr) == (0, "")
    assert re.search(
        r"sweep: 10 fleets of 50 clients on 2 workers, one killed, [\d.]+ s: "
        r"0 rows missing, 0 duplicated, 0 different from a serial run",
        found.stdout,
    )
    assert where.read_text("utf-8").count('"strategy"') == 10


@NEEDED
@pytest.mark.parametrize(
    ("words", "said", "status"),
    [
        (["--clients", "0"], "--clients: '0' is not a whole number", 2),
        (["--outages", "soon"], "--outages: 'soon' is not a number of seconds", 2),
        (
            ["--kill-one", "--scheduler", "tcp://x:1"],
            "--kill-one: kills only a worker that this command started",
            2,
        ),
        (["--json", "."], "exists but is not a file", 3),
        (["--scheduler", "nowhere"], "--scheduler: no scheduler answers at nowhere", 3),
    ],
)
def test_what_is_wrong_is_told_in_one_line(words: list[str], said: str, status: int) -> None:
    found = sweep(*words)
    assert (found.returncode, said in found.stderr) == (status, True), found.stderr
    assert len(found.stderr.splitlines()) == 1


@LACKING
def test_without_the_extra_it_says_what_to_install() -> None:
    found = sweep()
    assert (found.returncode, found.stdout) == (3, "")
    assert found.stderr.endswith("distributed is not installed; pip install 'arkor-proto[sweep]'\n")
