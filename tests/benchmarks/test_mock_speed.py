"""Benchmarks of the mock and its proxy, and tests of the script that compares them with the goals.

If nothing is measured, each path runs once, with little data; no test here checks speed.
"""

from collections.abc import Awaitable, Callable
from functools import partial
from importlib.util import find_spec

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.benchmarks.mock import Row, at_least, at_most, judge_stall, judge_streams, main, run
from tests.benchmarks.mock_measures import (
    FULL,
    SMALL,
    Beside,
    Opened,
    Size,
    fixture_takes,
    frames_per_second,
    open_streams,
    own_time,
    proxy_adds,
    ready_in,
    stall_in_the_addon,
    stall_in_the_proxy,
)
from tests.mock_server.mitm.mitmdump import needs_mitmproxy

SOME = Size(frames=5_000, streams=200, pushes=50, rounds=3)


@pytest.fixture
def size(benchmark: BenchmarkFixture) -> Size:
    return SOME if benchmark.enabled else SMALL


@pytest.mark.parametrize("ruled", [False, True], ids=["no rules", "a rule on its frames"])
def test_every_frame_of_one_stream_arrives(
    benchmark: BenchmarkFixture, size: Size, *, ruled: bool
) -> None:
    measure = partial(frames_per_second, ruled=ruled)
    assert benchmark(run, measure, size, "asyncio") > 0


def test_many_streams_are_open_at_once(benchmark: BenchmarkFixture, size: Size) -> None:
    def streams() -> int:
        return run(open_streams, size, "asyncio").streams

    assert benchmark(streams) == size.streams


@pytest.mark.parametrize("measure", [proxy_adds, stall_in_the_proxy])
def test_every_frame_that_is_pushed_arrives(
    benchmark: BenchmarkFixture, size: Size, measure: Callable[[Size], Awaitable[object]]
) -> None:
    benchmark(run, measure, size, "asyncio")


@needs_mitmproxy
@pytest.mark.thorough
def test_every_frame_that_is_pushed_arrives_through_the_addon(
    benchmark: BenchmarkFixture, size: Size
) -> None:
    benchmark(run, stall_in_the_addon, size, "asyncio")


@pytest.mark.parametrize("measure", [ready_in, fixture_takes])
def test_a_server_comes_up(
    benchmark: BenchmarkFixture, size: Size, measure: Callable[[Size], float]
) -> None:
    assert benchmark(measure, size) > 0


def test_the_clock_never_goes_backwards() -> None:
    times = [own_time() for _ in range(100)]
    assert times == sorted(times)


@pytest.mark.parametrize(
    ("row", "met"),
    [
        (at_least("x", 20_000.0, 20_000, "frames/s"), True),
        (at_least("x", 19_999.0, 20_000, "frames/s"), False),
        (at_most("x", 0.5, 0.5, "ms"), True),
        (at_most("x", 0.51, 0.5, "ms"), False),
        (judge_streams(Opened(2_000, 1.0, 1.0), FULL), True),
        (judge_streams(Opened(1_999, 1.0, 1.0), FULL), False),
    ],
)
def test_a_goal_is_met_or_missed_at_its_edge(row: Row, *, met: bool) -> None:
    assert row.met is met


def test_a_stall_is_judged_by_the_frames_beside_it_and_by_the_memory() -> None:
    assert [row.met for row in judge_stall("x", Beside(0.001, 0.2, 1.0))] == [False, True]
    assert [row.met for row in judge_stall("x", Beside(0.001, 0.001, 11.0))] == [True, False]


@pytest.mark.thorough
def test_the_table_has_a_row_for_every_figure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--small"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")]
    assert len(lines) == 1 + 2 * 6 + 2 + 2 * (find_spec("mitmproxy") is not None)
