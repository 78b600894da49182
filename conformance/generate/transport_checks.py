"""Write the checks of the transport suite as a table.

`python -m conformance.generate.transport_checks` writes `spec/transport-checks.md`.
"""

from itertools import groupby
from pathlib import Path
from typing import Final

from conformance.transport_suite import CHECKS, Check

SPEC: Final = Path(__file__).parents[2] / "spec"

_INTRO: Final = """\
# What every transport promises

Written by `python -m conformance.generate.transport_checks` from the checks of
`conformance.transport_suite`; do not edit.

Each check belongs to a clause of [the contract](transport-guide.md#4-the-contract). A client cannot
keep the listed rules of [the protocol](protocol.md) if its transport fails the check.
"""


def page() -> str:
    """Return `spec/transport-checks.md`."""
    parts = [_INTRO]
    for clause, checks in groupby(sorted(CHECKS, key=_number), key=lambda check: check.clause):
        rows = [f"| `{each}` | {each.expected} | {', '.join(each.rules)} |" for each in checks]
        parts.append("\n".join([f"## {clause}\n", "| check | expected | rules |", "|---|---|---|"]))
        parts[-1] += "\n" + "\n".join(rows) + "\n"
    return "\n".join(parts)


def _number(check: Check) -> int:
    return int(check.clause.removeprefix("T"))


if __name__ == "__main__":
    (SPEC / "transport-checks.md").write_text(page(), encoding="utf-8")
