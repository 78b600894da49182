"""Words: the keys of a table, such as a scenario file's, declared as attributes of a class.

Each word has a name, a shape and a meaning. From the declarations, this module reads tables
strictly, turns the values back into tables, and makes changed copies of values.
"""

import operator
import reprlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import Enum
from functools import cache
from typing import Final, Never, TypeGuard, TypeVar

import attrs
from attrs import evolve, field, frozen

from mock_server.strict.mistakes import Mistakes
from mock_server.strict.shapes import (
    ScenarioError,
    Shape,
    is_array,
    is_table,
    nearest,
    wrong,
)

T = TypeVar("T")
U = TypeVar("U")


@frozen
class Word:
    """One word of the vocabulary: its name in a scenario file, its shape and its meaning."""

    name: str
    shape: Shape[object]
    says: str
    needs: str = ""
    """The capability that the carrier (what injects faults) needs; empty if any carrier will do."""
    about: object = None
    """Further information from the declaration, such as a `Fault`."""
    attribute: str = ""
    """The name of the attribute that holds the word's value."""
    group: str = ""
    """The name of the attribute that holds the word's group; empty if the word is in no group."""
    default: object = None
    """The attribute's value if the word is absent; `attrs.NOTHING` if the word is required."""


R = TypeVar("R", bound=attrs.AttrsInstance)
_WORD: Final = "arkor.word"
EMPTY: Final[Mapping[str, Never]] = {}
"""An empty table, for use as a default."""


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
    """Declare an attribute as a word of the vocabulary; `secret` keeps it out of the repr."""
    found = Word(name, shape, says, needs, about)
    return field(default=default, metadata={_WORD: found}, repr=not secret)


def needed(shape: Shape[T], says: str, *, name: str = "", secret: bool = False) -> T:
    """Declare an attribute as a required word; its class must be `kw_only`."""
    found: T = field(metadata={_WORD: Word(name, shape, says)}, repr=not secret)
    return found


def group(cls: type[R]) -> R:
    """Declare a group: a `cls` instance whose words are keys of the enclosing table."""
    return field(default=cls(), metadata={_WORD: cls})


@cache
def words_of(cls: type[attrs.AttrsInstance]) -> Mapping[str, Word]:
    """Map the names of a class's words to their declarations."""
    found: dict[str, Word] = {}
    for attribute, described, _ in _declared(cls):
        if isinstance(described, Word):
            found[described.name] = described
        else:
            grouped = words_of(described).items()
            found |= {name: evolve(inner, group=attribute) for name, inner in grouped}
    return found


@cache
def _declared(
    cls: type[attrs.AttrsInstance],
) -> Sequence[tuple[str, Word | type[attrs.AttrsInstance], object]]:
    """List the attributes of a class that are words or groups of words, with their defaults."""
    found: list[tuple[str, Word | type[attrs.AttrsInstance], object]] = []
    for each in attrs.fields(cls):
        default: object = each.default
        described: object = each.metadata.get(_WORD)
        if isinstance(described, Word):
            name = described.name or each.name
            described = evolve(described, name=name, attribute=each.name, default=default)
            found.append((each.name, described, default))
        elif _is_class(described):
            found.append((each.name, described, default))
    return found


def _is_class(described: object) -> TypeGuard[type[attrs.AttrsInstance]]:
    return isinstance(described, type)


def table(cls: type[R], says: str, check: Callable[[R, str], None] | None = None) -> Shape[R]:
    """Describe a table whose keys are the words of `cls`; `check` is called with each instance."""
    words = words_of(cls)
    required = [name for name, each in words.items() if each.default is attrs.NOTHING]
    groups = [(name, each) for name, each, _ in _declared(cls) if not isinstance(each, Word)]

    def read(value: object, where: str) -> R:
        if not is_table(value):
            raise wrong(value, where, says)
        found = _read_words(value, where, words, required)
        own = found[""]
        for name, group_class in groups:
            if name in found:
                own[name] = group_class(**found[name])
        made = cls(**own)
        if check is not None:
            check(made, where)
        return made

    def schema() -> dict[str, object]:
        return {
            "title": cls.__name__.lstrip("_").removesuffix("Words"),
            "type": "object",
            "additionalProperties": False,
            **({"required": required} if required else {}),
            "properties": {
                key: {**described.shape.schema(), "description": described.says}
                for key, described in words.items()
            },
        }

    return Shape(frozenset({"object"}), says, read, schema, words=frozenset(words))


def _read_words(
    value: Mapping[str, object], where: str, words: Mapping[str, Word], required: Sequence[str]
) -> dict[str, dict[str, object]]:
    """Read a table; return attribute values per group, with those of ungrouped words under ""."""
    found: dict[str, dict[str, object]] = defaultdict(dict, {"": {}})
    mistakes = Mistakes()
    for key in required:
        if key not in value:
            mistakes.add(ScenarioError(f"{where}: {key!r} is missing", at=where))
    before = f"{where}." if where else ""
    for key, item in value.items():
        described = words.get(key)
        if described is None:
            unknown = f"{where}: {reprlib.repr(key)} is unknown; {_meant(key, words)}"
            mistakes.add(ScenarioError(unknown, at=before + key))
            continue
        try:
            read_word = described.shape.read
            found[described.group][described.attribute] = read_word(item, before + key)
        except ScenarioError as error:
            mistakes.add(error)
    mistakes.settle()
    return found


def _meant(key: str, words: Mapping[str, Word]) -> str:
    """Say which inner tables an unknown key belongs in; if there are none, suggest another key."""
    inside = [name for name, found in words.items() if key in found.shape.words]
    if inside:
        return f"it belongs inside {' or '.join(map(repr, inside))}"
    return nearest(key, words)


def _is_attrs(value: object) -> TypeGuard[attrs.AttrsInstance]:
    return attrs.has(type(value))


def plain(value: object) -> object:
    """Convert any value of a scenario to data that TOML and JSON can express, omitting defaults."""
    found = value
    if _is_attrs(value):
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
    """Convert a value of a scenario to a table, leaving out words whose value is the default."""
    return {
        described.name: (described.shape.write or plain)(item) for described, item in given(value)
    }


def given(value: attrs.AttrsInstance) -> Iterator[tuple[Word, object]]:
    """Yield each word that is set to something other than its default, with what it is set to."""
    for attribute, described, default in _declared(type(value)):
        item: object = getattr(value, attribute)
        if item is default:
            continue
        if not isinstance(described, Word):
            yield from given(item) if _is_attrs(item) else ()
        elif item != default or type(item) is not type(default):
            yield described, item


_UNDIVIDED: Final = frozenset({str, int, float, bool, bytes, type(None)})
"""The types whose values have no parts."""


def changed(value: object, change: Callable[[object], object]) -> object:
    """Return a value after applying `change` to it and to all its parts, innermost first.

    Objects that do not change are reused. The parts are the attributes of attrs values, the
    keys and values of tables, and the items of arrays, at any depth.
    """
    if type(value) in _UNDIVIDED:
        return change(value)
    found = value
    if _is_attrs(value):
        found = _changed_attributes(value, change)
    elif is_table(value):
        table = {str(change(key)): changed(item, change) for key, item in value.items()}
        same = list(table) == list(value) and _are_the_same(table.values(), value.values())
        found = value if same else table
    elif is_array(value):
        items = [changed(item, change) for item in value]
        if not _are_the_same(items, value):
            found = tuple(items) if isinstance(value, tuple) else items
    return change(found)


def _changed_attributes(value: R, change: Callable[[object], object]) -> R:
    given = _parameters(type(value))
    before: list[object] = [getattr(value, name) for name in given.values()]
    after = [changed(item, change) for item in before]
    if _are_the_same(before, after):
        return value
    return type(value)(**dict(zip(given, after, strict=True)))


@cache
def _parameters(kind: type[attrs.AttrsInstance]) -> Mapping[str, str]:
    """Map the parameters of a class's `__init__` to the attributes that they set."""
    return {each.alias: each.name for each in attrs.fields(kind) if each.init}


def _are_the_same(some: Iterable[object], others: Iterable[object]) -> bool:
    """Return whether two iterables of equal length contain the same objects in the same order."""
    return all(map(operator.is_, some, others))
