"""A document of the specification: its prose, and the rules that it states beside their data."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from attrs import frozen

from conformance.casefile.requirements import (
    PROFILE_NAMES,
    Requirement,
    load_requirements,
    specification_directory,
)

SPECIFICATION: Final = specification_directory()
_STATED: Final = re.compile(
    r"^> \*\*(?P<id>ARK-[A-Z]{3}-\d+)\*\* · (?P<level>\w+) · (?P<profiles>.+?) · "
    r"(?P<source>(?:published|interface|standard|proposal|observed)[^·\n]*?)(?: · since (?P<since>[\d.]+))?"
    r"<br>\n(?P<body>(?:> .+\n)+)",
    re.MULTILINE,
)


@frozen
class Statement:
    """One requirement, as written in the prose or in the data."""

    id: str
    level: str
    profiles: tuple[str, ...]
    source: str
    since: str
    text: str
    why: str

    @classmethod
    def of(cls, requirement: Requirement) -> "Statement":
        """Return the requirements of the data."""
        return cls(
            requirement.id,
            requirement.level.value,
            requirement.profiles,
            str(requirement.source),
            requirement.since,
            requirement.text,
            requirement.why,
        )


def _statement(found: re.Match[str]) -> Statement:
    lines = (line.removeprefix("> ") for line in found["body"].splitlines())
    text, _, why = " ".join(lines).partition("<br> ")
    profiles = tuple(re.findall(r"`([^`]+)`", found["profiles"]))
    if found["profiles"] == "all profiles":
        profiles = PROFILE_NAMES
    return Statement(
        found["id"],
        found["level"],
        profiles,
        found["source"],
        found["since"] or "1",
        text,
        why.removeprefix("*").removesuffix("*"),
    )


@frozen
class Document:
    """The prose and the data of some rules. The rules are in section 5, as blocks of quotation."""

    name: str
    prose: str
    requirements: Mapping[str, Requirement]

    @classmethod
    def read(cls, name: str, data: str) -> "Document":
        """Return a document of `spec/`."""
        prose = (SPECIFICATION / name).read_text("utf-8")
        return cls(name, prose, load_requirements(SPECIFICATION / data))

    def section(self, heading: str) -> str:
        """Return the section of the prose whose heading begins with this text."""
        _, start, rest = self.prose.partition(f"\n{heading}")
        assert start, f"{self.name}: no section {heading!r}"
        return rest.partition("\n## ")[0] + "\n"

    def stated(self) -> Sequence[Statement]:
        """Return the requirements of the prose, in order."""
        return [_statement(found) for found in _STATED.finditer(self.section("## 5 "))]

    def groups(self) -> Mapping[str, Sequence[str]]:
        """Return the ids of the rules in each part of section 5, by its title."""
        parts = re.split(r"^### 5\.\d+ ", self.section("## 5 "), flags=re.MULTILINE)[1:]
        return {
            part.partition("\n")[0]: [found["id"] for found in _STATED.finditer(part)]
            for part in parts
        }

    def anchors(self) -> set[str]:
        """Return the anchors of the headings."""
        headings = re.findall(r"^#{2,3} (.+)$", self.prose, re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}


CLIENT: Final = Document.read("protocol.md", "requirements.toml")
BACKEND: Final = Document.read("backend.md", "backend-requirements.toml")
DOCUMENTS: Final = (CLIENT, BACKEND)
