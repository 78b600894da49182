"""A fleet that loses its streams at once: the peaks that the closed formulas give."""

import re
import xml.etree.ElementTree as ET
from collections import Counter
from functools import cache

import pytest
from attrs import evolve

from arkor_proto import Jitter
from conformance.simulate.fleet import STRATEGIES, FleetResult, Outage, lived, peak_rate
from conformance.simulate.plot import plot
from tests.forked import ROOT

CLIENTS = 1000


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
    assert 0.97 <= found.first_peak / peak_rate(found.outage) <= 1.35


@pytest.mark.parametrize("strategy", ["full", "decorrelated"])
def test_the_first_peak_does_not_depend_on_the_outage(strategy: str) -> None:
    assert fleet(strategy, 30.0).first_peak == fleet(strategy, 0.0).first_peak


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
    waits = {name: fleet(name, 30.0, 150.0).back_after for name in ("none", "full")}
    assert waits["none"] > 5 * waits["full"]


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize(("seconds", "capacity"), [(30.0, 20.0), (600.0, None), (30.0, None)])
def test_the_number_of_attempts_is_known_roughly_beforehand(
    strategy: str, seconds: float, capacity: float | None
) -> None:
    found = fleet(strategy, seconds, capacity)
    assert 0.4 <= found.attempts / found.outage.expected_attempts <= 2.5


def test_the_same_seed_gives_the_same_fleet() -> None:
    one, other = (lived(Outage(clients=200, seed=5)) for _ in range(2))
    assert (one.tries, one.back) == (other.tries, other.back)


def test_the_drawing_shows_attempts_the_time_until_99_percent_are_back_and_wasted_ones() -> None:
    about = Outage(clients=100, seconds=5.0, capacity=20.0)
    results = [lived(evolve(about, strategy=name)) for name in STRATEGIES]
    drawn = ET.fromstring(plot(results))  # noqa: S314 - our own
    classes = Counter(each.get("class") for each in drawn.iter())
    for name in ("accepted", "refused"):
        assert classes[name] == len(STRATEGIES) + 1  # and the legend
    assert classes["back"] == len(STRATEGIES)
    told = [each.text for each in drawn.iter() if each.tag.endswith("text")]
    for found in results:
        assert f"99% back {found.back_after:,.1f} s later" in told
        each = (found.attempts / 100, found.wasted / 100)
        assert "{:.2f} attempts each, {:.2f} wasted".format(*each) in told


@pytest.mark.parametrize("seconds", [0.0, 3.0, 86_400.0])
def test_every_bar_of_a_drawing_is_inside_it(seconds: float) -> None:
    drawn = plot([lived(Outage(clients=5, seconds=seconds, strategy="full"))])
    xs = [float(each) for each in re.findall(r"[MH](\d+\.\d)", drawn)]
    assert 64 <= min(xs) <= max(xs) <= 681
    assert len(drawn) < 30_000


def test_the_drawing_of_the_guide_is_what_its_command_draws() -> None:
    results = [lived(Outage(clients=500, strategy=name)) for name in STRATEGIES]
    assert (ROOT / "docs" / "fleet.svg").read_text("utf-8") == plot(results)
