"""Shapes of values that JSON has no types for: durations, ranges of counts, bytes, header text."""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from attrs import evolve, frozen

from mock_server.strict.alternatives import converted
from mock_server.strict.shapes import (
    ScenarioError,
    Shape,
    array,
    either,
    mapping,
    number,
    shown,
    simple,
    text,
    wrong,
)

MAX_MS: Final = 24 * 3600 * 1000.0
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_MOST: Final = 10**15
_SPAN: Final = re.compile("([0-9]{1,15})(-([0-9]{1,15})?)?")


@frozen
class Span:
    """A range of positive counts, including both ends; it has no upper end if `last` is None."""

    first: int
    last: int | None

    def __contains__(self, count: int) -> bool:
        return self.first <= count and (self.last is None or count <= self.last)

    def __str__(self) -> str:
        if self.last == self.first:
            return str(self.first)
        return f"{self.first}-{'' if self.last is None else self.last}"


def span() -> Shape[Span]:
    """Describe a count of at least 1, or a range of such counts: `1`, `"2-4"` or `"3-"`."""
    says = "a positive whole number or a range such as '2-4' or '3-'"

    def read(value: object, where: str) -> Span:
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST:
            return Span(value, value)
        if isinstance(value, str) and (match := _SPAN.fullmatch(value)):
            first, dash, end = match.groups()
            found = Span(int(first), int(end) if end else (None if dash else int(first)))
            if found.first >= 1 and (found.last is None or found.last >= found.first):
                return found
        raise wrong(value, where, says)

    def write(found: object) -> object:
        return found.first if isinstance(found, Span) and found.last == found.first else str(found)

    anyof = [
        {"type": "integer", "minimum": 1},
        {"type": "string", "pattern": "^[0-9]+(-[0-9]*)?$"},
    ]
    return evolve(simple("integer string", says, read, {"anyOf": anyof}), write=write)


def milliseconds() -> Shape[float]:
    """Describe a duration, which is in milliseconds in a scenario file and in seconds in Python."""
    says = "a number of milliseconds, at most a day"

    def write(seconds: object) -> object:
        if not isinstance(seconds, int | float):
            raise wrong(seconds, "a duration", "a number of seconds")
        ms = round(seconds * 1000, 6)
        return int(ms) if ms == int(ms) else ms

    return evolve(converted(number(0, MAX_MS), lambda ms, _: ms / 1000, says), write=write)


def hex_bytes() -> Shape[bytes]:
    """Describe bytes as hexadecimal digits: a TOML string cannot contain every byte, such as FF."""
    says = "bytes in hexadecimal, such as 'ff00'"

    def read(value: object, where: str) -> bytes:
        if isinstance(value, str):
            with suppress(ValueError):
                return bytes.fromhex(value)
        raise wrong(value, where, says)

    return simple("string", says, read, {"type": "string", "pattern": r"^([0-9a-fA-F]{2}\s*)*$"})


def header_text() -> Shape[str]:
    """Describe a string without CR, LF or NUL, which a header line cannot contain."""

    def checked(found: str, where: str) -> str:
        if any(char in found for char in "\r\n\0"):
            raise ScenarioError(
                f"{where}: {shown(found, where)} contains CR, LF or NUL, which a header line "
                "cannot contain; use raw_head_hex for such bytes"
            )
        return found

    return converted(text(8192), checked)


def header_name() -> Shape[str]:
    """Describe the name of a header field."""
    says = "the name of a header field (RFC 9110, 5.1)"

    def checked(found: str, where: str) -> str:
        if not _TOKEN.fullmatch(found):
            raise wrong(found, where, says)
        return found

    return converted(text(200), checked, says)


def header_fields() -> Shape[Mapping[str, str | tuple[str, ...]]]:
    """Describe header fields by name, each with one or more values."""
    value = header_text()
    values = either(value, array(value, 64))
    values = evolve(values, says=f"{value.says}, or an array of such strings")

    def checked(
        found: Mapping[str, str | tuple[str, ...]], where: str
    ) -> Mapping[str, str | tuple[str, ...]]:
        for name in found:
            if not _TOKEN.fullmatch(name):
                raise ScenarioError(f"{where}: {name!r} is not a valid header name (RFC 9110, 5.1)")
        return found

    return converted(mapping(values), checked)
