"""A check: a sentence of what is expected, the clause and the rules that say so, and the code."""

from collections.abc import Callable
from typing import Final, TypeAlias

from attrs import frozen

from conformance.transport_suite.adapter import Open
from conformance.transport_suite.bench import Bench, Unexpected

Body: TypeAlias = Callable[[Bench], None]

PATIENCE: Final = 10.0


class ContractBroken(AssertionError):
    """The transport broke a clause of the contract; the message says which, and what was seen."""


@frozen
class Check:
    """One promise of every transport. `str` is its name, as pytest shows it."""

    name: str
    clause: str
    """The clause of `spec/transport-guide.md`."""
    rules: tuple[str, ...]
    """Rules of the specification that a client cannot keep without the clause."""
    expected: str
    """What is expected, in a sentence or two."""
    _body: Body

    def __str__(self) -> str:
        return self.name

    def run(self, transport: Open, *, patience: float = PATIENCE) -> None:
        """Try it; raises ContractBroken. What takes more than `patience` seconds hangs."""
        try:
            self._body(Bench(transport, patience))
        except Exception as error:
            source = ", ".join((self.clause, *self.rules))
            seen = str(error)
            if not isinstance(error, Unexpected):
                seen = f"{type(error).__name__} was raised: {error}"
            raise ContractBroken(f"{self.name}: {self.expected} ({source})\nbut {seen}") from error


def check(clause: str, *rules: str) -> Callable[[Body], Check]:
    """Make a check of a function: its name and its docstring are those of the check."""

    def decorate(body: Body) -> Check:
        expected = " ".join((body.__doc__ or "").split())
        return Check(body.__name__.replace("_", "-"), clause, rules, expected, body)

    return decorate
