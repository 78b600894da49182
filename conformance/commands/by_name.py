"""Find the mutants that a command line asks for by name or family."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from conformance.strict_data import UsageError
from mock_server.strict.shapes import nearest


class Named(Protocol):
    """A mutant that can be chosen by name: a broken client or a broken backend."""

    @property
    def name(self) -> str:
        """The full name."""
        ...

    @property
    def family(self) -> str:
        """The first part of the name."""
        ...


_N = TypeVar("_N", bound=Named)


def named(mutants: Sequence[_N], names: Sequence[str]) -> Sequence[_N]:
    """Return the mutants with these names or families; all of them if no names are given.

    Raise UsageError for an unknown name.
    """
    known = {name for mutant in mutants for name in (mutant.name, mutant.family)}
    for name in names:
        if name not in known:
            raise UsageError(f"--mutant {name}", f"no such mutant; {nearest(name, known)}")
    return [m for m in mutants if not names or {m.name, m.family} & set(names)]
