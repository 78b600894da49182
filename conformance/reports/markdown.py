"""Render a run as GitHub Flavored Markdown, for the summary of a CI job.

Text from the client goes into code spans, where Markdown has no effect; all other text is escaped.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from conformance.plain import cut, one_line, shortened, visible
from conformance.reports.digest import (
    FAILING,
    Cause,
    causes,
    decisive,
    names_its_rule,
    rules_of,
)
from conformance.reports.published import addresses
from conformance.reports.summary import (
    UNRANKED,
    all_notes,
    counts,
    left_out,
    level,
    missing,
    who,
)
from conformance.strict_data import Json, Table
from mock_server.strict.shapes import count_of

_MOST: Final = 30
_MOST_NAMES: Final = 20
_LONGEST: Final = 300
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>()#+!|~&@$])")
_SIGNS: Final[Mapping[str, str]] = {
    "conforms": "✅",
    "conforms in part": "☑️",
    "conforms except for known failures": "☑️",
    "not judged in full": "⚠️",
    "nothing ran": "⏸️",
    "not declared by the driver": "⏸️",
}


def markdown(run: Mapping[str, Json]) -> str:
    """Return a summary in Markdown: the verdict per profile, then the failures."""
    return "\n".join(_lines(Table("run", run))) + "\n"


def _lines(run: Table) -> Iterator[str]:
    results = run.tables("results")
    profiles = run.tables("profiles")
    yield f"## Arkor conformance: {_prose(who(run))}"
    if said := missing(run):
        yield from ("", f"⚠️ **{_prose(said)}**")
    yield from ("", "| profile | verdict | MUST | SHOULD | cases |", "|---|---|---|---|---|")
    for profile in profiles:
        yield _row(profile)
    yield from _notes(run)
    failing = [result for result in results if result.text("verdict") in FAILING]
    grouped = causes(run)
    if failing:
        yield from ("", f"### {count_of(len(failing), 'verdict')} failed")
    for cause in grouped[:_MOST]:
        yield from _cause(cause, run)
    if len(grouped) > _MOST:
        yield from (
            "",
            f"… and {count_of(len(grouped) - _MOST, 'more cause')}; see the full report.",
        )
    seconds = f"{len(results)} verdicts in {run.number('seconds'):.1f} s"
    said = _prose(run.table("specification").text("said"))
    yield from ("", f"{seconds}, {_prose(run.table('time').text('said'))} · {said}")


def _row(profile: Table) -> str:
    name, rank = _prose(profile.text("name")), profile.text("rank")
    if rank == "not declared by the driver":
        return f"| {name} | {_SIGNS[rank]} {_prose(rank)} | - | - | - |"
    levels = ("-", "-") if rank in UNRANKED else (level(profile, "MUST"), level(profile, "SHOULD"))
    cells = [f"{_SIGNS.get(rank, '❌')} **{_prose(profile.text('verdict'))}**"]
    cells += [_prose(each) for each in (*levels, counts(profile))]
    return f"| {name} | {' | '.join(cells)} |"


def _notes(run: Table) -> Iterator[str]:
    lines = [*all_notes(run), *map(left_out, run.tables("not_applicable"))]
    shown = [*run.texts("notes"), *(cut(each, _LONGEST) for each in lines)]
    if shown:
        yield from ("", *(f"- {_prose(each)}" for each in shown))


def _cause(cause: Cause, run: Table) -> Iterator[str]:
    yield from ("", f"**{cause.number}. {_prose(cause.sentence)}**")
    for hint in cause.hints:
        yield from ("", _prose(hint))
    yield from _failure(cause.results[0], run)
    if others := cause.others(_MOST_NAMES, _code):
        yield from ("", others)
    yield from ("", "</details>")


def _failure(result: Table, run: Table) -> Iterator[str]:
    yield ""
    name = f"{result.text('case')}@{result.text('profile')}"
    yield f"<details><summary>{_prose(result.text('verdict'))}: <code>{_html(name)}</code></summary>"
    yield from ("", _prose(result.text("why")), "")
    rules, published = run.table("requirements"), addresses()
    for rule in rules_of(result):
        if rules.has(rule):
            table = rules.table(rule)
            named = f"**{_prose(rule)}**"
            named = f"[{named}]({published[rule]})" if rule in published else named
            yield f"- {named} {table.text('level')}: {_prose(table.text('text'))}"
    for finding in result.tables("findings"):
        if not names_its_rule(finding, result):
            yield f"- {_code(finding.text('assertion'))}"
        yield f"  - expected {_code(finding.text('expected'))}"
        yield f"  - actual {_code(finding.text('actual'))}"
    for settled in result.texts("operations"):
        yield f"- settled: {_code(settled)}"
    yield from _trace(result, run)
    if result.text("reason"):
        yield f"- {_code(result.text('reason'))}"
    yield f"- rerun it alone: {_code(result.text('rerun'), longest=4_000)}"


def _trace(result: Table, run: Table) -> Iterator[str]:
    """Yield the decisive lines in a code block; its fence is longer than any run of backticks."""
    lines = [f"{'>' if each.here else ' '} {each.text}" for each in decisive(result, run)]
    if lines:
        fence = "`" * max(3, _backticks("\n".join(lines)) + 1)
        yield from ("", f"{fence}text", *map(visible, lines), fence, "")


def _prose(text: str) -> str:
    """Escape all characters that Markdown would read as markup."""
    return _MARKUP.sub(r"\\\1", one_line(text))


def _html(text: str) -> str:
    """Escape text for use in HTML inside Markdown."""
    return "".join(c if c.isalnum() or c in " -.:" else f"&#{ord(c)};" for c in one_line(text))


def _code(text: str, *, longest: int = _LONGEST) -> str:
    """Return a code span whose fence is longer than any run of backticks in the text."""
    plain = shortened(one_line(text), longest)
    if not plain:
        return "(nothing)"
    fence = "`" * (_backticks(plain) + 1)
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain}{pad}{fence}"


def _backticks(text: str) -> int:
    """Return the length of the longest run of backticks in the text."""
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
