"""Reading TOML and JSON values strictly, with errors that name the right word.

An error says where, what is wrong and what to do; what a word means is up to the caller. Whatever a
file or a driver contains, the worst that comes of it is one ReadingError: sizes, depths and digits
are bounded here.
"""

import difflib
import json
import math
import os
import stat
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeAlias, TypeVar

from attrs import define, field

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"
"""A value of JSON as everything here passes it around; never mutated, so covariant."""

T = TypeVar("T")


class ReadingError(ValueError):
    """Data that does not say what it should: `where: what is wrong, what to do`."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"{where}: {problem}")
        self.where = where
        self.problem = problem


class UsageError(ReadingError):
    """What the command line asks for does not exist or makes no sense."""


_MOST_BYTES: Final = 256 * 2**20
"""The largest file that is read: a run of thousands of cases has a tenth of it."""
_MOST_LEVELS: Final = 64
"""How deep the tables of a TOML file may be nested; a case needs fewer than ten levels."""
_MOST_DIGITS: Final = 400
"""Longer integers are beyond every float; a language's own limit must not decide."""
_LONGEST_PLACE: Final = 80
_NAMED: Final = 12
"""How many words are named where none is near."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Say what to write instead of `word`: the nearest known word, else all of them."""
    words = sorted(known)
    close = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    if not words:
        return "nothing is known here"
    if len(words) == 1:
        return f"only {words[0]!r} is known"
    more = f" and {len(words) - _NAMED} more" if len(words) > _NAMED else ""
    return "known are " + ", ".join(words[:_NAMED]) + more


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
        document: Mapping[str, Json] = tomllib.loads(text)
    except RecursionError as error:
        raise ReadingError(where, "is not TOML that can be read: nested too deeply") from error
    except tomllib.TOMLDecodeError as error:
        raise ReadingError(where, f"is not TOML: {error}") from error
    except ValueError as error:  # Python limits the digits of an integer
        raise ReadingError(where, "is not TOML: an integer has thousands of digits") from error
    _only_plain(document, where, 0)
    return document


def _only_plain(value: Json, where: str, depth: int) -> None:  # noqa: C901 - one arm per kind
    if depth > _MOST_LEVELS:
        raise ReadingError(where[:_LONGEST_PLACE], f"nested more than {_MOST_LEVELS} levels deep")
    match value:
        case Mapping():
            for key, item in value.items():
                _only_plain(item, f"{where}: {key}", depth + 1)
        case bool() | str() | None:
            pass
        case int():
            if not -(2**63) <= value < 2**63:
                raise ReadingError(where, "an integer beyond 64 bits is not TOML")
        case float():
            if not math.isfinite(value):
                raise ReadingError(where, f"{value} is not a number that JSON has")
        case Sequence():
            for n, item in enumerate(value, 1):
                _only_plain(item, f"{where}[{n}]", depth + 1)
        case _:  # what TOML has and JSON has not
            raise ReadingError(where, "is a date or a time; write it as a string")


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
    """One table being read; `finish` complains about every key that nobody asked for."""

    where: str
    values: Mapping[str, Json]
    _asked: set[str] = field(factory=set[str], init=False, alias="asked")

    @classmethod
    def of(cls, where: str, value: Json) -> "Table":
        """Read `value` as a table; raises ReadingError if it is something else."""
        if not isinstance(value, Mapping):
            raise ReadingError(where, f"{kind_of(value)}, not a table")
        return cls(where, value)

    def has(self, key: str) -> bool:
        """Tell whether `key` is there, and count it as known."""
        self._asked.add(key)
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
        return word(f"{self.where}: {key}", self.text(key, default), known)

    def optional(self, key: str, read: Callable[[str], T]) -> T | None:
        """Return `read(key)`, or None if the key is absent."""
        return read(key) if self.has(key) else None

    def finish(self) -> None:
        """Raise ReadingError for the first key that nobody asked for."""
        for key in self.values:
            if key not in self._asked:
                raise ReadingError(self.where, f"unknown key {key!r}; {nearest(key, self._asked)}")

    def _wrong(self, key: str, right: str) -> ReadingError:
        found = kind_of(self.values[key])
        return ReadingError(self.where, f"{key!r} is {found}, not {right}")


def word(where: str, value: str, known: Iterable[str]) -> str:
    """Return `value` if it is one of `known`; raises ReadingError that names the nearest."""
    words = tuple(known)
    if value not in words:
        raise ReadingError(where, f"{value!r} is unknown; {nearest(value, words)}")
    return value
