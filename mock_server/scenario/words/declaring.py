"""Declare faults: one call declares a word of a rule completely.

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
    """An enum; each value has a phrase in plain words and the capability it needs, if any."""

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
    """The properties of the whole rule that the phrase of a word may depend on."""

    picks_frames: bool
    point: str
    """The point that `after` gives, such as `after 2 frames `; empty without `after`."""
    words: Mapping[str, object]
    """Every word of the rule, as it is written in a scenario file."""

    @property
    def unit(self) -> str:
        """What the rule pauses before: `frame` or `head`."""
        return "frame" if self.picks_frames else "head"

    @property
    def frames(self) -> str:
        """The frames that the rule applies to, in words."""
        return "the frame" if self.picks_frames else "every frame"

    def seconds(self, name: str, default: float = 0.0) -> float:
        """Return the value of a word that is in milliseconds, converted to seconds."""
        value = self.words.get(name)
        return value / 1000 if isinstance(value, int | float) else default


@frozen
class Fault(Generic[T]):
    """Declares one fault, as a word of a rule, with all its properties."""

    shape: Shape[T]
    says: str
    """What the word means."""
    example: str
    """The lines of an example rule that uses the word."""
    phrase: Callable[[T, Told], str] | None = None
    """Returns what the fault does, in plain words; None if the phrase of another word covers it."""
    name: str = ""
    """The word used in a scenario file, if it differs from the attribute's name."""
    needs: Capability | None = None
    """The capability that a carrier must have; None if every carrier supports the fault."""
    alone: bool = True
    """Whether the word has an effect without other words."""
    per_frame: bool = False
    """Whether the fault can apply to the frames that the rule picks."""
    at_point: bool = False
    """Whether the fault happens at the point that `after` gives."""
    one_of: tuple[str, ...] = ()
    """The word's groups; two words of the same group cannot be in one rule."""
    not_with: tuple[str, ...] = ()
    """Words that this one cannot be combined with; their `leaves_no_place` gives the reason."""
    leaves_no_place: str = ""
    """Why other words cannot be combined with this one; `{}` stands for the other word."""
    rewrites: bool = False
    """Whether the fault may change the body's bytes or its length."""
    paces: bool = False
    """Whether the fault depends on when the body is written and in what pieces."""

    def optional(self) -> T | None:
        """Declare an attribute that is None if a rule does not have the word."""
        return self.default(None)

    def default(self, value: U) -> T | U:
        """Declare an attribute that has this value if a rule does not have the word."""
        needs = "" if self.needs is None else self.needs.value
        return word(self.shape, self.says, default=value, name=self.name, needs=needs, about=self)


def is_fault(about: object) -> TypeGuard[Fault[object]]:
    """Return whether the `about` of a word declares a fault."""
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
    """Return the phrase for a value of an enum."""
    return value.phrase


def count_of(number: int, noun: str) -> str:
    """Return a number with its noun, such as `2 frames`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def time_of(seconds: float) -> str:
    """Return a duration in words, such as `1.5 s` or `20 ms`."""
    return f"{seconds:g} s" if seconds >= 1 else f"{seconds * 1000:g} ms"


def quoted(text: str) -> str:
    """Return a text in quotes, shortened if it is long."""
    return repr(text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…")
