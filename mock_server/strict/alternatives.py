"""More shapes: constants, values that may be null, conversions, and tables with a tag."""

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

import attrs

from mock_server.strict.json import Json, compact
from mock_server.strict.shapes import (
    ScenarioError,
    Shape,
    anything,
    array,
    is_array,
    is_table,
    kind_of,
    mapping,
    one_of,
    simple,
    text,
    wrong,
)

T = TypeVar("T")
U = TypeVar("U")
S = TypeVar("S", bound="bool | int | str")


def constant(right: S) -> Shape[S]:
    """Describe a value that is always the same."""
    says = compact(right)

    def read(value: object, where: str) -> S:
        if type(value) is not type(right) or value != right:
            raise wrong(value, where, says)
        return right

    return simple(kind_of(right), says, read, {"const": right})


def nullable(inner: Shape[T]) -> Shape[T | None]:
    """Describe a value that may be null."""

    def read(value: object, where: str) -> T | None:
        return None if value is None else inner.read(value, where)

    def schema() -> dict[str, object]:
        return {"anyOf": [inner.schema(), {"type": "null"}]}

    return Shape(inner.kinds | {"null"}, f"{inner.says}, or null", read, schema)


def converted(inner: Shape[T], convert: Callable[[T, str], U], says: str = "") -> Shape[U]:
    """Describe a value that is read as `inner` and then converted.

    `convert` is called with the value and its place, and may raise ScenarioError. `says`, if
    given, replaces the description of `inner`.
    """
    return Shape(
        inner.kinds,
        says or inner.says,
        lambda value, where: convert(inner.read(value, where), where),
        inner.schema,
        words=inner.words,
    )


def kept_table(inner: Shape[object]) -> Shape[Mapping[str, Json]]:
    """Describe a table that is checked against `inner` but returned as it was given."""
    plain = mapping(anything())

    def read(value: object, where: str) -> Mapping[str, Json]:
        inner.read(value, where)
        return plain.read(value, where)

    return Shape(inner.kinds, inner.says, read, inner.schema, words=inner.words)


def matching(pattern: str, says: str) -> Shape[str]:
    """Describe a string that fully matches a regular expression."""
    whole = re.compile(pattern)

    def checked(found: str, where: str) -> str:
        if not whole.fullmatch(found):
            raise wrong(found, where, says)
        return found

    shape = converted(text(), checked, says)
    return restricted(shape, {"maxLength": None, "pattern": f"^({pattern})$"})


def one_or_more(inner: Shape[T]) -> Shape[tuple[T, ...]]:
    """Describe an array of values, or a single value, which must not itself be an array."""
    several = array(inner)
    says = f"{inner.says}, or {several.says}"

    def read(value: object, where: str) -> tuple[T, ...]:
        return several.read(value, where) if is_array(value) else (inner.read(value, where),)

    def schema() -> dict[str, object]:
        return {"anyOf": [inner.schema(), several.schema()]}

    return Shape(inner.kinds | several.kinds, says, read, schema)


def tagged(tag: str, says: str, kinds: Mapping[str, Shape[T]]) -> Shape[T]:
    """Describe a table of one of several kinds, selected by the value of its `tag` key."""
    tags = one_of(kinds)

    def read(value: object, where: str) -> T:
        if not is_table(value):
            raise wrong(value, where, says)
        if tag not in value:
            raise ScenarioError(f"{where}: {tag!r} is missing; {tags.says}", at=where)
        kind = kinds[tags.read(value[tag], f"{where}.{tag}")]
        if tag in kind.words:
            return kind.read(value, where)
        return kind.read({key: item for key, item in value.items() if key != tag}, where)

    def schema() -> dict[str, object]:
        return {"oneOf": [_with_tag(tag, name, kind.schema()) for name, kind in kinds.items()]}

    return Shape(frozenset({"object"}), says, read, schema)


def _with_tag(tag: str, name: str, schema: dict[str, object]) -> dict[str, object]:
    properties, required = schema.get("properties"), schema.get("required")
    others = [*properties.items()] if is_table(properties) else []
    names = [*required] if is_array(required) else []
    return {
        **schema,
        "title": f"{tag} = {name}",
        "required": [tag, *(each for each in names if each != tag)],
        "properties": {
            tag: {"const": name},
            **{word: item for word, item in others if word != tag},
        },
    }


def restricted(inner: Shape[T], schema: Mapping[str, object]) -> Shape[T]:
    """Return `inner` with these keywords set in its schema; None removes a keyword."""

    def other() -> dict[str, object]:
        words = {**inner.schema(), **schema}
        return {key: value for key, value in words.items() if value is not None}

    return attrs.evolve(inner, schema=other)
