"""The backend's response to each request of a counter-example, in the format of a case."""

from collections.abc import Mapping, Sequence
from typing import Final

from attrs import define, field

from conformance.states.samples import EVENTS, LOG
from conformance.strict_data import Json

PING: Final[Mapping[str, Json]] = {"event": "ping", "data": "{}"}
NOISE: Final[Mapping[str, Json]] = {"data": "no json"}
CANCELLED: Final[Mapping[str, Json]] = {"status": 200, "json": {}}
"""Always the same response to a cancel; the default depends on whether one arrived before."""
_REFUSED: Final[Mapping[str, Json]] = {"status": 500, "json": {"error": "no"}}
_HALF: Final[Sequence[Json]] = ({"raw": "{"},)
_JOB: Final[Mapping[str, Json]] = {
    "id": "{job}",
    "orgId": "org-1",
    "projectId": "project-1",
    "name": "{name}",
    "config": {"model": "kit/model"},
    "createdAt": "2026-05-01T00:00:00Z",
    "startedAt": "2026-05-01T00:00:01Z",
}
_OVER: Final[Mapping[str, Json]] = {
    **_JOB,
    "status": "completed",
    "completedAt": "2026-05-01T00:00:02Z",
}
_WHOLE: Final[Mapping[str, Mapping[str, Json]]] = {
    "accepts": {},
    "refuses": _REFUSED,
    "runs": {"json": {"job": {**_JOB, "status": "running"}}},
    "is over": {"json": {"job": _OVER}},
    "breaks": {"content_type": "application/json", "frames": [*_HALF], "end": "bad_chunk"},
}
"""The responses to all calls except the stream, by the backend's move."""
_NEVER: Final[Mapping[str, Json]] = {"lose": "response", "end": "hang"}


def frames_of(places: Sequence[int]) -> list[Mapping[str, Json]]:
    """Return the events at these positions in the log, counted from 1, as frames."""
    return [
        {"id": str(place), "json": {"type": str(EVENTS[place - 1]["type"]), **_step(place)}}
        for place in places
    ]


def _step(place: int) -> Mapping[str, Json]:
    return {} if place == len(LOG) else {"step": place - 1}


def rest_of_the_log(heard: int) -> Mapping[str, Json]:
    """Return a stream response with all undelivered events, but at least the last of the log."""
    return {"frames": frames_of(range(min(heard, len(LOG) - 1) + 1, len(LOG) + 1)), "end": "eof"}


@define
class Answer:
    """The response to one request: how it starts, its frames, how it ends, and its gates."""

    call: str
    how: str = ""
    """The backend's first move: accepts, refuses, breaks, runs or "is over"; empty if none yet."""
    frames: list[Mapping[str, Json]] = field(factory=list[Mapping[str, Json]])
    end: str = "hang"
    gate: str = ""
    """The gate at which the body waits, if any."""
    end_gate: str = ""

    def add(self, frames: Sequence[Mapping[str, Json]], gate: str) -> None:
        """Append frames; the first waits at the gate unless `gate` is empty."""
        first, *others = frames
        self.frames += [{**first, "gate": gate} if gate else first, *others]

    @property
    def words(self) -> Mapping[str, Json]:
        """The response in the format of a case; empty if it is the backend's default."""
        if self.call == "stream":
            return self._stream
        if self.how == "breaks" and not self.gate:
            # If the create reached the backend, it would add a job.
            return {"lose": "request" if self.call == "create" else "response", "end": "fin"}
        if self.how == "accepts" and self.call == "cancel":
            return {**CANCELLED, **_stall(self.gate)}
        return {**_WHOLE.get(self.how, _NEVER), **_stall(self.gate)}

    @property
    def _stream(self) -> Mapping[str, Json]:
        if self.how == "refuses" and self.end == "eof":
            return {**_REFUSED, **_stall(self.end_gate)}
        if not self.how and not self.end_gate:
            end = "hang" if self.end == "hang" else "fin"
            return {"lose": "response", "end": end}
        status: Mapping[str, Json] = {"status": 500} if self.how == "refuses" else {}
        frames = [*_HALF] if self.how == "refuses" else [*self.frames]
        return {**status, "frames": frames, **self._stop(len(frames)), "end": self.end}

    def _stop(self, frames: int) -> Mapping[str, Json]:
        after: Mapping[str, Json] = {"after": {"frames": frames}} if frames else {}
        return {**after, **_stall(self.end_gate)} if self.end_gate else {}


def _stall(gate: str) -> Mapping[str, Json]:
    return {"stall": {"gate": gate}} if gate else {}
