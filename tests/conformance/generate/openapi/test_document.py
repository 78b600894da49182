"""The description of the protocol: current, valid, complete, and the same as the prose."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import parse_qs

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import pytest
from openapi_spec_validator import validate

from arkor_proto import PROFILES
from arkor_proto._json import EVENT_TYPES, TERMINAL_STATUSES
from conformance.casefile.requirements import load_requirements
from conformance.generate.openapi.document import description, parameters_of, path_of
from conformance.generate.openapi.operations import OPERATIONS, Operation
from conformance.generate.openapi.text import text
from mock_server.requests import PATHS
from mock_server.scenario.vocabulary import JobStatus
from mock_server.strict.shapes import is_array, is_table
from tests.conformance.generate.openapi.described import (
    FILE,
    SPEC,
    at,
    check,
    document,
    frames_in,
    references,
)

PROSE: Final = (SPEC / "protocol.md").read_text("utf-8")
SCHEMAS: Final = tuple(at("components", "schemas"))
_ANY_EVENT: Final = {"type", "jobId", "timestamp"}
"""What every event can have, so that the prose says it only where it matters."""

every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)


def test_the_file_is_the_one_that_is_generated() -> None:
    stale = "spec/openapi.yaml is stale: run python -m conformance.generate.openapi"
    assert FILE.read_text("utf-8") == text(), stale


def test_a_reader_of_yaml_gets_what_was_written() -> None:
    assert document() == json.loads(json.dumps(description()))


def test_it_is_valid_openapi_3_2() -> None:
    assert document()["openapi"] == "3.2.0"
    validate(document())


def schema_objects(value: object) -> Iterator[Mapping[str, object]]:
    """Yield every schema that is not within another, also where the validator does not look."""
    if is_table(value):
        for name, inner in value.items():
            if name in {"schema", "itemSchema"}:
                assert is_table(inner)
                yield inner
            else:
                yield from schema_objects(inner)
    elif is_array(value):
        for inner in value:
            yield from schema_objects(inner)


def test_every_schema_is_one() -> None:
    found = [*schema_objects(document()), *(at("components", "schemas", name) for name in SCHEMAS)]
    assert len(found) > 60
    for each in found:
        jsonschema.Draft202012Validator.check_schema(each)


def test_every_reference_leads_somewhere_and_every_component_is_used() -> None:
    used = {*references(document())}
    for each in used:
        assert at(*each.removeprefix("#/").split("/"))
    kinds = ("parameters", "headers", "responses", "schemas")
    there = {f"#/components/{kind}/{name}" for kind in kinds for name in at("components", kind)}
    assert there == used


def test_the_operations_are_the_routes_of_the_mock() -> None:
    described = {(path, method) for path, item in at("paths").items() for method in names(item)}
    assert described == {
        (path, method.lower()) for path, (_, methods) in PATHS.items() for method in methods
    }


def test_the_operations_are_in_the_table_of_the_prose() -> None:
    rows = re.findall(r"^\| \w+ \| `(GET|POST) (/v1/[^?`]+)[^|]*\|", PROSE, re.MULTILINE)
    assert sorted((each.request.method, path_of(each)) for each in OPERATIONS) == sorted(rows)


def names(value: object) -> set[str]:
    assert is_table(value)
    return set(value)


@every_operation
def test_what_the_core_sends_is_described(operation: Operation) -> None:
    request = operation.request
    query = parse_qs(request.target.partition("?")[2])
    sent = {name.decode(): value.decode() for name, value in request.headers}
    for name, where in parameters_of(operation).items():
        value = {"path": "job-1", "query": query.get(name, [""])[0]}.get(where) or sent[name]
        check(at("components", "parameters", name)["schema"], value, name)
    place = ("paths", path_of(operation), request.method.lower())
    assert ("requestBody" in at(*place)) == bool(request.body)
    if request.body:
        media = at(*place, "requestBody", "content", sent["Content-Type"])
        check(media["schema"], json.loads(request.body), operation.name)


def test_every_rule_that_is_cited_exists() -> None:
    cited = set(re.findall(r"ARK-[A-Z]{3}-\d+", text()))
    assert len(cited) > 10
    of_backends = load_requirements(SPEC / "backend-requirements.toml")
    assert cited <= {*load_requirements(), *of_backends}


def members(cell: str) -> tuple[set[str], set[str]]:
    """Return the members that a text of the prose names, and those of them that may be absent."""
    found = re.findall(r"`?\b([a-z]\w*)(\?)?`?", cell)
    return {name for name, _ in found}, {name for name, mark in found if mark}


def required_of(name: str) -> set[str]:
    found = at("components", "schemas", name)["required"]
    assert is_array(found)
    return {str(each) for each in found}


@pytest.mark.parametrize(("kind", "name"), [(k.__name__, v) for k, v in EVENT_TYPES.items()])
def test_the_members_of_an_event_are_those_of_the_prose(kind: str, name: str) -> None:
    row = re.search(rf"^\| `{name}` \| ([^|;]*)", PROSE, re.MULTILINE)
    assert row is not None
    said, optional = members(" ".join(re.findall(r"`[^`]+`", row[1])))
    assert said <= set(at("components", "schemas", kind, "properties"))
    assert set(at("components", "schemas", kind, "properties")) <= said | _ANY_EVENT
    assert required_of(kind) == (said - optional) | {"type"}


def test_the_members_of_a_job_are_those_of_the_prose() -> None:
    said = re.search(r"^A job has (.*?)\.$", PROSE, re.MULTILINE | re.DOTALL)
    assert said is not None
    statuses = re.search(r"\(([^)]*)\)", said[1])
    assert statuses is not None
    named, optional = members(" ".join(re.findall(r"`[^`]+`", said[1].replace(statuses[0], ""))))
    assert set(at("components", "schemas", "Job", "properties")) == named
    assert required_of("Job") == named - optional
    known = {each.value for each in JobStatus}
    assert known == {*re.findall(r"`(\w+)`", statuses[1])}
    assert known >= TERMINAL_STATUSES


def test_the_options_are_those_of_the_prose() -> None:
    start = PROSE.index("These are the members of `config`; ")
    rows = re.findall(r"^\| .* \| (`.*`) \|$", PROSE[start:], re.MULTILINE)[:6]
    said = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert said == set(at("components", "schemas", "JobConfig", "properties"))


def test_the_example_of_a_stream_is_described() -> None:
    place = ("paths", "/v1/jobs/{id}/events/stream", "get", "responses", "200", "content")
    media = at(*place, "text/event-stream")
    run = at(*place, "text/event-stream", "examples", "run")
    frames = list(frames_in(str(run["serializedValue"]).encode()))
    assert len(frames) == 5
    for frame in frames:
        check(media["itemSchema"], frame, "example")


def test_an_answer_to_opening_the_stream_says_which_profiles_it_ends_the_wait_under() -> None:
    responses = at("paths", "/v1/jobs/{id}/events/stream", "get", "responses")
    for status, answer in responses.items():
        assert is_table(answer)
        for profile in PROFILES:
            ends = status.isdigit() and int(status) in profile.permanent_statuses
            assert (f"`{profile.name}`" in str(answer["description"])) == ends, status
