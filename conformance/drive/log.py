"""Keep the beginning and the end of what a driver writes to its standard error.

A driver may write without limit. Its first lines usually identify it, and its last lines usually
explain how it ended; everything in between is dropped.
"""

from collections.abc import Iterator, Sequence
from typing import Final

from attrs import define, field

_FIRST_BYTES: Final = 1 << 12
_LAST_BYTES: Final = 1 << 15
_FIRST_LINES: Final = 4
_LAST_LINES: Final = 6
_LONGEST_LINE: Final = 200


@define
class Log:
    """The first and the last bytes of a text; `length` also counts the bytes that were dropped."""

    length: int = field(default=0, init=False)
    _first: bytearray = field(factory=bytearray, init=False)
    _last: bytearray = field(factory=bytearray, init=False)

    def add(self, block: bytes) -> None:
        """Append a block."""
        self.length += len(block)
        self._first += block[: _FIRST_BYTES - len(self._first)]
        self._last += block
        del self._last[:-_LAST_BYTES]

    def since(self, length: int) -> str:
        """Return what follows the first `length` bytes, or as much of its end as has been kept."""
        added = min(self.length - length, len(self._last))
        return _text(self._last[len(self._last) - added :])

    def __str__(self) -> str:
        """Return the first and the last lines, with long lines shortened."""
        return "\n".join(excerpt(*self._kept()))

    def _kept(self) -> tuple[Sequence[str], Sequence[str]]:
        """Return the complete lines before and after the part that was dropped, if any."""
        if self.length <= len(self._last):
            return _lines(self._last), ()
        # The lines on either side of the gap are incomplete, and may have incomplete characters.
        return _lines(self._first)[:-1] or [_text(self._first)], _lines(self._last)[1:]


def excerpt(lines: Sequence[str], later: Sequence[str] = ()) -> Iterator[str]:
    """Yield the first and the last non-blank lines; `later` has the lines after a dropped part."""
    everything = [each for each in lines if each.strip()]
    end = [each for each in later if each.strip()]
    if not end and len(everything) <= _FIRST_LINES + _LAST_LINES:
        yield from map(_shown, everything)
        return
    yield from map(_shown, everything[:_FIRST_LINES])
    yield "…"
    yield from map(_shown, (end or everything)[-_LAST_LINES:])


def _shown(line: str) -> str:
    whole = line.rstrip()
    return whole if len(whole) <= _LONGEST_LINE else f"{whole[:_LONGEST_LINE]}…"


def _lines(kept: bytearray) -> list[str]:
    return _text(kept).split("\n")


def _text(kept: bytearray) -> str:
    return kept.decode("utf-8", "backslashreplace")
