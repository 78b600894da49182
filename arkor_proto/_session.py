"""The session of one trainer, which runs the state machines of `_table.py`.

This module handles the create and the cancel, and is the interface to the driver; `_wait.py`
handles the stream. The time and the source of random numbers are arguments, so a recorded session
can be replayed exactly.

A driver calls `handle` with what happened, then `poll` until it returns `Idle` or `Done`; the order
of calls is otherwise free. Remote faults never raise here: they become the outcome of an operation.
"""

from math import inf
from typing import Final, Never, assert_never

from attrs import Attribute, field, frozen
from attrs.validators import optional

from arkor_proto._backoff import Budget, Random, ReconnectPolicy
from arkor_proto._checks import check_kind, is_header_value, of_kind
from arkor_proto._dialect import JsonLoads
from arkor_proto._errors import LocalProtocolError, ResponseError, TransportError
from arkor_proto._exchange import Answer, Outbox, Pending
from arkor_proto._json import check_job_id, read_job
from arkor_proto._messages import (
    Abort,
    Accepted,
    Broken,
    Cancel,
    CancelSent,
    Done,
    Finished,
    Follow,
    Handled,
    Idle,
    Input,
    Leave,
    NothingToCancel,
    Operation,
    Output,
    Received,
    Rejected,
    Report,
    Responded,
    Start,
    Tick,
    Timer,
)
from arkor_proto._profile import PROFILE_2026_05, Profile
from arkor_proto._reader import FrameReader
from arkor_proto._secrets import Hider, secrets_in
from arkor_proto._table import (
    Job,
    JobSignal,
    Machines,
    Signal,
    Stop,
    StopSignal,
    Stream,
    StreamSignal,
)
from arkor_proto._types import (
    Bounds,
    Endpoint,
    JobSpec,
    TrainingJob,
)
from arkor_proto._value import Value
from arkor_proto._wait import Wait
from arkor_proto._wire import (
    cancel_request,
    coding_problem,
    create_request,
    cursor_problem,
    is_success,
    page_problem,
)

_IDLE: Final = Idle()
_DONE: Final = Done()


def _not_an_input(event: Never) -> LocalProtocolError:
    return LocalProtocolError(f"{type(event).__name__} is not an input of a session")


def _is_sendable(_: object, __: "Attribute[str]", cursor: str) -> None:
    check_kind("last_event_id", cursor, str, 'the id as a str, or "" if there is none')
    if why := cursor_problem(cursor):
        raise ValueError(f"last_event_id: {why}")


def _is_job(_: object, __: "Attribute[JobSpec | str]", job: JobSpec | str) -> None:
    check_kind("job", job, (JobSpec, str), "a JobSpec, or the id of an existing job")
    if isinstance(job, str):
        check_job_id(job)


@frozen(kw_only=True, repr=False, eq=False)
class SessionConfig(Value):
    """The settings of a session. Raises ValueError for an id or a cursor that cannot be sent.

    `job` is the job to submit, or the id of an existing job. `last_event_id` is the saved cursor
    to resume from. `idempotency_key` is sent with the create under profiles that require one.
    """

    endpoint: Endpoint = field(validator=of_kind(Endpoint, "an Endpoint"))
    job: JobSpec | str = field(validator=_is_job)
    last_event_id: str = field(default="", validator=_is_sendable)
    idempotency_key: str | None = field(default=None, validator=optional(is_header_value))
    bounds: Bounds = field(factory=Bounds, validator=of_kind(Bounds, "Bounds"))

    @property
    def secrets(self) -> frozenset[str]:
        """The strings to remove from everything that the backend echoes."""
        job = secrets_in(self.job.config) if isinstance(self.job, JobSpec) else set[str]()
        return frozenset(job | {self.endpoint.token})


class Session:
    """A trainer without I/O: it creates, follows and cancels one job.

    `random` returns floats in [0, 1) to randomise the delays; without it, the delays are exact.
    `json_loads` is a faster decoder for the data of frames. It need not be strict: the core's own
    decoder reads any text that this one refuses or may misread. Raises ValueError if the profile
    needs an idempotency key and the configuration has none, or TypeError if an argument has the
    wrong type.
    """

    def __init__(
        self,
        config: SessionConfig,
        *,
        profile: Profile = PROFILE_2026_05,
        policy: ReconnectPolicy | None = None,
        random: Random | None = None,
        json_loads: JsonLoads | None = None,
    ) -> None:
        check_kind("config", config, SessionConfig, "a SessionConfig")
        check_kind("profile", profile, Profile, "a Profile, such as HARDENED")
        if policy is not None:
            check_kind("policy", policy, ReconnectPolicy, "a ReconnectPolicy")
        creates = isinstance(config.job, JobSpec)
        if creates and profile.idempotency_key and not config.idempotency_key:
            raise ValueError(f"profile {profile.name}: the session needs an idempotency_key")
        self._config = config
        self._key = config.idempotency_key if profile.idempotency_key else None
        self._refusal: Exception = LocalProtocolError("the create has not failed")
        attached = TrainingJob(id=config.job) if isinstance(config.job, str) else None
        self._machines = Machines(Job.UNSUBMITTED if attached is None else Job.ACCEPTED)
        self._outbox = Outbox(config.bounds, Hider.of(config.secrets))
        self._outputs = self._outbox.outputs
        self._budget = Budget(policy or ReconnectPolicy(), random)
        self._wait = Wait(
            config.endpoint,
            profile,
            self._budget,
            FrameReader(profile, json_loads, config.bounds.event, config.last_event_id),
            self._machines,
            self._outbox,
            attached,
        )

    @property
    def job(self) -> TrainingJob | None:
        """The last known state of the job; None if the job is new and has not been accepted yet."""
        return self._wait.job

    @property
    def last_event_id(self) -> str:
        """The cursor after the last frame taken from the stream: an event id, or "" if none."""
        return self._wait.last_event_id

    @property
    def job_state(self) -> Job:
        """Whether the job is unsubmitted, being created, or accepted by the backend."""
        return self._machines.job

    @property
    def stream_state(self) -> Stream:
        """The state of the operation that follows the stream."""
        return self._machines.stream

    @property
    def stop_state(self) -> Stop:
        """The state of the operation that cancels the job."""
        return self._machines.stop

    def hide(self, secret: str) -> None:
        """From now on, remove `secret` from what the backend echoes, as with the endpoint's token.

        This is for tokens renewed during the session. Only the eight most recent are removed.
        """
        check_kind("secret", secret, str, "a str")
        self._outbox.hider.learn(secret)

    def step(self, event: Input, now: float) -> Output:
        """Take one input, as `handle` does, and return the first output, as `poll` does."""
        self.handle(event, now)
        return self.poll()

    def handled(self, delivery: int, now: float) -> Output:
        """Do the same as `step(Handled(delivery), now)`, but faster."""
        wait = self._wait
        if type(now) is not float or not wait.now <= now < inf:
            return self.step(Handled(delivery), now)
        wait.handled(delivery, now)
        outputs = self._outputs
        return outputs.popleft() if outputs else self.poll()

    def handle(self, event: Input, now: float) -> None:
        """Take one input at `now`, in seconds on any monotonic clock.

        Raises LocalProtocolError for an impossible input, which changes nothing.
        """
        check_kind("now", now, (int, float), "a number of seconds")
        before = self._wait.now
        if not before <= now < inf or now == -inf:
            raise LocalProtocolError(
                f"now: {now!r} is not finite, or is before {before!r}; time must not go backwards"
            )
        self._wait.go_to(now)
        try:
            match event:  # the most frequent first
                case Received() | Responded() | Finished() | Broken():
                    self._reported(event)
                case Handled():
                    self._wait.handled(event.delivery, now, event.error, heard=event.heard)
                case Tick():
                    self._tick()
                case imperative:
                    self._asked(imperative)
        except LocalProtocolError:
            self._wait.go_to(before)  # a refused input changes nothing, not even the time
            raise

    def poll(self) -> Output:
        """Return what to do next; after an `Idle` or a `Done`, further calls return it again.

        If there is a `Deliver`, it is the last output before `Idle` or `Done`.
        """
        if self._outputs:
            return self._outputs.popleft()
        next_deadline = self._wait.deadline()
        for pending in self._outbox.pending.values():
            at = pending.deadline
            if at is not None and (next_deadline is None or at < next_deadline[0]):
                next_deadline = at, Timer.ANSWER
        if next_deadline is not None:
            return Idle(*next_deadline)
        return _IDLE if self._outbox.pending or self._wait.with_callback else _DONE

    def _asked(self, imperative: Start | Follow | Leave | Cancel | Abort) -> None:
        match imperative:
            case Start():
                self._start()
            case Follow():
                self._outbox.asked.add(Operation.FOLLOW)
                self._act(self._machines.take(StreamSignal.FOLLOW))
                self._wait.join()
            case Leave():
                self._wait.leave()
            case Cancel():
                self._outbox.asked.add(Operation.CANCEL)
                self._act(self._machines.take(StopSignal.CANCEL))
            case Abort(reason):
                self._wait.abort(reason)
            case never:
                raise _not_an_input(never)

    def _start(self) -> None:
        self._outbox.asked.add(Operation.START)
        self._act(self._machines.take(JobSignal.START))
        if self._machines.job is Job.ACCEPTED and self._wait.job is not None:
            self._outbox.settle(Operation.START, Accepted(self._wait.job.id))

    def _act(self, moved: list[Signal]) -> None:
        """Perform the external effects of the signals that moved a machine."""
        for signal in moved:
            match signal:
                case JobSignal.START if isinstance(self._config.job, JobSpec):
                    request = create_request(self._config.endpoint, self._config.job, self._key)
                    self._outbox.send(Operation.START, request)
                case StreamSignal.FOLLOW:
                    self._budget.progressed()
                case StreamSignal.JOB_KNOWN:
                    self._wait.open()
                case StreamSignal.NO_JOB:
                    self._outbox.settle(Operation.FOLLOW, Rejected(self._refusal))
                case StopSignal.JOB_KNOWN if self._wait.job is not None:
                    request = cancel_request(self._config.endpoint, self._wait.job.id)
                    self._outbox.send(Operation.CANCEL, request)
                case StopSignal.NO_JOB:
                    self._outbox.settle(Operation.CANCEL, NothingToCancel())
                case _:
                    pass

    def _reported(self, report: Report) -> None:
        if isinstance(report, Responded) and not 200 <= report.status <= 999:  # noqa: PLR2004 - the statuses of HTTP
            raise LocalProtocolError(
                f"exchange {report.exchange}: {report.status} is not a final status"
            )
        pending = self._outbox.note(report)
        if pending is None:
            return
        if pending.operation is Operation.FOLLOW:
            self._wait.reported(pending, report)
            return
        match report:
            case Responded(_, status):
                creates = pending.operation is Operation.START and is_success(status)
                bounds = self._config.bounds
                wait = bounds.create_wait if creates else bounds.error_wait
                pending.end_by(self._wait.now + wait)
            case Received(_, data):
                if self._outbox.keep(pending, data):
                    self._answered(pending, None)
            case Finished():
                self._answered(pending, None)
            case Broken(_, error):
                self._answered(pending, error)
            case never:
                assert_never(never)

    def _tick(self) -> None:
        for pending in list(self._outbox.pending.values()):
            if pending.deadline is not None and self._wait.now >= pending.deadline:
                self._outbox.close(pending)
                self._answered(pending, TransportError("response: the body did not end in time"))
        self._wait.tick()

    def _answered(self, pending: Pending, broken: Exception | None) -> None:
        answer = pending.answer(broken)
        match pending.operation:
            case Operation.START:
                self._created(answer)
            case Operation.FOLLOW:
                self._wait.answered(answer)
            case Operation.CANCEL:
                self._cancelled(answer)
            case never:
                assert_never(never)

    def _created(self, answer: Answer) -> None:
        job = self._accepted(answer)
        if isinstance(job, TrainingJob):
            self._wait.accept(job)
            moved = self._machines.take(JobSignal.ACCEPT)
            self._outbox.settle(Operation.START, Accepted(job.id))
        else:
            if self._key is not None:
                job.add_note(f"the create was sent with Idempotency-Key {self._key}")
            self._refusal = job
            moved = self._machines.take(JobSignal.REFUSE)
            self._outbox.settle(Operation.START, Rejected(job))
        self._act(moved)

    def _accepted(self, answer: Answer) -> TrainingJob | Exception:
        if answer.status and not answer.succeeded:
            return self._outbox.status_error(answer)
        if answer.broken is not None:
            return answer.broken
        bound = self._config.bounds.create_body
        if len(answer.body) > bound:
            return ResponseError(f"create: the response is larger than {bound} bytes")
        page = self._outbox.hider.text(page_problem(answer.headers, answer.body))
        try:
            return read_job(answer.body, "create", coding_problem(answer.headers) or page)
        except ResponseError as error:
            return error

    def _cancelled(self, answer: Answer) -> None:
        self._machines.take(StopSignal.ANSWER)
        if answer.succeeded:
            self._outbox.settle(Operation.CANCEL, CancelSent())
        elif answer.broken is not None and not answer.status:
            self._outbox.settle(Operation.CANCEL, Rejected(answer.broken))
        else:
            self._outbox.settle(Operation.CANCEL, Rejected(self._outbox.status_error(answer)))
