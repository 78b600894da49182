"""What the asynchronous and the blocking client have in common: settings, sessions, outcomes."""

from collections.abc import Sequence
from types import NoneType
from typing import Final, TypeVar
from uuid import uuid4

from attrs import field, frozen

from arkor_proto._backoff import Random, ReconnectPolicy
from arkor_proto._calls import ChatReader, chat_request
from arkor_proto._checks import of_kind
from arkor_proto._dialect import JsonLoads
from arkor_proto._errors import LocalProtocolError
from arkor_proto._messages import (
    Accepted,
    CancelSent,
    Outcome,
    Rejected,
    Resolved,
    Responded,
)
from arkor_proto._profile import Profile
from arkor_proto._session import Session, SessionConfig
from arkor_proto._table import Job
from arkor_proto._types import Bounds, CheckpointSaved, Endpoint, JobSpec, Request
from arkor_proto._version import __version__
from arkor_proto._walk import JsonObject

NO_TOKEN: Final = "(no token)"  # noqa: S105 - it says that there is none
"""The default of `token`: a header could not carry it, so it is not the token of anyone."""
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
    if token == "":
        raise ValueError("token: it is empty; leave it out to send none")
    name, token = f"arkor-proto/{__version__}", "" if token == NO_TOKEN else token
    return Endpoint(base_url=base_url, token=token, org=org, project=project, client=name)


def trainer_repr(endpoint: Endpoint, session: Session) -> str:
    """Return the repr of a trainer: where, which job, how far; never the token."""
    job = "not submitted" if session.job is None else f"job {session.job.id!r}"
    if session.job is None and session.job_state is Job.CREATING:
        job = "being submitted"
    wait, cursor = session.stream_state.value, session.last_event_id
    return f"<Trainer at {endpoint.base_url}: {job}, {wait}, last_event_id={cursor!r}>"


def client_repr(endpoint: Endpoint, profile: Profile) -> str:
    """Return the repr of a client: where, as whom, by which rules; never the token."""
    scope = "".join(
        f", {name}={value!r}"
        for name, value in (("org", endpoint.org), ("project", endpoint.project))
        if value
    )
    return f"<ArkorClient at {endpoint.base_url}{scope}, profile {profile.name}>"


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
