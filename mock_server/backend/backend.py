"""Answer requests as a well-behaved backend does, without sockets, clocks or faults."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from hashlib import sha256
from http import HTTPStatus
from itertools import islice
from typing import Final

import attrs
from attrs import define, field

from arkor_proto import encode_event
from mock_server.backend.answers import (
    Answer,
    BackendFull,
    Follow,
    Later,
    Reply,
    Stream,
    listed,
    refuse,
    reply_json,
)
from mock_server.backend.jobs import Job
from mock_server.backend.tenants import Tenants
from mock_server.redaction import quoted, redacted_json, shortened
from mock_server.requests import NO_TUNNELS, Request, json_of
from mock_server.scenario.behaviour import AtEnd, Idempotency, UnknownCursor
from mock_server.scenario.model import BackendPlan, JobPlan, Scenario
from mock_server.scenario.vocabulary import Route
from mock_server.scenario.words.head import Resume, Shift
from mock_server.sse import Frame
from mock_server.strict.json import compact
from mock_server.strict.shapes import is_array, is_table
from mock_server.strict.words import plain
from mock_server.weights import weight_of

_JOB_SIZE: Final = 2048
_PROJECT_SIZE: Final = 1024
_MOST_PROJECTS: Final = 10_000
_LONGEST_NAME: Final = 1000
_GAP: Final = 0.25
"""Seconds between looking up an idempotency key and storing it, if `idempotency` is `racy`."""
_CONFIG: Final[Mapping[str, object]] = {"model": "acme/base"}


@define
class Backend:
    """One backend with its jobs and projects."""

    scenario: Scenario
    on_forgotten: Callable[[Job], None] | None = None
    """Called with each job that is forgotten because of `limits.jobs`."""
    jobs: dict[str, Job] = field(factory=dict[str, Job], init=False)
    tenants: Tenants = field(init=False)
    _keys: dict[tuple[object, ...], tuple[bytes, Job]] = field(
        factory=dict[tuple[object, ...], tuple[bytes, Job]], init=False
    )
    """Maps the idempotency key of each create request to the SHA-256 of its body and to the job.

    If the scenario has tenants, the keys are kept apart by organisation and project.
    """
    _slots_of: dict[str, tuple[tuple[object, ...], ...]] = field(
        factory=dict[str, tuple[tuple[object, ...], ...]], init=False
    )
    """Maps the id of a job to the keys under which `_keys` holds that job."""
    _ended: dict[str, Job] = field(factory=dict[str, Job], init=False)
    """The jobs that have ended, by id, in the order in which they ended."""
    _projects: dict[tuple[str, str], dict[str, object]] = field(
        factory=dict[tuple[str, str], dict[str, object]], init=False
    )
    """Every project, by organisation and slug."""
    _size: int = field(default=0, init=False)
    _waiting: list[JobPlan] = field(init=False)
    _made: int = field(default=0, init=False)
    _anonymous: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        plans = self.scenario.jobs
        self.tenants = Tenants(self.plan)
        for tenant in self.plan.tenants:
            for slug in tenant.projects:
                self._add_project(tenant.org, slug, slug)
        self._waiting = [plan for plan in plans if not plan.submitted]
        for plan in plans:
            if plan.submitted and plan.id is not None:
                self.jobs[plan.id] = self._job(plan.id, plan, 0.0, {}, {})

    @property
    def plan(self) -> BackendPlan:
        """The `[backend]` table of the scenario."""
        return self.scenario.backend

    def add_job(self, plan: JobPlan, now: float, org: str = "", project: str = "") -> Job:
        """Add a job without a create request; raise BackendFull if it needs too much memory."""
        self._make_room()
        size = _JOB_SIZE + weight_of(plain(plan))
        self.charge(size)
        job = self._make(plan, now, {}, {"orgSlug": org, "projectSlug": project})
        job.size = size
        return job

    def charge(self, size: int, job: Job | None = None) -> None:
        """Count `size` bytes as in use until a reset, or until `job` is forgotten.

        Raise BackendFull if the total would exceed `limits.job_bytes`.
        """
        if self._size + size > self.scenario.limits.job_bytes:
            raise BackendFull(
                f"jobs and projects may take at most {self.scenario.limits.job_bytes} bytes; "
                "reset the mock or raise limits.job_bytes"
            )
        self._size += size
        if job is not None:
            job.size += size

    def _make_room(self) -> None:
        """Forget ended jobs if another job would exceed `limits.jobs`.

        Those that ended first are forgotten first; a job that is being followed is kept.
        """
        excess = len(self.jobs) + 1 - self.scenario.limits.jobs
        if excess > 0:
            idle = (job for job in self._ended.values() if not job.is_followed)
            for job in tuple(islice(idle, excess)):
                self._forget(job)

    def _forget(self, job: Job) -> None:
        del self.jobs[job.id], self._ended[job.id]
        for slot in self._slots_of.pop(job.id, ()):
            del self._keys[slot]
        self._size -= job.size
        if self.on_forgotten is not None:
            self.on_forgotten(job)

    def _note_end(self, job: Job) -> None:
        self._ended.setdefault(job.id, job)

    def answer(
        self, request: Request, now: float, resume: Resume | Shift | None = None
    ) -> Answer | Later:
        """Return the response to a request, or how to make it later.

        `now` is a monotonic time in seconds, and `resume` is the resume fault to inject, if any.
        """
        try:
            return self._answer(request, now, resume)
        except BackendFull as full:
            return refuse(HTTPStatus.INSUFFICIENT_STORAGE, str(full))

    def _answer(
        self, request: Request, now: float, resume: Resume | Shift | None
    ) -> Answer | Later:
        if request.route is Route.OTHER:
            return self._misrouted(request)
        if (refused := self._refused(request)) is not None:
            return refused
        if request.job is not None:
            job = self.jobs.get(request.job)
            if job is None or not self.tenants.sees(request, job):
                return refuse(404, f"job {quoted(request.job)} not found")
            return self._about(job, request, now, resume)
        if request.route is Route.CREATE:
            return self._create(request, now)
        calls: Mapping[Route, Callable[[Request], Answer]] = {
            Route.CHAT: self._chat,
            Route.PROJECTS: self._project,
            Route.ANONYMOUS: self._anonymous_token,
            Route.ME: self._me,
        }
        return calls[request.route](request)

    def _refused(self, request: Request) -> Reply | None:
        if not self.tenants.admits(request):
            return refuse(401, "missing or unknown token", ("WWW-Authenticate", "Bearer"))
        return self.tenants.refusal(request)

    def _misrouted(self, request: Request) -> Reply:
        if request.target == "*":  # OPTIONS * is about the server as a whole (RFC 9110, 9.3.7)
            return Reply(HTTPStatus.NO_CONTENT, (("Allow", "GET, OPTIONS, POST"),), b"")
        if request.method == "CONNECT":
            return refuse(404, NO_TUNNELS)
        if not request.methods:
            return refuse(404, f"no route {quoted(request.target.partition('?')[0])}")
        allow = ", ".join(request.methods)
        why = f"{shortened(request.method, 40)} is not allowed here; use {allow}"
        return refuse(405, why, ("Allow", allow))

    def restart(self) -> None:
        """Simulate a restart of the backend: change every job as the `restart` setting says."""
        for job in self.jobs.values():
            job.restart()

    def _about(
        self, job: Job, request: Request, now: float, resume: Resume | Shift | None
    ) -> Answer:
        if job.plan.interval:
            job.advance(now)
        if request.route is Route.STREAM:
            return self._follow(job, request.header("last-event-id"), resume)
        if request.route is Route.CANCEL:
            if not job.cancel():
                return refuse(409, f"job {job.id!r} has already {job.status.value}")
            return reply_json(200, {"job": job.public()})
        return listed(job)

    def _follow(self, job: Job, cursor: str | None, resume: Resume | Shift | None) -> Answer:
        if job.gone:
            return refuse(404, f"the event log of job {job.id!r} is gone")
        if cursor is None and job.forgotten:
            return self._unknown(job, "the first events of the job are no longer in its log")
        if cursor is None or resume is Resume.IGNORE:
            return Follow(job, job.forgotten)
        # The header value was decoded as Latin-1, but ids are UTF-8.
        position = job.position_after(cursor.encode("latin-1").decode("utf-8", "replace"))
        if position is None:
            return self._unknown(job, f"unknown event id {shortened(cursor, 200)!r}")
        if isinstance(resume, Shift):
            position = max(job.forgotten, position - resume.overlap + resume.gap)
        if job.over and position >= len(job.log):
            return self._at_end(job, position)
        return Follow(job, position)

    def _unknown(self, job: Job, why: str) -> Answer:
        match self.plan.unknown_cursor:
            case UnknownCursor.GONE:
                return refuse(410, why)
            case UnknownCursor.REPLAY:
                return Follow(job, job.forgotten)
            case UnknownCursor.LIVE:
                return Follow(job, len(job.log))

    def _at_end(self, job: Job, position: int) -> Answer:
        match self.plan.at_end:
            case AtEnd.EMPTY:
                return Follow(job, position)
            case AtEnd.END:
                raw = encode_event(compact({"status": job.status.value}), type="end")
                return Stream((Frame(raw, None, "end"),))
            case AtEnd.GONE:
                return refuse(
                    410, f"job {job.id!r} has ended, and no event follows this Last-Event-ID"
                )
            case AtEnd.NO_CONTENT:
                return Reply(HTTPStatus.NO_CONTENT, (), b"")

    def _create(self, request: Request, now: float) -> Answer | Later:
        body = _table_in(request.body)
        if not isinstance(body.get("name"), str):
            return refuse(400, "the body must be a JSON object with a name and a config")
        config = body.get("config")
        if not is_table(config) or not isinstance(config.get("model"), str):
            return refuse(400, "the config must be a JSON object with a model")
        key, digest = request.header("idempotency-key"), sha256(request.body).digest()
        slots = self._slots(request, key and shortened(key, _LONGEST_NAME), digest)
        for known, job in (self._keys[slot] for slot in slots if slot in self._keys):
            if known != digest:
                return refuse(422, "this idempotency key was already used with a different body")
            return reply_json(200, {"job": job.public()})
        make = partial(self._created, request, body, dict.fromkeys(slots, digest))
        return Later(_GAP, make) if slots and self._is_racy else make(now)

    @property
    def _is_racy(self) -> bool:
        return self.plan.idempotency is Idempotency.RACY

    def _slots(
        self, request: Request, key: str | None, digest: bytes
    ) -> Sequence[tuple[object, ...]]:
        """Return the keys under which `_keys` records a create request.

        There are none if the request has no idempotency key or the backend ignores such keys.
        """
        how = self.plan.idempotency
        if key is None or how is Idempotency.IGNORED:
            return ()
        where: tuple[object, ...] = ()
        if self.plan.tenants:
            where = (request.query.get("orgSlug"), request.query.get("projectSlug"))
        if how is Idempotency.ANY_BODY:
            return ((*where, key, digest),)
        by_body = ((*where, None, digest),) if how is Idempotency.BY_BODY else ()
        return ((*where, key), *by_body)

    def _created(
        self,
        request: Request,
        body: Mapping[str, object],
        digests: Mapping[tuple[object, ...], bytes],
        now: float,
    ) -> Reply:
        self._make_room()
        size = _JOB_SIZE + weight_of(body) + weight_of(request.query)
        try:
            self.charge(size)
        except BackendFull as full:
            return refuse(HTTPStatus.INSUFFICIENT_STORAGE, str(full))
        job = self._make(self._next_plan(), now, body, request.query)
        job.size = size
        self._keys.update({slot: (digest, job) for slot, digest in digests.items()})
        self._slots_of[job.id] = tuple(digests)
        return reply_json(200, {"job": job.public()})

    def _next_plan(self) -> JobPlan:
        if self._waiting:
            return self._waiting.pop(0)
        last = next((plan for plan in reversed(self.scenario.jobs) if not plan.submitted), None)
        if last is None:
            return JobPlan()
        return attrs.evolve(last, id=None)

    def _make(
        self, plan: JobPlan, now: float, body: Mapping[str, object], query: Mapping[str, str]
    ) -> Job:
        self._made += 1
        while (name := plan.id or self._numbered()) in self.jobs and plan.id is None:
            self._made += 1
        job = self.jobs[name] = self._job(name, plan, now, body, query)
        return job

    def _job(
        self,
        name: str,
        plan: JobPlan,
        now: float,
        body: Mapping[str, object],
        query: Mapping[str, str],
    ) -> Job:
        """Make a job in which every field has a value, because clients check the fields."""
        title, config = body.get("name"), body.get("config")
        org, project = self.tenants.home
        return Job(
            name,
            plan,
            now,
            name=title if isinstance(title, str) else "submitted",
            config=_without_secrets(config) if is_table(config) else _CONFIG,
            org=query.get("orgSlug") or org,
            project=query.get("projectSlug") or project,
            backend=self.plan,
            on_end=self._note_end,
        )

    def _numbered(self) -> str:
        return f"{self.plan.job_prefix}{self._made}"

    def _chat(self, request: Request) -> Answer:
        body = _table_in(request.body)
        if not is_array(body.get("messages")):
            return refuse(400, "the body must be a JSON object with an array of messages")
        adapter = body.get("adapter")
        if is_table(adapter):
            name = adapter.get("jobId")
            job = self.jobs.get(name) if isinstance(name, str) else None
            if job is None or not self.tenants.sees(request, job):
                return refuse(404, "the job named in the adapter does not exist")
        if body.get("stream") is True:
            return Stream(tuple(_deltas(self.plan.reply)))
        message = {"role": "assistant", "content": self.plan.reply}
        return reply_json(
            200,
            {
                "id": "chat-1",
                "object": "chat.completion",
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            },
        )

    def _project(self, request: Request) -> Answer:
        org = request.query.get("orgSlug", "")
        if request.method == "GET":
            mine = [project for (whose, _), project in self._projects.items() if whose == org]
            return reply_json(200, {"org": {"slug": org}, "projects": mine})
        body = _table_in(request.body)
        name = body.get("name")
        if not isinstance(name, str) or not name:
            return refuse(400, "the body must be a JSON object with a name")
        given = body.get("slug")
        slug = given if isinstance(given, str) and given else name.lower().replace(" ", "-")
        if max(map(len, (org, name, slug))) > _LONGEST_NAME:
            return refuse(400, f"a name or slug has more than {_LONGEST_NAME} characters")
        if (org, slug) in self._projects:
            return refuse(409, f"the slug {slug!r} is already used in this organisation")
        if len(self._projects) >= _MOST_PROJECTS:
            raise BackendFull(f"there are already {_MOST_PROJECTS} projects; reset the mock")
        self.charge(_PROJECT_SIZE + weight_of([org, name, slug]))
        self.tenants.add_project(request, org, slug)
        return reply_json(HTTPStatus.CREATED, {"project": self._add_project(org, name, slug)})

    def _add_project(self, org: str, name: str, slug: str) -> Mapping[str, object]:
        project = self._projects[org, slug] = {
            "id": f"project-{len(self._projects) + 1}",
            "name": name,
            "slug": slug,
            "orgId": f"org-{org}",
        }
        return project

    def _anonymous_token(self, request: Request) -> Answer:
        kind = _table_in(request.body).get("kind")
        if not isinstance(kind, str):
            return refuse(400, "the body must be a JSON object with a kind")
        self._anonymous += 1
        n = self._anonymous
        return reply_json(
            200,
            {
                "token": self.plan.token or f"anonymous-token-{n}",
                "anonymousId": f"anonymous-{n}",
                "kind": kind,
                "personalOrg": {"slug": f"anonymous-{n}", "id": f"org-{n}", "name": "Personal"},
            },
        )

    def _me(self, request: Request) -> Answer:
        tenant = self.tenants.tenant(request)
        org = {"slug": "acme", "id": "org-acme", "name": "Acme"}
        if tenant is not None:
            org = {"slug": tenant.org, "id": f"org-{tenant.org}", "name": tenant.org}
        return reply_json(
            200,
            {"user": {"id": "user-1", "email": "somebody@example.invalid"}, "orgs": [org]},
        )


def _table_in(body: bytes) -> Mapping[str, object]:
    """Parse a JSON object; return an empty one if the body is anything else."""
    found = json_of(body)
    return found if is_table(found) else {}


def _deltas(reply: str) -> Iterable[Frame]:
    for piece in re.findall(r"\S+\s*|\s+", reply):
        choice = {"index": 0, "delta": {"content": piece}}
        yield Frame(encode_event(compact({"choices": [choice]})))
    yield Frame(encode_event("[DONE]"))


def _without_secrets(config: Mapping[str, object]) -> Mapping[str, object]:
    shown: Mapping[str, object] = json.loads(redacted_json(compact(config)))
    return shown
