# ruff: noqa: RUF009 - word() declares an attribute, as attrs.field() does
"""Expectations about the content of requests: method, path, query, headers and body."""

import re
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import parse_qsl

from attrs import frozen

from conformance.expect.mismatch import Divergence, difference
from conformance.strict_data import Json, parse_json
from conformance.trace.events import Event, Requested, Trace
from conformance.trace.names import EXCHANGE
from mock_server.strict.alternatives import converted
from mock_server.strict.shapes import ScenarioError, Shape, anything, array, mapping, text
from mock_server.strict.words import EMPTY, needed, table, word

ALL: Final = "*"
"""Names all requests of a route in place of a number (`stream#*`), or all requests on its own."""


_ANY_TABLE: Final = mapping(anything())
_LOWER: Final = converted(text(), lambda name, _: name.lower())


@frozen(kw_only=True)
class RequestWords:
    """The shape that a request must have; parts that are None or empty are not checked.

    `path` is compared without decoding; `query` is decoded first, so `%20` and `+` are the same. In
    a header, `*` matches any characters. Paths in `json_absent` are dotted: `config.loraR`.
    """

    method: str | None = word(text(), "the method", default=None)
    path: str | None = word(text(), "the path", default=None)
    query: Mapping[str, Json] = word(_ANY_TABLE, "query parameters, decoded", default=EMPTY)
    headers: Mapping[str, Json] = word(
        mapping(anything(), keys=_LOWER),
        "headers that must be present; `*` in a value matches any text",
        default=EMPTY,
    )
    absent: tuple[str, ...] = word(array(_LOWER), "headers that must be absent", default=())
    json: Json = word(anything(), "members that the body must have", default=None)
    json_absent: tuple[str, ...] = word(
        array(text()), "dotted paths of members that must be absent from the body", default=()
    )
    body: str | None = word(text(), "the whole body", default=None)

    def differences(self, request: Requested) -> Iterator[str]:
        """Yield one text for each way in which `request` differs from the shape."""
        path, _, query = request.target.partition("?")
        if self.method not in (None, request.method):
            yield f"method is {request.method}, not {self.method}"
        if self.path not in (None, path):
            yield f"path is {path}, not {self.path}"
        if self.body not in (None, request.body):
            yield f"body is {request.body[:200]!r}, not {self.body!r}"
        pairs = dict(parse_qsl(query, keep_blank_values=True))
        found = (
            difference(self.query, pairs, "query"),
            *(_header_difference(name, want, request) for name, want in self.headers.items()),
            *(
                f"header {name} is present"
                for name in self.absent
                if request.header(name) is not None
            ),
            *self._json_differences(request.body),
        )
        yield from filter(None, found)

    def _json_differences(self, body: str) -> Iterator[str | None]:
        if self.json is None and not self.json_absent:
            return
        try:
            value = parse_json(body)
        except ValueError as error:
            yield f"body is not JSON: {error}"
            return
        yield difference(self.json, value, "body") if self.json is not None else None
        for path in self.json_absent:
            if _has(value, path):
                yield f"body.{path} is present"


@frozen
class RequestShape:
    """Expects this shape of a request (`stream#2`), a route (`stream#*`) or all requests (`*`)."""

    request: str
    shape: RequestWords

    @property
    def word(self) -> str:
        """The name of the expectation, which includes the name of the request."""
        return f"request.{self.request}"

    @property
    def awaited(self) -> tuple[str, ...]:
        """The arrival of the named request; nothing if several requests must have the shape."""
        return () if self.request.endswith(ALL) else (f"{self.request}.requested",)

    def judge(self, trace: Trace) -> Divergence | None:
        """Return all differences between the shape and the first request that does not have it."""
        came = False
        for event, request in trace.of(Requested):
            name = f"{request.route}#{request.attempt}"
            if self.request not in (name, f"{request.route}#{ALL}", ALL):
                continue
            came = True
            if found := list(self.shape.differences(request)):
                return Divergence(
                    f"a request {name} that matches the case", "; ".join(found), event
                )
        return None if came else Divergence(f"a request {self.request}", "it never arrived")


def _not_empty(shape: RequestWords, where: str) -> None:
    if shape == RequestWords():
        raise ScenarioError(
            f"{where}: the case expects nothing of the request; give a part to check"
        )


def _request_name(name: str, where: str) -> str:
    if name != ALL:
        EXCHANGE.read(name.replace(f"#{ALL}", "#1"), where)
    return name


REQUESTS: Final[Shape[Mapping[str, RequestWords]]] = mapping(
    table(RequestWords, "parts of a request, such as {method = 'GET'}", _not_empty),
    keys=converted(text(), _request_name),
)
"""The shapes of requests, by the names of the requests."""


@frozen(kw_only=True)
class EqualHeader:
    """Expects several requests to have a header with the same value."""

    header: str = needed(_LOWER, "the header")
    requests: tuple[str, ...] = needed(array(EXCHANGE, least=1), "the requests", name="of")

    @property
    def word(self) -> str:
        """The name of the expectation, which includes the name of the header."""
        return f"equal_header({self.header})"

    @property
    def awaited(self) -> tuple[str, ...]:
        """The arrival of the last request to compare."""
        return (f"{self.requests[-1]}.requested",)

    def judge(self, trace: Trace) -> Divergence | None:
        """Compare the header of every request with that of the first request."""
        values: list[str | None] = []
        for name in self.requests:
            event, request = _request(trace, name)
            values.append(None if request is None else request.header(self.header))
            if values[-1] is None or values[-1] != values[0]:
                expected = f"the same {self.header} on {' and '.join(self.requests)}"
                return Divergence(expected, " / ".join(map(repr, values)), event)
        return None


@frozen
class NotElsewhere:
    """Expects that a header is sent only to the origin of the first request."""

    header: str

    @property
    def word(self) -> str:
        """The name of the expectation, which includes the name of the header."""
        return f"not_elsewhere({self.header})"

    @property
    def awaited(self) -> tuple[str, ...]:
        """Nothing, because a client passes even if it never sends a request to another origin."""
        return ()

    def judge(self, trace: Trace) -> Divergence | None:
        """Check the requests whose `Host` differs from the first request's."""
        requests = list(trace.of(Requested))
        home = requests[0][1].header("host") if requests else None
        away = [(event, each) for event, each in requests if each.header("host") != home]
        for event, request in away:
            if request.header(self.header) is not None:
                actual = f"the {request.route} request to {request.header('host')} has one"
                expected = f"no {self.header} header in requests to an origin other than {home}"
                return Divergence(expected, actual, event)
        return None


def _request(trace: Trace, name: str) -> tuple[Event | None, Requested | None]:
    event = trace.first(f"{name}.requested")
    if event is None or not isinstance(event.fact, Requested):
        return None, None
    return event, event.fact


def _header_difference(name: str, want: Json, request: Requested) -> str | None:
    """Say how a header fails to match a pattern, or return None if it matches.

    `*` matches any text, but a leading `*` does not match the empty text.
    """
    value = request.header(name)
    if value is None:
        return f"header {name} is absent"
    parts = [re.escape(part) for part in str(want).split("*")]
    pattern = ("" if parts[0] or len(parts) == 1 else ".") + ".*".join(parts)
    return None if re.fullmatch(pattern, value, re.DOTALL) else f"header {name} is {value!r}"


def _has(value: Json, path: str) -> bool:
    for key in path.split("."):
        if not isinstance(value, Mapping) or key not in value:
            return False
        value = value[key]
    return True
