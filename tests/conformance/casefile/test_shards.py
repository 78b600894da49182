"""Shards divide the cases by their ids alone: evenly, and the same on every machine."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.casefile.shards import Shard, shard_of
from tests.conformance.catalogue import all_cases

NAMES = [case.id for case in all_cases()]


def shards(of: int) -> list[Shard]:
    return [Shard(number, of) for number in range(1, of + 1)]


@given(st.text(), st.integers(1, 99))
def test_a_name_is_in_exactly_one_shard(name: str, of: int) -> None:
    assert sum(shard.has(name) for shard in shards(of)) == 1


def test_the_shard_of_a_case_is_the_same_in_every_release() -> None:
    names = ("a", "b", "create.accepted[200]")
    assert [shard_of(name, 7) for name in names] == [2, 7, 2]


def test_a_new_case_moves_no_other_one() -> None:
    before = {name: shard_of(name, 5) for name in NAMES[1:]}
    after = {name: shard_of(name, 5) for name in [*NAMES, "brand.new"]}
    assert {name: after[name] for name in before} == before


def test_a_part_keeps_the_order_of_the_cases() -> None:
    assert list(Shard(2, 3).part(NAMES, str)) == [name for name in NAMES if shard_of(name, 3) == 2]


@pytest.mark.parametrize("of", [2, 4, 8, 16])
def test_the_cases_of_the_kit_are_divided_into_parts_of_similar_size(of: int) -> None:
    counted = Counter(shard_of(name, of) for name in NAMES)
    assert len(counted) == of
    assert max(counted.values()) < 1.5 * len(NAMES) / of


@given(st.integers(0, 200), st.integers(1, 30))
def test_the_shards_of_a_series_are_all_of_it(count: int, of: int) -> None:
    places = [place for shard in shards(of) for place in shard.places(count)]
    assert sorted(places) == list(range(count))


@pytest.mark.parametrize("written", ["1/1", "2/4", "4/4", "9999/9999"])
def test_a_shard_is_written_as_it_is_read(written: str) -> None:
    found = Shard.read(written)
    assert found is not None
    assert f"{found.number}/{found.of}" == written
    assert str(found) == f"shard {found.number} of {found.of}"


WRONG = (
    "0/4",
    "5/4",
    "1/0",
    "4",
    "1/",
    "/4",
    "-1/4",
    "1/4/4",
    "01/4",
    "1_0/20",
    "٣/٤",
    " 1/4",
    "a/b",
)


@pytest.mark.parametrize("written", [*WRONG, "1/10000", ""])
def test_what_is_not_a_shard_is_refused(written: str) -> None:
    assert Shard.read(written) is None
