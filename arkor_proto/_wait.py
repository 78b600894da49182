"""The wait, which follows one job's event stream across all its connections until it has a result.

This module acts on frames, the ends of streams, refusals, finished callbacks and timers, as the
stream's state machine requires.
"""

from math import inf
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
from arkor_proto._exchange import Answer, Outbox, Pending
from arkor_proto._json import read_end
from arkor_proto._messages import (
    Broken,
    Deliver,
    Finished,
    Operation,
    Received,
    Rejected,
    Report,
    Resolved,
    Responded,
    Timer,
)
from arkor_proto._profile import CallbackErrors, Profile
from arkor_proto._reader import Control, FrameReader, Meaning, after
from arkor_proto._table import Machines, Stream, StreamSignal
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
    is_success,
    job_request,
    location_of,
    redirected,
    retry_after,
    stream_request,
)

_NOT_FOUND: Final = 404


@define(eq=False, repr=False)
class Wait:
    """The state of a trainer's wait and job. Times are in seconds on the session's clock."""

    _endpoint: Endpoint
    _profile: Profile
    _budget: Budget
    _reader: FrameReader
    _machines: Machines
    _outbox: Outbox
    job: TrainingJob | None
    now: float = field(default=-inf, init=False)
    with_callback: dict[int, TrainingEvent] = field(factory=dict[int, TrainingEvent], init=False)
    """The delivered events that are not handled yet, by delivery number."""
    _accepted_at: float = field(default=-inf, init=False)
    _exchange: Pending | None = field(default=None, init=False)
    _ending: Exception | None = field(default=None, init=False)
    _ended: bool = field(default=False, init=False)
    _opened_at: str = field(default="", init=False)
    _progressed: bool = field(default=False, init=False)
    _lost_end_at: float = field(default=inf, init=False)
    _delivered: int = field(default=0, init=False)
    _called_at: float = field(default=0.0, init=False)
    _result: TrainingResult | None = field(default=None, init=False)
    _reason: object = field(default=None, init=False)
    _due: float = field(default=0.0, init=False)
    _heard_at: float = field(default=0.0, init=False)
    _progressed_at: float = field(default=0.0, init=False)

    @property
    def last_event_id(self) -> str:
        """The cursor: the id of the last frame taken from the stream."""
        return self._reader.cursor

    def go_to(self, now: float) -> None:
        """Set the time."""
        self.now = now

    def accept(self, job: TrainingJob) -> None:
        """Record the job that was created."""
        self.job = job
        self._accepted_at = self.now

    def open(self) -> None:
        """Request the events after the cursor; reject the wait if the cursor cannot be sent."""
        cursor = self._reader.cursor
        if why := cursor_problem(cursor):
            self._reject(UnsendableCursor(cursor, why))
            return
        request = stream_request(self._endpoint, self._known_job.id, cursor)
        self._exchange = self._outbox.send(Operation.FOLLOW, request)
        self._opened_at = cursor
        self._ended = False
        self._ending = None
        self._lost_end_at = inf

    def join(self) -> None:
        """If the wait has concluded or was aborted, settle a new follow with the same outcome."""
        if self._machines.stream is Stream.CONCLUDED:
            self._settle_result()
        elif self._machines.stream is Stream.ABORTED:
            self._outbox.settle(Operation.FOLLOW, Rejected(Aborted(self._reason)))

    def abort(self, reason: object) -> None:
        """End the wait for good; of several aborts, only the first reason is kept (ARK-ABT)."""
        if self._machines.take(StreamSignal.ABORT):
            self._reason = reason
            self._outbox.close(self._exchange)
            self.join()

    def leave(self) -> None:
        """End the wait so that a later one can resume it.

        If a callback has not returned, its event may not have been handled, so the cursor goes back
        to before the event, and the next wait delivers it again.
        """
        if self._machines.stream in {Stream.DELIVERING, Stream.CONCLUDING}:
            self._reader.rewind()
        if self._machines.take(StreamSignal.LEAVE):
            self._outbox.close(self._exchange)
            self._outbox.settle(
                Operation.FOLLOW, Rejected(Aborted("no caller is waiting any more"))
            )

    def reported(self, pending: Pending, report: Report) -> None:
        """Act on a report about the stream's exchange or about the request that reads the job."""
        if self._machines.stream is Stream.ASKING:
            self._asked(pending, report)
            return
        match report:  # the most frequent first
            case Received():
                self._received(pending, report.data)
            case Responded():
                self._responded(pending)
            case Broken(_, error, final=True):
                self._reject(error)
            case Broken(_, error) if self._machines.stream is Stream.OPENING:
                self._fail(error)
            case Finished():
                self._over(pending, None)
            case Broken(_, error):
                self._over(pending, error)
            case never:
                assert_never(never)

    def handled(
        self, delivery: int, now: float, error: Exception | None = None, *, heard: bool = True
    ) -> None:
        """Record that the callback for an event is done, even if the wait has ended.

        Raise LocalProtocolError if no callback is handling the event.
        """
        event = self.with_callback.pop(delivery, None)
        if event is None:
            raise LocalProtocolError(f"delivery {delivery}: no callback is handling this event")
        self.now = now
        stream = self._machines.stream if delivery == self._delivered else None
        if stream is Stream.DELIVERING and error is None:
            self._advance()
        elif stream is Stream.DELIVERING and error is not None:
            self._callback_failed(event, error)
        elif stream is Stream.CONCLUDING:
            self._machines.take(StreamSignal.HANDLED)
            self._conclude(event, error)
        elif stream is Stream.ABORTED and not heard:
            self._reader.rewind()
        elif error is not None:
            self._outbox.notify(CallbackFailed(event, error))

    def refused(self, answer: Answer) -> None:
        """Act on the complete response of a backend that refused to open the stream (ARK-ERR)."""
        error = self._outbox.status_error(answer)
        young = self.now < self._accepted_at + self._profile.not_found_grace
        retried = answer.status == _NOT_FOUND and young
        if answer.status in self._profile.permanent_statuses and not retried:
            self._reject(error)
        else:
            self._fail_as_answered(error, answer.headers)

    def answered(self, answer: Answer) -> None:
        """Act on a response that is still incomplete at its deadline (ARK-SEC-4)."""
        if self._machines.stream is Stream.ASKING:
            self._go_on()
        else:
            self.refused(answer)

    def tick(self) -> None:
        """Act if a deadline has been reached."""
        if self._machines.stream is Stream.BACKING_OFF and self.now >= self._due:
            self._machines.take(StreamSignal.DUE)
            self.open()
        elif self._machines.stream is Stream.STREAMING and self.now >= self._idle_at():
            self._outbox.close(self._exchange)
            self._ended, self._ending = True, self._silence()
            self._advance()

    def deadline(self) -> tuple[float, Timer] | None:
        """Return the time of the next deadline and what it is for; None if there is none."""
        if self._machines.stream is Stream.BACKING_OFF:
            return self._due, Timer.RECONNECT
        if self._machines.stream is Stream.STREAMING and (at := self._idle_at()) < inf:
            return at, Timer.IDLE
        return None

    @property
    def _known_job(self) -> TrainingJob:
        assert self.job is not None, "the state table opens no stream before there is a job"
        return self.job

    def _responded(self, pending: Pending) -> None:
        if (request := self._redirected(pending)) is not None:
            self._outbox.close(pending)
            self._machines.take(StreamSignal.REDIRECT)
            self._exchange = self._outbox.send(Operation.FOLLOW, request, hops=pending.hops + 1)
        elif not is_success(pending.status):
            self._machines.take(StreamSignal.REFUSE)
            pending.end_by(self.now + self._outbox.bounds.error_wait)
        elif (problem := self._not_a_stream(pending)) is not None:
            self._outbox.close(pending)
            if pending.status in self._profile.permanent_statuses:
                self._reject(problem)
            else:
                self._fail_as_answered(problem, pending.headers)
        else:
            self._machines.take(StreamSignal.OPEN)
            self._reader.open()
            self._progressed = False
            self._heard_at = self._progressed_at = self.now

    def _redirected(self, pending: Pending) -> Request | None:
        location = location_of(pending.headers)
        if pending.status not in REDIRECTS or not location or pending.hops >= MAX_HOPS:
            return None
        return redirected(self._endpoint, pending.request, location)

    def _not_a_stream(self, pending: Pending) -> ResponseError | None:
        if pending.status not in self._profile.stream_statuses:
            return StatusError(pending.status, "the response is not an event stream; expected 200")
        if coded := coding_problem(pending.headers):
            return ResponseError(f"stream: {coded}")
        if self._profile.requires_event_stream and not is_event_stream(pending.headers):
            named = ", ".join(header_members(pending.headers, b"content-type"))
            return ResponseError(f"stream: the media type is {named!r}, not 'text/event-stream'")
        return None

    def _received(self, pending: Pending, data: bytes) -> None:
        if self._machines.stream is Stream.REFUSED:
            if self._outbox.keep(pending, data):
                self.refused(pending.answer())
            return
        if data:
            self._heard_at = self.now
        self._reader.feed(data)
        if self._reader.too_large is not None:
            self._outbox.close(pending)
        if self._profile.honours_server_delay and self._reader.retry is not None:
            self._budget.ask(stream=self._reader.retry / 1000)
        if self._machines.stream is Stream.STREAMING:
            self._advance()

    def _over(self, pending: Pending, error: Exception | None) -> None:
        if self._machines.stream is Stream.REFUSED:
            # Only the status matters, however the body ended.
            self.refused(pending.answer())
        else:
            self._ended, self._ending = True, error
            if self._machines.stream is Stream.STREAMING:
                self._advance()

    def _advance(self) -> None:
        """Take frames until there is an event to deliver, the wait has ended, or no frame is left.

        According to the table, the stream moves to STREAMING and back between two log events
        (HANDLED, FRAME). No other machine depends on these two moves, so they are skipped.
        """
        machines = self._machines
        while (event := self._reader.take()) is not None:
            if type(event) is not TrainingLog or machines.stream is not Stream.DELIVERING:
                event = self._act_on(event)
            if event is not None:
                self._lost_end_at = inf  # the job goes on
                self._delivered = delivery = self._delivered + 1
                self.with_callback[delivery] = event
                self._outbox.outputs.append(Deliver(delivery, event))
                return
            if machines.stream is not Stream.STREAMING:
                return
        self._called_back()
        self._note_progress()
        self._drained()

    def _act_on(self, meaning: Meaning) -> TrainingEvent | None:
        """Act on a frame; if it is an event, return it for delivery."""
        self._called_back()
        match meaning:
            case TrainingLog() | TrainingStarted() | CheckpointSaved() as event:
                self._machines.take(StreamSignal.FRAME)
                self._called_at = self.now
                self.job = after(self._known_job, event)
                return event
            case TrainingCompleted() | TrainingFailed() as event:
                # Nothing after a terminal frame matters, so nothing more is read (ARK-EVT).
                self._outbox.close(self._exchange)
                self._machines.take(StreamSignal.TERMINAL)
                self.job = after(self._known_job, event)
                self._keep_result(event)
                return event
            case FrameSkipped(data, why):
                if self._reader.lost_end:
                    self._lost_end_at = self.now
                hide = self._outbox.hider.text
                self._outbox.notify(FrameSkipped(hide(data), hide(why)))
            case Control.PING | Control.UNKNOWN:
                pass
            case Control.END:
                self._outbox.close(self._exchange)
                self._end()
            case never:
                assert_never(never)
        return None

    def _called_back(self) -> None:
        """Record that the callback is done; the time it took is not counted as silence."""
        if self._machines.stream is Stream.DELIVERING:
            self._machines.take(StreamSignal.HANDLED)
            self._heard_at = self.now
            self._progressed_at += self.now - self._called_at

    def _note_progress(self) -> None:
        if self._reader.take_progress():
            self._progressed = True
            self._progressed_at = self.now
            self._budget.progressed()

    def _drained(self) -> None:
        if self._reader.too_large is not None:
            self._reject(self._reader.too_large)
        elif self._ended and self._may_be_over():
            self._machines.take(StreamSignal.ASK)
            request = job_request(self._endpoint, self._known_job.id)
            self._exchange = self._outbox.send(Operation.FOLLOW, request)
        elif self._ended:
            self._go_on()

    def _may_be_over(self) -> bool:
        """Return whether the stream may have ended because the job did (ARK-STR-18)."""
        if not self._profile.asks_for_the_job:
            return False
        resumed_for_nothing = self._ending is None and self._reader.empty and self._opened_at
        return bool(resumed_for_nothing) or self._lost_end_at < inf

    def _asked(self, pending: Pending, report: Report) -> None:
        match report:
            case Responded():
                pending.end_by(self.now + self._outbox.bounds.create_wait)
            case Received(_, data):
                if self._outbox.keep(pending, data):
                    self._go_on()
            case Broken(_, error, final=True):
                self._reject(error)
            case Broken():
                self._go_on()
            case Finished():
                answer = pending.answer()
                job = read_end(answer.body, self._known_job.id) if answer.succeeded else None
                if job is None:
                    self._go_on()
                else:
                    self.job = job
                    self._end()
            case never:
                assert_never(never)

    def _go_on(self) -> None:
        """Back off after a stream ends; a clean end after progress does not count as a failure."""
        if self._ending is None and self._progressed:
            self._back_off(self._budget.clean_end(spread=self._profile.spreads_clean_end), None)
        else:
            self._fail(self._ending or StreamEnded("stream: ended without any progress"))

    def _end(self) -> None:
        self._machines.take(StreamSignal.END)
        self._keep_result(None)
        self._settle_result()

    def _keep_result(self, last: TrainingEvent | None) -> None:
        artifacts = last.artifacts if isinstance(last, TrainingCompleted) else ()
        self._result = TrainingResult(
            job=self._known_job, artifacts=artifacts, last_event_id=self._reader.cursor
        )

    def _settle_result(self) -> None:
        assert self._result is not None, "a wait that has concluded has a result"
        self._outbox.settle(Operation.FOLLOW, Resolved(self._result))

    def _conclude(self, event: TrainingEvent, error: Exception | None) -> None:
        if error is not None and self._profile.callback_errors is CallbackErrors.REJECT:
            self._outbox.settle(Operation.FOLLOW, Rejected(error))
        elif error is not None:
            # The job is over; retries after its terminal frame might never stop (ARK-EVT).
            self._outbox.notify(CallbackFailed(event, error))
        self._settle_result()

    def _callback_failed(self, event: TrainingEvent, error: Exception) -> None:
        self._note_progress()
        match self._profile.callback_errors:
            case CallbackErrors.REJECT:
                self._reject(error)
            case CallbackErrors.RETRY:
                self._outbox.notify(CallbackFailed(event, error))
                self._outbox.close(self._exchange)
                self._fail(error)
            case never:
                assert_never(never)

    def _fail(self, cause: Exception) -> None:
        delay = self._budget.failed()
        if delay is None:
            job_id, cursor = self._known_job.id, self._reader.cursor
            self._reject(GaveUp(self._budget.failures, cause, job_id=job_id, cursor=cursor))
        else:
            self._back_off(delay, cause)

    def _fail_as_answered(self, cause: Exception, headers: Headers) -> None:
        if self._profile.honours_server_delay:
            self._budget.ask(once=retry_after(headers))
        self._fail(cause)

    def _back_off(self, delay: float, cause: Exception | None) -> None:
        cursor = self._reader.cursor
        if why := cursor_problem(cursor):
            self._reject(UnsendableCursor(cursor, why))
            return
        self._machines.take(StreamSignal.RETRY)
        self._due = self.now + delay
        failures = self._budget.failures
        self._outbox.notify(
            Reconnecting(failures=failures, delay=delay, cause=cause, last_event_id=cursor)
        )

    def _reject(self, error: Exception) -> None:
        self._outbox.close(self._exchange)
        self._machines.take(StreamSignal.REJECT)
        self._outbox.settle(Operation.FOLLOW, Rejected(error))

    def _idle_at(self) -> float:
        return min(
            self._heard_at + _or_never(self._profile.byte_timeout),
            self._progressed_at + _or_never(self._profile.progress_timeout),
            self._lost_end_at + self._patience_after_end,
        )

    @property
    def _patience_after_end(self) -> float:
        """How long a stream may stay open after its terminal frame was lost, in seconds."""
        return self._outbox.bounds.error_wait if self._profile.asks_for_the_job else inf

    def _silence(self) -> IdleTimeout:
        if self.now >= self._heard_at + _or_never(self._profile.byte_timeout):
            return IdleTimeout(f"stream: nothing received for {self._profile.byte_timeout} seconds")
        if self.now >= self._lost_end_at + self._patience_after_end:
            return IdleTimeout("stream: still open after a terminal frame that is not JSON")
        return IdleTimeout(f"stream: no progress for {self._profile.progress_timeout} seconds")


def _or_never(timeout: float | None) -> float:
    return inf if timeout is None else timeout
