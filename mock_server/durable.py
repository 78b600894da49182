"""Files that survive when the process is killed: append-only, or written whole and then renamed.

The kernel has the data before `add` returns, so a killed process loses nothing. A full disk never
stops the process: what does not fit is kept in memory and tried again.
"""

import fcntl
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from attrs import define, field

_OWNER_ONLY: Final = 0o600
_KINDS: Final = (
    (stat.S_ISLNK, "is a symbolic link"),
    (stat.S_ISDIR, "is a directory"),
    (stat.S_ISFIFO, "is a named pipe"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
    (stat.S_ISSOCK, "is a socket"),
)


class OddFile(Exception):
    """A path is not a regular file; the message says what it is."""


def reason_of(error: OSError | ValueError) -> str:
    """Return the text of a system error without its number and path."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def one_line(text: str) -> str:
    """Escape everything in a text that a terminal would interpret instead of showing."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def say(line: str) -> None:
    """Write one line to stderr, unless stderr is closed."""
    with suppress(OSError, ValueError):  # closed: there is nowhere to report that
        sys.stderr.write(f"arkor-mock: {one_line(line)}\n")
        sys.stderr.flush()


def kind_of_file(path: Path) -> str | None:
    """Describe a path that exists but is not a regular file, for example `is a directory`.

    None for a regular file and for a path that does not exist. Raises OSError.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    return _kind_of(mode)


def _kind_of(mode: int) -> str | None:
    return next((says for is_kind, says in _KINDS if is_kind(mode)), None)


def read_regular(path: Path, most: int) -> bytes:
    """Read a regular file of at most `most` bytes; raises OddFile and OSError.

    Follows symbolic links. Never waits for a named pipe or a device.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if (odd := _kind_of(os.fstat(descriptor).st_mode)) is not None:
        os.close(descriptor)
        raise OddFile(odd)
    with os.fdopen(descriptor, "rb") as opened:
        content: bytes | None = opened.read(most + 1)
    if content is None:  # a kernel file that has nothing to read yet
        raise OddFile("is a file with nothing to read yet")
    if len(content) > most:
        raise OddFile(f"is larger than {most >> 20} MiB")
    return content


@define(eq=False)
class AppendOnly:
    """A file that only grows; `add` never raises, even when the disk is full."""

    path: Path
    _descriptor: int
    _waiting: bytearray = field(factory=bytearray, init=False)
    _told: bool = field(default=False, init=False)
    _tell: Callable[[str], None] = say

    @classmethod
    def create(cls, path: Path) -> Self:
        """Create a new file that only its owner can read, and lock it; raises OSError."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, _OWNER_ONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return cls(path, descriptor)

    def add(self, data: bytes) -> None:
        """Append; what does not fit is kept for the next call and reported the first time."""
        self._waiting += data
        error = self._write()
        if error is not None and not self._told:
            self._told = True
            self._tell(
                f"{self.path}: {reason_of(error)}; the proxy keeps running and holds the recording "
                "in memory until it can be written"
            )

    def _write(self) -> OSError | None:
        try:
            while self._waiting:
                del self._waiting[: os.write(self._descriptor, self._waiting)]
        except OSError as error:
            return error
        return None

    @property
    def is_whole(self) -> bool:
        """Whether everything that was added is in the file; tries to write it first."""
        return self._write() is None

    def close(self, *, remove: bool = False) -> None:
        """Close the file, and remove it if asked to; a second call does nothing."""
        if self._descriptor >= 0:
            if remove:
                self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1


def write_whole(path: Path, text: str) -> None:
    """Write a file to the disk and then rename it into place; raises OSError.

    Only its owner can read it. If this fails or is killed, the old file is untouched.
    """
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)  # left over from a killed process
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(descriptor)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)  # the new name has to survive a power failure too
    finally:
        os.close(directory)


def is_locked(path: Path) -> bool:
    """Return whether a process is still writing an `AppendOnly` file; raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
