"""The specification is consistent: prose, data, sources, cases and vectors agree."""

import re
from collections.abc import Mapping, Sequence
from itertools import chain, pairwise
from pathlib import Path
from typing import Final

import pytest

from conformance.casefile.model import Case
from conformance.casefile.requirements import PROFILE_NAMES, Level, Requirement
from conformance.casefile.sources import SourceKind
from conformance.strict_data import Json, Table, parse_json
from tests.conformance.casefile.document import (
    BACKEND,
    CLIENT,
    DOCUMENTS,
    SPECIFICATION,
    Document,
    Statement,
)
from tests.conformance.catalogue import all_cases, all_rules

REPOSITORY = Path(__file__).parents[3]
REQUIREMENTS = all_rules()
CASES = all_cases()
TEMPLATES = {case.id.partition("[")[0] for case in CASES}
SOURCES = (SPECIFICATION / "sources.md").read_text("utf-8")
FAMILIES: Sequence[str] = (
    *("CRE", "STR", "RES", "BAK", "BUD", "ERR", "SSE", "EVT"),
    *("CAN", "ABT", "IDL", "WIR", "SEC"),
)
STRENGTH = (Level.MAY, Level.SHOULD, Level.MUST)
IDENTIFIER = re.compile(r"ARK-([A-Z]{3})-(\d+)")


def founding_rows() -> list[tuple[str, ...]]:
    """Return the cells of the founding document's table."""
    rows = re.findall(
        r"^\| (\d+) \| (.+) \| (.+) \| (.+) \|$", CLIENT.section("## 7 "), re.MULTILINE
    )
    return [tuple(row) for row in rows]


def revisions() -> Mapping[str, Sequence[str]]:
    """Return the profiles under which each statement of the sources holds.

    `hardened` contains the amended revision.
    """
    profiles = {"both": PROFILE_NAMES, "2026-05": ("2026-05",), "2026-07": PROFILE_NAMES[1:]}
    rows = re.findall(r"^\| <a id=[^>]+></a>(\S+) \| ([^|]+) \| (\S+) \|", SOURCES, re.MULTILINE)
    return {
        # The document about callbacks came with the amended one, and is the same for both.
        name: PROFILE_NAMES if document == "lifecycle callbacks" else profiles[revision]
        for name, document, revision in rows
    }


FOUNDING = founding_rows()
REVISIONS = revisions()
EVERY: Final = {name: rule for each in DOCUMENTS for name, rule in each.requirements.items()}
of_both = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda each: each.name)


@of_both
def test_prose_and_data_state_the_same_requirements(document: Document) -> None:
    assert document.stated() == [Statement.of(rule) for rule in document.requirements.values()]


def test_no_rule_is_in_both_documents() -> None:
    assert len(EVERY) == len(CLIENT.requirements) + len(BACKEND.requirements)


def test_the_rules_of_a_backend_are_in_the_order_of_their_numbers_in_each_group() -> None:
    found = {
        group: [int(rule.removeprefix("ARK-SRV-")) for rule in rules]
        for group, rules in BACKEND.groups().items()
    }
    assert list(found) == [
        *("create", "stream", "order", "resume", "end", "cancel", "isolation", "limits"),
    ]
    assert all(numbers == sorted(numbers) for numbers in found.values())
    assert sorted(chain(*found.values())) == list(range(1, len(BACKEND.requirements) + 1))


def test_how_a_rule_of_a_backend_is_seen_is_told_for_each_in_order() -> None:
    table = BACKEND.section("## 6 ")
    assert re.findall(r"^\| (ARK-SRV-\d+) \| .+ \|", table, re.MULTILINE) == list(
        BACKEND.requirements
    )


def test_every_rule_of_a_backend_can_be_judged() -> None:
    assert not [rule.id for rule in BACKEND.requirements.values() if rule.excluded]


def test_what_the_documents_say_about_a_backend_is_what_its_published_rules_cite() -> None:
    rows = re.findall(
        r"^\| ([^|]+) \| [^|]+ \| (ARK-[^|]+) \|", BACKEND.section("## 3 "), re.MULTILINE
    )
    told: dict[str, set[str]] = {}
    for statements, rules in rows:
        for rule in rules.split(", "):
            told.setdefault(rule, set()).update(statements.split(", "))
    published = {
        rule.id: set(rule.source.cites)
        for rule in BACKEND.requirements.values()
        if rule.source.kind is SourceKind.PUBLISHED
    }
    assert {rule: cites - told.get(rule, set()) for rule, cites in published.items()} == {
        rule: set() for rule in published
    }
    assert set(told) == set(published)


def test_requirements_stand_in_the_order_of_their_families_and_numbers() -> None:
    places = [
        (FAMILIES.index(found[1]), int(found[2]))
        for found in map(IDENTIFIER.fullmatch, REQUIREMENTS)
        if found
    ]
    assert len(places) == len(REQUIREMENTS)
    assert all(earlier < later for earlier, later in pairwise(places))


@pytest.mark.parametrize("requirement", EVERY.values(), ids=EVERY)
def test_a_requirement_is_one_sentence_of_its_level_with_a_reason(requirement: Requirement) -> None:
    assert f" {requirement.level.value} " in requirement.text
    assert requirement.text.endswith(".")
    assert not re.search(r"\. [A-Z`]", requirement.text), "a second sentence"
    assert requirement.why.endswith((".", ".)"))


def test_no_two_requirements_say_the_same_under_one_profile() -> None:
    texts = [(each.text, profile) for each in EVERY.values() for profile in each.profiles]
    assert len(set(texts)) == len(texts)


def test_what_was_only_observed_is_never_a_must() -> None:
    observed = [rule for rule in REQUIREMENTS.values() if rule.source.kind is SourceKind.OBSERVED]
    assert observed
    assert not [rule.id for rule in observed if rule.level is Level.MUST]


def test_a_rule_of_the_published_revisions_cites_a_statement_of_each() -> None:
    lacking = [
        f"{rule.id} {profile}: {rule.source}"
        for rule in EVERY.values()
        if rule.source.kind is SourceKind.PUBLISHED
        for profile in rule.profiles
        if not any(profile in REVISIONS[cite] for cite in rule.source.cites)
    ]
    assert not lacking


def test_every_statement_of_the_sources_is_cited_or_only_repeats_others() -> None:
    cited = {cite for rule in REQUIREMENTS.values() for cite in rule.source.cites}
    assert set(REVISIONS) - cited == {"L-5"}


def test_links_between_the_documents_lead_to_headings() -> None:
    for document in DOCUMENTS:
        name = re.escape(document.name)
        links = re.findall(rf"\]\({name}#([^)]+)\)", SOURCES + BACKEND.prose)
        assert links
        assert set(links) <= document.anchors()


def test_every_requirement_that_the_prose_mentions_exists() -> None:
    for heading in ("## 3 ", "## 5 ", "## 6 "):
        named = {found[0] for found in IDENTIFIER.finditer(CLIENT.section(heading))}
        assert named <= set(REQUIREMENTS)
    assert {found[0] for found in IDENTIFIER.finditer(BACKEND.prose)} <= set(EVERY)


@of_both
def test_every_link_into_the_document_has_its_heading(document: Document) -> None:
    assert set(re.findall(r"\]\(#([^)]+)\)", document.prose)) == document.anchors()


@of_both
def test_every_file_that_the_document_links_to_is_there(document: Document) -> None:
    links = re.findall(r"\]\(([^)#]+)\)", document.prose)
    assert links
    assert not [link for link in links if not (SPECIFICATION / link).exists()]


def test_every_requirement_has_a_case_or_a_reason_why_none_can_judge_it() -> None:
    judged = {identifier for case in CASES for identifier in case.requires}
    holes = [
        f"{requirement.id} {requirement.level.value}: {requirement.text}"
        for requirement in REQUIREMENTS.values()
        if requirement.id not in judged and not requirement.excluded
    ]
    assert not holes, "no case judges these:\n" + "\n".join(holes)


def test_no_requirement_is_both_judged_and_excluded() -> None:
    judged = {identifier for case in CASES for identifier in case.requires}
    assert not [each.id for each in REQUIREMENTS.values() if each.excluded and each.id in judged]


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_a_case_is_as_strict_as_the_weakest_of_its_requirements(case: Case) -> None:
    levels = [REQUIREMENTS[identifier].level for identifier in case.requires]
    assert case.level is min(levels, key=STRENGTH.index)


@pytest.mark.parametrize("profile", PROFILE_NAMES)
def test_the_rules_of_a_case_count_alike(profile: str) -> None:
    # Otherwise a broken proposal would fail a client as a published rule, or the other way round.
    mixed = [
        case.id
        for case in CASES
        if profile in case.profiles
        and len({REQUIREMENTS[rule].counts(profile) for rule in case.requires}) > 1
    ]
    assert not mixed


CASE_IDS = frozenset(case.id for case in CASES)
_FIRST = frozenset({"2026-05"})
_LATER = frozenset({"2026-07", "hardened"})
ELSEWHERE: Mapping[str, frozenset[str]] = {
    # Only a status that ends the wait shows that the client understood the refusal.
    "dialect.a-deep-refusal-of-the-stream": _LATER,
    "resume.a-wait-after-a-permanent-status-goes-on-at-the-cursor": _LATER,
    # After a callback error, the first profile reopens the stream and the later ones reject.
    "events.a-callback-error-closes-the-stream": _FIRST,
    "events.a-rejecting-callback-error-closes-the-stream": _LATER,
    "resume.events-behind-a-failed-callback-are-asked-for-again": _FIRST,
    "resume.a-wait-after-a-callback-error-goes-on-at-the-cursor": _LATER,
    # It takes long, and one profile is enough to find what it can find.
    "backoff.a-thousand-failures-in-a-row": frozenset({"hardened"}),
    # A client that ignores a frame shows that only where malformed data counts as progress.
    "sse.data-alone-makes-a-frame": _FIRST,
    "sse.a-block-with-empty-data-dispatches-an-event": _FIRST,
    "sse.vector-dispatches": _FIRST,
    "sse.vector-dispatches-nothing": _FIRST,
}
"""The profiles of templates that leave out profiles in which their rules hold as well."""


@pytest.mark.parametrize("profile", PROFILE_NAMES)
def test_a_case_runs_under_every_profile_that_has_all_its_requirements(profile: str) -> None:
    left_out = {
        case.id.partition("[")[0]
        for case in CASES
        if profile not in case.profiles
        and all(profile in REQUIREMENTS[identifier].profiles for identifier in case.requires)
        # A template may have a case for each profile.
        and f"{case.id.partition('[')[0]}[{profile}]" not in CASE_IDS
    }
    assert left_out == {name for name, profiles in ELSEWHERE.items() if profile not in profiles}


def test_the_founding_document_is_covered_sentence_by_sentence() -> None:
    numbers = [int(row[0]) for row in FOUNDING]
    assert numbers
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize("row", FOUNDING, ids=[row[0] for row in FOUNDING])
def test_a_sentence_of_the_founding_document_names_what_exists(row: Sequence[str]) -> None:
    _, _, requirements, covered = row
    assert set(requirements.split(", ")) <= set(REQUIREMENTS)
    for name in re.findall(r"`([^`]+)`", covered):
        file, is_test, function = name.partition("::")
        if is_test:
            assert f"def {function}(" in (REPOSITORY / file).read_text("utf-8")
        else:
            assert name in TEMPLATES


@pytest.mark.parametrize("row", FOUNDING, ids=[row[0] for row in FOUNDING])
def test_a_sentence_of_the_founding_document_is_covered_by_its_requirements(
    row: Sequence[str],
) -> None:
    _, _, requirements, covered = row
    cited = {
        identifier
        for case in CASES
        if f"`{case.id.partition('[')[0]}`" in covered
        for identifier in case.requires
    }
    assert cited & set(requirements.split(", "))


def vectors() -> tuple[Table, ...]:
    """Return the vectors of the event stream that can be played against a client.

    Vectors about a limit of a few bytes are left out, and so are A04 and A05 (thousands of digits,
    which the family `hardened` sends in its own way) and A35 (its cursor cannot be sent, ARK-RES-11).
    """
    document = Table.of("sse.json", parse_json((SPECIFICATION / "vectors/sse.json").read_bytes()))
    return tuple(
        vector
        for vector in document.tables("vectors")
        if not vector.has("max_event_size") and vector.text("id") not in {"A04", "A05", "A35"}
    )


VECTORS = vectors()
VECTOR_IDS = [vector.text("id") for vector in VECTORS]


def pieces(vector: Table) -> list[str]:
    """Return the chunks of a vector, in hexadecimal."""
    return [data.hex() for data in map(_bytes, vector.items("chunks")) if data]


def _bytes(chunk: Json) -> bytes:
    match chunk:
        case str():
            return chunk.encode()
        case Mapping():
            table = Table("chunk", chunk)
            if table.has("hex"):
                return bytes.fromhex(table.text("hex"))
            return table.text("repeat").encode() * table.count("times")
        case Sequence():
            return b"".join(map(_bytes, chunk))
        case _:
            raise AssertionError(f"a chunk is {chunk!r}, which is not a chunk")


def driven(template: str) -> Mapping[str, Case]:
    """Return the cases that play vectors against a client, by the id of the vector."""
    prefix = f"sse.vector-{template}["
    return {
        case.id.removeprefix(prefix).removesuffix("]"): case
        for case in CASES
        if case.id.startswith(prefix)
    }


def sent(case: Case, answer: int) -> list[str]:
    """Return the pieces of one answer to the stream, in hexadecimal."""
    streams = Table(case.id, case.source).table("server").tables("stream")
    return [frame.text("bytes_hex") for frame in streams[answer].tables("frames")]


def expected(case: Case, word: str) -> Json:
    """Return one expectation of a case, by its name."""
    return Table(case.id, case.source).table("expect").raw(word)


@pytest.mark.parametrize("vector", VECTORS, ids=VECTOR_IDS)
def test_every_vector_is_driven_through_a_client_and_its_cursor_is_judged(vector: Table) -> None:
    name, seed = vector.text("id"), vector.text("last_event_id", "")
    after = vector.table("expect").text("last_event_id")
    prefix = "seeded-" if seed else ""
    # Two answers come first, so that a client that never sends a cursor does not fail here.
    earlier = ["before", seed or "ready"]
    judging: dict[str, Json] = {
        ("seeded" if seed else "cursor"): after,
        "keeps-the-cursor": earlier[-1],
        f"{prefix}empty-id": False,
        f"{prefix}empty-id-clears": False,
    }
    profiles: list[str] = []
    for template, later in judging.items():
        if case := driven(template).get(name):
            profiles += case.profiles
            assert sent(case, len(earlier)) == pieces(vector)
            assert expected(case, "last_event_ids") == [False, *earlier, later]
            assert bool(after) == (template in {"seeded", "cursor"})
    assert sorted(profiles) == sorted(PROFILE_NAMES)


@pytest.mark.parametrize("vector", VECTORS, ids=VECTOR_IDS)
def test_whether_a_vector_dispatches_anything_is_judged(vector: Table) -> None:
    dispatches = bool(vector.table("expect").items("events"))
    case = driven("dispatches" if dispatches else "dispatches-nothing")[vector.text("id")]
    for answer in range(2, 3 if dispatches else 6):  # after the part that only sets up the premise
        assert sent(case, answer) == pieces(vector)


def test_the_retry_of_every_vector_that_has_one_is_judged() -> None:
    cap = 60_000
    asked = {
        vector.text("id"): min(vector.table("expect").count("retry"), cap)
        for vector in VECTORS
        if vector.table("expect").raw("retry") is not None
    }
    found = {
        name: Table(name, {"sleeps": expected(case, "sleeps")}).tables("sleeps")[-1].number("min")
        for name, case in driven("retry").items()
    }
    assert found == asked
