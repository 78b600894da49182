"""The admin API at `/__mock__/v1`: checks permissions, and starts and stops servers.

Like the backend, it is an `Origin`, but it has its own listener: a simulated outage closes the port
of a server, and the admin API must stay reachable.
"""

import hmac
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import islice
from types import TracebackType
from typing import Final, Self
from urllib.parse import unquote

import anyio
from anyio.abc import TaskGroup, TaskStatus
from attrs import define, field

from arkor_proto import __version__
from mock_server.admin.control import control, scenario_of
from mock_server.admin.journal import Polls
from mock_server.admin.openapi import description
from mock_server.admin.operations import OPERATIONS, Operation, operation_of
from mock_server.admin.page import page
from mock_server.admin.requests import PREFIX, ROOT, Refusal, no_route, shown_word
from mock_server.admin.terminal import LiveLog
from mock_server.backend.answers import JSON_TYPE, Reply, refuse, reply_json
from mock_server.faults.head import HeadPlan
from mock_server.faults.response import Head, phrase_of
from mock_server.faults.rules import Rules
from mock_server.journal.journal import Journal
from mock_server.journal.records import ConnectionFailed, record_to_dict
from mock_server.net.host import Host
from mock_server.net.listener import Listener
from mock_server.net.names.host_names import HostNames
from mock_server.net.origin import Answered, Origin, Reports, answered_with
from mock_server.net.service import Service
from mock_server.net.tls.settings import TlsSettings
from mock_server.requests import Request
from mock_server.scenario.model import Limits, Scenario
from mock_server.scenario.words.end import Ending
from mock_server.server import MockServer
from mock_server.sse import Frame
from mock_server.strict.shapes import ScenarioError

_MOST_SERVERS: Final = 1000
_READING: Final = frozenset({"GET", "HEAD"})


@define(eq=False)
class Fleet:
    """The servers of one process, each in its own task."""

    host: str
    group: TaskGroup
    upstream: Origin | None = None
    tls: TlsSettings | None = None
    log: LiveLog | None = None
    servers: dict[str, MockServer] = field(factory=dict[str, MockServer], init=False)
    _stops: dict[str, tuple[anyio.Event, anyio.Event]] = field(
        factory=dict[str, tuple[anyio.Event, anyio.Event]], init=False
    )
    _started: int = field(default=0, init=False)

    async def start(self, scenario: Scenario, port: int = 0) -> str:
        """Start a server and return its name; raise OSError if the port is taken."""
        server = MockServer(
            scenario,
            listener=Listener(self.host, port),
            upstream=self.upstream,
            tls=self.tls,
        )
        server.listener.open()
        self._started += 1
        name = str(self._started)
        stops = (anyio.Event(), anyio.Event())
        self.servers[name], self._stops[name] = server, stops
        if self.log is not None:
            self.log.follow(name, server)
        await self.group.start(self._run, server, stops)
        return name

    async def _run(
        self,
        server: MockServer,
        stops: tuple[anyio.Event, anyio.Event],
        *,
        task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        async with server:
            task_status.started()
            await stops[0].wait()
        stops[1].set()

    async def stop(self, name: str) -> None:
        """Stop a server and wait until its port is free; raise KeyError for an unknown name."""
        del self.servers[name]
        if self.log is not None:
            self.log.forget(name)
        wanted, done = self._stops.pop(name)
        wanted.set()
        await done.wait()


@define(eq=False)
class LastWords:
    """The response to a shutdown request; the shutdown begins once it has been sent."""

    _shutdown: anyio.Event
    end: Ending = field(default=Ending.EOF, init=False)
    _sent: bool = field(default=False, init=False)

    async def next(self, limit: int, *, whole: bool = True) -> Sequence[Frame]:
        """Return the body on the first call, and nothing after that."""
        del limit, whole
        sent, self._sent = self._sent, True
        return () if sent else (Frame(b'{"ok":true}'),)

    async def aclose(self) -> None:
        """Set the event that ends the process."""
        self._shutdown.set()


@define(eq=False)
class AdminOrigin:
    """Serves `/__mock__/v1`. Writes need the token; reads need it if `reads_need_token` is set."""

    fleet: Fleet
    token: str = field(repr=False)
    reads_need_token: bool
    names: HostNames
    shutdown: anyio.Event
    failures: Journal
    """The journal of the admin API's own connections."""
    polls: Polls = field(factory=Polls, init=False)

    async def answer(self, request: Request, plan: HeadPlan, reports: Reports) -> Answered:
        """Answer one request to the admin API."""
        del plan, reports
        try:
            answer = await self._answer(request)
        except Refusal as refusal:
            answer = refusal.reply
        except ScenarioError as error:
            # A mistake about the body as a whole has no place before its colon.
            answer = refuse(400, str(error).removeprefix(": "))
        return answer if isinstance(answer, Answered) else answered_with(answer)

    async def _answer(self, request: Request) -> Reply | Answered:
        self._check_sender(request)
        if request.method == "GET" and request.target.partition("?")[0] in {ROOT, f"{ROOT}/"}:
            return page()
        segments = [unquote(part) for part in self._path(request).split("/")]
        self._check_token(request, operation_of(request.method, segments))
        return await self._dispatch(request, segments)

    def _check_sender(self, request: Request) -> None:
        """Refuse requests from other web pages; browsers always send the true Host and Origin."""
        host = request.header("host") or ""
        if not self.names.admit(host):
            raise Refusal(
                403,
                "the Host header does not name this server; allow its name with --allow-host NAME",
            )
        if request.header("origin") not in {None, f"http://{host}", f"https://{host}"}:
            raise Refusal(
                403,
                "other web pages cannot use the admin API; send the request without an Origin header",
            )

    def _check_token(self, request: Request, operation: Operation | None) -> None:
        reads = request.method in _READING and (operation is None or not operation.needs_token)
        if (self.reads_need_token or not reads) and not self.admits(request):
            raise Refusal(401, "the token is missing or wrong; use the one printed at start-up")
        if operation is None:
            raise no_route(request.method, self._path(request).split("/"))

    def admits(self, request: Request) -> bool:
        """Return whether a request carries the admin API's token."""
        given = (request.header("authorization") or "").removeprefix("Bearer ")
        return hmac.compare_digest(given.encode(), self.token.encode())

    def _path(self, request: Request) -> str:
        path = request.target.partition("?")[0]
        if path != PREFIX and not path.startswith(PREFIX + "/"):
            raise Refusal(404, f"no route {shown_word(path)}; GET {PREFIX} lists every operation")
        return path.removeprefix(PREFIX).removeprefix("/")

    async def _dispatch(self, request: Request, segments: list[str]) -> Reply | Answered:
        match request.method, segments:
            case "GET", [name]:
                return self._about_all(name)
            case "POST", ["shutdown"]:
                return Answered(Head(202, phrase_of(202), JSON_TYPE), LastWords(self.shutdown))
            case "POST", ["servers"]:
                return await self._start(request)
            case method, ["servers", name, *rest]:
                return await self._about(method, name, rest, request)
            case _:
                raise no_route(request.method, segments)

    def _about_all(self, name: str) -> Reply:
        match name:
            case "":
                found = self._index()
            case "openapi.json":
                found = dict(description(PREFIX))
            case "authorized":
                found = {"ok": True}
            case "health":
                found = {"ok": True, "servers": len(self.fleet.servers)}
            case "failures":
                failures = (r for r in self.failures.records if isinstance(r, ConnectionFailed))
                found = {"failures": [record_to_dict(record) for record in failures]}
            case "servers":
                found = {"servers": [self._shown(each) for each in self.fleet.servers]}
            case _:
                raise no_route("GET", [name])
        return reply_json(200, found)

    def _index(self) -> dict[str, object]:
        return {
            "name": "arkor-mock",
            "version": __version__,
            "page": f"{ROOT}/",
            "openapi": f"{PREFIX}/openapi.json",
            "servers": [self._shown(name) for name in self.fleet.servers],
            "requests": [
                {"method": each.method, "path": PREFIX + each.path, "does": each.does}
                for each in OPERATIONS
            ],
        }

    async def _start(self, request: Request) -> Reply:
        if len(self.fleet.servers) >= _MOST_SERVERS:
            raise Refusal(409, f"there are already {_MOST_SERVERS} servers; stop some first")
        scenario = await scenario_of(request)
        try:
            name = await self.fleet.start(scenario)
        except OSError as error:
            raise Refusal(503, f"cannot open a port for a server: {error.strerror}") from None
        return reply_json(201, self._shown(name))

    def _shown(self, name: str) -> dict[str, object]:
        server = self.fleet.servers[name]
        return {
            "id": name,
            "base_url": server.base_url,
            "name": server.scenario.name,
            "open_connections": server.open_connections,
        }

    async def _about(
        self, method: str, name: str, rest: list[str], request: Request
    ) -> Reply | Answered:
        server = self.fleet.servers.get(name)
        if server is None:
            raise Refusal(
                404,
                f"no server {shown_word(name)}; running servers: "
                f"{', '.join(islice(self.fleet.servers, 20)) or 'none'}",
            )
        match method, rest:
            case "GET", []:
                return reply_json(200, self._shown(name))
            case "DELETE", []:
                await self.fleet.stop(name)
                return reply_json(200, {"ok": True})
            case _:
                return await control(server, method, rest, request, self.polls)


@define(eq=False)
class AdminServer:
    """The admin API and the servers that it starts, for the duration of an `async with` block."""

    token: str = field(repr=False)
    host: str = "127.0.0.1"
    port: int = 0
    reads_need_token: bool = False
    upstream: Origin | None = field(default=None, kw_only=True)
    """If given, every server is a proxy in front of this real backend."""
    tls: TlsSettings | None = field(default=None, kw_only=True)
    """Certificates for every server; the admin API itself does not use TLS."""
    log: LiveLog | None = field(default=None, kw_only=True)
    """If given, this log prints the exchanges of every server."""
    shutdown: anyio.Event = field(factory=anyio.Event, kw_only=True)
    names: Sequence[str] = field(default=(), kw_only=True)
    """Additional names, `name` or `name:port`, to accept as Host; an invalid one raises OddHost."""
    _authority: str = field(default="", init=False)
    _fleet: Fleet | None = field(default=None, init=False)
    _stack: AsyncExitStack = field(factory=AsyncExitStack, init=False)

    async def __aenter__(self) -> Self:
        listener = Listener(self.host, self.port)
        listener.open()
        self.port = listener.port
        group = await self._stack.enter_async_context(anyio.create_task_group())
        self._stack.callback(group.cancel_scope.cancel)
        self._fleet = Fleet(self.host, group, self.upstream, self.tls, self.log)
        self._authority = listener.authority
        names = HostNames.of(self.host, self.port, self.names)
        limits = Limits(connections=4096, body_bytes=4 << 20, records=1000, journal_bytes=4 << 20)
        book = Journal(limits.records, bytes_limit=limits.journal_bytes)
        origin = AdminOrigin(
            self._fleet, self.token, self.reads_need_token, names, self.shutdown, book
        )
        service = Service(Rules(0, lambda _: None), book, origin, limits, admits=origin.admits)
        await self._stack.enter_async_context(Host(service, listener, reserve=8))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None or isinstance(error, anyio.get_cancelled_exc_class()):
            await self._stack.__aexit__(kind, error, trace)
        else:
            # The error of the `async with` body must not be wrapped in an exception group.
            await self._stack.aclose()

    @property
    def url(self) -> str:
        """The URL of the admin API, including its prefix."""
        return f"{self.root}/v1"

    @property
    def root(self) -> str:
        """The URL of the admin page, without the token."""
        return f"http://{self._authority}{ROOT}"

    async def start(self, scenario: Scenario, port: int = 0) -> MockServer:
        """Start a server and return it; raise OSError if the port is taken."""
        if self._fleet is None:
            raise RuntimeError("the admin API is not running; use it in `async with`")
        name = await self._fleet.start(scenario, port)
        return self._fleet.servers[name]
