"""Builds requests, and reads the headers and the error bodies of responses.

This module defines what a trainer's requests look like on the wire (ARK-WIR). No function here
does I/O, and none trusts its input.
"""

import json
import re
from collections.abc import Mapping
from typing import Final

from arkor_proto._address import read_origin
from arkor_proto._errors import ResponseError, StatusError
from arkor_proto._json import check_job_id, read_object
from arkor_proto._secrets import Hider
from arkor_proto._types import Endpoint, Headers, JobSpec, Request
from arkor_proto._walk import JsonObject, is_object

MAX_CURSOR_BYTES: Final = 1024
MAX_SERVER_DELAY: Final = 10**9
"""The longest delay accepted from a server, in seconds; a longer one is reduced to it."""

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
MAX_HOPS: Final = 5
# The text between two commas; a comma in a quoted string does not separate (RFC 9110 §5.6.4).
_MEMBER: Final = re.compile(r'(?:"(?:[^"\\]|\\.)*"|[^,])+')

_START_OF_PAGE: Final = 4096
_LONGEST_TITLE: Final = 80
_TITLE: Final = re.compile(r"<title[^>]*>([^<]+)", re.IGNORECASE)
_TAG: Final = re.compile(r"<(script|style)\b.*?</\1>|<[^>]*>", re.IGNORECASE | re.DOTALL)


def _quoted(text: str) -> str:
    """Return `text` percent-encoded, except for unreserved characters (RFC 3986 §2.3)."""
    from urllib.parse import quote  # noqa: PLC0415 - slow to import, and needed only for a request

    return quote(text, safe="")


def _to_json(value: object) -> bytes:
    try:
        return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"request: the body cannot be written as JSON: {error}") from error


def cursor_problem(cursor: str) -> str | None:
    """Return why `cursor` cannot be sent as a `Last-Event-ID` header, or None if it can."""
    if cursor != cursor.strip(" \t"):
        return "it begins or ends with white space, which a header does not preserve"
    if any((char < " " and char != "\t") or char == "\x7f" for char in cursor):
        return "it contains control characters, which are not allowed in a header"
    try:
        size = len(cursor.encode())
    except UnicodeEncodeError:
        return "it contains surrogates, which UTF-8 cannot encode"
    return f"it is {size} bytes long, which is too long" if size > MAX_CURSOR_BYTES else None


def request_to(
    endpoint: Endpoint,
    method: str,
    path: str,
    query: Mapping[str, str],
    *,
    accept: str = "application/json",
    body: JsonObject | None = None,
    extra: Headers = (),
) -> Request:
    """Return a request with the headers that all requests have (ARK-WIR-2)."""
    target = endpoint.path + path
    if query:
        target += "?" + "&".join(f"{name}={_quoted(value)}" for name, value in query.items())
    content = b"" if body is None else _to_json(body)
    headers: Headers = (
        (b"Host", endpoint.origin.authority.encode()),
        (b"Accept", accept.encode()),
        (b"Accept-Encoding", b"identity"),
        *(((b"Authorization", b"Bearer " + endpoint.token.encode()),) if endpoint.token else ()),
        (b"X-Arkor-Client", endpoint.client.encode()),
        *(((b"Content-Type", b"application/json"),) if body is not None else ()),
        *(((b"Content-Length", b"%d" % len(content)),) if method == "POST" else ()),
        *extra,
    )
    return Request(method, target, headers, content)


def authorized(request: Request, token: str) -> Request:
    """Return `request`, which was built without a token, with `token` added."""
    bearer = (b"Authorization", b"Bearer " + token.encode())
    return Request(request.method, request.target, (*request.headers, bearer), request.body)


def scope(endpoint: Endpoint) -> Mapping[str, str]:
    """Return the query parameters that name the organisation and the project."""
    return {"orgSlug": endpoint.org, "projectSlug": endpoint.project}


def _job_path(job_id: str, rest: str = "") -> str:
    return f"/v1/jobs/{_quoted(check_job_id(job_id))}{rest}"


def create_request(endpoint: Endpoint, spec: JobSpec, idempotency_key: str | None) -> Request:
    """Return the request that submits a job."""
    key = () if idempotency_key is None else ((b"Idempotency-Key", idempotency_key.encode()),)
    body = {"name": spec.name, "config": spec.config}
    return request_to(endpoint, "POST", "/v1/jobs", scope(endpoint), body=body, extra=key)


def stream_request(endpoint: Endpoint, job_id: str, cursor: str) -> Request:
    """Return the request that opens a job's event stream after `cursor` ("" for the start)."""
    last = ((b"Last-Event-ID", cursor.encode()),) if cursor else ()
    return request_to(
        endpoint,
        "GET",
        _job_path(job_id, "/events/stream"),
        scope(endpoint),
        accept="text/event-stream",
        extra=((b"Cache-Control", b"no-cache"), *last),
    )


def cancel_request(endpoint: Endpoint, job_id: str) -> Request:
    """Return the request that asks the backend to stop a job."""
    return request_to(endpoint, "POST", _job_path(job_id, "/cancel"), scope(endpoint))


def job_request(endpoint: Endpoint, job_id: str) -> Request:
    """Return the request for the current state of a job."""
    return request_to(endpoint, "GET", _job_path(job_id), scope(endpoint))


def is_success(status: int) -> bool:
    """Return whether `status` is 2xx (RFC 9110 §15.3)."""
    return 200 <= status < 300  # noqa: PLR2004 - the range of 2xx


def redirected(endpoint: Endpoint, request: Request, location: str) -> Request | None:
    """Return `request` for the URL `location`; None if it has credentials or another origin."""
    from urllib.parse import quote, urljoin, urlsplit  # noqa: PLC0415 - redirects are rare

    here = endpoint.origin
    try:
        moved = urljoin(f"{here.scheme}://{here.authority}{request.target}", location)
        same = read_origin(moved).compared == here.compared
        there = urlsplit(moved)
    except ValueError:
        return None
    if not same or not location:
        return None
    target = (there.path or "/") + (f"?{there.query}" if there.query else "")
    # Bytes beyond ASCII are sent as the same bytes, percent-encoded.
    raw = quote(target.encode("latin-1"), safe="/?%&=+:@!$'()*,;~")
    return Request(request.method, raw, request.headers)


def header(headers: Headers, name: bytes) -> str | None:
    """Return the value of the header called `name` (lower case), or None if there is none.

    Repeated fields are equivalent to one field with the values joined by commas (RFC 9110 §5.3).
    """
    values = [value.decode("latin-1").strip(" \t") for key, value in headers if key.lower() == name]
    return ", ".join(values) if values else None


def location_of(headers: Headers) -> str | None:
    """Return the `Location` of a response; None if it is missing or repeated."""
    several = sum(key.lower() == b"location" for key, _ in headers) > 1
    return None if several else header(headers, b"location")


def header_members(headers: Headers, name: bytes) -> tuple[str, ...]:
    """Return the members of a comma-separated header, without empty ones."""
    members = (member.strip(" \t") for member in _MEMBER.findall(header(headers, name) or ""))
    return tuple(member for member in members if member)


def is_event_stream(headers: Headers) -> bool:
    """Return whether `text/event-stream` is the only media type in the `Content-Type`."""
    types = {
        member.partition(";")[0].strip(" \t").lower()
        for member in header_members(headers, b"content-type")
    }
    return types == {"text/event-stream"}


def foreign_codings(headers: Headers) -> tuple[str, ...]:
    """Return the content codings of a response, except `identity`."""
    codings = header_members(headers, b"content-encoding")
    return tuple(coding for coding in codings if coding.lower() != "identity")


def coding_problem(headers: Headers) -> str:
    """Return what is wrong with a response's content codings, or "" if nothing is (ARK-WIR-9)."""
    codings = ", ".join(foreign_codings(headers))
    return f"content coding {codings!r}; the request accepts only identity" if codings else ""


def page_problem(headers: Headers, body: bytes) -> str:
    """Quote the title or the first words of a web page; return "" for any other response."""
    types = [
        member.partition(";")[0].strip(" \t").lower()
        for member in header_members(headers, b"content-type")
    ]
    if types != ["text/html"] or not body.lstrip().startswith(b"<"):
        return ""
    start = body[:_START_OF_PAGE].decode(errors="replace")
    title = _TITLE.search(start)
    said = " ".join((title[1] if title else _TAG.sub(" ", start)).split())
    shown = said if len(said) <= _LONGEST_TITLE else f"{said[:_LONGEST_TITLE]}…"
    return f'got text/html: "{shown}"'


def retry_after(headers: Headers) -> float | None:
    """Return the delay in seconds that `Retry-After` asks for, if any (RFC 9110 §10.2.3).

    An HTTP-date is relative to the response's own `Date`, and is ignored without one.
    """
    value = header(headers, b"retry-after") or ""
    if value.isascii() and value.isdigit():
        digits = value.lstrip("0")
        return (
            float(digits or "0") if len(digits) < len(str(MAX_SERVER_DELAY)) else MAX_SERVER_DELAY
        )
    from email.utils import mktime_tz, parsedate_tz  # noqa: PLC0415 - it loads sockets on Python 3.11

    then, now = parsedate_tz(value), parsedate_tz(header(headers, b"date") or "")
    if then is None or now is None:
        return None
    try:
        return float(min(max(mktime_tz(then) - mktime_tz(now), 0), MAX_SERVER_DELAY))
    except (OverflowError, ValueError):
        return None


def read_error(status: int, headers: Headers, body: bytes, hider: Hider) -> StatusError:
    """Return the error for a response with this status; `hider` removes the secrets."""
    text = body.decode(errors="replace")
    try:
        content = read_object(body, "error")
    except ResponseError:
        content = dict[str, object]()
    said = content.get("error")
    if is_object(said):
        said = said.get("message")
    message = said if isinstance(said, str) and said else _unfollowed(status, headers)
    message = message or text.strip() or f"cloud-api {status}"
    names = dict.fromkeys(name.lower() for name, _ in headers)
    clean = {n.decode("latin-1"): hider.text(header(headers, n) or "") for n in names}
    return StatusError(status, hider.text(message), body=hider.mapping(content), headers=clean)


def _unfollowed(status: int, headers: Headers) -> str:
    location = location_of(headers)
    if location is None or status not in REDIRECTS:
        return ""
    return f"redirected to {location!r}; redirects are followed only for GET, within one origin and at most {MAX_HOPS} times"
