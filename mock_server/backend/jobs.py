"""One job: its planned events, the append-only log of the events it has emitted, and its status.

It has no clock: callers pass the time, in monotonic seconds.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Final

import attrs
from attrs import define, field, frozen

from arkor_proto import encode_event
from mock_server.backend.events import (
    Data,
    completed,
    failed,
    instant,
    logged,
    padded,
    saved,
    started,
)
from mock_server.scenario.behaviour import Cancelling, FanOut, Following, Restart
from mock_server.scenario.frames import render
from mock_server.scenario.model import BackendPlan, JobPlan
from mock_server.scenario.vocabulary import Fate, JobStatus, ScriptedFrame
from mock_server.sse import Frame, fields_of
from mock_server.strict.json import compact
from mock_server.strict.shapes import is_table

_TERMINAL: Final = frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELLED})
_STATUS_AFTER: Final = {
    "training.started": JobStatus.RUNNING,
    "training.completed": JobStatus.COMPLETED,
    "training.failed": JobStatus.FAILED,
}
_NO_ID: Final = frozenset({"ping"})
_LOST: Final = 2


class JobEnded(RuntimeError):
    """An event was pushed to a job that has ended."""


@frozen(eq=False)
class Follower:
    """One open stream of a job."""

    since: int
    """How many events were in the log when the stream was opened."""


@define(eq=False, repr=False)
class Job:
    """A job and its log.

    Without an interval, the job emits its next event when a stream has read the whole log and asks
    for more; with one, it emits events as time passes since `created`.
    """

    id: str
    plan: JobPlan
    created: float
    name: str = ""
    config: Mapping[str, object] = field(factory=dict[str, object])
    org: str = ""
    project: str = ""
    backend: BackendPlan = field(factory=BackendPlan)
    status: JobStatus = JobStatus.QUEUED
    error: str | None = None
    on_end: "Callable[[Job], None] | None" = None
    """Called when the job ends."""
    log: list[Frame] = field(factory=list[Frame])
    forgotten: int = field(default=0, init=False)
    """How many events at the beginning of the log are no longer kept."""
    gone: bool = field(default=False, init=False)
    """Whether the job has stopped because its first follower left (`follower = "owner"`)."""
    size: int = field(default=0, init=False)
    """The approximate memory that was counted for the job, in bytes."""
    _script: Iterator[Frame] = field(init=False)
    _where: dict[str, int] = field(factory=dict[str, int], init=False)
    _listeners: list[Callable[[], None]] = field(factory=list[Callable[[], None]], init=False)
    _written: int = field(default=0, init=False)
    _times: dict[str, str] = field(factory=dict[str, str], init=False)
    _followers: list[Follower] = field(factory=list[Follower], init=False)
    _owner: Follower | None = field(default=None, init=False)
    """The job's first follower."""
    _only: dict[int, Follower] = field(factory=dict[int, Follower], init=False)
    """Maps the position of an event to the only follower that gets it (`fan_out = "split"`)."""
    _held_back: list[Frame] = field(factory=list[Frame], init=False)
    """Events that were pushed while the job was paused."""
    _uncounted: int = field(default=0, init=False)
    """How many earlier events to ignore when the next event is numbered."""

    def __attrs_post_init__(self) -> None:
        events = self.plan.events
        self._script = (
            self._generated(events) if isinstance(events, int) else map(self._with_id, events)
        )
        self._times["createdAt"] = instant(0)
        while self.plan.emitted and self._step():
            pass

    def __repr__(self) -> str:
        return f"<Job {self.id!r}: {self.status.value}, {len(self.log)} events so far>"

    @property
    def over(self) -> bool:
        """Whether the job has ended; its log then no longer grows."""
        return self.status in _TERMINAL

    @property
    def is_followed(self) -> bool:
        """Whether a stream of the job is open."""
        return bool(self._followers)

    def position_after(self, cursor: str) -> int | None:
        """Return the position after the event with the id `cursor`, or None if the log lacks it."""
        found = self._where.get(cursor)
        return None if found is None or found < self.forgotten else found + 1

    def pull(self, position: int, limit: int, now: float) -> list[Frame]:
        """Return up to `limit` events from `position`; if there is no interval, emit them first."""
        if self.plan.interval:
            self.advance(now)
        else:
            while len(self.log) < position + limit and not self.over and not self._paused:
                if not self._step():
                    break
        return self.log[position : position + limit]

    def advance(self, now: float) -> None:
        """Emit the events that are due by `now`."""
        while not self.over and (due := self.next_due) is not None and due <= now:
            if not self._step():
                return

    @property
    def _paused(self) -> bool:
        """Whether the job emits nothing because it is paused or has stopped."""
        unfollowed = self.backend.follower is Following.NEEDED and not self._followers
        return unfollowed or self.gone

    @property
    def next_due(self) -> float | None:
        """When the next event is due, in monotonic seconds; None if no event is scheduled."""
        if not self.plan.interval or self.over or self._paused:
            return None
        return self.created + self.plan.interval * (self._written + 1)

    def push(self, scripted: ScriptedFrame) -> Frame:
        """Append one event now; raise JobEnded if the job has ended."""
        if self.over:
            raise JobEnded(
                f"job {self.id}: is {self.status} and accepts no more events; push to a running job"
            )
        frame = self._with_id(scripted)
        if self._paused:
            self._held_back.append(frame)
            return frame
        return self._append(frame)

    def join(self) -> Follower:
        """Register an open stream; `leave` removes it."""
        follower = Follower(len(self.log))
        self._followers.append(follower)
        self._owner = self._owner or follower
        while self._held_back and not self._paused and not self.over:
            self._append(self._held_back.pop(0))
        return follower

    def leave(self, follower: Follower, position: int) -> None:
        """Remove a closed stream, to which the log was sent up to `position`."""
        self._followers.remove(follower)
        unfinished = not self.over or position < len(self.log)
        if self.backend.follower is Following.OWNER and follower is self._owner and unfinished:
            self.gone = True
            self.forgotten = len(self.log)
            self._tell()

    def gets(self, follower: Follower, position: int) -> bool:
        """Return whether a follower gets the event at a position."""
        return position < follower.since or self._only.get(position, follower) is follower

    def forget(self, keep: int) -> None:
        """Keep only the newest `keep` events of the log."""
        self.forgotten = max(self.forgotten, len(self.log) - keep)

    def restart(self) -> None:
        """Simulate a restart of the backend: change the job as the `restart` setting says."""
        how = self.backend.restart
        if how is Restart.IDS_AGAIN:
            self._uncounted = len(self.log) + len(self._held_back)
        elif how is Restart.LOST and not self.over:
            for frame in self.log[-_LOST:]:
                self._where.pop(frame.id or "", None)
                self._uncounted -= 1
            del self.log[-_LOST:]
            self.forgotten = min(self.forgotten, len(self.log))

    def cancel(self) -> bool:
        """Cancel the job if the backend honours cancels; return False if it had already ended."""
        how = self.backend.cancel
        if self.over and how is Cancelling.OVERRIDES:
            self.status = JobStatus.CANCELLED
            return True
        if self.over or how is Cancelling.IGNORED:
            return not self.over
        self.status = JobStatus.CANCELLED
        self._times["completedAt"] = instant(len(self.log))
        self._note_end()
        self._append(self._event("end", {"status": "cancelled"}))
        return True

    def on_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` whenever the log grows; return a function that removes the listener."""
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    def public(self) -> dict[str, object]:
        """Return the job as the API shows it."""
        found: dict[str, object] = {
            "id": self.id,
            "orgId": self.org,
            "projectId": self.project,
            "name": self.name,
            "status": self.status.value,
            "config": dict(self.config),
            **self._times,
        }
        if self.error is not None:
            found["error"] = self.error
        return found

    def event_texts(self, start: int, stop: int) -> list[str]:
        """Return the JSON data of the events between two positions; omit data without a type."""
        frames = self.log[start:stop]
        return [fields_of(frame.raw).data or "" for frame in frames if frame.type is not None]

    def _step(self) -> bool:
        frame = next(self._script, None)
        if frame is None:
            return False
        self._written += 1
        self._append(frame)
        return True

    def _append(self, frame: Frame) -> Frame:
        if frame.id is not None:
            self._where[frame.id] = len(self.log)
        self.log.append(frame)
        status = _STATUS_AFTER.get(frame.type or "")
        if frame.event == "end" and not self.over:
            status = JobStatus.CANCELLED
        if status is not None and not self.over:
            self._become(status, frame)
        if self.backend.fan_out is FanOut.SPLIT and len(self._followers) > 1 and not self.over:
            position = len(self.log) - 1
            self._only[position] = self._followers[position % len(self._followers)]
        self._tell()
        return frame

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener()

    def _become(self, status: JobStatus, frame: Frame) -> None:
        self.status = status
        if status is not JobStatus.CANCELLED:  # a job can be cancelled before it starts
            self._times.setdefault("startedAt", instant(len(self.log)))
        if self.over:
            self._times["completedAt"] = instant(len(self.log))
            self._note_end()
        if status is JobStatus.FAILED:
            data: object = json.loads(fields_of(frame.raw).data or "{}")
            error = data.get("error") if is_table(data) else None
            self.error = error if isinstance(error, str) else self.plan.error

    def _note_end(self) -> None:
        if self.on_end is not None:
            self.on_end(self)

    def _next_id(self) -> str | None:
        number = len(self.log) + len(self._held_back) + 1 - self._uncounted
        return f"{self.plan.id_prefix}{number}" if self.plan.ids else None

    def _event(self, event: str, data: Mapping[str, object]) -> Frame:
        cursor = self._next_id()
        kind = data.get("type")
        raw = encode_event(compact(data), type=event, id=cursor)
        return Frame(raw, cursor, event, kind if isinstance(kind, str) else None)

    def _with_id(self, scripted: ScriptedFrame) -> Frame:
        bare = scripted.id is None and (scripted.data is not None or scripted.json is not None)
        if bare and scripted.event not in _NO_ID and self.plan.ids:
            scripted = attrs.evolve(scripted, id=self._next_id())
        return render(scripted)

    def _generated(self, count: int) -> Iterator[Frame]:
        """Yield `count` events: a start, logs, a checkpoint and, if the job ends, an end."""
        ends = 0 if self.plan.status is Fate.RUNNING else 1
        middle = count - ends
        for step in range(middle):
            if step == 0:
                yield self._of_data(started(self.id))
            elif step == middle - 1 and middle > 2:  # noqa: PLR2004 - started, log, checkpoint
                yield self._of_data(saved(self.id, step))
            else:
                yield self._of_data(padded(logged(step), self.plan.length))
        if count and ends:
            fails = self.plan.status is Fate.FAILED
            yield self._of_data(
                failed(self.plan.error, middle) if fails else completed(self.id, middle)
            )

    def _of_data(self, data: Data) -> Frame:
        return self._event(str(data["type"]), data)
