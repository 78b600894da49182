"""The sans-IO backend: jobs, event logs, resume, cancel, inference, projects."""

from mock_server.backend.brain import Answer, Backend, Follow, Reply, Stream, refuse, reply_json
from mock_server.backend.jobs import Job, JobEnded

__all__ = [
    "Answer",
    "Backend",
    "Follow",
    "Job",
    "JobEnded",
    "Reply",
    "Stream",
    "refuse",
    "reply_json",
]
