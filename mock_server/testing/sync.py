"""The mock for synchronous tests: a `MockServer` on an event loop in another thread."""

from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal
from attrs import define, field, frozen

from mock_server.backend.jobs import Job
from mock_server.journal.records import Record
from mock_server.journal.verify import Verify
from mock_server.journal.waiting import PATIENCE
from mock_server.net.handoff import Hold
from mock_server.net.kernel import LOOP
from mock_server.net.names.addresses import Addresses
from mock_server.scenario.builder import On
from mock_server.scenario.model import JOB, Scenario
from mock_server.scenario.vocabulary import FRAME
from mock_server.scenario.words.end import Ending
from mock_server.server import MockServer


@frozen
class SyncGate:
    """One gate, which a test opens and closes from its own thread."""

    _portal: BlockingPortal = field(repr=False)
    _server: MockServer = field(repr=False)
    name: str

    def open(self) -> None:
        """Open the gate, as `Gate.open` does."""
        self._portal.call(self._server.gate(self.name).open)

    def shut(self) -> None:
        """Close the gate, as `Gate.shut` does."""
        self._portal.call(self._server.gate(self.name).shut)


@frozen
class SyncHold:
    """Holds a stream between its replay and its live phase; for use from the test's thread."""

    _portal: BlockingPortal = field(repr=False)
    _hold: Hold = field(repr=False)

    def held(self, *, within: float = PATIENCE) -> None:
        """Wait until a stream is held; raise TimeoutError after `within` seconds."""

        async def wait() -> None:
            with anyio.fail_after(within):
                await self._hold.held()

        self._portal.call(wait)

    def release(self) -> None:
        """Release the stream, as `Hold.release` does."""
        self._portal.call(self._hold.release)


@define(eq=False, repr=False)
class SyncMock:
    """The methods of `MockServer`, for a test that runs in a different thread from the server."""

    _portal: BlockingPortal = field(repr=False)
    _server: MockServer = field(repr=False)

    def __repr__(self) -> str:
        return repr(self._server).replace("MockServer", "SyncMock", 1)

    @property
    def base_url(self) -> str:
        """The URL for clients."""
        return self._server.base_url

    @property
    def scenario(self) -> Scenario:
        """The scenario that is loaded."""
        return self._server.scenario

    @property
    def journal(self) -> list[Record]:
        """All records in the journal so far."""
        return self._server.journal

    def rule_told(self, index: int) -> str:
        """Describe the rule with this index in plain English."""
        return self._server.rule_told(index)

    @property
    def addresses(self) -> Addresses:
        """URLs that are hard or impossible to reach, as in `MockServer.addresses`."""
        return self._server.addresses

    @property
    def open_connections(self) -> int:
        """How many connections are open now."""
        return self._server.open_connections

    @property
    def on(self) -> On:
        """Begin a rule written in Python, as in `mock.on.stream(attempt=1).status(503)`."""
        return On(lambda index, rule: self._portal.call(self._server.set_rule, index, rule))

    @property
    def verify(self) -> Verify:
        """Checks on what the client has done so far."""
        return self._server.verify

    @property
    def jobs(self) -> Mapping[str, Job]:
        """The backend's jobs by id; read them, but do not change them."""
        return self._server.jobs

    def job(self, **words: object) -> Job:
        """Add a job without a create request; the arguments are the keys of a `[[job]]`."""
        return self._portal.call(self._server.add_job, JOB.read(words, "job"))

    def push(self, job_id: str, **frame: object) -> None:
        """Append an event to a job's log; `frame` has the keys of a frame in a scenario.

        Every live stream of the job gets the event.
        """
        self._portal.call(self._server.push, job_id, FRAME.read(frame, "event"))

    def gate(self, name: str) -> SyncGate:
        """Return a gate by its name; it is closed until it is opened."""
        return SyncGate(self._portal, self._server, name)

    def hold(self, job_id: str) -> SyncHold:
        """Arm a hold as `MockServer.hold` does; raise KeyError for an unknown job."""
        return SyncHold(self._portal, self._portal.call(self._server.hold, job_id))

    def end_connection(self, number: int, how: str = "rst") -> None:
        """End a connection now; raise KeyError if it is not open."""
        self._portal.call(self._server.end_connection, number, Ending(how))

    def wait_for(
        self,
        route: str,
        *,
        attempt: int = 1,
        frame: int | None = None,
        answered: bool = False,
        ended: bool = False,
        within: float = PATIENCE,
    ) -> Record:
        """Wait for a request or a part of its response, as `MockServer.wait_for` does."""
        wait = partial(
            self._server.wait_for,
            route,
            attempt=attempt,
            frame=frame,
            answered=answered,
            ended=ended,
            within=within,
        )
        return self._portal.call(wait)

    def wait_until(self, wanted: Callable[[Record], bool], *, within: float = PATIENCE) -> Record:
        """Wait for a record that is `wanted`, as `MockServer.wait_until` does."""
        return self._portal.call(partial(self._server.wait_until, wanted, within=within))


@contextmanager
def mock_in(portal: BlockingPortal, scenario: Scenario) -> Generator[SyncMock, None, None]:
    """Run a server on a portal's event loop for the duration of a `with` block."""
    server = MockServer(scenario)
    with portal.wrap_async_context_manager(server):
        yield SyncMock(portal, server)


def start_portal() -> AbstractContextManager[BlockingPortal]:
    """Run an event loop for mocks in a new thread, for the duration of a `with` block."""
    return start_blocking_portal(backend_options=LOOP)


@contextmanager
def mock_in_thread(scenario: Scenario | None = None) -> Generator[SyncMock, None, None]:
    """Run a server in a new thread for the duration of a `with` block."""
    with (
        start_portal() as portal,
        mock_in(portal, scenario or Scenario()) as mock,
    ):
        yield mock
