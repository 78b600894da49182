"""Interpret the events of a job, for drivers of clients that support only event streams.

Such a client yields the name and the data of each event. This module parses the JSON, picks the
callback, notices the end of the job and builds the result of `wait()`. It does this with functions
of the reference client, so the kit judges only how the client under test handles the stream.
"""

import json
import math
from collections.abc import Mapping
from typing import Final

from attrs import define, field

from arkor_proto import (
    CheckpointSaved,
    TrainingCompleted,
    TrainingEvent,
    TrainingFailed,
    TrainingLog,
    TrainingStarted,
    decode_event,
)
from conformance.drivers.python import translation as to
from mock_server.strict.shapes import is_table

_CALLBACKS: Final[Mapping[type, str]] = {
    TrainingStarted: "started",
    TrainingLog: "log",
    CheckpointSaved: "checkpoint",
    TrainingCompleted: "completed",
    TrainingFailed: "failed",
}


@define
class JobEvents:
    """Interprets the events of one job; `result` is what `wait()` returns, None until the end."""

    job_id: str
    result: Mapping[str, object] | None = field(default=None, init=False)
    _job: dict[str, object] = field(factory=dict[str, object], init=False)

    def take(self, name: str, data: str) -> tuple[str, Mapping[str, object]] | None:
        """Take an event; return the name and argument of its callback, or None if it has none."""
        if name == "end":
            self._conclude()
            return None
        event = None if name == "ping" else _event_in(data)
        if event is None:
            return None
        match event:
            case TrainingStarted():
                self._job = {"status": "running", "startedAt": event.timestamp}
            case TrainingCompleted():
                self._job |= {"status": "completed", "completedAt": event.timestamp}
                self._conclude(event.artifacts)
            case TrainingFailed():
                ended = {"status": "failed", "completedAt": event.timestamp, "error": event.error}
                self._job |= ended
                self._conclude()
            case _:
                pass
        return _CALLBACKS[type(event)], {**to.event_data(event), **self._adapter(event)}

    def _conclude(self, artifacts: tuple[object, ...] = ()) -> None:
        self.result = {"job": {"id": self.job_id, **self._job}, "artifacts": artifacts}

    def _adapter(self, event: TrainingEvent) -> Mapping[str, object]:
        if not isinstance(event, CheckpointSaved):
            return {}
        return {"adapter": {"kind": "checkpoint", "jobId": self.job_id, "step": event.step}}


def _event_in(data: str) -> TrainingEvent | None:
    """Return the event in the data; numbers too large for a double become null (ARK-EVT-22)."""
    try:
        value: object = json.loads(
            data, parse_int=_whole, parse_float=_finite, parse_constant=_refuse
        )
        return decode_event(value) if is_table(value) else None
    except (ValueError, RecursionError):
        return None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _whole(digits: str) -> int | None:
    return int(digits) if _finite(digits) is not None else None


def _finite(digits: str) -> float | None:
    number = float(digits)
    return number if math.isfinite(number) else None
