"""Cut a stream into chunks, and find the fewest cuts with which a parser still fails."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from random import Random
from typing import Final

_FEW_BYTES: Final = 400
"""A longer stream is neither cut into single bytes nor cut in two at each position in turn."""
_MOST_CUTS: Final = 8


def cut(data: bytes, places: Sequence[int]) -> tuple[bytes, ...]:
    """Cut `data` at these places, which may be in any order, and return the chunks."""
    ends = sorted({place for place in places if 0 < place < len(data)})
    starts = (0, *ends)
    return tuple(data[start:end] for start, end in zip(starts, (*ends, len(data)), strict=True))


def places_of(chunks: Sequence[bytes]) -> tuple[int, ...]:
    """Return the start offset of every chunk after the first."""
    found: list[int] = []
    for chunk in chunks[:-1]:
        found.append((found[-1] if found else 0) + len(chunk))
    return tuple(found)


def chunkings(chunks: Sequence[bytes], random: Random, count: int) -> Iterator[tuple[int, ...]]:
    """Yield sets of positions at which to cut the bytes of `chunks`.

    The first set is empty, and the second has the boundaries between `chunks`. Unless there are too
    many bytes, a set of all positions follows, and then one set for each single position. The last
    `count` sets are random.
    """
    data = b"".join(chunks)
    yield ()
    if given := places_of(chunks):
        yield given
    if 1 < len(data) <= _FEW_BYTES:
        yield tuple(range(1, len(data)))
        yield from ((place,) for place in range(1, len(data)))
    for _ in range(count if len(data) > 1 else 0):
        most = min(_MOST_CUTS, len(data) - 1)
        yield tuple(sorted(random.sample(range(1, len(data)), random.randint(1, most))))


async def fewest(
    places: tuple[int, ...], fails: Callable[[tuple[int, ...]], Awaitable[bool]]
) -> tuple[int, ...]:
    """Remove the cuts that the parser does not need in order to fail, and return the rest."""
    for place in places:
        if len(places) > 1 and await fails((place,)):
            return (place,)
    for place in places:
        fewer = tuple(each for each in places if each != place)
        if fewer and await fails(fewer):
            places = fewer
    return places
