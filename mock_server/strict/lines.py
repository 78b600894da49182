"""Find the line on which each value of a TOML or JSON document begins.

The parsers of the standard library do not report lines. One scanner reads both formats; it relies
on the document being valid, so use it only on text that a parser has accepted. A place is named as
it is in error messages, for example `rule 2.on.route`; items are counted from 1.
"""

import json
import re
from bisect import bisect_right
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Final

from attrs import define, field

_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_STRING: Final = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"{3,5}' + r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\]|\\.)*"' + r"|'[^']*'",
    re.DOTALL,
)
_BARE: Final = re.compile(r"[^,\]}\n#]+")
_WORD: Final = re.compile(r"[A-Za-z0-9_-]+")
_DEEPEST: Final = 50


def toml_lines(source: str) -> Mapping[str, int]:
    """Map every place in a valid TOML document to its line number, counted from 1."""
    scanner = _Scanner(source)
    with suppress(_Lost):
        scanner.document()
    return scanner.lines


def json_lines(source: str) -> Mapping[str, int]:
    """Map every place in a valid JSON document to its line number, counted from 1."""
    scanner = _Scanner(source)
    with suppress(_Lost):
        scanner.value("")
    return scanner.lines


def line_of(at: str, lines: Mapping[str, int]) -> int | None:
    """Return the line of a place or, if it is unknown, that of the nearest enclosing value."""
    while at:
        if at in lines:
            return lines[at]
        at = at[: max(at.rfind(mark) for mark in ". [")] if re.search(r"[. \[]", at) else ""
    return None


class _Lost(Exception):
    """Raised when the scanner cannot read the rest of the document."""


@define
class _Scanner:
    _source: str
    _at: int = 0
    lines: dict[str, int] = field(factory=dict[str, int], init=False)
    _counts: dict[str, int] = field(factory=dict[str, int], init=False)
    """The number of tables found so far in each array of tables."""
    _starts: list[int] = field(init=False)

    def __attrs_post_init__(self) -> None:
        self._starts = [match.end() for match in re.finditer("\n", self._source)]

    def document(self) -> None:
        table = ""
        while self._skip():
            table = self._header() if self._peek() == "[" else self._pair(table, 0)

    def _header(self) -> str:
        start, many = self._at, self._source.startswith("[[", self._at)
        self._at += 2 if many else 1
        *above, last = self._keys()
        self._at += 2 if many else 1
        where = ""
        for key in above:
            where = _joined(where, key)
            where += f" {self._counts[where]}" if where in self._counts else ""
        where = _joined(where, last)
        if many:
            self._counts[where] = self._counts.get(where, 0) + 1
            where = f"{where} {self._counts[where]}"
        self._note(where, start)
        return where

    def _pair(self, table: str, depth: int) -> str:
        """Read a key and its value, which belong to the table at this place; return the place."""
        start, where = self._at, table
        for key in self._keys():
            where = _joined(where, key)
            self._note(where, start)
        self._skip()
        self._at += 1  # the `=` of TOML or the `:` of JSON
        self.value(where, depth)
        return table

    def _keys(self) -> list[str]:
        found: list[str] = []
        while True:
            self._skip()
            token = _WORD.match(self._source, self._at) or self._string()
            self._at = token.end()
            found.append(_plain(token[0]))
            self._skip()
            if self._peek() != ".":
                return found
            self._at += 1

    def value(self, where: str, depth: int = 0) -> None:
        self._skip()
        opens = self._peek()
        if depth > _DEEPEST and opens in {"{", "["}:
            self._pass_over()
        elif opens == "{":
            self._members("}", lambda _: self._pair(where, depth + 1))
        elif opens == "[":
            self._members("]", lambda n: self._item(f"{where} {n}", depth + 1))
        else:
            token = self._string() if opens in {'"', "'"} else _BARE.match(self._source, self._at)
            if token is None:
                raise _Lost
            self._at = token.end()

    def _pass_over(self) -> None:
        """Skip a value that is nested too deeply to be scanned."""
        level = 0
        while self._skip():
            opens = self._peek()
            level += (opens in "{[") - (opens in "}]")
            token = self._string() if opens in "\"'" else None
            self._at = self._at + 1 if token is None else token.end()
            if level == 0:
                return

    def _item(self, where: str, depth: int) -> None:
        self._note(where, self._at)
        self.value(where, depth)

    def _members(self, closes: str, read: Callable[[int], object]) -> None:
        self._at += 1
        number = 0
        while self._skip() and self._peek() != closes:
            number += 1
            read(number)
            self._skip()
            if self._peek() == ",":
                self._at += 1
        self._at += 1

    def _string(self) -> re.Match[str]:
        token = _STRING.match(self._source, self._at)
        if token is None:
            raise _Lost
        return token

    def _peek(self) -> str:
        return self._source[self._at : self._at + 1]

    def _skip(self) -> bool:
        """Skip white space and comments; return whether anything follows."""
        blank = _BLANK.match(self._source, self._at)
        if blank is not None:
            self._at = blank.end()
        return self._at < len(self._source)

    def _note(self, where: str, start: int) -> None:
        self.lines.setdefault(where, bisect_right(self._starts, start) + 1)


def _joined(where: str, key: str) -> str:
    return f"{where}.{key}" if where else key


def _plain(token: str) -> str:
    if token.startswith('"'):
        try:
            found: object = json.loads(token)
        except ValueError:  # an escape of TOML only, such as \\U0001F600; no word contains one
            return token
        return str(found)
    return token.strip("'")
