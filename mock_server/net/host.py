"""Accept, number, limit and close the connections on one port, for one `async with` block."""

import socket
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

import anyio
from anyio.abc import TaskGroup
from attrs import define, field

from mock_server.journal.records import PortChanged
from mock_server.net.connection import ServerConnection, rejection
from mock_server.net.kernel import MOST_SOCKETS, check_loop
from mock_server.net.listener import Listener
from mock_server.net.service import Service
from mock_server.net.wire import Wire
from mock_server.scenario.words.end import Ending, Outage

if sys.platform != "win32":
    import resource

_MOST_LEAVING: Final = 512
_AGAIN: Final = 0.05


@define(eq=False)
class Host:
    """Runs one service on one port; works with asyncio and trio."""

    service: Service
    listener: Listener
    reserve: int = field(default=64, kw_only=True)
    """How many file descriptors of the process are kept free for uses other than connections."""
    connections: dict[int, ServerConnection] = field(
        factory=dict[int, ServerConnection], init=False
    )
    _sent_before: int = field(default=0, init=False)
    """How many bytes were sent on the connections that are now closed."""
    _accepted: int = field(default=0, init=False)
    _leaving: int = field(default=0, init=False)
    """How many connections are being refused because too many are open."""
    _leaked: int = field(default=0, init=False)
    """How many closed connections still count as open (`leak = true`)."""
    _group: TaskGroup | None = field(default=None, init=False)
    _outage_scope: anyio.CancelScope | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.service.outage = self._outage

    async def __aenter__(self) -> Self:
        check_loop()
        self.listener.open()
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self.listener.serve, self._accept)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.listener.close()
        if self._group is not None:
            group, self._group = self._group, None
            group.cancel_scope.cancel()
            if error is None or isinstance(error, anyio.get_cancelled_exc_class()):
                await group.__aexit__(kind, error, trace)
            else:
                # The error of the `async with` body must not be wrapped in an exception group.
                await group.__aexit__(None, None, None)

    def serve_instead(self, service: Service) -> None:
        """Replace the service, reset all connections and end any outage."""
        if self._outage_scope is not None:
            self._outage_scope.cancel()
        self.listener.bring_back()
        self.reset_all()
        service.outage = self._outage
        self.service = service
        self._leaked = 0

    def reset_all(self) -> Sequence[ServerConnection]:
        """Reset all connections, even those not accepted yet; return those that were accepted."""
        self.listener.reset_waiting()
        accepted = tuple(self.connections.values())
        for connection in accepted:
            connection.end_now(Ending.RST)
        return accepted

    def _outage(self, kind: Outage, seconds: float) -> None:
        if self._group is not None and not self.listener.away:
            self._outage_scope = anyio.CancelScope()
            self._group.start_soon(self._end_outage, seconds, self._outage_scope)
            self.listener.take_away(kind)
            self._note_port(kind.value)

    async def _end_outage(self, seconds: float, scope: anyio.CancelScope) -> None:
        with scope:
            await anyio.sleep(seconds)
            while self.listener.away:
                try:
                    self.listener.bring_back()
                except OSError:
                    # Out of descriptors; the placeholder keeps the port meanwhile.
                    await anyio.sleep(_AGAIN)
            self._note_port("up")

    def _note_port(self, state: str) -> None:
        journal = self.service.journal
        journal.add(PortChanged(*journal.stamp(), state))

    async def _accept(self, accepted: socket.socket) -> None:
        try:
            wire = Wire(accepted)
        except OSError:
            # The client has already reset it.
            accepted.close()
            return
        if self._group is None:
            wire.close()
        elif self._is_full(accepted):
            if self._leaving < _MOST_LEAVING:
                self._leaving += 1
                self._group.start_soon(self._turn_away, wire)
            else:
                wire.reset()
        else:
            self._accepted += 1
            connection = ServerConnection(self.service, wire, self._accepted)
            self.connections[self._accepted] = connection
            self._group.start_soon(self._run, connection)

    @property
    def bytes_sent(self) -> int:
        """How many bytes have been handed to the kernel so far, on all connections."""
        return self._sent_before + sum(each.wire.sent for each in self.connections.values())

    def _is_full(self, accepted: socket.socket) -> bool:
        """Return whether `accepted` must be refused: too many connections or files are open."""
        if len(self.connections) + self._leaked >= self.service.limits.connections:
            return True
        if MOST_SOCKETS is not None and len(self.connections) >= MOST_SOCKETS:
            return True
        if sys.platform != "win32":
            # A new descriptor gets the lowest free number.
            files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
            return files != resource.RLIM_INFINITY and accepted.fileno() >= files - self.reserve
        return False

    async def _run(self, connection: ServerConnection) -> None:
        try:
            await connection.run()
        finally:
            del self.connections[connection.number]
            if connection.leaks:
                self._leaked += 1
            self._sent_before += connection.wire.sent

    async def _turn_away(self, wire: Wire) -> None:
        try:
            await wire.finish(rejection(503, "too many connections"))
        except OSError:
            # The client left first.
            return
        finally:
            self._leaving -= 1
            wire.close()
