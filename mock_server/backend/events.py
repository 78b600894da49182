"""The data of the events that a job emits if its scenario does not list them."""

from collections.abc import Mapping

from mock_server.strict.json import compact

Data = Mapping[str, object]


def instant(tick: int) -> str:
    """Return a timestamp `tick` seconds into a fixed day, so that it is the same in every run."""
    minutes, seconds = divmod(tick, 60)
    hours, minutes = divmod(minutes, 60)
    return f"2026-05-01T{hours % 24:02}:{minutes:02}:{seconds:02}Z"


def started(job: str) -> Data:
    """Return the data of a job's first event."""
    return {"type": "training.started", "jobId": job, "timestamp": instant(1)}


def logged(step: int) -> Data:
    """Return the data of the `training.log` event for one step."""
    return {"type": "training.log", "step": step, "loss": round(2.0 / (step + 1), 4)}


def saved(job: str, step: int) -> Data:
    """Return the data of a `checkpoint.saved` event."""
    return {"type": "checkpoint.saved", "step": step, "artifacts": _artifacts(job, step)}


def completed(job: str, step: int) -> Data:
    """Return the data of the terminal event of a job that has succeeded."""
    artifacts = _artifacts(job, step)
    return {"type": "training.completed", "metrics": {"loss": 0.1}, "artifacts": artifacts}


def failed(error: str, step: int) -> Data:
    """Return the data of the terminal event of a job that has failed."""
    return {"type": "training.failed", "error": error, "step": step}


def padded(data: Data, length: int, note: str = "") -> Data:
    """Add a note, padded with `x` so that the data is at least `length` bytes long as JSON."""
    spare = length - len(compact({**data, "note": note}).encode())
    return {**data, "note": note + "x" * max(0, spare)} if note or spare > 0 else data


def _artifacts(job: str, step: int) -> list[object]:
    return [{"kind": "adapter", "jobId": job, "step": step}]
