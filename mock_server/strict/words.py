"""Words: attributes of values that know their name, shape and meaning in a file.

How tables of words are read strictly, written back and changed is here; which words there are is
said by the classes that declare them.
"""

import reprlib
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from functools import cache
from typing import Final, Never, TypeGuard, TypeVar

import attrs
from attrs import field, frozen

from mock_server.strict.mistakes import Mistakes
from mock_server.strict.shapes import (
    ScenarioError,
    Shape,
    Span,
    is_array,
    is_table,
    nearest,
    wrong,
)

T = TypeVar("T")
U = TypeVar("U")


@frozen
class Word:
    """One word of the vocabulary: its name in the scenario, its shape and what it does."""

    name: str
    shape: Shape[object]
    says: str
    needs: str = ""
    """The capability that a carrier must have for this word; empty when every carrier has it."""
    about: object = None
    """What else its declaration says, for those who declare more than a shape and a meaning."""


_WORD: Final = "arkor.word"
EMPTY: Final[Mapping[str, Never]] = {}
"""A table without words, as a default."""


def word(
    shape: Shape[T],
    says: str,
    *,
    default: U,
    name: str = "",
    needs: str = "",
    secret: bool = False,
    about: object = None,
) -> T | U:
    """Declare one attribute of a value as one word of the vocabulary; a secret has no repr."""
    found = Word(name, shape, says, needs, about)
    return field(default=default, metadata={_WORD: found}, repr=not secret)


def needed(shape: Shape[T], says: str, *, name: str = "") -> T:
    """Declare an attribute as a word that must be given; its class is `kw_only`."""
    found: T = field(metadata={_WORD: Word(name, shape, says)})
    return found


def words_of(cls: type[attrs.AttrsInstance]) -> dict[str, tuple[str, Word]]:
    """Map every word of a value to the name of its attribute and its description."""
    return dict(_words_of(cls))


def needed_of(cls: type[attrs.AttrsInstance]) -> list[str]:
    """Return the words of a value that must be given."""
    return list(_needed_of(cls))


@cache
def _needed_of(cls: type[attrs.AttrsInstance]) -> tuple[str, ...]:
    without = {each.name for each in attrs.fields(cls) if each.default is attrs.NOTHING}
    return tuple(key for key, (name, _) in _words_of(cls).items() if name in without)


@cache
def _words_of(cls: type[attrs.AttrsInstance]) -> dict[str, tuple[str, Word]]:
    found: dict[str, tuple[str, Word]] = {}
    for attribute in attrs.fields(cls):
        described = attribute.metadata.get(_WORD)
        if isinstance(described, Word):
            found[described.name or attribute.name] = (attribute.name, described)
    return found


R = TypeVar("R", bound=attrs.AttrsInstance)


def table(cls: type[R], says: str, check: Callable[[R, str], None] | None = None) -> Shape[R]:
    """Describe a table with exactly the words of `cls`; `check` sees the finished value."""

    def read(value: object, where: str) -> R:
        if not is_table(value):
            raise wrong(value, where, says)
        words = _words_of(cls)
        read_so_far: dict[str, object] = {}
        mistakes = Mistakes()
        for key in _needed_of(cls):
            if key not in value:
                with mistakes.collected():
                    raise ScenarioError(f"{where}: {key!r} is missing", at=where)
        for key, item in value.items():
            inside = f"{where}.{key}" if where else key
            with mistakes.collected():
                if key not in words:
                    unknown = f"{where}: {_shown(key)} is unknown; {_meant(key, words)}"
                    raise ScenarioError(unknown, at=inside)
                name, described = words[key]
                read_so_far[name] = described.shape.read(item, inside)
        mistakes.settle()
        found = cls(**read_so_far)
        if check is not None:
            check(found, where)
        return found

    def schema() -> dict[str, object]:
        required = {"required": found} if (found := needed_of(cls)) else {}
        return {
            "title": cls.__name__.lstrip("_").removesuffix("Words"),
            "type": "object",
            "additionalProperties": False,
            **required,
            "properties": {
                key: {**described.shape.schema(), "description": described.says}
                for key, (_, described) in words_of(cls).items()
            },
        }

    return Shape(frozenset({"object"}), says, read, schema, words=frozenset(words_of(cls)))


def _shown(key: str) -> str:
    return reprlib.repr(key)


def _meant(key: str, words: dict[str, tuple[str, Word]]) -> str:
    """Suggest where an unknown word belongs: in a table inside this one, or as another word."""
    inside = [name for name, (_, found) in words.items() if key in found.shape.words]
    if inside:
        return f"it belongs inside {' or '.join(map(repr, inside))}"
    return nearest(key, words)


def _is_attrs(value: object) -> TypeGuard[attrs.AttrsInstance]:
    return attrs.has(type(value))


def plain(value: object) -> object:
    """Turn any value of a scenario back into what TOML and JSON can hold, defaults left out."""
    found = value
    if isinstance(value, Span):
        found = value.first if value.last == value.first else str(value)
    elif _is_attrs(value):
        found = plain_table(value)
    elif isinstance(value, Enum):
        found = str(value.value)
    elif isinstance(value, bytes):
        found = value.hex()
    elif is_table(value):
        found = {key: plain(item) for key, item in value.items()}
    elif is_array(value):
        found = [plain(item) for item in value]
    return found


def plain_table(value: attrs.AttrsInstance) -> dict[str, object]:
    """Turn a value of a scenario back into a table, without the words that have their defaults."""
    return {
        key: plain(item) if described.shape.write is None else described.shape.write(item)
        for key, described, item in given(value)
    }


def given(value: attrs.AttrsInstance) -> Iterator[tuple[str, Word, object]]:
    """Yield the words of a value that differ from their defaults, with what they are set to."""
    defaults = _defaults_of(type(value))
    for key, (name, described) in _words_of(type(value)).items():
        item: object = getattr(value, name)
        if item != defaults[name] or type(item) is not type(defaults[name]):
            yield key, described, item


@cache
def _defaults_of(cls: type[attrs.AttrsInstance]) -> dict[str, object]:
    return {attribute.name: attribute.default for attribute in attrs.fields(cls)}


def changed(value: object, change: Callable[[object], object]) -> object:
    """Return a value with every part of it changed, innermost first; what stays is the same object.

    Values of attrs classes, tables and arrays are taken apart; `change` sees each part, and the
    keys of tables.
    """
    found = value
    if _is_attrs(value):
        found = _changed_attributes(value, change)
    elif is_table(value):
        found = {str(change(key)): changed(item, change) for key, item in value.items()}
    elif is_array(value):
        items = [changed(item, change) for item in value]
        found = tuple(items) if isinstance(value, tuple) else items
    return change(found)


def _changed_attributes(
    value: attrs.AttrsInstance, change: Callable[[object], object]
) -> attrs.AttrsInstance:
    given = {each.alias: each.name for each in attrs.fields(type(value)) if each.init}
    before: dict[str, object] = {alias: getattr(value, name) for alias, name in given.items()}
    after = {alias: changed(item, change) for alias, item in before.items()}
    return value if after == before else _remade(value, after)


def _remade(value: R, attributes: dict[str, object]) -> R:
    return type(value)(**attributes)
