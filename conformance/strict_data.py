"""Reading TOML and JSON files of the kit: what they contain, or every mistake with its place.

The shapes of the files are declared with the words of `mock_server.strict`, next to the values that
they are read into. Whatever a file or a driver contains, the worst that comes of it is one
ReadingError: sizes, depths and digits are bounded here.
"""

import json
import math
import os
import stat
import tomllib
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from attrs import define

from mock_server.strict.json import Json
from mock_server.strict.lines import line_of, toml_lines
from mock_server.strict.shapes import (
    ScenarioError,
    anything,
    check_known,
    mapping,
)

__all__ = ["Json"]

T = TypeVar("T")


class ReadingError(ScenarioError):
    """Data that is not as it should be: `where: what is wrong, what to do`, once or often."""

    def __init__(self, where: str, problem: str, more: "Sequence[ReadingError]" = ()) -> None:
        super().__init__(f"{where}: {problem}", at=where, more=more)
        self.where = where
        self.problem = problem


class UsageError(ReadingError):
    """What the command line asks for does not exist or makes no sense."""


_MOST_BYTES: Final = 256 * 2**20
"""The largest file that is read: a run of thousands of cases has a tenth of it."""
_MOST_DIGITS: Final = 400
"""Longer integers are beyond every float; a language's own limit must not decide."""


def read_text(path: Path) -> str:
    """Return the text of a file; raises ReadingError that says why there is none."""
    try:
        problem = _unreadable(path.stat())
        text = "" if problem else path.read_text("utf-8")
    except UnicodeDecodeError as error:
        problem = f"is not text in UTF-8: {error.reason} (byte {error.start + 1})"
        raise ReadingError(str(path), problem) from error
    except OSError as error:
        raise ReadingError(str(path), f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a name with a NUL byte
        raise ReadingError(repr(str(path)), f"cannot be read: {error}") from error
    if problem:
        raise ReadingError(str(path), problem)
    return text


def _unreadable(about: os.stat_result) -> str:
    """Say why something is not read, or nothing; a pipe or a device may have no end."""
    if stat.S_ISDIR(about.st_mode):
        return "is a directory; give a file"
    if not stat.S_ISREG(about.st_mode):
        return "is not a regular file; save its content in one"
    return f"is larger than {_MOST_BYTES >> 20} MiB" if about.st_size > _MOST_BYTES else ""


def parse_json(text: str | bytes) -> Json:
    """Parse JSON; raises ValueError for all that is not JSON, `NaN` and `Infinity` included."""

    def refuse(constant: str) -> Json:
        msg = f"{constant} is not JSON"
        raise ValueError(msg)

    try:
        value: Json = json.loads(text, parse_constant=refuse, parse_int=_integer)
    except RecursionError as error:
        msg = "nested too deeply"
        raise ValueError(msg) from error
    return value


def _integer(digits: str) -> int:
    if len(digits) > _MOST_DIGITS:
        msg = f"an integer of {len(digits)} digits is too long"
        raise ValueError(msg)
    return int(digits)


def parse_toml(text: str, where: str) -> Mapping[str, Json]:
    """Parse TOML that has plain JSON data only; raises ReadingError for anything else."""
    if text.startswith("\ufeff"):
        raise ReadingError(where, "begins with a byte order mark; save it as UTF-8 without one")
    try:
        document: Mapping[str, object] = tomllib.loads(text)
    except RecursionError as error:
        raise ReadingError(where, "is not TOML that can be read: nested too deeply") from error
    except tomllib.TOMLDecodeError as error:
        raise ReadingError(where, f"is not TOML: {error}") from error
    except ValueError as error:  # Python limits the digits of an integer
        raise ReadingError(where, "is not TOML: an integer has thousands of digits") from error
    with located(where, text):
        return mapping(anything()).read(document, "")


@contextmanager
def located(
    file: str, text: str, lines_of: Callable[[str], Mapping[str, int]] = toml_lines
) -> Generator[None, None, None]:
    """Name the file and the line of every mistake that comes up while a text is read.

    Raises ReadingError instead of ScenarioError.
    """
    try:
        yield
    except ReadingError:
        raise
    except ScenarioError as error:
        lines = lines_of(text)
        raise _every([(file, _with_line(each, lines)) for each in error.each]) from None


@contextmanager
def within(where: str) -> Generator[None, None, None]:
    """Put `where` before every mistake that comes up; raises ReadingError."""
    try:
        yield
    except ScenarioError as error:
        raise _every([(where, str(each).removeprefix(": ")) for each in error.each]) from None


def _every(mistakes: Sequence[tuple[str, str]]) -> ReadingError:
    first, *others = mistakes
    return ReadingError(*first, more=[ReadingError(*each) for each in others])


def _with_line(mistake: ScenarioError, lines: Mapping[str, int]) -> str:
    line = line_of(mistake.at, lines)
    told = str(mistake).removeprefix(": ")
    return told if line is None else f"{told} (line {line})"


def is_finite(value: float) -> bool:
    """Tell whether a number is finite as a float; an integer can be too large to be one."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def kind_of(value: Json) -> str:
    """Name the JSON kind of `value` for an error message."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case Mapping():
            return "a table"
        case _:
            return "a list"


@define
class Table:
    """Plain data with typed access: of messages, and of data that a reader has checked."""

    where: str
    values: Mapping[str, Json]

    @classmethod
    def of(cls, where: str, value: Json) -> "Table":
        """Read `value` as a table; raises ReadingError if it is something else."""
        if not isinstance(value, Mapping):
            raise ReadingError(where, f"{kind_of(value)}, not a table")
        return cls(where, value)

    def has(self, key: str) -> bool:
        """Tell whether `key` is there."""
        return key in self.values

    def raw(self, key: str) -> Json:
        """Return the value at `key` whatever it is; raises ReadingError if it is missing."""
        if not self.has(key):
            raise ReadingError(self.where, f"{key!r} is missing")
        return self.values[key]

    def text(self, key: str, default: str | None = None) -> str:
        """Return the string at `key`."""
        if default is not None and not self.has(key):
            return default
        value = self.raw(key)
        if not isinstance(value, str):
            raise self._wrong(key, "a string")
        return value

    def count(self, key: str, default: int | None = None) -> int:
        """Return the whole number at `key`; booleans are none."""
        if default is not None and not self.has(key):
            return default
        value = self.raw(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong(key, "a whole number")
        return value

    def number(self, key: str) -> float:
        """Return the number at `key`; booleans are none."""
        value = self.raw(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(key, "a number")
        if not is_finite(value):
            raise ReadingError(self.where, f"{key!r} is beyond the range of a number")
        return value

    def flag(self, key: str) -> bool:
        """Return the boolean at `key`; False if it is absent."""
        if not self.has(key):
            return False
        value = self.raw(key)
        if not isinstance(value, bool):
            raise self._wrong(key, "true or false")
        return value

    def items(self, key: str) -> Sequence[Json]:
        """Return the list at `key`; empty if it is absent."""
        if not self.has(key):
            return ()
        value = self.raw(key)
        if isinstance(value, str) or not isinstance(value, Sequence):
            raise self._wrong(key, "a list")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """Return the list of strings at `key`; empty if it is absent."""
        found: list[str] = []
        for item in self.items(key):
            if not isinstance(item, str):
                raise self._wrong(key, "a list of strings")
            found.append(item)
        return tuple(found)

    def table(self, key: str) -> "Table":
        """Return the table at `key`; an empty one if it is absent."""
        where = f"{self.where}: {key}"
        if not self.has(key):
            return Table(where, {})
        value = self.values[key]
        if not isinstance(value, Mapping):
            raise self._wrong(key, "a table")
        return Table(where, value)

    def tables(self, key: str) -> tuple["Table", ...]:
        """Return the list of tables at `key`; empty if it is absent."""
        return tuple(
            Table.of(f"{self.where}: {key}[{n}]", item) for n, item in enumerate(self.items(key), 1)
        )

    def one_of(self, key: str, known: Iterable[str], default: str | None = None) -> str:
        """Return the string at `key`, which must be one of `known`."""
        found = self.text(key, default)
        with within(self.where):
            check_known(found, tuple(known), key)
        return found

    def optional(self, key: str, read: Callable[[str], T]) -> T | None:
        """Return `read(key)`, or None if the key is absent."""
        return read(key) if self.has(key) else None

    def _wrong(self, key: str, right: str) -> ReadingError:
        found = kind_of(self.values[key])
        return ReadingError(self.where, f"{key!r} is {found}, not {right}")
