"""The routes of the protocol on Starlette; `naive` leaves the defaults of the stack as they are.

One process serves all followers of a job and wakes them when it has changed. With several processes,
that is what the database has to tell the others (LISTEN and NOTIFY, or a channel of Redis).
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Final
from urllib.parse import unquote

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.backends.starlette_backend.log import STATUS, Job, Log, to_json

LARGEST: Final = 2**20
"""Bytes of a create request."""
STEPS: Final = 20
"""Steps of a job whose config does not say `maxSteps`."""
STEP: Final = 0.1
"""Seconds that a step takes."""
LOOK_UP: Final = 0.002
"""Seconds that a database takes to answer, SQLite apart: what is lost meanwhile must show here."""

Where = tuple[str, str]
"""An organisation and a project."""


async def _go_on(job: str) -> None:
    """Do not hold up a stream of this job."""


class Backend:
    """What the routes share. `tenants` lists the organisations and projects of each token."""

    def __init__(self, log: Log, tenants: dict[str, set[Where]], *, naive: bool = False) -> None:
        self.log = log
        self.tenants = tenants
        self.naive = naive
        self.before_live: Callable[[str], Awaitable[None]] = _go_on
        """Called by each stream between its replay and its live phase, for tests."""
        self._changed: dict[str, asyncio.Event] = {}
        self._workers: dict[str, asyncio.Task[None]] = {}
        self._stopping = False

    def app(self) -> Starlette:
        """Return the application."""
        return Starlette(
            routes=[
                Route("/v1/jobs", self._create, methods=["POST"]),
                Route("/v1/jobs/{job}", self._show),
                Route("/v1/jobs/{job}/events/stream", self._stream),
                Route("/v1/jobs/{job}/cancel", self._cancel, methods=["POST"]),
            ],
            # The errors of Starlette itself, 404 and 405 among them, are plain text (ARK-SRV-10).
            exception_handlers={} if self.naive else {HTTPException: _refused},
            lifespan=self._lifespan,
        )

    async def _create(self, request: Request) -> Response:
        where = await self._checked(request)
        name, config = _wanted(await _body(request))
        key = request.headers.get("idempotency-key") or None
        job = self.log.create(where, name, config, key, works=True)
        if (job.name, job.config) != (name, config):
            raise HTTPException(422, "this key was used for another job; use a new one")
        self._start(job)
        return JSONResponse({"job": job.shown()}, 201)

    async def _show(self, request: Request) -> Response:
        return JSONResponse({"job": (await self._job(request)).shown()})

    async def _cancel(self, request: Request) -> Response:
        job = await self._job(request)
        if not self.log.cancel(job.id):
            raise HTTPException(409, "the job is over")
        self.wake(job.id)
        return JSONResponse({"job": (await self._job(request)).shown()})

    async def _stream(self, request: Request) -> Response:
        job = await self._job(request)  # on each open: a cursor permits nothing (ARK-SRV-13)
        position = _position(job, request.headers.get("last-event-id", ""))
        if position is None or not self.log.keeps(job, position):  # (ARK-SRV-39 to 41)
            raise HTTPException(410, "the events after this cursor are not kept")
        # By default it sends a comment with the time every 15 seconds (ARK-SRV-23).
        return EventSourceResponse(self._frames(request, job.id, position))

    async def _frames(
        self, request: Request, job: str, position: int
    ) -> AsyncGenerator[ServerSentEvent]:
        """Follow the log. Replay and live are one loop, so that nothing gets lost between them."""
        last, live = "", False
        if not self.naive:
            yield ServerSentEvent(comment="open")  # some proxies hold a head back (ARK-SRV-21)
        while self._allowed(request) and not self._stopping:
            changed = self._changed.setdefault(job, asyncio.Event())  # before the log is read
            events = self.log.after(job, position)
            for number, last, data in events:
                if number != position + 1:
                    return  # forgotten meanwhile; the next open says so
                yield ServerSentEvent(data, event=last, id=f"{job}-{number}")
                position = number
                if not self.naive:  # sending to a fast reader does not wait, so that no other
                    await asyncio.sleep(0)  # request would be served meanwhile (ARK-SRV-52)
            if not events and live and self.log.is_over(job):
                if last not in STATUS:  # cancelled, or all was read before (ARK-SRV-42, 49)
                    yield ServerSentEvent("{}", event="end")
                return
            if not events and live:
                await changed.wait()
            elif not events:
                await self.before_live(job)
                live = True

    def append(self, job: str, event: dict[str, object]) -> str | None:
        """Add an event and return its id; None if the job is over."""
        number = self.log.append(job, event)
        self.wake(job)
        return None if number is None else f"{job}-{number}"

    def wake(self, job: str) -> None:
        """Have the streams of a job look at the log again."""
        if changed := self._changed.pop(job, None):
            changed.set()

    def stop(self) -> None:
        """End all streams, each with its last chunk."""
        self._stopping = True
        self.wake_all()

    def wake_all(self) -> None:
        """Have all streams look again whether they may go on."""
        for job in list(self._changed):
            self.wake(job)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncGenerator[None]:
        for job in self.log.unfinished():  # before a restart (ARK-SRV-43)
            self._start(job)
        yield
        for worker in self._workers.values():
            worker.cancel()

    def _start(self, job: Job) -> None:
        if job.id not in self._workers:
            self._workers[job.id] = asyncio.create_task(self._train(job))

    async def _train(self, job: Job) -> None:
        """Pretend to train; no client has to follow (ARK-SRV-2)."""
        steps = json.loads(job.config).get("maxSteps")
        steps = steps if type(steps) is int and 0 < steps < 100_000 else STEPS
        kinds = ["training.started", *["training.log"] * steps, "training.completed"]
        for step, kind in list(enumerate(kinds))[job.last :]:
            await asyncio.sleep(STEP)
            more = {"step": step, "loss": 1 / step} if kind == "training.log" else {}
            if self.append(job.id, {"type": kind, "jobId": job.id, **more}) is None:
                return

    def _allowed(self, request: Request) -> bool:
        query = request.query_params
        where = query.get("orgSlug", ""), query.get("projectSlug", "")
        return where in self.tenants.get(_token(request), ())

    async def _checked(self, request: Request) -> Where:
        """Return where the request may work; raise HTTPException."""
        if _token(request) not in self.tenants:
            raise HTTPException(401, "unknown token", {"WWW-Authenticate": "Bearer"})
        if not self._allowed(request):
            raise HTTPException(403, "this token has no such organisation and project")
        await asyncio.sleep(LOOK_UP)
        return request.query_params["orgSlug"], request.query_params["projectSlug"]

    async def _job(self, request: Request) -> Job:
        job = self.log.job(unquote(request.path_params["job"]), await self._checked(request))
        if job is None:
            raise HTTPException(404, "no such job")
        return job


async def _refused(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _position(job: Job, cursor: str) -> int | None:
    """Return the number of the event that a cursor names; None if this job never had it."""
    found = re.fullmatch(f"{re.escape(job.id)}-([1-9][0-9]{{0,17}})", cursor)
    if not cursor:
        return 0
    return int(found[1]) if found and int(found[1]) <= job.last else None


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST:
            raise HTTPException(413, f"the request is larger than {LARGEST} bytes")
    return bytes(body)


def _wanted(body: bytes) -> tuple[str, str]:
    """Return the name and the config, as JSON that every later answer can carry."""
    with suppress(KeyError, RecursionError, TypeError, ValueError):
        wanted: dict[str, object] = json.loads(body)
        name, config = wanted["name"], to_json(wanted["config"])
        if isinstance(name, str) and name and to_json(name) and config.startswith("{"):
            return name, config
    raise HTTPException(400, "the body must be a JSON object with 'name' and 'config'")
