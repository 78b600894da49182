"""An event loop whose time passes at once where nothing is left to do, and a wire without a client."""

import asyncio
import math
import selectors
import socket
from typing import Final, Self

import anyio
from anyio import CapacityLimiter, to_thread
from attrs import define, field

from mock_server.net.wire import Wire

_SOON: Final = 5.0
"""Seconds of real time that a thread may take."""
_PATIENCE: Final = 200.0
"""Seconds of virtual time after which the client closes: longer than any answer takes."""


class _Selector(selectors.DefaultSelector):
    """Moves the time on instead of waiting, unless a thread is at work."""

    passed: float = 0.0
    limiter: CapacityLimiter | None = None

    def select(  # type: ignore[explicit-any]  # the data of a SelectorKey
        self, timeout: float | None = None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready."""
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        if self.limiter is not None and self.limiter.borrowed_tokens:
            return super().select(_SOON)
        if timeout is None:
            raise AssertionError("something is waited for that will never happen")
        self.passed += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Return the virtual time."""
        return self._virtual.passed

    def watch_threads(self) -> None:
        """Let no time pass while a thread is at work; called by a task of the loop."""
        self._virtual.limiter = to_thread.current_default_thread_limiter()


@define(eq=False)
class MemoryWire(Wire):
    """What a client has sent, and what it gets: it waits long for answers, and then closes."""

    to_read: bytes = field(default=b"", kw_only=True)
    got: bytearray = field(factory=bytearray, init=False)

    def __attrs_post_init__(self) -> None:
        """Touch no socket."""

    @classmethod
    def of(cls, data: bytes) -> Self:
        """Return the wire of a client that sends `data`."""
        return cls(socket.socket(), to_read=data)

    async def receive(self, limit: int = 65_536) -> bytes:
        """Return what the client has sent, and b"" when it has lost patience."""
        await anyio.lowlevel.checkpoint()
        if not self.to_read:
            await anyio.sleep(_PATIENCE)
        data, self.to_read = self.to_read[:limit], self.to_read[limit:]
        return data

    async def send(self, data: bytes) -> None:
        """Take what the client gets."""
        await anyio.lowlevel.checkpoint()
        self.got += data
        self.sent += len(data)

    async def until_peer_closes(self) -> str:
        """Let the client close at once: it has what it wanted."""
        self.to_read = b""
        return "fin"

    async def until_peer_closes_unread(self) -> str:
        """Wait until the client loses patience."""
        await anyio.sleep(math.inf if self.closed else _PATIENCE)
        return "fin"
