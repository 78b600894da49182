"""Divide the cases into shards, so that several machines can share one run.

The shard of a case depends only on its id and the number of shards. So every machine divides the
cases in the same way, and a new case does not move the others to other shards.
"""

import hashlib
import re
from collections.abc import Callable, Sequence
from typing import Final, Self, TypeVar

from attrs import frozen

T = TypeVar("T")

MOST: Final = 9_999
_WRITTEN: Final = re.compile(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})")


@frozen
class Shard:
    """Shard `number` of `of` shards, counted from 1."""

    number: int
    of: int

    @classmethod
    def read(cls, written: str) -> Self | None:
        """Parse a shard such as `2/4`; return None if the text is not a shard."""
        found = _WRITTEN.fullmatch(written)
        if found is None or int(found[1]) > int(found[2]):
            return None
        return cls(int(found[1]), int(found[2]))

    def has(self, name: str) -> bool:
        """Return whether the item with this name belongs to the shard."""
        return shard_of(name, self.of) == self.number

    def part(self, things: Sequence[T], name_of: Callable[[T], str]) -> tuple[T, ...]:
        """Return the items that belong to the shard, in order."""
        return tuple(each for each in things if self.has(name_of(each)))

    def places(self, count: int) -> range:
        """Return the shard's share of `range(count)`, for example of the schedules of a seed."""
        return range(self.number - 1, count, self.of)

    def __str__(self) -> str:
        return f"shard {self.number} of {self.of}"


WHOLE: Final = Shard(1, 1)


def shard_of(name: str, of: int) -> int:
    """Return the number of the name's shard: the SHA-256 of the name, modulo `of`, plus 1."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()) % of + 1
