"""The mock backends of a run: one per case, recorded in the trace of the case.

A backend stays open after its case until the end of the run, so that late requests are noticed. If
the limit on open files is too low for that, a note says so, and the oldest backends are closed
early. Ports are reused, and any program can connect, so a request counts as the client's only if it
contains the nonce of the case, or the case's own token. A request with the nonce of another case is
recorded in that case, as a late request; a request without a known nonce comes from another
program.
"""

import errno
import socket
import sys
from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Final

import anyio
from anyio.abc import TaskGroup, TaskStatus
from attrs import define, field

from conformance.casefile.model import Case
from conformance.casefile.nonces import Nonces, nonces_in
from conformance.drive.recorder import Recorder
from conformance.runner.recording import Recording
from conformance.trace.events import Noted
from mock_server import MockServer, Scenario, ScriptedFrame
from mock_server.net.kernel import MOST_SOCKETS
from mock_server.net.listener import Listener
from mock_server.requests import Request
from mock_server.strict.words import changed

if sys.platform != "win32":
    import resource

_FILES_EACH: Final = 2
"""What an idle backend keeps open: a listening socket, and one that reserves the port."""
_FILES_BESIDE: Final = 256
"""Files needed for everything except backends: drivers, connections of running cases, reports."""
_FILES_WANTED: Final = 1024
"""The number of files to reserve for everything except backends; enough for many drivers."""
_PORT: Final = "{port}"
_PORTS_TRIED: Final = 5


@define
class CaseBackend:
    """The backend of one case, open until the run ends."""

    _mock: MockServer = field(alias="mock")
    _recorder: Recorder = field(alias="recorder")
    done: anyio.Event
    _jobs: list[str] = field(factory=list[str], alias="jobs")

    @property
    def base_url(self) -> str:
        """The URL for the client."""
        return self._mock.base_url

    def push(self, frames: Sequence[ScriptedFrame]) -> None:
        """Append events to the log of the last job that a request has named."""
        for frame in frames:
            self._mock.push(self._jobs[-1], frame)

    def open_gate(self, name: str) -> None:
        """Open a gate, so that whatever is waiting at it continues."""
        self._recorder.add(Noted("kit", f"opens the gate {name}"))
        self._mock.gate(name).open()


def _with_port(scenario: Scenario) -> tuple[Scenario, Listener]:
    """Fill in the backend's port, which a scenario needs for redirects to another origin."""
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


@define
class Backends:
    """All backends of a run."""

    _group: TaskGroup = field(alias="group")
    most: int
    """How many backends can stay open after their cases."""
    spare_files: int
    """The number of files that the process may open for drivers and their connections."""
    _over: deque[anyio.Event] = field(factory=deque[anyio.Event], init=False)
    _known: dict[str, Recording] = field(factory=dict[str, Recording], init=False)
    """The recording of each case, by the case's nonce."""

    @classmethod
    @asynccontextmanager
    async def opened(
        cls, count: int, note: Callable[[str], None]
    ) -> AsyncGenerator["Backends", None]:
        """Keep up to `count` backends open until the block ends, or as many as the system allows."""
        most, spare = _affordable(count)
        if most < count:
            needed = count * _FILES_EACH + _FILES_BESIDE
            more = f" (ulimit -n {needed} would be enough)" if MOST_SOCKETS is None else ""
            note(
                f"the limit on open files is too low: only {most} of {count} backends can stay open "
                f"until the end of the run, to catch late requests{more}"
            )
        async with anyio.create_task_group() as group:
            yield cls(group, most, spare)
            group.cancel_scope.cancel()

    async def open(
        self, case: Case, nonces: Nonces, recorder: Recorder, drain: Callable[[], None]
    ) -> CaseBackend:
        """Open the backend of a case; raise ScenarioError for a fault that the mock cannot inject.

        `drain` is called before each action of the client is recorded, so that messages that the
        driver sent earlier come first in the trace.
        """
        recording = self._known[nonces.nonce] = Recording(recorder, drain)
        claims = partial(self._claims, nonces)
        for _ in range(_PORTS_TRIED - 1):
            try:
                return await self._serve(case, recording, claims)
            except OSError as error:
                # Another program took the port after it was found to be free.
                if error.errno != errno.EADDRINUSE:
                    raise
        return await self._serve(case, recording, claims)

    async def _serve(
        self, case: Case, recording: Recording, claims: Callable[[Request], bool]
    ) -> CaseBackend:
        scenario, listener = _with_port(case.server.scenario)
        mock = MockServer(scenario, recording.take, listener=listener, claims=claims)
        done = anyio.Event()
        await self._group.start(_serve, mock, done)
        recording.recorder.bytes_sent = lambda: mock.bytes_sent
        return CaseBackend(mock, recording.recorder, done, recording.jobs)

    def _claims(self, nonces: Nonces, request: Request) -> bool:
        """Return whether a request belongs to the case; if not, record it as late or foreign."""
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
        """Keep the backend of a finished case open; if that makes too many, close the oldest."""
        self._over.append(backend.done)
        if len(self._over) > self.most:
            self._over.popleft().set()


def _affordable(count: int) -> tuple[int, int]:
    """Raise this process's limit on open files as far as necessary and possible.

    Return how many backends fit, and how many open files they leave for other uses.
    """
    if MOST_SOCKETS is not None:
        return min(count, MOST_SOCKETS), MOST_SOCKETS // 2
    if sys.platform != "win32":
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = count * _FILES_EACH + _FILES_WANTED
        if soft != resource.RLIM_INFINITY and soft < wanted:
            soft = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
            with suppress(OSError, ValueError):  # some systems allow less than they report
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft != resource.RLIM_INFINITY:
            most = max(min(count, (soft - _FILES_BESIDE) // _FILES_EACH), 1)
            return most, soft - most * _FILES_EACH
    return count, _FILES_WANTED


async def _serve(mock: MockServer, done: anyio.Event, *, task_status: TaskStatus[None]) -> None:
    async with mock:
        task_status.started()
        await done.wait()
