# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# mitmproxy says only partly what types it has.
"""The mitmproxy addon: the same scenario inside mitmproxy 12.2 (`mitmdump -s`, or embedded).

An exchange that a rule is about is taken over whole (`takeover.py`), and its connection ends with
it. The bytes of every other exchange are passed on by mitmproxy; those of an event stream at once,
and they are observed.

    mitmdump -s $(arkor-mock addon-path) --set arkor_scenario=file.toml --mode reverse:http://…

Rules act on HTTP/1, in plain text and under TLS; over HTTP/2 one that would act is refused with a
502 and an error in the log, never skipped. The port and the handshake are mitmproxy's: a rule about
them is refused when the scenario is loaded.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Final, TypeAlias

from attrs import define, field, frozen
from mitmproxy import ctx, exceptions, http
from mitmproxy.addonmanager import Loader
from mitmproxy.addons.proxyserver import Proxyserver
from mitmproxy.connection import Client
from mitmproxy.proxy.layers.tls import ClientTLSLayer
from mitmproxy.tls import TlsData

from mock_server.faults.actions import Exchange
from mock_server.faults.head import head_plan
from mock_server.faults.plan import ExchangePlan
from mock_server.faults.request import loss_of
from mock_server.faults.response import BodyKind
from mock_server.faults.rules import Rules
from mock_server.journal.records import (
    FrameSent,
    Journal,
    RuleFired,
    UpstreamFailed,
)
from mock_server.mitm.settings import check_carried, read_scenario, write_journal
from mock_server.mitm.takeover import FlowOrigin, take_client
from mock_server.mitm.upstream import failure_from, keep_end_to_end
from mock_server.net.connection import ServerConnection
from mock_server.net.failure import Failure, Reason
from mock_server.net.reading import note_request
from mock_server.net.service import Gates, Service
from mock_server.requests import Request, request_of
from mock_server.scenario.model import Limits, Scenario
from mock_server.scenario.words.end import Ending
from mock_server.scenario.words.request import Lost
from mock_server.sse import Frame, Framer, frame_of
from mock_server.strict.shapes import ScenarioError

_LOGGER: Final = logging.getLogger(__name__)
_SWALLOWED: Final = 502

_Observer: TypeAlias = Callable[[bytes], bytes]


@define(eq=False)
class _Taken:
    """One exchange that the carrier answers."""

    origin: FlowOrigin
    task: asyncio.Task[None]


@frozen
class _Passing:
    """One exchange that no rule is about."""

    number: int
    about: Exchange
    observe: _Observer


@define(eq=False)
class ArkorAddon:
    """Carries a scenario out inside mitmproxy."""

    scenario: Scenario | None = None
    journal: Journal = field(factory=Journal, init=False)
    gates: Gates = field(init=False)
    _rules: Rules = field(init=False)
    _limits: Limits = field(init=False)
    _taken: dict[str, _Taken] = field(factory=dict[str, _Taken], init=False)
    _passing: dict[str, _Passing] = field(factory=dict[str, _Passing], init=False)
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
        """Carry this scenario out from the next request on; what is being carried goes on."""
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
        loader.add_option("arkor_journal", str, "", "A file that gets the journal as JSON lines.")

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
                why = f"{error.strerror}; name a file that can be written"
                self._refuse(f"arkor_journal: {path}: {why}")

    def running(self) -> None:
        """Refuse to run without a scenario."""
        if self.scenario is None:
            self._refuse(
                "arkor_scenario: none is given; --set arkor_scenario=file.toml names one, and one "
                "without rules lets everything pass"
            )
        self._running = True

    def _refuse(self, why: str) -> None:
        """Refuse an option: that ends a mitmproxy that is starting, and keeps the old value later."""
        if self._running:  # before, mitmproxy would add a traceback, and an error logged is enough
            raise exceptions.OptionsError(why)
        _LOGGER.error(why)

    def request(self, flow: http.HTTPFlow) -> None:
        """Decide about a request; take the exchange over if a rule is about it."""
        try:
            self._decide(flow)
        except Exception:
            _LOGGER.exception("arkor: a request could not be carried")
            flow.response = _refused("the addon failed; its log says why")

    def _decide(self, flow: http.HTTPFlow) -> None:
        request = _request_of(flow)
        keep_end_to_end(flow.request.headers)
        plan = self._rules.exchange(request.route, request.job, request.method, request.headers)
        number = self._connections[flow.client_conn.id]
        note_request(self.journal, number, request, plan)
        if not plan.rules:
            observe = self._observing(number, plan.about)
            self._passing[flow.id] = _Passing(number, plan.about, observe)
            return
        if flow.request.is_http2 or flow.request.is_http3:
            _LOGGER.error(
                "arkor: a rule is about %s %s, but this client speaks %s, where mitmproxy owns "
                "the connection; --set http2=false makes it speak HTTP/1.1",
                request.method,
                request.target,
                flow.request.http_version,
            )
            flow.response = _refused("rules act on HTTP/1.1 only; start mitmproxy with http2=false")
            return
        # Rules look at frames, which no compressed stream shows.
        flow.request.headers.pop("accept-encoding", None)
        self._take_over(flow, request, plan, number)

    def client_connected(self, client: Client) -> None:
        """Give the connection its number."""
        self._connections[client.id] = next(self._opened)

    def client_disconnected(self, client: Client) -> None:
        """Forget the connection."""
        self._connections.pop(client.id, None)
        self._tls.pop(client.id, None)

    def tls_established_client(self, data: TlsData) -> None:
        """Remember the layer that holds the keys: whoever takes the client over needs them."""
        layers = data.context.layers
        self._tls[data.conn.id] = [each for each in layers if isinstance(each, ClientTLSLayer)]

    def _take_over(
        self, flow: http.HTTPFlow, request: Request, plan: ExchangePlan, number: int
    ) -> None:
        origin = FlowOrigin()
        io = _proxyserver().connections[flow.client_conn.id].transports[flow.client_conn]
        client = take_client(io, self._tls.get(flow.client_conn.id, ()), origin)
        service = Service(self._rules, self.journal, origin, self._limits)
        service.gates = self.gates
        service.outage = _no_outage
        connection = ServerConnection(service, client.wire, number)
        modern = flow.request.http_version == "HTTP/1.1"  # HTTP/1.0 has no chunks

        async def carry() -> None:
            try:
                await connection.serve_one(request, plan, chunks_allowed=modern)
            except Exception:
                _LOGGER.exception("arkor: an exchange could not be carried to its end")
            finally:
                client.wire.close()
                client.abort()

        task = asyncio.get_running_loop().create_task(carry())
        self._taken[flow.id] = _Taken(origin, task)
        task.add_done_callback(lambda _: self._taken.pop(flow.id, None))
        loss = loss_of(plan.rules)
        lost = loss is not None and loss[0] is Lost.REQUEST
        if lost or not head_plan(plan.rules, request.route).asks_origin:
            # Nothing is asked of the upstream; what mitmproxy writes of this is dropped.
            flow.response = http.Response.make(_SWALLOWED)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Hand the head on, and stream the body: mitmproxy would hold it back whole."""
        response = flow.response
        if response is None:
            return
        taken = self._taken.get(flow.id)
        pairs = [
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in response.headers.fields
        ]
        if taken is not None:
            taken.origin.begin(response.status_code, response.reason, pairs)
            response.stream = _feeding(taken.origin)
            return
        about = BodyKind.of(pairs)
        keep_end_to_end(response.headers)
        passing = self._passing.get(flow.id)
        if passing is not None and about.stream:
            # Of a compressed stream there are no frames to observe.
            response.stream = passing.observe if about.framed else True

    def _observing(self, number: int, about: Exchange) -> _Observer:
        """Pass bytes on as they are, and write the frames among them down."""
        framer, indices = Framer(), count(1)

        def observe(data: bytes) -> bytes:
            try:
                for block in framer.feed(data):
                    self._note_frame(number, about, next(indices), frame_of(block))
            except Exception:
                # An exception here would silently eat the frame: mitmproxy drops the chunk.
                _LOGGER.exception("arkor: a frame could not be written down")
            return data

        return observe

    def _note_frame(self, number: int, about: Exchange, index: int, frame: Frame) -> None:
        stamp = self.journal.stamp()
        said = (frame.id, frame.event, frame.type)
        record = FrameSent(*stamp, number, about.route, about.attempt, index, *said)
        self.journal.add_frame(record, frame.raw)

    def response(self, flow: http.HTTPFlow) -> None:
        """Learn that an answer is over."""
        self._passing.pop(flow.id, None)
        if taken := self._taken.get(flow.id):
            taken.origin.source.finish(Ending.EOF)

    def error(self, flow: http.HTTPFlow) -> None:
        """Learn that the upstream failed, before or within its answer."""
        passing = self._passing.pop(flow.id, None)
        failure = failure_from(flow.error.msg if flow.error else "")
        if taken := self._taken.get(flow.id):
            if failure is None:
                taken.origin.source.finish(Ending.FIN)
            else:
                taken.origin.fail(failure)
        elif failure is not None and passing is not None:
            about = (passing.about.route, passing.about.attempt)
            said = (failure.reason.value, failure.why)
            stamp = self.journal.stamp()
            self.journal.add(UpstreamFailed(*stamp, passing.number, *about, *said))

    async def done(self) -> None:
        """End what is still being carried, when mitmproxy ends."""
        tasks = [taken.task for taken in self._taken.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _no_outage(kind: object, seconds: float) -> None:
    del kind, seconds
    raise RuntimeError("the mitmproxy carrier has no listener")


def _feeding(origin: FlowOrigin) -> Callable[[bytes], list[bytes]]:
    def feed(data: bytes) -> list[bytes]:
        try:
            origin.source.feed(data)
        except Exception:
            _LOGGER.exception("arkor: bytes of an answer could not be handed on")
            origin.fail(Failure(Reason.TRUNCATED, "the addon failed; its log says why"))
        return []

    return feed


def _refused(why: str) -> http.Response:
    body = json.dumps({"error": why})
    return http.Response.make(_SWALLOWED, body, {"Content-Type": "application/json"})


def _request_of(flow: http.HTTPFlow) -> Request:
    fields = flow.request.headers.fields
    headers = tuple((k.decode("latin-1").lower(), v.decode("latin-1")) for k, v in fields)
    return request_of(flow.request.method, flow.request.path, headers, flow.request.content or b"")


def _proxyserver() -> Proxyserver:
    found = ctx.master.addons.get("proxyserver")
    if not isinstance(found, Proxyserver):
        raise TypeError("mitmproxy runs without its proxy server")
    return found


# What `mitmdump -s` looks for.
addons = [ArkorAddon()]
