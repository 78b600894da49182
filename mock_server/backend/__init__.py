"""The well-behaved backend without I/O: jobs, event logs, resume, cancel, inference, projects."""

from mock_server.backend.answers import (
    JSON_TYPE,
    Answer,
    BackendFull,
    Follow,
    Listing,
    Reply,
    Stream,
    listed,
    refuse,
    reply_json,
)
from mock_server.backend.backend import Backend
from mock_server.backend.jobs import Job, JobEnded

__all__ = [
    "JSON_TYPE",
    "Answer",
    "Backend",
    "BackendFull",
    "Follow",
    "Job",
    "JobEnded",
    "Listing",
    "Reply",
    "Stream",
    "listed",
    "refuse",
    "reply_json",
]
