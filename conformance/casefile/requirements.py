"""The rules as data: where they are, which version they have, and what one requirement is.

In a checkout the specification is in `spec/` next to the packages, in an installed wheel it is
inside this package.
"""

import re
from collections.abc import Collection, Mapping
from enum import Enum
from pathlib import Path
from typing import Final

from attrs import frozen

from conformance.casefile.sources import (
    Source,
    SourceKind,
    load_statements,
    read_source,
)
from conformance.strict_data import ReadingError, Table, parse_toml

PROFILE_NAMES: Final = ("2026-05", "2026-07", "hardened")
_ID: Final = re.compile(r"ARK-[A-Z]{3}-[1-9][0-9]*")
_VERSION: Final = re.compile(r"[1-9][0-9]*(\.[0-9]+)*")
_FIRST_VERSION: Final = "1"


class Level(Enum):
    """How binding a requirement is: a broken MUST fails, a broken SHOULD warns."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


@frozen(kw_only=True)
class Requirement:
    """One numbered rule.

    `since` is the version of the specification in which the rule appeared. `excluded` gives the
    reason if no case can judge the rule, and is empty otherwise.
    """

    id: str
    level: Level
    profiles: tuple[str, ...]
    source: Source
    text: str
    why: str
    excluded: str
    since: str = _FIRST_VERSION

    def counts(self, profile: str, *, strict: bool = False) -> bool:
        """Tell whether a client that breaks this rule under `profile` can fail for it.

        That depends on the source alone; the level decides between a failure and a warning.
        """
        return self.source.counts(profile, strict=strict)


def specification_directory() -> Path:
    """Return the directory of the specification; raises FileNotFoundError if there is none."""
    package = Path(__file__).parents[1]
    for candidate in (package / "_spec", package.parent / "spec"):
        if (candidate / "requirements.toml").is_file():
            return candidate
    msg = f"specification: not found in {package / '_spec'} nor in {package.parent / 'spec'}"
    raise FileNotFoundError(msg)


def load_requirements(path: Path | None = None) -> Mapping[str, Requirement]:
    """Read the requirements by id, in the order of the file; raises ReadingError.

    The published statements that they cite are in `sources.md` next to the file.
    """
    file = path or specification_directory() / "requirements.toml"
    statements = load_statements(file.with_name("sources.md"))
    top = _top(file)
    version = _version(top)
    found: dict[str, Requirement] = {}
    for table in top.tables("requirement"):
        requirement = _requirement(table, statements)
        if requirement.id in found:
            raise ReadingError(table.where, f"{requirement.id} appears twice; ids are unique")
        if _parts(requirement.since) > _parts(version):
            raise ReadingError(
                table.where, f"'since' is {requirement.since}, the specification is {version}"
            )
        found[requirement.id] = requirement
    top.finish()
    return found


def specification_version(path: Path | None = None) -> str:
    """Return the version of the specification; raises ReadingError."""
    return _version(_top(path or specification_directory() / "requirements.toml"))


def _top(file: Path) -> Table:
    top = Table(file.name, parse_toml(file.read_text("utf-8"), file.name))
    top.count("schema", 1)
    return top


def _version(table: Table, key: str = "version", default: str | None = None) -> str:
    version = table.text(key, default)
    if not _VERSION.fullmatch(version):
        raise ReadingError(table.where, f"{key!r} is {version!r}; write a version such as '2'")
    return version


def _parts(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


def _requirement(table: Table, statements: Collection[str]) -> Requirement:
    identifier = table.text("id")
    if not _ID.fullmatch(identifier):
        raise ReadingError(table.where, f"{identifier!r} is not an id; write it like 'ARK-BUD-3'")
    table.where = f"{table.where.split(':', 1)[0]}: {identifier}"
    profiles = table.texts("profiles") or PROFILE_NAMES
    for profile in profiles:
        if profile not in PROFILE_NAMES:
            raise ReadingError(table.where, f"{profile!r} is not a profile of {PROFILE_NAMES}")
    requirement = Requirement(
        id=identifier,
        level=Level(table.one_of("level", [level.value for level in Level])),
        profiles=profiles,
        source=read_source(f"{table.where}: source", table.text("source"), statements),
        text=table.text("text"),
        why=table.text("why", ""),
        excluded=table.text("excluded", ""),
        since=_version(table, "since", _FIRST_VERSION),
    )
    table.finish()
    _check_source(table.where, requirement)
    return requirement


def _check_source(where: str, requirement: Requirement) -> None:
    match requirement.source.kind:
        case SourceKind.OBSERVED if requirement.level is Level.MUST:
            raise ReadingError(where, "an observed rule cannot be a MUST; no document promises it")
        case SourceKind.PROPOSAL if not requirement.why:
            raise ReadingError(where, "a proposal must give its reason in 'why'")
        case _:
            pass
