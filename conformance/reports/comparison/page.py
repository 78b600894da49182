"""Write a comparison as one HTML page that needs neither a network nor other files.

It uses the same colours as a run's page. Everything is visible without JavaScript, which only
switches between a light and a dark theme.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import frozen

from conformance.reports.comparison.contrast import Change, Contrast, Row, changed
from conformance.reports.comparison.sentences import (
    MARKS,
    Part,
    Section,
    basis,
    cell,
    count_of_cases,
    findings,
    in_a_sentence,
    sections,
    worth_showing,
)
from conformance.reports.standalone import rendered

_HERE: Final = Path(__file__).parent
_COLOURS: Final = _HERE.parent / "page" / "page.css"


@frozen
class _Step:
    """What changed from one run to the next."""

    before: str
    after: str
    broke: str
    fixed: str
    cases: str


@frozen
class _Case:
    """The results and findings of one case in each of the runs that are compared."""

    name: str
    own: list[tuple[str, list[Part]]]
    found: list[tuple[str, str, tuple[str, str, str]]]


def page(contrast: Contrast) -> str:
    """Return the HTML page, in which all text from the runs is escaped."""
    rows = worth_showing(contrast)
    shown = {row.name for row in rows}
    return rendered(
        "comparison/page.html",
        _COLOURS.read_text("utf-8") + (_HERE / "page.css").read_text("utf-8"),
        contrast=contrast,
        sentence=in_a_sentence(contrast),
        notes=list(basis(contrast)),
        steps=list(_steps(contrast)),
        rows=[(contrast.rule(row.name), _cells(contrast, row)) for row in rows],
        same=[row.name for row in contrast.rules if row.name not in shown],
        cases=count_of_cases(contrast),
        sections=[(each, _cases(contrast, each)) for each in sections(contrast)],
        tone=_tone,
        marks=MARKS,
    )


def _cells(contrast: Contrast, row: Row) -> list[tuple[str, list[Part]]]:
    return [(side.name, list(cell(row, n))) for n, side in enumerate(contrast.sides)]


def _cases(contrast: Contrast, section: Section) -> list[tuple[str, list[_Case]]]:
    """Return the cases of a section, grouped by the first rule that each case cites."""
    shared = {row.name: row for row in contrast.cases}

    def case(row: Row) -> _Case:
        known = shared.get(row.name)
        basis_of = contrast if known is not None else contrast.whole
        own = known or row
        return _Case(row.name, _cells(basis_of, own), list(findings(basis_of, own)))

    return [(rule, [case(row) for row in rows]) for rule, rows in section.cases.items()]


def _steps(contrast: Contrast) -> Iterator[_Step]:
    for step in contrast.steps if contrast.is_history else ():
        first, last = step.sides
        broke, fixed = (changed(step.rules, each) for each in (Change.BROKE, Change.FIXED))
        named = (", ".join(broke), ", ".join(fixed))
        yield _Step(first.name, last.name, *named, count_of_cases(step))


def _tone(severity: int | None) -> str:
    """Return the CSS class for a severity."""
    match severity:
        case 2:
            return "fail"
        case 1:
            return "warn"
        case 0:
            return "pass"
        case _:
            return "na"
