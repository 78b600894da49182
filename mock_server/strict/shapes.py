"""The shapes that a word may take: how it is read, written, described and put into a schema.

JSON types, bounds and the nearest right word are here; what a word means is said next to it.
"""

import difflib
import math
import re
import reprlib
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import Enum
from typing import Final, Generic, TypeGuard, TypeVar

import attrs
from attrs import frozen

from mock_server.secret_names import REDACTED, is_secret_name
from mock_server.strict import mistakes
from mock_server.strict.json import Json

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")
E = TypeVar("E", bound=Enum)

_MOST: Final = 10**15
_COUNT: Final = re.compile("[0-9]{1,15}")
_DEEPEST: Final = 200
_LONGEST_BITS: Final = 14_000
MAX_MS: Final = 24 * 3600 * 1000.0
_LONG: Final = 1 << 20
"""A limit so high is only told to those who exceed it."""
_NAMED: Final = 12
"""So many words are named where none is near."""
# Tuples made once, not unions made by every call; `dict` first, since an abstract class is slow.
_NUMBERS: Final = (int, float)
_TABLES: Final = (dict, Mapping)
_ARRAYS: Final = (list, tuple)


ScenarioError = mistakes.ScenarioError


@frozen
class Shape(Generic[T_co]):
    """What one value looks like. `kinds` are the JSON types it accepts, `says` describes it in plain words."""

    kinds: frozenset[str]
    says: str
    read: Callable[[object, str], T_co]
    schema: Callable[[], dict[str, object]]
    write: Callable[[object], object] | None = None
    words: frozenset[str] = frozenset()
    """The words of a table."""


@frozen
class Span:
    """A range of counts from 1, both ends included; `last` None is open."""

    first: int
    last: int | None

    def __contains__(self, count: int) -> bool:
        return self.first <= count and (self.last is None or count <= self.last)

    def __str__(self) -> str:
        if self.last == self.first:
            return str(self.first)
        return f"{self.first}-{'' if self.last is None else self.last}"


def nearest(word: str, known: Iterable[str]) -> str:
    """Suggest the known word that was meant, or list the known words, at most a dozen."""
    names = sorted(known)
    plain = {name.lower().replace("-", "_"): name for name in names}
    close = difflib.get_close_matches(word.lower().replace("-", "_"), plain, n=1, cutoff=0.6)
    if close:
        return f"did you mean {plain[close[0]]!r}?"
    if not names:
        return "nothing can be written here"
    if len(names) == 1:
        return f"write {names[0]!r}"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return "write one of " + ", ".join(names[:_NAMED]) + more


def kind_of(value: object) -> str:
    """Name the JSON type of a value."""
    if value is None:
        return "null"
    for python, json in _KINDS:
        if isinstance(value, python):
            return json
    return type(value).__name__


# bool before int: in Python a bool is an int, in JSON it is not.
_KINDS: Final[tuple[tuple[type, str], ...]] = (
    (bool, "boolean"),
    (int, "integer"),
    (float, "number"),
    (str, "string"),
    (list, "array"),
    (tuple, "array"),
    (Mapping, "object"),
)


def wrong(value: object, where: str, says: str) -> ScenarioError:
    """Build the error for a value of the wrong kind; the value of a secret name is not shown."""
    return ScenarioError(f"{where}: {_shown(value, where)} ({kind_of(value)}) is not {says}")


def _shown(value: object, where: str) -> str:
    if any(map(is_secret_name, where.split("."))):
        return REDACTED
    try:
        return reprlib.repr(value)
    except ValueError:
        return "a very long number"  # Python refuses to write out more than 4,300 digits


def is_table(value: object) -> TypeGuard[Mapping[str, object]]:
    """Tell whether a value is a table with words as keys."""
    if not _is_mapping(value):
        return False
    for key in value:  # noqa: SIM110 - much faster than all() with a generator
        if not isinstance(key, str):
            return False
    return True


def _is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    return isinstance(value, _TABLES)


def is_array(value: object) -> TypeGuard[list[object] | tuple[object, ...]]:
    """Tell whether a value is an array."""
    return isinstance(value, _ARRAYS)


def integer(low: int, high: int) -> Shape[int]:
    """Describe a whole number within bounds, both included."""
    says = f"a whole number from {low} to {high}" if low < high else str(low)

    def read(value: object, where: str) -> int:
        if isinstance(value, int) and low <= value <= high and not isinstance(value, bool):
            return value
        raise wrong(value, where, says)

    return Shape(
        frozenset({"integer"}),
        says,
        read,
        lambda: {"type": "integer", "minimum": low, "maximum": high},
    )


def number(low: float, high: float) -> Shape[float]:
    """Describe a finite number within bounds, both included."""
    says = f"a number from {low:g} to {high:g}"

    def read(value: object, where: str) -> float:
        if isinstance(value, _NUMBERS) and low <= value <= high and not isinstance(value, bool):
            return float(value)  # neither NaN nor infinity
        raise wrong(value, where, says)

    return Shape(
        frozenset({"integer", "number"}),
        says,
        read,
        lambda: {"type": "number", "minimum": low, "maximum": high},
    )


def milliseconds() -> Shape[float]:
    """Describe a duration: milliseconds in the scenario, seconds in Python."""
    inner = number(0, MAX_MS)

    def write(seconds: object) -> object:
        if not isinstance(seconds, int | float):
            raise wrong(seconds, "a duration", "a number of seconds")
        ms = round(seconds * 1000, 6)
        return int(ms) if ms == int(ms) else ms

    return Shape(
        inner.kinds,
        "a number of milliseconds, at most a day",
        lambda value, where: inner.read(value, where) / 1000,
        inner.schema,
        write,
    )


def text(limit: int = 1 << 20, *, lone_surrogates: bool = False) -> Shape[str]:
    """Describe a string of at most `limit` characters.

    JSON can hold lone surrogates, which UTF-8 cannot; they are refused unless they are allowed.
    """
    says = "a string" if limit >= _LONG else f"a string of at most {limit} characters"

    def read(value: object, where: str) -> str:
        if not isinstance(value, str):
            raise wrong(value, where, says)
        if len(value) > limit:
            raise wrong(value, where, f"a string of at most {limit} characters")
        if not (lone_surrogates or value.isascii()):
            try:
                value.encode()
            except UnicodeEncodeError:
                raise wrong(value, where, "encodable as UTF-8") from None
        return value

    return Shape(frozenset({"string"}), says, read, lambda: {"type": "string", "maxLength": limit})


def header_text() -> Shape[str]:
    """Describe a string that fits into a header line: no CR, LF or NUL."""
    inner = text(8192)

    def read(value: object, where: str) -> str:
        found = inner.read(value, where)
        if any(char in found for char in "\r\n\0"):
            raise ScenarioError(
                f"{where}: {_shown(found, where)} holds CR, LF or NUL, which no header line can; "
                "raw_head_hex can send such bytes"
            )
        return found

    return attrs.evolve(inner, read=read)


def flag() -> Shape[bool]:
    """Describe true or false."""

    def read(value: object, where: str) -> bool:
        if not isinstance(value, bool):
            raise wrong(value, where, "true or false")
        return value

    return Shape(frozenset({"boolean"}), "true or false", read, lambda: {"type": "boolean"})


def check_known(value: str, known: Collection[str], where: str) -> None:
    """Refuse a string that is not in a closed list; raises ScenarioError with the nearest one."""
    if value not in known:
        raise ScenarioError(f"{where}: {value!r} is unknown; {nearest(value, known)}")


def one_of(known: Iterable[str]) -> Shape[str]:
    """Describe one string of a closed list."""
    words = tuple(known)
    says = "one of " + ", ".join(words)

    def read(value: object, where: str) -> str:
        if not isinstance(value, str):
            raise wrong(value, where, says)
        check_known(value, words, where)
        return value

    return Shape(frozenset({"string"}), says, read, lambda: {"enum": list(words)})


def choice(enum: type[E]) -> Shape[E]:
    """Describe one member of an enumeration, written as its value."""
    members = {str(member.value): member for member in enum}
    words = one_of(members)

    def read(value: object, where: str) -> E:
        return members[words.read(value, where)]

    return Shape(words.kinds, words.says, read, words.schema)


def hex_bytes() -> Shape[bytes]:
    """Describe bytes written in hexadecimal: a TOML string cannot hold the byte FF."""
    says = "bytes in hexadecimal, such as 'ff00'"

    def read(value: object, where: str) -> bytes:
        if not isinstance(value, str):
            raise wrong(value, where, says)
        try:
            return bytes.fromhex(value)
        except ValueError:
            raise wrong(value, where, says) from None

    return Shape(
        frozenset({"string"}),
        says,
        read,
        lambda: {"type": "string", "pattern": r"^([0-9a-fA-F]{2}\s*)*$"},
    )


def span() -> Shape[Span]:
    """Describe a count from 1 or a range of them: `1`, `"2-4"`, `"3-"`."""
    says = "a count from 1 or a range such as '2-4' or '3-'"

    def read(value: object, where: str) -> Span:
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= _MOST:
            return Span(value, value)
        if not isinstance(value, str):
            raise wrong(value, where, says)
        first, dash, last = value.partition("-")
        if not all(_COUNT.fullmatch(part) for part in (first, last or "1")):
            raise wrong(value, where, says)
        found = Span(int(first), int(last) if last else (None if dash else int(first)))
        if found.first < 1 or (found.last is not None and found.last < found.first):
            raise wrong(value, where, says)
        return found

    return Shape(
        frozenset({"integer", "string"}),
        says,
        read,
        lambda: {
            "anyOf": [
                {"type": "integer", "minimum": 1},
                {"type": "string", "pattern": "^[0-9]+(-[0-9]*)?$"},
            ]
        },
    )


def anything() -> Shape[Json]:
    """Describe any JSON value."""
    kinds = {"boolean", "integer", "number", "string", "array", "object", "null"}

    def read(value: object, where: str, depth: int = 0) -> Json:
        if value is None or isinstance(value, str):
            return value
        if depth > _DEEPEST:
            above = where.partition(" ")[0][:200]
            raise ScenarioError(
                f"{above}: is nested deeper than {_DEEPEST} levels; raw text can be"
            )
        if is_table(value):
            inside = f"{where}." if where else ""
            return {key: read(item, f"{inside}{key}", depth + 1) for key, item in value.items()}
        if is_array(value):
            return [read(item, f"{where} {n}", depth + 1) for n, item in enumerate(value, 1)]
        if isinstance(value, int):
            if value.bit_length() > _LONGEST_BITS:
                raise ScenarioError(
                    f"{where}: has thousands of digits; raw text can hold such a number"
                )
            return value
        if isinstance(value, float) and math.isfinite(value):
            return value
        raise wrong(value, where, "a JSON value; write it as a string")

    return Shape(frozenset(kinds), "any JSON value", read, dict)


def array(inner: Shape[T], limit: int = 100_000, *, least: int = 0) -> Shape[tuple[T, ...]]:
    """Describe an array of one shape, with at least `least` and at most `limit` items."""
    says = f"an array, each item {inner.says}"

    def read(value: object, where: str) -> tuple[T, ...]:
        if not is_array(value):
            raise wrong(value, where, says)
        if len(value) > limit:
            raise ScenarioError(f"{where}: {len(value)} items are too many, at most {limit}")
        if len(value) < least:
            raise ScenarioError(f"{where}: {len(value)} items are too few, at least {least}")
        found: list[T] = []
        wrongs = mistakes.Mistakes()
        for number, item in enumerate(value, 1):
            try:
                found.append(inner.read(item, f"{where} {number}"))
            except ScenarioError as error:
                wrongs.add(error)
        wrongs.settle()
        return tuple(found)

    bound = {"minItems": least} if least else {}
    return Shape(
        frozenset({"array"}),
        says,
        read,
        lambda: {"type": "array", **bound, "items": inner.schema()},
    )


def mapping(inner: Shape[T], *, keys: Shape[str] | None = None) -> Shape[Mapping[str, T]]:
    """Describe a table with free keys, or keys of a shape."""
    says = f"a table, each value {inner.says}"

    def read(value: object, where: str) -> Mapping[str, T]:
        if not is_table(value):
            raise wrong(value, where, says)
        found: dict[str, T] = {}
        wrongs = mistakes.Mistakes()
        for key, item in value.items():
            inside = f"{where}.{key}" if where else key
            try:
                name = key if keys is None else _key(keys, key, where, inside)
                found[name] = inner.read(item, inside)
            except ScenarioError as error:
                wrongs.add(error)
        wrongs.settle()
        return found

    def schema() -> dict[str, object]:
        names = {} if keys is None else {"propertyNames": keys.schema()}
        return {"type": "object", **names, "additionalProperties": inner.schema()}

    return Shape(frozenset({"object"}), says, read, schema)


def _key(keys: Shape[str], key: str, where: str, inside: str) -> str:
    try:
        return keys.read(key, where)
    except ScenarioError as error:
        raise ScenarioError(str(error), at=inside) from None


def either(first: Shape[T], second: Shape[U]) -> Shape[T | U]:
    """Describe one of two shapes that differ in their JSON type."""
    says = f"{first.says}, or {second.says}"

    def read(value: object, where: str) -> T | U:
        kind = kind_of(value)
        if kind in first.kinds:
            return first.read(value, where)
        if kind in second.kinds:
            return second.read(value, where)
        raise wrong(value, where, says)

    return Shape(
        first.kinds | second.kinds,
        says,
        read,
        lambda: {"anyOf": [first.schema(), second.schema()]},
    )
