r"""The kit's own standard streams: what is printed is escaped where it must be, and never lost.

A client can say anything: a control byte of it, or what a reader cannot see, is spelled out here, so
that no command has to think of it (`terminal.Screen` does the same for what rich lays out). A
terminal may know nothing but ASCII: what cannot be encoded is spelled out as well (`\u2026`). Output
that cannot be written is an error of its own: exit status 3.
"""

import contextlib
import errno
import io
import os
import sys
from typing import Final

from conformance.plain import visible

_WRITING: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF, errno.EAGAIN}
)


def say(text: str = "", *, err: bool = False) -> None:
    """Print a line on standard output, or on standard error; raises OSError if it cannot."""
    print(visible(text), file=sys.stderr if err else sys.stdout, flush=True)


def complain(text: str) -> None:
    """Print a line on standard error if possible: it is the last that can be said."""
    with contextlib.suppress(OSError):
        say(text, err=True)


def prepare() -> bool:
    """Make the standard streams safe to use; return whether there is a standard output.

    A stream that is closed would give its number to the next file or socket that is opened.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
    there = _is_open(sys.stdout)
    if not _is_open(sys.stderr):
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115 - to the end
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    return there


def _is_open(stream: object) -> bool:
    return stream is not None


def abandon_output() -> None:
    """Let what is still buffered go nowhere, so that the end of the process does not fail by it."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.stdout.flush()


def told(error: OSError) -> str:
    """Say what the system refused."""
    if error.filename is None and error.errno in _WRITING:
        return f"standard output cannot be written: {error.strerror}"
    return str(error)
