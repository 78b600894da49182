"""The pipes of a driver process, read and written without blocking the event loop.

Windows lets a program wait for sockets but not for pipes, so there the kit polls the pipes and
writes in a thread. On every system, the kit can read at once whatever a driver has already written,
which keeps the messages in the trace in the right order.
"""

import os
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO, Final

import anyio
from attrs import define, field, frozen

if sys.platform == "win32":
    import _winapi
    import msvcrt

    def _waiting_in(descriptor: int) -> int:
        """Return how many bytes can be read from a pipe; raise BrokenPipeError once it ends."""
        waiting = _winapi.PeekNamedPipe(msvcrt.get_osfhandle(descriptor), 0)[0]
        return waiting if isinstance(waiting, int) else len(waiting)


_LOOK: Final = 0.002
"""Seconds between two checks of a pipe, on a system that cannot wait for pipes."""


@frozen
class OutputPipe:
    """The pipe of a driver's standard output or standard error, which the kit reads."""

    _file: IO[bytes]

    def __attrs_post_init__(self) -> None:
        if sys.platform != "win32":
            os.set_blocking(self._file.fileno(), False)

    def read(self, most: int) -> bytes:
        """Return up to `most` bytes, or b"" at the end; raise BlockingIOError if none are ready."""
        descriptor = self._file.fileno()
        if sys.platform == "win32":
            try:
                most = min(most, _waiting_in(descriptor))
            except BrokenPipeError:
                return b""
            if not most:
                raise BlockingIOError
        return os.read(descriptor, most)

    async def readable(self) -> None:
        """Wait until `read` would not block."""
        if sys.platform == "win32":
            with suppress(BrokenPipeError):
                while not _waiting_in(self._file.fileno()):  # noqa: ASYNC110 - see the module
                    await anyio.sleep(_LOOK)
        else:
            await anyio.wait_readable(self._file)

    def close(self) -> None:
        """Close the pipe."""
        self._file.close()


@define
class InputPipe:
    """The pipe of a driver's standard input, to which the kit writes."""

    _file: IO[bytes]
    _lines: queue.SimpleQueue[bytes | None] = field(
        factory=queue.SimpleQueue[bytes | None], init=False
    )
    """The data that the thread has to write on Windows; None tells it to close the pipe."""
    _is_broken: bool = field(default=False, init=False)

    def __attrs_post_init__(self) -> None:
        if sys.platform == "win32":
            threading.Thread(target=self._write_all, name="driver", daemon=True).start()
        else:
            os.set_blocking(self._file.fileno(), False)

    def write(self, data: bytearray) -> int:
        """Write as much as fits, and return how many bytes that was.

        Raise BlockingIOError if nothing fits, and another OSError if the pipe is broken.
        """
        if sys.platform != "win32":
            return os.write(self._file.fileno(), data)
        if self._is_broken:
            raise BrokenPipeError
        self._lines.put(bytes(data))
        return len(data)

    async def writable(self) -> None:
        """Wait until the pipe can take more data."""
        if sys.platform != "win32":
            await anyio.wait_writable(self._file)

    def close(self) -> None:
        """Close the pipe (on Windows, once everything is written); do nothing if it is closed."""
        if sys.platform == "win32":
            self._lines.put(None)
        else:
            self._file.close()

    def _write_all(self) -> None:
        """Write the queued data, in a thread, because writing to a full pipe blocks on Windows."""
        with suppress(OSError), self._file:
            while (data := self._lines.get()) is not None:
                try:
                    self._file.write(data)
                    self._file.flush()
                except OSError:
                    self._is_broken = True
                    return


@frozen
class Pipes:
    """The pipes of a driver's standard input, output and error."""

    input: InputPipe
    out: OutputPipe
    log: OutputPipe

    @classmethod
    def of(cls, process: "subprocess.Popen[bytes]") -> "Pipes":
        """Return the pipes of a process; raise RuntimeError if it was started without them."""
        if not (process.stdin and process.stdout and process.stderr):
            raise RuntimeError("the driver was started without its three pipes")
        return cls(InputPipe(process.stdin), OutputPipe(process.stdout), OutputPipe(process.stderr))

    def close(self) -> None:
        """Close all three pipes."""
        for pipe in (self.input, self.out, self.log):
            pipe.close()
