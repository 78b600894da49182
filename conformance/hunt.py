"""Judging the kit: whether it catches each broken client, and for the right reason.

It knows what the right reason is: a finding that cites a requirement which the mutant violates.
It refuses to know how mutants are made.
"""

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import anyio
from attrs import define, field, frozen

from conformance.case import Case
from conformance.catalogue import Plan, run
from conformance.mutants import Mutant
from conformance.process import DriverUnusable
from conformance.verdict import CaseResult, Finding
from conformance.verdict_words import Verdict

PATIENCE: Final = 1.0
"""Mutants hang often, and an impatient kit could only take one for dead too early."""


@frozen
class Kill:
    """One case under one profile that catches a mutant for the right reason."""

    result: CaseResult
    finding: Finding


@frozen
class Hunted:
    """What became of one mutant. `astray` are findings that cite nothing the mutant violates."""

    mutant: Mutant
    kills: Sequence[Kill]
    astray: Sequence[Kill]
    played: int
    unusable: str = ""

    @property
    def caught(self) -> bool:
        """Whether at least one case catches it for the right reason."""
        return bool(self.kills)


async def hunt(
    mutants: Sequence[Mutant],
    cases: Sequence[Case],
    on_hunted: Callable[[Hunted], None],
    *,
    lanes: int = 2,
    patience: float = PATIENCE,
) -> tuple[Hunted, ...]:
    """Play against every mutant the cases about the requirements that it violates."""
    hunter = _Hunter(cases, on_hunted, patience, iter(mutants))
    async with anyio.create_task_group() as group:
        for _ in range(lanes):
            group.start_soon(hunter.work)
    return tuple(hunter.hunted[mutant.name] for mutant in mutants)


def vacuous(cases: Sequence[Case], hunted: Sequence[Hunted]) -> Iterator[Case]:
    """Yield the cases that catch no mutant at all."""
    useful = {kill.result.case.id for each in hunted for kill in each.kills}
    return (case for case in cases if case.id not in useful)


@define
class _Hunter:
    cases: Sequence[Case]
    on_hunted: Callable[[Hunted], None]
    patience: float
    queue: Iterator[Mutant]
    hunted: dict[str, Hunted] = field(factory=dict[str, Hunted])

    async def work(self) -> None:
        """Hunt one mutant after the other."""
        for mutant in self.queue:
            found = await self._hunt(mutant)
            self.hunted[mutant.name] = found
            self.on_hunted(found)

    async def _hunt(self, mutant: Mutant) -> Hunted:
        about = [case for case in self.cases if set(case.requires) & set(mutant.breaks)]
        command = (sys.executable, "-m", "conformance.drivers.mutant", mutant.name)
        plan = Plan(command=command, cases=about, patience=self.patience)
        try:
            outcome = await run(plan, lambda _: None)
        except DriverUnusable as error:
            return Hunted(mutant, (), (), 0, str(error))
        kills = [_kill(mutant, result) for result in outcome.results if _caught(result)]
        return Hunted(
            mutant,
            [kill for kill, right in kills if right],
            [kill for kill, right in kills if not right],
            len(outcome.results),
        )


def _caught(result: CaseResult) -> bool:
    return result.verdict in {Verdict.FAIL, Verdict.WARN, Verdict.INCONCLUSIVE}


def _kill(mutant: Mutant, result: CaseResult) -> tuple[Kill, bool]:
    """Return the best finding of a case that failed, and whether it is for the right reason."""
    for finding in result.findings:
        if not finding.inconclusive and set(finding.requires) & set(mutant.breaks):
            return Kill(result, finding), True
    return Kill(result, result.findings[0]), False


def by_requirement(hunted: Sequence[Hunted]) -> Mapping[str, Sequence[Hunted]]:
    """Return, for each requirement that a mutant violates, the mutants."""
    found: dict[str, list[Hunted]] = {}
    for each in hunted:
        for rule in each.mutant.breaks:
            found.setdefault(rule, []).append(each)
    return found
