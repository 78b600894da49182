"""How a fault is declared: one call carries everything that is known about a word of a rule.

The shape, the meaning, the need, an example, the phrase in plain words and what the word goes with.
The reader, the schema, the checks, `explain`, the builder and FAULTS.md are derived from it.

A new fault is declared in the file of its phase here, and carried out in the file of the same name
in `mock_server/faults/`; how its bytes reach the socket, if they differ, is in `mock_server/net/`.
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
    """A closed list whose values carry their phrase, and the capability that each one needs."""

    phrase: str
    needs: Capability | None

    def __new__(cls, value: str, phrase: str = "", needs: Capability | None = None) -> Self:
        """Make one value of the list."""
        found = str.__new__(cls, value)
        found._value_ = value
        found.phrase = phrase
        found.needs = needs
        return found


@frozen
class Told:
    """The rest of a rule, as far as the phrase of one word depends on it."""

    picks_frames: bool
    point: str
    """Where `after` is, such as `after 2 frames `; empty without one."""
    words: Mapping[str, object]
    """Every word of the rule, as a scenario writes it."""

    @property
    def unit(self) -> str:
        """What a pause comes before."""
        return "frame" if self.picks_frames else "head"

    @property
    def frames(self) -> str:
        """Which frames the rule is about."""
        return "the frame" if self.picks_frames else "every frame"

    def seconds(self, name: str, default: float = 0.0) -> float:
        """Return the value of a word in milliseconds, as seconds."""
        value = self.words.get(name)
        return value / 1000 if isinstance(value, int | float) else default


@frozen
class Fault(Generic[T]):
    """The declaration of a fault: a word of a rule, and everything that is known about it."""

    shape: Shape[T]
    says: str
    """What it means."""
    example: str
    """The lines of a rule that uses it."""
    phrase: Callable[[T, Told], str] | None = None
    """What it does, in plain words; None if the phrase of another word covers it."""
    name: str = ""
    """Its name in a scenario, if that is not the name of the attribute."""
    needs: Capability | None = None
    """What a carrier must be able to do; None if every carrier can carry it."""
    alone: bool = True
    """Whether it does something without another word."""
    per_frame: bool = False
    """Whether it can be about picked frames."""
    at_point: bool = False
    """Whether it happens at `after`."""
    one_of: tuple[str, ...] = ()
    """Names of choices: words of the same choice exclude each other."""
    not_with: tuple[str, ...] = ()
    """The words that leave no place for it; each gives its reason in `leaves_no_place`."""
    leaves_no_place: str = ""
    """Why other words have no place beside it; `{}` is the other word."""
    rewrites: bool = False
    """Whether the body may come to have other bytes, or another number of them."""
    paces: bool = False
    """Whether it makes time, or the borders between writes, mean something."""

    def optional(self) -> T | None:
        """Declare an attribute that is None without the word."""
        return self.default(None)

    def default(self, value: U) -> T | U:
        """Declare an attribute that has this value without the word."""
        needs = "" if self.needs is None else self.needs.value
        return word(self.shape, self.says, default=value, name=self.name, needs=needs, about=self)


def is_fault(about: object) -> TypeGuard[Fault[object]]:
    """Return whether a word is a fault, by what its declaration keeps about it."""
    return isinstance(about, Fault)


def needs_of_values(values: type[Phrased]) -> str:
    """Describe which values of a closed list need which capability."""
    by_need: dict[Capability, list[str]] = {}
    for each in values:
        if each.needs is not None:
            by_need.setdefault(each.needs, []).append(each.value)
    return "; ".join(
        f"{', '.join(names)} need{'' if len(names) > 1 else 's'} `{needed}`"
        for needed, names in by_need.items()
    )


def phrased(value: Phrased, _: Told) -> str:
    """Return the phrase of a value of a closed list."""
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
