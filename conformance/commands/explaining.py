"""`arkor-conformance mutants --causes`: check that the causes found for a mutant name its fault."""

from collections.abc import Sequence
from itertools import starmap
from typing import Final

from rich.text import Text

from conformance.casefile.loader import load_cases
from conformance.casefile.model import Case
from conformance.casefile.requirements import load_requirements
from conformance.diagnosis.causes import Cause
from conformance.mutants import Mutant
from conformance.mutants.explanations import Explainer, Explanation, one_of_each_template
from conformance.reports.screen import Page
from conformance.verdict.statuses import Exit
from mock_server.strict.shapes import count_of

_SHOWN: Final = 4


async def explain(
    page: Page,
    chosen: Sequence[tuple[Mutant, ...]],
    cases: Sequence[Case],
    patience: float,
    lanes: int,
) -> int:
    """Print the causes found for each broken client, and how often they are right.

    Return FAILED if the first cause found for a client with one fault does not name that fault or
    has a wrong hint, or if a client that shows two faults does not get a cause for each.
    """
    requirements = load_requirements()
    templates = {case.template for case in cases}
    # The record needs all cases, since a template's place among them decides its profile.
    plays = [c for c in one_of_each_template(load_cases(requirements)) if c.template in templates]
    explainer = await Explainer.prepared(plays, requirements, patience, lanes)
    found: list[Explanation] = []
    for mutants in chosen:
        explanation = await explainer.explain(*mutants)
        found.append(explanation)
        _tell(page, explanation)
    if any(each.faults for each in found):
        return _sum_up_pairs(page, found)
    right = sum(each.right for each in found)
    page.print(f"{right} of {len(found)} explained correctly")
    hints = [each.hint for each in found]
    counted = ", ".join(f"{word} {hints.count(word)}" for word in ("right", "unknown", "wrong"))
    page.print(f"hints (each names the most similar other broken client): {counted}")
    return Exit.OK if right == len(found) and "wrong" not in hints else Exit.FAILED


def _sum_up_pairs(page: Page, found: Sequence[Explanation]) -> int:
    """Print how many pairs show both faults, how many are explained, and why others are not."""
    reached = [each for each in found if each.reached]
    explained = sum(each.right for each in reached)
    for each in found:
        if why := each.why():
            page.print(Text(f"{_named(each)}: {why}"))
    both = f", and both causes are listed in {explained} of these" if reached else ""
    page.print(
        f"{count_of(len(found), 'pair')} played; both faults were reached in {len(reached)}{both}"
    )
    return Exit.OK if explained == len(reached) else Exit.FAILED


def _named(found: Explanation) -> str:
    return " + ".join(each.name for each in found.mutants)


def _tell(page: Page, found: Explanation) -> None:
    head, style = ("right", "green") if found.right else ("WRONG", "bold red")
    if not found.reached:
        head, style = "hidden", "dim"
    for each in found.mutants:
        page.print(Text.assemble((f"{head:<8}", style), f"{each.name}  {' '.join(each.breaks)}"))
        page.print(Text(f"        {each.what}", style="dim"))
        head = ""
    for line in starmap(_line, enumerate(found.causes[:_SHOWN], 1)):
        page.print(Text(f"        {line}"))
    if (more := len(found.causes) - _SHOWN) > 0:
        page.print(Text(f"        and {more} more"))


def _line(number: int, cause: Cause) -> str:
    begins, like = cause.begins, cause.resembles
    when = f"{begins.occasion}, " if begins.occasion else ""
    hint = f"; like {like.name}" if like is not None else ""
    count = f"{cause.alike} of {len(cause.failures)}"
    return f"{number}. {cause.rule or 'no rule'} ({count}): {when}the client {begins.said}{hint}"
