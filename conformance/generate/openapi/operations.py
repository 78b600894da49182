"""The operations: the purpose of each one, the request that the core sends, and the responses.

A test checks that the methods and paths match the mock's. Parameters and bodies are taken
from the requests of the core.
"""

from collections.abc import Mapping
from typing import Final

from attrs import field, frozen

from arkor_proto import Request
from arkor_proto._calls import (
    anonymous_request,
    chat_request,
    create_project_request,
    me_request,
    projects_request,
)
from arkor_proto._wire import cancel_request, create_request, job_request, stream_request
from conformance.generate.openapi.examples import ENDPOINT, ID, MESSAGE, SPEC, run
from conformance.generate.openapi.schemas import shared
from mock_server.strict.schema import Schema

EVENT_STREAM: Final = "text/event-stream"
JSON: Final = "application/json"


@frozen
class Operation:
    """One operation, with an example request built by the core."""

    name: str
    tag: str
    summary: str
    request: Request
    success: str
    """The meaning of a 2xx response."""
    content: Mapping[str, Schema] = field(repr=False)
    """The possible bodies of a 2xx response, by media type."""
    others: Mapping[str, str] = field(repr=False)
    """The meanings of the responses that only some operations have, by status."""
    body: str = ""
    """The schema name of the request body; empty if the request has no body."""
    about: str = field(default="", repr=False)
    status: str = field(default="2XX", kw_only=True)
    """The status of a successful response."""
    public: bool = field(default=False, kw_only=True)
    """Whether the operation works without a token."""


def _json(schema: str) -> Mapping[str, Schema]:
    return {JSON: {"schema": shared(schema)}}


def _items(schema: str, examples: Schema | None = None) -> Mapping[str, Schema]:
    given = {"examples": examples} if examples else {}
    return {EVENT_STREAM: {"itemSchema": shared(schema), **given}}


_NO_JOB: Final = {"404": "The job is unknown, or does not belong to the caller (ARK-SRV-14)."}
_NO_PLACE: Final = {
    "404": "The organisation or project is unknown, or does not belong to the caller (ARK-SRV-15)."
}

OPERATIONS: Final = (
    Operation(
        "create",
        "jobs",
        "Submit a training job",
        create_request(ENDPOINT, SPEC, "6f1c2f0e"),
        "The job was accepted.",
        _json("JobAnswer"),
        {
            **_NO_PLACE,
            "409": "The first create request with this key is still in progress (ARK-SRV-6).",
            "422": "The key was already used with a different body (ARK-SRV-7).",
        },
        body="NewJob",
        about="From now on the job runs whether or not a client follows it. A client never repeats "
        "a create request on its own, but its caller can repeat it with the same "
        "`Idempotency-Key` (ARK-CRE-11).",
    ),
    Operation(
        "stream",
        "jobs",
        "Follow the events of a job",
        stream_request(ENDPOINT, ID, "2"),
        "The events, as they happen.",
        _items("JobFrame", {"run": run()}),
        {
            **_NO_JOB,
            "204": "There are no more events (ARK-SRV-42).",
            "3XX": "The stream is at another URL of the same origin.",
            "410": "The cursor is unknown or too old, or the job is gone (ARK-SRV-39, ARK-SRV-40).",
        },
        about="The stream begins after the event that `Last-Event-ID` names or, without that "
        "header, with the first event (ARK-SRV-33, ARK-SRV-38). It continues until a terminal event "
        "and may contain comments anywhere.",
        status="200",
    ),
    Operation(
        "cancel",
        "jobs",
        "Ask the backend to stop a job",
        cancel_request(ENDPOINT, ID),
        "The request to stop the job was accepted.",
        _json("CancelAnswer"),
        {**_NO_JOB, "409": "The job has already ended."},
        about="Best effort: the job may complete or fail before it is stopped. Its stream reports "
        "how it ended (ARK-SRV-48, ARK-SRV-49).",
    ),
    Operation(
        "job",
        "jobs",
        "Read the current state of a job",
        job_request(ENDPOINT, ID),
        "The job.",
        _json("JobWithEvents"),
        _NO_JOB,
    ),
    Operation(
        "chat",
        "inference",
        "Chat with a checkpoint of a job",
        chat_request(ENDPOINT, [MESSAGE], job_id="job-1", step=100),
        "The model's answer.",
        {**_items("ChatFrame"), **_json("ChatAnswer")},
        {"404": "The job or the checkpoint is unknown, or does not belong to the caller."},
        body="ChatRequest",
        about="The answer is sent in pieces if `stream` is true, and as a whole otherwise.",
    ),
    Operation(
        "projects",
        "account",
        "List the projects of an organisation",
        projects_request(ENDPOINT),
        "The projects.",
        _json("Projects"),
        _NO_PLACE,
    ),
    Operation(
        "createProject",
        "account",
        "Create a project",
        create_project_request(ENDPOINT, "Bots", "bots"),
        "The project was created.",
        _json("ProjectAnswer"),
        {**_NO_PLACE, "409": "The slug is already taken."},
        body="NewProject",
    ),
    Operation(
        "anonymous",
        "account",
        "Get a token without an account",
        anonymous_request(ENDPOINT),
        "The token.",
        _json("AnonymousToken"),
        {},
        body="AnonymousUser",
        public=True,
    ),
    Operation(
        "me",
        "account",
        "Get the user to whom the token belongs",
        me_request(ENDPOINT),
        "The user, and the user's organisations.",
        _json("Me"),
        {},
    ),
)

TAGS: Final = {
    "jobs": "Requests about training jobs.",
    "inference": "Text generation with the checkpoints of a job.",
    "account": "Tokens, organisations and projects.",
}
