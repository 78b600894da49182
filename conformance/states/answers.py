"""What the backend of a counter-example answers, one answer per request, in the words of a case."""

from collections.abc import Mapping, Sequence
from typing import Final

from attrs import define, field

from conformance.states.samples import EVENTS, LOG
from conformance.strict_data import Json

PING: Final[Mapping[str, Json]] = {"event": "ping", "data": "{}"}
NOISE: Final[Mapping[str, Json]] = {"data": "no json"}
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


def frames_of(places: Sequence[int]) -> list[Mapping[str, Json]]:
    """Return events of the log as frames; places are counted from 1."""
    return [
        {"id": str(place), "json": {"type": str(EVENTS[place - 1]["type"]), **_step(place)}}
        for place in places
    ]


def _step(place: int) -> Mapping[str, Json]:
    return {} if place == len(LOG) else {"step": place - 1}


def rest_of_the_log(heard: int) -> Mapping[str, Json]:
    """Return the answer of a stream that has all that was not heard yet."""
    return {"frames": frames_of(range(min(heard, len(LOG) - 1) + 1, len(LOG) + 1)), "end": "eof"}


@define
class Answer:
    """The answer to one request: how it begins, its frames, how it ends, and the gates before each."""

    call: str
    how: str = ""
    """What happened first: accepts, refuses, breaks, runs or is over; nothing yet if empty."""
    frames: list[Mapping[str, Json]] = field(factory=list[Mapping[str, Json]])
    end: str = "hang"
    gate: str = ""
    """What the body waits at."""
    end_gate: str = ""

    def add(self, frames: Sequence[Mapping[str, Json]], gate: str) -> None:
        """Append frames, the first of which waits at the gate, if there is one."""
        first, *others = frames
        self.frames += [{**first, "gate": gate} if gate else first, *others]

    @property
    def words(self) -> Mapping[str, Json]:
        """The answer as a case has it; empty if it is the backend's own."""
        stall: Mapping[str, Json] = {"stall": {"gate": self.gate}} if self.gate else {}
        if self.call == "stream":
            return self._stream
        match self.how:
            case "accepts":
                return stall
            case "refuses":
                return {**_REFUSED, **stall}
            case "runs":
                return {"json": {"job": {**_JOB, "status": "running"}}, **stall}
            case "is over":
                over: Json = {**_JOB, "status": "completed", "completedAt": "2026-05-01T00:00:02Z"}
                return {"json": {"job": over}, **stall}
            case "breaks" if not self.gate:
                return {"lose": "response", "end": "fin"}
            case "breaks":
                broken = {"content_type": "application/json", "frames": [*_HALF]}
                return {**broken, **stall, "end": "bad_chunk"}
            case _:
                return {"lose": "response", "end": "hang"}

    @property
    def _stream(self) -> Mapping[str, Json]:
        if self.how == "refuses" and self.end == "eof":
            stall: Mapping[str, Json] = (
                {"stall": {"gate": self.end_gate}} if self.end_gate else {}
            )
            return {**_REFUSED, **stall}
        if not self.how and not self.end_gate:
            end = "hang" if self.end == "hang" else "fin"
            return {"lose": "response", "end": end}
        status: Mapping[str, Json] = {"status": 500} if self.how == "refuses" else {}
        frames = [*_HALF] if self.how == "refuses" else [*self.frames]
        return {**status, "frames": frames, **self._stop(len(frames)), "end": self.end}

    def _stop(self, frames: int) -> Mapping[str, Json]:
        if not self.end_gate:
            return {}
        after: Mapping[str, Json] = {"after": {"frames": frames}} if frames else {}
        return {**after, "stall": {"gate": self.end_gate}}
