"""The answers of the admin API against its own OpenAPI description."""

import json
from functools import cache
from typing import Protocol

import jsonschema  # type: ignore[import-untyped]  # it ships no types

from mock_server.admin.openapi import description
from mock_server.admin.operations import Operation, operation_of
from mock_server.admin.requests import PREFIX
from tests.mock_server.rawclient import Answer

_LONG = 1 << 20


class _Validator(Protocol):
    """What is used here of the validators of jsonschema, whose types are known in part only."""

    def validate(self, instance: object) -> None:
        """Raise ValidationError where a document does not satisfy the schema."""


@cache
def _validator(*places: str) -> _Validator:
    """Return what checks a document against the schema at a place of the description."""
    pointer = "/".join(place.replace("~", "~0").replace("/", "~1") for place in places)
    whole = json.loads(json.dumps(description(PREFIX)))
    found: _Validator = jsonschema.Draft202012Validator({**whole, "$ref": f"#/{pointer}"})
    return found


def asked_for(method: str, path: str) -> Operation | None:
    """Return the operation that a request is; its path may have a query."""
    return operation_of(method, path.partition("?")[0].strip("/").split("/"))


def check_answer(method: str, path: str, body: object, answer: Answer) -> None:
    """Check an answer against the description, and the body that it was given for."""
    operation = asked_for(method, path)
    kind = (answer.header("Content-Type") or "").partition(";")[0]
    if operation is None:
        assert answer.status >= 400, f"{method} {path}: is answered but not described"
        return
    place = ("paths", operation.path, method.lower())
    described = str(answer.status)
    if answer.status != operation.status and not (
        answer.status == 409 and operation.problems and "problems" in answer.json
    ):
        assert answer.status >= 400, f"{method} {path}: the status {answer.status} is not described"
        described = "default"
    if kind == "application/json" and len(answer.body) < _LONG:
        _validator(*place, "responses", described, "content", kind, "schema").validate(answer.json)
    if answer.status < 300 and operation.body is not None and body and not isinstance(body, bytes):
        _validator(*place, "requestBody", "content", "application/json", "schema").validate(body)
