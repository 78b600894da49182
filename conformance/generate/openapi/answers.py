"""Describe the responses that the API's operations can give, by status."""

from collections.abc import Sequence
from typing import Final

from attrs import frozen

from arkor_proto import HARDENED, PROFILES
from conformance.generate.openapi.fields import NOTICES
from conformance.generate.openapi.operations import EVENT_STREAM, JSON, Operation
from conformance.generate.openapi.schemas import shared
from mock_server.strict.schema import Schema


@frozen
class Answer:
    """A response that several operations share: its name, meaning, header fields and schema."""

    name: str
    about: str
    headers: tuple[str, ...] = ()
    schema: str = "Error"

    def described(self) -> Schema:
        """Return the OpenAPI description of the response."""
        content = {"content": {JSON: {"schema": shared(self.schema)}}} if self.schema else {}
        headers = _headers((*NOTICES, *self.headers))
        return {"description": self.about, "headers": headers, **content}


COMMON: Final = {
    "400": Answer("BadRequest", "The backend cannot understand the request."),
    "401": Answer(
        "Unauthorized", "The token is missing, unknown or no longer valid.", ("WWW-Authenticate",)
    ),
    "403": Answer("Forbidden", "The caller is not allowed to do this."),
    "408": Answer("RequestTimeout", "The complete request did not arrive in time."),
    "413": Answer("ContentTooLarge", "The request body is too large."),
    "426": Answer("UpgradeRequired", "The client is too old.", (), "UpgradeNeeded"),
    "429": Answer("TooManyRequests", "Too many requests, streams or jobs.", ("Retry-After",)),
    "431": Answer("HeadTooLarge", "The header fields of the request are too large."),
    "503": Answer("Unavailable", "The backend is overloaded or down.", ("Retry-After",)),
    "5XX": Answer("ServerError", "The backend, or a gateway in front of it, failed."),
}
"""The responses that any operation can give, by status."""
OTHERS: Final = {
    "204": Answer("NoContent", "The response has no content.", (), ""),
    "3XX": Answer("Redirect", "The resource is at another URL.", ("Location",), ""),
    "404": Answer("NotFound", "The resource is unknown, or does not belong to the caller."),
    "409": Answer("Conflict", "The request conflicts with the state of the resource."),
    "410": Answer("Gone", "The resource no longer exists."),
    "422": Answer("UnprocessableContent", "The request contradicts an earlier one."),
}
"""Further responses, which only some operations can give, by status."""


def answers(operation: Operation) -> Schema:
    """Return all responses of an operation, by status."""
    names = (*NOTICES, "Cache-Control") if EVENT_STREAM in operation.content else NOTICES
    success: Schema = {
        "description": operation.success,
        "headers": _headers(names),
        "content": operation.content,
    }
    common = {*COMMON} - ({"401"} if operation.public else set())
    others = sorted(common.union(operation.others))
    return {
        operation.status: success,
        **{status: _reference(operation, status) for status in others},
    }


def shared_answers() -> Schema:
    """Return all responses that operations share, by name."""
    found = (*COMMON.values(), *OTHERS.values())
    return {each.name: each.described() for each in found}


def _reference(operation: Operation, status: str) -> Schema:
    """Return a reference to a shared response, with its meaning for this operation."""
    answer = COMMON.get(status) or OTHERS[status]
    about = operation.others.get(status, answer.about)
    if operation.name == "stream":
        about = f"{about} {_effect(status)}"
    described = {"description": about} if about != answer.about else {}
    return {"$ref": f"#/components/responses/{answer.name}", **described}


def _effect(status: str) -> str:
    """Return a sentence: how a client reacts when its stream request gets this status."""
    if status == "3XX":
        return "The client follows the redirect."
    ending = [
        each.name
        for each in PROFILES
        if status.isdigit() and int(status) in each.permanent_statuses
    ]
    if not ending:
        return "The client counts this as a failure and reopens the stream later."
    late = (
        f", if the job was created more than {HARDENED.not_found_grace:g} s ago"
        if status == "404"
        else ""
    )
    profiles = "profiles" if len(ending) > 1 else "profile"
    named = " and ".join(f"`{name}`" for name in ending)
    return f"Ends the wait under the {profiles} {named}{late}."


def _headers(names: Sequence[str]) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
