"""A second reading of the standard: slow, from the whole stream at once, obviously right.

WHATWG HTML §9.2.6 word for word, with the two settlements that the parser documents (the seeded cursor,
the bound on an event).
"""

import re
from typing import Final

from attrs import define, field, frozen

RETRY_LIMIT: Final = 2**53 - 1
ASCII_DIGITS: Final = frozenset("0123456789")
BOM: Final = b"\xef\xbb\xbf"


@frozen
class Dispatched:
    """One event, with everything that the parser says about it."""

    type: str
    data: str
    last_event_id: str
    has_id: bool


@define
class Reading:
    """What is to be read out of one stream."""

    last_event_id: str
    retry: int | None = None
    events: list[Dispatched] = field(factory=list[Dispatched])
    too_large: bool = False


def read(stream: bytes, *, last_event_id: str = "", max_event_size: int = 8 * 2**20) -> Reading:
    """Read a whole stream, up to its end or to the first event over the bound."""
    reading = Reading(last_event_id)
    if BOM.startswith(stream):
        return reading  # as much of the mark as has come, which weighs nothing
    block = Block(last_event_id)
    weight = 0
    lines = re.split(rb"\r\n|\r|\n", stream.removeprefix(BOM))
    for number, raw in enumerate(lines, start=1):
        weight += len(raw)
        if weight > max_event_size:
            reading.too_large = True
            return reading
        if number == len(lines):
            return reading  # no line end behind it: the line is discarded, the block with it
        if raw:
            process_field(raw.decode(errors="replace"), block, reading)
            weight += 1
            if weight > max_event_size:
                reading.too_large = True
                return reading
        else:
            dispatch(block, reading)
            block = Block(reading.last_event_id)
            weight = 0
    raise AssertionError("unreachable: a split has a last part")


@define
class Block:
    """The buffers of the standard."""

    last_event_id: str
    data: str = ""
    event_type: str = ""
    has_id: bool = False


def process_field(line: str, block: Block, reading: Reading) -> None:
    """Process one line that is not empty."""
    if line.startswith(":"):
        return
    name, value = line, ""
    if ":" in line:
        colon = line.index(":")
        name, value = line[:colon], line[colon + 1 :]
        value = value.removeprefix(" ")
    if name == "event":
        block.event_type = value
    elif name == "data":
        block.data += value
        block.data += "\n"
    elif name == "id":
        if "\0" not in value:
            block.last_event_id = value
            block.has_id = True
    elif name == "retry" and value and all(character in ASCII_DIGITS for character in value):
        reading.retry = bounded(value)


def bounded(digits: str) -> int:
    """Read a decimal digit by digit, and stop where it cannot matter any more."""
    number = 0
    for digit in digits:
        number = min(number * 10 + "0123456789".index(digit), RETRY_LIMIT)
    return number


def dispatch(block: Block, reading: Reading) -> None:
    """Dispatch the event, as at an empty line."""
    reading.last_event_id = block.last_event_id
    if block.data == "":
        return
    reading.events.append(
        Dispatched(
            block.event_type if block.event_type != "" else "message",
            block.data[:-1],
            reading.last_event_id,
            block.has_id,
        )
    )
