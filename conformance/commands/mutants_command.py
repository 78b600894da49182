"""`arkor-conformance mutants`: judge the kit by broken clients."""

from collections.abc import Sequence

import anyio
import click
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from conformance.hunt import PATIENCE, Hunted, hunt, vacuous
from conformance.loader import load_cases
from conformance.mutants import all_mutants
from conformance.reading import ReadingError, nearest
from conformance.selection import select
from conformance.specification import load_requirements
from conformance.verdict_words import Exit


@click.command()
@click.option("--mutant", "names", multiple=True, help="Only this one, or this family.")
@click.option("--case", "ids", multiple=True, help="Only with this case (or template).")
@click.option("--filter", "patterns", multiple=True, help="Only with cases that match.")
@click.option("-j", "--lanes", default=2, type=click.IntRange(1, 64), help="Mutants at once.")
@click.option("--patience", default=PATIENCE, type=click.FloatRange(0.05, 3600))
@click.option("--list", "only_list", is_flag=True, help="Only list the mutants.")
def command(
    *,
    names: Sequence[str],
    ids: Sequence[str],
    patterns: Sequence[str],
    lanes: int,
    patience: float,
    only_list: bool,
) -> int:
    """Judge the kit: every broken client must be caught, by a rule that it breaks."""
    mutants = [m for m in all_mutants() if not names or {m.name, m.family} & set(names)]
    if not mutants:
        known = nearest(names[0], [mutant.name for mutant in all_mutants()])
        raise ReadingError(f"mutant {names[0]}", f"there is none of this name; {known}")
    console = Console(highlight=False)
    if only_list:
        for mutant in mutants:
            console.print(f"{mutant.name}  {' '.join(mutant.breaks)}\n    {mutant.what}")
        return Exit.OK
    cases = select(load_cases(load_requirements()), ids, patterns)

    async def judge() -> Sequence[Hunted]:
        return await hunt(
            mutants,
            cases,
            lambda found: console.print(_line(found)),
            lanes=lanes,
            patience=patience,
        )

    hunted = anyio.run(judge)
    survivors = [each for each in hunted if not each.caught]
    idle = [] if names or ids or patterns else list(vacuous(cases, hunted))
    for case in idle:
        console.print(f"vacuous: {case.id} catches no mutant ({' '.join(case.requires)})")
    console.print(
        f"{len(hunted) - len(survivors)} of {len(hunted)} mutants caught for the right reason, "
        f"{len(idle)} cases catch none"
    )
    return Exit.FAILED if survivors or idle else Exit.OK


def _line(found: Hunted) -> RenderableType:
    table = Table.grid(padding=(0, 2))
    table.add_column(width=9)
    table.add_column(width=58)
    if found.caught:
        kill = found.kills[0]
        by = f"{kill.result.name} · {kill.finding.assertion} · {' '.join(kill.finding.requires)}"
        verdict = Text("caught", style="green")
        more = f" (and {len(found.kills) - 1} more)" if len(found.kills) > 1 else ""
        table.add_row(verdict, found.mutant.name, by + more)
        return table
    why = found.unusable or f"{found.played} cases played"
    if found.astray:
        kill = found.astray[0]
        why += f"; astray: {kill.result.name} · {kill.finding.assertion}: {kill.finding.actual}"
    table.add_row(Text("SURVIVES", style="bold red"), found.mutant.name, why)
    return table
