"""Traceability: which cases and which mutants stand for each requirement, and where none does.

It knows what a hole is: a MUST that no case judges or that no mutant violates, and no word why. It
refuses to know whether the cases pass.
"""

from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from conformance.case import Case
from conformance.mutants import Mutant
from conformance.specification import Level, Requirement


@frozen
class Line:
    """One requirement with everything that stands for it."""

    requirement: Requirement
    cases: Sequence[Case]
    mutants: Sequence[Mutant]

    @property
    def hole(self) -> str:
        """What is missing, or nothing."""
        if self.requirement.excluded or self.requirement.level is not Level.MUST:
            return ""
        if not self.cases:
            return "no case"
        return "" if self.mutants else "no mutant"


def coverage(
    requirements: Mapping[str, Requirement], cases: Sequence[Case], mutants: Sequence[Mutant]
) -> Sequence[Line]:
    """Return a line for every requirement, in the order of the specification."""
    return [
        Line(
            requirement,
            [case for case in cases if requirement.id in case.requires],
            [mutant for mutant in mutants if requirement.id in mutant.breaks],
        )
        for requirement in requirements.values()
    ]


def unknown_rules(
    requirements: Mapping[str, Requirement], mutants: Iterable[Mutant]
) -> Sequence[str]:
    """Return what mutants claim to break although there is no such requirement."""
    return sorted({rule for mutant in mutants for rule in mutant.breaks} - set(requirements))
