"""Read the kit's files and drivers' messages; every mistake becomes a ReadingError.

`mock_server.strict.files` reads the files. Their shapes are declared with `mock_server.strict`,
next to the classes into which they are read.
"""

import json
import math
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar

from attrs import define

from mock_server.strict.files import from_toml, text_of
from mock_server.strict.json import Json
from mock_server.strict.shapes import ScenarioError, anything, check_known, mapping

__all__ = ["Json"]

T = TypeVar("T")


class ReadingError(ScenarioError):
    """Mistakes in a file or a message, each in the form `where: what is wrong, what to do`."""

    def __init__(self, where: str, problem: str, more: "Sequence[ReadingError]" = ()) -> None:
        super().__init__(f"{where}: {problem}", at=where, more=more)
        self.where = where
        self.problem = problem


class UsageError(ReadingError):
    """The command line asks for something that does not exist or makes no sense."""


_MOST_DIGITS: Final = 400
"""An integer with more digits does not fit into a float. Python's own limit is higher."""
_PLAIN: Final = mapping(anything())


def read_text(path: Path, most: int = 1 << 30) -> str:
    """Return the text of a file of at most `most` bytes; raise ReadingError if it cannot be read."""
    with within(str(path)):
        return text_of(path, most)


def read_toml(where: str, source: str, read: Callable[[Mapping[str, Json]], T]) -> T:
    """Parse a TOML text, which must be plain JSON data, and return what `read` makes of it.

    Raise a ReadingError that lists every mistake; each starts with `where` and ends with its line
    number.
    """
    with within(where):
        return from_toml(source, lambda found: read(_PLAIN.read(found, "")))


def parse_json(text: str | bytes) -> Json:
    """Parse JSON; raise ValueError for anything else, including `NaN` and `Infinity`."""

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
        msg = f"an integer with {len(digits)} digits is too long"
        raise ValueError(msg)
    return int(digits)


@contextmanager
def within(where: str) -> Generator[None, None, None]:
    """Turn a ScenarioError into a ReadingError, with `where` at the start of each mistake."""
    try:
        yield
    except ScenarioError as error:
        first, *others = [ReadingError(where, str(each).removeprefix(": ")) for each in error.each]
        raise ReadingError(first.where, first.problem, others) from None


def kind_of(value: Json) -> str:
    """Return the JSON type of `value` for an error message, such as `a string`."""
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
    """Typed access to a JSON object: a message, or part of a file."""

    where: str
    values: Mapping[str, Json]

    @classmethod
    def of(cls, where: str, value: Json) -> "Table":
        """Read `value` as a table; raise ReadingError if it is something else."""
        if not isinstance(value, Mapping):
            raise ReadingError(where, f"{kind_of(value)}, not a table")
        return cls(where, value)

    def has(self, key: str) -> bool:
        """Return whether the table has `key`."""
        return key in self.values

    def raw(self, key: str) -> Json:
        """Return the value at `key`, of any type; raise ReadingError if it is missing."""
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

    def count(self, key: str) -> int:
        """Return the whole number at `key`; raise ReadingError for anything else, even a bool."""
        value = self.raw(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong(key, "a whole number")
        return value

    def number(self, key: str) -> float:
        """Return the finite number at `key`; raise ReadingError for anything else, even a bool."""
        value = self.raw(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(key, "a number")
        try:
            finite = math.isfinite(value)
        except OverflowError:  # an integer can be too large for a float
            finite = False
        if not finite:
            raise ReadingError(self.where, f"{key!r} is too large; it must fit into a double")
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

    def _wrong(self, key: str, right: str) -> ReadingError:
        found = kind_of(self.values[key])
        return ReadingError(self.where, f"{key!r} is {found}, not {right}")
