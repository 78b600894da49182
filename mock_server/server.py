"""The mock backend as one object that tests control: its port, backend, rules and journal."""

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self

from attrs import define, field, frozen

from mock_server.backend.answers import BackendFull
from mock_server.backend.backend import Backend
from mock_server.backend.jobs import Job
from mock_server.faults.rules import Rules
from mock_server.journal.journal import Journal
from mock_server.journal.records import Record, RequestReceived
from mock_server.journal.verify import Verify
from mock_server.journal.waiting import MILESTONE, PATIENCE, awaited
from mock_server.net.connection import ServerConnection
from mock_server.net.handoff import Hold
from mock_server.net.host import Host
from mock_server.net.kernel import LACKING
from mock_server.net.listener import Listener
from mock_server.net.names.addresses import Addresses
from mock_server.net.origin import BackendOrigin, Origin
from mock_server.net.service import Gates, Service
from mock_server.net.tls.settings import TlsSettings
from mock_server.proxy.origin import PROXY_CAPABILITIES
from mock_server.requests import Claims, Request, bearer_of, has_credentials
from mock_server.scenario.builder import On
from mock_server.scenario.explain import what_it_does
from mock_server.scenario.files import check_capabilities
from mock_server.scenario.gates import (
    check_gate,
    gates_of_frames,
    gates_of_job,
    gates_of_rule,
    unopened,
)
from mock_server.scenario.model import JOB, JobPlan, Scenario
from mock_server.scenario.rule import Rule
from mock_server.scenario.vocabulary import Capability, Route, ScriptedFrame
from mock_server.scenario.words.end import Ending
from mock_server.sse import Frame
from mock_server.strict.shapes import ScenarioError, count_of
from mock_server.strict.words import plain
from mock_server.weights import weight_of

_MOST_RULES: Final = 10_000
_EVENT_SIZE: Final = 512
_NO_JOBS: Final = "job: the native proxy cannot add jobs; create them in the real backend"
MOCK_CAPABILITIES: Final = frozenset(Capability)


@frozen
class Gate:
    """One gate of one server; it stays valid when another scenario is loaded."""

    _server: "MockServer" = field(repr=False)
    name: str

    def open(self) -> None:
        """Open the gate, for streams that are waiting at it and for later ones.

        Raise ScenarioError if no rule, frame or job has named this gate.
        """
        check_gate(self.name, self._server.gate_names)
        self._server.gates.open(self.name)

    def shut(self) -> None:
        """Close the gate for later streams; raise ScenarioError as `open` does."""
        check_gate(self.name, self._server.gate_names)
        self._server.gates.shut(self.name)

    @property
    def is_open(self) -> bool:
        """Whether the gate is open."""
        return self._server.gates.is_open(self.name)


@define(eq=False, repr=False)
class MockServer:
    """A programmable backend on its own port, for the duration of an `async with` block.

    Works on asyncio and trio; one process can run several of them. Raises ScenarioError for a
    scenario that it does not support.
    """

    scenario: Scenario = field(factory=Scenario)
    on_record: Callable[[Record], None] | None = None
    listener: Listener = field(factory=Listener, kw_only=True)
    upstream: Origin | None = field(default=None, kw_only=True)
    """A real backend to use instead of the mock's own; with it, this server is the native proxy."""
    tls: TlsSettings | None = field(default=None, kw_only=True)
    """The certificates that the server uses; if given, it accepts only TLS connections."""
    claims: Claims | None = field(default=None, kw_only=True)
    """Decides which requests are meant for this server; None accepts all of them.

    It is called on the event loop with every complete request, including its credentials, before
    the request is counted. It should return False for a request from another process that reached
    this port by chance. Such a request gets a 421, its connection is closed, and the journal gets a
    `RequestRejected`; no attempt number, rule or job is used up. TCP connections are numbered when
    they are accepted, before their first request, so `on.connection` also counts the connections
    whose requests are rejected. `load()` keeps the callable.
    """
    addresses: Addresses = field(factory=Addresses, init=False)
    """Makes URLs for testing dead ports and host names that resolve slowly or not at all."""
    _journal: Journal = field(init=False)
    _backend: Backend = field(init=False)
    _origin: BackendOrigin = field(init=False)
    _service: Service = field(init=False)
    _host: Host = field(init=False)
    _gate_names: set[str] = field(factory=set[str], init=False)

    def __attrs_post_init__(self) -> None:
        self._check(self.scenario)
        limits = self.scenario.limits
        self._journal = Journal(limits.records, bytes_limit=limits.journal_bytes)
        if self.on_record is not None:
            self._journal.listen(self.on_record)
        self._begin()
        self._host = Host(self._service, self.listener)

    def _begin(self) -> None:
        """Create everything that belongs to the loaded scenario."""
        self._backend = Backend(self.scenario)
        self._gate_names = {name for plan in self.scenario.jobs for name in gates_of_job(plan)}
        for rule in self.scenario.rules:
            self._gate_names.update(gates_of_rule(rule))
        self._origin = BackendOrigin(self._backend)
        origin = self.upstream or self._origin

        rules = Rules(
            self.scenario.seed,
            lambda rule: service.note_fired(rule),  # noqa: PLW0108 - the service is made below
        )
        rules.load(self.scenario.rules)
        service = Service(
            rules,
            self._journal,
            origin,
            self.scenario.limits,
            tls=self.tls,
            serving=self.scenario.backend.serving,
            claims=self.claims,
            failure=HTTPStatus.INTERNAL_SERVER_ERROR
            if self.upstream is None
            else HTTPStatus.BAD_GATEWAY,
            admits=self._backend.tenants.admits if self.upstream is None else has_credentials,
        )
        self._service = service
        self._backend.on_forgotten = self._forget

    def _forget(self, job: Job) -> None:
        self._origin.forget(job.id)
        self._service.rules.forget(job.id)

    def __repr__(self) -> str:
        count = sum(isinstance(record, RequestReceived) for record in self._journal.records)
        address = self.base_url if self.listener.port else "not running"
        return f"<MockServer {address}, {count_of(count, 'request')} so far>"

    async def __aenter__(self) -> Self:
        await self._host.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.addresses.close()
        await self._host.__aexit__(kind, error, trace)

    @property
    def base_url(self) -> str:
        """The URL for clients, such as `http://127.0.0.1:41234`."""
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://{self.listener.authority}"

    @property
    def port(self) -> int:
        """The port that the server listens on."""
        return self.listener.port

    @property
    def journal(self) -> list[Record]:
        """All records so far."""
        return list(self._journal.records)

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return len(self._host.connections)

    @property
    def bytes_sent(self) -> int:
        """How many bytes have been handed to the kernel so far, on all connections."""
        return self._host.bytes_sent

    @property
    def gates(self) -> Gates:
        """All gates by name."""
        return self._service.gates

    @property
    def gate_names(self) -> frozenset[str]:
        """The names of the gates that the scenario's rules, frames and jobs use or have used."""
        return frozenset(self._gate_names)

    @property
    def on(self) -> On:
        """Begin a rule written in Python, as in `mock.on.stream(attempt=1).status(503)`."""
        return On(self.set_rule)

    def set_rule(self, index: int | None, rule: Rule) -> int:
        """Add a rule, or replace the one with this index; return its index."""
        self.check_rule(rule)
        self._gate_names.update(gates_of_rule(rule))
        if index is None:
            if len(self.rules) >= _MOST_RULES:
                raise ScenarioError(f"rule: there are already {_MOST_RULES}; remove some first")
            return self._service.rules.add(rule)
        self._service.rules.replace(index, rule)
        return index

    def check_rule(self, rule: Rule) -> None:
        """Raise ScenarioError if this server does not support a rule."""
        self._check(Scenario(rules=(rule,)))

    def remove_rule(self, index: int) -> bool:
        """Remove a rule; return False if no rule has this index."""
        return self._service.rules.remove(index)

    @property
    def rules(self) -> list[tuple[int, Rule, int]]:
        """Every active rule, as its index, the rule itself, and how often it has fired."""
        return self._service.rules.in_force

    @property
    def verify(self) -> Verify:
        """Checks on what the client has done so far."""
        return Verify(self.journal, self.rules, self._unopened())

    @property
    def jobs(self) -> Mapping[str, Job]:
        """The backend's jobs, by id."""
        return self._backend.jobs

    def job(self, **words: object) -> Job:
        """Add a job without a create request; the keyword arguments are the keys of `[[job]]`.

        Raise ScenarioError for an invalid argument or for an id that is already in use.
        """
        return self.add_job(JOB.read(words, "job"))

    def add_job(self, plan: JobPlan, *, org: str = "", project: str = "") -> Job:
        """Add a job without a create request; raise ScenarioError if the id is already in use."""
        if self.upstream is not None:
            raise ScenarioError(_NO_JOBS)
        if plan.id is not None and plan.id in self._backend.jobs:
            raise ScenarioError(f"job: the id {plan.id!r} is already in use; choose another")
        self._gate_names.update(gates_of_job(plan))
        try:
            return self._backend.add_job(plan, self._service.clock(), org, project)
        except BackendFull as full:
            raise ScenarioError(f"job: {full}") from None

    def push(self, job_id: str, frame: ScriptedFrame) -> None:
        """Append an event to a job's log; every live stream of the job gets it.

        Raise KeyError for an unknown job and JobEnded if the job has ended.
        """
        self.push_to(self.jobs[job_id], frame)

    def push_to(self, job: Job, frame: ScriptedFrame) -> Frame:
        """Append an event to a job's log, as `push` does, and return its frame.

        Raise JobEnded if the job has ended, and ScenarioError if the event exceeds a memory limit.
        """
        self._gate_names.update(gates_of_frames((frame,)))
        try:
            self._backend.charge(_EVENT_SIZE + weight_of(plain(frame)), job)
        except BackendFull as full:
            raise ScenarioError(f"event: {full}") from None
        return job.push(frame)

    def hold(self, job_id: str) -> Hold:
        """Arm a hold: the next stream of the job pauses between its replay and its live phase.

        Return the hold that is already armed, if there is one. Raise KeyError for an unknown job.
        """
        return self._origin.holds.setdefault(self.jobs[job_id].id, Hold())

    def disarm(self, job_id: str) -> None:
        """Remove the hold that is armed for the next stream of the job, if there is one."""
        self._origin.holds.pop(job_id, None)

    def rule_told(self, index: int) -> str:
        """Describe the rule with this index in plain English."""
        found = next((rule for number, rule, _ in self.rules if number == index), None)
        return "(it was removed)" if found is None else what_it_does(found)

    def gate(self, name: str) -> Gate:
        """Return a gate by its name; it is closed until it is opened."""
        return Gate(self, name)

    def load(self, scenario: Scenario) -> None:
        """Start over on the same port with another scenario, a new backend and counters at zero.

        Also empty the journal, reset all open connections and end any outage. Raise ScenarioError,
        without changing anything, if this server does not support the scenario.
        """
        self._check(scenario)
        # The last records of the old connections must not get into the new journal.
        self._service.journal = Journal()
        self._journal.clear(scenario.limits.records, scenario.limits.journal_bytes)
        self.scenario = scenario
        self._begin()
        self._host.serve_instead(self._service)

    @property
    def connections(self) -> list[int]:
        """The numbers of the open connections."""
        return list(self._host.connections)

    @property
    def record_book(self) -> Journal:
        """The journal itself, for callers that listen to it or start reading at a given record."""
        return self._journal

    async def wait_until(
        self, wanted: Callable[[Record], bool], *, within: float = PATIENCE
    ) -> Record:
        """Return the first record for which `wanted` is true; wait until there is one.

        Raise TimeoutError after `within` seconds; its message lists the requests that arrived.
        """
        return await self._awaited(wanted, within, "the wanted record")

    async def wait_for(
        self,
        route: Route | str,
        *,
        attempt: int = 1,
        frame: int | None = None,
        answered: bool = False,
        ended: bool = False,
        within: float = PATIENCE,
    ) -> Record:
        """Wait for request number `attempt` to a route, or for part of its response.

        `answered` waits for the response head, `frame` for the frame with that index, and `ended`
        for the end of the exchange.
        Raise TimeoutError after `within` seconds, and ScenarioError for a wrong argument.
        """
        words = {"route": str(route), "attempt": attempt, "answered": answered, "ended": ended}
        words |= {} if frame is None else {"frame": frame}
        wanted = MILESTONE.read(words, "wait_for")
        return await self._awaited(wanted, within, str(wanted))

    async def _awaited(self, wanted: Callable[[Record], bool], within: float, what: str) -> Record:
        try:
            return await awaited(self._journal, wanted, within, what)
        except TimeoutError as late:
            raise TimeoutError("; ".join([str(late), *self._unopened()])) from None

    def _unopened(self) -> list[str]:
        return unopened(self.gates.waited_at, self.gates.opened)

    def end_connection(self, number: int, how: Ending = Ending.RST) -> None:
        """End a connection now; raise KeyError if it is not open."""
        self._host.connections[number].end_now(how)

    async def cut(self, about: Callable[[Request], bool], how: Ending = Ending.RST) -> int:
        """End the connections whose current request matches `about`, and wait until they close.

        Return how many connections were ended.
        """
        connections = self._host.connections.values()
        found = [each for each in connections if each.request is not None and about(each.request)]
        for connection in found:
            connection.end_now(how)
        await _closed(found)
        return len(found)

    async def restart(self) -> None:
        """Simulate a restart of the backend.

        Reset every connection, then change the jobs as the scenario's `backend.restart` says.
        """
        await _closed(self._host.reset_all())
        self._backend.restart()

    async def revoke(self, token: str) -> None:
        """Stop accepting a token; if the scenario checks tokens, end the streams that use it."""
        if self._backend.tenants.revoke(token):
            await self.cut(
                lambda request: request.route is Route.STREAM and bearer_of(request) == token,
                Ending.FIN,
            )

    def _check(self, scenario: Scenario) -> None:
        without = frozenset({Capability.TLS_RAW}) if self.tls is None else frozenset[Capability]()
        if self.upstream is None:
            check_capabilities(scenario, MOCK_CAPABILITIES - without, "mock", lacking=LACKING)
            return
        check_capabilities(scenario, PROXY_CAPABILITIES - without, "native proxy", lacking=LACKING)
        if scenario.jobs:
            raise ScenarioError(_NO_JOBS)


async def _closed(connections: Sequence[ServerConnection]) -> None:
    for connection in connections:
        await connection.closed.wait()
