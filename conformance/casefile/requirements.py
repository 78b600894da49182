# ruff: noqa: RUF009 - word() declares an attribute, as attrs.field() does
"""The specification's rules as data: where the file is, its version and its requirements.

In a source checkout, the specification is in `spec/` next to the packages; in an installed wheel,
it is inside this package.
"""

from collections.abc import Mapping
from enum import Enum
from functools import cache
from pathlib import Path
from typing import Final

from attrs import frozen

from conformance.casefile.sources import (
    SOURCE,
    Source,
    SourceKind,
    check_statements,
    load_statements,
)
from conformance.strict_data import Json, read_text, read_toml
from mock_server.strict.alternatives import constant, matching
from mock_server.strict.mistakes import Mistakes
from mock_server.strict.shapes import ScenarioError, array, choice, one_of, text
from mock_server.strict.words import needed, table, word

PROFILE_NAMES: Final = ("2026-05", "2026-07", "hardened")
VERSION: Final = matching(r"[1-9][0-9]*(\.[0-9]+)*", "a version, such as '2'")
_FIRST_VERSION: Final = "1"
_TEXT: Final = text()


class Level(Enum):
    """How binding a requirement is: breaking a MUST is a failure, breaking a SHOULD a warning."""

    MUST = "MUST"
    SHOULD = "SHOULD"
    MAY = "MAY"


@frozen(kw_only=True)
class Requirement:
    """One numbered rule.

    `since` is the version of the specification that introduced the rule. `excluded` is the reason
    why no case can judge the rule; empty if one can.
    """

    id: str = needed(matching(r"ARK-[A-Z]{3}-[1-9][0-9]*", "an id, such as 'ARK-BUD-3'"), "the id")
    level: Level = needed(choice(Level), "the requirement level of the rule, such as MUST")
    profiles: tuple[str, ...] = word(
        array(one_of(PROFILE_NAMES), least=1),
        "the profiles under which the rule applies",
        default=PROFILE_NAMES,
    )
    source: Source = needed(SOURCE, "the source of the rule")
    text: str = needed(_TEXT, "the rule")
    why: str = word(_TEXT, "the reason for the rule", default="")
    excluded: str = word(_TEXT, "why no case can judge the rule; empty if one can", default="")
    since: str = word(VERSION, "the version that introduced the rule", default=_FIRST_VERSION)

    @property
    def heading(self) -> str:
        """The line above the text of the rule: its id, level, profiles and source."""
        return f"{self.id} · {self.level.value} · {', '.join(self.profiles)} · {self.source}"

    def counts(self, profile: str, *, strict: bool = False) -> bool:
        """Return whether breaking this rule can make a client fail under `profile`.

        That depends only on the source; the level decides between a failure and a warning.
        """
        return self.source.counts(profile, strict=strict)

    def fails(self, profile: str, *, strict: bool = False) -> bool:
        """Return whether breaking this rule under `profile` is a failure rather than a warning."""
        return self.level is Level.MUST and self.counts(profile, strict=strict)


def specification_directory() -> Path:
    """Return the directory of the specification, or raise FileNotFoundError if there is none."""
    package = Path(__file__).parents[1]
    for candidate in (package / "_spec", package.parent / "spec"):
        if (candidate / "requirements.toml").is_file():
            return candidate
    msg = f"specification: not found in {package / '_spec'} or {package.parent / 'spec'}"
    raise FileNotFoundError(msg)


@frozen(kw_only=True)
class _Requirements:
    """The content of the requirements file."""

    schema: int = word(constant(1), "the version of this format", default=1)
    version: str = needed(VERSION, "the version of the specification")
    requirements: tuple[Requirement, ...] = word(
        array(table(Requirement, "a rule")), "the rules", default=(), name="requirement"
    )


REQUIREMENTS: Final = table(_Requirements, "the specification's rules")


def load_requirements(path: Path | None = None) -> Mapping[str, Requirement]:
    """Return the requirements by id, in the order of the file, or raise ReadingError.

    Without a path, return those of this specification, which are read only once. The published
    statements that the requirements cite are in `sources.md`, in the same directory.
    """
    return _own() if path is None else _requirements_in(path)


@cache
def _own() -> Mapping[str, Requirement]:
    return _requirements_in(specification_directory() / "requirements.toml")


def _requirements_in(file: Path) -> Mapping[str, Requirement]:
    statements = load_statements(file.with_name("sources.md"))

    def read(document: Mapping[str, Json]) -> Mapping[str, Requirement]:
        top = REQUIREMENTS.read(document, "")
        mistakes = Mistakes()
        found: dict[str, Requirement] = {}
        for number, rule in enumerate(top.requirements, 1):
            where = f"requirement {number}"
            with mistakes.collected():
                check_statements(f"{where}.source", rule.source, statements)
            with mistakes.collected():
                _check(where, rule, top.version)
                if rule.id in found:
                    raise ScenarioError(f"{where}: {rule.id} appears twice; ids must be unique")
            found[rule.id] = rule
        mistakes.settle()
        return found

    return read_toml(file.name, read_text(file), read)


def specification_version(path: Path | None = None) -> str:
    """Return the version of the specification, or raise ReadingError."""
    file = path or specification_directory() / "requirements.toml"
    top = read_toml(file.name, read_text(file), lambda document: REQUIREMENTS.read(document, ""))
    return top.version


def version_parts(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, as a key for sorting."""
    return tuple(int(part) for part in version.split("."))


def is_newer(since: str, version: str) -> bool:
    """Return whether version `since` is newer than `version`."""
    return version_parts(since) > version_parts(version)


def _check(where: str, rule: Requirement, version: str) -> None:
    if is_newer(rule.since, version):
        raise ScenarioError(
            f"{where}: {rule.id}: 'since' is {rule.since}, but this specification is version "
            f"{version}"
        )
    match rule.source.kind:
        case SourceKind.OBSERVED if rule.level is Level.MUST:
            raise ScenarioError(
                f"{where}: {rule.id}: an observed rule cannot be a MUST, because no document "
                "promises the behaviour"
            )
        case SourceKind.PROPOSAL if not rule.why:
            raise ScenarioError(f"{where}: {rule.id}: a proposal must give its reason in 'why'")
        case _:
            pass
