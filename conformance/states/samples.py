"""Sample data to explore states with: an endpoint, a job, a log, a ping and a malformed frame."""

import json
from collections.abc import Mapping
from typing import Final

from arkor_proto import (
    Endpoint,
    Headers,
    Request,
    TrainingEvent,
    TrainingLog,
    encode_event,
    job_spec,
)

JOB: Final = "job-1"
KEY: Final = "key-1"
ENDPOINT: Final = Endpoint(
    base_url="http://backend.invalid",
    token="any",  # noqa: S106 - not a real token
    org="acme",
    project="adapters",
    client="kit/1",
)
SPEC: Final = job_spec("job", model="acme/base", dataset={"type": "huggingface", "name": "set"})
EVENT_STREAM: Final[Headers] = ((b"Content-Type", b"text/event-stream"),)
EVENTS: Final[tuple[Mapping[str, object], ...]] = (
    {"type": "training.log", "step": 0},
    {"type": "training.log", "step": 1},
    {"type": "training.completed", "artifacts": ["a"], "timestamp": "T2"},
)
"""The log of the job; the id of an event is its position, counted from 1."""
LOG: Final = tuple(
    encode_event(json.dumps(event), id=str(place)) for place, event in enumerate(EVENTS, 1)
)
PING: Final = encode_event("", type="ping")
NOISE: Final = encode_event("no json")


def job_answer(status: str = "queued") -> bytes:
    """Return the body of a response that describes the job."""
    return json.dumps({"job": {"id": JOB, "status": status, "config": {}}}).encode()


def call_of(request: Request) -> str:
    """Return the kind of a request: create, stream, cancel or job."""
    path = request.target.partition("?")[0]
    if request.method == "GET":
        return "stream" if "/events/" in path else "job"
    return "cancel" if path.endswith("/cancel") else "create"


def place_of(event: TrainingEvent) -> int:
    """Return the position of an event in the log, counted from 0."""
    return (event.step or 0) if isinstance(event, TrainingLog) else len(LOG) - 1
