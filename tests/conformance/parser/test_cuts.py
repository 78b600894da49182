"""How streams are cut into chunks, and how few cuts a failure is shown with."""

from random import Random

import anyio
from hypothesis import given
from hypothesis import strategies as st

from conformance.parser.cuts import chunkings, cut, fewest, places_of
from conformance.parser.streams import load_streams

RANDOM = Random(0)  # noqa: S311 - cuts, not secrets


@given(st.binary(max_size=30), st.lists(st.integers(-5, 40)))
def test_the_chunks_are_the_stream_and_none_is_empty(data: bytes, places: list[int]) -> None:
    chunks = cut(data, places)
    assert b"".join(chunks) == data
    assert chunks == (b"",) or all(chunks)
    assert cut(data, places_of(chunks)) == chunks


def test_a_stream_is_whole_first_then_as_given_and_then_in_every_two_pieces() -> None:
    found = list(chunkings((b"ab", b"cd"), RANDOM, 2))
    assert found[:6] == [(), (2,), (1, 2, 3), (1,), (2,), (3,)]
    assert len(found) == 8


def test_a_stream_of_one_byte_or_none_has_nothing_to_cut() -> None:
    assert list(chunkings((b"",), RANDOM, 5)) == [()]
    assert list(chunkings((b"a",), RANDOM, 5)) == [()]


def test_a_long_stream_is_not_cut_everywhere() -> None:
    longest = max(load_streams(), key=lambda stream: len(stream.data))
    assert len(list(chunkings(longest.chunks, RANDOM, 5))) <= 7


def test_one_cut_is_enough_where_one_is_to_blame() -> None:
    async def fails(places: tuple[int, ...]) -> bool:
        return 5 in places

    assert anyio.run(fewest, (2, 5, 9), fails) == (5,)


def test_two_cuts_stay_where_both_are_to_blame() -> None:
    async def fails(places: tuple[int, ...]) -> bool:
        return {2, 9} <= set(places)

    assert anyio.run(fewest, (1, 2, 5, 9), fails) == (2, 9)
