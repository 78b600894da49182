"""`arkor-conformance mutants --backend`: check that the kit catches broken backends."""

from collections.abc import Sequence

import anyio
from rich.text import Text

from conformance.backends.broken import (
    BackendMatrix,
    BackendTrial,
    backend_matrix,
    benign_backends,
    broken_backends,
)
from conformance.backends.cases import backend_cases
from conformance.backends.declare import BackendCase
from conformance.backends.requirements import backend_requirements
from conformance.casefile.selection import select
from conformance.commands.by_name import named
from conformance.reports.screen import Page
from conformance.verdict.statuses import Exit
from mock_server.net.kernel import LOOP


def broken_backends_tried(
    names: Sequence[str],
    ids: Sequence[str],
    patterns: Sequence[str],
    lanes: int,
    *,
    enough: bool,
    everything: bool,
) -> int:
    """Try the broken backends with these names or in these families, or all of them by default."""
    requirements = backend_requirements()
    every = [*broken_backends(requirements), *benign_backends(requirements)]
    wanted = named(every, names)
    listing = "`arkor-conformance list --backend`"
    cases = select(tuple(backend_cases().values()), ids, patterns, listing)
    mutants = [each for each in wanted if each.breaks]
    if ids or patterns:
        mutants = [m for m in mutants if any(set(c.requires) & set(m.breaks) for c in cases)]
    benign = [each for each in wanted if not each.breaks]
    page = Page(highlight=False, soft_wrap=True)

    def tell(trial: BackendTrial) -> None:
        _tell(page, trial, everything=everything)

    async def judge() -> BackendMatrix:
        return await backend_matrix(mutants, benign, cases, tell, lanes=lanes, enough=enough)

    found = anyio.run(judge, backend_options=LOOP)
    idle: Sequence[BackendCase] = () if names else found.idle(cases)
    for case in idle:
        page.print(Text(f"{'IDLE':<9}{case.id} catches no mutant ({' '.join(case.requires)})"))
    page.print(
        f"{len(found.trials) - len(found.survivors)} of {len(found.trials)} broken backends caught "
        f"for the right reason; {len(found.controls) - len(found.blamed)} of {len(found.controls)} "
        f"benign ones pass; {found.seconds:.0f} s"
    )
    if names:
        page.print("only some mutants were tried, so cases that catch no mutant are not reported")
    else:
        page.print(f"{len(idle)} of {len(cases)} cases catch no mutant")
    return Exit.FAILED if found.survivors or found.blamed or idle else Exit.OK


def _tell(page: Page, trial: BackendTrial, *, everything: bool) -> None:
    name = trial.broken.name
    if not trial.broken.breaks:
        page.print(Text(f"{'sound' if trial.sound else 'BLAMED':<9}{name}"))
    elif trial.caught:
        first, rules = next(iter(trial.caught.items()))
        page.print(Text(f"{'caught':<9}{name}  by {first} ({' '.join(rules)})"))
        if everything:
            for case, cited in list(trial.caught.items())[1:]:
                page.print(Text(f"{'':<9}{case} ({' '.join(cited)})"))
    else:
        page.print(Text(f"{'SURVIVED':<9}{name} ({' '.join(trial.broken.breaks)})"))
        page.print(Text(f"{'':<9}{trial.broken.what}"))
        for case, why in trial.missed.items():
            page.print(Text(f"{'':<9}{case} was not judged: {why}"))
    if trial.problem:
        page.print(Text(f"{'':<9}{trial.problem}"))
    if not trial.caught:
        for case, why in trial.wrong.items():
            page.print(Text(f"{'':<9}{case} reports {why}"))
