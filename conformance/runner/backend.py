"""The mock backend as the kit sees it: one per case, recorded into the case's one trace.

A backend stays open after its case, to the end of the run, so that a late request has somewhere to
arrive; only where the system allows too few open files does the oldest one close, with a note.
Ports are reused and anything on the machine can connect, so a request is taken for the client's
only if it carries a nonce of the case. One with the nonces of another case goes into that case's
trace, as a late request; any other is a stranger's.
"""

import resource
import socket
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from http import HTTPStatus
from typing import Final, assert_never

import anyio
from anyio.abc import TaskGroup, TaskStatus
from attrs import define, field

from conformance.casefile.model import Case
from conformance.casefile.nonces import Nonces, nonces_in
from conformance.drive.connection import Recorder
from conformance.trace.events import (
    Closed,
    Connected,
    Ended,
    Fact,
    Framed,
    Noted,
    Requested,
    Responded,
    Stranger,
)
from mock_server import (
    ConnectionClosed,
    ConnectionFailed,
    ConnectionOpened,
    ExchangeEnded,
    FrameSent,
    MockServer,
    PortChanged,
    Record,
    RequestReceived,
    RequestRejected,
    ResponseStarted,
    RuleFired,
    Scenario,
    ScriptedFrame,
    UpstreamFailed,
)
from mock_server.net.listener import Listener
from mock_server.redaction import redacted_value
from mock_server.requests import Request
from mock_server.strict.words import changed

_FILES_EACH: Final = 2
"""Files of a backend without connections: its port and the placeholder for it."""
_FILES_BESIDE: Final = 256
"""For drivers, connections of cases under way, reports."""
_PORT: Final = "{port}"
_MOST_STRANGE: Final = 30
"""So many requests of other programs, and connections without a request, are shown for a case."""
_EVENTS_OF_A_CONNECTION: Final = 2


@define
class CaseBackend:
    """One case's backend, open until the run ends."""

    _mock: MockServer = field(alias="mock")
    _recorder: Recorder = field(alias="recorder")
    done: anyio.Event
    _jobs: list[str] = field(factory=list[str], alias="jobs")

    @property
    def base_url(self) -> str:
        """Where the client finds it."""
        return self._mock.base_url

    def push(self, frames: Sequence[ScriptedFrame]) -> None:
        """Append events to the log of the job that was last asked about."""
        for frame in frames:
            self._mock.push(self._jobs[-1], frame)

    def open_gate(self, name: str) -> None:
        """Let whatever waits at a gate go on."""
        self._recorder.add(Noted("kit", f"opens the gate {name}"))
        self._mock.gate(name).open()


def _with_port(scenario: Scenario) -> tuple[Scenario, Listener]:
    """Fill the port in: a scenario that redirects to another origin must name it."""
    ports: list[int] = []

    def change(part: object) -> object:
        if not isinstance(part, str) or _PORT not in part:
            return part
        if not ports:
            ports.append(_free_port())
        return part.replace(_PORT, str(ports[0]))

    found = changed(scenario, change)
    if not isinstance(found, Scenario):
        raise TypeError(found)
    return found, Listener(port=ports[0]) if ports else Listener()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _as_utf8(value: str) -> str:
    """Read a header's bytes as UTF-8; the mock keeps them as Latin-1."""
    return value.encode("latin-1").decode("utf-8", "replace")


def _headers(request: Request) -> tuple[tuple[str, str], ...]:
    """Return the header fields of a request, without its credentials."""
    return tuple(
        (name, redacted_value(name, value) if name == "authorization" else _as_utf8(value))
        for name, value in request.headers
    )


@define
class Backends:
    """All backends of a run."""

    _group: TaskGroup = field(alias="group")
    most: int
    """So many stay open after their case."""
    _over: deque[anyio.Event] = field(factory=deque[anyio.Event], init=False)
    _known: dict[str, "_Recording"] = field(factory=dict[str, "_Recording"], init=False)
    """Who to tell of a request, by the nonce that it carries."""

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, count: int, note: Callable[[str], None]
    ) -> AsyncGenerator["Backends", None]:
        """Hold `count` backends open until the end of the block, or as many as the system lets."""
        most = _affordable(count)
        if most < count:
            needed = count * _FILES_EACH + _FILES_BESIDE
            note(
                f"open files are limited: a late request is noticed in the newest {most} cases, "
                f"not in all {count} (ulimit -n {needed} would do)"
            )
        async with anyio.create_task_group() as group:
            yield cls(group, most)
            group.cancel_scope.cancel()

    async def open(
        self, case: Case, nonces: Nonces, recorder: Recorder, drain: Callable[[], None]
    ) -> CaseBackend:
        """Open the backend of a case; raises ScenarioError for what the mock cannot carry.

        `drain` is called before anything that the client caused is recorded, so that messages which
        the driver sent earlier come first in the trace.
        """
        scenario, listener = _with_port(case.server.scenario)
        recording = self._known[nonces.nonce] = _Recording(recorder, drain)
        claims = partial(self._claims, nonces)
        mock = MockServer(scenario, recording.take, listener=listener, claims=claims)
        recorder.bytes_sent = lambda: mock.bytes_sent
        done = anyio.Event()
        await self._group.start(_serve, mock, done)
        return CaseBackend(mock, recorder, done, recording.jobs)

    def _claims(self, nonces: Nonces, request: Request) -> bool:
        """Tell whether a request is the case's own; write down what is not."""
        target, body = request.target, request.body.decode("utf-8", "replace")
        authorization = request.header("authorization") or ""
        if nonces.claim(target, authorization, body):
            self._known[nonces.nonce].claimed = request
            return True
        late = [self._known[n] for n in nonces_in(target, authorization, body) if n in self._known]
        if late:
            late[0].take_late(request)
        else:
            self._known[nonces.nonce].take_strange(request)
        return False

    def release(self, backend: CaseBackend) -> None:
        """Keep the backend of a case that is over."""
        self._over.append(backend.done)
        if len(self._over) > self.most:
            self._over.popleft().set()


def _affordable(count: int) -> int:
    """Allow this process as many open files as it may have, and return how many backends fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = count * _FILES_EACH + _FILES_BESIDE
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        with suppress(OSError, ValueError):  # some systems allow less than they say
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return count
    return max(min(count, (soft - _FILES_BESIDE) // _FILES_EACH), 1)


async def _serve(mock: MockServer, done: anyio.Event, *, task_status: TaskStatus[None]) -> None:
    async with mock:
        task_status.started()
        await done.wait()


@define
class _Recording:
    """What becomes of the records of one backend.

    A program that knocks without end must neither fill the trace nor keep the case alive: what is
    known to be of others is counted apart, and left out once there was much of it.
    """

    recorder: Recorder
    drain: Callable[[], None]
    jobs: list[str] = field(factory=list[str])
    claimed: Request | None = field(default=None, init=False, repr=False)
    """The request that the mock is about to report. The case judges exactly what was sent, and the
    mock's journal has it only without anything that may be a secret."""
    _carried: dict[int, list[str]] = field(factory=dict[int, list[str]], alias="carried")
    _held: set[int] = field(factory=set[int], init=False)
    """Connections that are not shown until they carry a request of the case."""
    _idle: int = field(default=0, init=False)
    """How many connections closed that had carried nothing of the case."""
    _strange: int = field(default=0, init=False)

    def take(self, record: Record) -> None:
        """Record what the mock reports, after what the driver has already said."""
        if isinstance(record, RequestReceived | ConnectionClosed):
            self.drain()
        fact = self._fact(record)
        if fact is not None:
            self.recorder.add(fact)

    def _fact(  # noqa: C901, PLR0911 - one arm per record
        self, record: Record
    ) -> Fact | None:
        match record:
            case ConnectionOpened(connection=connection):
                return self._opened(connection)
            case RequestReceived():
                return self._request(record)
            case RequestRejected(status=HTTPStatus.MISDIRECTED_REQUEST):
                return None  # noted where it was found out whose it is
            case RequestRejected(status=status, why=why):
                few = self._idle < _MOST_STRANGE
                return Noted("backend", f"answers {status}: {why}") if few else None
            case ResponseStarted(route=route, attempt=attempt, status=status):
                return Responded(route.value, attempt, status)
            case FrameSent(route=route, attempt=attempt, index=index, id=id_, event=event):
                return Framed(route.value, attempt, index, id_, event, record.data)
            case ExchangeEnded(route=route, attempt=attempt, how=how, by=by):
                return Ended(route.value, attempt, how, by)
            case ConnectionClosed(connection=connection, how=how, by=by):
                return self._closed(Closed(connection, how, by, self._exchanges(connection)))
            case ConnectionFailed(error=error, where=where):
                return Noted("backend", f"fails: {error} at {where}")
            case RuleFired() | PortChanged() | UpstreamFailed():
                return None
            case _:
                assert_never(record)

    def _opened(self, connection: int) -> Fact | None:
        if self._idle < _MOST_STRANGE:
            return Connected(connection)
        self._held.add(connection)
        return None

    def _exchanges(self, connection: int) -> tuple[str, ...]:
        return tuple(self._carried.pop(connection, ()))

    def _closed(self, closed: Closed) -> Fact | None:
        if closed.exchanges:
            return closed
        self._idle += 1
        if closed.connection in self._held:
            self._held.discard(closed.connection)
            return None
        self.recorder.foreign += _EVENTS_OF_A_CONNECTION
        return closed

    def take_strange(self, request: Request) -> None:
        """Show a request of another program, unless there were many."""
        self._strange += 1
        if self._strange <= _MOST_STRANGE:
            self.recorder.foreign += 1
            self.recorder.add(Stranger(request.method, request.target.partition("?")[0]))
        elif self._strange == _MOST_STRANGE + 1:
            self.recorder.add(Noted("kit", "leaves out what other programs ask from here on"))

    def take_late(self, request: Request) -> None:
        """Record a request of this case that reached the backend of another one."""
        route = request.route.value
        before = sum(1 for _, fact in self.recorder.trace.of(Requested) if fact.route == route)
        self.recorder.add(
            Requested(
                route=route,
                attempt=before + 1,
                method=request.method,
                target=request.target,
                headers=_headers(request),
                body=request.body.decode("utf-8", "replace"),
                connection=0,
            )
        )

    def _request(self, record: RequestReceived) -> Requested:
        exchange = f"{record.route.value}#{record.attempt}"
        if record.connection in self._held:
            self._held.discard(record.connection)
            self.recorder.add(Connected(record.connection))
        self._carried.setdefault(record.connection, []).append(exchange)
        request, self.claimed = self.claimed, None
        if request is None:
            raise RuntimeError("the mock reports a request that no case has claimed")
        if request.job is not None:
            self.jobs.append(request.job)
        return Requested(
            route=record.route.value,
            attempt=record.attempt,
            method=record.method,
            target=request.target,
            headers=_headers(request),
            body=request.body.decode("utf-8", "replace"),
            connection=record.connection,
        )
