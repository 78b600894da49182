"""Find and end the processes that a driver leaves behind.

Every driver starts with a mark in its environment, which its children inherit. The kit ends:

- on every system, the driver itself, and, except on Windows, the rest of its process group;
- on Linux, also every process that carries the mark or descends from the driver, whatever session
  or group it has moved to;
- on Linux, if the kit runs as a command, also children that have dropped the mark: the kit adopts
  the orphans of its drivers and ends those that remain when it exits.

If the kit itself is killed (SIGKILL), it cannot end them, but the drivers see that their
input is closed.
"""

import contextlib
import ctypes
import os
import signal
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

MARK: Final = "ARKOR_CONFORMANCE_DRIVER"
_PROC: Final = Path("/proc")
_SUBREAPER: Final = 36
"""PR_SET_CHILD_SUBREAPER, from linux/prctl.h."""
_PAUSE: Final = 0.002
_ROUNDS: Final = 50
"""The maximum number of searches; each finds the processes forked during the previous one."""


def adopt_orphans() -> None:
    """Become the parent of every orphaned descendant, if the system supports that."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL(None, use_errno=True).prctl(_SUBREAPER, 1, 0, 0, 0)


def end_driver(pid: int, mark: str) -> None:
    """End the driver `pid`, its descendants and group, and every process that carries `mark`.

    Call this before waiting for the driver itself, because its process id can be reused afterwards.
    This does nothing on Windows.
    """
    if sys.platform == "win32":
        return
    doomed = set(_tree(pid))
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    wanted = f"{MARK}={mark}".encode()
    _end(doomed - {pid})
    for _ in range(_ROUNDS):
        found = {each for each in _all() if each != pid and wanted in _environment(each)}
        if not found:
            return
        _end(found)


def memory_of(pid: int) -> int | None:
    """Return the memory use of a process and its descendants in bytes, or None if it is unknown."""
    if sys.platform != "linux":
        return None
    return sum(_resident(each) for each in _tree(pid)) * os.sysconf("SC_PAGE_SIZE") or None


def end_orphans() -> None:
    """End every descendant of this process; called when a command exits."""
    for _ in range(_ROUNDS):
        found = set(_tree(os.getpid())) - {os.getpid()}
        if not found:
            return
        _end(found)


def _end(doomed: Iterable[int]) -> None:
    if sys.platform == "win32":  # without /proc, no processes were found
        return
    waiting = set(doomed)
    for pid in waiting:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    for _ in range(_ROUNDS):
        waiting = {pid for pid in waiting if not _is_gone(pid)}
        if not waiting:
            return
        time.sleep(_PAUSE)


def _is_gone(pid: int) -> bool:
    """Return whether a process has ended, or is not a child of this process."""
    if sys.platform == "win32":
        return True
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return True


def _tree(root: int) -> Iterator[int]:
    """Yield `root` and its living descendants."""
    children: dict[int, list[int]] = {}
    for pid in _all():
        children.setdefault(_parent(pid), []).append(pid)
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += children.get(pid, ())


def _all() -> Iterator[int]:
    """Yield the id of every process; nothing if the system has no /proc."""
    with contextlib.suppress(OSError):
        for name in os.listdir(_PROC):  # noqa: PTH208 - ten times as fast as Path objects
            if name.isdigit():
                yield int(name)


def _parent(pid: int) -> int:
    try:
        stat = (_PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return 0
    state, parent = stat.rpartition(b")")[2].split()[:2]
    return 0 if state == b"Z" else int(parent)


def _resident(pid: int) -> int:
    """Return the number of pages of a process that are in memory."""
    try:
        return int((_PROC / str(pid) / "statm").read_bytes().split()[1])
    except (OSError, IndexError):  # it has just ended
        return 0


def _environment(pid: int) -> list[bytes]:
    """Return the initial environment of a process; empty if it belongs to another user."""
    try:
        return (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return []
