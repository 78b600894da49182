"""The operations: what each one is for, what the core sends for it, and the answers that there are.

Methods and paths are those of the mock, and a test compares them. Parameters and bodies are read off
the requests that the core sends.
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
    """One operation, with a request of the core for it."""

    name: str
    tag: str
    summary: str
    request: Request
    success: str
    """What an answer in 2xx means."""
    content: Mapping[str, Schema] = field(repr=False)
    """What such an answer can have as its body, by media type."""
    others: Mapping[str, str] = field(repr=False)
    """What further answers mean here, by status: those that not every operation has."""
    body: str = ""
    """The schema of the request's body, if it has one."""
    about: str = field(default="", repr=False)
    status: str = field(default="2XX", kw_only=True)
    """The status of a success."""
    public: bool = field(default=False, kw_only=True)
    """Whether it needs no token."""


def _json(schema: str) -> Mapping[str, Schema]:
    return {JSON: {"schema": shared(schema)}}


def _items(schema: str, examples: Schema | None = None) -> Mapping[str, Schema]:
    given = {"examples": examples} if examples else {}
    return {EVENT_STREAM: {"itemSchema": shared(schema), **given}}


_NO_JOB: Final = {"404": "The job is unknown, or is not the caller's (ARK-SRV-14)."}
_NO_PLACE: Final = {
    "404": "The organisation or project is unknown, or is not the caller's (ARK-SRV-15)."
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
            "409": "The first create with this key is still being carried out (ARK-SRV-6).",
            "422": "The key was used with another body (ARK-SRV-7).",
        },
        body="NewJob",
        about="The job runs from now on, whether or not anyone follows it. A client never repeats "
        "a create by itself; the caller can, with the same `Idempotency-Key` (ARK-CRE-11).",
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
            "204": "There is nothing more to come (ARK-SRV-42).",
            "3XX": "The stream is somewhere else at the same origin.",
            "410": "The cursor is unknown or too old, or the job is gone (ARK-SRV-39, ARK-SRV-40).",
        },
        about="The stream begins after the event that `Last-Event-ID` names, or with the first one "
        "(ARK-SRV-33, ARK-SRV-38), and goes on until a terminal event. Comments may come at any "
        "time.",
        status="200",
    ),
    Operation(
        "cancel",
        "jobs",
        "Ask the backend to stop a job",
        cancel_request(ENDPOINT, ID),
        "The backend will stop the job.",
        _json("CancelAnswer"),
        {**_NO_JOB, "409": "The job is over."},
        about="Best effort: the job may complete or fail before it is stopped. Its stream says "
        "how it ended (ARK-SRV-48, ARK-SRV-49).",
    ),
    Operation(
        "job",
        "jobs",
        "Read a job as it is now",
        job_request(ENDPOINT, ID),
        "The job.",
        _json("JobWithEvents"),
        _NO_JOB,
    ),
    Operation(
        "chat",
        "inference",
        "Ask a checkpoint of a job",
        chat_request(ENDPOINT, [MESSAGE], job_id="job-1", step=100),
        "The answer of the model.",
        {**_items("ChatFrame"), **_json("ChatAnswer")},
        {"404": "The job or the checkpoint is unknown, or is not the caller's."},
        body="ChatRequest",
        about="The answer comes in pieces if `stream` is true, and as a whole otherwise.",
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
        {**_NO_PLACE, "409": "The slug is taken."},
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
        "Ask whose token it is",
        me_request(ENDPOINT),
        "The user, and the organisations that the user is in.",
        _json("Me"),
        {},
    ),
)

TAGS: Final = {
    "jobs": "What a trainer does.",
    "inference": "Text from a checkpoint of a job.",
    "account": "Tokens, organisations and projects.",
}
