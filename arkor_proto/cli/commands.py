"""Runs each `arkor-proto` command with the blocking client, and reports how it ended."""

import contextlib
import logging
import signal
import ssl
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from types import FrameType
from typing import Final, TypeAlias

from attrs import define, field

from arkor_proto._errors import Aborted, ArkorError, StatusError
from arkor_proto._json import TERMINAL_STATUSES, camel
from arkor_proto._types import Notice, TrainingEvent, TrainingJob, TrainingResult
from arkor_proto.cli import quoting
from arkor_proto.cli.causes import explained, is_passing, may_have_arrived
from arkor_proto.cli.figures import Figures, max_steps_of
from arkor_proto.cli.jobfile import JobFile
from arkor_proto.cli.output import Ending, JsonLines, Lines, Live, Quiet, Report, local_time
from arkor_proto.cli.settings import Settings, refusal
from arkor_proto.cli.shell import BAD, OK, UNABLE, CommandError, interrupt, signal_of, told
from arkor_proto.transports.blocking import ArkorClient, Callbacks, Checkpoint, Trainer

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)

_Handler: TypeAlias = Callable[[int, FrameType | None], object]


def carry_out(settings: Settings) -> int:
    """Carry out the command and return the exit status, or raise CommandError."""
    # The report already shows what the client logs.
    logging.getLogger("arkor_proto").addHandler(logging.NullHandler())
    report = _report(settings)
    try:
        client = ArkorClient(
            settings.base_url,
            token=settings.token,
            org=settings.org,
            project=settings.project,
            profile=settings.profile,
            policy=settings.policy,
            ssl_context=_trust(settings),
        )
        command = Command(settings, client, report)
    except ValueError as error:
        raise refusal(error) from error
    with client, _handling(interrupt):
        try:
            return command.carry_out()
        except BrokenPipeError:
            raise
        except OSError as error:
            goes_on = "; the job continues" if command.seen else ""
            raise CommandError(f"{told(error)}{goes_on}", UNABLE) from error
        finally:
            with contextlib.suppress(OSError, ValueError):
                report.close()


def _trust(settings: Settings) -> ssl.SSLContext | None:
    """Return a TLS context for `--ca-file`, or None without it; raise ValueError for a bad file."""
    file = settings.ca_file
    try:
        return ssl.create_default_context(cafile=file) if file else None
    except ssl.SSLError as error:
        raise ValueError(f"--ca-file {file}: contains no PEM certificate") from error
    except OSError as error:
        raise ValueError(f"--ca-file {file}: {error.strerror or error}") from error


def _report(settings: Settings) -> Report:
    figures = Figures()
    stamp = local_time if settings.timestamps else None
    report: Report = JsonLines(sys.stdout, stamp=stamp)
    if not settings.json:
        follows = settings.command in {"run", "follow"}
        panel = _panel(figures) if follows and not settings.quiet else None
        report = Lines(sys.stdout, sys.stderr, figures, panel=panel, stamp=stamp)
    return Quiet(report, figures) if settings.quiet else report


def _panel(figures: Figures) -> Live | None:
    if not sys.stdout.isatty():
        return None
    try:
        # Imported only here: rich is slow to import, and not always installed.
        from arkor_proto.cli.panel import panel_for  # noqa: PLC0415 - see above
    except ModuleNotFoundError:
        return None
    return panel_for(sys.stdout, figures)


@define
class Command:
    """One run of an `arkor-proto` command."""

    settings: Settings
    client: ArkorClient
    report: Report
    _trainer: Trainer = field(init=False)
    _begun: bool = field(init=False, default=False)
    """Whether the submission of the job has begun."""
    seen: bool = field(init=False, default=False)
    """Whether the job is assumed to exist on the backend."""
    _lost: OSError | None = field(init=False, default=None)
    _signal: signal.Signals = field(init=False, default=signal.SIGINT)

    def __attrs_post_init__(self) -> None:
        self._trainer = self._new_trainer()

    def carry_out(self) -> int:
        """Run the command and return the exit status; raise OSError if output cannot be written."""
        try:
            match self.settings.command:
                case "cancel":
                    return self._cancel()
                case "status":
                    return self._status()
                case _:
                    return self._follow()
        except KeyboardInterrupt as error:
            self._signal = signal_of(error)
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
            checkpointer=self._save if self.settings.state is not None else None,
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
        if isinstance(self.settings.job, JobFile):
            self._submit()
            job = self._trainer.job
            most = max_steps_of(self.settings.job.options, "max_steps")
        else:
            job, most = self._look(), None
            self._save(self._job_id, self.settings.last_event_id)
        if job is not None:
            self.report.known(job, max_steps_of(job.config) or most)
        self.seen = True
        with _handling(self._abort):
            result = self._trainer.wait()
        return self._end(result)

    def _submit(self) -> None:
        state = self.settings.state
        if state is not None:
            state.write("")
        self._begun = True
        try:
            job_id = self._trainer.start()
        except ArkorError as error:
            if state is not None and not may_have_arrived(error):
                state.remove()
            raise
        self._save(job_id, "")
        self.report.submitted(job_id)

    def _save(self, job_id: str, last_event_id: str) -> None:
        # An event whose line could not be written was not shown, so its id is not saved.
        if self.settings.state is not None and self._lost is None:
            with self._output():
                self.settings.state.write(job_id, last_event_id)

    def _look(self) -> TrainingJob | None:
        """Request the job once, to report a wrong id, token or address before the wait begins.

        Temporary failures are ignored. If the job was followed before, it is known to exist, and
        all failures are ignored.
        """
        try:
            return self.client.job(self._job_id)
        except ArkorError as error:
            if not self.settings.continues and not is_passing(error):
                raise
        return self._trainer.job

    def _status(self) -> int:
        job = self.client.job(self._job_id)
        names = ("name", "status", "error", "created_at", "started_at", "completed_at")
        known = {name: getattr(job, name) for name in names}
        facts = {"jobId": job.id, **{camel(name): value for name, value in known.items()}}
        dates = {name.replace("_at", ""): known[name] for name in names if name.endswith("_at")}
        shown = {"name": job.name, **dates}
        lines = tuple(f"  {name:9}  {value}" for name, value in shown.items() if value)
        words = f"{job.id} {_state_words(job)}"
        self.report.end(Ending(kind="status", words=words, facts=facts, details=lines))
        return BAD if job.status in {"failed", "cancelled"} else OK

    def _cancel(self) -> int:
        self._trainer.cancel()
        self.report.end(
            Ending(kind="cancelSent", words=f"cancel sent for {self._job_id}", facts=self._facts())
        )
        return OK

    def _end(self, result: TrainingResult) -> int:
        job = self._as_it_stands(result.job)
        status = job.status
        words = _state_words(job)
        if status not in TERMINAL_STATUSES:
            words = f"is still {status}, although its stream has ended"
        facts = {
            "status": status,
            "error": job.error,
            "artifacts": list(result.artifacts),
            **self._facts(),
        }
        words = f"{self._job_id} {words}"
        self.report.end(Ending(kind="result", words=words, job=job, facts=facts))
        return OK if status == "completed" else BAD

    def _as_it_stands(self, job: TrainingJob) -> TrainingJob:
        """Return the job; request its current state if the stream did not report a final status."""
        return job if job.status in TERMINAL_STATUSES else self.client.job(job.id)

    def _gave_up(self, error: ArkorError) -> int:
        words = explained(error, self.settings, seen=self.seen)
        declined = self.settings.command == "cancel" and isinstance(error, StatusError)
        kind = "declined" if declined else "gaveUp"
        hints = self._hints() if self.seen else ()
        if self._submitting and may_have_arrived(error):
            kind, hints = "submissionLost", self._where_to_look(error)
            words = f"the submission was interrupted: {words}. The backend may have created the job"
        self.report.end(Ending(kind=kind, words=words, facts=self._facts(), hints=hints))
        return BAD if declined else UNABLE

    def _where_to_look(self, error: ArkorError | None = None) -> tuple[str, ...]:
        """Explain how to find out whether the interrupted submission created a job."""
        job = self.settings.job
        name = job.name if isinstance(job, JobFile) else ""
        scope = f" in {self.settings.scope}" if self.settings.scope else ""
        find = f"before you submit it again, check for a job named {name!r}{scope}"
        notes: list[str] = getattr(error, "__notes__", [])
        return tuple(f"  {each}" for each in (find, *notes))

    def _interrupted(self) -> int:
        hints = self._hints()
        if self.settings.command == "cancel":
            words = "interrupted: the cancel request may not have reached the backend"
        elif self.settings.command == "status":
            words = "interrupted"
        elif self._submitting:
            words = "interrupted during the submission: the backend may have created the job"
            hints = self._where_to_look()
        elif not self._job_id:
            words = "interrupted before the submission: nothing was sent"
        else:
            words = f"interrupted: {self._job_id} continues"
        ending = Ending(kind="interrupted", words=words, facts=self._facts(), hints=hints)
        self.report.end(ending)
        return 128 + self._signal

    def _facts(self) -> dict[str, object]:
        job_id = self._job_id or None
        return {"jobId": job_id, "lastEventId": self._trainer.last_event_id or None}

    def _hints(self) -> tuple[str, ...]:
        """Return hints with the commands that follow the job again and cancel it."""
        if not self._job_id or self.settings.command not in {"run", "follow"}:
            return ()
        cursor = self._trainer.last_event_id if self.settings.state is None else ""
        after = (f"--last-event-id={cursor}",) if cursor else ()
        job = ("--", self._job_id) if self._job_id.startswith("-") else (self._job_id,)
        where, how = self.settings.where, self.settings.how
        again = quoting.joined(("arkor-proto", "follow", *where, *how, *after, *job))
        stop = quoting.joined(("arkor-proto", "cancel", *where, *job))
        return f"  to continue: {again}", f"  to stop it:  {stop}"

    @property
    def _submitting(self) -> bool:
        return self._begun and not self._job_id

    @property
    def _job_id(self) -> str:
        return self._trainer.job.id if self._trainer.job is not None else ""

    def _abort(self, number: int, _: FrameType | None) -> None:
        # A second signal ends the command at once.
        for each in _SIGNALS:
            if signal.getsignal(each) is not signal.SIG_IGN:
                signal.signal(each, interrupt)
        self._signal = signal.Signals(number)
        self._trainer.abort(self._signal.name)

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
            # The output failed, not the stream, so the stream must not be reopened.
            self._lost = error
            self._trainer.abort(error)


def _state_words(job: TrainingJob) -> str:
    return f"{job.status}: {job.error}" if job.error else job.status


@contextmanager
def _handling(handler: _Handler) -> Generator[None]:
    """Handle Ctrl-C and SIGTERM with `handler`; keep ignoring a signal that was ignored before."""
    heard = [each for each in _SIGNALS if signal.getsignal(each) is not signal.SIG_IGN]
    before = [(number, signal.signal(number, handler)) for number in heard]
    try:
        yield
    finally:
        for number, old in before:
            signal.signal(number, old)
