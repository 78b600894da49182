# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# mitmproxy says only partly what types it has.
"""The mitmproxy addon: the same scenario inside mitmproxy 12.2 (`mitmdump -s`, or embedded).

It knows mitmproxy's hooks. It refuses to know what a fault does: an exchange that a rule is about
is taken over whole (`mitm_takeover.py`); every other passes as it is, streamed and observed.

    mitmdump -s $(arkor-mock addon-path) --set arkor_scenario=file.toml --mode reverse:http://…

Faults are for clients that speak plain HTTP/1 to the proxy. Under TLS mitmproxy's layers own the
bytes: there a rule that would act is refused with a 502 and an error in the log, never skipped.
"""

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from attrs import define, field
from mitmproxy import ctx, exceptions, http
from mitmproxy.addonmanager import Loader
from mitmproxy.addons.proxyserver import Proxyserver

from mock_server.codec import check_capabilities, scenario_from_file
from mock_server.engine import Engine
from mock_server.framing import Framer, frame_of
from mock_server.heads import head_plan
from mock_server.journal import (
    FrameSent,
    Journal,
    Record,
    RuleFired,
    record_to_dict,
)
from mock_server.mitm_takeover import FlowOrigin, SilencedWriter, second_wire
from mock_server.model import Scenario
from mock_server.net.connection import ServerConnection, note_request
from mock_server.net.service import Gates, Service
from mock_server.program import ExchangeProgram
from mock_server.routing import Request, request_of
from mock_server.shapes import ScenarioError
from mock_server.vocabulary import Capability, Ending, Lost

ADDON_CAPABILITIES: Final = frozenset({Capability.FRAME, Capability.RAW})
_LOGGER: Final = logging.getLogger(__name__)
_SWALLOWED: Final = 502


@define(eq=False)
class _Taken:
    """One exchange that the carrier answers."""

    origin: FlowOrigin
    task: asyncio.Task[None]


@define(eq=False)
class ArkorAddon:
    """Carries a scenario out inside mitmproxy."""

    scenario: Scenario = field(factory=Scenario)
    journal: Journal = field(factory=Journal, init=False)
    gates: Gates = field(factory=Gates, init=False)
    _engine: Engine = field(init=False)
    _taken: dict[str, _Taken] = field(factory=dict[str, _Taken], init=False)
    _programs: dict[str, ExchangeProgram] = field(factory=dict[str, ExchangeProgram], init=False)
    _connections: dict[str, int] = field(factory=dict[str, int], init=False)
    _unlisten: Callable[[], None] | None = field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._engine = Engine(self.scenario.seed, self._note_fired)
        self._use(self.scenario)

    def _use(self, scenario: Scenario) -> None:
        check_capabilities(scenario, ADDON_CAPABILITIES, "mitmproxy")
        if scenario.jobs:
            raise ScenarioError("job: the mitmproxy carrier has no jobs, the real backend has")
        self.scenario = scenario
        self._engine.seed = scenario.seed
        self._engine.load(scenario.rules)

    def _note_fired(self, rule: int) -> None:
        self.journal.add(RuleFired(*self.journal.stamp(), rule))

    def load(self, loader: Loader) -> None:
        """Declare the options."""
        loader.add_option("arkor_scenario", str, "", "The scenario, a .toml or .json file.")
        loader.add_option("arkor_journal", str, "", "A file that gets the journal as JSON lines.")

    def configure(self, updated: set[str]) -> None:
        """Read the scenario; a mistake in it ends mitmproxy with its message."""
        if "arkor_scenario" in updated and ctx.options.arkor_scenario:
            try:
                self._use(scenario_from_file(Path(ctx.options.arkor_scenario)))
            except ScenarioError as error:
                raise exceptions.OptionsError(f"arkor_scenario: {error}") from None
        if "arkor_journal" in updated:
            self._write_journal(ctx.options.arkor_journal)

    def _write_journal(self, path: str) -> None:
        if self._unlisten is not None:
            self._unlisten()
        if not path:
            return
        target = Path(path)
        target.write_text("", encoding="utf-8")

        def write(record: Record) -> None:
            with target.open("a", encoding="utf-8") as out:
                out.write(json.dumps(record_to_dict(record)) + "\n")

        self._unlisten = self.journal.listen(write)

    def request(self, flow: http.HTTPFlow) -> None:
        """Decide about a request; take the exchange over if a rule is about it."""
        try:
            self._decide(flow)
        except Exception:
            _LOGGER.exception("arkor: a request could not be carried")
            flow.response = _refused("the addon failed; its log says why")

    def _decide(self, flow: http.HTTPFlow) -> None:
        request = _request_of(flow)
        program = self._engine.exchange(request.route, request.job, request.method, request.headers)
        number = self._number(flow)
        note_request(self.journal, number, request, program)
        if not program.rules:
            self._programs[flow.id] = program
            return
        if flow.client_conn.tls:
            _LOGGER.error(
                "arkor: a rule is about %s %s, but this client speaks TLS, where the mitmproxy "
                "carrier cannot act; the native proxy can (arkor-mock proxy --tls)",
                request.method,
                request.target,
            )
            flow.response = _refused("rules cannot act under TLS in mitmproxy")
            return
        self._take_over(flow, request, program, number)

    def _number(self, flow: http.HTTPFlow) -> int:
        return self._connections.setdefault(flow.client_conn.id, len(self._connections) + 1)

    def _take_over(
        self, flow: http.HTTPFlow, request: Request, program: ExchangeProgram, number: int
    ) -> None:
        origin = FlowOrigin()
        io = _proxyserver().connections[flow.client_conn.id].transports[flow.client_conn]
        writer = io.writer
        if not isinstance(writer, asyncio.StreamWriter):
            raise TypeError("the client's connection is no TCP stream")
        wire = second_wire(writer)
        io.writer = SilencedWriter(writer, origin)  # pyright: ignore[reportAttributeAccessIssue]
        service = Service(self._engine, self.journal, origin, self.scenario.limits)
        service.gates = self.gates
        service.outage = _no_outage
        connection = ServerConnection(service, wire, number)

        async def carry() -> None:
            try:
                await connection.serve_one(request, program)
            except Exception:
                _LOGGER.exception("arkor: an exchange could not be carried to its end")
            finally:
                wire.close()
                writer.transport.abort()

        task = asyncio.get_running_loop().create_task(carry())
        self._taken[flow.id] = _Taken(origin, task)
        task.add_done_callback(lambda _: self._taken.pop(flow.id, None))
        lost = any(rule.lose is Lost.REQUEST for rule in program.rules)
        if lost or not head_plan(program.rules, request.route).asks_origin:
            # Nothing is asked of the upstream; what mitmproxy writes of this is dropped.
            flow.response = http.Response.make(_SWALLOWED)

    def responseheaders(self, flow: http.HTTPFlow) -> None:
        """Hand the head on, and stream the body: mitmproxy would hold it back whole."""
        response = flow.response
        if response is None:
            return
        taken = self._taken.get(flow.id)
        if taken is not None:
            pairs = [
                (name.decode("latin-1"), value.decode("latin-1"))
                for name, value in response.headers.fields
            ]
            taken.origin.begin(response.status_code, response.reason, pairs)
            response.stream = _feeding(taken.origin)
        elif response.headers.get("content-type", "").startswith("text/event-stream"):
            response.stream = self._observing(flow)

    def _observing(self, flow: http.HTTPFlow) -> Callable[[bytes], bytes]:
        """Pass bytes on as they are, and write the frames among them down."""
        framer, number = Framer(), self._number(flow)
        program = self._programs.get(flow.id)
        count = 0

        def observe(data: bytes) -> bytes:
            nonlocal count
            try:
                for block in framer.feed(data) if program is not None else ():
                    frame, count = frame_of(block), count + 1
                    about = program.about if program is not None else None
                    if about is not None:
                        self.journal.add(
                            FrameSent(
                                *self.journal.stamp(),
                                number,
                                about.route,
                                about.attempt,
                                count,
                                frame.id,
                                frame.event,
                                frame.type,
                            )
                        )
            except Exception:
                # An exception here would silently eat the frame: mitmproxy drops the chunk.
                _LOGGER.exception("arkor: a frame could not be written down")
            return data

        return observe

    def response(self, flow: http.HTTPFlow) -> None:
        """Learn that an answer is over."""
        self._programs.pop(flow.id, None)
        if taken := self._taken.get(flow.id):
            taken.origin.source.finish(Ending.EOF)

    def error(self, flow: http.HTTPFlow) -> None:
        """Learn that the upstream failed, before or within its answer."""
        self._programs.pop(flow.id, None)
        if taken := self._taken.get(flow.id):
            taken.origin.fail(str(flow.error.msg if flow.error else "it failed"))

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
            origin.fail("the addon failed; its log says why")
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
