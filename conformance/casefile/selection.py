"""Select cases by id, pattern or profile, and choose one profile per case."""

import fnmatch
from collections.abc import Sequence
from typing import Protocol, TypeVar

from attrs import evolve

from conformance.casefile.model import Case
from conformance.strict_data import UsageError
from mock_server.strict.shapes import nearest


class Selectable(Protocol):
    """A case that can be selected, whether it tests clients or backends."""

    @property
    def id(self) -> str:
        """The id of the case."""
        ...

    @property
    def names(self) -> tuple[str, ...]:
        """The names by which users can select the case."""
        ...

    @property
    def requires(self) -> tuple[str, ...]:
        """The rules that the case tests."""
        ...


_C = TypeVar("_C", bound=Selectable)


def select(
    cases: Sequence[_C],
    ids: Sequence[str] = (),
    patterns: Sequence[str] = (),
    listing: str = "`arkor-conformance list`",
) -> tuple[_C, ...]:
    """Return the cases named in `ids` or matched by `patterns`; all cases if both are empty.

    The id of a template selects all of its cases. A pattern is a shell pattern (`budget.*`), a part
    of an id, or the id of a requirement. Raise UsageError for an unknown id; its message may
    suggest `listing`, the command that lists the cases.
    """
    for identifier in ids:
        if not any(_named(case, identifier) for case in cases):
            near = nearest(identifier, [case.id for case in cases])
            hint = near if near.startswith("did you mean") else f"{listing} lists all"
            raise UsageError(f"case {identifier}", f"no such case; {hint}")
    if not ids and not patterns:
        return tuple(cases)
    return tuple(
        case
        for case in cases
        if any(_named(case, identifier) for identifier in ids)
        or any(_matches(case, pattern) for pattern in patterns)
    )


def _named(case: Selectable, identifier: str) -> bool:
    return identifier in case.names


def _matches(case: Selectable, pattern: str) -> bool:
    if pattern in case.requires or pattern in case.id:
        return True
    # Brackets are part of ids here, not a set of characters.
    return fnmatch.fnmatchcase(case.id, pattern.replace("[", "[[]"))


def in_turn(cases: Sequence[Case]) -> Sequence[Case]:
    """Return the cases with one profile each, rotating profiles so that all of them are played."""
    return [
        evolve(case, profiles=(case.profiles[number % len(case.profiles)],))
        for number, case in enumerate(cases)
    ]
