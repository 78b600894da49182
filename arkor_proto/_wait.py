"""The wait: one job's event stream, over all of its connections, to its result.

It knows what the stream's machine does about frames, endings, refusals, callbacks and timers. It
refuses to know how the job came to be and how it is cancelled.
"""

import math
from typing import Final, assert_never

from attrs import define, field

from arkor_proto._backoff import Budget
from arkor_proto._errors import (
    Aborted,
    GaveUp,
    IdleTimeout,
    LocalProtocolError,
    ResponseError,
    StatusError,
    StreamEnded,
    UnsendableCursor,
)
from arkor_proto._exchange import Answer, Outbox, Pending, Report, is_success
from arkor_proto._json import read_end
from arkor_proto._machines import Machines
from arkor_proto._messages import (
    Broken,
    Deliver,
    Finished,
    Handled,
    Operation,
    Received,
    Rejected,
    Resolved,
    Responded,
    Timer,
)
from arkor_proto._profile import CallbackErrors, Profile
from arkor_proto._reader import Control, FrameReader, Meaning, after, is_lost_end
from arkor_proto._table import Stream, StreamSignal
from arkor_proto._types import (
    CallbackFailed,
    CheckpointSaved,
    Endpoint,
    FrameSkipped,
    Headers,
    Reconnecting,
    Request,
    TrainingCompleted,
    TrainingEvent,
    TrainingFailed,
    TrainingJob,
    TrainingLog,
    TrainingResult,
    TrainingStarted,
)
from arkor_proto._wire import (
    MAX_HOPS,
    REDIRECTS,
    coding_problem,
    cursor_problem,
    header_members,
    is_event_stream,
    job_request,
    location_of,
    redirected,
    retry_after,
    stream_request,
)

_NOT_FOUND: Final = 404


@define(eq=False)
class Wait:
    """What a trainer knows of its wait. `now` is in seconds on the session's clock."""

    endpoint: Endpoint
    profile: Profile
    budget: Budget
    reader: FrameReader
    machines: Machines
    outbox: Outbox
    job: TrainingJob | None
    accepted_at: float | None = None
    with_callback: dict[int, TrainingEvent] = field(factory=dict[int, TrainingEvent])
    _exchange: Pending | None = field(default=None, init=False)
    _ending: Exception | None = field(default=None, init=False)
    _ended: bool = field(default=False, init=False)
    _opened_at: str = field(default="", init=False)
    _lost_end_at: float = field(default=math.inf, init=False)
    _delivered: int = field(default=0, init=False)
    _delivered_at: float = field(default=0.0, init=False)
    _cursor_before: str = field(default="", init=False)
    _result: TrainingResult | None = field(default=None, init=False)
    _reason: object = field(default=None, init=False)
    _due: float = field(default=0.0, init=False)
    _heard_at: float = field(default=0.0, init=False)
    _progressed_at: float = field(default=0.0, init=False)

    def open(self) -> None:
        """Ask for the stream behind the cursor, if a header can hold it."""
        if why := cursor_problem(self.reader.cursor):
            self._reject(UnsendableCursor(self.reader.cursor, why))
            return
        request = stream_request(self.endpoint, self._known_job.id, self.reader.cursor)
        self._exchange = self.outbox.send(Operation.FOLLOW, request)
        self._opened_at = self.reader.cursor
        self._ended = False
        self._ending = None
        self._lost_end_at = math.inf

    def join(self) -> None:
        """Settle a follow that comes after the end with what the end was."""
        if self.machines.stream is Stream.CONCLUDED:
            self._settle_result()
        elif self.machines.stream is Stream.ABORTED:
            self.outbox.settle(Operation.FOLLOW, Rejected(Aborted(self._reason)))

    def abort(self, reason: object) -> None:
        """End the wait for good; the first reason holds (ARK-ABT)."""
        if self.machines.take(StreamSignal.ABORT):
            self._reason = reason
            self.outbox.close(self._exchange)
            self.join()

    def leave(self) -> None:
        """End the wait so that it can be taken up again.

        An event that is still with the callback may not have been heard at all: the cursor goes
        back behind it, and the next wait hears it again.
        """
        if self.machines.stream in {Stream.DELIVERING, Stream.CONCLUDING}:
            self.reader.cursor = self._cursor_before
        if self.machines.take(StreamSignal.LEAVE):
            self.outbox.close(self._exchange)
            self.outbox.settle(Operation.FOLLOW, Rejected(Aborted("nobody waits any more")))

    def reported(self, pending: Pending, report: Report, now: float) -> None:
        """Take what the network says of the stream's exchange, or of the question for the job."""
        if self.machines.stream is Stream.ASKING:
            self._said_of_job(pending, report, now)
            return
        match report:  # the most frequent first
            case Received():
                self._received(pending, report.data, now)
            case Responded():
                self._responded(pending, now)
            case Broken(_, error) if self.machines.stream is Stream.OPENING:
                self._fail(error, now)
            case Finished():
                self._over(pending, None, now)
            case Broken(_, error):
                self._over(pending, error, now)
            case never:
                assert_never(never)

    def handled(self, report: Handled, now: float) -> None:
        """Take back an event from the callback; what outlived its wait is forgotten.

        Raises LocalProtocolError when no such event is with the callback.
        """
        delivery, error = report.delivery, report.error
        event = self.with_callback.pop(delivery, None)
        if event is None:
            raise LocalProtocolError(f"delivery {delivery}: no such event is with the callback")
        stream = self.machines.stream
        if not report.heard and delivery == self._delivered and stream is Stream.ABORTED:
            self.reader.cursor = self._cursor_before
        elif delivery == self._delivered and stream is Stream.CONCLUDING:
            self.machines.take(StreamSignal.HANDLED)
            self._conclude(event, error)
        elif delivery == self._delivered and stream is Stream.DELIVERING:
            # A slow callback is no silence of the server (ARK-IDL).
            self._heard_at = now
            self._progressed_at += now - self._delivered_at
            if error is None:
                self.machines.take(StreamSignal.HANDLED)
                self._advance(now)
            else:
                self._callback_failed(event, error, now)
        elif error is not None:
            self.outbox.notify(CallbackFailed(event, error))

    def refused(self, answer: Answer, now: float) -> None:
        """Take the whole answer of a backend that would not open the stream (ARK-ERR)."""
        error = self.outbox.status_error(answer)
        if answer.status == _NOT_FOUND and self._is_young(now):
            permanent = False
        else:
            permanent = answer.status in self.profile.permanent_statuses
        if permanent:
            self._reject(error)
        else:
            self._fail_as_answered(error, answer.headers, now)

    def answered(self, answer: Answer, now: float) -> None:
        """Take an answer that is read no further: its time is up (ARK-SEC-4)."""
        if self.machines.stream is Stream.ASKING:
            self._go_on(now)
        else:
            self.refused(answer, now)

    def tick(self, now: float) -> None:
        """Do what is due."""
        if self.machines.stream is Stream.BACKING_OFF and now >= self._due:
            self.machines.take(StreamSignal.DUE)
            self.open()
        elif self.machines.stream is Stream.STREAMING and now >= self._idle_at():
            self.outbox.close(self._exchange)
            self._ended, self._ending = True, self._silence(now)
            self._advance(now)

    def deadline(self) -> tuple[float, Timer] | None:
        """Return when `tick` has something to do next, and what."""
        if self.machines.stream is Stream.BACKING_OFF:
            return self._due, Timer.RECONNECT
        if self.machines.stream is Stream.STREAMING and self._idle_at() < math.inf:
            return self._idle_at(), Timer.IDLE
        return None

    @property
    def _known_job(self) -> TrainingJob:
        assert self.job is not None, "the table opens no stream before the job is known"
        return self.job

    def _responded(self, pending: Pending, now: float) -> None:
        if (request := self._redirected(pending)) is not None:
            self.outbox.close(pending)
            self.machines.take(StreamSignal.REDIRECT)
            self._exchange = self.outbox.send(Operation.FOLLOW, request, hops=pending.hops + 1)
        elif not is_success(pending.status):
            self.machines.take(StreamSignal.REFUSE)
            pending.deadline = now + self.outbox.bounds.error_wait
        elif (problem := self._not_a_stream(pending)) is not None:
            self.outbox.close(pending)
            if pending.status in self.profile.permanent_statuses:
                self._reject(problem)
            else:
                self._fail_as_answered(problem, pending.headers, now)
        else:
            self.machines.take(StreamSignal.OPEN)
            self.reader.open()
            self._heard_at = self._progressed_at = now

    def _redirected(self, pending: Pending) -> Request | None:
        location = location_of(pending.headers)
        if pending.status not in REDIRECTS or not location or pending.hops >= MAX_HOPS:
            return None
        return redirected(self.endpoint, pending.request, location)

    def _not_a_stream(self, pending: Pending) -> ResponseError | None:
        if pending.status not in self.profile.stream_statuses:
            return StatusError(pending.status, "the answer is no event stream; 200 would be right")
        if coded := coding_problem(pending.headers):
            return ResponseError(f"stream: {coded}")
        if self.profile.requires_event_stream and not is_event_stream(pending.headers):
            named = ", ".join(header_members(pending.headers, b"content-type"))
            return ResponseError(f"stream: its media type is {named!r}, not 'text/event-stream'")
        return None

    def _received(self, pending: Pending, data: bytes, now: float) -> None:
        if self.machines.stream is Stream.REFUSED:
            if self.outbox.keep(pending, data):
                self.outbox.close(pending)
                self.refused(pending.answer(), now)
            return
        if data:
            self._heard_at = now
        self.reader.feed(data)
        if self.reader.too_large is not None:
            self.outbox.close(pending)
        if self.profile.honours_server_delay and self.reader.retry is not None:
            self.budget.ask(stream=self.reader.retry / 1000)
        self._advance(now)

    def _over(self, pending: Pending, error: Exception | None, now: float) -> None:
        if self.machines.stream is Stream.REFUSED:
            # The status says all that matters, however its body ended.
            self.refused(pending.answer(), now)
        else:
            self._ended, self._ending = True, error
            self._advance(now)

    def _advance(self, now: float) -> None:
        """Take frames until one is with the callback, the wait is over, or none is left."""
        while self.machines.stream is Stream.STREAMING:
            self._cursor_before = self.reader.cursor
            frame = self.reader.take()
            if frame is None:
                self._drained(now)
                return
            meaning = self.reader.read(frame)
            if self.reader.progress(frame, meaning):
                self.budget.progressed()
                self._progressed_at = now
            if isinstance(meaning, FrameSkipped) and is_lost_end(frame):
                self._lost_end_at = now
            self._act_on(meaning, now)

    def _drained(self, now: float) -> None:
        if self.reader.too_large is not None:
            self._reject(self.reader.too_large)
        elif self._ended and self._may_be_over():
            self.machines.take(StreamSignal.ASK)
            request = job_request(self.endpoint, self._known_job.id)
            self._exchange = self.outbox.send(Operation.FOLLOW, request)
        elif self._ended:
            self._go_on(now)

    def _may_be_over(self) -> bool:
        """Tell whether a stream ended in a way that the end of its job explains (ARK-STR-18)."""
        if not self.profile.asks_for_the_job:
            return False
        resumed_for_nothing = self._ending is None and self.reader.empty and self._opened_at
        return bool(resumed_for_nothing) or self._lost_end_at < math.inf

    def _said_of_job(self, pending: Pending, report: Report, now: float) -> None:
        match report:
            case Responded():
                pending.deadline = now + self.outbox.bounds.create_wait
            case Received(_, data):
                if self.outbox.keep(pending, data):
                    self.outbox.close(pending)
                    self._go_on(now)
            case Broken():
                self._go_on(now)
            case Finished():
                answer = pending.answer()
                job = read_end(answer.body, self._known_job.id) if answer.succeeded else None
                if job is None:
                    self._go_on(now)
                else:
                    self.job = job
                    self._end()
            case never:
                assert_never(never)

    def _go_on(self, now: float) -> None:
        """Do what the end of the stream alone asks for."""
        if self._ending is None and self.reader.progressed:
            self._back_off(self.budget.clean_end(spread=self.profile.spreads_clean_end), None, now)
        else:
            self._fail(self._ending or StreamEnded("stream: it ended without any progress"), now)

    def _act_on(self, meaning: Meaning, now: float) -> None:
        match meaning:  # the most frequent first
            case TrainingLog() | TrainingStarted() | CheckpointSaved():
                self._deliver(StreamSignal.FRAME, meaning, now)
            case FrameSkipped(data, why):
                hide = self.outbox.hider.text
                self.outbox.notify(FrameSkipped(hide(data), hide(why)))
            case Control.PING | Control.UNKNOWN:
                pass
            case Control.END:
                self.outbox.close(self._exchange)
                self._end()
            case TrainingCompleted() | TrainingFailed():
                # Nothing behind a terminal frame matters, so nothing more is read (ARK-EVT).
                self.outbox.close(self._exchange)
                self._deliver(StreamSignal.TERMINAL, meaning, now)
                self._keep_result(meaning)
            case never:
                assert_never(never)

    def _deliver(self, signal: StreamSignal, event: TrainingEvent, now: float) -> None:
        self.machines.take(signal)
        self.job = after(self._known_job, event)
        self._lost_end_at = math.inf  # the job goes on
        self._delivered += 1
        self._delivered_at = now
        self.with_callback[self._delivered] = event
        self.outbox.outputs.append(Deliver(self._delivered, event))

    def _end(self) -> None:
        self.machines.take(StreamSignal.END)
        self._keep_result(None)
        self._settle_result()

    def _keep_result(self, last: TrainingEvent | None) -> None:
        artifacts = last.artifacts if isinstance(last, TrainingCompleted) else ()
        self._result = TrainingResult(
            job=self._known_job, artifacts=artifacts, last_event_id=self.reader.cursor
        )

    def _settle_result(self) -> None:
        assert self._result is not None, "a wait concludes with a terminal frame only"
        self.outbox.settle(Operation.FOLLOW, Resolved(self._result))

    def _conclude(self, event: TrainingEvent, error: Exception | None) -> None:
        if error is not None and self.profile.callback_errors is CallbackErrors.REJECT:
            self.outbox.settle(Operation.FOLLOW, Rejected(error))
        elif error is not None:
            # The job is over: reopening behind its terminal frame could never end (ARK-EVT).
            self.outbox.notify(CallbackFailed(event, error))
        self._settle_result()

    def _callback_failed(self, event: TrainingEvent, error: Exception, now: float) -> None:
        match self.profile.callback_errors:
            case CallbackErrors.REJECT:
                self._reject(error)
            case CallbackErrors.RETRY:
                self.outbox.notify(CallbackFailed(event, error))
                self.outbox.close(self._exchange)
                self._fail(error, now)
            case never:
                assert_never(never)

    def _fail(self, cause: Exception, now: float) -> None:
        delay = self.budget.failed()
        if delay is None:
            job_id, cursor = self._known_job.id, self.reader.cursor
            self._reject(GaveUp(self.budget.failures, cause, job_id=job_id, cursor=cursor))
        else:
            self._back_off(delay, cause, now)

    def _fail_as_answered(self, cause: Exception, headers: Headers, now: float) -> None:
        if self.profile.honours_server_delay:
            self.budget.ask(once=retry_after(headers))
        self._fail(cause, now)

    def _back_off(self, delay: float, cause: Exception | None, now: float) -> None:
        cursor = self.reader.cursor
        if why := cursor_problem(cursor):
            self._reject(UnsendableCursor(cursor, why))
            return
        self.machines.take(StreamSignal.RETRY)
        self._due = now + delay
        self.outbox.notify(
            Reconnecting(
                failures=self.budget.failures, delay=delay, cause=cause, last_event_id=cursor
            )
        )

    def _reject(self, error: Exception) -> None:
        self.outbox.close(self._exchange)
        self.machines.take(StreamSignal.REJECT)
        self.outbox.settle(Operation.FOLLOW, Rejected(error))

    def _is_young(self, now: float) -> bool:
        return (
            self.accepted_at is not None and now < self.accepted_at + self.profile.not_found_grace
        )

    def _idle_at(self) -> float:
        return min(
            self._heard_at + _or_never(self.profile.byte_timeout),
            self._progressed_at + _or_never(self.profile.progress_timeout),
            self._lost_end_at + self._patience_after_end,
        )

    @property
    def _patience_after_end(self) -> float:
        """How long a stream may go on after its terminal frame was lost, in seconds."""
        return self.outbox.bounds.error_wait if self.profile.asks_for_the_job else math.inf

    def _silence(self, now: float) -> IdleTimeout:
        if now >= self._heard_at + _or_never(self.profile.byte_timeout):
            return IdleTimeout(f"stream: no byte for {self.profile.byte_timeout} seconds")
        if now >= self._lost_end_at + self._patience_after_end:
            return IdleTimeout("stream: it stays open after a terminal frame that is not JSON")
        return IdleTimeout(f"stream: no progress for {self.profile.progress_timeout} seconds")


def _or_never(timeout: float | None) -> float:
    return math.inf if timeout is None else timeout
