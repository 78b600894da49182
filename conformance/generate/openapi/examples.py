"""The data for the requests and examples in the OpenAPI description."""

from typing import Final

from arkor_proto import (
    CheckpointSaved,
    Endpoint,
    TrainingCompleted,
    TrainingEvent,
    TrainingLog,
    TrainingStarted,
    encode_event,
    encode_event_data,
    job_spec,
)
from mock_server.strict.json import compact
from mock_server.strict.schema import Schema

ENDPOINT: Final = Endpoint(
    base_url="https://api.example",
    token="secret",  # noqa: S106 - no example contains it
    org="acme",
    project="bots",
    client="my-client/1.2.3",
)
SPEC: Final = job_spec(
    "support-bot",
    model="acme/base",
    dataset={"type": "huggingface", "name": "acme/chats", "split": "train"},
    lora={"r": 16, "alpha": 32},
    options={"max_steps": 0, "dry_run": False},
)
ID: Final = "{id}"
"""Stands for the job's id, so that the path of a request is the path template of its operation."""
MESSAGE: Final = {"role": "user", "content": "Where is my order?"}
_EVENTS: Final[tuple[TrainingEvent, ...]] = (
    TrainingStarted(job_id="job-1", timestamp="2026-05-01T10:00:00Z"),
    TrainingLog(step=1, loss=2.1, learning_rate=0.0002),
    CheckpointSaved(step=100),
    TrainingCompleted(metrics={"loss": 0.4}, artifacts=({"kind": "adapter"},)),
)


def run() -> Schema:
    """Return an example of a complete event stream."""
    blocks = [_block(number, event) for number, event in enumerate(_EVENTS, 1)]
    blocks.insert(2, encode_event("{}", type="ping"))
    text = b"".join(blocks).decode()
    return {"summary": "The events of a job from start to finish", "serializedValue": text}


def _block(number: int, event: TrainingEvent) -> bytes:
    data = encode_event_data(event)
    return encode_event(compact(data), type=str(data["type"]), id=str(number))
