"""The differences between the three profiles, the delays, and the five training events."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from attrs import define

from conformance.strict_data import Json

RETRIED: Final = frozenset({404, 408, 409, 425, 429})
PERMANENT: Final = frozenset({401, 403, 410, 426})
_DATES: Final = ("%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %d %H:%M:%S %Y")
_MOST_DOUBLINGS: Final = 1000
_MEMBERS: Final[Mapping[str, Mapping[str, str]]] = {
    "training.started": {"metadata": "object"},
    "training.log": {
        "step": "number",
        "loss": "number",
        "evalLoss": "number",
        "learningRate": "number",
        "epoch": "number",
        "samplesPerSecond": "number",
    },
    "checkpoint.saved": {"step": "number", "artifacts": "list"},
    "training.completed": {"metrics": "object", "artifacts": "list"},
    "training.failed": {"step": "number", "error": "text"},
}
_ALL_HAVE: Final[Mapping[str, str]] = {"jobId": "text", "timestamp": "text"}
CALLBACKS: Final = {
    "training.started": "started",
    "training.log": "log",
    "checkpoint.saved": "checkpoint",
    "training.completed": "completed",
    "training.failed": "failed",
}


def is_permanent(profile: str, status: int, *, is_new_job: bool) -> bool:
    """Return whether this answer to an open ends the wait immediately."""
    if profile == "2026-05":
        return False
    if profile == "2026-07":
        return status in PERMANENT
    if status == 404:
        return not is_new_job
    return status == 204 or (400 <= status < 500 and status not in RETRIED)


def parse_object(text: str) -> dict[str, Json] | None:
    """Parse `text` as a JSON object; None if it is anything else."""

    def refuse(constant: str) -> Json:
        raise ValueError(f"{constant} is not JSON")

    try:
        value: Json = json.loads(text, parse_constant=refuse, parse_int=_whole)
    except (ValueError, RecursionError):
        return None
    return dict(value) if isinstance(value, Mapping) else None


def _whole(digits: str) -> float:
    return int(digits) if len(digits) < 300 else float(digits)


def event_for(job_id: str, frame: Mapping[str, Json]) -> dict[str, Json]:
    """Return the argument of a callback; members of the wrong type are null."""
    kind = str(frame["type"])
    event = dict(frame)
    for name, wanted in {**_ALL_HAVE, **_MEMBERS[kind]}.items():
        event[name] = _as(wanted, frame.get(name))
    if kind == "checkpoint.saved":
        event["adapter"] = {"kind": "checkpoint", "jobId": job_id, "step": event["step"]}
    return event


def _as(wanted: str, value: Json) -> Json:
    match wanted, value:
        case "text", str():
            return value
        case "number", int() | float() if not isinstance(value, bool) and abs(value) < 1e309:
            return value
        case "list", str():
            return []
        case "list", Sequence():
            return value
        case "object", Mapping():
            return value
        case _:
            return [] if wanted == "list" else None


@define
class Backoff:
    """The delays in milliseconds, and the number of failures in a row."""

    base: float
    cap: float
    budget: float
    spread_always: bool
    random: Callable[[], float]
    failures: int = 0
    lasting_floor: float = 0.0
    once_floor: float = 0.0

    def after_failure(self) -> float:
        """Return the delay after the last failure."""
        doublings = min(self.failures - 1, _MOST_DOUBLINGS)
        delay = min(self.base * 2.0**doublings if self.base else 0.0, self.cap)
        return self._spread(delay)

    def after_clean_end(self) -> float:
        """Return the delay after a clean end with progress."""
        delay = min(self.base, self.cap)
        return self._spread(delay) if self.spread_always else delay

    def _spread(self, delay: float) -> float:
        floor = min(max(self.lasting_floor, self.once_floor), self.cap)
        self.once_floor = 0.0
        low = max(0.75 * delay, floor)
        high = min(1.25 * max(delay, floor), self.cap)
        return low + (high - low) * self.random()


def retry_after(value: str, date: str) -> float:
    """Return the milliseconds that `Retry-After` asks for; 0 if it is malformed."""
    if value.isascii() and value.isdigit():
        return float(value) * 1000
    until, now = _http_date(value), _http_date(date)
    return max(0.0, (until - now).total_seconds() * 1000) if until and now else 0.0


def _http_date(text: str) -> datetime | None:
    for form in _DATES:
        try:
            return datetime.strptime(text, form)  # noqa: DTZ007 - two of the same zone are compared
        except ValueError:
            continue
    return None
