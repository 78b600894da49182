"""The shapes of values: how a value is read and written, its description and its JSON schema.

This module knows JSON types and bounds, and suggests words for unknown ones. The meaning of a word
is declared where the word is defined.
"""

import difflib
import math
import reprlib
from collections.abc import Callable, Collection, Iterable, Mapping
from enum import Enum
from typing import Final, Generic, TypeGuard, TypeVar

from attrs import frozen

from mock_server.secret_names import REDACTED, is_secret_name
from mock_server.strict import mistakes
from mock_server.strict.json import DEEPEST, Json

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")
E = TypeVar("E", bound=Enum)

_LONGEST_BITS: Final = 14_000
_LONG: Final = 1 << 20
"""A limit this high or higher appears in error messages, but not in a shape's description."""
_NAMED: Final = 12
"""The maximum number of known words to list if none is similar."""
# Tuples, because a union would be made by every call; `dict` first, because an ABC is slow.
_NUMBERS: Final = (int, float)
_TABLES: Final = (dict, Mapping)
_ARRAYS: Final = (list, tuple)


ScenarioError = mistakes.ScenarioError


@frozen
class Shape(Generic[T_co]):
    """The shape of a value: the JSON types that it can have, and a description of it.

    `read` takes data and the name of its place, and returns the value or raises ScenarioError.
    `write` converts the value back to data; None means that `mock_server.strict.words.plain` does.
    """

    kinds: frozenset[str]
    says: str
    read: Callable[[object, str], T_co]
    schema: Callable[[], dict[str, object]]
    write: Callable[[object], object] | None = None
    words: frozenset[str] = frozenset()
    """The keys that a table may have; empty for other shapes."""


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun, such as `2 frames` or `1 frame`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def nearest(word: str, known: Iterable[str]) -> str:
    """Suggest the known word that was probably meant, or list up to a dozen known words."""
    names = sorted(known)
    plain = {name.lower().replace("-", "_"): name for name in names}
    close = difflib.get_close_matches(word.lower().replace("-", "_"), plain, n=1, cutoff=0.6)
    if close:
        return f"did you mean {plain[close[0]]!r}?"
    if not names:
        return "no value is allowed here"
    if len(names) == 1:
        return f"write {names[0]!r}"
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return "write one of " + ", ".join(names[:_NAMED]) + more


def kind_of(value: object) -> str:
    """Return the name of a value's JSON type."""
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
    """Return the error for a value that is not what `says` asks for; a secret is redacted."""
    return ScenarioError(f"{where}: {shown(value, where)} ({kind_of(value)}) is not {says}")


def shown(value: object, where: str) -> str:
    """Return a value as text for a message: shortened, or redacted if `where` names a secret."""
    if any(map(is_secret_name, where.split("."))):
        return REDACTED
    try:
        return reprlib.repr(value)
    except ValueError:
        return "a very long number"  # Python refuses to write out more than 4,300 digits


def is_table(value: object) -> TypeGuard[Mapping[str, object]]:
    """Return whether a value is a table whose keys are strings."""
    if not _is_mapping(value):
        return False
    for key in value:  # noqa: SIM110 - much faster than all() with a generator
        if not isinstance(key, str):
            return False
    return True


def _is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    return isinstance(value, _TABLES)


def is_array(value: object) -> TypeGuard[list[object] | tuple[object, ...]]:
    """Return whether a value is an array."""
    return isinstance(value, _ARRAYS)


def simple(
    kinds: str, says: str, read: Callable[[object, str], T], schema: Mapping[str, object]
) -> Shape[T]:
    """Return a shape that contains no other; `kinds` are JSON types, separated by spaces."""
    return Shape(frozenset(kinds.split()), says, read, lambda: dict(schema))


def integer(low: int, high: int) -> Shape[int]:
    """Describe a whole number within inclusive bounds."""
    says = (
        f"a whole number from {low} to {high}"
        if low < high
        else f"supported; the only valid value is {low}"
    )

    def read(value: object, where: str) -> int:
        if isinstance(value, int) and low <= value <= high and not isinstance(value, bool):
            return value
        raise wrong(value, where, says)

    return simple("integer", says, read, {"type": "integer", "minimum": low, "maximum": high})


def number(low: float, high: float) -> Shape[float]:
    """Describe a finite number within inclusive bounds."""
    says = f"a number from {low:g} to {high:g}"

    def read(value: object, where: str) -> float:
        if isinstance(value, _NUMBERS) and low <= value <= high and not isinstance(value, bool):
            return float(value)  # neither NaN nor infinity
        raise wrong(value, where, says)

    return simple("integer number", says, read, {"type": "number", "minimum": low, "maximum": high})


def text(limit: int = 1 << 20, *, lone_surrogates: bool = False) -> Shape[str]:
    """Describe a string of at most `limit` characters.

    JSON can contain lone surrogates, which UTF-8 cannot encode. By default, these are refused.
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

    return simple("string", says, read, {"type": "string", "maxLength": limit})


def flag() -> Shape[bool]:
    """Describe a boolean: true or false."""

    def read(value: object, where: str) -> bool:
        if not isinstance(value, bool):
            raise wrong(value, where, "true or false")
        return value

    return simple("boolean", "true or false", read, {"type": "boolean"})


def check_known(value: str, known: Collection[str], where: str) -> None:
    """Raise ScenarioError, which suggests known strings, if `value` is not one of them."""
    if value not in known:
        raise ScenarioError(f"{where}: {value!r} is unknown; {nearest(value, known)}")


def one_of(known: Iterable[str]) -> Shape[str]:
    """Describe a string that must be one of the known strings."""
    words = tuple(known)
    says = "one of " + ", ".join(words)

    def read(value: object, where: str) -> str:
        if not isinstance(value, str):
            raise wrong(value, where, says)
        check_known(value, words, where)
        return value

    return simple("string", says, read, {"enum": list(words)})


def choice(enum: type[E]) -> Shape[E]:
    """Describe a member of an enumeration; the data contains the member's value."""
    members = {str(member.value): member for member in enum}
    words = one_of(members)

    def read(value: object, where: str) -> E:
        return members[words.read(value, where)]

    return Shape(words.kinds, words.says, read, words.schema)


def anything() -> Shape[Json]:
    """Describe any JSON value."""

    def read(value: object, where: str, depth: int = 0) -> Json:
        if value is None or isinstance(value, str):
            return value
        if depth > DEEPEST:
            above = where.partition(" ")[0][:200]
            raise ScenarioError(
                f"{above}: is nested more than {DEEPEST} levels deep; write it as raw text instead"
            )
        if is_table(value):
            inside = f"{where}." if where else ""
            return {key: read(item, f"{inside}{key}", depth + 1) for key, item in value.items()}
        if is_array(value):
            return [read(item, f"{where} {n}", depth + 1) for n, item in enumerate(value, 1)]
        if isinstance(value, int):
            if value.bit_length() > _LONGEST_BITS:
                raise ScenarioError(
                    f"{where}: has thousands of digits; write it as raw text instead"
                )
            return value
        if isinstance(value, float) and math.isfinite(value):
            return value
        raise wrong(value, where, "a JSON value; write it as a string")

    kinds = "boolean integer number string array object null"
    return simple(kinds, "any JSON value", read, {})


def array(inner: Shape[T], limit: int = 100_000, *, least: int = 0) -> Shape[tuple[T, ...]]:
    """Describe an array of `least` to `limit` items that all have the same shape."""
    says = f"an array in which each item is {inner.says}"

    def read(value: object, where: str) -> tuple[T, ...]:
        if not is_array(value):
            raise wrong(value, where, says)
        if len(value) > limit:
            raise ScenarioError(f"{where}: too many items ({len(value)}); use at most {limit}")
        if len(value) < least:
            raise ScenarioError(f"{where}: too few items ({len(value)}); use at least {least}")
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
    """Describe a table with any keys, or with keys of a given shape."""
    says = f"a table in which each value is {inner.says}"

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
    """Describe a value that has one of two shapes; these must have different JSON types."""
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
