"""An HTTP stack that refuses every answer to a create that differs from the specification.

It requires every member of a job that section 5.12 shows, and that the job is the requested one.
Answers without a job are left to the client.
"""

import re
from collections.abc import Mapping
from typing import Final

import httpx
from attrs import field, frozen

from conformance.strict_data import Json
from tests.conformance.pooled.rules import parse_object

_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_TEXTS: Final = ("id", "orgId", "projectId", "name", "status", "createdAt")


@frozen
class StrictTransport(httpx.AsyncBaseTransport):
    """The transport of httpx, with a check of every answer to a create."""

    body: Mapping[str, Json]
    inner: httpx.AsyncHTTPTransport = field(factory=httpx.AsyncHTTPTransport)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; raise httpx.TransportError."""
        answer = await self.inner.handle_async_request(request)
        if request.method == "POST" and request.url.path.endswith("/jobs") and answer.is_success:
            answer.request = request
            await answer.aread()
            job = (parse_object(answer.text) or {}).get("job")
            if isinstance(job, Mapping) and (wrong := self._problem(answer, job)):
                raise httpx.RemoteProtocolError(wrong, request=request)
            return httpx.Response(
                answer.status_code, headers=answer.headers, content=answer.content
            )
        return answer

    async def aclose(self) -> None:
        """Close the pool."""
        await self.inner.aclose()

    def _problem(self, answer: httpx.Response, job: Mapping[str, Json]) -> str:
        if (kind := answer.headers.get("Content-Type")) != "application/json":
            return f"the answer to the create is {kind}"
        for key in _TEXTS:
            if not isinstance(job.get(key), str) or not job[key]:
                return f"{key} of the job is {job.get(key)!r}"
        config, asked = job.get("config"), self.body.get("config")
        model = config.get("model") if isinstance(config, Mapping) else None
        if not isinstance(asked, Mapping) or model != asked.get("model"):
            return f"the model of the job is {model!r}"
        if job["name"] != self.body.get("name"):
            return f"the name of the job is {job['name']!r}"
        if not _INSTANT.fullmatch(str(job["createdAt"])):
            return f"the job was created at {job['createdAt']!r}"
        return ""
