"""The sans-IO backend: jobs, event logs, resume, cancel, inference, projects."""

from mock_server.backend.brain import (
    Answer,
    Backend,
    BackendFull,
    Follow,
    Listing,
    Reply,
    Stream,
    listed,
    refuse,
    reply_json,
)
from mock_server.backend.jobs import Job, JobEnded

__all__ = [
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
