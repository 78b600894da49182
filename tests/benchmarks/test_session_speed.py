"""Benchmarks of a session without I/O, and of start-up."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.benchmarks.session import growth_of_sessions, inputs_per_second
from tests.benchmarks.start_up import rows


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["W1", "W2"])
def test_a_session_takes_every_input_of_a_stream(benchmark: BenchmarkFixture, name: str) -> None:
    rates: list[tuple[float, float]] = []
    benchmark(lambda: rates.append(inputs_per_second(name)))
    assert all(inputs > frames > 0 for inputs, frames in rates)


def test_twice_the_sessions_take_more_memory() -> None:
    megabytes, longer, larger = growth_of_sessions(1000, rounds=1)
    assert 1 < megabytes < 10
    assert longer > 0
    assert 1 < larger < 3


def test_the_import_and_the_plugin_are_measured() -> None:
    assert [row.split("|")[1].strip() for row in rows(1)] == [
        "import, over bare Python",
        "the plugin adds to pytest",
        "pulls in",
    ]
