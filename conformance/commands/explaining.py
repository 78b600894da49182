"""`arkor-conformance mutants --causes`: whether the report names what is wrong with a broken client."""

from collections.abc import Sequence
from itertools import starmap
from typing import Final

from rich.text import Text

from conformance.casefile.model import Case
from conformance.casefile.requirements import load_requirements
from conformance.diagnosis.causes import Cause
from conformance.mutants import Mutant
from conformance.mutants.explanations import Explainer, Explanation
from conformance.reports.screen import Page
from conformance.verdict.statuses import Exit

_SHOWN: Final = 4


async def explain(
    page: Page,
    chosen: Sequence[tuple[Mutant, ...]],
    cases: Sequence[Case],
    patience: float,
    lanes: int,
) -> int:
    """Print the causes that are found for each broken client, and how often they are right.

    The status is FAILED if the first cause of a client with one fault is not that fault, if one of
    two faults is not listed, or if a hint is wrong.
    """
    explainer = await Explainer.prepared(cases, load_requirements(), patience, lanes)
    found: list[Explanation] = []
    for mutants in chosen:
        explanation = await explainer.explain(*mutants)
        found.append(explanation)
        _tell(page, explanation)
    right = sum(each.right for each in found)
    page.print(f"{right} of {len(found)} explained correctly")
    hints = [each.hint for each in found if len(each.mutants) == 1]
    if hints:
        counted = ", ".join(f"{word} {hints.count(word)}" for word in ("right", "unknown", "wrong"))
        page.print(f"hints (the most similar other broken client): {counted}")
    return Exit.OK if right == len(found) and "wrong" not in hints else Exit.FAILED


def _tell(page: Page, found: Explanation) -> None:
    head, style = ("right", "green") if found.right else ("WRONG", "bold red")
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
