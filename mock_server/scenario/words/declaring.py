"""Declare faults: a single call declares everything about one word of a rule.

The call gives the shape, the meaning, the required capability, an example, a phrase in plain words,
and what the word cannot be combined with. The reader, the schema, the checks, `explain`, the
builder and FAULTS.md are derived from it.

Declare a new fault in this package, in the file for its phase, and implement it in the file of the
same name in `mock_server/faults/`. The code that controls how bytes reach the socket is in
`mock_server/net/`.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final, Generic, Self, TypeGuard, TypeVar

from attrs import frozen

from mock_server.scenario.vocabulary import Capability
from mock_server.strict.shapes import Shape
from mock_server.strict.words import word

T = TypeVar("T")
U = TypeVar("U")

_SHOWN: Final = 60


class Phrased(StrEnum):
    """An enum whose values each have a phrase in plain words and may need a capability."""

    phrase: str
    needs: Capability | None

    def __new__(cls, value: str, phrase: str = "", needs: Capability | None = None) -> Self:
        """Make one value of the enum."""
        found = str.__new__(cls, value)
        found._value_ = value
        found.phrase = phrase
        found.needs = needs
        return found


@frozen
class Told:
    """What a word's phrase may need to know about the rule as a whole."""

    picks_frames: bool
    point: str
    """The phrase for `after`, with a space at the end, such as `after 2 frames `; may be empty."""
    words: Mapping[str, object]
    """The words of the rule and their values, as they are written in a scenario file."""

    @property
    def unit(self) -> str:
        """What a delay of this rule comes before: `frame` or `response head`."""
        return "frame" if self.picks_frames else "response head"

    @property
    def frames(self) -> str:
        """The frames that the rule applies to, in words."""
        return "the frame" if self.picks_frames else "every frame"

    def seconds(self, name: str, default: float = 0.0) -> float:
        """Return the value of a word in seconds; in a scenario file it is in milliseconds."""
        value = self.words.get(name)
        return value / 1000 if isinstance(value, int | float) else default


@frozen
class Fault(Generic[T]):
    """The complete declaration of one fault, which is a word of a rule."""

    shape: Shape[T]
    says: str
    """What the word means."""
    example: str
    """The lines of an example rule that uses the word."""
    phrase: Callable[[T, Told], str] | None = None
    """Returns a phrase that says what the fault does; None if another word's phrase covers it."""
    name: str = ""
    """The word used in a scenario file, if it differs from the attribute's name."""
    needs: Capability | None = None
    """The capability that the fault needs; None if every fault-injecting program supports it."""
    alone: bool = True
    """Whether the word has an effect on its own."""
    per_frame: bool = False
    """Whether the fault can act on the individual frames that a rule picks."""
    at_point: bool = False
    """Whether the fault happens at the point that `after` names."""
    one_of: tuple[str, ...] = ()
    """The groups that the word is in; a rule cannot have two words of the same group."""
    not_with: tuple[str, ...] = ()
    """Words that this one cannot be combined with; their `leaves_no_place` gives the reason."""
    leaves_no_place: str = ""
    """Why other words cannot be combined with this one; `{}` stands for the other word."""
    rewrites: bool = False
    """Whether the fault may change the body's bytes or its length."""
    paces: bool = False
    """Whether the fault needs the body to be written at certain times or in certain pieces."""

    def optional(self) -> T | None:
        """Declare an attribute that is None if a rule does not have the word."""
        return self.default(None)

    def default(self, value: U) -> T | U:
        """Declare an attribute that has this value if a rule does not have the word."""
        needs = "" if self.needs is None else self.needs.value
        return word(self.shape, self.says, default=value, name=self.name, needs=needs, about=self)


def is_fault(about: object) -> TypeGuard[Fault[object]]:
    """Return whether a word's `about` is the declaration of a fault."""
    return isinstance(about, Fault)


def needs_of_values(values: type[Phrased]) -> str:
    """Describe which values of an enum need which capability."""
    by_need: dict[Capability, list[str]] = {}
    for each in values:
        if each.needs is not None:
            by_need.setdefault(each.needs, []).append(each.value)
    return "; ".join(
        f"{_listed(names)} need{'' if len(names) > 1 else 's'} `{needed}`"
        for needed, names in by_need.items()
    )


def _listed(names: list[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def phrased(value: Phrased, _: Told) -> str:
    """Return the phrase that belongs to a value of an enum."""
    return value.phrase


def time_of(seconds: float) -> str:
    """Return a duration in words, such as `1.5 s` or `20 ms`."""
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"


def quoted(text: str) -> str:
    """Return a text in quotes, shortened if it is long."""
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…")
