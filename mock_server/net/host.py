"""A port and the connections on it, from `async with` to its end.

It knows how connections are accepted, counted, limited and ended. It refuses to know what is
served on them.
"""

import resource
import socket
from types import TracebackType
from typing import Final, Self

import anyio
from anyio.abc import TaskGroup
from attrs import define, field

from mock_server.journal.records import PortChanged
from mock_server.net.connection import ServerConnection, rejection
from mock_server.net.listener import Listener
from mock_server.net.service import Service
from mock_server.net.wire import Wire
from mock_server.scenario.words.end import Ending, Outage

_MOST_LEAVING: Final = 512
_AGAIN: Final = 0.05


@define(eq=False)
class Host:
    """Serves one service on one port; works on asyncio and trio."""

    service: Service
    listener: Listener
    reserve: int = field(default=64, kw_only=True)
    """How many files of this process are left for others: no connection takes the last ones."""
    connections: dict[int, ServerConnection] = field(
        factory=dict[int, ServerConnection], init=False
    )
    _accepted: int = field(default=0, init=False)
    _leaving: int = field(default=0, init=False)
    """How many connections are being told that they are too many."""
    _group: TaskGroup | None = field(default=None, init=False)
    _outage_scope: anyio.CancelScope | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self.service.outage = self._outage

    async def __aenter__(self) -> Self:
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
                # The body's own failure goes on as it is, not inside a group.
                await group.__aexit__(None, None, None)

    def serve_instead(self, service: Service) -> None:
        """Serve something else from now on: connections are reset, an outage is over."""
        if self._outage_scope is not None:
            self._outage_scope.cancel()
        self.listener.bring_back()
        for connection in tuple(self.connections.values()):
            connection.end_now(Ending.RST)
        service.outage = self._outage
        self.service = service

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
                    # Out of files; the placeholder keeps the port meanwhile.
                    await anyio.sleep(_AGAIN)
            self._note_port("up")

    def _note_port(self, state: str) -> None:
        journal = self.service.journal
        journal.add(PortChanged(*journal.stamp(), state))

    async def _accept(self, accepted: socket.socket) -> None:
        try:
            wire = Wire(accepted)
        except OSError:
            # It has been reset already.
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

    def _is_full(self, accepted: socket.socket) -> bool:
        """Tell whether one more connection is too many; the number of a file is the lowest free."""
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        no_files = files != resource.RLIM_INFINITY and accepted.fileno() >= files - self.reserve
        return no_files or len(self.connections) >= self.service.limits.connections

    async def _run(self, connection: ServerConnection) -> None:
        try:
            await connection.run()
        finally:
            del self.connections[connection.number]

    async def _turn_away(self, wire: Wire) -> None:
        try:
            await wire.send(rejection(503, "too many connections"))
            await wire.finish()
        except OSError:
            # It left before it could be told.
            return
        finally:
            self._leaving -= 1
            wire.close()
