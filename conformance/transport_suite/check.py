"""A check of the transport contract, with its description, its clause, its rules and its code."""

from collections.abc import Callable
from typing import Final, TypeAlias

from attrs import frozen

from conformance.transport_suite.adapter import Open
from conformance.transport_suite.bench import Bench, Unexpected

Body: TypeAlias = Callable[[Bench], None]

PATIENCE: Final = 10.0


class ContractBroken(AssertionError):
    """The transport broke a clause of the contract; the message names it and says what happened."""


@frozen
class Check:
    """A check of one promise that every transport makes; `str()` returns its name, for pytest."""

    name: str
    clause: str
    """The clause of `spec/transport-guide.md` that the check tests."""
    rules: tuple[str, ...]
    """The rules that a client cannot satisfy if its transport fails the check."""
    expected: str
    """The expected behaviour, in a sentence or two."""
    _body: Body

    def __str__(self) -> str:
        return self.name

    def run(self, transport: Open, *, patience: float = PATIENCE) -> None:
        """Check a transport; raise ContractBroken if it fails or a call exceeds `patience` seconds."""
        try:
            self._body(Bench(transport, patience))
        except Exception as error:
            source = ", ".join((self.clause, *self.rules))
            seen = str(error)
            if not isinstance(error, Unexpected):
                seen = f"{type(error).__name__} was raised: {error}"
            raise ContractBroken(f"{self.name}: {self.expected} ({source})\nbut {seen}") from error


def check(clause: str, *rules: str) -> Callable[[Body], Check]:
    """Turn a function into a check that takes its name and description from the function."""

    def decorate(body: Body) -> Check:
        expected = " ".join((body.__doc__ or "").split())
        return Check(body.__name__.replace("_", "-"), clause, rules, expected, body)

    return decorate
