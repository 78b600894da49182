"""What the command line does, with the blocking client.

It knows the course of each command, its signals and how it ends. It refuses to know how an argument
is written and how a line looks.
"""

import logging
import os
import shlex
import signal
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final, TypeAlias

from attrs import define, field

from arkor_proto._errors import Aborted, ArkorError, StatusError
from arkor_proto._json import TERMINAL_STATUSES
from arkor_proto._text import one_line
from arkor_proto._types import Notice, TrainingEvent, TrainingJob, TrainingResult
from arkor_proto.cli.arguments import (
    COMPLETED,
    FAILED,
    GAVE_UP,
    INTERRUPTED,
    Settings,
)
from arkor_proto.cli.output import (
    Ending,
    JsonLines,
    Lines,
    Report,
)
from arkor_proto.transports.blocking import ArkorClient, Callbacks, Checkpoint, Trainer

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

_Handler: TypeAlias = Callable[[int, FrameType | None], object]


def carry_out(settings: Settings) -> int:
    """Do what was asked for and return the exit code; raises ValueError for a bad setting."""
    # What the log would say, the report says.
    logging.getLogger("arkor_proto").addHandler(logging.NullHandler())
    live = sys.stdout.isatty()
    report = JsonLines(sys.stdout) if settings.json else Lines(sys.stdout, sys.stderr, live=live)
    client = ArkorClient(
        settings.base_url,
        token=settings.token,
        org=settings.org,
        project=settings.project,
        profile=settings.profile,
        policy=settings.policy,
    )
    with client, _handling(_interrupt):
        command = Command(settings, client, report)
        try:
            return command.carry_out()
        except OSError as error:
            return _lost_output(error)


@define
class Command:
    """One command under way."""

    settings: Settings
    client: ArkorClient
    report: Report
    _trainer: Trainer = field(init=False)
    _lost: OSError | None = field(init=False, default=None)

    def __attrs_post_init__(self) -> None:
        self._trainer = self._new_trainer()

    def carry_out(self) -> int:
        """Do it; raises OSError when nobody reads what it says any more."""
        try:
            return self._cancel() if self.settings.command == "cancel" else self._follow()
        except KeyboardInterrupt:
            return self._interrupted()
        except Aborted:
            if self._lost is not None:
                raise self._lost from None
            return self._interrupted()
        except ArkorError as error:
            return self._gave_up(error)

    def _new_trainer(self) -> Trainer:
        callbacks = Callbacks(
            on_started=self._tell,
            on_log=self._tell,
            on_checkpoint=self._tell_checkpoint,
            on_completed=self._tell,
            on_failed=self._tell,
            on_reconnect=self._notify,
            on_notice=self._notify,
        )
        job = self.settings.job
        if isinstance(job, str):
            cursor = self.settings.last_event_id
            return self.client.attach(job, last_event_id=cursor, callbacks=callbacks)
        return self.client.trainer(
            job.name,
            model=job.model,
            dataset=job.dataset,
            lora=job.lora,
            callbacks=callbacks,
            **job.options,
        )

    def _follow(self) -> int:
        if self.settings.command == "run":
            self.report.submitted(self._trainer.start())
        with _handling(self._abort):
            result = self._trainer.wait()
        return self._end(result)

    def _cancel(self) -> int:
        self._trainer.cancel()
        self.report.end(
            Ending(kind="cancelSent", words=f"cancel sent for {self._job_id}", facts=self._facts())
        )
        return COMPLETED

    def _end(self, result: TrainingResult) -> int:
        job = self._as_it_stands(result.job)
        status = job.status
        words = f"{status}: {job.error}" if job.error else status
        if status not in TERMINAL_STATUSES:
            words = f"the stream is over and the job is {status}"
        facts = {
            "status": status,
            "error": job.error,
            "artifacts": list(result.artifacts),
            **self._facts(),
        }
        self.report.end(Ending(kind="result", words=f"{self._job_id} {words}", facts=facts))
        return COMPLETED if status == "completed" else FAILED

    def _as_it_stands(self, job: TrainingJob) -> TrainingJob:
        """Return the job with its end: a stream that was ended for good does not say how."""
        return job if job.status in TERMINAL_STATUSES else self.client.job(job.id)

    def _gave_up(self, error: ArkorError) -> int:
        cancels = self.settings.command == "cancel"
        declined = cancels and isinstance(error, StatusError)
        hints = () if cancels else self._hints()
        kind = "declined" if declined else "gaveUp"
        self.report.end(Ending(kind=kind, words=one_line(error), facts=self._facts(), hints=hints))
        return FAILED if declined else GAVE_UP

    def _interrupted(self) -> int:
        if self.settings.command == "cancel":
            words = "interrupted: whether the backend has heard of the cancel is unknown"
        elif self._trainer.job is None:
            words = "interrupted during the submission: the backend may have the job"
        else:
            words = f"interrupted: {self._job_id} goes on without being watched"
        hints = () if self.settings.command == "cancel" else self._hints()
        ending = Ending(kind="interrupted", words=words, facts=self._facts(), hints=hints)
        self.report.end(ending)
        return INTERRUPTED

    def _facts(self) -> dict[str, object]:
        job_id = self._job_id or None
        return {"jobId": job_id, "lastEventId": self._trainer.last_event_id or None}

    def _hints(self) -> tuple[str, ...]:
        if not self._job_id:
            return ()
        cursor = self._trainer.last_event_id
        after = (f"--last-event-id={cursor}",) if cursor else ()
        job = ("--", self._job_id) if self._job_id.startswith("-") else (self._job_id,)
        again = shlex.join((*self._again("follow"), *after, *job))
        stop = shlex.join((*self._again("cancel"), *job))
        return f"  to go on:   {again}", f"  to stop it: {stop}"

    def _again(self, command: str) -> tuple[str, ...]:
        return ("arkor-proto", command, *self.settings.repeated)

    @property
    def _job_id(self) -> str:
        return self._trainer.job.id if self._trainer.job is not None else ""

    def _abort(self, number: int, _: FrameType | None) -> None:
        # Whoever asks a second time does not want to wait for anything.
        for each in _SIGNALS:
            signal.signal(each, _interrupt)
        self._trainer.abort(signal.Signals(number).name)

    def _tell(self, event: TrainingEvent) -> None:
        with self._output():
            self.report.event(event, self._trainer.last_event_id)

    def _tell_checkpoint(self, checkpoint: Checkpoint) -> None:
        self._tell(checkpoint.saved)

    def _notify(self, notice: Notice) -> None:
        with self._output():
            self.report.notice(notice)

    @contextmanager
    def _output(self) -> Generator[None]:
        try:
            yield
        except OSError as error:
            # Nobody reads any more: that is no fault of the stream, which must not be reopened.
            self._lost = error
            self._trainer.abort(error)


def _interrupt(number: int, _: FrameType | None) -> None:
    raise KeyboardInterrupt(signal.Signals(number).name)


@contextmanager
def _handling(handler: _Handler) -> Generator[None]:
    """Have `handler` called for Ctrl-C and SIGTERM."""
    before = [(number, signal.signal(number, handler)) for number in _SIGNALS]
    try:
        yield
    finally:
        for number, old in before:
            signal.signal(number, old)


def _lost_output(error: OSError) -> int:
    # What is still buffered has nowhere to go, and would be complained about at exit.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.stderr.write(f"arkor-proto: output: {error.strerror or error}; the job goes on\n")
    return GAVE_UP
