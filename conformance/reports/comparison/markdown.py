"""Write a comparison in GitHub Flavored Markdown, for a comment that CI posts."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from conformance.plain import one_line
from conformance.reports.comparison.contrast import Contrast, Row
from conformance.reports.comparison.sentences import (
    Section,
    basis,
    cell,
    count_of_cases,
    in_a_sentence,
    sections,
    step_in_a_line,
    worth_showing,
)
from mock_server.strict.shapes import count_of

_MOST_RULES: Final = 40
_MOST_CASES: Final = 40
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>()#+!|~&@$])")


def markdown(contrast: Contrast) -> str:
    """Return a comparison in Markdown: a summary, the verdicts, then rules and cases."""
    return "\n".join(_lines(contrast)) + "\n"


def _lines(contrast: Contrast) -> Iterator[str]:
    yield f"## {_escaped(in_a_sentence(contrast))}"
    if notes := [f"- ⚠️ {_escaped(note)}" for note in basis(contrast)]:
        yield from ("", *notes)
    if contrast.is_history and (steps := contrast.steps):
        yield from ("", *(f"- {_escaped(step_in_a_line(step))}" for step in steps))
    yield from ("", *_verdicts(contrast))
    rows = worth_showing(contrast)
    if rows:
        yield from ("", "### Rules", "", *_rules(contrast, rows[:_MOST_RULES]))
    if len(rows) > _MOST_RULES:
        yield from ("", f"… and {count_of(len(rows) - _MOST_RULES, 'more rule')}.")
    yield from ("", _escaped(count_of_cases(contrast)))
    for section in sections(contrast):
        yield from _section(section)


def _verdicts(contrast: Contrast) -> Iterator[str]:
    yield f"| run | {' | '.join(map(_escaped, contrast.profiles))} | MUST rules broken |"
    yield f"|---|{'---|' * len(contrast.profiles)}---|"
    for n, side in enumerate(contrast.sides):
        verdicts = [_escaped(side.profiles[name].verdict) for name in contrast.profiles]
        count = len(contrast.broken(n))
        yield f"| **{_escaped(side.name)}** | {' | '.join(verdicts)} | {count} |"


def _rules(contrast: Contrast, rows: Sequence[Row]) -> Iterator[str]:
    yield f"| rule | {' | '.join(_escaped(side.name) for side in contrast.sides)} |"
    yield f"|---|{'---|' * len(contrast.sides)}"
    for row in rows:
        level = contrast.rule(row.name).level
        cells = [
            "<br>".join(_escaped(str(part)) for part in cell(row, n)) for n in _places(contrast)
        ]
        yield f"| **{_escaped(row.name)}** {level} | {' | '.join(cells)} |"


def _places(contrast: Contrast) -> range:
    return range(len(contrast.sides))


def _section(section: Section) -> Iterator[str]:
    cases = [(rule, row.name) for rule, rows in section.cases.items() for row in rows]
    title = f"{section.title}: {count_of(section.count, 'case')}"
    yield from ("", f"<details><summary>{title}</summary>", "", section.explains, "")
    for rule, case in cases[:_MOST_CASES]:
        yield f"- {_escaped(case)}" + (f" ({_escaped(rule)})" if rule else "")
    if len(cases) > _MOST_CASES:
        yield f"- … and {count_of(len(cases) - _MOST_CASES, 'more case')}"
    yield from ("", "</details>")


def _escaped(text: str) -> str:
    """Escape everything that Markdown would read as markup."""
    return _MARKUP.sub(r"\\\1", one_line(text))
