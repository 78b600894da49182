"""Files whose contents survive if the process is killed: append-only, or written whole and renamed.

`add` hands the data to the kernel before it returns, so a killed process loses nothing. A full disk
never stops the process: data that does not fit is kept in memory and written later.
"""

import os
import stat
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from attrs import define, field

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

_OWNER_ONLY: Final = 0o600
_KINDS: Final = (
    (stat.S_ISLNK, "is a symbolic link"),
    (stat.S_ISDIR, "is a directory"),
    (stat.S_ISFIFO, "is a named pipe"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
    (stat.S_ISSOCK, "is a socket"),
)


def _flags(*names: str) -> int:
    """Combine the named and the usual `os.open` flags, leaving out any that this platform lacks."""
    found = 0
    for name in ("O_CLOEXEC", "O_BINARY", "O_NOINHERIT", *names):
        found |= getattr(os, name, 0)
    return found


_READ: Final = _flags("O_RDONLY", "O_NONBLOCK")
_NEW: Final = _flags("O_WRONLY", "O_CREAT", "O_EXCL")
_LINK: Final = _flags("O_NOFOLLOW")
_MOMENT: Final = 0.001
_LOCKED: Final = 1 << 30
"""The offset of the byte to lock on Windows.

It is far past the end of the file, because a locked byte cannot be read.
"""


class OddFile(Exception):
    """The file is not regular, is too large or has nothing to read yet; the message says which."""


def reason_of(error: OSError | ValueError) -> str:
    """Return the text of a system error, without the error number and the path."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def one_line(text: str) -> str:
    """Escape the characters that a terminal would interpret rather than display."""
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

    Return None for a regular file and for a path that does not exist; raise OSError if the path
    cannot be examined.
    """
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return None
    return _kind_of(mode)


def _kind_of(mode: int) -> str | None:
    return next((says for is_kind, says in _KINDS if is_kind(mode)), None)


def read_regular(path: Path, most: int) -> bytes:
    """Read a regular file of at most `most` bytes, or raise OddFile or OSError.

    Follow symbolic links; never wait for a named pipe or a device.
    """
    descriptor = os.open(path, _READ)
    status = os.fstat(descriptor)
    odd = _kind_of(status.st_mode)
    if odd is None and status.st_size > most:
        odd = f"is larger than {most >> 20} MiB"
    if odd is not None:
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
        """Create and lock a new file that only its owner can read, or raise OSError."""
        descriptor = os.open(path, _NEW | _LINK | os.O_APPEND, _OWNER_ONLY)
        while not _try_to_lock(descriptor):  # another process is testing the lock
            time.sleep(_MOMENT)
        return cls(path, descriptor)

    def add(self, data: bytes) -> None:
        """Append data; keep what cannot be written for the next call; report the first failure."""
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
        """Whether the file holds all the data added so far; tries to write pending data first."""
        return self._write() is None

    def close(self, *, remove: bool = False) -> None:
        """Close the file, and delete it if `remove` is set; a second call does nothing."""
        if self._descriptor >= 0:
            if remove and sys.platform != "win32":  # before another process can lock it
                self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1
            if remove:
                self.path.unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a new file to the disk and then rename it to `path`, or raise OSError.

    Only its owner can read the new file. Until the rename, the old file is untouched, even if an
    error occurs or the process is killed.
    """
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)  # left over from a killed process
    descriptor = os.open(new, _NEW, _OWNER_ONLY)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as out:
            out.write(text)
            out.flush()
            os.fsync(descriptor)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    if sys.platform == "win32":  # Windows cannot open a directory
        return
    directory = os.open(path.parent, _flags("O_RDONLY", "O_DIRECTORY"))
    try:
        os.fsync(directory)  # the new name has to survive a power failure too
    finally:
        os.close(directory)


def is_locked(path: Path) -> bool:
    """Return whether a process still has this `AppendOnly` file open, or raise OSError."""
    descriptor = os.open(path, _READ | _LINK)
    try:
        return not _try_to_lock(descriptor)
    finally:
        os.close(descriptor)


def _try_to_lock(descriptor: int) -> bool:
    """Lock a file until it is closed; return False if it is already locked.

    Raise OSError if locking fails for another reason.
    """
    if sys.platform == "win32":
        os.lseek(descriptor, _LOCKED, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
    else:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
