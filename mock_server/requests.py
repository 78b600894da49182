"""Determine which call of the protocol a request makes, from its method and path."""

import re
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import parse_qs, unquote

from attrs import evolve, field, frozen

from mock_server.scenario.serving import Paths, Targets
from mock_server.scenario.vocabulary import Route
from mock_server.strict.json import parsed_json

_FIXED: Final[dict[tuple[str, ...], tuple[Route, tuple[str, ...]]]] = {
    ("v1", "inference", "chat"): (Route.CHAT, ("POST",)),
    ("v1", "projects"): (Route.PROJECTS, ("GET", "POST")),
    ("v1", "auth", "anonymous"): (Route.ANONYMOUS, ("POST",)),
    ("v1", "me"): (Route.ME, ("GET",)),
    ("v1", "jobs"): (Route.CREATE, ("POST",)),
}
_PER_JOB: Final[dict[tuple[str, ...], tuple[Route, tuple[str, ...]]]] = {
    ("events", "stream"): (Route.STREAM, ("GET",)),
    ("cancel",): (Route.CANCEL, ("POST",)),
    (): (Route.JOB, ("GET",)),
}
PATHS: Final = {
    **{"/".join(("", *segments)): call for segments, call in _FIXED.items()},
    **{"/".join(("/v1/jobs/{id}", *rest)): call for rest, call in _PER_JOB.items()},
}
"""Maps every path, with `{id}` in place of a job id, to its call and the allowed methods."""

_ABSOLUTE: Final = re.compile(r"https?://(?P<authority>[^/?#]+)(?P<rest>.*)", re.IGNORECASE)


@frozen
class Request:
    """One request as the backend sees it; header names are lower case."""

    method: str
    target: str = field(repr=False)
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    route: Route
    methods: tuple[str, ...]
    """The methods that the path allows; empty for an unknown path."""
    job: str | None
    query: Mapping[str, str] = field(repr=False)

    @property
    def about(self) -> tuple[Route, str | None, str, tuple[tuple[str, str], ...]]:
        """The properties by which rules select a request: its route, job, method and headers."""
        return self.route, self.job, self.method, self.headers

    def header(self, name: str) -> str | None:
        """Return the value of the first header with this (lower-case) name, or None."""
        return next((value for key, value in self.headers if key == name), None)

    def uncompressed(self) -> "Request":
        """Return the request without Accept-Encoding, so that the response's frames can be read."""
        return evolve(self, headers=tuple(h for h in self.headers if h[0] != "accept-encoding"))


NO_TUNNELS: Final = (
    "CONNECT: this server does not open tunnels; use http:// URLs, or make this server the "
    "client's base URL"
)


def bearer_of(request: Request) -> str:
    """Return the bearer token of a request, or an empty string."""
    scheme, _, token = (request.header("authorization") or "").partition(" ")
    return token if scheme.lower() == "bearer" else ""


def has_credentials(request: Request) -> bool:
    """Return whether a request has an Authorization header; a proxy cannot check its value."""
    return request.header("authorization") is not None


Claims = Callable[[Request], bool]
"""Returns whether a request is meant for this server; must not raise."""


def request_of(
    method: str,
    target: str,
    headers: tuple[tuple[str, str], ...],
    body: bytes,
    paths: Paths = Paths.DECODED,
) -> Request:
    """Build a request, and find the call that it makes.

    The job id is one path segment, percent-decoded once unless `paths` says otherwise. An
    absolute-form target, which clients send to proxies, is reduced to its origin-form; its host
    replaces the Host field (RFC 9112, 3.2.2).
    """
    if absolute := _ABSOLUTE.match(target):
        host = absolute["authority"].rpartition("@")[2]
        headers = (("host", host), *(each for each in headers if each[0] != "host"))
        target = _origin_form(method, absolute["rest"].partition("#")[0])
    elif method == "CONNECT":
        target = target.rpartition("@")[2]  # keep a password out of the journal
    path, _, query = target.partition("?")
    path = unquote(path) if paths is Paths.EARLY else path
    segments = tuple(path.split("/")[1:])
    route, methods, job = Route.OTHER, tuple[str, ...](), None
    if segments in _FIXED:
        route, methods = _FIXED[segments]
    elif segments[:2] == ("v1", "jobs") and segments[2:3] not in ((), ("",)):
        route, methods = _PER_JOB.get(segments[3:], (Route.OTHER, ()))
        name = unquote(segments[2]) if paths is Paths.DECODED else segments[2]
        job = name if methods else None
    if methods and method not in methods:
        route = Route.OTHER
    pairs = parse_qs(query, keep_blank_values=True)
    flat = {key: values[0] for key, values in pairs.items()}
    return Request(method, target, headers, body, route, methods, job, flat)


def _origin_form(method: str, rest: str) -> str:
    if rest.startswith("/"):
        return rest
    # RFC 9112, 3.2.4: a URI without path and query means the server itself.
    return "*" if method == "OPTIONS" and not rest else "/" + rest


def unanswerable(
    method: str, target: str, targets: Targets = Targets.ANY
) -> tuple[int, str] | None:
    """Return the status and the reason for refusing a malformed target, or None if it is valid.

    A target is a path, a URL as clients send it to a proxy, or `OPTIONS *` (RFC 9112, 3.2).
    """
    if target.startswith("/") or (target, method) == ("*", "OPTIONS"):
        return None
    if method == "CONNECT":
        return None  # a host and a port (RFC 9112, 3.2.3): the origin refuses it
    if _ABSOLUTE.match(target):
        if targets is Targets.ANY:
            return None
        return HTTPStatus.BAD_REQUEST, "the target must be a path, or * for OPTIONS"
    return HTTPStatus.BAD_REQUEST, "the target must be a path, an http:// URL, or * for OPTIONS"


def wire_text(text: str) -> str:
    """Return a header's text as it looks when its UTF-8 bytes are decoded as Latin-1."""
    return text.encode().decode("latin-1")


def header_matches(wanted: str, found: Sequence[str]) -> bool:
    """Return whether a header's values match `wanted`: a value, `*` for any, `!` for no header."""
    if wanted == "!":
        return not found
    return bool(found) if wanted == "*" else wire_text(wanted) in found


def json_of(body: bytes) -> object:
    """Parse a body as JSON; return None if it is empty or not JSON."""
    try:
        return parsed_json(body.decode())
    except ValueError:
        return None
