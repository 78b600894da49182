"""Check that the kit cites only rules that a mutant really breaks.

The kill matrix checks that each mutant is caught. This module checks that none is blamed for a rule
that it keeps: a mutant plays one case of every template, and every rule that a failed case cites
must be one that the mutant breaks, or one that is listed as a consequence. Any other citation is
false.
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
    """Which rules the failed cases of one mutant cite, and which failures cite no rule."""

    mutant: Mutant
    rules: Mapping[str, Sequence[str]]
    unexplained: Sequence[str]
    played: int

    @property
    def false(self) -> Sequence[str]:
        """The cited rules that the mutant does not break, not even as a listed consequence."""
        own = {*self.mutant.breaks, *self.mutant.follows}
        return [rule for rule in self.rules if rule not in own]


async def citations(
    mutant: Mutant, cases: Sequence[Case], patience: float, lanes: int = 2
) -> Citations:
    """Return the rules that the kit cites against a mutant; raise DriverUnusable if it cannot run.

    The mutant plays one case of every template, each under the first of its profiles.
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
