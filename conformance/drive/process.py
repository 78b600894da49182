"""Start one driver process, exchange lines with it, and end it reliably.

`connection` interprets the lines. The process is not trusted: its lines and its log are limited,
and the kit notices when it exits, even if a child process holds the pipes open. The kit ends a
driver together with its children (see `offspring`).
"""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import anyio
import anyio.lowlevel
from attrs import define, field

from conformance.drive.log import Log
from conformance.drive.offspring import MARK, end_driver, memory_of
from conformance.drive.pipes import Pipes
from conformance.drive.protocol import MAX_LINE

_BLOCK: Final = 1 << 16
_MOST_BLOCKS: Final = 32
# A Ctrl-C is for the kit, which then ends its drivers.
if sys.platform == "win32":
    _NEW_GROUP: Final = subprocess.CREATE_NEW_PROCESS_GROUP
else:
    _NEW_GROUP: Final = 0
_GRACE: Final = 0.5
"""How many seconds a driver has to exit after its input is closed."""
_LOOK: Final = 0.1
"""How often, in seconds, the kit checks for a driver's end if the system cannot notify it."""


class DriverUnusable(Exception):
    """The driver cannot be started, or it does not speak the protocol."""


class DriverSilent(DriverUnusable):
    """The driver was started but did not answer in time."""


@define
class DriverProcess:
    """A running driver. `drain` passes each line written so far to `on_line`, in order."""

    _process: subprocess.Popen[bytes] = field(alias="process")
    _mark: str = field(alias="mark")
    _on_line: Callable[[bytes], None] = field(alias="on_line")
    _on_end: Callable[[str], None] = field(alias="on_end")
    _pipes: Pipes = field(init=False)
    _partial: bytearray = field(factory=bytearray, init=False)
    _outgoing: bytearray = field(factory=bytearray, init=False)
    _blocked: anyio.Event = field(factory=anyio.Event, init=False)
    log: Log = field(factory=Log, init=False)
    """What the driver has written to its standard error."""
    _ended: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        self._pipes = Pipes.of(self._process)

    @classmethod
    def start(
        cls,
        command: Sequence[str],
        on_line: Callable[[bytes], None],
        on_end: Callable[[str], None],
        role: str = "driver",
    ) -> "DriverProcess":
        """Start a driver; raise DriverUnusable with the reason if it cannot be started.

        `role` is what error messages call the program, such as `driver` or `parser`.
        """
        mark = secrets.token_hex(8)
        try:
            process = subprocess.Popen(  # noqa: S603 - running the user's command is the purpose
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                creationflags=_NEW_GROUP,
                env={**os.environ, MARK: mark},
            )
        except FileNotFoundError as error:
            raise DriverUnusable(f"{command[0]}: {_missing(command[0], role)}") from error
        except PermissionError as error:
            raise DriverUnusable(f"{command[0]}: {_forbidden(command[0], role)}") from error
        except OSError as error:
            raise DriverUnusable(f"{command[0]}: cannot be run: {error.strerror}") from error
        return cls(process, mark, on_line, on_end)

    async def read(self) -> None:
        """Pass on the driver's lines until it exits; run this in its own task."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._read_log)
            group.start_soon(self._write_rest)
            group.start_soon(self._watch)
            while not self._ended:
                await self._pipes.out.readable()
                self.drain()
                # A pipe that is never empty must not keep the other tasks from running.
                await anyio.lowlevel.checkpoint()
            group.cancel_scope.cancel()

    def drain(self) -> None:
        """Pass on the complete lines that are available now, without waiting.

        One call reads a limited amount, so that a driver that never stops writing cannot block the
        kit.
        """
        for _ in range(_MOST_BLOCKS):
            if self._ended:
                return
            try:
                block = self._pipes.out.read(_BLOCK)
            except BlockingIOError:
                return
            if not block:
                self._end(self._farewell())
                return
            self._take(block)

    def send(self, line: bytes) -> None:
        """Send one line: write what the pipe accepts now, and leave the rest to `read`."""
        self._outgoing += line
        self._flush()

    async def stop(self) -> None:
        """End the driver: close its input, wait briefly, then kill it and its children."""
        self._ended = True
        self._pipes.input.close()
        with anyio.move_on_after(_GRACE):
            while self._process.poll() is None and self._is_writing():
                await self._pipes.out.readable()
        # Before the wait: until then the process id cannot be reused.
        end_driver(self._process.pid, self._mark)
        if sys.platform == "win32":
            self._process.kill()
        self._process.wait()
        self._pipes.close()

    def busy_seconds(self) -> float | None:
        """Return the driver's CPU time in seconds; None if the system does not report it."""
        if sys.platform != "linux":
            return None
        try:
            file = os.open(f"/proc/{self._process.pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            stat = os.read(file, _BLOCK)
        except ProcessLookupError:
            return None
        finally:
            os.close(file)
        user, system = stat.rpartition(b")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> int | None:
        """Return the memory use of the driver and its descendants in bytes, or None if unknown."""
        return memory_of(self._process.pid)

    def _flush(self) -> None:
        while self._outgoing and not self._ended:
            try:
                del self._outgoing[: self._pipes.input.write(self._outgoing)]
            except BlockingIOError:
                self._blocked.set()
                return
            except OSError:
                self.drain()
                self._end("closed its standard input, so the kit cannot send it commands")

    async def _write_rest(self) -> None:
        while True:
            await self._blocked.wait()
            await self._pipes.input.writable()
            self._blocked = anyio.Event()
            self._flush()

    def _take(self, block: bytes) -> None:
        *lines, rest = block.split(b"\n")
        for line in lines:
            whole = bytes(self._partial) + line
            self._partial.clear()
            if whole.strip():
                self._on_line(whole)
        self._partial += rest
        if len(self._partial) > MAX_LINE:
            self._end(f"printed a line longer than {MAX_LINE} bytes")

    def _end(self, reason: str) -> None:
        if not self._ended:
            self._ended = True
            self.drain_log()
            self._on_end(reason)

    def _farewell(self) -> str:
        """Return how the driver ended; wait briefly, as its output may close before it exits."""
        try:
            code = self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:
            return "closed its standard output without exiting"
        if code < 0:
            return f"was killed by signal {_signal(-code)}"
        return f"exited with status {code}"

    async def _read_log(self) -> None:
        while True:
            await self._pipes.log.readable()
            if not self.drain_log():
                return
            await anyio.lowlevel.checkpoint()

    def drain_log(self) -> bool:
        """Read what the driver has written to standard error; return whether more may follow."""
        for _ in range(_MOST_BLOCKS):
            try:
                block = self._pipes.log.read(_BLOCK)
            except BlockingIOError:
                return True
            if not block:
                return False
            self.log.add(block)
        return True

    def _is_writing(self) -> bool:
        try:
            return bool(self._pipes.out.read(_BLOCK))
        except BlockingIOError:
            return True

    async def _watch(self) -> None:
        """Notice when the driver exits, even if one of its children holds its standard output open."""
        await _ended(self._process)
        self.drain()
        self._end(self._farewell())


async def _ended(process: subprocess.Popen[bytes]) -> None:
    """Wait until a process has ended."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # an old kernel, or no descriptor left
            descriptor = os.pidfd_open(process.pid)
            try:
                await anyio.wait_readable(descriptor)
            finally:
                os.close(descriptor)
    while process.poll() is None:  # noqa: ASYNC110 - nothing to wait for on this system
        await anyio.sleep(_LOOK)


def _signal(number: int) -> str:
    """Return the name of a signal, or its number if it has no name, like most real-time signals."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _missing(program: str, role: str) -> str:
    if Path(program).exists():
        return "the interpreter named in its first line (#!…) does not exist; correct that line"
    return f"no such program; give the command that starts the {role}"


def _forbidden(program: str, role: str) -> str:
    if Path(program).is_dir():
        return f"is a directory; give the command that starts the {role}"
    return "is not executable; run chmod +x on it"
