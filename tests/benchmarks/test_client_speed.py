"""The client's own path, from another process's socket to an awaited callback."""

import asyncio
import subprocess
import sys
from collections.abc import Generator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.benchmarks.client import CHUNKINGS, readers
from tests.benchmarks.session import inputs_per_second


@pytest.fixture(params=CHUNKINGS)
def port(request: pytest.FixtureRequest) -> Generator[int, None, None]:
    """Return where a process sends a workload to everyone who connects."""
    command = [sys.executable, "-m", "tests.benchmarks.client", str(request.param)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as sender:
        try:
            assert sender.stdout is not None
            yield int(sender.stdout.readline())
        finally:
            sender.kill()


@pytest.mark.thorough
def test_every_frame_of_a_stream_reaches_its_callback(
    benchmark: BenchmarkFixture, port: int
) -> None:
    seen: list[int] = []

    async def follow() -> None:
        seen.append(await readers()["arkor-proto"]("127.0.0.1", port))

    benchmark(lambda: asyncio.run(follow()))
    assert min(seen) > 20_000


@pytest.mark.thorough
@pytest.mark.parametrize("name", CHUNKINGS)
def test_a_session_takes_every_input_of_a_stream(benchmark: BenchmarkFixture, name: str) -> None:
    rates: list[tuple[float, float]] = []
    benchmark(lambda: rates.append(inputs_per_second(name)))
    assert all(inputs > frames > 0 for inputs, frames in rates)
