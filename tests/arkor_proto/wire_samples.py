"""What the backend sends in these tests, and to whom."""

import json
import re
from collections.abc import Mapping
from typing import Final, TypeAlias

from arkor_proto import Endpoint, Headers, ReconnectPolicy, Request, encode_event, job_spec

Data: TypeAlias = Mapping[str, object] | str | None
"""What stands behind `data:`: an object for JSON, a text as it is, None for no such line."""

TOKEN: Final = "tok-endpoint-secret"
DATASET_TOKEN: Final = "tok-dataset-secret"
ENDPOINT: Final = Endpoint(
    base_url="https://api.example", token=TOKEN, org="acme", project="bots", client="tests/1"
)
SPEC: Final = job_spec(
    "bot", model="m", dataset={"type": "blob", "url": "https://d.example", "token": DATASET_TOKEN}
)
EVENT_STREAM: Final[Headers] = ((b"Content-Type", b"text/event-stream"),)
STARTED: Final = {"type": "training.started", "jobId": "job-1", "timestamp": "T1"}
COMPLETED: Final = {"type": "training.completed", "artifacts": ["a"], "timestamp": "T2"}
FAILED: Final = {"type": "training.failed", "error": "out of memory", "timestamp": "T3"}


def log(step: int) -> Mapping[str, object]:
    """Return the data of a log frame."""
    return {"type": "training.log", "step": step}


def frame(
    data: Data,
    *,
    id: str | None = None,  # noqa: A002 - the standard's own word
    event: str = "message",
) -> bytes:
    """Return the bytes of one frame."""
    text = data if data is None or isinstance(data, str) else json.dumps(data)
    return encode_event(text, id=id, type=event)


def delta(text: str) -> bytes:
    """Return a piece of the answer to an inference."""
    return frame({"choices": [{"delta": {"content": text}}]})


def job_answer(job_id: str = "job-1", **members: object) -> bytes:
    """Return the body of the answer to a create."""
    job: dict[str, object] = {"id": job_id, "status": "queued", "config": {}, **members}
    return json.dumps({"job": job}).encode()


def route(request: Request) -> str:
    """Return which call of the protocol `request` is."""
    path = request.target.partition("?")[0]
    if request.method == "GET":
        return "job" if re.fullmatch(r"/v1/jobs/[^/]+", path) else "stream"
    return "cancel" if path.endswith("/cancel") else "create"


def attempts(number: int | None) -> ReconnectPolicy:
    """Return the default policy with a budget."""
    return ReconnectPolicy(max_attempts=number)
