"""The mock backend as one object: a port, a backend, the rules, the journal and its controls."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Final, Self

from attrs import define, field, frozen

from mock_server.backend import Backend, BackendFull, Job
from mock_server.faults.rules import Rules
from mock_server.journal.records import Journal, Record
from mock_server.journal.verify import Verify
from mock_server.journal.waiting import MILESTONE, PATIENCE, awaited
from mock_server.net.addresses import Addresses
from mock_server.net.host import Host
from mock_server.net.listener import Listener
from mock_server.net.service import BackendOrigin, Gates, Origin, Service
from mock_server.net.tls import TlsSettings
from mock_server.proxy.origin import PROXY_CAPABILITIES
from mock_server.requests import Claims, has_credentials
from mock_server.scenario.builder import On
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
from mock_server.strict.shapes import ScenarioError
from mock_server.strict.words import plain
from mock_server.weights import weight_of

_MOST_RULES: Final = 10_000
_EVENT_SIZE: Final = 512
MOCK_CAPABILITIES: Final = frozenset(Capability)


@frozen
class Gate:
    """One gate of one server, of whatever scenario is loaded."""

    _server: "MockServer" = field(repr=False)
    name: str

    def open(self) -> None:
        """Let everyone who waits pass, and who comes later too.

        Raises ScenarioError when no rule, no frame and no job waits at a gate of this name.
        """
        check_gate(self.name, self._server.gate_names)
        self._server.gates.open(self.name)

    def shut(self) -> None:
        """Close the gate for those who come later; raises ScenarioError as `open` does."""
        check_gate(self.name, self._server.gate_names)
        self._server.gates.shut(self.name)

    @property
    def is_open(self) -> bool:
        """Whether it lets pass."""
        return self._server.gates.is_open(self.name)


@define(eq=False)
class MockServer:
    """A programmable backend on a port of its own, from `async with` to its end.

    Works on asyncio and trio; many can live in one process. Raises ScenarioError for a scenario
    that it cannot carry.
    """

    scenario: Scenario = field(factory=Scenario)
    on_record: Callable[[Record], None] | None = None
    listener: Listener = field(factory=Listener, kw_only=True)
    upstream: Origin | None = field(default=None, kw_only=True)
    """A real backend instead of the mock's own: then this is the native proxy."""
    tls: TlsSettings | None = field(default=None, kw_only=True)
    """Certificates: then it speaks TLS only."""
    claims: Claims | None = field(default=None, kw_only=True)
    """Which requests are meant for this server; None claims them all.

    It is called on the event loop with every whole request, credentials included, before the
    request is counted. False means that another process has found the port by chance: the request
    gets a 421 and its connection is closed. It takes no attempt number, no rule and no job, and
    the journal has a `RequestRejected` for it. TCP connections are numbered as they are accepted,
    before their first request: an unclaimed one takes its number in `on.connection` too. The
    callable outlives `load()`.
    """
    addresses: Addresses = field(factory=Addresses, init=False)
    """URLs that a live server cannot be: refused, unknown to DNS, silent."""
    _journal: Journal = field(init=False)
    _backend: Backend = field(init=False)
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
        """Make everything that lives as long as one scenario is loaded."""
        self._backend = Backend(self.scenario)
        self._gate_names = {name for plan in self.scenario.jobs for name in gates_of_job(plan)}
        for rule in self.scenario.rules:
            self._gate_names.update(gates_of_rule(rule))
        origin = self.upstream or BackendOrigin(self._backend)

        def fired(rule: int) -> None:
            service.note_fired(rule)

        rules = Rules(self.scenario.seed, fired)
        rules.load(self.scenario.rules)
        service = Service(
            rules,
            self._journal,
            origin,
            self.scenario.limits,
            tls=self.tls,
            claims=self.claims,
            admits=self._backend.admits if self.upstream is None else has_credentials,
        )
        if self.upstream is not None:
            service.failure = HTTPStatus.BAD_GATEWAY
        self._service = service

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
        """Where clients find it, such as `http://127.0.0.1:41234`."""
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://{self.listener.authority}"

    @property
    def port(self) -> int:
        """The port that the operating system gave."""
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
    def gates(self) -> Gates:
        """All gates by name."""
        return self._service.gates

    @property
    def gate_names(self) -> frozenset[str]:
        """The gates that rules, frames and jobs of this scenario wait at, or have waited at."""
        return frozenset(self._gate_names)

    @property
    def on(self) -> On:
        """Where rules written in Python begin."""
        return On(self.set_rule)

    def set_rule(self, index: int | None, rule: Rule) -> int:
        """Put a rule in force, or change the one of this index; returns its index."""
        self._check(Scenario(rules=(rule,)))
        self._gate_names.update(gates_of_rule(rule))
        if index is None:
            if len(self.rules) >= _MOST_RULES:
                raise ScenarioError(f"rule: there are {_MOST_RULES} already; remove some")
            return self._service.rules.add(rule)
        self._service.rules.replace(index, rule)
        return index

    def remove_rule(self, index: int) -> bool:
        """Take a rule out of force; False when there is none of this index."""
        return self._service.rules.remove(index)

    @property
    def rules(self) -> list[tuple[int, Rule, int]]:
        """Every rule in force: its index, the rule, how often it has acted."""
        return self._service.rules.in_force

    @property
    def verify(self) -> Verify:
        """Verdicts on what came so far."""
        gates = self._service.gates
        return Verify(self.journal, self.rules, unopened(gates.waited_at, gates.opened))

    @property
    def jobs(self) -> Mapping[str, Job]:
        """Every job of the backend by its id."""
        return self._backend.jobs

    def job(self, **words: object) -> Job:
        """Make a job that exists without a create, from the words of `[[job]]`.

        Raises ScenarioError for a wrong word and for an id that exists.
        """
        return self.add_job(JOB.read(words, "job"))

    def add_job(self, plan: JobPlan) -> Job:
        """Make a job that exists without a create; raises ScenarioError for an id that exists."""
        if self.upstream is not None:
            raise ScenarioError("job: the native proxy has no jobs, they are the real backend's")
        if plan.id is not None and plan.id in self._backend.jobs:
            raise ScenarioError(f"job: the id {plan.id!r} exists already; ids are unique")
        self._gate_names.update(gates_of_job(plan))
        try:
            return self._backend.add_job(plan, self._service.clock())
        except BackendFull as full:
            raise ScenarioError(f"job: {full}") from None

    def push(self, job_id: str, frame: ScriptedFrame) -> None:
        """Append an event to a job's log, and so to every live stream of it.

        Raises KeyError for an unknown job and JobEnded when its log is closed.
        """
        self.push_to(self.jobs[job_id], frame)

    def push_to(self, job: Job, frame: ScriptedFrame) -> Frame:
        """Append an event to a job's log; raises JobEnded, and ScenarioError if it has no room."""
        self._gate_names.update(gates_of_frames((frame,)))
        try:
            self._backend.charge(_EVENT_SIZE + weight_of(plain(frame)))
        except BackendFull as full:
            raise ScenarioError(f"event: {full}") from None
        return job.push(frame)

    def gate(self, name: str) -> Gate:
        """Return a gate that stalls wait at; it is closed until opened."""
        return Gate(self, name)

    def load(self, scenario: Scenario) -> None:
        """Start over with another scenario on the same port: new backend, rules and counts.

        The journal is emptied, open connections are reset, an outage is over. Raises
        ScenarioError, and then nothing has changed.
        """
        self._check(scenario)
        # What the old connections still have to say goes into a book that nobody reads.
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
        """The journal itself, to listen to or to read from a record on."""
        return self._journal

    async def wait_until(
        self, wanted: Callable[[Record], bool], *, within: float = PATIENCE
    ) -> Record:
        """Wait for a record, past or to come, that satisfies `wanted`; returns it.

        Raises TimeoutError after `within` seconds, which says what came instead.
        """
        return await self._awaited(wanted, within, "what was waited for")

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
        """Wait for the request of a route and attempt, or for how far its answer got.

        With `answered` for its head, with `frame` for the frame of that index, with `ended` for its
        end. Raises TimeoutError after `within` seconds, and ScenarioError for a wrong word.
        """
        words = {"route": str(route), "attempt": attempt, "answered": answered, "ended": ended}
        words |= {} if frame is None else {"frame": frame}
        wanted = MILESTONE.read(words, "wait_for")
        return await self._awaited(wanted, within, str(wanted))

    async def _awaited(self, wanted: Callable[[Record], bool], within: float, what: str) -> Record:
        try:
            return await awaited(self._journal, wanted, within, what)
        except TimeoutError as late:
            gates = self._service.gates
            shut = unopened(gates.waited_at, gates.opened)
            raise TimeoutError("; ".join([str(late), *shut])) from None

    def end_connection(self, number: int, how: Ending = Ending.RST) -> None:
        """End a connection now; raises KeyError when it is not open."""
        self._host.connections[number].end_now(how)

    def _check(self, scenario: Scenario) -> None:
        without = frozenset({Capability.TLS_RAW}) if self.tls is None else frozenset[Capability]()
        if self.upstream is None:
            check_capabilities(scenario, MOCK_CAPABILITIES - without, "mock")
            return
        check_capabilities(scenario, PROXY_CAPABILITIES - without, "native proxy")
        if scenario.jobs:
            raise ScenarioError("job: the native proxy has no jobs, they are the real backend's")
