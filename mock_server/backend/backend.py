"""Answer requests as a well-behaved backend does, without sockets, clocks or faults."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from http import HTTPStatus
from typing import Final

import attrs
from attrs import define, field

from arkor_proto import encode_event
from mock_server.backend.answers import (
    Answer,
    BackendFull,
    Follow,
    Reply,
    Stream,
    listed,
    refuse,
    reply_json,
)
from mock_server.backend.jobs import Job
from mock_server.redaction import quoted, redacted_json, shortened
from mock_server.requests import NO_TUNNELS, Request, json_of
from mock_server.scenario.model import BackendPlan, JobPlan, Scenario
from mock_server.scenario.vocabulary import Route, UnknownCursor
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
_CONFIG: Final[Mapping[str, object]] = {"model": "acme/base"}


@define
class Backend:
    """One backend with its jobs and projects."""

    scenario: Scenario
    jobs: dict[str, Job] = field(factory=dict[str, Job], init=False)
    _keys: dict[str, tuple[bytes, Job]] = field(factory=dict[str, tuple[bytes, Job]], init=False)
    """For every idempotency key, the SHA-256 of its first body, and the job."""
    _projects: dict[tuple[str, str], dict[str, object]] = field(
        factory=dict[tuple[str, str], dict[str, object]], init=False
    )
    """Every project by its organisation and slug."""
    _size: int = field(default=0, init=False)
    _waiting: list[JobPlan] = field(init=False)
    _made: int = field(default=0, init=False)
    _anonymous: int = field(default=0, init=False)

    def __attrs_post_init__(self) -> None:
        plans = self.scenario.jobs
        self._waiting = [plan for plan in plans if not plan.submitted]
        for plan in plans:
            if plan.submitted and plan.id is not None:
                self.jobs[plan.id] = _job(plan.id, plan, 0.0, {}, {})

    @property
    def plan(self) -> BackendPlan:
        """The `[backend]` table of the scenario."""
        return self.scenario.backend

    def add_job(self, plan: JobPlan, now: float, org: str = "", project: str = "") -> Job:
        """Add a job without a create request; raises BackendFull."""
        self.charge(_JOB_SIZE + weight_of(plain(plan)))
        return self._make(plan, now, {}, {"orgSlug": org, "projectSlug": project})

    def charge(self, size: int) -> None:
        """Count memory that stays in use until a reset; raises BackendFull if it is too much."""
        if self._size + size > self.scenario.limits.job_bytes:
            raise BackendFull(
                f"jobs and projects take more than {self.scenario.limits.job_bytes} bytes; "
                "reset the mock or raise limits.job_bytes"
            )
        self._size += size

    def answer(self, request: Request, now: float, resume: Resume | Shift | None = None) -> Answer:
        """Answer one request; `now` is in monotonic seconds, `resume` is a rule's resume fault."""
        try:
            return self._answer(request, now, resume)
        except BackendFull as full:
            return refuse(HTTPStatus.INSUFFICIENT_STORAGE, str(full))

    def _answer(self, request: Request, now: float, resume: Resume | Shift | None) -> Answer:
        if request.route is Route.OTHER:
            return self._misrouted(request)
        if not self.admits(request):
            return refuse(401, "missing or unknown token", ("WWW-Authenticate", "Bearer"))
        if request.job is not None:
            job = self.jobs.get(request.job)
            if job is None:
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

    def admits(self, request: Request) -> bool:
        """Return whether a request has a valid token or does not need one."""
        if not self.plan.authenticate or request.route is Route.ANONYMOUS:
            return True
        scheme, _, token = (request.header("authorization") or "").partition(" ")
        known = self.plan.token
        return scheme.lower() == "bearer" and bool(token) and (known is None or token == known)

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
        if cursor is None or resume is Resume.IGNORE:
            return Follow(job, 0)
        # The header value was decoded as Latin-1, but ids are UTF-8.
        position = job.position_after(cursor.encode("latin-1").decode("utf-8", "replace"))
        if position is None:
            if self.plan.unknown_cursor is UnknownCursor.GONE:
                return refuse(410, f"unknown event id {shortened(cursor, 200)!r}")
            return Follow(job, 0)
        if isinstance(resume, Shift):
            position = max(0, position - resume.overlap + resume.gap)
        return Follow(job, position)

    def _create(self, request: Request, now: float) -> Answer:
        body = _table_in(request.body)
        if not isinstance(body.get("name"), str):
            return refuse(400, "the body must be a JSON object with a name and a config")
        config = body.get("config")
        if not is_table(config) or not isinstance(config.get("model"), str):
            return refuse(400, "the config must be a JSON object with a model")
        key, digest = request.header("idempotency-key"), sha256(request.body).digest()
        key = key and shortened(key, _LONGEST_NAME)
        if key is not None and key in self._keys:
            known, job = self._keys[key]
            if known != digest:
                return refuse(422, "this idempotency key was used with another body")
            return reply_json(200, {"job": job.public()})
        self.charge(_JOB_SIZE + weight_of(body) + weight_of(request.query))
        job = self._make(self._next_plan(), now, body, request.query)
        if key is not None:
            self._keys[key] = (digest, job)
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
        job = self.jobs[name] = _job(name, plan, now, body, query)
        return job

    def _numbered(self) -> str:
        return f"{self.plan.job_prefix}{self._made}"

    def _chat(self, request: Request) -> Answer:
        body = _table_in(request.body)
        if not is_array(body.get("messages")):
            return refuse(400, "the body must be a JSON object with messages")
        adapter = body.get("adapter")
        job = adapter.get("jobId") if is_table(adapter) else None
        if is_table(adapter) and (not isinstance(job, str) or job not in self.jobs):
            return refuse(404, "the adapter's job does not exist")
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
            raise BackendFull(f"there are {_MOST_PROJECTS} projects; reset the mock")
        self.charge(_PROJECT_SIZE + weight_of([org, name, slug]))
        project = self._projects[org, slug] = {
            "id": f"project-{len(self._projects) + 1}",
            "name": name,
            "slug": slug,
            "orgId": f"org-{org}",
        }
        return reply_json(HTTPStatus.CREATED, {"project": project})

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
        del request
        return reply_json(
            200,
            {
                "user": {"id": "user-1", "email": "somebody@example.invalid"},
                "orgs": [{"slug": "acme", "id": "org-acme", "name": "Acme"}],
            },
        )


def _table_in(body: bytes) -> Mapping[str, object]:
    """Read a JSON object; anything else counts as an empty one."""
    found = json_of(body)
    return found if is_table(found) else {}


def _job(
    name: str, plan: JobPlan, now: float, body: Mapping[str, object], query: Mapping[str, str]
) -> Job:
    """Make a complete job; fields without a value get a default, because clients check them."""
    title, config = body.get("name"), body.get("config")
    return Job(
        name,
        plan,
        now,
        name=title if isinstance(title, str) else "submitted",
        config=_without_secrets(config) if is_table(config) else _CONFIG,
        org=query.get("orgSlug") or "org-1",
        project=query.get("projectSlug") or "project-1",
    )


def _deltas(reply: str) -> Iterable[Frame]:
    for piece in re.findall(r"\S+\s*|\s+", reply):
        choice = {"index": 0, "delta": {"content": piece}}
        yield Frame(encode_event(compact({"choices": [choice]})))
    yield Frame(encode_event("[DONE]"))


def _without_secrets(config: Mapping[str, object]) -> Mapping[str, object]:
    shown: Mapping[str, object] = json.loads(redacted_json(compact(config)))
    return shown
