"""Ctrl-C and SIGTERM before a command has begun: it ends at once, without a word."""

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.arkor_proto.blocking.fixtures_blocking import PATIENCE
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
def test_a_signal_amid_the_imports_ends_the_command_without_a_word(
    tmp_path: Path, number: signal.Signals, code: int, start: tuple[str, str], module: str
) -> None:
    begin = start if start[0] == "-m" else (script(tmp_path, *start),)
    arguments = ("follow", "j", "--base-url", "http://127.0.0.1:1")
    with importing(tmp_path, module, "-P", *begin, *arguments) as process:
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out, err) == (code, b"", b"")


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
