"""The behaviour that our commands share: their streams, messages and exit statuses.

`arkor-proto`, `arkor-mock` and `arkor-conformance` all run inside `run`, so that the same problem
has the same exit status in each of them, and users never see a traceback:

    0     the command did what was asked, and the result is good
    1     the command did what was asked, and the result is bad; nothing else has this status
    2     the command line, or a file that it names, is wrong; nothing was done (if a file is
          wrong, `arkor-conformance` uses 3)
    3     the command failed, or something that it needs did: a port, a backend, the output, a
          package
    128+n a signal ended it: 130 Ctrl-C, 143 SIGTERM, 141 a closed pipe
"""

import contextlib
import errno
import io
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Final, TextIO

from arkor_proto._text import printable

OK: Final = 0
BAD: Final = 1
USAGE: Final = 2
UNABLE: Final = 3

_DEBUG: Final = "ARKOR_DEBUG"
"""If this variable is set, the traceback of a bug is printed instead of being saved to a file."""
_LONGEST: Final = 200
_SIGPIPE: Final = 13  # as a number, because Windows has no such signal
_WRITING: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF, errno.EAGAIN}
)


class CommandError(Exception):
    """Ends a command with a message and an exit status, USAGE unless another is given."""

    def __init__(self, message: str, status: int = USAGE) -> None:
        super().__init__(message)
        self.status = status


def run(name: str, act: Callable[[], int]) -> int:
    """Run the command `name`; return the exit status of `act`, or that of the error that ended it."""
    if not _prepare():
        _complain(name, "standard output is closed; redirect it to a file or to /dev/null")
        return UNABLE
    status = _status(name, act)
    for stream in (sys.stdout, sys.stderr):
        # Without this, output that cannot be written would fail at exit and change the status.
        try:
            stream.flush()
        except (OSError, ValueError):
            _abandon(stream)
    return status


def _status(name: str, act: Callable[[], int]) -> int:
    try:
        status = _ended(act)
        sys.stdout.flush()
    except CommandError as error:
        _complain(name, str(error))
        return error.status
    except KeyboardInterrupt as error:
        number = signal_of(error)
        _complain(name, f"interrupted by {number.name}")
        return 128 + number
    except BrokenPipeError:  # a reader that has seen enough, such as `| head`
        _abandon(sys.stdout)
        return 128 + _SIGPIPE
    except OSError as error:
        _complain(name, told(error))
        return UNABLE
    except Exception as error:  # noqa: BLE001 - Python would exit with status 1
        _complain(name, _bug(error))
        return UNABLE
    return status


def _ended(act: Callable[[], int]) -> int:
    try:
        return act()
    except SystemExit as ended:  # how argparse ends after --help and --version
        return ended.code if isinstance(ended.code, int) else OK


def interrupt(number: int, _: FrameType | None) -> None:
    """Handle a signal by raising a KeyboardInterrupt that records which signal it was."""
    raise KeyboardInterrupt(signal.Signals(number))


def signal_of(error: KeyboardInterrupt) -> signal.Signals:
    """Return the signal that caused `error`, or SIGINT if `error` does not record one."""
    number: object = error.args[0] if error.args else None
    return number if isinstance(number, signal.Signals) else signal.SIGINT


def told(error: OSError) -> str:
    """Return a message about a system error; it begins with the file name if there is one."""
    why = error.strerror or str(error)
    if error.filename is not None:
        return f"{error.filename}: {why}"
    return f"cannot write to standard output: {why}" if error.errno in _WRITING else why


def _prepare() -> bool:
    """Make the standard streams safe to use; return whether standard output was open.

    Replace a closed stream with the null device, because otherwise the next file or socket that is
    opened would get its descriptor. Escape characters that the encoding lacks.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # gets the lowest free number, which is this one
    there = _is_open(sys.stdout)
    if not _is_open(sys.stderr):
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - open until exit
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    return there


def _is_open(stream: object) -> bool:
    return stream is not None


def _complain(name: str, text: str) -> None:
    """Print a line to standard error; ignore a failure, because there is nowhere to report it."""
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(f"{name}: {printable(text)}\n")
        sys.stderr.flush()


def _abandon(stream: TextIO) -> None:
    """Discard the output that is still in the buffer of `stream`."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        stream.flush()


def _bug(error: Exception) -> str:
    """Return a message that reports a bug in the command; save or print the traceback."""
    text = "".join(traceback.format_exception(error))
    first = str(error).partition("\n")[0][:_LONGEST]
    what = f"a bug: {type(error).__name__}: {first}; please report it"
    if os.environ.get(_DEBUG):
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(text)
        return f"{what} with the traceback above"
    try:
        number, name = tempfile.mkstemp(prefix="arkor-", suffix=".txt")
        os.close(number)
        Path(name).write_text(text, "utf-8", errors="backslashreplace")
    except OSError:
        return f"{what} (set {_DEBUG}=1 to see the traceback)"
    return f"{what} with {name}"
