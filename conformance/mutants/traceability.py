"""Traceability: the cases that judge each requirement, and the mutants that violate it.

A hole is a MUST requirement that no case judges or no mutant violates, unless the requirement says
why it has none. Whether the cases pass does not matter here.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from attrs import frozen

from conformance.casefile.requirements import Level, Requirement
from conformance.casefile.sources import SourceKind


class Judging(Protocol):
    """A case that judges a client or a backend."""

    @property
    def requires(self) -> tuple[str, ...]:
        """The ids of the rules that the case judges."""
        ...


class Breaking(Protocol):
    """A mutant: a broken client or a broken backend."""

    @property
    def breaks(self) -> tuple[str, ...]:
        """The ids of the rules that the mutant breaks."""
        ...


@frozen
class Line:
    """One requirement with the cases that judge it and the mutants that violate it."""

    requirement: Requirement
    cases: Sequence[Judging]
    mutants: Sequence[Breaking]

    @property
    def hole(self) -> str:
        """What the requirement lacks: "no case", "no mutant", or "" if it lacks nothing."""
        if self.requirement.excluded or self.requirement.level is not Level.MUST:
            return ""
        if not self.cases:
            return "no case"
        return "" if self.mutants else "no mutant"


def coverage(
    requirements: Mapping[str, Requirement],
    cases: Sequence[Judging],
    mutants: Sequence[Breaking],
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


def by_source(requirements: Iterable[Requirement]) -> Mapping[SourceKind, int]:
    """Return the number of requirements for each kind of source, starting with the strongest."""
    counts = Counter(requirement.source.kind for requirement in requirements)
    return {kind: counts[kind] for kind in SourceKind}


def unknown_rules(
    requirements: Mapping[str, Requirement], mutants: Iterable[Breaking]
) -> Sequence[str]:
    """Return, sorted, the rule ids that mutants list but the specification does not have."""
    return sorted({rule for mutant in mutants for rule in mutant.breaks} - set(requirements))
