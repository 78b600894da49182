"""The mock's figures, measured: `python -m tests.mock_server.figures` prints a table.

Server and client share one process and one loop unless a line says otherwise, so the figures are
a floor of what the server alone can do.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import anyio

from mock_server import MockServer, Scenario, ScriptedFrame, scenario_from_dict
from mock_server.proxy import ProxyOrigin, Upstream
from mock_server.sync import mock_in
from tests.mock_server.rawclient import RawClient, request_bytes

FRAMES = 40_000
STREAMS = 2_000


async def frames_per_second(rules: Sequence[object] = ()) -> float:
    """Read one stream of many frames to its end."""
    job = {"id": "j", "events": FRAMES, "length": 150, "submitted": True}
    scenario = scenario_from_dict({"job": [job], "rule": list(rules)})
    async with MockServer(scenario) as mock, RawClient(mock.port) as client:
        start = time.perf_counter()
        await client.send(request_bytes("GET", "/v1/jobs/j/events/stream", {"Connection": "close"}))
        await client.read_to_end()
        return FRAMES / (time.perf_counter() - start)


async def open_streams() -> tuple[float, float]:
    """Open many live streams, push one event to all; returns seconds for both."""
    job = {"id": "j", "events": 1, "status": "running", "submitted": True}
    async with MockServer(scenario_from_dict({"job": [job]})) as mock:
        clients = [RawClient(mock.port) for _ in range(STREAMS)]
        start = time.perf_counter()
        for client in clients:
            await client.__aenter__()
            await client.send(request_bytes("GET", "/v1/jobs/j/events/stream"))
        for client in clients:
            await client.read_until(b"id: 1")
        opened = time.perf_counter() - start
        assert mock.open_connections == STREAMS
        start = time.perf_counter()
        mock.jobs["j"].cancel()
        for client in clients:
            await client.read_until(b"event: end")
        told = time.perf_counter() - start
        for client in clients:
            await client.__aexit__(None, None, None)
    return opened, told


async def stall_beside_another() -> str:
    """Stall one stream; returns what that does to the frames of another, and memory grown."""
    jobs = [
        {"id": "big", "events": 100_000, "length": 1000, "submitted": True},
        {"id": "live", "events": 0, "submitted": True},
    ]
    rule = {
        "on": {"route": "stream", "job": "big"},
        "after": {"frames": 10},
        "stall": {"gate": "g"},
    }
    scenario = scenario_from_dict({"rule": [rule]})
    async with MockServer(scenario_from_dict({"job": jobs})) as upstream:
        origin = ProxyOrigin(Upstream.at(upstream.base_url))
        async with (
            MockServer(scenario, upstream=origin) as proxy,
            RawClient(proxy.port) as stalled,
            RawClient(proxy.port) as live,
        ):
            await live.send(request_bytes("GET", "/v1/jobs/live/events/stream"))
            await live.read_until(b"\r\n\r\n")
            alone = [await _push(upstream, live, n) for n in range(500)]
            before = _memory()
            await stalled.send(request_bytes("GET", "/v1/jobs/big/events/stream"))
            beside = [await _push(upstream, live, n) for n in range(500, 1000)]
            grown = _memory() - before
    return f"{max(alone) * 1000:.1f} ms, {max(beside) * 1000:.1f} ms, {grown:.1f} MB"


async def _push(upstream: MockServer, live: RawClient, number: int) -> float:
    start = time.perf_counter()
    upstream.push("live", ScriptedFrame(data=f"n{number}."))
    await live.read_until(f"n{number}.".encode())
    await anyio.lowlevel.checkpoint()
    return time.perf_counter() - start


def _memory() -> float:
    """Return the resident memory of this process now, in MB: the peak would hide what grows."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


async def proxy_adds() -> float:
    """Return the median milliseconds that the native proxy adds to one frame, pushed alone."""
    job = {"id": "live", "events": 0, "submitted": True}
    async with MockServer(scenario_from_dict({"job": [job]})) as upstream:
        origin = ProxyOrigin(Upstream.at(upstream.base_url))
        async with MockServer(upstream=origin) as proxy:
            direct = await _median_push(upstream, upstream.port)
            return (await _median_push(upstream, proxy.port) - direct) * 1000


async def _median_push(upstream: MockServer, port: int) -> float:
    async with RawClient(port) as live:
        await live.send(request_bytes("GET", "/v1/jobs/live/events/stream"))
        await live.read_until(b"\r\n\r\n")
        numbers = range(port * 1000, port * 1000 + 400)
        times = [await _push(upstream, live, number) for number in numbers]
    return statistics.median(times[50:])


def ready_in() -> float:
    """Return the seconds from start to the ready line of a process, the median of five."""
    found: list[float] = []
    for _ in range(5):
        start = time.perf_counter()
        with subprocess.Popen(
            [sys.executable, "-m", "mock_server", "serve", "--exit-on-stdin-eof"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            found.append(time.perf_counter() - start)
            assert process.stdin is not None
            process.stdin.close()
    return statistics.median(found)


def fixture_takes() -> float:
    """Return the milliseconds of one server up and down on a running portal, the median."""
    found: list[float] = []
    with anyio.from_thread.start_blocking_portal() as portal:
        for _ in range(100):
            start = time.perf_counter()
            with mock_in(portal, Scenario()):
                pass
            found.append((time.perf_counter() - start) * 1000)
    return statistics.median(found)


def main() -> None:
    """Measure everything and print it."""
    run: Callable[[Callable[[], Awaitable[object]], str], object] = _run
    print(f"load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}")  # noqa: T201
    for backend in ("asyncio", "trio"):
        print(backend)  # noqa: T201
        for name, measure in MEASURES.items():
            print(f"  {name}: {run(measure, backend)}")  # noqa: T201
    print(f"ready line: {ready_in():.3f} s")  # noqa: T201
    print(f"fixture: {fixture_takes():.2f} ms")  # noqa: T201


def _run(measure: Callable[[], Awaitable[object]], backend: str) -> object:
    return anyio.run(measure, backend=backend)


async def _ruled() -> float:
    return await frames_per_second([{"on": {"route": "stream", "frame": 7}, "drop": True}])


MEASURES: dict[str, Callable[[], Awaitable[object]]] = {
    "frames/s, no rules": frames_per_second,
    "frames/s, a rule on frames": _ruled,
    f"{STREAMS} streams: s to open, s to tell all": open_streams,
    "a stall: worst frame of another stream alone, beside it, memory grown": stall_beside_another,
    "native proxy adds, median ms per frame": proxy_adds,
}


if __name__ == "__main__":
    main()
