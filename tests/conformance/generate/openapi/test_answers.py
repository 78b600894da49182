"""The description against the real answers of the mock, in both directions."""

from collections.abc import Mapping, Sequence

import pytest

from arkor_proto._json import EVENT_TYPES
from conformance.generate.openapi.document import path_of
from conformance.generate.openapi.operations import OPERATIONS, Operation
from mock_server import MockServer, scenario_from_dict
from mock_server.requests import PATHS
from mock_server.strict.shapes import is_table
from tests.conformance.generate.openapi.described import Seen, Undescribed, at, seen_in
from tests.conformance.generate.openapi.provocations import (
    EVERY,
    JOB,
    NOTICES,
    Provocation,
    provocations,
    raw,
)
from tests.mock_server.rawclient import Answer, RawClient

pytestmark = pytest.mark.anyio

every_operation = pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
NAMED = {each.name: each for each in OPERATIONS}
BEFORE_ANY_RULE = {"400", "408", "413", "431"}
"""What a request is refused with before a rule of the mock could add a notice to the answer."""


@pytest.fixture
def anyio_backend() -> str:
    """Run these tests on one event loop; the tests of the mock run it on both."""
    return "asyncio"


async def answered(port: int, request: bytes) -> Answer:
    """Send a request on a connection of its own, and read until its end."""
    async with RawClient(port) as client:
        await client.send(request)
        everything, ending = await client.read_to_end()
    head, _, body = everything.partition(b"\r\n\r\n")
    return Answer(head.decode("latin-1"), body, ending)


async def provoked(provocation: Provocation) -> Answer:
    async with MockServer(scenario_from_dict(provocation.words)) as mock:
        *before, last = provocation.requests
        for request in before:
            assert (await answered(mock.port, request)).status < 300
        return await answered(mock.port, last)


async def seen_of(operation: Operation) -> list[Seen]:
    """Provoke every answer of an operation, and return what was seen."""
    found: list[Seen] = []
    for status, each in provocations(operation).items():
        for provocation in each:
            answer = await provoked(provocation)
            seen = seen_in(path_of(operation), operation.request.method, answer)
            assert seen.status == status, (provocation, answer)
            found.append(seen)
    return found


@every_operation
async def test_every_answer_is_described_and_every_described_answer_is_given(
    operation: Operation,
) -> None:
    seen = await seen_of(operation)
    place = ("paths", path_of(operation), operation.request.method.lower(), "responses")
    assert {each.status for each in seen} == set(at(*place))
    for status in at(*place):
        response = at(*place, status)
        mine = [each for each in seen if each.status == status]
        content, headers = response.get("content", {"": {}}), response["headers"]
        assert is_table(content)
        assert is_table(headers)
        assert {each.media for each in mine} == set(content), status
        given = {name for each in mine for name in each.headers}
        missing = set(headers) - given
        assert missing <= (set(NOTICES) if status in BEFORE_ANY_RULE else set()), status


async def test_frames_of_every_kind_are_seen() -> None:
    frames = [frame for each in await seen_of(NAMED["stream"]) for frame in each.frames]
    assert {*EVENT_TYPES.values(), "ping", "end"} <= {frame.get("event") for frame in frames}
    for name in ("id", "event", "retry"):
        assert {name in frame for frame in frames} == {True, False}


@pytest.mark.parametrize("path", PATHS)
async def test_a_method_that_is_not_described_is_refused_with_those_that_are(path: str) -> None:
    described = {method.upper() for method in at("paths", path)}
    async with MockServer() as mock:
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"} - described:
            target = path.replace("{id}", JOB)
            head = f"{method} {target} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
            answer = await answered(mock.port, head.encode())
            assert answer.status == 405
            assert {*(answer.header("Allow") or "").split(", ")} == described


LOG = {"type": "training.log", "step": 1}
JOB_SHOWN: Mapping[str, object] = {
    "id": JOB,
    "orgId": "o",
    "projectId": "p",
    "name": "n",
    "status": "queued",
    "config": {"model": "m"},
    "createdAt": "t",
}


UNDESCRIBED: Sequence[tuple[str, Mapping[str, object], str]] = [
    ("me", {"status": 418}, "the status 418 is not described"),
    ("me", {"headers": {"X-Load": "1"}}, "the header X-Load is not described"),
    ("me", {"headers": {"Deprecation": "yes"}}, "'true' was expected"),
    ("me", {"headers": {"Warning": "be warned"}}, "does not match"),
    ("me", {"status": 401}, "the header WWW-Authenticate is missing"),
    ("me", {"status": 500, "json": {"message": "no"}}, "'error' is a required property"),
    ("me", {"content_type": "text/html"}, "the media type 'text/html' is not described"),
    ("job", {"json": {"job": {**JOB_SHOWN, "owner": "me"}}}, "the member 'owner' is not"),
    ("job", {"json": {"job": {"id": JOB}}}, "'orgId' is a required property"),
    ("job", {"json": {"job": JOB_SHOWN, "events": [{"step": 1}]}}, "is not valid under any"),
    ("cancel", {"json": "done"}, "is not of type 'object'"),
    ("stream", {"frames": [{"data": "{"}]}, "is not valid under any"),
    ("stream", {"frames": [{"data": '{"type": "training.log", "step": NaN}'}]}, "not valid"),
    ("stream", {"frames": [{"json": {**LOG, "loss": "2.1"}}]}, "is not valid under any"),
    ("stream", {"frames": [{"json": {**LOG, "extra": 1}}]}, "is not valid under any"),
    ("stream", {"frames": [{"json": {"type": "training.log"}}]}, "is not valid under any"),
    ("stream", {"frames": [{"json": LOG, "id": "x" * 1025}]}, "is not valid under any"),
    ("chat", {"frames": [{"json": {"choices": [{"index": 0}]}}]}, "is not valid under any"),
]


@pytest.mark.parametrize(("name", "rule", "why"), UNDESCRIBED)
async def test_what_is_not_described_is_noticed(
    name: str, rule: Mapping[str, object], why: str
) -> None:
    operation = NAMED[name]
    words: Mapping[str, object] = {
        "job": [{"id": JOB, "submitted": True}],
        "rule": [{"on": EVERY, **rule}],
    }
    answer = await provoked(Provocation(words, (raw(operation.request),)))
    with pytest.raises(Undescribed, match=why):
        seen_in(path_of(operation), operation.request.method, answer)
