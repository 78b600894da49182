"""A fleet that loses its streams at once: the peaks that the closed formulas give."""

import xml.etree.ElementTree as ET
from functools import cache

import pytest

from arkor_proto import Jitter
from conformance.simulate.fleet import STRATEGIES, FleetResult, Outage, lived, peak_rate
from conformance.simulate.plot import plot

CLIENTS = 1500


@cache
def fleet(strategy: str, seconds: float, capacity: float | None = None) -> FleetResult:
    """Let a fleet live through an outage, once."""
    return lived(
        Outage(clients=CLIENTS, seconds=seconds, capacity=capacity, strategy=strategy, seed=1)
    )


@pytest.mark.parametrize("strategy", [each for each in STRATEGIES if each != Jitter.NONE.value])
def test_the_first_peak_is_the_fleet_over_the_window(strategy: str) -> None:
    """The most of many windows lies above the mean by chance: by a third at most, with so few."""
    found = fleet(strategy, 0.0)
    expected = peak_rate(found.outage) * 0.1
    assert expected * 0.97 <= found.peak(0.1) <= expected * 1.35


def test_without_jitter_all_come_at_once() -> None:
    assert fleet("none", 0.0).peak(0.1) == CLIENTS


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_client_comes_back(strategy: str) -> None:
    found = fleet(strategy, 30.0)
    assert len(found.back) == CLIENTS
    assert found.attempts == CLIENTS + found.during + found.wasted
    assert min(found.back) >= 30.0


def test_full_jitter_has_the_lowest_peak_after_a_short_outage() -> None:
    peaks = {name: fleet(name, 30.0).peak(1.0, 30.0) for name in STRATEGIES}
    assert min(peaks, key=lambda name: peaks[name]) == "full"
    assert peaks["none"] == CLIENTS


def test_a_backend_that_takes_few_at_a_time_is_hit_hardest_without_jitter() -> None:
    waits = {name: fleet(name, 30.0, 200.0).back_after for name in ("none", "full")}
    assert waits["none"] > 5 * waits["full"]


def test_the_same_seed_gives_the_same_fleet() -> None:
    one, other = (lived(Outage(clients=200, seed=5)) for _ in range(2))
    assert (one.tries, one.back) == (other.tries, other.back)


def test_the_drawing_has_a_line_for_each_strategy() -> None:
    drawn = ET.fromstring(plot([fleet(name, 30.0) for name in STRATEGIES]))  # noqa: S314 - our own
    lines = [each for each in drawn.iter() if each.tag.endswith("polyline")]
    assert len(lines) == len(STRATEGIES)
