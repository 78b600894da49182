"""Tests of fitting growth, with counted costs instead of times."""

import math
from collections.abc import Callable, Sequence

import pytest

from arkor_proto import EventStreamParser
from tests.benchmarks.peers.fitting import fitted
from tests.benchmarks.peers.growth import AXES, Axis, grown

SIZES = (1000, 2000, 4000, 8000, 16000)


def axis(name: str, largest: int) -> Axis:
    (found,) = (each for each in AXES if each.name == name)
    return Axis(found.name, found.title, found.build, tuple(n for n in found.sizes if n <= largest))


def copied_by_adding(chunks: Sequence[bytes]) -> float:
    """Count the bytes copied by a parser that adds each chunk to the unfinished line."""
    pending, copied = b"", 0
    for chunk in chunks:
        pending += chunk
        copied += len(pending)
        pending = pending.rpartition(b"\n")[2]
    return copied


def copied_by_joining(chunks: Sequence[bytes]) -> float:
    """Count the bytes copied by a parser that joins the pieces of a line once it is complete."""
    pending, copied = 0, 0
    for chunk in chunks:
        pending += len(chunk)
        if b"\n" in chunk:
            copied += pending
            pending = 0
    return copied


def added_lines(chunks: Sequence[bytes]) -> float:
    """Count the bytes copied by a parser that adds each data line to the previous ones."""
    data, copied = 0, 0
    for line in b"".join(chunks).splitlines():
        data += len(line)
        copied += data
    return copied


@pytest.mark.parametrize("exponent", [0.0, 1.0, 1.5, 2.0])
def test_a_power_law_is_found_exactly(exponent: float) -> None:
    growth = fitted([(size, 3e-9 * size**exponent) for size in SIZES])
    assert growth is not None
    assert growth.exponent == pytest.approx(exponent)
    assert growth.error == pytest.approx(0, abs=1e-6)


def test_the_error_is_the_standard_error_of_the_slope() -> None:
    # Residues of +d, -d, -d, +d beside a line through four sizes that double: by hand,
    # sqrt(4 d^2 / 2 / (5 ln(2)^2)).
    off = 0.1
    costs = [n * math.exp(d) for n, d in zip(SIZES[1:], (off, -off, -off, off), strict=True)]
    growth = fitted([*zip(SIZES[1:], costs, strict=True)])
    assert growth is not None
    assert growth.exponent == pytest.approx(1)
    assert growth.error == pytest.approx(math.sqrt(2 * off**2 / (5 * math.log(2) ** 2)))


def test_small_sizes_do_not_hide_what_large_ones_cost() -> None:
    growth = fitted([(2**n, 1000 + (2**n) ** 2) for n in range(12)])
    assert growth is not None
    assert growth.kind == "quadratic"


@pytest.mark.parametrize(
    ("exponent", "kind"),
    [
        (0.0, "flat"),
        (1.0, "linear"),
        (1.25, "linear"),
        (1.5, "worse than linear"),
        (2, "quadratic"),
    ],
)
def test_a_growth_has_a_word(exponent: float, kind: str) -> None:
    growth = fitted([(size, size**exponent) for size in SIZES])
    assert growth is not None
    assert growth.kind == kind


def test_noise_alone_is_not_called_quadratic() -> None:
    growth = fitted([(1000, 1), (2000, 9), (4000, 2), (8000, 60)])
    assert growth is not None
    assert growth.exponent > 1.5
    assert growth.kind == "linear"


@pytest.mark.parametrize("points", [[], [(1, 1.0), (2, 2.0)], [(1, 0.0), (2, 1.0), (4, 2.0)]])
def test_two_points_are_too_few(points: list[tuple[int, float]]) -> None:
    assert fitted(points) is None


@pytest.mark.parametrize(
    ("name", "cost", "kind"),
    [
        ("line length", copied_by_adding, "quadratic"),
        ("line in small chunks", copied_by_adding, "quadratic"),
        ("line length", copied_by_joining, "linear"),
        ("line in small chunks", copied_by_joining, "linear"),
        ("data lines", added_lines, "quadratic"),
        ("events", copied_by_joining, "linear"),
    ],
)
def test_a_planted_parser_is_judged_by_what_it_copies(
    name: str, cost: Callable[[Sequence[bytes]], float], kind: str
) -> None:
    growth = grown(axis(name, 2**20), cost, enough=math.inf)
    assert growth is not None
    assert growth.kind == kind


def test_the_lowest_of_several_rounds_counts_for_each_size_that_is_not_too_dear() -> None:
    asked: list[int] = []

    def cost(chunks: Sequence[bytes]) -> float:
        size = sum(map(len, chunks))
        asked.append(size)
        return size * (10 if asked.count(size) == 1 else 1)

    each = axis("line length", 2**20)
    growth = grown(each, cost, enough=5 * 2**20, rounds=3)
    assert growth is not None
    small, dear = asked[:2], asked[2]
    assert asked == [*small, dear, *small, *small]
    assert [cost for _, cost in growth.points] == [*small, 10 * dear]


def test_after_a_size_that_costs_enough_no_larger_one_is_tried() -> None:
    asked: list[int] = []

    def cost(chunks: Sequence[bytes]) -> float:
        asked.append(sum(map(len, chunks)))
        return len(asked)

    assert grown(axis("events", 2**15), cost, enough=2.5) is not None
    assert len(asked) == 3


@pytest.mark.parametrize("each", AXES, ids=lambda each: each.name)
def test_twice_the_size_is_twice_of_what_the_axis_says(each: Axis) -> None:
    small, large = (each.build(size) for size in each.sizes[:2])
    found = [EventStreamParser().feed(b"".join(chunks)) for chunks in (small, large)]
    counts = {
        "line length": [len(events[0].data) for events in found],
        "line in small chunks": [len(events[0].data) for events in found],
        "data lines": [events[0].data.count("\n") + 1 for events in found],
        "chunks": [len(small), len(large)],
        "events": [len(events) for events in found],
        "backlog": [len(events) for events in found],
    }[each.name]
    assert counts == [*each.sizes[:2]]
