"""`arkor-conformance mutants`: judge the kit with broken clients."""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from random import Random
from typing import Final

import anyio
import click
from attrs import define
from rich.table import Table
from rich.text import Text

from conformance.casefile.attached import is_attachable
from conformance.casefile.loader import load_cases
from conformance.casefile.model import Case
from conformance.casefile.requirements import load_requirements
from conformance.casefile.selection import select
from conformance.casefile.shards import WHOLE, Shard
from conformance.commands import options
from conformance.commands.by_name import named
from conformance.commands.explaining import explain
from conformance.drive.process import DriverUnusable
from conformance.mutants import Mutant, all_mutants
from conformance.mutants.citations import citations
from conformance.mutants.explanations import drawn_pairs
from conformance.mutants.kill_matrix import (
    PATIENCE,
    Control,
    Kill,
    KillMatrix,
    Trial,
    about,
    kill_matrix,
)
from conformance.plain import say
from conformance.reports.screen import Page
from conformance.strict_data import UsageError
from conformance.verdict.statuses import Exit
from mock_server.net.kernel import LOOP
from mock_server.strict.shapes import count_of

_MOST_FAILURES: Final = 3


@click.command()
@click.option(
    "--mutant",
    "names",
    multiple=True,
    metavar="NAME",
    show_default="all",
    help="Only this mutant or family of mutants; may be repeated.",
)
@options.case_ids
@options.patterns
@options.shard(
    "Split the mutants by name into N parts and play only part I; do not report cases "
    "that catch no mutant."
)
@options.lanes("mutants", 2)
@options.patience(PATIENCE)
@click.option("--list", "only_list", is_flag=True, help="Only list the mutants.")
@click.option(
    "--cited",
    "cited",
    is_flag=True,
    help="Play one case of each template with each mutant; show which rules are cited wrongly.",
)
@click.option(
    "--draw",
    type=options.COUNT,
    metavar="N",
    show_default="all",
    help="With --cited or --causes: play only N mutants, chosen at random (see --seed).",
)
@click.option(
    "--causes",
    "explained",
    is_flag=True,
    help="Play one case of each template with each mutant; show whether the first cause listed "
    "is right.",
)
@click.option(
    "--pairs",
    type=options.COUNT,
    metavar="N",
    show_default="single mutants",
    help="With --causes: judge N clients with two faults each, chosen at random (see --seed).",
)
@options.seed
@click.option(
    "--enough",
    is_flag=True,
    help="Play only until each mutant is caught and each case has caught a mutant.",
)
@click.option(
    "--attached",
    is_flag=True,
    help="Play only cases that can start from an existing job, and start them from one.",
)
@click.option(
    "--backend",
    "of_backends",
    is_flag=True,
    help="Use broken backends instead of broken clients.",
)
@click.option("--all", "everything", is_flag=True, help="Show every case that catches a mutant.")
def command(  # noqa: PLR0911 - one per way to judge the kit
    *,
    names: Sequence[str],
    ids: Sequence[str],
    patterns: Sequence[str],
    shard: Shard | None,
    lanes: int,
    patience: float,
    only_list: bool,
    cited: bool,
    draw: int | None,
    explained: bool,
    pairs: int | None,
    seed: int,
    enough: bool,
    attached: bool,
    everything: bool,
    of_backends: bool,
) -> int:
    """Judge the kit: it must catch each broken client and cite a rule that the client breaks.

    A broken client is called a mutant. The exit status is 1 if a mutant survives, if a case catches
    no mutant, or if the reference client fails under the same conditions.

    \b
    example:
      arkor-conformance mutants --mutant resume -j 4
    """  # noqa: D301 - \b is click's mark for lines to keep
    if of_backends:
        from conformance.commands.backend_mutants import (  # noqa: PLC0415 - loads every backend case
            broken_backends_tried,
        )

        return broken_backends_tried(
            names, ids, patterns, lanes, enough=enough, everything=everything
        )
    _check(cited=cited, explained=explained, draw=draw, pairs=pairs)
    mutants = named(all_mutants(), names)
    ours = shard or WHOLE
    mine = ours.part(mutants, lambda mutant: mutant.name)
    if not mine:
        say(f"arkor-conformance: {shard} has none of the mutants, so nothing was judged", err=True)
        return Exit.NOTHING_RAN
    page = _Page(Page(highlight=False, soft_wrap=True), everything=everything)
    if only_list:
        return page.list_of(mine)
    cases = select(load_cases(load_requirements()), ids, patterns)
    if attached:
        cases = tuple(case for case in cases if is_attachable(case))
        mutants = [mutant for mutant in mutants if about(mutant, cases)]
        mine = tuple(mutant for mutant in mine if about(mutant, cases))
    if explained:
        clients = _clients(mutants, draw, pairs, seed)
        chosen = ours.part(clients, lambda each: " ".join(mutant.name for mutant in each))
        if not chosen:
            say(
                f"arkor-conformance: {ours} has none of these clients, so nothing was judged",
                err=True,
            )
            return Exit.NOTHING_RAN
        explaining = partial(explain, page.console, chosen, cases, patience, lanes)
        return _judged(explaining)
    if cited:
        cites = ours.part(_drawn(mutants, draw, seed), lambda mutant: mutant.name)
        return _judged(partial(page.citations, cites, cases, patience, lanes))
    if ids or patterns:
        mine = tuple(mutant for mutant in mine if about(mutant, cases))

    async def judge() -> KillMatrix:
        return await kill_matrix(
            mine,
            cases,
            page.tell,
            lanes=lanes,
            patience=patience,
            enough=enough,
            attached=attached,
        )

    found = anyio.run(judge, backend_options=LOOP)
    idle = None if names or shard is not None else list(found.idle(cases))
    page.sum_up(found, cases, idle)
    failed = found.survivors or idle or not all(control.passed for control in found.controls)
    return Exit.FAILED if failed else Exit.OK


def _judged(judge: Callable[[], Awaitable[int]]) -> int:
    try:
        return anyio.run(judge, backend_options=LOOP)
    except DriverUnusable as error:
        say(f"arkor-conformance: no verdict: the kit's own client {error}", err=True)
        return Exit.UNUSABLE


def _check(*, cited: bool, explained: bool, draw: int | None, pairs: int | None) -> None:
    """Raise UsageError if these options cannot be combined."""
    if cited and explained:
        raise UsageError("--causes", "cannot be combined with --cited")
    if pairs is not None and not explained:
        raise UsageError("--pairs", "needs --causes")
    if draw is not None and pairs is not None:
        raise UsageError("--draw", "cannot be combined with --pairs")
    if draw is not None and not (cited or explained):
        raise UsageError("--draw", "needs --cited or --causes")


def _clients(
    mutants: Sequence[Mutant], draw: int | None, pairs: int | None, seed: int
) -> Sequence[tuple[Mutant, ...]]:
    """Return the clients that `--causes` must explain: single mutants, or pairs of them."""
    if pairs is None:
        return [(each,) for each in _drawn(mutants, draw, seed)]
    if drawn := drawn_pairs(mutants, pairs, seed):
        return drawn
    raise UsageError("--pairs", "no two of these mutants break different rules")


def _drawn(mutants: Sequence[Mutant], number: int | None, seed: int) -> Sequence[Mutant]:
    """Return `number` mutants chosen at random, or all, in order, if `number` is None."""
    if number is None or number >= len(mutants):
        return mutants
    return Random(seed).sample(mutants, number)  # noqa: S311 - a sample, not a secret


@define
class _Page:
    console: Page
    everything: bool

    def list_of(self, mutants: Sequence[Mutant]) -> int:
        """Print the mutants."""
        for mutant in mutants:
            self.console.print(f"{mutant.name}  {' '.join(mutant.breaks)}\n    {mutant.what}")
        return Exit.OK

    def tell(self, found: Trial | Control) -> None:
        """Print the result of a mutant, or of the reference client under the same conditions."""
        if isinstance(found, Control):
            self._control(found)
        elif found.caught:
            self._caught(found)
        else:
            self._survivor(found)

    def sum_up(self, found: KillMatrix, cases: Sequence[Case], idle: Sequence[Case] | None) -> None:
        """Print the survivors, idle cases and failed controls, and then the totals."""
        for each in found.survivors:
            self._survivor(each)
        for case in idle or ():
            rules = " ".join(case.requires)
            self._line("IDLE", f"{case.id} catches no mutant ({rules})")
        for control in found.controls:
            if not control.passed:
                self._control(control)
        self.console.print(_families(found, cases, idle))
        played = sum(each.played for each in found.trials)
        checked = sum(each.played for each in found.controls)
        caught = len(found.trials) - len(found.survivors)
        self.console.print(
            f"{caught} of {len(found.trials)} mutants caught for the right reason; "
            f"{played} cases played, plus {checked} with the reference, in {found.seconds:.0f} s"
        )
        if found.again and idle is not None:
            self.console.print(
                f"cases played again because they had caught no mutant: {len(found.again)}"
            )
        if idle is None:
            self.console.print(
                "only some mutants were tried, so cases that catch no mutant are not reported"
            )
        else:
            self.console.print(f"{len(idle)} of {len(cases)} cases catch no mutant")

    async def citations(
        self, mutants: Sequence[Mutant], cases: Sequence[Case], patience: float, lanes: int
    ) -> int:
        """Print the rules cited for each mutant.

        Return FAILED if a finding cites no rule, or one that the mutant obeys.
        """
        wrong = 0
        for mutant in mutants:
            found = await citations(mutant, cases, patience, lanes)
            wrong += bool(found.false or found.unexplained)
            self._line("CITED" if found.false or found.unexplained else "cited", mutant.name)
            for rule, names in found.rules.items():
                about = "breaks it" if rule in mutant.breaks else "follows"
                about = "FALSE" if rule in found.false else about
                first = f"{names[0]}" if about == "FALSE" else ""
                self._line("", f"{rule:<12} {len(names):>4} cases  {about}  {first}".rstrip())
            for each in found.unexplained:
                self._line("", f"unexplained: {each}")
        self.console.print(
            f"mutants with only correct citations: {len(mutants) - wrong} of {len(mutants)}"
        )
        return Exit.FAILED if wrong else Exit.OK

    def _line(self, head: str, text: str) -> None:
        """Print one line that begins with `head`, which is in capitals for a failure."""
        style = "bold red" if head.isupper() else "green"
        self.console.print(Text.assemble((f"{head:<10}", style), text))

    def _caught(self, found: Trial) -> None:
        cases = {kill.result.case.id for kill in found.kills}
        self._line("caught", f"{found.mutant.name}  breaks {' '.join(found.mutant.breaks)}")
        shown = found.kills if self.everything else found.kills[:1]
        for kill in shown:
            self._line("", f"by {_words(kill)}")
        if rest := len(cases) - len(shown):
            self._line("", f"and by {count_of(rest, 'more case')}")

    def _survivor(self, found: Trial) -> None:
        self._line("SURVIVES", f"{found.mutant.name}  breaks {' '.join(found.mutant.breaks)}")
        self._line(
            "",
            found.unusable
            or f"not caught; {count_of(found.played, 'case')} played for these rules",
        )
        for kill in found.wrong_reason[:1]:
            self._line("", f"wrong reason: {_words(kill)}: {kill.finding.actual}")

    def _control(self, control: Control) -> None:
        if control.unusable:
            self._line("CONTROL", f"the reference, in {control.family}: {control.unusable}")
        elif control.passed:
            self._line(
                "control",
                f"the reference passes {count_of(control.played, 'case')} in {control.family}",
            )
        for result in control.failed[:_MOST_FAILURES]:
            actual = result.findings[0].actual if result.findings else result.reason
            self._line("CONTROL", f"the reference fails {result.name}: {actual}")
        if (rest := len(control.failed) - _MOST_FAILURES) > 0:
            self._line("", f"and {rest} more of the {control.played} cases played")


def _words(kill: Kill) -> str:
    rules = " ".join(kill.finding.requires)
    return f"{kill.result.name} · {kill.finding.assertion} · {rules}"


def _families(found: KillMatrix, cases: Sequence[Case], idle: Sequence[Case] | None) -> Table:
    mutants = Counter(each.mutant.family for each in found.trials)
    caught = Counter(each.mutant.family for each in found.trials if each.caught)
    counted = Counter(case.family for case in cases if idle is not None)
    lazy = Counter(case.family for case in idle or ())
    table = Table(box=None, pad_edge=False)
    for name in ("family", "mutants", "caught", "cases", "idle"):
        table.add_column(name, justify="left" if name == "family" else "right")
    for family in dict.fromkeys((*mutants, *counted)):
        wrong = mutants[family] > caught[family] or lazy[family]
        numbers = (mutants[family], caught[family], counted[family], lazy[family])
        shown = ("" if number == 0 else str(number) for number in numbers)
        table.add_row(Text(family, style="red" if wrong else ""), *shown)
    return table
