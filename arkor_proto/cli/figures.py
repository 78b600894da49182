"""Figures gathered from a job's events, and the summary that is printed when the job ends."""

import json
import math
from collections import deque
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

from attrs import define, field

from arkor_proto._secrets import masked
from arkor_proto._text import one_line
from arkor_proto._types import TrainingCompleted, TrainingEvent, TrainingJob, TrainingLog
from arkor_proto._walk import JsonObject, is_object

BLOCKS: Final = "▁▂▃▄▅▆▇█"
_MOST_POINTS: Final = 512
_RECENT: Final = 20
_NAMES: Final = ("name", "path", "filename", "file", "url", "uri", "id")
_MOST_ARTIFACTS: Final = 20


@define
class Figures:
    """The figures of a job, from its events so far; times are in seconds."""

    max_steps: int | None = None
    step: int | None = field(init=False, default=None)
    eval_loss: float | None = field(init=False, default=None)
    learning_rate: float | None = field(init=False, default=None)
    first: TrainingLog | None = field(init=False, default=None)
    """The first `training.log` event that has a loss."""
    last: TrainingLog | None = field(init=False, default=None)
    """The latest `training.log` event that has a loss."""
    completed: TrainingCompleted | None = field(init=False, default=None)
    losses: list[float] = field(init=False, factory=list[float])
    """The losses so far; if there are too many, an evenly spaced selection."""
    _stride: int = field(init=False, default=1)
    _skipped: int = field(init=False, default=0)
    _recent: deque[tuple[float, int]] = field(
        init=False, factory=lambda: deque[tuple[float, int]](maxlen=_RECENT)
    )

    def take(self, event: TrainingEvent, now: float) -> None:
        """Update the figures with an event that arrived at `now`."""
        if isinstance(event, TrainingCompleted):
            self.completed = event
        if not isinstance(event, TrainingLog):
            return
        if event.step is not None:
            self.step = event.step
            self._recent.append((now, event.step))
        self.eval_loss = self.eval_loss if event.eval_loss is None else event.eval_loss
        rate = event.learning_rate
        self.learning_rate = self.learning_rate if rate is None else rate
        if event.loss is not None:
            self.first = self.first or event
            self.last = event
            self._keep(event.loss)

    @property
    def steps_per_second(self) -> float | None:
        """The speed according to the latest events; None if it cannot be calculated from them."""
        if not self._recent:
            return None
        (then, start), (now, end) = self._recent[0], self._recent[-1]
        return (end - start) / (now - then) if now > then and end > start else None

    def _keep(self, loss: float) -> None:
        if not math.isfinite(loss):
            return
        self._skipped += 1
        if self._skipped < self._stride:
            return
        self._skipped = 0
        self.losses.append(loss)
        if len(self.losses) > _MOST_POINTS:
            self.losses = self.losses[::2]
            self._stride *= 2

    def summary(self, job: TrainingJob, elapsed: float) -> list[str]:
        """Return the summary's lines; `elapsed` is used if the job lacks a start or an end time."""
        lines = [("duration", f"{duration(_duration_of(job, elapsed))}")]
        if self.first is not None and self.last is not None:
            lines.append(("loss", f"{_at(self.first)}, {_at(self.last)}"))
        if self.completed is not None and self.completed.metrics:
            lines.append(("metrics", _members(self.completed.metrics)))
        artifacts = () if self.completed is None else self.completed.artifacts
        shown = [one_line(artifact_name(each)) for each in artifacts[:_MOST_ARTIFACTS]]
        if more := len(artifacts) - len(shown):
            shown.append(f"and {more} more")
        names = ["artifacts", *[""] * len(shown)]
        lines += zip(names, shown, strict=False)
        return [f"  {name:9}  {text}" for name, text in lines]


def sparkline(values: Sequence[float], width: int, levels: str = BLOCKS) -> str:
    """Return a one-line chart of `values`, at most `width` characters wide."""
    if not values or width < 1:
        return ""
    count = min(width, len(values))
    edges = [index * len(values) // count for index in range(count + 1)]
    means = [math.fsum(values[start:end]) / (end - start) for start, end in pairwise(edges)]
    low, high = min(means), max(means)
    span = high - low
    if not 0 < span < math.inf:
        return levels[0] * count
    top = len(levels) - 1
    return "".join(levels[round((mean - low) / span * top)] for mean in means)


def duration(seconds: float) -> str:
    """Return a duration in readable form, such as 12 s, 2 min 31 s or 3 h 5 min."""
    whole = int(seconds)
    minutes, left = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"


def figure(value: float | None) -> str:
    """Return a number in short form, or `-` for None."""
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def artifact_name(artifact: object) -> str:
    """Return the name of an artifact; if it has no name, return its contents in one line."""
    artifact = masked(artifact)
    if not is_object(artifact):
        return artifact if isinstance(artifact, str) else json.dumps(artifact)
    for name in _NAMES:
        value = artifact.get(name)
        if isinstance(value, str) and value:
            return value
    return _members(artifact)


def max_steps_of(config: JsonObject, name: str = "maxSteps") -> int | None:
    """Return the maximum number of steps that a configuration sets; None if it sets none."""
    value = config.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _members(values: Mapping[str, object]) -> str:
    return one_line(", ".join(f"{name} {_value(value)}" for name, value in values.items()))


def _value(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(masked(value))


def _at(log: TrainingLog) -> str:
    return f"{figure(log.loss)} at step {figure(log.step)}"


def _duration_of(job: TrainingJob, elapsed: float) -> float:
    """Return the time from the job's start to its end, or `elapsed` if it cannot be determined."""
    try:
        begun = datetime.fromisoformat(job.started_at or "")
        ended = datetime.fromisoformat(job.completed_at or "")
        seconds = (ended - begun).total_seconds()
    except (ValueError, TypeError):  # a time is missing, or only one has a time zone
        return elapsed
    return seconds if seconds >= 0 else elapsed
