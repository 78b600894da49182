# ruff: noqa: INP001 - no package: Python imports it by its name
"""Take away from Python on Linux what it does not have on Windows or macOS.

Python imports this first in a process whose PYTHONPATH begins here; ARKOR_PRETEND names the platform.
The standard library and the packages of others are imported before, since they would need what is
gone. What those platforms have instead is played by Linux: a look into a pipe, a lock on a byte, the
state of a connection under its other number.
"""

import asyncio
import fcntl
import importlib
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import types
from collections.abc import Callable
from typing import Final, NoReturn

THEIRS: Final = (
    *("anyio._backends._asyncio", "anyio._core._asyncio_selector_thread", "attrs", "h11"),
    *("click", "jinja2", "rich.console", "rich.live", "rich.progress", "rich.table"),
    *("concurrent.futures.thread", "ctypes", "logging", "platform", "random", "tempfile", "uuid"),
)
NOT_ON_WINDOWS: Final = {
    os: (
        *("fork", "forkpty", "register_at_fork", "killpg", "getpgid", "setsid", "set_blocking"),
        *("getuid", "geteuid", "mkfifo", "fchmod", "sysconf", "pidfd_open", "WNOHANG"),
        *("O_NONBLOCK", "O_CLOEXEC", "O_NOFOLLOW", "O_DIRECTORY"),
    ),
    select: ("poll", "epoll"),
    signal: (
        *("SIGKILL", "SIGHUP", "SIGPIPE", "SIGALRM", "SIGUSR1", "SIGUSR2", "SIGCHLD"),
        *("pthread_kill", "pthread_sigmask", "setitimer", "siginterrupt", "sigwait"),
        "sigtimedwait",
    ),
    socket: ("TCP_INFO", "SO_REUSEPORT"),
}
NOT_ON_MACOS: Final = {
    os: ("pidfd_open",),
    select: ("epoll",),
    signal: ("sigtimedwait",),
    socket: ("TCP_INFO", "TCP_KEEPIDLE"),
}
MODULES_NOT_ON_WINDOWS: Final = ("fcntl", "resource", "termios", "tty", "pty", "pwd", "grp")
ON_MACOS: Final = {1: 4, 4: 6, 5: 9, 6: 10, 8: 5, 9: 8, 11: 7}
"""The states of a connection: ours, and the same in the numbers of macOS."""
_ioctl, _flock, _lock = fcntl.ioctl, fcntl.flock, fcntl.LOCK_EX | fcntl.LOCK_NB
_real_bind, _setsockopt = socket.socket.bind, socket.socket.setsockopt
_getsockopt, _tcp_info = socket.socket.getsockopt, socket.TCP_INFO


def _queued(descriptor: int, request: int) -> int:
    queued = bytearray(4)
    _ioctl(descriptor, request, queued)
    return int.from_bytes(queued, sys.byteorder)


def _peek(handle: int, size: int = 0) -> tuple[int, int]:
    """Be PeekNamedPipe: how many bytes can be read now."""
    del size
    waiting = _queued(handle, 0x541B)  # FIONREAD
    poll = POLL()
    poll.register(handle, select.POLLIN)
    if not waiting and any(events & select.POLLHUP for _, events in poll.poll(0)):
        raise BrokenPipeError
    return waiting, 0


def _locking(descriptor: int, mode: int, count: int) -> None:
    """Be msvcrt.locking, for the one byte that anything locks."""
    del mode, count
    try:
        _flock(descriptor, _lock)
    except BlockingIOError:
        raise PermissionError(13, "Permission denied") from None


def _handle(descriptor: int) -> int:
    return descriptor


def _unknown(*_: object) -> NoReturn:
    raise NotImplementedError


def _kill(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(9)


def _sockets_only(wait: Callable[[object], object]) -> Callable[[object], object]:
    def waited(waited: object) -> object:
        if not isinstance(waited, socket.socket):
            raise OSError(10038, "an operation was attempted on something that is not a socket")
        return wait(waited)

    return waited


def _option(connected: socket.socket, level: int, name: int, size: int = 0) -> int | bytes:
    """Be getsockopt on macOS, as far as Linux has another number for it."""
    if (level, name) == (socket.SOL_SOCKET, 0x1024):
        return _queued(connected.fileno(), 0x5411)  # SO_NWRITE is TIOCOUTQ
    if (level, name) == (socket.IPPROTO_TCP, 0x106):
        return bytes([ON_MACOS.get(_getsockopt(connected, level, _tcp_info, 1)[0], 0)])
    if size:
        return _getsockopt(connected, level, name, size)
    return _getsockopt(connected, level, name)


def _bind(bound: socket.socket, address: tuple[str, int]) -> None:
    """Be bind on Windows, which forgets earlier connections of a port at once."""
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _real_bind(bound, address)


def _set_option(connected: socket.socket, level: int, name: int, value: int | bytes) -> None:
    """Be setsockopt on Windows, where SO_LINGER is two short integers."""
    if name == socket.SO_LINGER and isinstance(value, bytes):
        value = struct.pack("ii", *struct.unpack("hh", value))
    _setsockopt(connected, level, name, value)


def _module(name: str, **content: object) -> None:
    module = sys.modules[name] = types.ModuleType(name)
    module.__dict__.update(content)


def _take_away(gone: dict[types.ModuleType, tuple[str, ...]]) -> None:
    for module, names in gone.items():
        for name in names:
            module.__dict__.pop(name, None)


def _become_windows() -> None:
    anyio = sys.modules["anyio"]
    for name in MODULES_NOT_ON_WINDOWS:
        sys.modules[name] = None  # type: ignore[assignment]
    _take_away(NOT_ON_WINDOWS)
    setattr(asyncio.SelectorEventLoop, "add_signal_handler", _unknown)  # noqa: B010 - as below
    loop = type(
        "ProactorEventLoop",
        (asyncio.SelectorEventLoop,),
        {"add_reader": _unknown, "add_writer": _unknown},
    )
    setattr(asyncio.DefaultEventLoopPolicy, "_loop_factory", loop)  # noqa: B010 - as below
    for name in ("wait_readable", "wait_writable"):
        setattr(anyio, name, _sockets_only(getattr(anyio, name)))
    shutil.__dict__["_use_fd_functions"] = False
    subprocess.__dict__["CREATE_NEW_PROCESS_GROUP"] = 0
    setattr(subprocess.Popen, "kill", _kill)  # noqa: B010 - type checkers know the real one
    setattr(socket.socket, "bind", _bind)  # noqa: B010 - as above
    setattr(socket.socket, "setsockopt", _set_option)  # noqa: B010 - as above
    _module("_winapi", PeekNamedPipe=_peek)
    _module("msvcrt", get_osfhandle=_handle, locking=_locking, LK_NBLCK=2)


def _become_macos() -> None:
    _take_away(NOT_ON_MACOS)
    setattr(socket.socket, "getsockopt", _option)  # noqa: B010 - as above


POLL: Final = select.poll
PRETENDED: Final = os.environ.get("ARKOR_PRETEND")
if PRETENDED:
    for each in THEIRS:
        importlib.import_module(each)
    {"win32": _become_windows, "darwin": _become_macos}[PRETENDED]()
    sys.platform = PRETENDED
