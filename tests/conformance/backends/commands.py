"""Run `arkor-conformance backend` against a small backend, as its user does."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from tests.conformance.backends.small_backend import TOKEN, SmallBackend
from tests.conformance.commandline import ROOT, kit
from tests.forked import Finished

QUICK = ("--patience", "0.2")
"""For what has to wait until the kit gives up."""


def judge(backend: SmallBackend | str, *options: str, token: str = TOKEN) -> Finished:
    """Judge a backend; the token must not be shown."""
    url = backend if isinstance(backend, str) else backend.url
    where = ("--base-url", url) if url else ()
    done = kit("backend", *where, *options, ARKOR_TOKEN=token)
    assert token not in done.out + done.err
    assert "Traceback" not in done.err
    return done


def reports(folder: Path, *names: str) -> list[str]:
    """Return the options that write these reports into a folder."""
    return [word for name in names for word in ("--report", str(folder / name))]


def interrupted(
    number: signal.Signals, when: Callable[[], bool], *words: str, token: str = TOKEN
) -> Finished:
    """Start the command, send it a signal when something has happened; return how it ended."""
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "conformance", "backend", *words],
        cwd=ROOT,
        env={**os.environ, "ARKOR_TOKEN": token, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        until = time.monotonic() + 30
        while not when() and process.poll() is None and time.monotonic() < until:
            time.sleep(0.005)
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert token not in out + err
    assert "Traceback" not in err
    return Finished(process.returncode, out, err)
