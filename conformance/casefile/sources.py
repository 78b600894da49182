"""Where a rule comes from: the kind of its source, and what the source cites.

`spec/sources.md` explains which kinds of sources count under which profile, and lists the
statements that a published rule can cite.
"""

import re
from collections.abc import Collection
from enum import Enum
from pathlib import Path
from typing import Final, assert_never

from attrs import frozen

from conformance.strict_data import ReadingError
from mock_server.strict.alternatives import converted
from mock_server.strict.shapes import Shape, nearest, text

CALLS: Final = ("create", "stream", "cancel", "job", "chat", "projects", "anonymous", "me")
EVERY_CALL: Final = "every call"
_ROW: Final = re.compile(r'^\| <a id="[a-z0-9-]+"></a>([A-Z]-[0-9]+\u2032?) \|', re.MULTILINE)
_SECTION: Final = re.compile(
    r"RFC [0-9]+ §[0-9]+(\.[0-9]+)*|WHATWG [0-9]+(\.[0-9]+)*|Fetch [A-Za-z -]+"
)


class SourceKind(Enum):
    """The kinds of sources that a rule can have."""

    PUBLISHED = "published"
    INTERFACE = "interface"
    STANDARD = "standard"
    PROPOSAL = "proposal"
    OBSERVED = "observed"


@frozen
class Source:
    """The kind of a source, and what it cites: statements, calls or sections of a standard."""

    kind: SourceKind
    cites: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the source as the specification writes it, for example `published: W-2, R-1`."""
        return f"{self.kind.value}: {', '.join(self.cites)}" if self.cites else self.kind.value

    def counts(self, profile: str, *, strict: bool = False) -> bool:
        """Return whether a broken rule with this source makes a client fail under `profile`.

        A proposal counts under `hardened`, because a declared profile is a contract. Under other
        profiles it counts only if `strict`.
        """
        match self.kind:
            case SourceKind.PUBLISHED | SourceKind.INTERFACE | SourceKind.STANDARD:
                return True
            case SourceKind.PROPOSAL:
                return strict or profile == "hardened"
            case SourceKind.OBSERVED:
                return False
            case never:
                assert_never(never)


def load_statements(path: Path) -> tuple[str, ...]:
    """Return the ids of the statements in `sources.md`; raise ReadingError if there are none."""
    found = tuple(_ROW.findall(path.read_text("utf-8")))
    if not found:
        raise ReadingError(path.name, "has no table of statements with anchors")
    return found


def _source(written: str, where: str) -> Source:
    name, colon, rest = written.partition(":")
    kinds = {kind.value: kind for kind in SourceKind}
    if name not in kinds:
        raise ReadingError(where, f"{name!r} is not a kind of source; {nearest(name, kinds)}")
    cites = tuple(cite.strip() for cite in rest.split(",")) if colon else ()
    if len(set(cites)) != len(cites):
        raise ReadingError(where, f"{written!r} cites the same thing twice")
    source = Source(kinds[name], cites)
    _check(where, source)
    return source


SOURCE: Final[Shape[Source]] = converted(text(), _source)
"""A source such as `published: W-2, R-1`."""


def check_statements(where: str, source: Source, statements: Collection[str]) -> None:
    """Raise ScenarioError if the source cites a statement that `sources.md` does not list."""
    if source.kind is SourceKind.PUBLISHED:
        for cite in source.cites:
            _among(where, cite, statements, "statement of sources.md")


def _check(where: str, source: Source) -> None:
    match source.kind:
        case SourceKind.PUBLISHED:
            _need(where, source, "statements of sources.md, as in 'published: S-1'")
        case SourceKind.INTERFACE:
            _need(where, source, "calls, as in 'interface: create'")
            for cite in source.cites:
                _among(where, cite, (*CALLS, EVERY_CALL), "call")
        case SourceKind.STANDARD:
            _need(where, source, "a section, as in 'standard: RFC 8259 §6'")
            for cite in source.cites:
                if not _SECTION.fullmatch(cite):
                    raise ReadingError(
                        where,
                        f"{cite!r} is not a section of a standard; write, for example, "
                        "'RFC 8259 §6', 'WHATWG 9.2.6' or 'Fetch HTTP-redirect fetch'",
                    )
        case SourceKind.PROPOSAL | SourceKind.OBSERVED:
            if source.cites:
                raise ReadingError(
                    where, f"{source.kind.value!r} must not cite anything; give the reason in 'why'"
                )
        case never:
            assert_never(never)


def _need(where: str, source: Source, what: str) -> None:
    if not source.cites:
        raise ReadingError(where, f"{source.kind.value!r} must name {what}")


def _among(where: str, cite: str, known: Collection[str], what: str) -> None:
    if cite not in known:
        raise ReadingError(where, f"{cite!r} is not a {what}; {nearest(cite, known)}")
