"""Read stdin without blocking the event loop."""

import os
import socket
import sys
import threading
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

import anyio
from attrs import define, field

_BLOCK: Final = 65_536


@define(eq=False)
class Stdin:
    """Reads the bytes of stdin while its `with` block runs.

    A thread reads them, because an event loop cannot wait for a regular file or, on Windows, for a
    pipe. The thread is a daemon, so it does not keep the process alive.
    """

    _here: socket.socket = field(init=False)
    _there: socket.socket = field(init=False)

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

    async def read(self) -> bytes:
        """Wait for bytes and return them; return b"" at the end of stdin."""
        while True:
            await anyio.wait_readable(self._here)
            with suppress(BlockingIOError):
                return self._here.recv(_BLOCK)
