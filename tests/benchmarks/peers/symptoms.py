"""Describes what a wrong result means to a user of the parser."""

import re
from collections.abc import Sequence
from typing import Final

from tests.benchmarks.peers.parsers import Row

LOST_AFTER_BOM: Final = "loses the first event after a byte order mark"
EMPTY: Final = "invents an empty event"
UNFINISHED: Final = "delivers an unfinished event at the end of the stream"
NUL: Final = "accepts an id that contains a NUL"
FORGETS_CURSOR: Final = "forgets the id that it was resumed with"
FORGETS_ID: Final = "forgets the last id when an event has none"
SPACES: Final = "strips more than one leading space"
CR: Final = "does not end a line at a lone CR, or only when more bytes follow"
CRLF: Final = "treats a CRLF that is split across two chunks as two line ends"
EMPTY_LINES: Final = "drops empty lines of the data"
LOSES: Final = "loses an event"
INVENTS: Final = "invents an event"
ID: Final = "reports a wrong id"
TEXT: Final = "gets the type or the data of an event wrong"

_BOM: Final = b"\xef\xbb\xbf"
_LONE_CR: Final = re.compile(rb"\r(?!\n)")
_FINISHED: Final = (b"\n\n", b"\r\r", b"\r\n\r\n", b"\n\r", b"\n\r\n", b"\r\n\n")


def symptom(
    chunks: Sequence[bytes], cursor: str, expected: Sequence[Row], actual: Sequence[Row]
) -> str:
    """Return the first of the descriptions above that fits the difference between two results."""
    stream = b"".join(chunks)
    return (
        _at_the_beginning(stream, expected, actual)
        or _at_the_end(stream, expected, actual)
        or _in_ids(cursor, expected, actual)
        or _in_texts(expected, actual)
        or _in_line_ends(chunks, expected, actual)
        or _in_number(expected, actual)
    )


def _at_the_beginning(stream: bytes, expected: Sequence[Row], actual: Sequence[Row]) -> str:
    begins = stream.startswith(_BOM) and bool(expected)
    return LOST_AFTER_BOM if begins and expected[0] not in actual else ""


def _at_the_end(stream: bytes, expected: Sequence[Row], actual: Sequence[Row]) -> str:
    more = len(actual) > len(expected) and [*actual[: len(expected)]] == [*expected]
    return UNFINISHED if more and not stream.endswith(_FINISHED) else ""


def _in_ids(cursor: str, expected: Sequence[Row], actual: Sequence[Row]) -> str:
    if [row[:2] for row in expected] != [row[:2] for row in actual]:
        return ""
    if any("\0" in row[2] for row in actual):
        return NUL
    wrong = [got[2] for want, got in zip(expected, actual, strict=True) if want != got]
    if not any(wrong):
        return FORGETS_CURSOR if cursor else FORGETS_ID
    return ID


def _in_texts(expected: Sequence[Row], actual: Sequence[Row]) -> str:
    stripped = [
        (kind.lstrip(" "), "\n".join(line.lstrip(" ") for line in data.split("\n")), id_)
        for kind, data, id_ in expected
    ]
    if stripped == [*actual] != [*expected]:
        return SPACES
    if len(expected) == len(actual) and _texts(expected) == _texts(actual):
        return EMPTY_LINES
    return EMPTY if [row for row in actual if row[1]] == [row for row in expected if row[1]] else ""


def _texts(rows: Sequence[Row]) -> list[list[str]]:
    return [[line for line in row[1].split("\n") if line] for row in rows]


def _in_line_ends(chunks: Sequence[bytes], expected: Sequence[Row], actual: Sequence[Row]) -> str:
    ends_in_cr = any(chunk.endswith(b"\r") for chunk in chunks[:-1])
    if ends_in_cr and len(actual) > len(expected):
        return CRLF
    return CR if _LONE_CR.search(b"".join(chunks)) and _texts(expected) != _texts(actual) else ""


def _in_number(expected: Sequence[Row], actual: Sequence[Row]) -> str:
    if len(actual) == len(expected):
        return TEXT
    return LOSES if len(actual) < len(expected) else INVENTS
