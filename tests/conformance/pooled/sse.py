"""Split the bytes of an event stream into blocks, by the algorithm of WHATWG HTML 9.2."""

import codecs
from collections.abc import Callable, Iterator
from typing import Final

from attrs import define, field, frozen

from tests.conformance.pooled.errors import Unusable

LONGEST: Final = 8 * 2**20
"""The most characters that one event may have (ARK-SEC-5)."""


def _decoder() -> codecs.IncrementalDecoder:
    return codecs.getincrementaldecoder("utf-8")("replace")


@frozen
class Block:
    """A block that a blank line ended: an event if it has data, otherwise only an id."""

    id: str | None
    name: str
    data: str | None


@define
class EventReader:
    """Parses a stream chunk by chunk; each `retry` line calls `on_retry` with milliseconds."""

    on_retry: Callable[[float], None]
    _decoder: codecs.IncrementalDecoder = field(factory=_decoder, init=False)
    _at_start: bool = field(default=True, init=False)
    _after_return: bool = field(default=False, init=False)
    _line: list[str] = field(factory=list[str], init=False)
    _size: int = field(default=0, init=False)
    _id: str | None = field(default=None, init=False)
    _name: str = field(default="", init=False)
    _data: list[str] = field(factory=list[str], init=False)

    def feed(self, chunk: bytes) -> Iterator[Block]:
        """Yield the blocks that `chunk` completes; raise Unusable if an event is too long."""
        for line in self._lines(self._decoder.decode(chunk)):
            if line:
                self._field(line)
                continue
            if self._id is not None or self._data:
                data = "\n".join(self._data) if self._data else None
                yield Block(self._id, self._name, data)
            self._id, self._name, self._data, self._size = None, "", [], 0
        if self._size > LONGEST:
            raise Unusable(f"an event is longer than {LONGEST} characters")

    def _lines(self, text: str) -> Iterator[str]:
        if not text:
            return
        if self._at_start:
            self._at_start = False
            text = text.removeprefix("\ufeff")
        if self._after_return:
            text = text.removeprefix("\n") if text else text
        self._after_return = text.endswith("\r")
        *lines, rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        for line in lines:
            whole = "".join((*self._line, line))
            self._line.clear()
            self._size += len(line) + 1
            yield whole
        self._line.append(rest)
        self._size += len(rest)

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
            case "event":
                self._name = value
            case "id" if "\0" not in value:
                self._id = value
            case "retry" if value.isascii() and value.isdigit():
                # Not int(), which refuses thousands of digits.
                self.on_retry(float(value))
            case _:
                pass
