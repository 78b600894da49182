"""The parser's own paths, and the script that puts it beside its peers."""

from collections.abc import Iterable

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from arkor_proto import EventStreamParser, encode_event
from tests.arkor_proto.sse_vectors import is_public, load_vectors
from tests.benchmarks.parsers import Parser, Row, installed_peers, ours
from tests.benchmarks.peers import GOALS, judge, right_vectors, table
from tests.benchmarks.workloads import Workload, log_frames, workloads

SMALL = 4096
"""Enough to see every path once, where nothing is measured."""
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
    found = {parser.name: len(parser.rows(workload.chunks, "")) for parser in installed_peers()}
    assert [peer for peer, events in found.items() if events < workload.events] == []


def test_our_parser_gets_every_public_vector_right() -> None:
    vectors = [vector for vector in load_vectors() if is_public(vector)]
    assert right_vectors(ours(), vectors) == len(vectors)


def test_a_parser_that_fails_is_not_right() -> None:
    def fail(_chunks: Iterable[bytes], _cursor: str) -> list[Row]:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "as some do")

    failing = Parser("failing", "1", lambda _chunks: None, fail)
    assert right_vectors(failing, load_vectors()) == 0


def test_the_table_has_a_row_for_every_workload_and_one_for_the_vectors() -> None:
    text, _ = table(SMALL, 1)
    rows = [line.split("**")[1] for line in text.splitlines()[2:-1]]
    assert rows == WORKLOADS
    assert text.splitlines()[-1].startswith("| vectors right")


def test_a_goal_is_met_by_its_ratio() -> None:
    medians = {goal.peer: goal.ratio for goal in GOALS if goal.workload == "W2"}
    verdicts = judge("W2", {**medians, "arkor-proto": 1.0}, "arkor-proto")
    assert [met for _, met in verdicts] == [True, True]


def test_a_goal_is_missed_below_its_ratio() -> None:
    medians = {goal.peer: goal.ratio for goal in GOALS if goal.workload == "W2"}
    verdicts = judge("W2", {**medians, "arkor-proto": 1.01}, "arkor-proto")
    assert [met for _, met in verdicts] == [False, False]


def test_a_goal_without_its_peer_is_not_met() -> None:
    verdicts = judge("W2", {"arkor-proto": 1.0, "httpx-sse": 9.0}, "arkor-proto")
    assert [text for text, met in verdicts if not met] == [
        "no launchdarkly-eventsource to compare with"
    ]
