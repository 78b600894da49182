"""What the command line prints while it follows a job: lines for people, or lines of JSON.

Control characters that a backend sends are spelled out, so that it can never drive the terminal.
"""

import json
import math
import shutil
from collections.abc import Mapping
from typing import Final, Protocol, TextIO, assert_never

from attrs import define, field, frozen

from arkor_proto._errors import ArkorError
from arkor_proto._json import encode_event_data
from arkor_proto._text import error_words, one_line, printable, words
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
    TrainingLog,
    TrainingStarted,
    UpgradeRequired,
)
from arkor_proto._walk import JsonObject, rebuilt

_CLEAR: Final = "\r\x1b[K"


class Report(Protocol):
    """Where the command reports what happens."""

    def submitted(self, job_id: str) -> None:
        """Report that the backend has accepted the job."""
        ...

    def event(self, event: TrainingEvent, cursor: str) -> None:
        """Report what happened to the job; `cursor` is the id of this event."""
        ...

    def notice(self, notice: Notice) -> None:
        """Report a notice of the client."""
        ...

    def end(self, ending: "Ending") -> None:
        """Report how the command ended."""
        ...


@frozen(kw_only=True)
class Ending:
    """How a command ended: `words` and `hints` for people, `kind` and `facts` for programs."""

    kind: str
    words: str
    facts: JsonObject = field(factory=dict[str, object])
    hints: tuple[str, ...] = ()


@define
class Lines:
    """Lines for people; `live` rewrites one line in place while nothing but figures change."""

    out: TextIO
    errors: TextIO
    live: bool = field(kw_only=True)
    _attempt: int = field(init=False, default=1)
    _shown: bool = field(init=False, default=False)

    def submitted(self, job_id: str) -> None:
        """Report that the backend has accepted the job."""
        self._say(f"submitted {job_id}")

    def event(self, event: TrainingEvent, cursor: str) -> None:
        """Report what happened to the job."""
        line = f"{_event_words(event)}  attempt {self._attempt}  cursor {cursor or '-'}"
        if self.live and isinstance(event, TrainingLog):
            self._show(printable(line))
        else:
            self._say(line)

    def notice(self, notice: Notice) -> None:
        """Report a notice of the client."""
        if isinstance(notice, Reconnecting):
            self._attempt += 1
        self._clear()
        print(printable(_notice_words(notice)), file=self.errors, flush=True)

    def end(self, ending: Ending) -> None:
        """Report how the command ended: a job's own end is a result, all else a message."""
        self._clear()
        out = self.out if ending.kind == "result" else self.errors
        for line in (ending.words, *ending.hints):
            print(printable(line), file=out, flush=True)

    def _say(self, line: str) -> None:
        self._clear()
        print(printable(line), file=self.out, flush=True)

    def _show(self, line: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        print(_CLEAR + line[:width], end="", file=self.out, flush=True)
        self._shown = True

    def _clear(self) -> None:
        if self._shown:
            print(_CLEAR, end="", file=self.out, flush=True)
            self._shown = False


@define
class JsonLines:
    """One JSON object a line, each with its `type`; names are those of the wire."""

    out: TextIO
    _attempt: int = field(init=False, default=1)

    def submitted(self, job_id: str) -> None:
        """Report that the backend has accepted the job."""
        self._say({"type": "submitted", "jobId": job_id})

    def event(self, event: TrainingEvent, cursor: str) -> None:
        """Report what happened to the job."""
        data = encode_event_data(event)
        self._say({**data, "attempt": self._attempt, "lastEventId": cursor})

    def notice(self, notice: Notice) -> None:
        """Report a notice of the client."""
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

    def _say(self, line: Mapping[str, object]) -> None:
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


def _event_words(event: TrainingEvent) -> str:
    match event:
        case TrainingStarted():
            return "started"
        case TrainingLog(step=step, loss=loss, eval_loss=eval_loss):
            figures = f"step {_figure(step)}  loss {_figure(loss)}"
            return figures if eval_loss is None else f"{figures}  eval {_figure(eval_loss)}"
        case CheckpointSaved(step=step):
            return f"checkpoint  step {_figure(step)}"
        case TrainingCompleted(artifacts=artifacts):
            return f"finished  artifacts {len(artifacts)}"
        case TrainingFailed(step=step):
            return f"broke off  step {_figure(step)}"
        case never:
            assert_never(never)


def _figure(value: float | None) -> str:
    if value is None:
        return "-"
    return str(value) if isinstance(value, int) else f"{value:.4g}"


def _cause_words(cause: Exception) -> str:
    # Our own errors explain themselves; the text of another one may be a bare "'step'".
    return words(cause) if isinstance(cause, ArkorError) else error_words(cause)


def _notice_words(notice: Notice) -> str:
    match notice:
        case Reconnecting(failures=failures, delay=delay, cause=cause, last_event_id=cursor):
            why = "the stream ended"
            if cause is not None:
                why = f"{one_line(_cause_words(cause))} (failure {failures})"
            after = f"after event {cursor}" if cursor else "from the start"
            return f"{why}. Reconnecting in {delay:.3g} s, {after}"
        case CallbackFailed(event, error):
            return f"showing {type(event).__name__} failed: {one_line(error_words(error))}"
        case FrameSkipped(_, why):
            return f"a frame was skipped: {one_line(why)}"
        case Deprecated(message, sunset):
            return f"deprecated: {message} (sunset: {sunset or 'not given'})"
        case UpgradeRequired(current, supported, upgrade):
            return f"upgrade required: {current} is not supported, {supported} is; {upgrade}"
        case never:
            assert_never(never)
