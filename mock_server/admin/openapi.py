"""The OpenAPI description of the admin API, generated from the table of operations."""

import types
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Final, Union, get_args, get_origin, get_type_hints

import attrs

from arkor_proto import __version__
from mock_server.admin.operations import OPERATIONS, Operation, Schema, shared, table
from mock_server.journal.records import Record
from mock_server.journal.verification import VERIFICATION
from mock_server.journal.waiting import MILESTONE
from mock_server.scenario.files import SCENARIO
from mock_server.scenario.model import JOB
from mock_server.scenario.rule import RULE
from mock_server.scenario.vocabulary import FRAME

_ERROR: Final = table(error={"type": "string"})
_SERVER: Final = table(
    id={"type": "string"},
    base_url={"type": "string"},
    name={"type": "string"},
    open_connections={"type": "integer", "minimum": 0},
)
_TYPES: Final[Mapping[object, Schema]] = {
    int: {"type": "integer"},
    float: {"type": "number"},
    str: {"type": "string"},
    bytes: {"type": "string"},
    bool: {"type": "boolean"},
    types.NoneType: {"type": "null"},
    object: {},
}
_ABOUT: Final = (
    "Controls the mock over HTTP. Writes need `Authorization: Bearer <token>`, with the token that "
    "arkor-mock prints when it starts; so do reads if other machines can reach the admin API. "
    "Requests with an unknown Host, or from a web page of another origin, are refused. A scenario "
    "can also be sent as TOML, with a Content-Type that contains `toml`."
)


@cache
def description(prefix: str) -> Mapping[str, object]:
    """Return the OpenAPI description of the admin API, with `prefix` as the base path."""
    paths: dict[str, dict[str, object]] = {}
    for each in OPERATIONS:
        paths.setdefault(each.path, {})[each.method.lower()] = _described(each)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "The admin API of arkor-mock",
            "version": __version__,
            "description": _ABOUT,
        },
        "servers": [{"url": prefix}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {
                "Error": _ERROR,
                "Server": _SERVER,
                "Scenario": SCENARIO.schema(),
                "Rule": RULE.schema(),
                "Job": JOB.schema(),
                "Event": FRAME.schema(),
                "Wait": MILESTONE.schema(),
                "Verification": VERIFICATION.schema(),
                "Record": {"oneOf": [_recorded(kind) for kind in get_args(Record)]},
            },
        },
    }


def _described(operation: Operation) -> dict[str, object]:
    whole: dict[str, object] = {"summary": operation.does, "operationId": _named(operation)}
    if operation.needs_token:
        whole["security"] = [{"token": []}]
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in operation.parameters
    ]
    parameters += [
        {"name": name, "in": "query", "description": means, "schema": {"type": "string"}}
        for name, means in operation.query.items()
    ]
    if parameters:
        whole["parameters"] = parameters
    if operation.body is not None:
        whole["requestBody"] = {"content": {"application/json": {"schema": operation.body}}}
    answers: dict[str, object] = {
        str(operation.status.value): _answer(operation.does, operation.answer, operation.kind)
    }
    if operation.problems is not None:
        answers["409"] = _answer("Problems were found", operation.problems)
    whole["responses"] = {**answers, "default": _answer("The request was refused", shared("Error"))}
    return whole


def _answer(says: str, schema: Schema, kind: str = "application/json") -> Schema:
    return {"description": says, "content": {kind: {"schema": schema}}}


def _named(operation: Operation) -> str:
    parts = [part.strip("{}").partition(".")[0] for part in operation.segments if part]
    return "_".join([operation.method.lower(), *parts])


def _recorded(kind: type[attrs.AttrsInstance]) -> Schema:
    """Return the schema of what `record_to_dict` returns for a record of this kind."""
    hints: Mapping[str, object] = get_type_hints(kind)
    members = {
        each.name: _typed(hints[each.name])
        for each in attrs.fields(kind)
        if not each.metadata.get("for listeners")
    }
    return {"title": kind.__name__, **table(kind={"const": kind.__name__}, **members)}


def _typed(hint: object) -> Schema:
    if isinstance(hint, type) and issubclass(hint, Enum):
        return {"enum": [str(each.value) for each in hint]}
    if get_origin(hint) in {types.UnionType, Union}:
        return {"anyOf": [_typed(each) for each in get_args(hint)]}
    if get_origin(hint) is tuple:
        return {"type": "array", "items": _typed(get_args(hint)[0])}
    return _TYPES[hint]
