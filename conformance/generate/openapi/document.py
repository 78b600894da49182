"""Assemble the OpenAPI description."""

import json
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import unquote

from arkor_proto import PROFILES
from conformance.casefile.requirements import specification_version
from conformance.generate.openapi.answers import answers, shared_answers
from conformance.generate.openapi.examples import ENDPOINT
from conformance.generate.openapi.fields import ELSEWHERE, HEADERS, PARAMETERS
from conformance.generate.openapi.operations import JSON, OPERATIONS, TAGS, Operation
from conformance.generate.openapi.schemas import schemas, shared
from mock_server.strict.schema import Schema

_ABOUT: Final = f"""\
The requests that clients of the Arkor trainer protocol send, and the responses of backends. The
rules are in the specifications [for clients](protocol.md) and [for backends](backend.md), under the
ids cited here. They also define what a description of single requests cannot express: when a client
reopens a stream, where the stream resumes, and what a client never sends twice.

- Paths are appended to the path of the base URL, if it has one.
- The backend responds with 405 and `Allow` to a method that a path does not support.
- Objects have the listed members. Later versions may add members; clients ignore unknown ones.
- The profiles are revisions of the protocol: {", ".join(f"`{each.name}`" for each in PROFILES)}.

Written by `python -m conformance.generate.openapi`; do not edit."""

_TOKEN: Final[Mapping[str, Sequence[str]]] = {"token": []}
_ANYONE: Final[Sequence[Mapping[str, Sequence[str]]]] = [{}, _TOKEN]
"""The security requirement of an operation that accepts a token but does not need one."""


def description() -> Schema:
    """Return the complete OpenAPI description."""
    paths: dict[str, dict[str, object]] = {}
    for each in OPERATIONS:
        item = paths.setdefault(path_of(each), {})
        item[each.request.method.lower()] = _operation(each)
    return {
        "openapi": "3.2.0",
        "info": {
            "title": "The Arkor trainer protocol",
            "version": specification_version(),
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [
            {
                "url": "{baseUrl}",
                "description": "The backend's base URL.",
                "variables": {"baseUrl": {"default": ENDPOINT.base_url}},
            }
        ],
        "security": [_TOKEN],
        "tags": [{"name": name, "description": about} for name, about in TAGS.items()],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "parameters": _parameters(),
            "headers": {name: each.described() for name, each in HEADERS.items()},
            "responses": shared_answers(),
            "schemas": schemas(),
        },
    }


def path_of(operation: Operation) -> str:
    """Return the path of an operation, with its parameters in braces."""
    return unquote(operation.request.target.partition("?")[0])


def parameters_of(operation: Operation) -> Mapping[str, str]:
    """Return, by name, where each parameter of an operation belongs: path, query or header."""
    path, _, query = operation.request.target.partition("?")
    found = {"id": "path"} if "{id}" in unquote(path) else {}
    found |= {pair.partition("=")[0]: "query" for pair in query.split("&") if pair}
    names = [name.decode() for name, _ in operation.request.headers]
    return found | {name: "header" for name in names if name not in ELSEWHERE}


def _parameters() -> Schema:
    places = {name: place for each in OPERATIONS for name, place in parameters_of(each).items()}
    return {name: PARAMETERS[name].described(name, place) for name, place in places.items()}


def _operation(operation: Operation) -> Schema:
    about = {"description": operation.about} if operation.about else {}
    optional = {"security": _ANYONE} if operation.public else {}
    names = parameters_of(operation)
    return {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.summary,
        **about,
        **optional,
        "parameters": [{"$ref": f"#/components/parameters/{name}"} for name in names],
        **_body(operation),
        "responses": answers(operation),
    }


def _body(operation: Operation) -> Schema:
    if not operation.body:
        return {}
    media = {"schema": shared(operation.body), "example": json.loads(operation.request.body)}
    return {"requestBody": {"required": True, "content": {JSON: media}}}
