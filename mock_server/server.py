"""The mock backend as one object: a port, its brain, its engine, its journal, its controls.

It knows how the parts are put together and when they end. It refuses to know protocols.
"""

import socket
from collections.abc import Callable
from types import TracebackType
from typing import Self

import anyio
from anyio.abc import TaskGroup
from attrs import define, field

from mock_server.backend import Backend, Job, JobEnded
from mock_server.codec import check_capabilities
from mock_server.engine import Engine
from mock_server.journal import (
    ExchangeEnded,
    FrameSent,
    Journal,
    PortChanged,
    Record,
    RequestReceived,
    ResponseStarted,
    RuleFired,
)
from mock_server.model import JobPlan, Rule, Scenario
from mock_server.net.connection import ServerConnection, rejection
from mock_server.net.listener import Listener
from mock_server.net.service import BackendOrigin, Gates, Service
from mock_server.net.wire import Wire
from mock_server.script import On
from mock_server.shapes import ScenarioError
from mock_server.vocabulary import Capability, Ending, Outage, Route, ScriptedFrame

MOCK_CAPABILITIES = frozenset(Capability)


@define(eq=False)
class MockServer:
    """A programmable backend on a port of its own, from `async with` to its end.

    Works on asyncio and trio; many can live in one process. Raises ScenarioError for a scenario
    that it cannot carry.
    """

    scenario: Scenario = field(factory=Scenario)
    on_record: Callable[[Record], None] | None = None
    _listener: Listener = field(factory=Listener, kw_only=True, alias="listener")
    _journal: Journal = field(init=False)
    _engine: Engine = field(init=False)
    _backend: Backend = field(init=False)
    _service: Service = field(init=False)
    _connections: dict[int, ServerConnection] = field(
        factory=dict[int, ServerConnection], init=False
    )
    _accepted: int = field(default=0, init=False)
    _group: TaskGroup | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        check_capabilities(self.scenario, MOCK_CAPABILITIES, "mock")
        self._journal = Journal(self.scenario.limits.records)
        if self.on_record is not None:
            self._journal.listen(self.on_record)
        self._engine = Engine(self.scenario.seed, self._note_fired)
        self._engine.load(self.scenario.rules)
        self._backend = Backend(self.scenario)
        self._service = Service(
            self._engine,
            self._journal,
            BackendOrigin(self._backend),
            self.scenario.limits,
            self._outage,
        )

    async def __aenter__(self) -> Self:
        self._listener.open()
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self._listener.serve, self._accept)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()
        if self._group is not None:
            group, self._group = self._group, None
            group.cancel_scope.cancel()
            if error is None or isinstance(error, anyio.get_cancelled_exc_class()):
                await group.__aexit__(kind, error, trace)
            else:
                # The body's own failure goes on as it is, not inside a group.
                await group.__aexit__(None, None, None)

    @property
    def base_url(self) -> str:
        """Where clients find it, such as `http://127.0.0.1:41234`."""
        return f"http://{self._listener.host}:{self._listener.port}"

    @property
    def port(self) -> int:
        """The port that the operating system gave."""
        return self._listener.port

    @property
    def journal(self) -> list[Record]:
        """All records so far."""
        return list(self._journal.records)

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self._connections)

    @property
    def gates(self) -> Gates:
        """The gates that stalls wait at."""
        return self._service.gates

    @property
    def on(self) -> On:
        """Where rules written in Python begin."""
        return On(self.set_rule)

    def set_rule(self, index: int | None, rule: Rule) -> int:
        """Put a rule in force, or change the one of this index; returns its index."""
        check_capabilities(Scenario(rules=(rule,)), MOCK_CAPABILITIES, "mock")
        if index is None:
            return self._engine.add(rule)
        self._engine.replace(index, rule)
        return index

    def remove_rule(self, index: int) -> bool:
        """Take a rule out of force; False when there is none of this index."""
        return self._engine.remove(index)

    @property
    def rules(self) -> list[tuple[int, Rule, int]]:
        """Every rule in force: its index, the rule, how often it has acted."""
        return self._engine.rules

    def job(self, job_id: str) -> Job:
        """Return a job; raises KeyError when the backend has none of this id."""
        return self._backend.jobs[job_id]

    def push(self, job_id: str, frame: ScriptedFrame) -> None:
        """Append an event to a job's log, and so to every live stream of it.

        Raises KeyError for an unknown job and JobEnded when its log is closed.
        """
        self.job(job_id).push(frame)

    def add_job(self, plan: JobPlan) -> Job:
        """Make a job that exists without a create."""
        if plan.id is not None and plan.id in self._backend.jobs:
            raise ScenarioError(f"job: the id {plan.id!r} exists already; ids are unique")
        return self._backend.add_job(plan, self._service.clock())

    async def wait_until(self, wanted: Callable[[Record], bool]) -> Record:
        """Wait for a record, past or to come, that satisfies `wanted`; returns it."""
        for record in self._journal.records:
            if wanted(record):
                return record
        found: list[Record] = []
        event = anyio.Event()

        def look(record: Record) -> None:
            if not found and wanted(record):
                found.append(record)
                event.set()

        stop = self._journal.listen(look)
        try:
            await event.wait()
        finally:
            stop()
        return found[0]

    async def wait_for(
        self,
        route: Route | str,
        *,
        attempt: int = 1,
        frame: int | None = None,
        answered: bool = False,
        ended: bool = False,
    ) -> Record:
        """Wait for the request of a route and attempt, or for how far its answer got.

        With `answered` for its head, with `frame` for the frame of that index, with `ended` for its
        end.
        """
        route = Route(route)
        kind: type[Record] = RequestReceived
        if ended:
            kind = ExchangeEnded
        elif frame is not None:
            kind = FrameSent
        elif answered:
            kind = ResponseStarted

        def wanted(record: Record) -> bool:
            if not isinstance(
                record, RequestReceived | ResponseStarted | FrameSent | ExchangeEnded
            ):
                return False
            right = isinstance(record, kind) and record.route is route
            if isinstance(record, FrameSent) and frame is not None and record.index != frame:
                return False
            return right and record.attempt == attempt

        return await self.wait_until(wanted)

    def end_connection(self, number: int, how: Ending = Ending.RST) -> None:
        """End a connection now; raises KeyError when it is not open."""
        self._connections[number].end_now(how)

    def _note_fired(self, rule: int) -> None:
        self._journal.add(RuleFired(*self._journal.stamp(), rule))

    def _outage(self, kind: Outage, seconds: float) -> None:
        if self._group is not None:
            self._group.start_soon(self._listener.outage, kind, seconds, self._note_outage)

    def _note_outage(self, state: str) -> None:
        self._journal.add(PortChanged(*self._journal.stamp(), state))

    async def _accept(self, accepted: socket.socket) -> None:
        if self._group is None:
            accepted.close()
            return
        wire = Wire(accepted)
        if len(self._connections) >= self.scenario.limits.connections:
            self._group.start_soon(self._turn_away, wire)
            return
        self._accepted += 1
        connection = ServerConnection(self._service, wire, self._accepted)
        self._connections[self._accepted] = connection
        self._group.start_soon(self._run, connection)

    async def _run(self, connection: ServerConnection) -> None:
        try:
            await connection.run()
        finally:
            del self._connections[connection.number]

    async def _turn_away(self, wire: Wire) -> None:
        try:
            await wire.send(rejection(503, "too many connections"))
            await wire.finish()
        except OSError:
            # It left before it could be told.
            return
        finally:
            wire.close()


__all__ = ["MOCK_CAPABILITIES", "JobEnded", "MockServer"]
