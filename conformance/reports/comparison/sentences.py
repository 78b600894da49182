"""The sentences that all reports on a comparison share."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final

from attrs import frozen

from conformance.casefile.requirements import PROFILE_NAMES
from conformance.reports.comparison.contrast import (
    NOT_COUNTED,
    NOT_JUDGED,
    Change,
    Contrast,
    Row,
    changed,
)
from conformance.reports.comparison.sides import Side
from conformance.verdict.standing import Standing
from mock_server.strict.shapes import count_of

_MOST_NAMED: Final = 4
MARKS: Final[Mapping[str, str]] = {
    Standing.BROKEN.value: "✗",
    Standing.KNOWN.value: "✗",
    Standing.HOLDS.value: "✓",
    NOT_COUNTED: "!",
    NOT_JUDGED: "·",
    "pass": "✓",
    "warn": "!",
    "fail": "✗",
    "inconclusive": "✗",
    "error": "✗",
    "known-failure": "✗",
    "n/a": "·",
}
"""The symbol for each standing of a rule and each verdict on a case."""


@frozen
class Part:
    """One line of a cell: a result and, unless all profiles share it, the profiles that have it."""

    word: str
    severity: int | None
    profiles: tuple[str, ...]

    def __str__(self) -> str:
        """Return the line as text."""
        under = f" ({', '.join(self.profiles)})" if self.profiles else ""
        return f"{MARKS.get(self.word, '?')} {self.word}{under}"


def cell(row: Row, side: int) -> Sequence[Part]:
    """Return the lines of one cell, the worst result first."""
    found: dict[str, list[str]] = {}
    for profile, word in row.cells[side].items():
        found.setdefault(word, []).append(profile)
    levels = {word: row.severities[side][own[0]] for word, own in found.items()}
    parts = [
        Part(word, levels[word], tuple(own) if len(found) > 1 else ())
        for word, own in found.items()
    ]
    return sorted(
        parts, key=lambda part: -1 if part.severity is None else part.severity, reverse=True
    )


def worth_showing(contrast: Contrast) -> Sequence[Row]:
    """Return the rules that differ or are broken.

    Those that differ come before the others; in each group, the worst come first.
    """
    rows = [row for row in contrast.rules if row.differs or row.worst]
    return sorted(rows, key=lambda row: (not row.differs, -row.worst))


def basis(contrast: Contrast) -> Iterator[str]:
    """Yield notes on what is compared, and especially on what is left out."""
    sides = contrast.sides
    yield from (f"{side.name} is {side.partial}." for side in sides if side.partial)
    yield from _different(sides, "specification versions", [side.specification for side in sides])
    if len({side.cases for side in sides}) > 1:
        yield "The sets of cases differ, so a case may have changed even if its id is the same."
    left = [(side.name, contrast.only_in(side)) for side in sides]
    if any(number for _, number in left):
        others = [f"{number:,} of {name}" for name, number in left if number]
        kept = f"the {count_of(len(contrast.keys), 'verdict')} common to all runs"
        yield f"Compared: {kept}; left out: {_listed(others)}."
    for name in PROFILE_NAMES:
        without = [side.name for side in sides if name not in side.profiles]
        if without and len(without) < len(sides):
            yield f"Profile {name} is left out, because it was not judged for {_listed(without)}."
    yield from _different(sides, "kinds of time", [f"{side.time} time" for side in sides])
    strict = ["on" if side.strict else "off" for side in sides]
    yield from _different(sides, "settings of --strict", strict)
    yield from _different(sides, "versions of the kit", [side.kit for side in sides])


def _different(sides: Sequence[Side], what: str, values: Sequence[str]) -> Iterator[str]:
    """If a setting differs between sides, yield a note with each value and the sides that have it."""
    found: dict[str, list[str]] = {}
    for side, value in zip(sides, values, strict=True):
        found.setdefault(value, []).append(side.name)
    if len(found) > 1:
        each = [f"{value} for {_listed(names)}" for value, names in found.items()]
        yield f"The {what} differ: {'; '.join(each)}."


def _listed(parts: Sequence[str]) -> str:
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def in_a_sentence(contrast: Contrast) -> str:
    """Return the sentence that summarises the comparison."""
    return _of_a_history(contrast) if contrast.is_history else _side_by_side(contrast)


def _of_a_history(contrast: Contrast) -> str:
    first, last = contrast.sides[0], contrast.sides[-1]
    rows = contrast.whole.rules
    broke, fixed, still, found = (
        changed(rows, change) for change in (Change.BROKE, Change.FIXED, Change.STILL, Change.FOUND)
    )
    who = f"{first.client}, from {first.name} to {last.name}"
    parts = [f"{count_of(len(broke), 'MUST rule')} broke ({some(list(broke))})"] if broke else []
    if fixed:
        number = _number(fixed, parts)
        parts.append(f"{number} {'was' if len(fixed) == 1 else 'were'} fixed ({some(list(fixed))})")
    if found:
        was = "was" if len(found) == 1 else "were"
        parts.append(f"{_number(found, parts)} {_is(found)} broken but {was} not judged before")
    if still:
        parts.append(f"{_number(still, parts)} {_is(still)} still broken")
    if not broke and not fixed:
        parts = ["nothing broke", "nothing was fixed", *parts]
    if not broke and not fixed and not found and not still:
        return f"{who}: nothing broke, and no MUST rule is broken."
    return f"{who}: {_listed(parts)}."


def _number(names: Collection[str], parts: Sequence[str]) -> str:
    """Return how many rules there are; only the first part of a sentence says "MUST rules"."""
    return f"{len(names)}" if parts else count_of(len(names), "MUST rule")


def _is(names: Collection[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _side_by_side(contrast: Contrast) -> str:
    differ = sum(row.differs for row in contrast.rules)
    judged = count_of(len(contrast.rules), "rule")
    clients = f"{len(contrast.sides)} {contrast.judged}s, judged by {judged}"
    on = f"they differ on {differ}" if differ else "they do not differ"
    return f"{clients}: {on}. MUST rules: {_listed(list(_breaking(contrast)))}."


def _breaking(contrast: Contrast) -> Iterator[str]:
    """Yield how many MUST rules each side breaks.

    If there are many sides, include only those that break the fewest and the most.
    """
    counts = [(len(contrast.broken(n)), side.name) for n, side in enumerate(contrast.sides)]
    if len(counts) <= _MOST_NAMED:
        yield from (f"{name} breaks {number or 'none'}" for number, name in counts)
        return
    for number, word in ((min(counts)[0], "fewest"), (max(counts)[0], "most")):
        names = [name for count, name in counts if count == number]
        yield f"{some(names)} {'breaks' if len(names) == 1 else 'break'} the {word} ({number})"


def some(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def count_of_cases(contrast: Contrast) -> str:
    """Return a sentence that says how many cases changed or differ."""
    if not contrast.is_history:
        differ = sum(row.differs for row in contrast.cases)
        return f"{differ:,} of {count_of(len(contrast.cases), 'case')} had different results."
    rows = contrast.whole.cases
    counts = ((change, len(changed(rows, change))) for change in _COUNTED)
    parts = [f"{number:,} {_COUNTED[change]}" for change, number in counts if number]
    only = new_and_removed(contrast.whole)
    more = f" {only}." if only else ""
    noun = "case" if len(rows) == 1 else "cases"
    said = f": {', '.join(parts)}" if parts else ", none changed"
    return f"Of {len(rows):,} {noun}{said}.{more}"


_COUNTED: Final[Mapping[Change, str]] = {
    Change.BROKE: "broke",
    Change.FIXED: "fixed",
    Change.STILL: "still broken",
    Change.FOUND: "broken but not judged before",
    Change.LOST: "broken before but no longer judged",
    Change.WARNED: "with a new warning",
    Change.UNWARNED: "no longer causing a warning",
}


def new_and_removed(step: Contrast) -> str:
    """Return a phrase that says how many cases were added or removed; empty if none were."""
    before, after = ({case for case, _ in side.verdicts} for side in step.sides)
    parts = [
        f"{count_of(len(found), 'case')} {word}"
        for found, word in ((after - before, "added"), (before - after, "removed"))
        if found
    ]
    return _listed(parts)


def step_in_a_line(step: Contrast) -> str:
    """Return a line about the changes from one run to the next."""
    first, last = step.sides
    parts: list[str] = []
    for change, word in ((Change.BROKE, "broke"), (Change.FIXED, "fixed")):
        rules, cases = changed(step.rules, change), changed(step.cases, change)
        if rules or cases:
            named = f" ({some(list(rules))})" if rules else ""
            parts.append(
                f"{word} {count_of(len(rules), 'MUST rule')}{named}, {count_of(len(cases), 'case')}"
            )
    parts += [said] if (said := new_and_removed(step)) else []
    return f"{first.name} → {last.name}: {'; '.join(parts) or 'nothing broke, nothing was fixed'}"


@frozen
class Section:
    """Cases under one heading, grouped by the first rule that each of them cites."""

    title: str
    explains: str
    cases: Mapping[str, Sequence[Row]]

    @property
    def count(self) -> int:
        """The number of cases in the section."""
        return sum(map(len, self.cases.values()))


def sections(contrast: Contrast) -> Iterator[Section]:
    """Yield the cases that differ as one section or, in a history, one for each kind of change."""
    if not contrast.is_history:
        rows = [row for row in contrast.cases if row.differs]
        if rows:
            said = f"The results of these cases are not the same for all {contrast.judged}s."
            yield Section(
                f"Cases where the {contrast.judged}s differ", said, _by_rule(contrast, rows)
            )
        return
    whole = contrast.whole
    for change, (title, said) in _TITLES.items():
        rows = [row for row in whole.cases if change in row.changes()]
        if rows:
            yield Section(title, said, _by_rule(whole, rows))


_TITLES: Final[Mapping[Change, tuple[str, str]]] = {
    Change.BROKE: ("Broke", "Passed in the first run and failed in the last."),
    Change.FOUND: (
        "Broken, but not judged before",
        "Failed in the last run and was not judged in the first.",
    ),
    Change.FIXED: ("Fixed", "Failed in the first run and passed in the last."),
    Change.STILL: ("Still broken", "Failed in both the first run and the last."),
    Change.LOST: ("No longer judged", "Failed in the first run and was not judged in the last."),
    Change.WARNED: ("New warnings", "Now breaks a rule whose violation does not make a run fail."),
    Change.UNWARNED: ("Former warnings", "No longer breaks the rule that caused the warning."),
}


def _by_rule(contrast: Contrast, rows: Sequence[Row]) -> Mapping[str, Sequence[Row]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(_rule_of(contrast, row), []).append(row)
    order = {rule.name: n for n, rule in enumerate(contrast.rules)}
    return dict(sorted(found.items(), key=lambda item: order.get(item[0], len(order))))


def _rule_of(contrast: Contrast, row: Row) -> str:
    """Return the first rule that a case cites, in the last run in which it cites any."""
    for side in reversed(contrast.sides):
        for profile in row.cells[0]:
            if cited := side.verdicts[row.name, profile].cited:
                return cited[0]
    return ""


def findings(contrast: Contrast, row: Row) -> Iterator[tuple[str, str, tuple[str, str, str]]]:
    """Yield each run's first finding for a case, with the name of the run and of the profile."""
    for side in contrast.sides:
        for profile in row.cells[0]:
            finding = side.verdicts[row.name, profile].finding
            if finding is not None:
                yield side.name, profile, finding
                break
