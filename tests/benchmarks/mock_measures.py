"""The measurements of the mock and its proxy.

Server and client share one process and one event loop, so the server alone is at least as fast as
every figure; mitmdump has its own process.
"""

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal
from attrs import frozen

from mock_server import MockServer, Scenario, ScriptedFrame, scenario_from_dict
from mock_server.proxy.origin import ProxyOrigin, Upstream
from mock_server.testing.sync import mock_in
from tests.mock_server.mitm.mitmdump import mitmdumps
from tests.mock_server.rawclient import RawClient, request_bytes

_COMMAND: Final = (sys.executable, "-m", "mock_server", "serve", "--exit-on-stdin-eof")
_A_RULE: Final = {"on": {"route": "stream", "frame": 7}, "drop": True}


@frozen
class Size:
    """The extent of the measurements: numbers of frames, streams, pushes and rounds."""

    frames: int
    streams: int
    pushes: int
    rounds: int


FULL: Final = Size(frames=40_000, streams=2_000, pushes=400, rounds=9)
SMALL: Final = Size(frames=200, streams=20, pushes=5, rounds=1)
"""Enough to run every path once, if nothing is measured."""


def own_time() -> float:
    """Return the time in seconds, without the time that this thread waited for a processor.

    Linux counts how long a thread was ready to run but did not run. The work of a single thread is
    timed with this clock, so that a busy machine affects it less.
    """
    waited = _kept_waiting("thread-self")
    while True:  # both figures must be from the same time slice
        now, before = time.perf_counter(), waited
        if (waited := _kept_waiting("thread-self")) == before:
            return now - waited


def _kept_waiting(who: str) -> float:
    try:
        return int(Path(f"/proc/{who}/schedstat").read_text().split()[1]) / 1e9
    except FileNotFoundError:
        return 0.0


def _target(job: str, headers: Mapping[str, str] | None = None) -> bytes:
    return request_bytes("GET", f"/v1/jobs/{job}/events/stream", headers)


async def frames_per_second(size: Size, *, ruled: bool = False) -> float:
    """Return the rate at which a stream of many frames is read; `ruled` adds a rule on frames."""
    job = {"id": "j", "events": size.frames, "length": 150, "submitted": True}
    scenario = scenario_from_dict({"job": [job], "rule": [_A_RULE] if ruled else []})
    async with MockServer(scenario) as mock, RawClient(mock.port) as client:
        began = own_time()
        await client.send(_target("j", {"Connection": "close"}))
        found, _ = await client.read_to_end()
        spent = own_time() - began
    if (seen := found.count(b"\nid: ")) != size.frames - ruled:
        raise RuntimeError(f"only {seen} of {size.frames} frames arrived")
    return size.frames / spent


@frozen
class Opened:
    """Streams open at once, and the seconds to open them and to send one event to all of them."""

    streams: int
    opening: float
    telling: float


async def open_streams(size: Size) -> Opened:
    """Open many live streams, then let one event reach all of them."""
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed < 3 * size.streams:  # both ends of each connection are in this process
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    job = {"id": "j", "events": 1, "status": "running", "submitted": True}
    async with MockServer(scenario_from_dict({"job": [job]})) as mock:
        clients = [RawClient(mock.port) for _ in range(size.streams)]
        began = own_time()
        for client in clients:
            await client.__aenter__()
            await client.send(_target("j"))
        for client in clients:
            await client.read_until(b"id: 1")
        opened = own_time()
        streams = mock.open_connections
        mock.jobs["j"].cancel()
        for client in clients:
            await client.read_until(b"event: end")
        told = own_time()
        for client in clients:
            await client.__aexit__(None, None, None)
    return Opened(streams, opened - began, told - opened)


@frozen
class Beside:
    """A stream's slowest frame, alone and beside a stalled one, in seconds; memory grown, in MB."""

    alone: float
    beside: float
    grown: float


_BIG: Final = {"id": "big", "events": 100_000, "length": 1000, "submitted": True}
_LIVE: Final = {"id": "live", "events": 0, "submitted": True}
_STALL: Final = {
    "on": {"route": "stream", "job": "big"},
    "after": {"frames": 10},
    "stall": {"ms": 60_000},
}


async def stall_in_the_proxy(size: Size) -> Beside:
    """Stall a stream in the native proxy that has 100 MB of frames left, and push into another."""
    async with MockServer(scenario_from_dict({"job": [_BIG, _LIVE]})) as upstream:
        origin = ProxyOrigin(Upstream.at(upstream.base_url))
        async with MockServer(scenario_from_dict({"rule": [_STALL]}), upstream=origin) as proxy:
            return await _beside(upstream, proxy.port, "self", size)


async def stall_in_the_addon(size: Size) -> Beside:
    """Do the same as `stall_in_the_proxy` in mitmdump, which has its own process."""
    with TemporaryDirectory() as directory, mitmdumps(Path(directory)) as runner:
        async with MockServer(scenario_from_dict({"job": [_BIG, _LIVE]})) as upstream:
            proxied = await runner.before(upstream.base_url, [_STALL])
            return await _beside(upstream, proxied.port, str(proxied.pid), size)


async def _beside(upstream: MockServer, port: int, process: str, size: Size) -> Beside:
    async with RawClient(port) as stalled, RawClient(port) as live:
        await _begin(live, "live")
        alone = [await _push(upstream, "live", live, n) for n in range(size.pushes)]
        before = _memory(process)
        await stalled.send(_target("big"))
        numbers = range(size.pushes, 2 * size.pushes)
        beside = [await _push(upstream, "live", live, n) for n in numbers]
        return Beside(max(alone), max(beside), _memory(process) - before)


async def _begin(client: RawClient, job: str) -> None:
    await client.send(_target(job))
    await client.read_until(b"\r\n\r\n")


async def _push(upstream: MockServer, job: str, client: RawClient, number: int) -> float:
    """Return the seconds from the push of a frame until the client has it."""
    words = f"n{number}."
    began = own_time()
    upstream.push(job, ScriptedFrame(data=words))
    await client.read_until(words.encode())
    spent = own_time() - began
    await anyio.lowlevel.checkpoint()
    return spent


def _memory(process: str) -> float:
    """Return the current resident memory of a process, in MB; its peak would hide the growth."""
    pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def proxy_adds(size: Size) -> float:
    """Return the median seconds that the native proxy adds to a frame; direct frames alternate."""
    jobs = [{"id": name, "events": 0, "submitted": True} for name in ("direct", "through")]
    async with MockServer(scenario_from_dict({"job": jobs})) as upstream:
        origin = ProxyOrigin(Upstream.at(upstream.base_url))
        async with (
            MockServer(upstream=origin) as proxy,
            RawClient(upstream.port) as direct,
            RawClient(proxy.port) as through,
        ):
            await _begin(direct, "direct")
            await _begin(through, "through")
            added: list[float] = []
            for number in range(size.pushes):
                near = await _push(upstream, "direct", direct, number)
                added.append(await _push(upstream, "through", through, number) - near)
    return statistics.median(added)


def ready_in(size: Size) -> float:
    """Return the median seconds from the start of a process to its ready line."""
    return statistics.median(_ready() for _ in range(size.rounds))


def _ready() -> float:
    began = own_time()
    with subprocess.Popen(_COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the process has no pipes")
        process.stdout.readline()
        spent = own_time() - began
        spent -= _kept_waiting(str(process.pid))
        process.stdin.close()
    return spent


def fixture_takes(size: Size) -> float:
    """Return the median seconds to start and stop a server on a running portal."""
    with start_blocking_portal() as portal:
        return statistics.median(_up_and_down(portal) for _ in range(10 * size.rounds))


def _up_and_down(portal: BlockingPortal) -> float:
    began = time.perf_counter()  # two threads take turns here
    with mock_in(portal, Scenario()):
        pass
    return time.perf_counter() - began
