"""Runs an example as its reader does: a process with arguments and a token in its environment."""

import os
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
EXAMPLES: Final = ROOT / "examples"
TOKEN: Final = "tok-example-secret"
PATIENCE: Final = 60.0
"""Seconds after which a process that hangs is a test that failed."""
_PYTHON: Final = (sys.executable, "-W", "error")


def environment(**more: str) -> dict[str, str]:
    """Return an environment with a token, this checkout, and no proxy on the way to the mock."""
    kept = {name: text for name, text in os.environ.items() if "proxy" not in name.lower()}
    return {**kept, "PYTHONPATH": f"{ROOT}{os.pathsep}{EXAMPLES}", "ARKOR_TOKEN": TOKEN, **more}


def run(example: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run an example to its end; the token is in nothing that it prints."""
    ended = subprocess.run(
        [*_PYTHON, str(EXAMPLES / example), *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert TOKEN not in ended.stdout + ended.stderr
    return ended


@contextmanager
def running(*arguments: str) -> Generator[subprocess.Popen[str]]:
    """Start Python with these arguments; the process is killed if it outlives the block."""
    with subprocess.Popen(
        [*_PYTHON, *arguments], env=environment(), stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()
