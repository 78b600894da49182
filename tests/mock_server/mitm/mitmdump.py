"""Starts mitmdump as its users do, waits until it listens, and ends it."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import anyio
import pytest
from attrs import define, field, frozen

from mock_server import scenario_from_dict, scenario_to_toml
from mock_server.__main__ import main
from mock_server.strict.shapes import is_table
from tests.mock_server.parity import Rules
from tests.mock_server.rawupstream import RawUpstream, raw_upstream

needs_mitmproxy: Final = pytest.mark.skipif(
    importlib.util.find_spec("mitmproxy") is None or sys.version_info < (3, 12),
    reason="mitmproxy 12.2 needs Python 3.12 and is not installed here",
)
SEED: Final = 3
ADDON: Final = Path(main.__code__.co_filename).parent / "mitm" / "addon.py"
_PROGRAM: Final = Path(sys.executable).with_name("mitmdump")


@frozen
class Proxied:
    """A running mitmdump."""

    pid: int
    port: int
    log: Path
    journal: Path
    authority: Path
    """The certificate, as PEM, of the authority that it signs with under TLS."""

    def records(self, kind: str) -> list[Mapping[str, object]]:
        """Return what its journal says so far."""
        whole = self.journal.read_text().rpartition("\n")[0].splitlines()
        found: list[object] = [json.loads(line) for line in whole]
        return [record for record in found if is_table(record) and record["kind"] == kind]

    async def record(self, kind: str) -> Mapping[str, object]:
        """Wait for the first record of a kind."""
        with anyio.fail_after(30):
            while not (found := self.records(kind)):  # noqa: ASYNC110 - a file tells nobody
                await anyio.sleep(0.01)
        return found[0]

    async def logged(self, words: str) -> None:
        """Wait until it has said this."""
        with anyio.fail_after(30):
            while words not in self.log.read_text():  # noqa: ASYNC110 - another process writes it
                await anyio.sleep(0.01)


def command(directory: Path, options: Mapping[str, str]) -> list[str]:
    """Return a command line; whatever mitmdump keeps is kept in the directory."""
    given = {"confdir": str(directory / "conf"), "connection_strategy": "lazy", **options}
    settings = [part for key, value in given.items() for part in ("--set", f"{key}={value}")]
    return [str(_PROGRAM), "-s", str(ADDON), *settings]


@define
class Mitmdump:
    """mitmdump processes that keep their files in one directory, each in its own."""

    directory: Path
    _processes: list[subprocess.Popen[bytes]] = field(
        factory=list[subprocess.Popen[bytes]], init=False
    )

    async def before(self, url: str, rules: Rules, **options: str) -> Proxied:
        """Start one in front of a URL, with these rules; wait until it listens."""
        return await self.start(f"reverse:{url}", rules, **options)

    async def start(self, mode: str, rules: Rules, **options: str) -> Proxied:
        """Start one in a mode, with these rules; wait until it listens."""
        home = self.directory / f"mitmdump-{len(self._processes)}"
        home.mkdir()
        scenario = home / "scenario.toml"
        found = scenario_from_dict({"seed": SEED, "rule": list(rules)})
        scenario.write_text(scenario_to_toml(found))
        journal = home / "journal.jsonl"
        given = {"arkor_scenario": str(scenario), "arkor_journal": str(journal), **options}
        log = home / "log"
        with log.open("wb") as out:
            process = subprocess.Popen(  # noqa: ASYNC220 - our own command, at once
                [*command(home, given), "--mode", f"{mode}@127.0.0.1:0"],
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self._processes.append(process)
        with anyio.fail_after(60):
            while (port := _port_in(log)) is None:
                assert process.poll() is None, log.read_text()
                await anyio.sleep(0.02)
        return Proxied(process.pid, port, log, journal, home / "conf" / "mitmproxy-ca-cert.pem")

    def end(self) -> None:
        """End all of them."""
        for process in self._processes:
            process.terminate()
            process.wait(30)


def _port_in(log: Path) -> int | None:
    for line in log.read_text().splitlines():
        if "listening at" in line:
            return int(line.rstrip(".").rpartition(":")[2])
    return None


@contextmanager
def mitmdumps(directory: Path) -> Generator[Mitmdump, None, None]:
    """Allow to start some for the length of a `with`."""
    runner = Mitmdump(directory)
    try:
        yield runner
    finally:
        runner.end()


@pytest.fixture
def mitmdump(tmp_path: Path) -> Generator[Mitmdump, None, None]:
    """Allow one test to start some."""
    with mitmdumps(tmp_path) as runner:
        yield runner


@pytest.fixture
def anyio_backend() -> str:
    """Only the client runs in the test; the addon has mitmproxy's loop."""
    return "asyncio"


@frozen
class Behind:
    """A raw upstream, and the port of a mitmdump before it."""

    raw: RawUpstream
    port: int


@contextmanager
def before_a_raw_upstream(directory: Path, rules: Rules) -> Generator[Behind, None, None]:
    """Run one with these rules in front of an upstream that says exactly what it is told to."""
    with raw_upstream() as raw, mitmdumps(directory) as runner:
        yield Behind(raw, anyio.run(runner.before, raw.url, rules).port)
