"""What a client is made of before it is asked to wait: settings, sessions, outcomes, answers.

It knows what the asynchronous and the blocking client have in common. It refuses to know how either
of them waits.
"""

from collections.abc import Sequence
from types import NoneType
from typing import Final, TypeVar, assert_never
from uuid import uuid4

from attrs import define, field, frozen

from arkor_proto._backoff import Random, ReconnectPolicy
from arkor_proto._chat import ChatReader
from arkor_proto._dialect import JsonLoads
from arkor_proto._errors import LocalProtocolError, StatusError
from arkor_proto._exchange import Report, is_success
from arkor_proto._kinds import of_kind
from arkor_proto._messages import (
    Accepted,
    Broken,
    CancelSent,
    Finished,
    Outcome,
    Received,
    Rejected,
    Resolved,
    Responded,
)
from arkor_proto._profile import Profile
from arkor_proto._session import Session, SessionConfig
from arkor_proto._types import Bounds, CheckpointSaved, Endpoint, JobSpec, Request
from arkor_proto._version import __version__
from arkor_proto._walk import JsonObject
from arkor_proto._wire import chat_request, read_error

CLOSED: Final = "client: it is not open; use it inside 'with', and make another once it is closed"


@frozen(kw_only=True)
class Settings:
    """What the sessions of one client share."""

    endpoint: Endpoint
    profile: Profile = field(validator=of_kind(Profile, "a Profile, such as HARDENED"))
    policy: ReconnectPolicy | None = field(
        validator=of_kind((ReconnectPolicy, NoneType), "a ReconnectPolicy")
    )
    random: Random | None
    bounds: Bounds = field(validator=of_kind(Bounds, "Bounds, such as Bounds(event=2**20)"))
    json_loads: JsonLoads | None

    def session(self, job: JobSpec | str, last_event_id: str) -> Session:
        """Return a session for a job to submit, or for one that exists."""
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

    def chat_reader(self, head: Responded) -> ChatReader:
        """Return what reads the answer to an inference."""
        return ChatReader(head.headers, self.bounds.event, {self.endpoint.token})


def new_endpoint(base_url: str, token: str, org: str, project: str) -> Endpoint:
    """Return whom to talk to; raises ValueError for an address or a token that cannot be sent."""
    name = f"arkor-proto/{__version__}"
    return Endpoint(base_url=base_url, token=token, org=org, project=project, client=name)


def adapter(saved: CheckpointSaved, job_id: str) -> JsonObject:
    """Return what names a checkpoint on the wire."""
    return {"kind": "checkpoint", "jobId": job_id, "step": saved.step}


def infer_request(
    whom: Endpoint,
    saved: CheckpointSaved,
    job_id: str,
    messages: Sequence[JsonObject],
    options: JsonObject | None,
) -> Request:
    """Return the request that asks a checkpoint to go on with a chat."""
    if saved.step is None:
        raise ValueError("infer: the checkpoint came without a step, which names it")
    return chat_request(whom, messages, job_id=job_id, step=saved.step, options=options)


_Success = TypeVar("_Success", Accepted, Resolved, CancelSent)


def expect(outcome: Outcome, success: type[_Success]) -> _Success:
    """Return a successful outcome; raise what a rejected one holds."""
    if isinstance(outcome, success):
        return outcome
    error = outcome.error if isinstance(outcome, Rejected) else LocalProtocolError(f"{outcome}")
    raise error


@define
class Answer:
    """What a call that is no part of a trainer has been answered so far."""

    endpoint: Endpoint
    bounds: Bounds
    head: Responded | None = None
    failure: Exception | None = None
    _refusal: bytearray = field(init=False, factory=bytearray)

    def take(self, report: Report) -> bytes | None:
        """Return a piece of a 2xx answer's body, b"" at its end; None for anything else.

        Raises StatusError once a refusal has been read as far as its bound.
        """
        match report:
            case Responded():
                self.head = report
                return None
            case Received(_, data):
                return self._read(data)
            case Finished():
                return self._read(b"")
            case Broken(_, error):
                self.failure = error
                return None
            case never:
                assert_never(never)

    def _read(self, data: bytes) -> bytes | None:
        if self.head is None:
            return None
        if is_success(self.head.status):
            return data
        bound = self.bounds.error_body
        self._refusal += data[: bound - len(self._refusal)]
        if not data or len(self._refusal) == bound:
            raise self.refusal(self.head)
        return None

    @property
    def refused(self) -> Responded | None:
        """The head of an answer that is a refusal, however much of its body has come."""
        return None if self.head is None or is_success(self.head.status) else self.head

    def refusal(self, head: Responded) -> StatusError:
        """Return the error that the answer stands for, as far as it was read."""
        secrets, body = {self.endpoint.token}, bytes(self._refusal)
        return read_error(head.status, head.headers, body, secrets=secrets)
