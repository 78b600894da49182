# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# mitmproxy says only partly what types it has.
"""mitmproxy with the addon inside this process: a thread, a loop and a temporary directory.

`ctx.master` is global to the process, so there is one at a time.
"""

import asyncio
import threading
from collections.abc import Generator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Final

from attrs import define, field, frozen
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
    """mitmproxy got no port, or none in time."""


@frozen
class Embedded:
    """A mitmproxy that runs in this process."""

    base_url: str
    _addon: ArkorAddon = field(repr=False)
    _loop: asyncio.AbstractEventLoop = field(repr=False)

    @property
    def journal(self) -> list[Record]:
        """All records so far."""
        return list(self._addon.journal.records)

    def open_gate(self, name: str) -> None:
        """Let everyone who waits at the gate pass, and who comes later too.

        Raises ScenarioError when no rule waits at a gate of this name.
        """
        rules = (self._addon.scenario or Scenario()).rules
        check_gate(name, [gate for rule in rules for gate in gates_of_rule(rule)])
        self._loop.call_soon_threadsafe(self._addon.gates.open, name)


@define(eq=False)
class _Runner:
    addon: ArkorAddon
    upstream: str
    port: int
    directory: str
    ready: threading.Event = field(factory=threading.Event)
    failure: BaseException | None = None
    base_url: str = ""
    _master: Master | None = None
    loop: asyncio.AbstractEventLoop | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._main())
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            self.failure = error
        finally:
            self.ready.set()

    async def _main(self) -> None:
        self.loop = asyncio.get_running_loop()
        matched = options.Options(
            confdir=self.directory, mode=[f"reverse:{self.upstream}@127.0.0.1:{self.port}"]
        )
        self._master = Master(matched)
        server = proxyserver.Proxyserver()
        self._master.addons.add(
            core.Core(), server, next_layer.NextLayer(), tlsconfig.TlsConfig(), self.addon
        )
        matched.update(connection_strategy="lazy", http2=False)
        running = asyncio.create_task(self._master.run())
        announcing = asyncio.create_task(self._announce(server))
        try:
            await running
        finally:
            announcing.cancel()
            await server.servers.update([])  # mitmproxy leaves its ports to the end of the process

    async def _announce(self, server: proxyserver.Proxyserver) -> None:
        # mitmproxy has no event for a port, and says of a busy one only in its log.
        while not (found := server.listen_addrs()):
            for instance in server.servers:
                if instance.last_exception is not None:
                    self.failure = instance.last_exception
                    self.ready.set()
                    return
            await asyncio.sleep(_POLL)
        self.base_url = f"http://127.0.0.1:{found[0][1]}"
        self.ready.set()

    def stop(self) -> None:
        if self.loop is not None and self._master is not None and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._master.shutdown)


@contextmanager
def embedded(upstream: str, scenario: Scenario, port: int = 0) -> Generator[Embedded, None, None]:
    """Run mitmproxy before `upstream` for the length of a `with`.

    Raises ScenarioError for what this carrier cannot carry and NotStarted when it gets no port.
    """
    addon = ArkorAddon(scenario)
    with TemporaryDirectory(prefix="arkor-mitm-") as directory:
        runner = _Runner(addon, upstream, port, directory)
        thread = threading.Thread(target=runner.run, name="mitmproxy", daemon=True)
        thread.start()
        try:
            runner.ready.wait(_START_TIME)
            if runner.loop is None or not runner.base_url:
                why = runner.failure or f"no port after {_START_TIME:g} s"
                raise NotStarted(f"mitmproxy: {why}") from runner.failure
            yield Embedded(runner.base_url, addon, runner.loop)
        finally:
            runner.stop()
            thread.join(_START_TIME)
