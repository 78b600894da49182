"""Read the commands of a parent process line by line."""

from typing import Final

from attrs import define, field

from mock_server.stdin import Stdin

LONGEST: Final = 1 << 20
"""The maximum length of a line, in bytes; only the beginning of a longer line is kept."""


@define(eq=False)
class StdinLines:
    """Reads lines from stdin."""

    _stdin: Stdin
    _buffer: bytearray = field(factory=bytearray, init=False)
    _seen: int = field(default=0, init=False)
    """The number of bytes at the start of the buffer that are known to contain no newline."""
    _ended: bool = field(default=False, init=False)

    async def next(self) -> bytes | None:
        """Return the next line without its newline, or None after the last one.

        A line of more than `LONGEST` bytes is cut to `LONGEST + 1` bytes, which tells callers that
        it was too long.
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
        """Read more into the buffer; return False at the end of stdin."""
        data = await self._stdin.read()
        self._buffer += data
        self._ended = not data
        return bool(data)
