"""The run for the summary of a CI job, and as a badge."""

import json
from collections.abc import Iterator, Mapping

from conformance.reading import Json, Table

_MOST = 50


def markdown(run: Mapping[str, Json]) -> str:
    """Return a summary in Markdown: the verdict per profile, then what fails."""
    return "\n".join(_lines(Table("run", run))) + "\n"


def badge(run: Mapping[str, Json]) -> str:
    """Return a badge in the shape that shields.io reads from an endpoint."""
    verdicts = {p.text("name"): p.text("verdict") for p in Table("run", run).tables("profiles")}
    good = [name for name, verdict in verdicts.items() if verdict.startswith("conforms")]
    message = f"conforms to {', '.join(good)}" if good else "does not conform"
    colour = "brightgreen" if len(good) == len(verdicts) else "orange" if good else "red"
    content = {"schemaVersion": 1, "label": "arkor", "message": message, "color": colour}
    return json.dumps(content) + "\n"


def _lines(run: Table) -> Iterator[str]:
    client = run.table("client")
    yield f"## Arkor conformance: {_cell(client.text('implementation'))} {client.text('version')}"
    yield ""
    yield "| profile | verdict | cases |"
    yield "|---|---|---|"
    for profile in run.tables("profiles"):
        counts = profile.table("counts").values
        said = ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
        yield f"| {profile.text('name')} | **{profile.text('verdict')}** | {said} |"
    failing = [r for r in run.tables("results") if r.text("verdict") in {"fail", "inconclusive"}]
    if failing:
        yield from ("", "| case | rules | expected | actual |", "|---|---|---|---|")
    for result in failing[:_MOST]:
        finding = result.tables("findings")[0]
        rules = " ".join(finding.texts("requires") or result.texts("requires"))
        name = f"`{result.text('case')}` ({result.text('profile')})"
        expected, actual = _cell(finding.text("expected")), _cell(finding.text("actual"))
        yield f"| {name} | {rules} | {expected} | {actual} |"
    if len(failing) > _MOST:
        yield f"\n… and {len(failing) - _MOST} more."


def _cell(text: str) -> str:
    """Keep a text within its cell."""
    plain = " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
    return plain.replace("<", "&lt;").replace("`", "\\`")
