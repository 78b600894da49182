"""Files that survive what ends a process: written as things happen, or whole and then renamed.

What is appended is with the kernel before `add` returns, so that a killed process loses nothing.
A full disk never stops the process: what does not fit waits in memory for the next attempt.
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
    """A path does not name what it should; the message says what it names."""


def reason_of(error: OSError | ValueError) -> str:
    """Return what an error of the system says, without its number and its path."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def one_line(text: str) -> str:
    """Return a text with everything escaped that a terminal would not just show."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape").decode() for each in text
    )


def say(line: str) -> None:
    """Write one line to stderr, if there is a reader."""
    with suppress(OSError, ValueError):  # closed: then there is no place to say that either
        sys.stderr.write(f"arkor-mock: {one_line(line)}\n")
        sys.stderr.flush()


def kind_of_file(path: Path) -> str | None:
    """Say what a path is if it is there and no regular file, such as `is a directory`.

    None for a regular file and for nothing at all. Raises OSError.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    return next((says for is_kind, says in _KINDS if is_kind(mode)), None)


def check_regular(path: Path) -> None:
    """Refuse a path that leads to no regular file; raises OddFile and OSError.

    A symbolic link is followed.
    """
    _check_mode(path.stat().st_mode)


def _check_mode(mode: int) -> None:
    odd = next((says for is_kind, says in _KINDS if is_kind(mode)), None)
    if odd is not None:
        raise OddFile(odd)


def read_regular(path: Path, most: int) -> bytes:
    """Read a file of at most `most` bytes; raises OddFile for what is none, and OSError.

    A symbolic link is followed. A named pipe or a device is not waited for.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _check_mode(os.fstat(descriptor).st_mode)
    except OddFile:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as opened:
        found: bytes | None = opened.read(most + 1)
    if found is None:  # a file of the kernel's that would have to be waited for
        raise OddFile("is a file that has to be waited for")
    content = found
    if len(content) > most:
        raise OddFile(f"is larger than {most >> 20} MiB")
    return content


@define(eq=False)
class AppendOnly:
    """A file that grows; `add` never raises, whatever the disk does."""

    path: Path
    _descriptor: int
    _waiting: bytearray = field(factory=bytearray, init=False)
    _told: bool = field(default=False, init=False)
    _tell: Callable[[str], None] = say

    @classmethod
    def create(cls, path: Path) -> Self:
        """Make a new file that only its owner can read, and lock it; raises OSError."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(path, flags, _OWNER_ONLY)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        return cls(path, descriptor)

    def add(self, data: bytes) -> None:
        """Append; what does not fit waits for the next call, and the first time that is said."""
        self._waiting += data
        error = self._write()
        if error is not None and not self._told:
            self._told = True
            self._tell(
                f"{self.path}: {reason_of(error)}; the proxy goes on, and what it hears is kept in "
                "memory until it can be written"
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
        """Whether everything that was added is in the file, after one more attempt."""
        return self._write() is None

    def close(self, *, remove: bool = False) -> None:
        """Close the file, once; and remove it."""
        if self._descriptor >= 0:
            if remove:
                self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1


def write_whole(path: Path, text: str) -> None:
    """Put a file in place at once, after its bytes are on the disk; raises OSError.

    Only its owner can read it. When this fails or is killed, what was there before is untouched.
    """
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)  # one that a killed process left
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
        os.fsync(directory)  # the new name, too, has to survive a power failure
    finally:
        os.close(directory)


def is_locked(path: Path) -> bool:
    """Tell whether a process is writing a file that `AppendOnly` made; raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False
