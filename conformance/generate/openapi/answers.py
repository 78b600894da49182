"""The answers of an operation."""

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
    """An answer that several operations have: its name, what it means, and what it carries."""

    name: str
    about: str
    headers: tuple[str, ...] = ()
    schema: str = "Error"

    def described(self) -> Schema:
        """Return the description of it."""
        content = {"content": {JSON: {"schema": shared(self.schema)}}} if self.schema else {}
        headers = _headers((*NOTICES, *self.headers))
        return {"description": self.about, "headers": headers, **content}


COMMON: Final = {
    "400": Answer("BadRequest", "The request is not understood."),
    "401": Answer(
        "Unauthorized", "The token is missing, unknown or no longer valid.", ("WWW-Authenticate",)
    ),
    "403": Answer("Forbidden", "The caller has no right to this."),
    "408": Answer("RequestTimeout", "The request did not arrive in time."),
    "413": Answer("ContentTooLarge", "The body of the request is too large."),
    "426": Answer("UpgradeRequired", "The client is too old.", (), "UpgradeNeeded"),
    "429": Answer("TooManyRequests", "Too many requests, streams or jobs.", ("Retry-After",)),
    "431": Answer("HeadTooLarge", "The head of the request is too large."),
    "503": Answer("Unavailable", "The backend is overloaded or down.", ("Retry-After",)),
    "5XX": Answer("ServerError", "The backend failed, or a gateway before it did."),
}
"""What any operation may be answered with, by status."""
OTHERS: Final = {
    "204": Answer("NoContent", "There is nothing.", (), ""),
    "3XX": Answer("Redirect", "It is somewhere else.", ("Location",), ""),
    "404": Answer("NotFound", "It is unknown, or is not the caller's."),
    "409": Answer("Conflict", "Something else is in the way."),
    "410": Answer("Gone", "It no longer exists."),
    "422": Answer("UnprocessableContent", "It contradicts an earlier request."),
}
"""What some operations may be answered with besides."""


def answers(operation: Operation) -> Schema:
    """Return every answer of an operation, by status."""
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
    """Return every answer that several operations have, by name."""
    found = (*COMMON.values(), *OTHERS.values())
    return {each.name: each.described() for each in found}


def _reference(operation: Operation, status: str) -> Schema:
    """Refer to a shared answer, with what it means for this operation."""
    answer = COMMON.get(status) or OTHERS[status]
    about = operation.others.get(status, answer.about)
    if operation.name == "stream":
        about = f"{about} {_effect(status)}"
    described = {"description": about} if about != answer.about else {}
    return {"$ref": f"#/components/responses/{answer.name}", **described}


def _effect(status: str) -> str:
    """Say what an answer to opening the stream does to the wait of a client."""
    if status == "3XX":
        return "The client follows."
    ending = [
        each.name
        for each in PROFILES
        if status.isdigit() and int(status) in each.permanent_statuses
    ]
    if not ending:
        return "The client counts a failure and opens the stream again later."
    late = f", from {HARDENED.not_found_grace:g} s after the create on" if status == "404" else ""
    return f"Ends the wait under {' and '.join(f'`{name}`' for name in ending)}{late}."


def _headers(names: Sequence[str]) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
