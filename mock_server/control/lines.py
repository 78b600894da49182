"""The commands of a parent process, line by line."""

from typing import Final

from attrs import define, field

from mock_server.stdin import Stdin

LONGEST: Final = 1 << 20
"""How many bytes a line may have; of a longer one, only the beginning is kept."""


@define(eq=False)
class StdinLines:
    """The lines of stdin."""

    _stdin: Stdin
    _buffer: bytearray = field(factory=bytearray, init=False)
    _seen: int = field(default=0, init=False)
    """How much of the buffer has no end of line."""
    _ended: bool = field(default=False, init=False)

    async def next(self) -> bytes | None:
        """Return the next line without its end, or None after the last one.

        A line that is longer than `LONGEST` is cut to one byte more.
        """
        while (end := self._buffer.find(b"\n", self._seen)) < 0:
            del self._buffer[LONGEST + 1 :]
            self._seen = len(self._buffer)
            if self._ended or not await self._more():
                return self._last()
        line = bytes(self._buffer[: min(end, LONGEST + 1)])
        del self._buffer[: end + 1]
        self._seen = 0
        return line

    def _last(self) -> bytes | None:
        line = bytes(self._buffer)
        self._buffer.clear()
        self._seen = 0
        return line or None

    async def _more(self) -> bool:
        """Wait for more; False at the end."""
        data = await self._stdin.read()
        self._buffer += data
        self._ended = not data
        return bool(data)
