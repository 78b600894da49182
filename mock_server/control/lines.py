"""Read lines from stdin without blocking the event loop."""

import os
import socket
import sys
import threading
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

import anyio
from attrs import define, field

LONGEST: Final = 1 << 20
"""How many bytes a line may have; of a longer one, only the beginning is kept."""
_BLOCK: Final = 65_536


@define(eq=False)
class StdinLines:
    """The lines of stdin, for the length of a `with`.

    A thread reads them, because an event loop cannot wait for a regular file, or on Windows for a
    pipe. It is a daemon, so it does not keep the process alive.
    """

    _here: socket.socket = field(init=False)
    _there: socket.socket = field(init=False)
    _buffer: bytearray = field(factory=bytearray, init=False)
    _seen: int = field(default=0, init=False)
    """How much of the buffer has no end of line."""
    _ended: bool = field(default=False, init=False)

    def __enter__(self) -> Self:
        self._here, self._there = socket.socketpair()
        self._here.setblocking(False)  # noqa: FBT003 - the standard library's signature
        if sys.stdin is None:  # closed from the start; descriptor 0 may be another file by now
            self._there.close()
        else:
            threading.Thread(target=self._forward, name="stdin", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._here.close()

    def _forward(self) -> None:
        # An error, such as a terminal that is gone, also counts as the end.
        with self._there, suppress(OSError):
            while data := os.read(0, _BLOCK):
                self._there.sendall(data)

    async def next(self) -> bytes | None:
        """Return the next line without its end, or None after the last one.

        A line that is longer than `LONGEST` is cut to one byte more.
        """
        while (end := self._buffer.find(b"\n", self._seen)) < 0:
            del self._buffer[LONGEST + 1 :]
            self._seen = len(self._buffer)
            if self._ended or not await self._more():
                return self._last()
        line = bytes(self._buffer[: min(end, LONGEST + 1)])
        del self._buffer[: end + 1]
        self._seen = 0
        return line

    def _last(self) -> bytes | None:
        line = bytes(self._buffer)
        self._buffer.clear()
        self._seen = 0
        return line or None

    async def _more(self) -> bool:
        """Wait for more; False at the end."""
        while True:
            await anyio.wait_readable(self._here)
            with suppress(BlockingIOError):
                data = self._here.recv(_BLOCK)
                self._buffer += data
                self._ended = not data
                return bool(data)
