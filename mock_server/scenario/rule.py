# ruff: noqa: RUF009 - word() declares an attribute, as attrs.field() does
"""A rule of a scenario: a selection, and faults grouped by the phase in which they act.

A scenario file does not show the groups: all words of a rule are in one table. Faults are declared
in `words/`, and everything else about them is derived from their declarations.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Final, TypeVar

import attrs
from attrs import frozen

from mock_server.scenario.vocabulary import Capability, Select
from mock_server.scenario.words.connection import ConnectionFault
from mock_server.scenario.words.declaring import Fault, Phrased, is_fault
from mock_server.scenario.words.end import EndFault
from mock_server.scenario.words.frame import FrameFault
from mock_server.scenario.words.head import HeadFault
from mock_server.scenario.words.request import RequestFault
from mock_server.strict.shapes import Shape, text
from mock_server.strict.words import Word, given, group, table, word, words_of

R = TypeVar("R", bound=attrs.AttrsInstance)


@frozen(kw_only=True)
class Rule:
    """One rule: which units it applies to (`on`) and what happens to them.

    The unit is a connection when `on` names a connection, a frame when `on` picks frames, and an
    exchange (one request and its response) otherwise.
    """

    on: Select = word(
        table(Select, "a selection"),
        "the connections, exchanges or frames that the rule applies to",
        default=Select(),
    )
    name: str = word(
        text(200), "a name for the rule, shown in messages and in the journal", default=""
    )
    connection: ConnectionFault = group(ConnectionFault)
    request: RequestFault = group(RequestFault)
    head: HeadFault = group(HeadFault)
    frame: FrameFault = group(FrameFault)
    end: EndFault = group(EndFault)

    @property
    def is_about_connections(self) -> bool:
        """Whether the rule acts on a connection before the first request arrives on it."""
        return self.connection != _NO_FAULT

    @cached_property
    def rewrites(self) -> bool:
        """Whether the rule may change the content of the body, or its length."""
        return any(fault.rewrites for fault, _ in faults_in(self))

    @cached_property
    def paces(self) -> bool:
        """Whether the rule depends on when the body is written and in which pieces."""
        return any(fault.paces for fault, _ in faults_in(self))

    @cached_property
    def acts_on_frames(self) -> bool:
        """Whether the rule acts on individual frames."""
        return self.on.picks_frames or any(fault.per_frame for fault, _ in faults_in(self.frame))


_NO_FAULT: Final = ConnectionFault()
RULE: Final[Shape[Rule]] = table(Rule, "a rule")
WORDS: Final[Mapping[str, Word]] = words_of(Rule)
"""Every word that a rule can have; the faults are in the order in which they happen."""
FAULTS: Final[Mapping[str, Fault[object]]] = {
    name: each.about for name, each in WORDS.items() if is_fault(each.about)
}
"""Maps the word of each fault to its declaration, in the order in which the faults happen."""


def faults_in(value: attrs.AttrsInstance) -> Iterator[tuple[Fault[object], object]]:
    """Yield each fault that a rule (or one group of its words) sets, with its value."""
    for each, item in given(value):
        if is_fault(each.about):
            yield each.about, item


def merged(group_class: type[R], faults: Iterable[R]) -> R:
    """Merge one group of faults from several rules; the first rule that sets a given word wins."""
    found: dict[str, object] = {}
    for fault in faults:
        for each, value in given(fault):
            found.setdefault(each.attribute, value)
    return group_class(**found)


def needs_of(rule: Rule) -> list[tuple[str, Capability]]:
    """List each word or value in a rule that needs a capability, with that capability."""
    return [*needs_in(rule), *needs_in(rule.on)]


def needs_in(words_table: attrs.AttrsInstance) -> list[tuple[str, Capability]]:
    """List each word or value in one table that needs a capability, with that capability."""
    words = list(given(words_table))
    found = [(each.name, Capability(each.needs)) for each, _ in words if each.needs]
    for each, value in words:
        if isinstance(value, Phrased) and value.needs is not None:
            found.append((f"{each.name} = {value.value}", value.needs))
    return found
