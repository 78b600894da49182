"""A small case that tests can modify."""

from collections.abc import Mapping

from conformance.casefile.loader import read_case_file
from conformance.casefile.model import Case
from conformance.casefile.requirements import Level, Requirement
from conformance.casefile.sources import Source, SourceKind

RULES: Mapping[str, Requirement] = {
    name: Requirement(
        id=name,
        level=Level.MUST,
        profiles=profiles,
        source=Source(SourceKind.PUBLISHED, ("R-3",)),
        text="A rule.",
        why="",
        excluded="",
    )
    for name, profiles in {
        "ARK-BUD-1": ("2026-05", "2026-07", "hardened"),
        "ARK-BUD-2": ("2026-07",),
    }.items()
}
HEAD = """
id = "budget.small"
requires = ["ARK-BUD-1"]
why = "Because."
"""


def read(body: str, head: str = HEAD) -> tuple[Case, ...]:
    """Read a case file that consists of a valid head and `body`."""
    return read_case_file("budget.toml", head + body, RULES)


def one(body: str, head: str = HEAD) -> Case:
    """Read the only case of a file."""
    (case,) = read(body, head)
    return case
