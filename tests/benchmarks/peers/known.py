"""The known peers, whether they are installed, and the command that installs each."""

import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from attrs import frozen

from tests.benchmarks.peers import bound_parsers, parsers
from tests.benchmarks.peers.parsers import FLOOR, Parser
from tests.benchmarks.peers.readers import is_here
from tests.benchmarks.peers.workers import PeerFailed, Worker

INSTALL: Final = "pip install -e '.[peers]'"
INSTALL_NODE: Final = "npm install --no-package-lock --prefix conformance/drivers/eventsource"
_NODE_WORKER: Final = str(Path(__file__).with_name("eventsource_parser.mjs"))


@frozen
class Known:
    """A peer's parser: the function that makes it, and the modules that it needs."""

    make: Callable[[], Parser]
    needs: tuple[str, ...]


OURS: Final = "arkor-proto"
HTTPX: Final = "httpx-sse"
LAUNCHDARKLY: Final = "launchdarkly-eventsource"
NODE: Final = "eventsource-parser"

PARSERS: Final[Mapping[str, Known]] = {
    OURS: Known(parsers.ours, ()),
    HTTPX: Known(parsers.httpx_sse, ("httpx_sse", "httpx")),
    "httpx2": Known(parsers.httpx2, ("httpx2",)),
    LAUNCHDARKLY: Known(parsers.launchdarkly, ("ld_eventsource",)),
    "openai": Known(parsers.decoder("openai", "openai._streaming"), ("openai",)),
    "anthropic": Known(parsers.decoder("anthropic", "anthropic._streaming"), ("anthropic",)),
    "sseclient-py": Known(parsers.sseclient_py, ("sseclient",)),
    "requests-sse": Known(bound_parsers.requests_sse, ("requests_sse",)),
    "aiohttp-sse-client": Known(bound_parsers.aiohttp_sse_client, ("aiohttp_sse_client",)),
    "aiosseclient": Known(bound_parsers.aiosseclient, ("aiosseclient",)),
}
"""The known parsers, by the name of their distribution."""


@frozen
class LeftOut:
    """A peer that is not installed, and the command that installs it."""

    name: str
    install: str


def parser_named(name: str) -> Parser:
    """Return the Python parser of this name, or the floor: the least that any parser has to do."""
    if name.startswith(FLOOR):
        return parsers.floor(int(name.removeprefix(FLOOR)))
    return PARSERS[name].make()


def floor_worker(lines_per_event: int) -> Worker:
    """Return the worker of the floor: the least work that any parser in Python has to do."""
    return Worker.in_python("parser", f"{FLOOR} {lines_per_event}")


def parser_workers() -> tuple[list[Worker], list[LeftOut]]:
    """Start the installed parsers, ours first; return them and the peers that are not installed."""
    workers: list[Worker] = []
    left_out: list[LeftOut] = []
    for worker, install in _candidates():
        try:
            worker.hello()
        except PeerFailed:
            left_out.append(LeftOut(worker.name, install))
        else:
            workers.append(worker)
    return workers, left_out


def _candidates() -> Iterator[tuple[Worker, str]]:
    for name, known in PARSERS.items():
        here = is_here(known.needs)
        worker = Worker.in_python("parser", name)
        yield (worker if here else _absent(name)), INSTALL
    node = shutil.which("node")
    has_node = Worker(NODE, (node, _NODE_WORKER)) if node else _absent(NODE)
    yield has_node, INSTALL_NODE if node else f"Node.js, then {INSTALL_NODE}"


def _absent(name: str) -> Worker:
    return Worker(name, (sys.executable, "-c", "raise SystemExit(1)"))
