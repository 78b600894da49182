"""A raw client: each request is bytes on a socket, so that nothing is mended on the way."""

import json
import socket
from collections.abc import Generator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Final, Self
from urllib.parse import urlencode, urlsplit

from attrs import define, field, frozen

from arkor_proto import EventStreamParser, ServerSentEvent
from tests.backends.program import PATIENCE, Program

TERMINAL: Final = {"training.completed", "training.failed", "end"}


@frozen
class Answer:
    """A whole response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def of(cls, response: HTTPResponse) -> Self:
        """Read a response to its end."""
        headers = {name.lower(): value for name, value in response.headers.items()}
        return cls(response.status, headers, response.read())

    def json(self) -> dict[str, dict[str, object]]:
        """Return the body, an object."""
        value: dict[str, dict[str, object]] = json.loads(self.body)
        return value

    def job(self) -> dict[str, object]:
        """Return the job in the body."""
        return self.json()["job"]


@define
class Follower:
    """An open stream, read as it comes."""

    plug: socket.socket
    response: HTTPResponse
    raw: bytearray = field(factory=bytearray)
    events: list[ServerSentEvent] = field(factory=list[ServerSentEvent])
    _parser: EventStreamParser = field(factory=EventStreamParser)

    def read(self) -> bytes:
        """Read what has come, b"" after the last chunk; raises IncompleteRead or OSError."""
        data = self.response.read1(65536)
        self.raw += data
        self.events += self._parser.feed(data)
        return data

    def ids(self, count: int = 0) -> list[str]:
        """Read until there are so many events; return all ids, "" for a frame without one."""
        while len(self.events) < count:
            assert self.read(), f"it ended after {len(self.events)} events"
        before, ids = "", list[str]()
        for event in self.events:  # a frame without an id leaves the cursor as it was
            ids.append(event.last_event_id if event.last_event_id != before else "")
            before = event.last_event_id
        return ids

    def read_all(self) -> list[str]:
        """Read to the last chunk; return all ids."""
        while self.read():
            pass
        return self.ids()

    def types(self) -> list[str]:
        """Return the type of each event."""
        return [event.type for event in self.events]


@define
class Client:
    """What reaches a backend: the one of a program, or a proxy in front of it."""

    base_url: str
    token: str
    org: str
    project: str

    @classmethod
    def of(cls, program: Program, base_url: str = "") -> Self:
        """Return a client with what the program says."""
        where = program["token"], program["org"], program["project"]
        return cls(base_url or program["base_url"], *where)

    def head(self, method: str, path: str, headers: dict[str, str] | None = None) -> bytes:
        """Return the bytes of a request's head."""
        query = urlencode({"orgSlug": self.org, "projectSlug": self.project})
        fields = {
            "Host": urlsplit(self.base_url).netloc,
            "Authorization": f"Bearer {self.token}",
            "X-Arkor-Client": "tests/1",
            **(headers or {}),
        }
        lines = [f"{method} {path}?{query} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in fields.items() if value]
        return "\r\n".join([*lines, "", ""]).encode()

    def connect(self) -> socket.socket:
        """Open a connection."""
        address = urlsplit(self.base_url)
        return socket.create_connection((address.hostname, address.port or 80), PATIENCE)

    def ask(
        self, method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Send a request on a connection of its own and return the answer."""
        length = {"Content-Length": str(len(body))} if method == "POST" else {}
        with self.connect() as plug:
            plug.sendall(self.head(method, path, {**length, **(headers or {})}) + body)
            return Answer.of(read_head(plug, method))

    def create(self, key: str = "", **config: object) -> Answer:
        """Create a job that works by itself."""
        body = json.dumps({"name": "n", "config": {"model": "m", **config}}).encode()
        return self.ask("POST", "/v1/jobs", {"Idempotency-Key": key}, body)

    def show(self, job: str) -> dict[str, object]:
        """Return a job."""
        return self.ask("GET", f"/v1/jobs/{job}").job()

    def cancel(self, job: str) -> Answer:
        """Cancel a job."""
        return self.ask("POST", f"/v1/jobs/{job}/cancel")

    @contextmanager
    def follow(self, job: str, cursor: str = "") -> Generator[Follower]:
        """Open the stream of a job; the client leaves at the end of the block."""
        headers = {"Accept": "text/event-stream", "Last-Event-ID": cursor}
        with self.connect() as plug:
            plug.sendall(self.head("GET", f"/v1/jobs/{job}/events/stream", headers))
            with read_head(plug, "GET") as response:
                assert response.status == 200, response.read()
                yield Follower(plug, response)

    def rest(self, job: str, cursor: str = "") -> list[str]:
        """Return the ids of the events after a cursor, of a job that is over."""
        with self.follow(job, cursor) as follower:
            return follower.read_all()

    def refusal(self, job: str, cursor: str = "") -> int:
        """Return the status with which an open of the stream is refused."""
        path = f"/v1/jobs/{job}/events/stream"
        return self.ask("GET", path, {"Last-Event-ID": cursor}).status


def read_head(plug: socket.socket, method: str) -> HTTPResponse:
    """Read the head of a response to a request with this method."""
    response = HTTPResponse(plug, method=method)
    response.begin()
    return response
