"""A port and the connections on it, from `async with` to its end.

It knows how connections are accepted, counted, limited and ended. It refuses to know what is
served on them.
"""

import socket
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup
from attrs import define, field

from mock_server.journal import PortChanged
from mock_server.net.connection import ServerConnection, rejection
from mock_server.net.listener import Listener
from mock_server.net.service import Service
from mock_server.net.wire import Wire
from mock_server.vocabulary import Ending, Outage


@define(eq=False)
class Host:
    """Serves one service on one port; works on asyncio and trio."""

    service: Service
    listener: Listener
    connections: dict[int, ServerConnection] = field(
        factory=dict[int, ServerConnection], init=False
    )
    _accepted: int = field(default=0, init=False)
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
            self.listener.take_away(kind)
            self._note_port(kind.value)
            self._outage_scope = anyio.CancelScope()
            self._group.start_soon(self._end_outage, seconds, self._outage_scope)

    async def _end_outage(self, seconds: float, scope: anyio.CancelScope) -> None:
        with scope:
            await anyio.sleep(seconds)
            self.listener.bring_back()
            self._note_port("up")

    def _note_port(self, state: str) -> None:
        journal = self.service.journal
        journal.add(PortChanged(*journal.stamp(), state))

    async def _accept(self, accepted: socket.socket) -> None:
        if self._group is None:
            accepted.close()
            return
        wire = Wire(accepted)
        if len(self.connections) >= self.service.limits.connections:
            self._group.start_soon(self._turn_away, wire)
            return
        self._accepted += 1
        connection = ServerConnection(self.service, wire, self._accepted)
        self.connections[self._accepted] = connection
        self._group.start_soon(self._run, connection)

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
            wire.close()
