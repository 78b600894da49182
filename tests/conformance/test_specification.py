"""The specification holds together: prose, data, cases and vectors say the same.

It knows how a requirement looks in the prose and where the founding document's table stands. It
refuses to know what any requirement means.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import pytest
from attrs import frozen

from conformance.case import Case
from conformance.loader import load_cases
from conformance.reading import Json, Table, parse_json
from conformance.specification import (
    PROFILE_NAMES,
    Level,
    Requirement,
    load_requirements,
    specification_directory,
)

SPECIFICATION = specification_directory()
REPOSITORY = Path(__file__).parents[2]
REQUIREMENTS = load_requirements()
CASES = load_cases(REQUIREMENTS)
TEMPLATES = {case.id.partition("[")[0] for case in CASES}
PROSE = (SPECIFICATION / "protocol.md").read_text("utf-8")
FAMILIES: Sequence[str] = (
    *("CRE", "STR", "RES", "BAK", "BUD", "ERR", "SSE", "EVT"),
    *("CAN", "ABT", "IDL", "WIR", "SEC"),
)
SOURCES = ("published", "standard", "observed", "proposal")
STRENGTH = (Level.MAY, Level.SHOULD, Level.MUST)

STATED = re.compile(
    r"^> \*\*(?P<id>ARK-[A-Z]{3}-\d+)\*\* · (?P<level>\w+) · (?P<profiles>.+?) · (?P<source>\w+)"
    r"<br>\n(?P<body>(?:> .+\n)+)",
    re.MULTILINE,
)
IDENTIFIER = re.compile(r"ARK-([A-Z]{3})-(\d+)")


@frozen
class Statement:
    """One requirement as somebody states it."""

    id: str
    level: str
    profiles: tuple[str, ...]
    source: str
    text: str
    why: str

    @classmethod
    def of(cls, requirement: Requirement) -> "Statement":
        """Return what the data states."""
        return cls(
            requirement.id,
            requirement.level.value,
            requirement.profiles,
            requirement.source,
            requirement.text,
            requirement.why,
        )


def stated() -> list[Statement]:
    """Return what the prose states, in its order."""
    return [_statement(found) for found in STATED.finditer(section("## 5 "))]


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
        text,
        why.removeprefix("*").removesuffix("*"),
    )


def section(heading: str) -> str:
    """Return the section of the prose whose heading begins so."""
    _, start, rest = PROSE.partition(f"\n{heading}")
    assert start, f"protocol.md: no section {heading!r}"
    return rest.partition("\n## ")[0] + "\n"


def founding_rows() -> list[tuple[str, ...]]:
    """Return the cells of the founding document's table."""
    rows = re.findall(r"^\| (\d+) \| (.+) \| (.+) \| (.+) \|$", section("## 7 "), re.MULTILINE)
    return [tuple(row) for row in rows]


FOUNDING = founding_rows()


def test_prose_and_data_state_the_same_requirements() -> None:
    assert stated() == [Statement.of(requirement) for requirement in REQUIREMENTS.values()]


def test_requirements_stand_in_the_order_of_their_families_and_numbers() -> None:
    places = [
        (FAMILIES.index(found[1]), int(found[2]))
        for found in map(IDENTIFIER.fullmatch, REQUIREMENTS)
        if found
    ]
    assert len(places) == len(REQUIREMENTS)
    assert all(earlier < later for earlier, later in pairwise(places))


@pytest.mark.parametrize("requirement", REQUIREMENTS.values(), ids=REQUIREMENTS)
def test_a_requirement_is_one_sentence_of_its_level_with_a_reason(requirement: Requirement) -> None:
    assert f" {requirement.level.value} " in requirement.text
    assert requirement.text.endswith(".")
    assert not re.search(r"\. [A-Z`]", requirement.text), "a second sentence"
    assert requirement.why.endswith((".", ".)"))


def test_no_two_requirements_say_the_same_under_one_profile() -> None:
    texts = [(each.text, profile) for each in REQUIREMENTS.values() for profile in each.profiles]
    assert len(set(texts)) == len(texts)


def test_every_source_is_known_and_what_was_only_observed_is_never_a_must() -> None:
    assert {requirement.source for requirement in REQUIREMENTS.values()} <= set(SOURCES)
    assert not [
        requirement.id
        for requirement in REQUIREMENTS.values()
        if requirement.source == "observed" and requirement.level is Level.MUST
    ]


def test_every_requirement_that_the_prose_mentions_exists() -> None:
    assert {found[0] for found in IDENTIFIER.finditer(section("## 3 "))} <= set(REQUIREMENTS)
    assert {found[0] for found in IDENTIFIER.finditer(section("## 5 "))} <= set(REQUIREMENTS)
    assert {found[0] for found in IDENTIFIER.finditer(section("## 6 "))} <= set(REQUIREMENTS)


def test_every_link_into_the_document_has_its_heading() -> None:
    headings = re.findall(r"^#{2,3} (.+)$", PROSE, re.MULTILINE)
    anchors = {re.sub(r"[^\w\- ]", "", heading).lower().replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\]\(#([^)]+)\)", PROSE)) == anchors


def test_every_file_that_the_document_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", PROSE)
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
def test_a_case_runs_under_every_profile_that_has_all_its_requirements(profile: str) -> None:
    # One thousand opens once are enough: every profile has the same arithmetic (ARK-BAK-8).
    expensive = {"backoff.a-thousand-failures-in-a-row"}
    left_out = [
        case.id
        for case in CASES
        if profile not in case.profiles
        and all(profile in REQUIREMENTS[identifier].profiles for identifier in case.requires)
        and case.id not in expensive
    ]
    assert not left_out


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
    """Return the vectors of the event stream that a client can be driven with.

    Left out are those about a bound of a few bytes, and: A04 and A05, thousands of digits that the
    family `hardened` sends in its own way; A35, whose cursor cannot be sent (ARK-RES-11).
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
            raise AssertionError(f"a chunk is {chunk!r}, which is no chunk")


def driven(template: str) -> Mapping[str, Case]:
    """Return the cases that drive vectors through a client, by the id of the vector."""
    prefix = f"sse.vector-{template}["
    return {
        case.id.removeprefix(prefix).removesuffix("]"): case
        for case in CASES
        if case.id.startswith(prefix)
    }


def sent(case: Case, answer: int) -> list[str]:
    """Return the pieces of one answer to the stream, in hexadecimal."""
    streams = Table(case.id, case.server).tables("stream")
    return [frame.text("bytes_hex") for frame in streams[answer].tables("frames")]


def expected(case: Case, word: str) -> Json:
    """Return what a case expects under one word."""
    return Table(case.id, case.source).table("expect").raw(word)


@pytest.mark.parametrize("vector", VECTORS, ids=VECTOR_IDS)
def test_every_vector_is_driven_through_a_client_and_its_cursor_is_judged(vector: Table) -> None:
    name, seed = vector.text("id"), vector.text("last_event_id", "")
    after = vector.table("expect").text("last_event_id")
    prefix = "seeded-" if seed else ""
    judging = {
        ("seeded" if seed else "cursor"): ([seed] if seed else [], after),
        "keeps-the-cursor": (["before"], "before"),
        f"{prefix}empty-id": ([seed] if seed else [], False),
        f"{prefix}empty-id-clears": ([seed] if seed else [], False),
    }
    profiles: list[str] = []
    for template, (earlier, later) in judging.items():
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
    assert sent(case, 0) == pieces(vector)


def test_the_retry_of_every_vector_that_has_one_is_judged() -> None:
    cap = 60_000
    asked = {
        vector.text("id"): min(vector.table("expect").count("retry"), cap)
        for vector in VECTORS
        if vector.table("expect").raw("retry") is not None
    }
    found = {
        name: Table(name, {"sleeps": expected(case, "sleeps")}).tables("sleeps")[0].number("min")
        for name, case in driven("retry").items()
    }
    assert found == asked
