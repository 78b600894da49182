"""Run the kit as a user does, as a process, and return its output and exit status."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.forked import ROOT, Finished, run_forked

__all__ = ["ROOT", "UNSOUND", "judge", "kit"]

UNSOUND = Path(__file__).parent / "wrong_drivers" / "unsound.py"


def kit(*arguments: str, under: Sequence[str] = (), **variables: str) -> Finished:
    """Run `arkor-conformance` on a wide screen without colours, started by `under` if given."""
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", **variables}
    if not under:
        return run_forked("arkor-conformance", arguments, environment)
    done = subprocess.run(
        [*under, sys.executable, "-m", "conformance", *arguments],
        capture_output=True,
        cwd=ROOT,
        env=environment,
        text=True,
        timeout=240,
        check=False,
    )
    return Finished(done.returncode, done.stdout, done.stderr)


def judge(fault: str, *arguments: str) -> Finished:
    """Judge the unsound driver, with one of its faults, by one small case."""
    case = ("--case", "create.start-opens-no-stream", "--profile", "2026-05", "--patience", "1")
    return kit("run", *case, *arguments, "--", sys.executable, str(UNSOUND), fault)
