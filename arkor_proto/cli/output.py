"""The output of `arkor-proto` while it follows a job: readable lines, or lines of JSON.

On a terminal there is a live panel below the readable lines (`panel.py`).

Control characters from a backend are escaped, so that they cannot control the terminal.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Final, Protocol, TextIO, TypeAlias, assert_never

from attrs import define, field, frozen

from arkor_proto._errors import ArkorError
from arkor_proto._json import encode_event_data
from arkor_proto._text import error_words, one_line, printable, upgrade_words, words
from arkor_proto._types import (
    CallbackFailed,
    CheckpointSaved,
    Deprecated,
    FrameSkipped,
    Notice,
    Reconnecting,
    TrainingCompleted,
    TrainingEvent,
    TrainingFailed,
    TrainingJob,
    TrainingLog,
    TrainingStarted,
    UpgradeRequired,
)
from arkor_proto._walk import JsonObject, rebuilt
from arkor_proto.cli.figures import Figures, figure

_RESULTS: Final = frozenset({"result", "status"})

Stamp: TypeAlias = Callable[[], str]
"""A function that returns the time as text."""


def local_time() -> str:
    """Return the local time to the second, with its UTC offset."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


class Report(Protocol):
    """The output to which a command reports its progress and how it ended."""

    def known(self, job: TrainingJob, max_steps: int | None) -> None:
        """Report what is known about the job before its first event."""
        ...

    def submitted(self, job_id: str) -> None:
        """Report that the backend has accepted the job."""
        ...

    def event(self, event: TrainingEvent, cursor: str, /) -> None:
        """Report an event of the job; `cursor` is the id of this event."""
        ...

    def notice(self, notice: Notice) -> None:
        """Report a notice from the client."""
        ...

    def end(self, ending: "Ending") -> None:
        """Report how the command ended."""
        ...

    def close(self) -> None:
        """Restore the screen; called no matter how the command ended."""
        ...


@frozen(kw_only=True)
class Ending:
    """How a command ended: `words` and `hints` for people, `kind` and `facts` for programs.

    `job` is set if there is a result; `details` are printed before the words.
    """

    kind: str
    words: str
    job: TrainingJob | None = None
    details: tuple[str, ...] = ()
    facts: JsonObject = field(factory=dict[str, object])
    hints: tuple[str, ...] = ()


class Live(Protocol):
    """A live panel below the lines printed on a terminal."""

    title: str

    def start(self) -> None:
        """Start showing the panel."""
        ...

    def stop(self) -> None:
        """Remove the panel for good."""
        ...

    def above(self) -> AbstractContextManager[None]:
        """Make the lines printed in this `with` block appear above the panel."""
        ...

    def take(self, event: TrainingEvent) -> None:
        """Update the panel from an event."""
        ...

    def reconnecting(self, delay: float) -> None:
        """Show the time until the next connection attempt; `delay` is in seconds."""
        ...


@define
class Lines:
    """Prints readable lines, with the time from `stamp` before each and `panel` below, if given."""

    out: TextIO
    errors: TextIO
    figures: Figures
    panel: Live | None = field(kw_only=True, default=None)
    stamp: Stamp | None = field(kw_only=True, default=None)
    _attempt: int = field(init=False, default=1)
    _begun: float = field(init=False, factory=time.monotonic)

    def known(self, job: TrainingJob, max_steps: int | None) -> None:
        """Report what is known about the job before its first event."""
        self.figures.max_steps = max_steps
        if self.panel is not None:
            self.panel.title = f"{job.id} {job.name}".rstrip()
            self.panel.start()

    def submitted(self, job_id: str) -> None:
        """Report that the backend has accepted the job."""
        self._print(self.out, f"submitted {job_id}")

    def event(self, event: TrainingEvent, cursor: str) -> None:
        """Report an event of the job."""
        if self.panel is None:
            self.figures.take(event, time.monotonic())
            line = f"{_event_words(event)}  attempt {self._attempt}  cursor {cursor or '-'}"
        else:
            self.panel.take(event)
            line = _event_words(event)
        self._print(self.out, line)

    def notice(self, notice: Notice) -> None:
        """Report a notice from the client."""
        if isinstance(notice, Reconnecting):
            self._attempt += 1
            if self.panel is not None:
                self.panel.reconnecting(notice.delay)
        self._print(self.errors, _notice_words(notice))

    def end(self, ending: Ending) -> None:
        """Report how the command ended: a result on standard output, all else on standard error."""
        self.close()
        out = self.out if ending.kind in _RESULTS else self.errors
        summary = list(ending.details)
        if ending.job is not None:
            summary += self.figures.summary(ending.job, time.monotonic() - self._begun)
        for line in (*summary, ending.words, *ending.hints):
            self._print(out, line)

    def close(self) -> None:
        """Stop the panel."""
        if self.panel is not None:
            self.panel.stop()

    def _print(self, out: TextIO, line: str) -> None:
        stamp = "" if self.stamp is None else f"{self.stamp()} "
        with nullcontext() if self.panel is None else self.panel.above():
            print(stamp + printable(line), file=out, flush=True)


@define
class Quiet:
    """Reports only how the command ended."""

    report: Report
    figures: Figures

    def known(self, job: TrainingJob, max_steps: int | None) -> None:
        """Print nothing."""

    def submitted(self, job_id: str) -> None:
        """Print nothing."""

    def event(self, event: TrainingEvent, _: str, /) -> None:
        """Print nothing, but record the event's figures for the summary."""
        self.figures.take(event, time.monotonic())

    def notice(self, notice: Notice) -> None:
        """Print nothing."""

    def end(self, ending: Ending) -> None:
        """Report how the command ended."""
        self.report.end(ending)

    def close(self) -> None:
        """Do nothing: nothing was shown."""


@define
class JsonLines:
    """Prints one JSON object per line, each with a `type`; event members have their wire names."""

    out: TextIO
    stamp: Stamp | None = field(kw_only=True, default=None)
    _attempt: int = field(init=False, default=1)

    def known(self, job: TrainingJob, max_steps: int | None) -> None:
        """Print nothing: JSON output shows neither a title nor the total number of steps."""

    def submitted(self, job_id: str) -> None:
        """Report that the backend has accepted the job."""
        self._say({"type": "submitted", "jobId": job_id})

    def event(self, event: TrainingEvent, cursor: str) -> None:
        """Report an event of the job."""
        data = encode_event_data(event)
        self._say({**data, "attempt": self._attempt, "lastEventId": cursor})

    def notice(self, notice: Notice) -> None:
        """Report a notice from the client."""
        more: dict[str, object] = {}
        if isinstance(notice, Reconnecting):
            self._attempt += 1
            cause = None if notice.cause is None else _cause_words(notice.cause)
            more = {
                "failures": notice.failures,
                "delay": notice.delay,
                "cause": cause,
                "lastEventId": notice.last_event_id,
            }
        kind = _NOTICES[type(notice)]
        self._say({"type": kind, "message": _notice_words(notice), **more})

    def end(self, ending: Ending) -> None:
        """Report how the command ended."""
        self._say({"type": ending.kind, "message": ending.words, **ending.facts})

    def close(self) -> None:
        """Do nothing: every line is already complete."""

    def _say(self, line: Mapping[str, object]) -> None:
        if self.stamp is not None:
            line = {"time": self.stamp(), **line}
        print(json.dumps(rebuilt(line, _finite), allow_nan=False), file=self.out, flush=True)


def _finite(_: str, value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


_NOTICES: Final[Mapping[type[Notice], str]] = {
    Reconnecting: "reconnecting",
    CallbackFailed: "callbackFailed",
    FrameSkipped: "frameSkipped",
    Deprecated: "deprecated",
    UpgradeRequired: "upgradeRequired",
}


def from_where(cursor: str | None) -> str:
    """Say where in the event log a stream opened with this cursor starts."""
    return f"after event {cursor}" if cursor else "from the start"


def _event_words(event: TrainingEvent) -> str:
    match event:
        case TrainingStarted():
            return "started"
        case TrainingLog(step=step, loss=loss, eval_loss=eval_loss):
            figures = f"step {figure(step)}  loss {figure(loss)}"
            return figures if eval_loss is None else f"{figures}  eval {figure(eval_loss)}"
        case CheckpointSaved(step=step):
            return f"checkpoint  step {figure(step)}"
        case TrainingCompleted(artifacts=artifacts):
            return f"finished  artifacts {len(artifacts)}"
        case TrainingFailed(step=step):
            return f"failed  step {figure(step)}"
        case never:
            assert_never(never)


def _cause_words(cause: Exception) -> str:
    # Our own errors explain themselves; the text of any other may be just "'step'".
    return words(cause) if isinstance(cause, ArkorError) else error_words(cause)


def _notice_words(notice: Notice) -> str:
    match notice:
        case Reconnecting(failures=failures, delay=delay, cause=cause, last_event_id=cursor):
            why = "the stream ended"
            if cause is not None:
                why = f"{one_line(_cause_words(cause))} (failure {failures})"
            return f"{why}. Reconnecting in {delay:.3g} s, {from_where(cursor)}"
        case CallbackFailed(event, error):
            return f"showing {type(event).__name__} failed: {one_line(error_words(error))}"
        case FrameSkipped(_, why):
            return f"a frame was skipped: {one_line(why)}"
        case Deprecated(message, sunset):
            return f"deprecated: {message} (sunset: {sunset or 'not given'})"
        case UpgradeRequired(current, supported, upgrade):
            return f"upgrade required: {upgrade_words(current, supported, upgrade)}"
        case never:
            assert_never(never)
