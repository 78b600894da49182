"""The run for the summary of a CI job, and as a badge.

It knows Markdown as GitHub reads it. Whatever a client said stands in code spans, where nothing is
markup; every other text is escaped.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from conformance.reading import Json, Table
from conformance.reports.plain import one_line, shortened

_MOST: Final = 50
_LONGEST: Final = 300
_MARKUP: Final = re.compile(r"([\\`*_{}\[\]<>()#+!|~&@$])")
_FAILING: Final = ("fail", "inconclusive", "error")
_SIGNS: Final[Mapping[str, str]] = {
    "conforms": "✅",
    "conforms but for known failures": "☑️",
    "nothing ran": "⏸️",
}


def markdown(run: Mapping[str, Json]) -> str:
    """Return a summary in Markdown: the verdict per profile, then what fails."""
    return "\n".join(_lines(Table("run", run))) + "\n"


def badge(run: Mapping[str, Json]) -> str:
    """Return a badge in the shape that shields.io reads from an endpoint."""
    judged = {
        profile.text("name"): profile.text("verdict")
        for profile in Table("run", run).tables("profiles")
        if profile.text("verdict") != "nothing ran"
    }
    good = [name for name, verdict in judged.items() if verdict.startswith("conforms")]
    message = f"conforms to {', '.join(good)}" if good else "does not conform"
    colour = "brightgreen" if len(good) == len(judged) else "orange" if good else "red"
    if not judged:
        message, colour = "not judged", "lightgrey"
    content = {"schemaVersion": 1, "label": "arkor", "message": message, "color": colour}
    return json.dumps(content) + "\n"


def _lines(run: Table) -> Iterator[str]:
    client = run.table("client")
    results = run.tables("results")
    name = _prose(f"{client.text('implementation')} {client.text('version')}")
    yield f"## Arkor conformance: {name}"
    yield from ("", "| profile | verdict | cases |", "|---|---|---|")
    for profile in run.tables("profiles"):
        counts = profile.table("counts").values
        verdict = profile.text("verdict")
        said = ", ".join(f"{count} {_prose(word)}" for word, count in counts.items())
        sign = _SIGNS.get(verdict, "❌")
        yield f"| {_prose(profile.text('name'))} | {sign} **{_prose(verdict)}** | {said} |"
    failing = [result for result in results if result.text("verdict") in _FAILING]
    if failing:
        yield from ("", f"### {len(failing)} verdicts fail")
    for result in failing[:_MOST]:
        yield from _failure(result, run.table("requirements"))
    if len(failing) > _MOST:
        yield from ("", f"… and {len(failing) - _MOST} more, in the report.")
    yield from ("", f"{len(results)} verdicts in {run.number('seconds'):.1f} s")


def _failure(result: Table, rules: Table) -> Iterator[str]:
    yield ""
    name = f"{result.text('case')}@{result.text('profile')}"
    yield f"<details><summary>{_prose(result.text('verdict'))}: <code>{_html(name)}</code></summary>"
    yield from ("", _prose(result.text("why")), "")
    for rule in _cited(result):
        if rules.has(rule):
            table = rules.table(rule)
            yield f"- **{_prose(rule)}** {table.text('level')}: {_prose(table.text('text'))}"
    for finding in result.tables("findings"):
        yield f"- {_code(finding.text('assertion'))}"
        yield f"  - expected {_code(finding.text('expected'))}"
        yield f"  - actual {_code(finding.text('actual'))}"
    if result.text("reason"):
        yield f"- {_code(result.text('reason'))}"
    yield f"- rerun it alone: {_code(result.text('rerun'), longest=4_000)}"
    yield from ("", "</details>")


def _cited(result: Table) -> Sequence[str]:
    cited = {rule for finding in result.tables("findings") for rule in finding.texts("requires")}
    return sorted(cited) or result.texts("requires")


def _prose(text: str) -> str:
    """Escape what Markdown would read as markup."""
    return _MARKUP.sub(r"\\\1", one_line(text))


def _html(text: str) -> str:
    """Escape for HTML within Markdown, and for the Markdown within that HTML."""
    return "".join(c if c.isalnum() or c in " -.:" else f"&#{ord(c)};" for c in one_line(text))


def _code(text: str, *, longest: int = _LONGEST) -> str:
    """Return a code span, fenced by more backticks than the text has in a row."""
    plain = shortened(one_line(text), longest)
    if not plain:
        return "(nothing)"
    fence = "`" * (max((len(run) for run in re.findall(r"`+", plain)), default=0) + 1)
    pad = " " if plain.startswith("`") or plain.endswith("`") else ""
    return f"{fence}{pad}{plain}{pad}{fence}"
