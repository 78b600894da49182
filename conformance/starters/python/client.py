"""A stand-in for your client, so that the driver has something to drive. Replace it.

It submits a job, follows it and cancels it, but implements few of the protocol's other rules.
"""

import http.client
import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode, urlsplit


class HttpError(Exception):
    """The backend refused a request."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the backend answered {status}")
        self.status = status


class Aborted(Exception):
    """The application has aborted the wait."""


class Client:
    """A blocking client that calls `on_event` with the type and data of each of the job's events."""

    def __init__(
        self,
        base_url: str,
        *,
        token: str,
        org: str,
        project: str,
        name: str,
        job: Mapping[str, Any],
        retry: float,
        on_event: Callable[[str, Mapping[str, Any]], None],
    ) -> None:
        self.host = urlsplit(base_url).netloc
        self.token, self.name, self.job, self.retry = token, name, job, retry
        self.query = urlencode({"orgSlug": org, "projectSlug": project})
        self.on_event = on_event
        self.job_id = ""
        self.reason: str | None = None
        self.stream: socket.socket | None = None

    def start(self) -> str:
        """Submit the job and return its id."""
        answer = self._request("POST", "/v1/jobs", {"name": self.name, "config": dict(self.job)})
        self.job_id = json.load(answer)["job"]["id"]
        return self.job_id

    def wait(self) -> Mapping[str, Any]:
        """Follow the job to its end; return the job and its artifacts."""
        if not self.job_id:
            self.start()
        while self.reason is None:
            answer = self._request("GET", f"/v1/jobs/{self.job_id}/events/stream")
            for data in _events(answer):
                self.on_event(data["type"], data)
                if data["type"] in {"training.completed", "training.failed"}:
                    status = data["type"].removeprefix("training.")
                    job = {"id": self.job_id, "status": status}
                    return {"job": job, "artifacts": data.get("artifacts", [])}
            if self.reason is None:
                time.sleep(self.retry)
        raise Aborted(self.reason)

    def cancel(self) -> None:
        """Ask the backend to stop the job."""
        self._request("POST", f"/v1/jobs/{self.job_id}/cancel").read()

    def abort(self, reason: str) -> None:
        """Make `wait` end. Call this from another thread."""
        self.reason = reason
        if self.stream is not None:
            with suppress(OSError):  # it is closed already
                self.stream.shutdown(socket.SHUT_RDWR)

    def _request(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection(self.host)
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        text = json.dumps(body) if body is not None else None
        connection.request(method, f"{path}?{self.query}", text, headers)
        self.stream = connection.sock if method == "GET" else self.stream
        answer = connection.getresponse()
        if answer.status >= http.client.MULTIPLE_CHOICES:
            raise HttpError(answer.status)
        return answer


def _events(lines: Iterator[bytes]) -> Iterator[Mapping[str, Any]]:
    data = ""
    for line in lines:
        if line.startswith(b"data:"):
            data += line.removeprefix(b"data:").decode()
        elif not line.strip() and data:
            yield json.loads(data)
            data = ""
