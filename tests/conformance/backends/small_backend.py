"""A small backend on threads: it follows the rules, writes down every request, and can be told to err.

A job goes on by itself: an event every `pace` seconds, `length` of them, the last one terminal.
"""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from attrs import define, field

from mock_server.strict.shapes import is_table

TOKEN: Final = "tok-of-the-small-backend"
_ROUTE: Final = re.compile("/v1/jobs(?:/([^/]+)(/events/stream|/cancel)?)?")
_ROUTES: Final = {"/events/stream": "stream", "/cancel": "cancel"}
_OVER: Final = ("completed", "failed", "cancelled")

Err = Callable[["SmallBackend", "Request", "Handler"], bool]


@define(eq=False)
class Job:
    """A job and its log."""

    id: str
    began: float = field(factory=time.monotonic)
    cancelled_at: float | None = None


@define(eq=False)
class Request:
    """A request as it came."""

    method: str
    target: str
    headers: Mapping[str, str]
    route: str
    job: str


@define(eq=False)
class SmallBackend:
    """Its jobs, what was asked of it, and how it errs."""

    pace: float = 0.05
    length: int = 6
    err: Err | None = None
    """Answers a request itself and returns True, or leaves it to the backend."""
    ids: Callable[[int], str] = str
    """Makes the id of an event from its number."""
    lifetime: float = float("inf")
    """Seconds after which a stream is ended, to be resumed elsewhere."""
    known_after: float = 0.0
    """Seconds until a new job is known to its routes."""
    jobs: dict[str, Job] = field(factory=dict[str, Job])
    keys: dict[str, tuple[bytes, str]] = field(factory=dict[str, tuple[bytes, str]])
    requests: list[Request] = field(factory=list[Request])
    lock: threading.Lock = field(factory=threading.Lock)
    _server: "_Server | None" = None
    _port: int = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def changes(self) -> list[str]:
        """What was asked of it but to look."""
        return [f"{r.method} {r.route}" for r in self.requests if r.method not in {"GET", "HEAD"}]

    @property
    def running(self) -> list[str]:
        """The jobs that go on."""
        return [job.id for job in self.jobs.values() if self.status(job) not in _OVER]

    def start(self) -> None:
        """Listen, at the same port as before if it did."""
        handler = type("_Handler", (Handler,), {"backend": self})
        server = _Server(("127.0.0.1", self._port), handler)
        self._server, self._port = server, server.server_port
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        """Close the listener and every connection."""
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
            server.cut()

    def count(self, job: Job) -> int:
        """Return how many events of a job have happened."""
        until = time.monotonic() if job.cancelled_at is None else job.cancelled_at
        return min(self.length, 1 + int((until - job.began) / self.pace))

    def status(self, job: Job) -> str:
        """Return the status of a job."""
        if self.count(job) == self.length:
            return "completed"
        return "running" if job.cancelled_at is None else "cancelled"

    def event(self, number: int) -> bytes:
        """Return an event of the log as a frame."""
        kind = "training.log"
        if number in {1, self.length}:
            kind = "training.started" if number == 1 else "training.completed"
        data = json.dumps({"type": kind, "step": number})
        return f"id: {self.ids(number)}\nevent: {kind}\ndata: {data}\n\n".encode()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.open: set[socket.socket] = set()
        super().__init__(address, handler)

    def cut(self) -> None:
        for each in list(self.open):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: object, client_address: object) -> None:
        assert isinstance(request, socket.socket)
        self.open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: object) -> None:
        assert isinstance(request, socket.socket)
        self.open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: what breaks here is a connection that the kit has left."""


class Handler(BaseHTTPRequestHandler):
    """Answers a request, or lets the backend err."""

    backend: SmallBackend
    protocol_version = "HTTP/1.1"

    def _go(self) -> None:
        target = self.path
        if target.startswith("http://"):
            parts = urlsplit(target)
            target = f"{parts.path}?{parts.query}"
        path, _, query = target.partition("?")
        found = _ROUTE.fullmatch(path)
        job, route = "", ""
        if found:
            job = unquote(found[1] or "")
            route = _ROUTES.get(found[2], "job" if job else "create")
        asked = Request(self.command, self.path, dict(self.headers), route, job)
        with self.backend.lock:
            self.backend.requests.append(asked)
        if self.backend.err is not None and self.backend.err(self.backend, asked, self):
            return
        names = parse_qs(query)
        place = [names.get(each, [""])[0] for each in ("orgSlug", "projectSlug")]
        if self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.answer(401, {"error": "no"}, {"WWW-Authenticate": "Bearer"})
        elif place != ["kit-org", "kit-project"] or not route:
            self.answer(404, {"error": "there is no such thing"})
        elif route == "create":
            self._create()
        else:
            self._job(self.backend.jobs.get(job), route)

    do_GET = do_POST = do_HEAD = _go  # noqa: N815 - the names of http.server

    def _create(self) -> None:
        if self.command != "POST":
            self.answer(405, {"error": "POST only"}, {"Allow": "POST"})
            return
        raw = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        try:
            body: object = json.loads(raw)
        except ValueError:
            body = None
        if not is_table(body) or not {"name", "config"} <= body.keys():
            self.answer(400, {"error": "not a job"})
            return
        key = self.headers.get("Idempotency-Key")
        with self.backend.lock:
            if key in self.backend.keys:
                before, made = self.backend.keys[key]
                if before != raw:
                    self.answer(422, {"error": "another body"})
                    return
            else:
                made = f"job-{len(self.backend.jobs) + 1}"
                self.backend.jobs[made] = Job(made)
                if key is not None:
                    self.backend.keys[key] = raw, made
        self.answer(201, {"job": {"id": made, "status": "queued"}})

    def _job(self, job: Job | None, route: str) -> None:
        if job is None or time.monotonic() - job.began < self.backend.known_after:
            self.answer(404, {"error": "no such job"})
        elif route == "job":
            self.answer(200, {"job": {"id": job.id, "status": self.backend.status(job)}})
        elif route == "cancel":
            with self.backend.lock:
                status = self.backend.status(job)
                if status not in _OVER:
                    job.cancelled_at = time.monotonic()
            code = 409 if status in _OVER else 200
            self.answer(code, {"job": {"id": job.id}, "error": "over"})
        elif self.command == "HEAD":
            self.answer(405, {"error": "GET only"}, {"Allow": "GET"})
        else:
            self._stream(job)

    def _stream(self, job: Job) -> None:
        cursor = self.headers.get("Last-Event-ID")
        at = 0
        if cursor is not None:
            known = {self.backend.ids(n).encode().decode("latin-1"): n for n in range(1, 99)}
            if cursor not in known or known[cursor] > self.backend.count(job):
                self.answer(410, {"error": "the cursor is unknown"})
                return
            at = known[cursor]
            if at == self.backend.length:
                self.answer(204, None)
                return
        self.begin("text/event-stream")
        self.chunk(b": hello\n\n")
        until = time.monotonic() + self.backend.lifetime
        while time.monotonic() < until:
            while at < self.backend.count(job):
                at += 1
                self.chunk(self.backend.event(at))
            if self.backend.status(job) in _OVER:
                if self.backend.status(job) == "cancelled":
                    self.chunk(b"event: end\ndata: {}\n\n")
                break
            time.sleep(0.01)
        self.wfile.write(b"0\r\n\r\n")

    def begin(self, kind: str) -> None:
        """Send the head of an answer of this media type, whose body comes in chunks."""
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Cache-Control", "no-store")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def chunk(self, data: bytes) -> None:
        """Send a chunk of a body."""
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")

    def answer(self, status: int, value: object, headers: Mapping[str, str] | None = None) -> None:
        """Send a whole answer, in JSON; none for a `value` of None."""
        if value is None:
            self.send_response(status)
            self.end_headers()
        else:
            self.whole(status, "application/json", json.dumps(value).encode(), headers)

    def whole(
        self, status: int, kind: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send a whole answer of this media type."""
        self.send_response(status)
        fields = {"Content-Type": kind, "Content-Length": str(len(body)), **(headers or {})}
        for name, text in fields.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Log nothing."""


@contextmanager
def serving(
    *, pace: float = 0.05, length: int = 6, lifetime: float = float("inf"), err: Err | None = None
) -> Generator[SmallBackend]:
    """Run a small backend for the length of the block."""
    backend = SmallBackend(pace=pace, length=length, lifetime=lifetime, err=err)
    backend.start()
    try:
        yield backend
    finally:
        backend.stop()
