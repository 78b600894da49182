"""The client's own path, from another process's socket to a callback, and the script's goals."""

import asyncio

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.benchmarks.client import GOALS, IN_NO_HURRY, STREAMS, Pace, growth, judge, measure
from tests.benchmarks.client_readers import NAIVE, OURS, QUICK, STRICT, follow, readers
from tests.benchmarks.stream_sender import sending

IN_A_HURRY = [name for name, stream in STREAMS.items() if not stream.pause]
SMALL = 20_000
"""Bytes that are enough to see every path once, where nothing is measured."""


@pytest.mark.thorough
@pytest.mark.parametrize("name", IN_A_HURRY)
def test_every_frame_of_a_stream_reaches_its_callback(
    benchmark: BenchmarkFixture, name: str
) -> None:
    seen: list[int] = []
    with sending(STREAMS[name]) as url:
        benchmark(lambda: seen.append(asyncio.run(follow(url))))
    assert {*seen} == {STREAMS[name].events}


@pytest.mark.parametrize("name", IN_A_HURRY)
def test_every_reader_that_is_installed_sees_every_frame(name: str) -> None:
    paces = measure(name, rounds=1, size=SMALL)
    assert {*paces} == {*readers()}
    assert all(pace.cpu > 0 for pace in paces.values())


def test_the_paced_stream_is_read_by_few() -> None:
    assert {*measure("paced", rounds=1, size=SMALL)} == IN_NO_HURRY & {*readers()}


def test_followers_in_one_process_are_all_measured() -> None:
    seconds, times = growth(2, rounds=1)
    assert seconds > 0
    assert times > 0


@pytest.mark.parametrize("stream", STREAMS)
def test_a_goal_is_met_by_its_ratio_and_missed_below_it(stream: str) -> None:
    for goal in (goal for goal in GOALS if goal.stream == stream):
        paces = {goal.reader: Pace(1.0, 1.0), goal.peer: Pace(1.0, goal.ratio)}
        assert judge(stream, paces)[goal.reader][1]
        slower = {**paces, goal.reader: Pace(1.0, 1.01)}
        assert not judge(stream, slower)[goal.reader][1]


def test_a_goal_without_its_reader_or_its_peer_is_not_met() -> None:
    verdicts = judge("replay", {OURS: Pace(1.0, 1.0), STRICT: Pace(1.0, 1.0)})
    assert verdicts[OURS] == (f"no {NAIVE}", False)
    assert verdicts[QUICK][1] is False
    assert verdicts[STRICT][1] is True
