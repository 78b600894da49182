"""Checks of the contract: each has a description, its clause and rules, and the code."""

from collections.abc import Callable
from typing import Final, TypeAlias

from attrs import frozen

from conformance.transport_suite.adapter import Open
from conformance.transport_suite.bench import Bench, Unexpected

Body: TypeAlias = Callable[[Bench], None]

PATIENCE: Final = 10.0


class ContractBroken(AssertionError):
    """The transport broke a clause of the contract; the message says which, and what happened."""


@frozen
class Check:
    """A check of one promise of every transport; `str` returns its name, for pytest."""

    name: str
    clause: str
    """The clause of `spec/transport-guide.md`."""
    rules: tuple[str, ...]
    """The rules of the specification that a client cannot follow if its transport fails."""
    expected: str
    """The expected behaviour, in a sentence or two."""
    _body: Body

    def __str__(self) -> str:
        return self.name

    def run(self, transport: Open, *, patience: float = PATIENCE) -> None:
        """Check a transport; raises ContractBroken. Calls longer than `patience` seconds fail."""
        try:
            self._body(Bench(transport, patience))
        except Exception as error:
            source = ", ".join((self.clause, *self.rules))
            seen = str(error)
            if not isinstance(error, Unexpected):
                seen = f"{type(error).__name__} was raised: {error}"
            raise ContractBroken(f"{self.name}: {self.expected} ({source})\nbut {seen}") from error


def check(clause: str, *rules: str) -> Callable[[Body], Check]:
    """Turn a function into a check with the function's name and docstring."""

    def decorate(body: Body) -> Check:
        expected = " ".join((body.__doc__ or "").split())
        return Check(body.__name__.replace("_", "-"), clause, rules, expected, body)

    return decorate
