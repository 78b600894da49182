# ruff: noqa: RUF009 - word() declares an attribute, as attrs.field() does
"""A rule: a selection, and faults in groups by the phase that they act in.

In a scenario all words of a rule are in one table; here that table is read, written and described.
The words are declared in `words/`, and everything about all of them is derived from there.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final, TypeAlias, TypeVar

import attrs
from attrs import frozen

from mock_server.scenario.vocabulary import Capability, Select
from mock_server.scenario.words.connection import ConnectionFault
from mock_server.scenario.words.declaring import (
    Fault,
    Phrased,
    any_of,
    attributes_of,
    faults_of,
)
from mock_server.scenario.words.end import EndFault
from mock_server.scenario.words.frame import FrameFault
from mock_server.scenario.words.head import HeadFault
from mock_server.scenario.words.request import RequestFault
from mock_server.strict.shapes import Shape, array, is_array, text
from mock_server.strict.words import Word, given, plain_table, table, word, words_of

R = TypeVar("R", bound=attrs.AttrsInstance)
_Attributes: TypeAlias = tuple[tuple[str, tuple[str, ...]], ...]


class Phase(StrEnum):
    """When a fault acts; it decides in which file the fault is declared and carried out."""

    CONNECTION = "connection"
    REQUEST = "request"
    HEAD = "head"
    FRAME = "frame"
    END = "end"


GROUPS: Final[Mapping[Phase, type[attrs.AttrsInstance]]] = {
    Phase.CONNECTION: ConnectionFault,
    Phase.REQUEST: RequestFault,
    Phase.HEAD: HeadFault,
    Phase.FRAME: FrameFault,
    Phase.END: EndFault,
}


@frozen(kw_only=True)
class _Subject:
    """The words of a rule that are no faults."""

    on: Select = word(table(Select, "a selection"), "what the rule is about", default=Select())
    name: str = word(text(200), "a name for messages and the journal", default="")


_NO_FAULT: Final = ConnectionFault()


@frozen(kw_only=True)
class Rule:
    """One rule: which units it is about (`on`) and what happens to them.

    The unit is a connection when `on` names a connection, a frame when `on` picks frames, and an
    exchange (one request and its response) otherwise.
    """

    on: Select = Select()
    name: str = ""
    connection: ConnectionFault = _NO_FAULT
    request: RequestFault = RequestFault()
    head: HeadFault = HeadFault()
    frame: FrameFault = FrameFault()
    end: EndFault = EndFault()

    @property
    def groups(self) -> tuple[attrs.AttrsInstance, ...]:
        """The groups of faults, in the order in which they happen."""
        return self.connection, self.request, self.head, self.frame, self.end

    @property
    def is_about_connections(self) -> bool:
        """Whether it acts on a connection, before there is any request."""
        return self.connection != _NO_FAULT

    @property
    def rewrites(self) -> bool:
        """Whether the rule may change the bytes of the body, or their number."""
        return self._says(_REWRITING)

    @property
    def paces(self) -> bool:
        """Whether the timing of writes, or how they are cut, matters."""
        return self._says(_PACING)

    def _says(self, attributes: _Attributes) -> bool:
        return any(any_of(getattr(self, phase), names) for phase, names in attributes)


def _declared(wanted: Callable[[Fault[object]], bool]) -> _Attributes:
    found = ((phase.value, attributes_of(group, wanted)) for phase, group in GROUPS.items())
    return tuple((phase, names) for phase, names in found if names)


_REWRITING: Final = _declared(lambda fault: fault.rewrites)
_PACING: Final = _declared(lambda fault: fault.paces)


def _tables() -> tuple[type[attrs.AttrsInstance], ...]:
    return (_Subject, *GROUPS.values())


def _flat() -> type[attrs.AttrsInstance]:
    """Make the table that a rule is in a scenario: the words of all groups side by side."""
    made = attrs.make_class(
        "FlatRule",
        {
            each.name: attrs.field(default=each.default, metadata=each.metadata)
            for group in _tables()
            for each in attrs.fields(group)
        },
        frozen=True,
        kw_only=True,
    )
    if not attrs.has(made):
        raise TypeError("attrs made a class without attributes")
    return made


_FLAT: Final = _flat()
_TABLE: Final = table(_FLAT, "a rule")
WORDS: Final[Mapping[str, Word]] = {name: found for name, (_, found) in words_of(_FLAT).items()}
"""Every word of a rule, in the order in which the faults happen."""
FAULTS: Final[Mapping[str, Fault[object]]] = {
    name: fault for group in GROUPS.values() for name, fault in faults_of(group).items()
}
"""What is known of every fault, by its word, in the same order."""


def _part(group: type[R], flat: attrs.AttrsInstance) -> R:
    return group(**{each.name: getattr(flat, each.name) for each in attrs.fields(group)})


def _read(value: object, where: str) -> Rule:
    flat = _TABLE.read(value, where)
    subject = _part(_Subject, flat)
    return Rule(
        on=subject.on,
        name=subject.name,
        connection=_part(ConnectionFault, flat),
        request=_part(RequestFault, flat),
        head=_part(HeadFault, flat),
        frame=_part(FrameFault, flat),
        end=_part(EndFault, flat),
    )


def words_in(rule: Rule) -> Mapping[str, object]:
    """Return the words that a rule sets, as a scenario writes them, without defaults."""
    return {name: item for each in _parts(rule) for name, item in plain_table(each).items()}


def names_in(rule: Rule) -> set[str]:
    """Return the names of the words that a rule sets."""
    return {name for each in _parts(rule) for name, _, _ in given(each)}


def _parts(rule: Rule) -> tuple[attrs.AttrsInstance, ...]:
    return _Subject(on=rule.on, name=rule.name), *rule.groups


def _write_all(rules: object) -> object:
    return [words_in(rule) for rule in rules if isinstance(rule, Rule)] if is_array(rules) else []


RULE: Final[Shape[Rule]] = Shape(
    _TABLE.kinds, _TABLE.says, _read, _TABLE.schema, words=_TABLE.words
)
RULES: Final[Shape[tuple[Rule, ...]]] = attrs.evolve(array(RULE, 10_000), write=_write_all)


def needs_of(rule: Rule) -> list[tuple[str, Capability]]:
    """List the words and values of a rule that need a capability, each with that capability."""
    words = [each for part in (*_parts(rule), rule.on) for each in given(part)]
    found = [(name, Capability(word_.needs)) for name, word_, _ in words if word_.needs]
    for name, _, value in words:
        if isinstance(value, Phrased) and value.needs is not None:
            found.append((f"{name} = {value.value}", value.needs))
    return found
