"""Real answers against the description, strictly: what it does not describe must not be there."""

import json
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Final, Protocol

import jsonschema  # type: ignore[import-untyped]  # it ships no types
import yaml
from attrs import frozen

from arkor_proto import EventStreamParser
from conformance.strict_data import Json
from mock_server.strict.shapes import is_array, is_table
from tests.mock_server.rawclient import Answer

SPEC: Final = Path(__file__).parents[4] / "spec"
FILE: Final = SPEC / "openapi.yaml"
_FRAMING: Final = frozenset({"content-type", "content-length", "transfer-encoding", "connection"})
"""Header fields about the message itself, which OpenAPI describes in other places or not at all."""


class Undescribed(AssertionError):
    """Something was sent that the description does not have."""


class _Validator(Protocol):
    """What is used here of the validators of jsonschema, whose types are known in part only."""

    def descend(self, instance: object, schema: object) -> Iterator[Exception]:
        """Yield what is wrong with a part of the document."""
        ...

    def iter_errors(self, instance: object) -> Iterator[Exception]:
        """Yield what is wrong with a document."""
        ...


class _Extend(Protocol):
    """The maker of validators of jsonschema, which has no types at all."""

    def __call__(
        self, validator: object, keywords: Mapping[str, object], /
    ) -> Callable[[object], _Validator]:
        """Return a kind of validator that has these keywords as well."""
        ...


_EXTEND: Final[_Extend] = import_module("jsonschema.validators").extend


def _closed(
    validator: _Validator, properties: Mapping[str, object], instance: object, schema: object
) -> Iterator[Exception]:
    """Check the members of an object; others are allowed only where the schema says so."""
    assert is_table(schema)
    if not is_table(instance):
        return
    for name, value in instance.items():
        if name in properties:
            yield from validator.descend(value, properties[name])
        elif "additionalProperties" not in schema:
            yield jsonschema.ValidationError(f"the member {name!r} is not described")


def _content(
    validator: _Validator, content: object, instance: object, schema: object
) -> Iterator[Exception]:
    """Check a text that is JSON, which validators do only if they are told to."""
    assert is_table(schema)
    assert schema["contentMediaType"] == "application/json"
    try:
        value: object = json.loads(str(instance), parse_constant=_refused)
    except ValueError as error:
        yield jsonschema.ValidationError(f"the data is not JSON: {error}")
        return
    yield from validator.descend(value, content)


def _refused(name: str) -> object:
    raise ValueError(f"{name} is not a value of JSON")


@cache
def document() -> Mapping[str, object]:
    """Return the description as it is in the file."""
    found = yaml.safe_load(FILE.read_text("utf-8"))
    assert is_table(found)
    return found


def at(*path: str) -> Mapping[str, object]:
    """Return the object at a place of the description; references are followed."""
    found: Mapping[str, object] = document()
    for name in path:
        inner = found[name]
        assert is_table(inner), path
        found = inner
        while isinstance(reference := found.get("$ref"), str):
            found = at(*reference.removeprefix("#/").split("/"))
    return found


def problems(schema: object, value: object) -> list[str]:
    """Return what a schema of the description says against a value."""
    assert is_table(schema)
    found = _validator({"components": document()["components"], **schema}).iter_errors(value)
    return [str(error).partition("\n")[0] for error in found]


def _validator(schema: Mapping[str, object]) -> _Validator:
    keywords = {"properties": _closed, "contentSchema": _content}
    return _EXTEND(jsonschema.Draft202012Validator, keywords)(schema)


def check(schema: object, value: object, where: str) -> None:
    """Raise Undescribed for a value that does not satisfy a schema of the description."""
    if found := problems(schema, value):
        raise Undescribed(f"{where}: {found}")


@frozen
class Seen:
    """What of the description an answer has shown."""

    status: str
    headers: frozenset[str]
    media: str
    frames: tuple[Mapping[str, object], ...]


def seen_in(path: str, method: str, answer: Answer) -> Seen:
    """Check an answer against the description; raise Undescribed."""
    responses = at("paths", path, method.lower(), "responses")
    keys = (str(answer.status), f"{answer.status // 100}XX")
    status = next((key for key in keys if key in responses), None)
    if status is None:
        raise Undescribed(f"{method} {path}: the status {answer.status} is not described")
    response = at("paths", path, method.lower(), "responses", status)
    where = f"{method} {path}, {answer.status}"
    headers = _checked_headers(response, answer, where)
    media, frames = _checked_body(response, answer, where)
    return Seen(status, headers, media, frames)


def _checked_headers(response: Mapping[str, object], answer: Answer, where: str) -> frozenset[str]:
    described = response.get("headers", {})
    assert is_table(described)
    names = {name.lower(): name for name in described}
    fields = [line.partition(": ") for line in answer.head.split("\r\n")[1:] if line]
    found: set[str] = set()
    for field, _, value in fields:
        if field.lower() in _FRAMING:
            continue
        name = names.get(field.lower())
        if name is None:
            raise Undescribed(f"{where}: the header {field} is not described")
        check(at("components", "headers", name)["schema"], value, f"{where}: {field}")
        found.add(name)
    for name in names.values():
        if at("components", "headers", name).get("required") and name not in found:
            raise Undescribed(f"{where}: the header {name} is missing")
    return frozenset(found)


def _checked_body(
    response: Mapping[str, object], answer: Answer, where: str
) -> tuple[str, tuple[Mapping[str, object], ...]]:
    content = response.get("content", {})
    assert is_table(content)
    chunked = answer.header("Transfer-Encoding") == "chunked"
    body = answer.unchunked if chunked else answer.body
    if not content:
        if body:
            raise Undescribed(f"{where}: a body is not described")
        return "", ()
    media = (answer.header("Content-Type") or "").partition(";")[0]
    kind = content.get(media)
    if not is_table(kind):
        raise Undescribed(f"{where}: the media type {media!r} is not described")
    if "itemSchema" not in kind:
        check(kind["schema"], json.loads(body), where)
        return media, ()
    frames = tuple(frames_in(body))
    for frame in frames:
        check(kind["itemSchema"], frame, f"{where}: {frame}")
    return media, frames


def frames_in(body: bytes) -> Iterator[dict[str, Json]]:
    """Yield the events of a stream as OpenAPI sees them; `message` is the name of one without."""
    parser, retry = EventStreamParser(), None
    for block in body.split(b"\n\n"):
        for event in parser.feed(block + b"\n\n"):
            frame: dict[str, Json] = {"data": event.data}
            if event.has_id:
                frame["id"] = event.last_event_id
            if event.type != "message":
                frame["event"] = event.type
            if parser.retry != retry:
                frame["retry"] = retry = parser.retry
            yield frame


def references(value: object) -> Iterator[str]:
    """Yield every reference in a part of the description."""
    if is_table(value):
        if isinstance(value.get("$ref"), str):
            yield str(value["$ref"])
        for inner in value.values():
            yield from references(inner)
    elif is_array(value):
        for inner in value:
            yield from references(inner)
