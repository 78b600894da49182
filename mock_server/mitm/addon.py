# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# mitmproxy is only partly typed.
"""The mitmproxy addon: runs a scenario inside mitmproxy 12.2 (`mitmdump -s`, or embedded).

    mitmdump -s $(arkor-mock addon-path) --set arkor_scenario=file.toml --mode reverse:http://…

If a rule matches an exchange, the addon takes the exchange over from mitmproxy (`takeover.py`) and
closes the connection afterwards. mitmproxy forwards every other exchange; it forwards event streams
without delay.

Rules work over HTTP/1, with and without TLS. Over HTTP/2, a request that a rule matches gets a 502,
and the log gets an error; the request is never forwarded as if there were no rule. mitmproxy owns the port
and the handshake, so a scenario with a rule about them is refused when it is loaded.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Final

from attrs import define, field
from mitmproxy import ctx, exceptions, http
from mitmproxy.addonmanager import Loader
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.connection import Client
from mitmproxy.proxy.layers.tls import ClientTLSLayer
from mitmproxy.tls import TlsData

from mock_server.faults.head import head_plan
from mock_server.faults.request import loss_of
from mock_server.faults.response import BodyKind
from mock_server.faults.rules import Rules
from mock_server.journal.journal import Journal
from mock_server.journal.records import RuleFired
from mock_server.mitm.settings import check_carried, read_scenario, write_journal
from mock_server.mitm.takeover import FlowOrigin, take_client
from mock_server.mitm.upstream import decoded, failure_from, keep_end_to_end
from mock_server.net.connection import ServerConnection
from mock_server.net.failure import Failure, Reason
from mock_server.net.notes import ExchangeNotes
from mock_server.net.reading import Arrived
from mock_server.net.service import Gates, Service
from mock_server.requests import Request, request_of
from mock_server.scenario.model import Limits, Scenario
from mock_server.scenario.words.end import Ending
from mock_server.scenario.words.request import Lost
from mock_server.sse import Framer
from mock_server.strict.shapes import ScenarioError

_LOGGER: Final = logging.getLogger(__name__)
_SWALLOWED: Final = 502
_FAILED: Final = "the addon failed; see mitmproxy's log"


@define(eq=False)
class ArkorAddon:
    """The hooks that mitmproxy calls."""

    scenario: Scenario | None = None
    journal: Journal = field(factory=Journal, init=False)
    gates: Gates = field(init=False)
    _rules: Rules = field(init=False)
    _limits: Limits = field(init=False)
    _taken: dict[str, FlowOrigin] = field(factory=dict[str, FlowOrigin], init=False)
    """The origins of the exchanges that the addon has taken over, by flow id."""
    _tasks: set[asyncio.Task[None]] = field(factory=set[asyncio.Task[None]], init=False)
    _passing: dict[str, ExchangeNotes] = field(factory=dict[str, ExchangeNotes], init=False)
    """The exchanges that mitmproxy forwards because no rule matches, by flow id."""
    _connections: dict[str, int] = field(factory=dict[str, int], init=False)
    _running: bool = field(default=False, init=False)
    _stop_writing: Callable[[], None] = field(default=lambda: None, init=False)
    _opened: Iterator[int] = field(factory=lambda: count(1), init=False)
    _tls: dict[str, list[ClientTLSLayer]] = field(
        factory=dict[str, list[ClientTLSLayer]], init=False
    )

    def __attrs_post_init__(self) -> None:
        self._obey(self.scenario or Scenario())

    def _obey(self, scenario: Scenario) -> None:
        """Use this scenario from the next request on; exchanges in progress are unaffected."""
        check_carried(scenario)
        self._limits = scenario.limits
        self.gates = Gates()
        self._rules = Rules(scenario.seed, self._note_fired)
        self._rules.load(scenario.rules)

    def _note_fired(self, rule: int) -> None:
        self.journal.add(RuleFired(*self.journal.stamp(), rule))

    def load(self, loader: Loader) -> None:
        """Declare the options."""
        loader.add_option("arkor_scenario", str, "", "The scenario, a .toml or .json file.")
        loader.add_option(
            "arkor_journal", str, "", "The file to write the journal to, as JSON lines."
        )

    def configure(self, updated: set[str]) -> None:
        """Read the options."""
        if "arkor_scenario" in updated and ctx.options.arkor_scenario:
            try:
                self.scenario = read_scenario(Path(ctx.options.arkor_scenario))
                self._obey(self.scenario)
            except ScenarioError as error:
                self._refuse(f"arkor_scenario: {error}")
        if "arkor_journal" in updated:
            self._write_journal(ctx.options.arkor_journal)

    def _write_journal(self, path: str) -> None:
        self._stop_writing()
        if path:
            try:
                self._stop_writing = write_journal(self.journal, Path(path))
            except OSError as error:
                why = f"{error.strerror}; use a file that can be written"
                self._refuse(f"arkor_journal: {path}: {why}")

    def running(self) -> None:
        """Refuse to run without a scenario."""
        if self.scenario is None:
            self._refuse(
                "arkor_scenario: missing; add --set arkor_scenario=file.toml (a scenario "
                "without rules forwards everything)"
            )
        self._running = True

    def _refuse(self, why: str) -> None:
        """Refuse an option's value: at startup, mitmproxy exits; later, it keeps the old value."""
        if self._running:  # at startup, a logged error makes mitmproxy exit
            raise exceptions.OptionsError(why)
        _LOGGER.error(why)

    def request(self, flow: http.HTTPFlow) -> None:
        """Take over the exchange if a rule matches the request (a mitmproxy hook)."""
        try:
            self._decide(flow)
        except Exception:
            _LOGGER.exception("arkor: the addon failed on a request; please report this")
            flow.response = _refused(_FAILED)

    def _decide(self, flow: http.HTTPFlow) -> None:
        request = _request_of(flow)
        keep_end_to_end(flow.request.headers)
        plan = self._rules.exchange(*request.about)
        number = self._connections[flow.client_conn.id]
        notes = ExchangeNotes(self, number, plan.about)
        notes.asked(request)
        if not plan.rules:
            self._passing[flow.id] = notes
            return
        if flow.request.is_http2 or flow.request.is_http3:
            _LOGGER.error(
                "arkor: a rule matches %s %s, but the client uses %s and rules need HTTP/1.1; "
                "start mitmproxy with --set http2=false",
                request.method,
                request.target,
                flow.request.http_version,
            )
            flow.response = _refused("rules need HTTP/1.1; start mitmproxy with --set http2=false")
            return
        # Rules cannot see the frames of a compressed stream.
        flow.request.headers.pop("accept-encoding", None)
        modern = flow.request.http_version == "HTTP/1.1"  # HTTP/1.0 has no chunks
        arrived = Arrived(request, plan, notes, keep_alive=False, chunks_allowed=modern)
        self._take_over(flow, arrived, number)

    def client_connected(self, client: Client) -> None:
        """Assign a number to the new connection (a mitmproxy hook)."""
        self._connections[client.id] = next(self._opened)

    def client_disconnected(self, client: Client) -> None:
        """Forget the connection (a mitmproxy hook)."""
        self._connections.pop(client.id, None)
        self._tls.pop(client.id, None)

    def tls_established_client(self, data: TlsData) -> None:
        """Keep the TLS layers: taking over the client later needs their keys (a mitmproxy hook)."""
        layers = data.context.layers
        self._tls[data.conn.id] = [each for each in layers if isinstance(each, ClientTLSLayer)]

    def _take_over(self, flow: http.HTTPFlow, arrived: Arrived, number: int) -> None:
        origin = FlowOrigin()
        io = _proxyserver().connections[flow.client_conn.id].transports[flow.client_conn]
        wire, abort = take_client(io, self._tls.get(flow.client_conn.id, ()), origin)
        service = Service(self._rules, self.journal, origin, self._limits, gates=self.gates)
        connection = ServerConnection(service, wire, number)

        async def carry() -> None:
            try:
                await connection.serve_one(arrived)
            except Exception:
                _LOGGER.exception("arkor: the addon failed during an exchange; please report this")
            finally:
                wire.close()
                abort()
                self._taken.pop(flow.id, None)

        self._taken[flow.id] = origin
        task = asyncio.get_running_loop().create_task(carry())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        rules, loss = arrived.plan.rules, loss_of(arrived.plan.rules)
        lost = loss is not None and loss[0] is Lost.REQUEST
        if lost or not head_plan(rules, arrived.request.route).asks_origin:
            # With a response set, mitmproxy does not ask the upstream; the client never sees it.
            flow.response = http.Response.make(_SWALLOWED)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Forward the response head, and stream the body, which mitmproxy would otherwise buffer."""
        response = flow.response
        if response is None:
            return
        origin = self._taken.get(flow.id)
        pairs = decoded(response.headers)
        if origin is not None:
            origin.begin(response.status_code, response.reason, pairs)
            response.stream = _feeding(origin)
            return
        about = BodyKind.of(pairs)
        keep_end_to_end(response.headers)
        notes = self._passing.get(flow.id)
        if notes is not None and about.stream:
            # The frames of a compressed stream cannot be observed.
            response.stream = _observing(notes) if about.framed else True

    def response(self, flow: http.HTTPFlow) -> None:
        """Record the end of a response (a mitmproxy hook)."""
        self._passing.pop(flow.id, None)
        if origin := self._taken.get(flow.id):
            origin.source.finish(Ending.EOF)

    def error(self, flow: http.HTTPFlow) -> None:
        """Record that the upstream failed before or during its response (a mitmproxy hook)."""
        notes = self._passing.pop(flow.id, None)
        failure = failure_from(flow.error.msg if flow.error else "")
        if origin := self._taken.get(flow.id):
            if failure is None:
                origin.source.finish(Ending.FIN)
            else:
                origin.fail(failure)
        elif failure is not None and notes is not None:
            notes.failed(failure)

    async def done(self) -> None:
        """Cancel the exchanges still in progress, because mitmproxy is shutting down."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _observing(notes: ExchangeNotes) -> Callable[[bytes], bytes]:
    """Return a function that passes bytes on unchanged and records the frames in them."""
    framer = Framer()

    def observe(data: bytes) -> bytes:
        try:
            for frame in framer.feed(data):
                notes.frame(frame)
        except Exception:
            # An exception here would make mitmproxy drop the chunk silently.
            _LOGGER.exception("arkor: the addon failed to record a frame; please report this")
        return data

    return observe


def _feeding(origin: FlowOrigin) -> Callable[[bytes], list[bytes]]:
    def feed(data: bytes) -> list[bytes]:
        try:
            origin.source.feed(data)
        except Exception:
            _LOGGER.exception(
                "arkor: the addon failed while reading a response body; please report this"
            )
            origin.fail(Failure(Reason.TRUNCATED, _FAILED))
        return []

    return feed


def _refused(why: str) -> http.Response:
    body = json.dumps({"error": why})
    return http.Response.make(_SWALLOWED, body, {"Content-Type": "application/json"})


def _request_of(flow: http.HTTPFlow) -> Request:
    headers = tuple((name.lower(), value) for name, value in decoded(flow.request.headers))
    return request_of(flow.request.method, flow.request.path, headers, flow.request.content or b"")


def _proxyserver() -> Proxyserver:
    found = ctx.master.addons.get("proxyserver")
    if not isinstance(found, Proxyserver):
        raise TypeError(
            "mitmproxy is running without its proxyserver addon; add that addon, or use mitmdump"
        )
    return found


# `mitmdump -s` looks for this name.
addons = [ArkorAddon()]
