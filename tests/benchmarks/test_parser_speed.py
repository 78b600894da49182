"""Benchmarks of the parser, and tests of its goals relative to its peers."""

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from arkor_proto import EventStreamParser, encode_event
from tests.arkor_proto.sse_vectors import as_bytes, is_public, load_vectors
from tests.benchmarks.peers.known import OURS, PARSERS
from tests.benchmarks.peers.parser_speed import GOALS, Row, judge
from tests.benchmarks.peers.parsers import ours
from tests.benchmarks.peers.readers import is_here
from tests.benchmarks.workloads import Workload, log_frames, workloads

SMALL = 4096
"""Enough to run every path once, if nothing is measured."""
WORKLOADS = [workload.name for workload in workloads(SMALL)]


def built(name: str, size: int) -> Workload:
    return next(workload for workload in workloads(size) if workload.name == name)


@pytest.mark.parametrize("name", WORKLOADS)
def test_every_event_of_a_workload_is_parsed(benchmark: BenchmarkFixture, name: str) -> None:
    workload = built(name, 2**20 if benchmark.enabled else SMALL)

    def parse() -> int:
        parser = EventStreamParser(max_event_size=2**28)
        return sum(len(parser.feed(chunk)) for chunk in workload.chunks)

    assert benchmark(parse) == workload.events


def test_a_frame_is_encoded(benchmark: BenchmarkFixture) -> None:
    frame = log_frames(200)[0]
    (event,) = EventStreamParser().feed(frame)

    def encode() -> bytes:
        return encode_event(event.data, type=event.type, id=event.last_event_id)

    assert benchmark(encode) == frame


def test_a_log_frame_weighs_two_hundred_bytes() -> None:
    assert {len(frame) for frame in log_frames(2**20)} == {200}


def test_the_workloads_are_the_same_every_time() -> None:
    assert list(workloads(SMALL)) == list(workloads(SMALL))


@pytest.mark.parametrize("name", WORKLOADS)
def test_no_peer_is_measured_for_events_that_it_loses(name: str) -> None:
    workload = built(name, SMALL)
    parsers = [known.make() for known in PARSERS.values() if is_here(known.needs)]
    found = {parser.name: len(parser.rows(workload.chunks, "")) for parser in parsers}
    assert [peer for peer, events in found.items() if events < workload.events] == []


def test_our_parser_gets_every_public_vector_right() -> None:
    for vector in filter(is_public, load_vectors()):
        chunks = [as_bytes(chunk) for chunk in vector["chunks"]]
        rows = ours().rows(chunks, vector.get("last_event_id", ""))
        assert rows == [tuple(event) for event in vector["expect"]["events"]], vector["id"]


def row(medians: dict[str, float]) -> Row:
    return Row("W2", "", medians, {})


def test_a_goal_is_met_by_its_ratio() -> None:
    medians = {goal.peer: goal.ratio for goal in GOALS if goal.workload == "W2"}
    verdicts = list(judge(row({**medians, OURS: 1.0}), OURS))
    assert [verdict.met for verdict in verdicts] == [True, True]


def test_a_goal_is_missed_below_its_ratio() -> None:
    medians = {goal.peer: goal.ratio for goal in GOALS if goal.workload == "W2"}
    verdicts = list(judge(row({**medians, OURS: 1.01}), OURS))
    assert [verdict.met for verdict in verdicts] == [False, False]


def test_a_goal_without_its_peer_is_not_met() -> None:
    verdicts = list(judge(row({OURS: 1.0, "httpx-sse": 9.0}), OURS))
    assert [verdict.measured for verdict in verdicts if not verdict.met] == [
        "no launchdarkly-eventsource to compare with"
    ]
