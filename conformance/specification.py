"""The rules as data: where they are, and what one requirement is.

It knows the two places where the specification can lie: beside the packages in a checkout, inside
this package in an installed wheel. It refuses to know which case covers which requirement.
"""

import re
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Final

from attrs import frozen

from conformance.reading import ReadingError, Table, parse_toml

PROFILE_NAMES: Final = ("2026-05", "2026-07", "hardened")
_ID: Final = re.compile(r"ARK-[A-Z]{3}-[1-9][0-9]*")


class Level(Enum):
    """How binding a requirement is: a broken MUST fails, a broken SHOULD warns."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


@frozen(kw_only=True)
class Requirement:
    """One numbered rule. `excluded` says why no case can judge it, else it is empty."""

    id: str
    level: Level
    profiles: tuple[str, ...]
    source: str
    text: str
    why: str
    excluded: str


def specification_directory() -> Path:
    """Return the directory of the specification; raises FileNotFoundError if there is none."""
    package = Path(__file__).parent
    for candidate in (package / "_spec", package.parent / "spec"):
        if (candidate / "requirements.toml").is_file():
            return candidate
    msg = f"specification: neither {package / '_spec'} nor {package.parent / 'spec'} holds it"
    raise FileNotFoundError(msg)


def load_requirements(path: Path | None = None) -> Mapping[str, Requirement]:
    """Read the requirements by id, in the order of the file; raises ReadingError."""
    file = path or specification_directory() / "requirements.toml"
    document = parse_toml(file.read_text("utf-8"), file.name)
    top = Table(file.name, document)
    top.count("schema", 1)
    found: dict[str, Requirement] = {}
    for table in top.tables("requirement"):
        requirement = _requirement(table)
        if requirement.id in found:
            raise ReadingError(table.where, f"{requirement.id} stands twice, ids are unique")
        found[requirement.id] = requirement
    top.finish()
    return found


def _requirement(table: Table) -> Requirement:
    identifier = table.text("id")
    if not _ID.fullmatch(identifier):
        raise ReadingError(table.where, f"{identifier!r} is no id, ARK-BUD-3 would be one")
    table.where = f"{table.where.split(':', 1)[0]}: {identifier}"
    profiles = table.texts("profiles") or PROFILE_NAMES
    for profile in profiles:
        if profile not in PROFILE_NAMES:
            raise ReadingError(table.where, f"{profile!r} is no profile of {PROFILE_NAMES}")
    requirement = Requirement(
        id=identifier,
        level=Level(table.one_of("level", [level.value for level in Level])),
        profiles=profiles,
        source=table.text("source"),
        text=table.text("text"),
        why=table.text("why", ""),
        excluded=table.text("excluded", ""),
    )
    table.finish()
    return requirement
