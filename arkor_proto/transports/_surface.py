"""The interface that the asynchronous and the blocking client share, with its documentation.

A method that waits is declared and documented here, and implemented twice, with and without
`async`; the implementations inherit its docstring. Methods that do not wait are implemented here.
"""

import random as chance
import ssl
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from types import NoneType
from typing import Final, Generic, TypeAlias, TypeVar
from uuid import uuid4

from attrs import field, frozen

from arkor_proto._backoff import Random, ReconnectPolicy
from arkor_proto._calls import ChatReader, chat_request
from arkor_proto._checks import of_kind, wrong_kind
from arkor_proto._dialect import JsonLoads
from arkor_proto._errors import LocalProtocolError
from arkor_proto._job import job_spec
from arkor_proto._messages import (
    Accepted,
    CancelSent,
    Outcome,
    Rejected,
    Resolved,
    Responded,
)
from arkor_proto._profile import PROFILE_2026_05, Profile
from arkor_proto._secrets import Hider
from arkor_proto._session import Session, SessionConfig
from arkor_proto._table import Job
from arkor_proto._types import (
    Bounds,
    CheckpointSaved,
    Endpoint,
    JobSpec,
    Request,
    TrainingJob,
    TrainingResult,
)
from arkor_proto._version import __version__
from arkor_proto._walk import JsonObject
from arkor_proto.transports._callbacks import Callbacks, Checkpointer, check_callbacks
from arkor_proto.transports._tcp import Address, Timeouts, checked_timeouts

NO_TOKEN: Final = "(no token)"  # noqa: S105 - it stands for no token
"""The default value of `token`. It cannot be sent in a header, so it cannot be a real token."""
CLOSED: Final = (
    "client: not open; use it inside 'with', or create a new client if it is already closed"
)

Value = TypeVar("Value")
Given: TypeAlias = Value | Awaitable[Value]
"""What a method returns: a value in the blocking client, an awaitable in the asynchronous one."""
Clock = TypeVar("Clock")
Checkpoint = TypeVar("Checkpoint")
Events = TypeVar("Events")
Trainer = TypeVar("Trainer")
TokenProvider = TypeVar("TokenProvider", bound=Callable[[], object])


@frozen(kw_only=True)
class Settings:
    """The settings that a client's sessions share."""

    endpoint: Endpoint
    profile: Profile = field(validator=of_kind(Profile, "a Profile, such as HARDENED"))
    policy: ReconnectPolicy | None = field(
        validator=of_kind((ReconnectPolicy, NoneType), "a ReconnectPolicy")
    )
    random: Random | None
    bounds: Bounds = field(
        validator=of_kind(Bounds, "a Bounds object, such as Bounds(event=2**20)")
    )
    json_loads: JsonLoads | None

    def session(self, job: JobSpec | str, last_event_id: str) -> Session:
        """Return a session for a job that is still to be submitted, or for an existing job."""
        config = SessionConfig(
            endpoint=self.endpoint,
            job=job,
            last_event_id=last_event_id,
            idempotency_key=str(uuid4()),
            bounds=self.bounds,
        )
        return Session(
            config,
            profile=self.profile,
            policy=self.policy,
            random=self.random,
            json_loads=self.json_loads,
        )

    def hider(self) -> Hider:
        """Return a Hider for the tokens of one call."""
        return Hider.of({self.endpoint.token})

    def chat_reader(self, head: Responded, hider: Hider) -> ChatReader:
        """Return a reader for the response to an inference request."""
        return ChatReader(head.headers, self.bounds.event, hider)


@frozen(kw_only=True)
class CheckpointSurface(ABC):
    """The checkpoint interface that both clients share."""

    saved: CheckpointSaved
    job_id: str

    @property
    def step(self) -> int | None:
        """The step at which the checkpoint was saved."""
        return self.saved.step

    @property
    def adapter(self) -> JsonObject:
        """The JSON that identifies the checkpoint on the wire."""
        return {"kind": "checkpoint", "jobId": self.job_id, "step": self.step}

    @abstractmethod
    def infer(
        self,
        messages: Sequence[JsonObject],
        *,
        on_delta: Callable[[str], object] | None = None,
        options: JsonObject | None = None,
    ) -> Given[str]:
        """Ask the checkpoint to continue a chat, and return the whole text of its reply.

        `on_delta` is called with each piece of the text as it arrives. `options` are sent
        unchanged. `infer` raises StatusError, ResponseError or TransportError.
        """

    def _request(
        self, whom: Endpoint, messages: Sequence[JsonObject], options: JsonObject | None
    ) -> Request:
        if self.step is None:
            raise ValueError("infer: the checkpoint has no step, so it cannot be identified")
        return chat_request(whom, messages, job_id=self.job_id, step=self.step, options=options)


class TrainerSurface(ABC, Generic[Checkpoint, Events]):
    """The trainer interface that both clients share."""

    def __init__(
        self, endpoint: Endpoint, session: Session, checkpointer: Checkpointer | None
    ) -> None:
        self._endpoint = endpoint
        self._session = session
        self._checkpointer = checkpointer

    def __repr__(self) -> str:
        session, job = self._session, "not submitted"
        if session.job is not None:
            job = f"job {session.job.id!r}"
        elif session.job_state is Job.CREATING:
            job = "being submitted"
        wait, cursor = session.stream_state.value, session.last_event_id
        return f"<Trainer at {self._endpoint.base_url}: {job}, {wait}, last_event_id={cursor!r}>"

    @property
    def job(self) -> TrainingJob | None:
        """The last known state of the job; None while a new job has not been accepted."""
        return self._session.job

    @property
    def last_event_id(self) -> str:
        """The cursor to resume from in another process: the id of the last event handled."""
        return self._session.last_event_id

    def _save(self) -> object:
        """Call the checkpointer, if there is one, and return its result."""
        job = self._session.job
        if self._checkpointer is None or job is None:
            return None
        return self._checkpointer(job.id, self._session.last_event_id)

    @abstractmethod
    def start(self) -> Given[str]:
        """Submit the job and return its id; a second call only returns the same id (ARK-CRE).

        If a call is cancelled or interrupted, the job is not lost: the next call resumes the
        operation. `start` raises StatusError, ResponseError, TransportError or the token provider's
        exception; after any of them, it may be called again.
        """

    @abstractmethod
    def wait(self) -> Given[TrainingResult]:
        """Follow the job to its end and return its result, even if the job failed.

        `wait` calls the callbacks for the job's events. It raises Aborted, GaveUp, StatusError,
        UnsendableCursor, EventTooLarge and whatever `start` raises. Under profiles with
        `CallbackErrors.REJECT`, it also raises the callbacks' exceptions. If the token provider
        raises OSError or TransportError, that counts as a failed attempt; `wait` raises the
        provider's other exceptions. Cancelling the task, or a KeyboardInterrupt, ends only the
        wait: a later `wait` resumes where this one stopped. The blocking client raises TypeError
        for a callback that turns out to be async; a later `wait` delivers its event again.
        """

    @abstractmethod
    def events(self) -> Events:
        """Return an iterator over the events of the job, as an alternative to callbacks.

        `with trainer.events() as events: for event in events: …`, or `async with` and `async for`,
        yields the events for which `wait` would call callbacks, in the same order and with the same
        back-pressure. An event counts as handled when the next one is requested. Leaving the block
        early ends the wait; the next wait delivers the current event again. The iteration raises
        the same errors as `wait`. It stops when the job has ended; `events.result` is then what
        `wait` would return. Only one thread or task may iterate.
        """

    @abstractmethod
    def cancel(self) -> Given[None]:
        """Ask the backend to stop the job; do nothing if no job was started (ARK-CAN).

        This does not end `wait`, which continues until the terminal event. `cancel` raises
        StatusError if the backend refuses, as it may for a job that has ended, and TransportError
        if the call fails.
        """

    @abstractmethod
    def abort(self, reason: object = None) -> None:
        """End the local wait for good; nothing is sent to the backend (ARK-ABT).

        `abort` returns immediately. The blocking client takes no lock here, so a signal handler may
        call it.
        """

    @abstractmethod
    def checkpoint(self, saved: CheckpointSaved) -> Checkpoint:
        """Turn an event from `events` into the checkpoint that `on_checkpoint` would receive."""


class ClientSurface(ABC, Generic[Clock, Checkpoint, Trainer, TokenProvider]):
    """The interface that both clients share."""

    def __init__(
        self,
        base_url: str,
        *,
        token: str | TokenProvider = NO_TOKEN,
        org: str = "",
        project: str = "",
        profile: Profile = PROFILE_2026_05,
        policy: ReconnectPolicy | None = None,
        random: Random | None = chance.random,
        clock: Clock | None = None,
        timeouts: Timeouts | None = None,
        bounds: Bounds | None = None,
        ssl_context: ssl.SSLContext | None = None,
        json_loads: JsonLoads | None = None,
    ) -> None:
        """Set up a client; this opens no connection.

        `token` is the token itself, or a provider: a function that returns it. A provider is called
        before each request, including those after a lost connection, and under `hardened` once more
        if the response is a 401: the request is then sent again. Its calls may overlap, because
        requests may. It must return within `Timeouts.token`, and must not use this client. If it
        raises OSError or TransportError, that attempt fails; any other exception ends the
        operation. In text from the backend, the last eight tokens are masked.

        `random` randomises the delays (None: no randomness). `clock` tells sessions the time; the
        blocking client also uses it for the timeouts. Without `ssl_context`, certificates are
        verified against the system's trust store. Connections go directly to the backend:
        HTTPS_PROXY and NO_PROXY are ignored. An invalid address, or a token that cannot be sent in
        a header, raises ValueError, and an argument of the wrong type raises TypeError.
        """
        if token == "":
            raise ValueError("token: must not be empty; leave it out to send no token")
        if not isinstance(token, str) and not callable(token):
            raise wrong_kind("token", token, "a str, or a function that returns one")
        name = f"arkor-proto/{__version__}"
        fixed = token if isinstance(token, str) and token != NO_TOKEN else ""
        self.endpoint: Endpoint = Endpoint(
            base_url=base_url, token=fixed, org=org, project=project, client=name
        )
        self._settings = Settings(
            endpoint=self.endpoint,
            profile=profile,
            policy=policy,
            random=random,
            bounds=Bounds() if bounds is None else bounds,
            json_loads=json_loads,
        )
        provider = None if isinstance(token, str) else token
        address = Address.of(base_url, ssl_context)
        self._connect_to(address, checked_timeouts(timeouts), clock, provider)

    def __repr__(self) -> str:
        whom, profile = self.endpoint, self._settings.profile.name
        scope = "".join(
            f", {name}={value!r}"
            for name, value in (("org", whom.org), ("project", whom.project))
            if value
        )
        return f"<ArkorClient at {whom.base_url}{scope}, profile {profile}>"

    def trainer(
        self,
        name: str,
        *,
        model: str,
        dataset: JsonObject,
        lora: JsonObject | None = None,
        callbacks: Callbacks[Checkpoint] | None = None,
        **options: object,
    ) -> Trainer:
        """Return a trainer for a new job; nothing is sent before `start` or `wait`.

        `options` are the job options of ARK-WIR in snake_case, such as `max_steps`; `lora` takes
        `r`, `alpha`, `max_length` and `load_in_4bit`. An option that is left out is not sent;
        None is sent as null. An unknown option raises ValueError.
        """
        spec = job_spec(name, model=model, dataset=dataset, lora=lora, options=options)
        return self._checked(spec, "", callbacks)

    def attach(
        self,
        job_id: str,
        *,
        last_event_id: str = "",
        callbacks: Callbacks[Checkpoint] | None = None,
    ) -> Trainer:
        """Return a trainer that follows an existing job from the event after `last_event_id`."""
        return self._checked(job_id, last_event_id, callbacks)

    @abstractmethod
    def job(self, job_id: str) -> Given[TrainingJob]:
        """Return a job's current state; may raise StatusError, ResponseError or TransportError."""

    @abstractmethod
    def me(self) -> Given[JsonObject]:
        """Return the account that the token belongs to; may raise the same errors as `job`."""

    @abstractmethod
    def projects(self) -> Given[JsonObject]:
        """Return the organisation and its projects; may raise the same errors as `job`."""

    @abstractmethod
    def create_project(self, name: str, slug: str) -> Given[JsonObject]:
        """Create a project; may raise the same errors as `job`.

        If the slug is taken, the status of the StatusError is 409.
        """

    @abstractmethod
    def anonymous_token(self) -> Given[JsonObject]:
        """Return a token for use without an account; may raise the same errors as `job`."""

    @abstractmethod
    def chat(self, request: Request, on_delta: Callable[[str], object] | None) -> Given[str]:
        """Send an inference request that `Checkpoint.infer` built; return the whole reply."""

    @abstractmethod
    def _connect_to(
        self,
        address: Address,
        timeouts: Timeouts,
        clock: Clock | None,
        provider: TokenProvider | None,
    ) -> None:
        """Store the settings for the connections."""

    @abstractmethod
    def _trainer(self, session: Session, callbacks: Callbacks[Checkpoint]) -> Trainer:
        """Return a trainer for a session."""

    def _checked(
        self, job: JobSpec | str, last_event_id: str, callbacks: Callbacks[Checkpoint] | None
    ) -> Trainer:
        callbacks = Callbacks() if callbacks is None else callbacks
        check_callbacks(callbacks)
        return self._trainer(self._settings.session(job, last_event_id), callbacks)


_Success = TypeVar("_Success", Accepted, Resolved, CancelSent)


def expect(outcome: Outcome, success: type[_Success]) -> _Success:
    """Return the outcome if it is a success; if it is a rejection, raise its error."""
    if isinstance(outcome, success):
        return outcome
    error = outcome.error if isinstance(outcome, Rejected) else LocalProtocolError(f"{outcome}")
    raise error
