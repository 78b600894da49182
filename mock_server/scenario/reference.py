"""Generate the catalogue of scenario keys from their declarations, with an example of each fault.

`python -m mock_server.scenario.reference` writes FAULTS.md and the schema of scenarios.
"""

import json
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

import attrs

from mock_server.scenario.files import scenario_schema
from mock_server.scenario.model import BackendPlan, JobPlan, Limits
from mock_server.scenario.rule import FAULTS, WORDS, Rule
from mock_server.scenario.vocabulary import Select
from mock_server.strict.words import Word, words_of

_HEAD: Final = """# The keys of a scenario

This file is generated from the code by `python -m mock_server.scenario.reference`; a test fails if
it is out of date. A scenario is TOML or the equivalent JSON. Its main keys are `seed`, `[backend]`,
`[limits]`, `[[job]]` and `[[rule]]`. All rules that match take effect, not only the first. A rule with a
connection fault applies to connections, a rule whose `on` picks frames applies to frames, and every
other rule applies to exchanges. An exchange is one request and its response.

Some keys need a capability of the carrier, the program that injects the faults. The mock has
every capability (`tls_raw` only with `--tls`), the native proxy has all but `backend`, and the
mitmproxy addon has `frame` and `raw`. A carrier refuses to load a scenario
that contains a rule or a `[backend]` setting that it does not support. The `[backend]` settings that
need no capability are accepted, but have no effect in a proxy, because its backend is a real one.
"""


def catalogue() -> str:
    """Return the catalogue as Markdown."""
    parts = [_HEAD]
    for phase, words in groupby(FAULTS, lambda name: WORDS[name].group):
        parts.append(f"## Faults: {phase}\n\n{getattr(Rule(), phase).__doc__}\n")
        parts += map(_described, words)
    parts.append(_table("Selections: `on`", Select))
    parts.append(_table("Jobs: `[[job]]`", JobPlan))
    parts.append(_table("The backend: `[backend]`", BackendPlan))
    parts.append(_table("Limits: `[limits]`", Limits))
    return "\n".join(parts)


def _described(name: str) -> str:
    described, example = WORDS[name], FAULTS[name].example
    needs = f" Needs the `{described.needs}` capability." if described.needs else ""
    says = f"{described.says[0].upper()}{described.says[1:]}. Value: {described.shape.says}."
    return f"### {name}\n\n{says}{needs}\n\n```toml\n[[rule]]\n{example}\n```\n"


def _table(title: str, cls: type[attrs.AttrsInstance]) -> str:
    rows = [
        f"| `{name}` | {_meaning(described)} | {described.shape.says} |".replace("{", "\\{")
        for name, described in words_of(cls).items()
    ]
    head = [f"## {title}", "", "| key | meaning | value |", "|---|---|---|"]
    return "\n".join([*head, *rows, ""])


def _meaning(described: Word) -> str:
    needs = f"; needs the `{described.needs}` capability" if described.needs else ""
    return f"{described.says}{needs}"


def publish(root: Path) -> Sequence[Path]:
    """Write the generated files to the checkout in `root` and return their paths."""
    schema = root / "spec" / "schemas" / "scenario.schema.json"
    faults = root / "mock_server" / "FAULTS.md"
    schema.parent.mkdir(parents=True, exist_ok=True)
    schema.write_text(json.dumps(scenario_schema(), indent=2) + "\n", encoding="utf-8")
    faults.write_text(catalogue(), encoding="utf-8")
    return schema, faults


if __name__ == "__main__":
    publish(Path(__file__).parents[2])
