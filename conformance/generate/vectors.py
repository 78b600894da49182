"""Write the cases as plain JSON, for use without the kit.

Templates are expanded and defaults are written out. `python -m conformance.generate.vectors` writes
`spec/vectors/cases`; a test compares the files with the cases.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from conformance.casefile.loader import load_cases
from conformance.casefile.model import DEFAULT_CONFIG, Case
from conformance.casefile.requirements import load_requirements
from conformance.strict_data import Json

FORMAT: Final = "arkor-vectors/1"
VECTOR: Final = (
    *("id", "requires", "level", "profiles", "needs", "why", "config", "server", "hold", "step"),
    "expect",
)
"""The keys that every case has in these files."""
DIRECTORY: Final = Path("vectors") / "cases"


def vector(case: Case) -> Mapping[str, Json]:
    """Return one case as plain data; `server` and `expect` look as they do in a case file."""
    return {
        "id": case.id,
        "requires": list(case.requires),
        "level": case.level.value,
        "profiles": list(case.profiles),
        "needs": list(case.needs),
        "why": case.why,
        "config": {**DEFAULT_CONFIG, **case.config},
        "server": case.source.get("server", {}),
        "hold": list(case.hold),
        "step": case.source.get("step", []),
        "premise": case.source.get("premise", {}),
        "applies": case.source.get("applies", {}),
        "expect": case.source["expect"],
    }


def vector_files(cases: Sequence[Case]) -> Mapping[str, str]:
    """Return the text of each file, by name: one file per family, one line per case."""
    families = dict.fromkeys(case.family for case in cases)
    return {
        f"{family}.json": _text(family, [case for case in cases if case.family == family])
        for family in families
    }


def _text(family: str, cases: Sequence[Case]) -> str:
    lines = ",\n".join(json.dumps(vector(case), ensure_ascii=True) for case in cases)
    head = f'{{"format": {json.dumps(FORMAT)}, "family": {json.dumps(family)}, "cases": [\n'
    return f"{head}{lines}\n]}}\n"


def write(specification: Path) -> None:
    """Write the files, and remove the files of families that no longer exist."""
    directory = specification / DIRECTORY
    directory.mkdir(parents=True, exist_ok=True)
    files = vector_files(load_cases(load_requirements()))
    for path in directory.glob("*.json"):
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        (directory / name).write_text(text, "utf-8")


if __name__ == "__main__":
    write(Path(__file__).parents[2] / "spec")
