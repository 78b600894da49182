# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# mitmproxy is only partly typed.
"""Run mitmproxy with the addon in a thread of this process.

Only one mitmproxy can run at a time, because mitmproxy's `ctx.master` is global to the process.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from tempfile import TemporaryDirectory
from typing import Final

from anyio.from_thread import BlockingPortal, start_blocking_portal
from attrs import field, frozen
from mitmproxy import options
from mitmproxy.addons import core, next_layer, proxyserver, tlsconfig
from mitmproxy.master import Master

from mock_server.journal.records import Record
from mock_server.mitm.addon import ArkorAddon
from mock_server.scenario.gates import check_gate, gates_of_rule
from mock_server.scenario.model import Scenario

_START_TIME: Final = 30.0
_POLL: Final = 0.01


class NotStarted(RuntimeError):
    """mitmproxy did not open a port in time."""


@frozen
class Embedded:
    """A mitmproxy that runs in this process."""

    base_url: str
    _addon: ArkorAddon = field(repr=False)
    _portal: BlockingPortal = field(repr=False)

    @property
    def journal(self) -> list[Record]:
        """All records so far."""
        return list(self._addon.journal.records)

    def open_gate(self, name: str) -> None:
        """Open a gate for the streams that are waiting at it and for all later streams.

        Raise ScenarioError if no rule waits at a gate with this name.
        """
        rules = (self._addon.scenario or Scenario()).rules
        check_gate(name, [gate for rule in rules for gate in gates_of_rule(rule)])
        self._portal.start_task_soon(self._addon.gates.open, name)


@contextmanager
def embedded(upstream: str, scenario: Scenario, port: int = 0) -> Generator[Embedded, None, None]:
    """Run mitmproxy in front of `upstream` for the duration of a `with` block.

    Raise ScenarioError if mitmproxy does not support the scenario, and NotStarted if it does not
    open a port in time.
    """
    addon = ArkorAddon(scenario)
    mode = f"reverse:{upstream}@127.0.0.1:{port}"
    with (
        TemporaryDirectory(prefix="arkor-mitm-") as directory,
        start_blocking_portal(name="mitmproxy") as portal,
        portal.wrap_async_context_manager(_running(addon, mode, directory)) as base_url,
    ):
        yield Embedded(base_url, addon, portal)


@asynccontextmanager
async def _running(addon: ArkorAddon, mode: str, directory: str) -> AsyncGenerator[str, None]:
    """Run mitmproxy for the duration of a `with` block; yield its URL, or raise NotStarted."""
    matched = options.Options(confdir=directory, mode=[mode])
    master, server = Master(matched), proxyserver.Proxyserver()
    master.addons.add(core.Core(), server, next_layer.NextLayer(), tlsconfig.TlsConfig(), addon)
    matched.update(connection_strategy="lazy", http2=False)
    running = asyncio.create_task(master.run())
    try:
        yield f"http://127.0.0.1:{await _port_of(server, running)}"
    finally:
        master.shutdown()
        await asyncio.wait([running])
        await server.servers.update([])  # mitmproxy keeps its ports open until the process ends


async def _port_of(server: proxyserver.Proxyserver, running: asyncio.Task[None]) -> int:
    # mitmproxy has no event for its port, and reports a busy port only in its log.
    for _ in range(int(_START_TIME / _POLL)):
        if found := server.listen_addrs():
            return int(found[0][1])
        failures = [each.last_exception for each in server.servers]
        failures += [running.exception()] if running.done() else []
        for failure in failures:
            if failure is not None:
                raise NotStarted(f"mitmproxy: {failure}") from failure
        await asyncio.sleep(_POLL)
    raise NotStarted(f"mitmproxy did not open a port within {_START_TIME:g} s")
