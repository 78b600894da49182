"""The requests of a trainer on httpx, with its defaults wherever a user would not change them.

So there is a pool of kept-alive connections, answers may be compressed, and httpx itself follows the
redirects of the stream.
"""

import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from typing import Final
from urllib.parse import quote

import anyio
import httpx
from attrs import define, frozen

from conformance.strict_data import Json
from tests.conformance.pooled.errors import ConnectionFailed, HttpError, Unusable
from tests.conformance.pooled.rules import parse_object

CLIENT: Final = "arkor-pooled/0.1.0"
PATIENCE: Final = httpx.Timeout(30.0)
LONGEST_ANSWER: Final = 2**20
LONGEST_ERROR: Final = 2**16
ERROR_PATIENCE_MS: Final = 5000.0
LONGEST_CURSOR: Final = 1024
MOST_REDIRECTS_HARDENED: Final = 5
CURSOR: Final = "Last-Event-ID"

Sleep = Callable[[float], Awaitable[None]]
"""Sleeps for a number of milliseconds."""


@frozen(kw_only=True)
class Place:
    """The address of the backend and the credentials for it."""

    base_url: str
    token: str
    org: str
    project: str
    hardened: bool
    secrets: tuple[str, ...] = ()


@cache
def trust() -> ssl.SSLContext:
    """Return the default TLS context of httpx, loaded once: that takes longer than most cases."""
    return httpx.create_ssl_context()


@contextmanager
def connection_errors() -> Generator[None, None, None]:
    """Turn every error of httpx about a failed connection into ConnectionFailed."""
    try:
        yield
    except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
        raise ConnectionFailed(f"{type(error).__name__}: {error}") from error


@asynccontextmanager
async def pool(
    place: Place, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncGenerator[httpx.AsyncClient, None]:
    """Open an httpx client that never sends the cursor to another origin."""
    home = httpx.URL(place.base_url)

    async def leaving(request: httpx.Request) -> None:
        there = request.url
        if place.hardened and there.userinfo:
            raise httpx.RequestError("redirected to a URL with credentials", request=request)
        if (there.scheme, there.host, there.port) == (home.scheme, home.host, home.port):
            return
        # httpx drops the token by itself, but not the cursor (ARK-SEC-1).
        request.headers.pop(CURSOR, None)
        if place.hardened:
            raise httpx.RequestError("redirected to another origin", request=request)

    async def answered(response: httpx.Response) -> None:
        if place.hardened and response.has_redirect_location and not response.headers["Location"]:
            raise httpx.RequestError("redirected to nowhere", request=response.request)

    headers = {"Authorization": f"Bearer {place.token}", "X-Arkor-Client": CLIENT}
    async with httpx.AsyncClient(
        verify=trust(),
        headers=headers,
        timeout=PATIENCE,
        transport=transport,
        event_hooks={"request": [leaving], "response": [answered]},
    ) as client:
        if place.hardened:
            client.max_redirects = MOST_REDIRECTS_HARDENED
        yield client


ENDS: Final = frozenset({"completed", "failed", "cancelled"})


@define
class Wire:
    """The requests of one trainer."""

    client: httpx.AsyncClient
    place: Place
    sleep: Sleep

    async def create(self, body: Mapping[str, Json], key: str | None) -> dict[str, Json]:
        """Submit a job; return it. Raises HttpError, ConnectionFailed, Unusable."""
        headers = {} if key is None else {"Idempotency-Key": key}
        with connection_errors():
            request = self._request("POST", "", headers=headers, json=body)
            response = await self.client.send(request, stream=True)
            try:
                if not response.is_success:
                    raise await self.refusal(response)
                text, whole = await _read(response, LONGEST_ANSWER)
                if not whole:
                    raise Unusable(f"the create's answer is longer than {LONGEST_ANSWER} bytes")
                return _job_of(text)
            finally:
                await response.aclose()

    async def cancel(self, job_id: str) -> None:
        """Ask for the end of the job. Raises HttpError, ConnectionFailed."""
        with connection_errors():
            request = self._request("POST", f"/{segment(job_id)}/cancel")
            response = await self.client.send(request, stream=True)
            try:
                if not response.is_success:
                    raise await self.refusal(response)
                # Only the status matters; the body is read so that the connection can be reused.
                await self._drained(response)
            finally:
                await response.aclose()

    async def ended(self, job_id: str) -> dict[str, Json] | None:
        """Return the job if the backend says that it is over, otherwise None."""
        try:
            with connection_errors():
                response = await self.client.send(self._request("GET", f"/{segment(job_id)}"))
                job = _job_of(response.text) if response.is_success else {}
        except (ConnectionFailed, Unusable):
            return None
        is_over = job.get("id") == job_id and job.get("status") in ENDS
        return job if is_over else None

    @asynccontextmanager
    async def stream(self, job_id: str, cursor: str) -> AsyncGenerator[httpx.Response, None]:
        """Open the stream after `cursor`. Raises ConnectionFailed, Unusable."""
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
        resume = {CURSOR.encode(): sendable(cursor)} if cursor else {}
        sent = [(name.encode(), value.encode()) for name, value in headers.items()]
        with connection_errors():
            request = self._request(
                "GET",
                f"/{segment(job_id)}/events/stream",
                headers=[*sent, *resume.items()],
                timeout=httpx.Timeout(30.0, read=None),
            )
            response = await self._follow(request)
        try:
            yield response
        finally:
            await response.aclose()

    async def _follow(self, request: httpx.Request) -> httpx.Response:
        try:
            return await self.client.send(request, stream=True, follow_redirects=True)
        except ExceptionGroup as group:
            # The socket library raises this for a redirect to a port above 65,535.
            raise ConnectionFailed(f"{group}: {group.exceptions[0]}") from group

    async def refusal(self, response: httpx.Response) -> HttpError:
        """Return the error for an answer outside 2xx, with the message of the backend."""
        text = await self._drained(response)
        said = (parse_object(text) or {}).get("error")
        message = said if isinstance(said, str) and said else text
        for secret in (self.place.token, *self.place.secrets):
            message = message.replace(secret, "***")
        return HttpError(response.status_code, message or f"cloud-api {response.status_code}")

    async def _drained(self, response: httpx.Response) -> str:
        """Read a body within bounds of size and time; empty if that fails."""
        text = ""
        async with anyio.create_task_group() as group:

            async def lose_patience() -> None:
                await self.sleep(ERROR_PATIENCE_MS)
                group.cancel_scope.cancel()

            group.start_soon(lose_patience)
            try:
                with connection_errors():
                    text, _ = await _read(response, LONGEST_ERROR)
            except ConnectionFailed:
                text = ""  # only the status matters, and it is known
            group.cancel_scope.cancel()
        return text

    def _request(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | list[tuple[bytes, bytes]] | None = None,
        json: Mapping[str, Json] | None = None,
        timeout: httpx.Timeout = PATIENCE,
    ) -> httpx.Request:
        return self.client.build_request(
            method,
            f"{self.place.base_url.rstrip('/')}/v1/jobs{path}",
            params={"orgSlug": self.place.org, "projectSlug": self.place.project},
            headers=headers,
            json=json,
            timeout=timeout,
        )


def segment(job_id: str) -> str:
    """Encode a job id as one segment of a path; raise Unusable if it cannot be one (ARK-CRE-8)."""
    if job_id in {"", ".", ".."}:
        raise Unusable(f"the job id {job_id!r} cannot be a segment of a path")
    try:
        return quote(job_id, safe="")
    except UnicodeEncodeError as error:
        raise Unusable("the job id is not valid text") from error


def sendable(cursor: str) -> bytes:
    """Return a cursor as the value of a header; raise Unusable if that is impossible (ARK-RES-11)."""
    hopeless = any((ord(char) < ord(" ") and char != "\t") or char == "\x7f" for char in cursor)
    if hopeless or cursor != cursor.strip(" \t"):
        raise Unusable("the last event id cannot be sent in a header")
    value = cursor.encode()
    if len(value) > LONGEST_CURSOR:
        raise Unusable(f"the last event id is longer than {LONGEST_CURSOR} bytes")
    return value


async def _read(response: httpx.Response, limit: int) -> tuple[str, bool]:
    """Return at most `limit` bytes of a body, and whether that is all of it."""
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > limit:
            break
    return body[:limit].decode("utf-8", "replace"), len(body) <= limit


def _job_of(text: str) -> dict[str, Json]:
    job = (parse_object(text) or {}).get("job")
    if not isinstance(job, Mapping) or not isinstance(job.get("id"), str):
        raise Unusable("the answer to the create has no job with an id")
    segment(str(job["id"]))
    return dict(job)
