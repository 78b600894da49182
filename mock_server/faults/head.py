"""Plan the status, headers and body that the rules of an exchange set for the response.

The plan also decides whether the origin (the mock's backend, or the real one behind a proxy) gets
the request.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Final

from attrs import evolve, frozen

from mock_server.faults.response import BODILESS, BodyKind, Head, listed, phrase_of, replaced
from mock_server.requests import wire_text
from mock_server.scenario.frames import render
from mock_server.scenario.rule import Rule, merged
from mock_server.scenario.vocabulary import Route
from mock_server.scenario.words.head import Framing, Gzip, Handoff, HeadFault, Resume, Shift
from mock_server.sse import Frame
from mock_server.strict.json import compact

_ZERO: Final = re.compile(r"q\s*=\s*0(\.0*)?")
_REFUSALS: Final = 300
_STREAMING: Final = frozenset({Route.STREAM})


@frozen
class HeadPlan:
    """What the rules of an exchange set in the response; a part that is None is left unchanged."""

    status: int | None
    reason: str | None
    headers: tuple[tuple[str, str], ...]
    """Header fields that replace the origin's fields of the same names."""
    without: frozenset[str]
    """The names, in lower case, of the header fields to remove."""
    twice: frozenset[str]
    """The names, in lower case, of the header fields to send twice."""
    raw: bytes | None
    content_length: tuple[int, ...]
    early: tuple[int, ...]
    framing: Framing | None
    gzip: Gzip | None
    body: bytes | None
    frames: tuple[Frame, ...] | None
    resume: Resume | Shift | None
    handoff: Handoff | None

    @property
    def asks_origin(self) -> bool:
        """Whether the origin has to be asked for a response."""
        return self.body is None and self.frames is None


def head_plan(rules: Sequence[Rule], route: Route) -> HeadPlan:
    """Merge the faults of the rules; if several rules set the same part, the first rule wins."""
    return _merged(rules, route) if rules else _NOTHING


def _merged(rules: Sequence[Rule], route: Route) -> HeadPlan:
    faults = [rule.head for rule in rules]
    fault = merged(HeadFault, faults)
    status = fault.status
    if status is None and fault.redirect is not None:
        status = HTTPStatus.TEMPORARY_REDIRECT.value
    body, kind = _body(faults, status, scripted=fault.frames is not None)
    added = _added(faults)
    return HeadPlan(
        status=status,
        reason=None if fault.reason is None else wire_text(fault.reason),
        headers=_headers(fault, _kind(kind, status, route), added),
        without=frozenset(name.lower() for name, values in added.items() if not values),
        twice=frozenset(name.lower() for each in faults for name in each.headers_twice),
        raw=next((raw for each in faults if (raw := _raw(each)) is not None), None),
        content_length=fault.content_length,
        early=tuple(code for each in faults for code in each.early),
        framing=fault.framing,
        gzip=fault.gzip,
        body=body,
        frames=None if fault.frames is None else tuple(map(render, fault.frames)),
        resume=fault.resume,
        handoff=fault.handoff,
    )


def _raw(fault: HeadFault) -> bytes | None:
    return fault.raw_head_hex if fault.raw_head is None else fault.raw_head.encode()


def _body(
    faults: Sequence[HeadFault], status: int | None, *, scripted: bool
) -> tuple[bytes | None, str]:
    for fault in faults:
        if (body := _body_of(fault)) is not None:
            return body
    if not scripted and status in BODILESS:
        return b"", ""
    if scripted or status is None or status < _REFUSALS:
        return None, ""
    return compact({"error": phrase_of(status)}).encode(), "application/json"


def _body_of(fault: HeadFault) -> tuple[bytes, str] | None:
    if fault.body is not None:
        return fault.body.encode(), "text/plain; charset=utf-8"
    if fault.body_hex is not None:
        return fault.body_hex, ""
    return None if fault.json is None else (compact(fault.json).encode(), "application/json")


def _kind(kind: str, status: int | None, route: Route) -> str:
    streaming = route in _STREAMING and (status or 200) < _REFUSALS
    return "text/event-stream" if streaming and kind.startswith("text/plain") else kind


def _headers(
    fault: HeadFault, kind: str, added: Mapping[str, tuple[str, ...]]
) -> tuple[tuple[str, str], ...]:
    found = {"Content-Type": kind} if kind else {}
    if fault.retry_after is not None:
        found["Retry-After"] = f"{fault.retry_after:g}"
    if fault.content_type is not None:
        found["Content-Type"] = fault.content_type
    if fault.redirect is not None:
        found["Location"] = fault.redirect
    over = tuple((name, value) for name, values in added.items() for value in values)
    pairs = replaced(tuple(found.items()), over, {name.lower() for name in added})
    return tuple((name, wire_text(value)) for name, value in pairs)


def _added(faults: Iterable[HeadFault]) -> Mapping[str, tuple[str, ...]]:
    """Merge the headers of the rules; if several rules set the same name, the first rule wins."""
    merged: dict[str, tuple[str, ...]] = {}
    for fault in faults:
        for name, values in (fault.headers or {}).items():
            if name.lower() not in {key.lower() for key in merged}:
                merged[name] = (values,) if isinstance(values, str) else values
    return merged


_NOTHING: Final = _merged((), Route.OTHER)


def compressed(head: Head, plan: HeadPlan, request: Iterable[tuple[str, str]]) -> Head | None:
    """Return the head to send with a gzip body; None if the body must stay as it is.

    `request` is the header fields of the request, with their names in lower case.
    """
    wanted = plan.gzip is Gzip.ALWAYS or (plan.gzip is Gzip.ACCEPTED and accepts_gzip(request))
    if not wanted or plan.raw is not None or head.status in BODILESS:
        return None
    if BodyKind.of(head.headers).coding is not None:
        return None
    over = (("Content-Encoding", "gzip"), ("Vary", "Accept-Encoding"))
    return evolve(head, headers=(*head.headers, *over))


def accepts_gzip(request: Iterable[tuple[str, str]]) -> bool:
    """Return whether a request accepts gzip (RFC 9110, 12.5.3); False without Accept-Encoding."""
    weights: dict[str, bool] = {}
    for member in listed(request, "accept-encoding"):
        coding, _, weight = member.partition(";")
        weights[coding.strip()] = _ZERO.fullmatch(weight.strip()) is None
    asked = [weights[each] for each in ("gzip", "x-gzip") if each in weights]
    return any(asked) if asked else weights.get("*", False)
