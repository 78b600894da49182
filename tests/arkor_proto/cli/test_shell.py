"""However a command ends, the shell gets one line at most and the status that goes with it."""

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from arkor_proto.cli import shell


def raising(error: BaseException) -> Callable[[], int]:
    def act() -> int:
        raise error

    return act


FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
TAKEN = OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), "127.0.0.1:80")


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (shell.CommandError("--port: no"), 2, "--port: no"),
        (shell.CommandError("no package", shell.UNABLE), 3, "no package"),
        (shell.CommandError("two\nlines \x1b"), 2, "two\\nlines \\x1b"),
        (KeyboardInterrupt(), 130, "interrupted by SIGINT"),
        (KeyboardInterrupt(signal.SIGTERM), 143, "interrupted by SIGTERM"),
        (FULL, 3, "cannot write to standard output: No space left on device"),
        (TAKEN, 3, "127.0.0.1:80: Address already in use"),
        (OSError("odd"), 3, "odd"),
    ],
)
def test_an_error_is_a_line_and_a_status(
    capsys: pytest.CaptureFixture[str], error: BaseException, status: int, line: str
) -> None:
    assert shell.run("arkor-x", raising(error)) == status
    assert capsys.readouterr().err == f"arkor-x: {line}\n"


@pytest.mark.parametrize(
    ("error", "status"), [(BrokenPipeError(), 141), (SystemExit(), 0), (SystemExit(4), 4)]
)
def test_an_end_that_needs_no_words_has_none(
    capsys: pytest.CaptureFixture[str], error: BaseException, status: int
) -> None:
    assert shell.run("arkor-x", raising(error)) == status
    assert capsys.readouterr().err == ""


def test_a_bug_is_a_line_that_names_a_file_with_the_traceback(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert shell.run("arkor-x", raising(ZeroDivisionError("by zero\nand more"))) == 3
    (file,) = tmp_path.iterdir()
    line = f"arkor-x: a bug: ZeroDivisionError: by zero; please report it with {file}\n"
    assert capsys.readouterr().err == line
    assert "Traceback" in file.read_text()


def test_a_bug_shows_its_traceback_when_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARKOR_DEBUG", "1")
    assert shell.run("arkor-x", raising(ZeroDivisionError("by zero"))) == 3
    err = capsys.readouterr().err
    assert err.startswith("Traceback")
    assert err.endswith("please report it with the traceback above\n")
