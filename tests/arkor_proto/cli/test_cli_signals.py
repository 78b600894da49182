"""Ctrl-C and SIGTERM before a command has begun, and at any moment: it ends at once, with a line."""

import io
import os
import pty
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from arkor_proto import _early_signals
from tests.arkor_proto.blocking.fixtures_blocking import PATIENCE, serving
from tests.arkor_proto.cli.command import environment

# An import that never ends, in the place of a dependency.
HANGS = "import os\nos.write(1, b'importing')\nos.read(0, 1)\n"
SIGNALS = pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)


@contextmanager
def importing(folder: Path, module: str, *command: str) -> Generator[subprocess.Popen[bytes]]:
    """Start a process whose import of `module` hangs, and wait until it does."""
    (folder / f"{module}.py").write_text(HANGS)
    path = os.pathsep.join((str(folder), str(Path.cwd()), *sys.path[1:]))
    with subprocess.Popen(
        [sys.executable, *command],
        env=environment(PYTHONPATH=path),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        try:
            assert process.stdout.read(len("importing")) == b"importing"
            yield process
        finally:
            process.kill()


def script(folder: Path, name: str, entry: str) -> str:
    """Write what an installer makes of an entry point; return its name."""
    module, _, function = entry.partition(":")
    path = folder / name
    path.write_text(f"import sys\nfrom {module} import {function}\nsys.exit({function}())\n")
    return str(path)


@SIGNALS
@pytest.mark.parametrize(
    ("start", "module"),
    [
        (("-m", "arkor_proto"), "attrs"),
        (("arkor-proto", "arkor_proto.cli.main:main"), "attrs"),
        (("arkor-proto", "arkor_proto.cli.main:main"), "h11"),
        (("-m", "mock_server"), "anyio"),
        (("arkor-mock", "arkor_entry:mock"), "anyio"),
        (("-m", "conformance"), "click"),
        (("arkor-conformance", "arkor_entry:conformance"), "click"),
    ],
    ids=str,
)
def test_a_signal_amid_the_imports_ends_the_command_with_a_line(
    tmp_path: Path, number: signal.Signals, code: int, start: tuple[str, str], module: str
) -> None:
    begin = start if start[0] == "-m" else (script(tmp_path, *start),)
    arguments = ("follow", "j", "--base-url", "http://127.0.0.1:1")
    with importing(tmp_path, module, "-P", *begin, *arguments) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (code, b"")
    assert err.decode() == f"interrupted by {number.name}\n"


@pytest.mark.parametrize(
    "module", ["conformance.sweep", "tests.benchmarks.peers", "tests.fuzz", "tests.soak"]
)
def test_ctrl_c_amid_the_imports_of_a_tool_is_a_line_too(tmp_path: Path, module: str) -> None:
    with importing(tmp_path, "attrs", "-P", "-m", module) as process:
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (130, b"")
    assert err.count(b"\n") == 1
    assert b"interrupted" in err


def test_an_import_in_any_other_process_can_be_interrupted_as_usual(tmp_path: Path) -> None:
    with importing(tmp_path, "attrs", "-c", "import arkor_proto", "follow") as process:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE)
    assert b"KeyboardInterrupt" in err
    assert process.returncode != 130


def test_a_signal_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with importing(tmp_path, "attrs", "-m", "arkor_proto", "--version") as process:
            process.send_signal(signal.SIGINT)
            process.terminate()
            process.communicate(timeout=PATIENCE)
    finally:
        signal.signal(signal.SIGINT, before)
    assert process.returncode == 143


# The command as from its first line on: what comes before is the interpreter's own affair.
BEGINS = """
import os, runpy, sys
sys.argv[0] = "arkor-proto"
runpy.run_path(sys.argv.pop(1))
os.write(1, b"begins")
from arkor_proto.cli.main import main
sys.exit(main())
"""


def moments(count: int) -> list[float]:
    """Return so many moments of a command's life, in seconds; always the same ones."""
    source = random.Random(7)  # noqa: S311 - no secret
    return [source.uniform(0, 1) for _ in range(count)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("moment", moments(8))
def test_a_signal_at_any_moment_is_a_line_and_the_status_of_the_signal(
    number: signal.Signals, moment: float
) -> None:
    job, slow = {"id": "j", "submitted": True, "events": 500}, {"rate": 3000}
    ours, theirs = pty.openpty()
    with (
        serving(job=[job], rule=[{"on": {"route": "stream"}, **slow}]) as backend,
        os.fdopen(ours, "rb", buffering=0) as screen,
        subprocess.Popen(
            [sys.executable, "-c", BEGINS, _early_signals.__file__, "follow", "j"],
            env=environment(ARKOR_BASE_URL=backend.base_url, TERM="xterm"),
            stdout=theirs,
            stderr=theirs,
        ) as process,
    ):
        os.close(theirs)
        assert screen.read(len("begins")) == b"begins"
        timer = threading.Timer(moment, process.send_signal, (number,))
        timer.start()
        seen = read_all(screen)
        timer.join()
    assert "Traceback" not in seen
    assert process.returncode == 128 + number, seen
    assert seen.rpartition("\x1b[J")[2].count("interrupted") == 1


def read_all(screen: io.FileIO) -> str:
    """Return all that a terminal is sent from now on."""
    seen = bytearray()
    try:
        while data := screen.read(4096):
            seen += data
    except OSError:  # how a Linux terminal says that everybody has left
        pass
    return seen.decode()
