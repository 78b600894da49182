"""The source of a rule: how it is read, and when the rule counts because of it."""

from pathlib import Path

import pytest

from conformance.casefile.requirements import (
    PROFILE_NAMES,
    Requirement,
    load_requirements,
    specification_directory,
    specification_version,
)
from conformance.casefile.sources import SOURCE, Source, SourceKind, check_statements
from conformance.mutants.traceability import by_source
from conformance.strict_data import ReadingError
from mock_server import ScenarioError

STATEMENTS = ("S-1", "S-2", "R-1", "R-1\u2032")
SOUND = """
schema = 1
version = "2"

[[requirement]]
id = "ARK-CRE-1"
level = "MUST"
source = "published: S-1"
text = "A rule."
"""
TABLE = '| <a id="s-1"></a>S-1 | trainer control | both | It submits the job |\n'


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("published: S-1", Source(SourceKind.PUBLISHED, ("S-1",))),
        ("published: R-1, R-1\u2032", Source(SourceKind.PUBLISHED, ("R-1", "R-1\u2032"))),
        ("interface: create, every call", Source(SourceKind.INTERFACE, ("create", "every call"))),
        ("standard: RFC 8259 §6", Source(SourceKind.STANDARD, ("RFC 8259 §6",))),
        ("standard: RFC 9110 §4.3.4", Source(SourceKind.STANDARD, ("RFC 9110 §4.3.4",))),
        ("standard: WHATWG 9.2.6", Source(SourceKind.STANDARD, ("WHATWG 9.2.6",))),
        (
            "standard: Fetch HTTP-redirect fetch",
            Source(SourceKind.STANDARD, ("Fetch HTTP-redirect fetch",)),
        ),
        ("proposal", Source(SourceKind.PROPOSAL)),
        ("observed", Source(SourceKind.OBSERVED)),
    ],
)
def test_a_source_is_read_and_written_alike(text: str, source: Source) -> None:
    assert SOURCE.read(text, "rule") == source
    assert str(source) == text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("publishd: S-1", "'publishd' is not a kind of source; did you mean 'published'?"),
        ("", "'' is not a kind of source"),
        ("Published: S-1", "did you mean 'published'?"),
        ("published", "'published' must name statements"),
        ("published:", "'' is not a statement"),
        ("published: S-1,", "'' is not a statement"),
        ("published: S-3", "'S-3' is not a statement of sources.md; did you mean 'S-"),
        ("published: create", "'create' is not a statement"),
        ("published: S-1, S-1", "cites the same thing twice"),
        ("interface", "'interface' must name calls"),
        ("interface: creat", "'creat' is not a call; did you mean 'create'?"),
        ("standard", "'standard' must name a section"),
        ("standard: RFC 8259", "'RFC 8259' is not a section of a standard"),
        ("standard: the RFC §6", "'the RFC §6' is not a section of a standard"),
        ("proposal: because", "'proposal' must not cite anything"),
        ("observed: the SDK", "'observed' must not cite anything"),
    ],
)
def test_a_wrong_source_is_refused_with_what_to_write(text: str, message: str) -> None:
    with pytest.raises(ScenarioError) as refused:
        check_statements("rule", SOURCE.read(text, "rule"), STATEMENTS)
    assert message in str(refused.value)


@pytest.mark.parametrize("profile", PROFILE_NAMES)
@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("kind", SourceKind)
def test_a_rule_counts_as_its_source_does(kind: SourceKind, profile: str, *, strict: bool) -> None:
    always = {SourceKind.PUBLISHED, SourceKind.INTERFACE, SourceKind.STANDARD}
    proposed = kind is SourceKind.PROPOSAL and (strict or profile == "hardened")
    rule = next(rule for rule in load_requirements().values() if rule.source.kind is kind)
    assert rule.counts(profile, strict=strict) == (kind in always or proposed)


def rules_of(tmp_path: Path, text: str, table: str = TABLE) -> dict[str, Requirement]:
    """Read the rules of a small specification."""
    (tmp_path / "requirements.toml").write_text(text, "utf-8")
    (tmp_path / "sources.md").write_text(table, "utf-8")
    return dict(load_requirements(tmp_path / "requirements.toml"))


def test_a_rule_without_since_is_as_old_as_the_specification(tmp_path: Path) -> None:
    old = rules_of(tmp_path, SOUND)["ARK-CRE-1"]
    new = rules_of(tmp_path, SOUND + 'since = "2"\n')["ARK-CRE-1"]
    assert (old.since, new.since) == ("1", "2")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("S-1", "S-9"), "requirements.toml: requirement 1.source: 'S-9' is not a statement"),
        (('"published: S-1"', '"observed"'), "an observed rule cannot be a MUST"),
        (('"published: S-1"', '"proposal"'), "a proposal must give its reason in 'why'"),
        (('version = "2"\n', ""), "'version' is missing"),
        (
            ('version = "2"', 'version = "two"'),
            "version: 'two' (string) is not a version, such as '2'",
        ),
        (("text =", 'since = "3"\ntext ='), "'since' is 3, but this specification is version 2"),
        (
            ("text =", 'since = "new"\ntext ='),
            "since: 'new' (string) is not a version, such as '2'",
        ),
    ],
)
def test_a_wrong_rule_is_refused_with_what_is_wrong(
    tmp_path: Path, change: tuple[str, str], message: str
) -> None:
    assert change[0] in SOUND
    with pytest.raises(ReadingError) as refused:
        rules_of(tmp_path, SOUND.replace(*change, 1))
    assert message in str(refused.value)


def test_an_observed_rule_may_be_a_should(tmp_path: Path) -> None:
    text = SOUND.replace("MUST", "SHOULD").replace("published: S-1", "observed")
    assert rules_of(tmp_path, text)["ARK-CRE-1"].source.kind is SourceKind.OBSERVED


def test_sources_without_statements_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ReadingError) as refused:
        rules_of(tmp_path, SOUND, "| id | statement |\n")
    assert str(refused.value) == "sources.md: has no table of statements with anchors"


def test_the_specification_has_a_version_and_its_rules_are_not_newer() -> None:
    version = specification_version()
    newest = max(rule.since for rule in load_requirements().values())
    assert version == newest
    assert specification_version(specification_directory() / "requirements.toml") == version


def test_every_rule_is_counted_under_its_source() -> None:
    rules = load_requirements()
    counts = by_source(rules.values())
    assert list(counts) == list(SourceKind)
    assert sum(counts.values()) == len(rules)
    assert counts[SourceKind.OBSERVED] == len(
        [rule for rule in rules.values() if str(rule.source) == "observed"]
    )
