"""What makes the mock give each answer of the description.

An answer that the mock gives by itself is provoked by a request or by a limit; for the others a rule
sets the status.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from attrs import evolve, frozen

from arkor_proto import Request
from conformance.generate.openapi.examples import ENDPOINT
from conformance.generate.openapi.operations import Operation

JOB: Final = "job-1"
EVERY: Final[Mapping[str, object]] = {}
"""What a rule about every request selects."""
NOTICES: Final = {
    "Deprecation": "true",
    "Warning": '299 - "upgrade to 2.0"',
    "Sunset": "Sat, 01 Jan 2028 00:00:00 GMT",
}
_NOTICED: Final[Mapping[str, object]] = {"on": EVERY, "headers": NOTICES}
_RULED: Final[Mapping[str, Mapping[str, object]]] = {
    "3XX": {"redirect": "/v1/jobs/job-1/events/stream?moved", "body": ""},
    "403": {"status": 403},
    "404": {"status": 404},
    "409": {"status": 409},
    "426": {
        "status": 426,
        "json": {
            "error": "too old",
            "currentVersion": "1.0",
            "supportedRange": ">=2",
            "upgrade": "pip install -U my-client",
        },
    },
    "429": {"status": 429, "retry_after": 7},
    "503": {"status": 503, "retry_after": 30},
    "5XX": {"status": 502},
}
"""What a rule does for a status that the mock does not give by itself."""
_FOR_ALL_TENANTS: Final = {"chat", "me"}
"""The operations that the mock refuses to no tenant."""
_RUNNING: Final = {"id": JOB, "submitted": True, "status": "running"}
_OVER: Final = {"id": JOB, "submitted": True, "emitted": True}
_BAD_BODIES: Final[Sequence[object]] = ([], {}, "x")
_FIRST: Final = {"Last-Event-ID"}
"""The header that a client leaves out when it opens a stream for the first time."""
_SCRIPTED: Final = (
    {
        "id": "1",
        "event": "training.started",
        "json": {"type": "training.started", "jobId": JOB, "timestamp": "t"},
    },
    {"event": "ping", "data": "{}"},
    {"comment": "still there"},
    {"json": {"type": "training.paused", "reason": "maintenance"}},
    {"id": "4", "retry_ms": 1500, "json": {"type": "training.log", "step": 1, "loss": None}},
    {"id": "5", "event": "end", "data": "{}"},
)


@frozen
class Provocation:
    """A scenario, and the requests to send to it, one after another; the last one is answered so."""

    words: Mapping[str, object]
    requests: tuple[bytes, ...]


def raw(
    request: Request, *, without: Iterable[str] = (), more: str = "", body: object = None
) -> bytes:
    """Return the bytes of a request, for a job that exists, on a connection of its own."""
    content = request.body if body is None else json.dumps(body).encode()
    left = {"Content-Length", *without}
    fields = [(name.decode(), value.decode()) for name, value in request.headers]
    lines = [f"{request.method} {request.target.replace('%7Bid%7D', JOB)} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in fields if name not in left]
    lines += [f"Content-Length: {len(content)}", "Connection: close", *([more] if more else [])]
    return "\r\n".join([*lines, "", ""]).encode() + content


def provocations(operation: Operation) -> Mapping[str, Sequence[Provocation]]:
    """Return what leads to each answer of an operation, by its status in the description."""
    return {**_for_any(operation), **_BY_ITSELF[operation.name](operation.request)}


def _for_any(operation: Operation) -> dict[str, list[Provocation]]:
    request = operation.request
    asked = raw(request)
    long = raw(request, more="X: " + "x" * 500)
    ruled = {*_RULED} & {"403", "426", "429", "503", "5XX", *operation.others}
    found = {
        "400": [_one({}, raw(request, more="not a field"))],
        "408": [_one({"limits": {"request_ms": 50}}, _begun(asked))],
        "413": [_one({"limits": {"body_bytes": 0}}, raw(request, body={}))],
        "431": [_one({"limits": {"header_bytes": 256}}, _begun(long))],
        **{status: [_one({}, asked, rule=_RULED[status])] for status in ruled},
    }
    if operation.body:
        found["400"] += [_one({}, raw(request, body=body)) for body in _BAD_BODIES]
    if not operation.public:
        found["401"] = [_one({}, raw(request, without={"Authorization"}))]
    if operation.name not in _FOR_ALL_TENANTS:
        found["403"] = [_one(_tenant("another", "bots"), asked)]
    return found


def _tenant(org: str, project: str) -> Mapping[str, object]:
    """Return a backend where the token of the requests reaches this project alone."""
    return {"backend": {"tenants": [{"token": ENDPOINT.token, "org": org, "projects": [project]}]}}


def _begun(request: bytes) -> bytes:
    """Return the head of a request without its end."""
    return request.partition(b"\r\n\r\n")[0]


def _one(
    words: Mapping[str, object], *requests: bytes, rule: Mapping[str, object] | None = None
) -> Provocation:
    rules = [_NOTICED] if rule is None else [{"on": EVERY, **rule}, _NOTICED]
    return Provocation({"job": [_RUNNING], **words, "rule": rules}, requests)


def _elsewhere(request: Request) -> Request:
    return evolve(request, target=request.target.replace("%7Bid%7D", "nobodys"))


def _create(request: Request) -> Mapping[str, Sequence[Provocation]]:
    other = {"name": "other", "config": {"model": "m"}}
    return {
        "2XX": [_one({}, raw(request)), _one({}, raw(request), raw(request))],
        "404": [_one(_tenant(ENDPOINT.org, "another"), raw(request))],
        "422": [_one({}, raw(request), raw(request, body=other))],
    }


def _stream(request: Request) -> Mapping[str, Sequence[Provocation]]:
    first = raw(request, without=_FIRST)
    jobs = (_OVER, {**_OVER, "status": "failed"}, {**_RUNNING, "events": list(_SCRIPTED)})
    unknown = {"job": [{**_OVER, "events": 1}], "backend": {"unknown_cursor": "gone"}}
    at_end = {
        how: _one({"job": [{**_OVER, "events": 2}], "backend": {"at_end": how}}, raw(request))
        for how in ("empty", "end", "gone", "no_content")
    }
    return {
        "200": [
            *(_one({"job": [job]}, first) for job in jobs),
            _one({"job": [_OVER]}, raw(request)),
            _one({}, _cancel_bytes(request), first),
            at_end["empty"],
            at_end["end"],
        ],
        "204": [at_end["no_content"]],
        "404": [_one({}, raw(_elsewhere(request)))],
        "410": [_one(unknown, raw(request)), at_end["gone"]],
    }


def _cancel_bytes(stream: Request) -> bytes:
    target = stream.target.replace("/events/stream", "/cancel")
    return raw(Request("POST", target, stream.headers), without=_FIRST)


def _cancel(request: Request) -> Mapping[str, Sequence[Provocation]]:
    return {
        "2XX": [_one({}, raw(request))],
        "404": [_one({}, raw(_elsewhere(request)))],
        "409": [_one({"job": [_OVER]}, raw(request))],
    }


def _job(request: Request) -> Mapping[str, Sequence[Provocation]]:
    jobs = (_RUNNING, _OVER, {**_OVER, "status": "failed"})
    return {
        "2XX": [_one({"job": [job]}, raw(request)) for job in jobs],
        "404": [_one({}, raw(_elsewhere(request)))],
    }


def _chat(request: Request) -> Mapping[str, Sequence[Provocation]]:
    body = json.loads(request.body)
    other = {**body, "adapter": {**body["adapter"], "jobId": "nobodys"}}
    return {
        "2XX": [_one({}, raw(request)), _one({}, raw(request, body={**body, "stream": False}))],
        "404": [_one({}, raw(request, body=other))],
    }


def _projects(request: Request) -> Mapping[str, Sequence[Provocation]]:
    new = raw(Request("POST", request.target, request.headers), body={"name": "Bots"})
    return {"2XX": [_one({}, raw(request)), _one({}, new, raw(request))]}


def _create_project(request: Request) -> Mapping[str, Sequence[Provocation]]:
    return {"2XX": [_one({}, raw(request))], "409": [_one({}, raw(request), raw(request))]}


def _public(request: Request) -> Mapping[str, Sequence[Provocation]]:
    return {"2XX": [_one({}, raw(request)), _one({}, raw(request, without={"Authorization"}))]}


def _simple(request: Request) -> Mapping[str, Sequence[Provocation]]:
    return {"2XX": [_one({}, raw(request))]}


_BY_ITSELF: Final = {
    "create": _create,
    "stream": _stream,
    "cancel": _cancel,
    "job": _job,
    "chat": _chat,
    "projects": _projects,
    "createProject": _create_project,
    "anonymous": _public,
    "me": _simple,
}
"""What leads to the answers that are an operation's own."""
