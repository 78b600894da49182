"""Benchmarks of the clients, from another process's socket to a callback, and their goals."""

import asyncio
import sys
from collections.abc import Iterator

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from tests.benchmarks.peers.client_speed import (
    GOALS,
    IN_A_HURRY,
    STREAMS,
    Pace,
    Row,
    client_workers,
    growth,
    judge,
    measure,
)
from tests.benchmarks.peers.readers import NAIVE, OURS, QUICK, RAW, STRICT, follow, readers
from tests.benchmarks.peers.workers import Worker
from tests.benchmarks.stream_sender import Stream, sending

NOT_PACED = [name for name, stream in STREAMS.items() if not stream.pause]
HELLO = "print(json.dumps({}), flush=True)"
FEW = 'print(json.dumps({"seen": 3, "wall": 0.1, "cpu": 0.1}), flush=True)'
SMALL = 20_000
"""Enough bytes to run every path once, if nothing is measured."""


@pytest.mark.thorough
@pytest.mark.parametrize("name", NOT_PACED)
def test_every_frame_of_a_stream_reaches_its_callback(
    benchmark: BenchmarkFixture, name: str
) -> None:
    seen: list[int] = []
    with sending(STREAMS[name]) as url:
        benchmark(lambda: seen.append(asyncio.run(follow(url))))
    assert {*seen} == {STREAMS[name].events}


@pytest.mark.parametrize("name", NOT_PACED)
def test_every_reader_that_is_installed_sees_every_frame(name: str) -> None:
    stream = Stream(STREAMS[name].workload, SMALL)
    with sending(stream) as url:
        seen = {reader: read(url) for reader, read in readers().items() if reader != RAW}
    assert {*seen.values()} == {stream.events}


@pytest.fixture
def ours() -> Iterator[Worker]:
    (found,) = (each for each in client_workers() if each.name == OURS)
    with found:
        yield found


def test_a_client_that_loses_frames_or_ends_has_a_problem_instead_of_a_figure(
    ours: Worker,
) -> None:
    lossy = f"import json;{HELLO};input();{FEW};input()"
    ends = f"import json;{HELLO}"
    with (
        Worker("lossy", (sys.executable, "-c", lossy)) as first,
        Worker("ends", (sys.executable, "-c", ends)) as second,
    ):
        row = measure("replay", [first, second, ours], rounds=1, size=SMALL)
    assert {*row.paces} == {OURS}
    assert row.paces[OURS].cpu > 0
    assert row.problems == {
        "lossy": "finds 3 of 100 frames",
        "ends": "ends its process with status 0",
    }


def test_the_paced_stream_is_read_by_few(ours: Worker) -> None:
    hurried = Worker(min(IN_A_HURRY), (sys.executable, "-c", "raise SystemExit(1)"))
    row = measure("paced", [ours, hurried], rounds=1, size=SMALL)
    assert ({*row.paces}, row.problems) == ({OURS}, {})


def test_followers_in_one_process_are_all_measured() -> None:
    seconds, times = growth(2, rounds=1)
    assert seconds > 0
    assert times > 0


@pytest.mark.parametrize("stream", STREAMS)
def test_a_goal_is_met_by_its_ratio_and_missed_below_it(stream: str) -> None:
    for goal in (goal for goal in GOALS if goal.stream == stream):
        paces = {goal.reader: Pace(1.0, 1.0), goal.peer: Pace(1.0, goal.ratio)}
        assert dict(judge(Row(stream, "", paces, {})))[goal.reader].met
        slower = {**paces, goal.reader: Pace(1.0, 1.01)}
        assert not dict(judge(Row(stream, "", slower, {})))[goal.reader].met


def test_a_goal_without_its_reader_or_its_peer_is_not_met() -> None:
    paces = {OURS: Pace(1.0, 1.0), STRICT: Pace(1.0, 1.0)}
    verdicts = dict(judge(Row("replay", "", paces, {})))
    assert (verdicts[OURS].measured, verdicts[OURS].met) == (f"no {NAIVE}", False)
    assert verdicts[QUICK].met is False
    assert verdicts[STRICT].met is True
