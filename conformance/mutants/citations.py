"""Which rules the kit cites against a broken client, and whether it breaks them.

A kill asks whether a mutant is caught at all. This asks the opposite: a mutant plays every case
there is, and each rule that a failed case cites must be one that the mutant breaks, or one that
is named as a consequence of what it does. Anything else is a false accusation.
"""

from collections.abc import Mapping, Sequence

from attrs import frozen

from conformance.casefile.model import Case
from conformance.drivers import own
from conformance.mutants import Mutant
from conformance.runner.run import Plan, run
from conformance.verdict.result import CaseResult


@frozen
class Citations:
    """What one mutant was accused of: cases by rule, and the failures that no rule explains."""

    mutant: Mutant
    rules: Mapping[str, Sequence[str]]
    unexplained: Sequence[str]
    played: int

    @property
    def false(self) -> Sequence[str]:
        """The rules that were cited and that the mutant keeps."""
        own = {*self.mutant.breaks, *self.mutant.follows}
        return [rule for rule in self.rules if rule not in own]


async def citations(
    mutant: Mutant, cases: Sequence[Case], patience: float, lanes: int = 2
) -> Citations:
    """Gather what a mutant is accused of; raises DriverUnusable.

    It plays one case of every template, under the first of the profiles that the case has.
    """
    templates = {case.template: case.id for case in reversed(cases)}
    played = set[str]()

    def note(result: CaseResult) -> None:
        played.add(result.case.id)

    plan = Plan(
        command=own("mutants.driver", mutant.name),
        cases=[case for case in cases if case.id in templates.values()],
        patience=patience,
        lanes=lanes,
        strict=True,
        wanted=lambda case: case.id not in played,
    )
    outcome = await run(plan, note)
    cited: dict[str, list[str]] = {}
    unexplained: list[str] = []
    for result in outcome.results:
        for finding in result.findings:
            if not finding.requires:
                unexplained.append(f"{result.name}: {finding.actual}")
            for rule in finding.requires:
                cited.setdefault(rule, []).append(result.name)
    return Citations(mutant, cited, unexplained, len(outcome.results))
