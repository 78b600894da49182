"""Processes that a test has to do with: whether one still runs, and some that keep the machine busy."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


def alive(pid: int) -> bool:
    """Return whether a process runs; one that only waits to be reaped does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in {"Z", "X"}


@contextmanager
def hogs(count: int) -> Generator[None]:
    """Keep the machine busy with processes that only use the processor."""
    burn = (sys.executable, "-c", "while True: pass")
    burning = [subprocess.Popen(burn) for _ in range(count)]
    try:
        yield
    finally:
        for each in burning:
            each.kill()
            each.wait()
