"""The head of a response: as an upstream sent it, and as the rules want it.

It knows statuses, headers, how rules override them and what they say of a body. It refuses to know
bodies in flight: of the origin (the backend or a real one behind a proxy) it says only whether it
has to be asked at all.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from http import HTTPStatus
from typing import Final

from attrs import frozen

from mock_server.requests import wire_text
from mock_server.scenario.frames import render
from mock_server.scenario.model import Rule
from mock_server.scenario.vocabulary import (
    Framing,
    Resume,
    Route,
    Shift,
)
from mock_server.sse import Frame
from mock_server.strict.json import compact

BODILESS: Final = frozenset({204, 205, 304})
NO_BODY: Final = frozenset({204, 304})
"""What an upstream can send no body with: a 205 may have one, against the rules."""
HOP_BY_HOP: Final = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
_WHOLE: Final = 1 << 20
_DIGITS: Final = 20
_REFUSALS: Final = 300
_STREAMING: Final = frozenset({Route.STREAM})


@frozen
class HeadPlan:
    """What the rules of one exchange say about its head and its body; None means the origin's."""

    status: int | None
    reason: str | None
    headers: tuple[tuple[str, str], ...]
    """Fields instead of the origin's of the same names."""
    without: frozenset[str]
    """The names of fields, in lower case, that are taken out."""
    raw: bytes | None
    content_length: tuple[int, ...]
    early: tuple[int, ...]
    framing: Framing | None
    body: bytes | None
    frames: tuple[Frame, ...] | None
    resume: Resume | Shift | None

    @property
    def asks_origin(self) -> bool:
        """Whether the origin has to answer at all."""
        return self.body is None and self.frames is None


@frozen
class Head:
    """A head ready for the wire; its text is what Latin-1 makes of the bytes."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]

    def render(self) -> bytes:
        """Return the bytes, blank line included."""
        lines = [f"HTTP/1.1 {self.status} {self.reason}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def phrase_of(status: int) -> str:
    """Return the standard reason phrase of a status."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def head_plan(rules: Sequence[Rule], route: Route) -> HeadPlan:
    """Merge what the rules say; the first that names a thing wins."""
    status = next((rule.status for rule in rules if rule.status is not None), None)
    if status is None and any(rule.redirect is not None for rule in rules):
        status = HTTPStatus.TEMPORARY_REDIRECT.value
    frames = next((rule.frames for rule in rules if rule.frames is not None), None)
    body, kind = _body(rules, status, scripted=frames is not None)
    added = _added(rules)
    return HeadPlan(
        status=status,
        reason=next((wire_text(rule.reason) for rule in rules if rule.reason is not None), None),
        headers=_headers(rules, _kind(kind, status, route), added),
        without=frozenset(name.lower() for name, values in added.items() if not values),
        raw=next((raw for rule in rules if (raw := _raw(rule)) is not None), None),
        content_length=next((rule.content_length for rule in rules if rule.content_length), ()),
        early=tuple(code for rule in rules for code in rule.early),
        framing=next((rule.framing for rule in rules if rule.framing), None),
        body=body,
        frames=None if frames is None else tuple(render(each) for each in frames),
        resume=next((rule.resume for rule in rules if rule.resume is not None), None),
    )


def _raw(rule: Rule) -> bytes | None:
    return rule.raw_head_hex if rule.raw_head is None else rule.raw_head.encode()


def _body(rules: Sequence[Rule], status: int | None, *, scripted: bool) -> tuple[bytes | None, str]:
    for rule in rules:
        if (said := _body_of(rule)) is not None:
            return said
    if not scripted and status in BODILESS:
        return b"", ""
    if scripted or status is None or status < _REFUSALS:
        return None, ""
    return compact({"error": phrase_of(status)}).encode(), "application/json"


def _body_of(rule: Rule) -> tuple[bytes, str] | None:
    if rule.body is not None:
        return rule.body.encode(), "text/plain; charset=utf-8"
    if rule.body_hex is not None:
        return rule.body_hex, ""
    return None if rule.json is None else (compact(rule.json).encode(), "application/json")


def _kind(kind: str, status: int | None, route: Route) -> str:
    streaming = route in _STREAMING and (status or 200) < _REFUSALS
    return "text/event-stream" if streaming and kind.startswith("text/plain") else kind


def _headers(
    rules: Sequence[Rule], kind: str, added: Mapping[str, tuple[str, ...]]
) -> tuple[tuple[str, str], ...]:
    found: dict[str, str] = {"Content-Type": kind} if kind else {}
    for rule in reversed(rules):
        if rule.retry_after is not None:
            found["Retry-After"] = f"{rule.retry_after:g}"
        if rule.content_type is not None:
            found["Content-Type"] = rule.content_type
        if rule.redirect is not None:
            found["Location"] = rule.redirect
    over = tuple((name, value) for name, values in added.items() for value in values)
    pairs = replaced(tuple(found.items()), over, {name.lower() for name in added})
    return tuple((name, wire_text(value)) for name, value in pairs)


def _added(rules: Iterable[Rule]) -> Mapping[str, tuple[str, ...]]:
    """Merge the headers that rules add; the first rule that names one wins."""
    merged: dict[str, tuple[str, ...]] = {}
    for rule in rules:
        for name, values in (rule.headers or {}).items():
            if name.lower() not in {key.lower() for key in merged}:
                merged[name] = (values,) if isinstance(values, str) else values
    return merged


def replaced(
    headers: Iterable[tuple[str, str]],
    over: Sequence[tuple[str, str]],
    without: AbstractSet[str] = frozenset(),
) -> tuple[tuple[str, str], ...]:
    """Put header fields over others of the same names, without case; fields may be repeated."""
    names = {name.lower() for name, _ in over} | without
    return (*(pair for pair in headers if pair[0].lower() not in names), *over)


def end_to_end(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the header fields of a message that are handed on (RFC 9110, 7.6.1).

    What belongs to the connection goes, also what `Connection` names; the carrier frames the body
    anew.
    """
    pairs = tuple(headers)
    dropped = HOP_BY_HOP | {"content-length"} | set(listed(pairs, "connection"))
    return tuple(pair for pair in pairs if pair[0].lower() not in dropped)


def listed(headers: Iterable[tuple[str, str]], name: str) -> list[str]:
    """Return the members of a header that is a list (RFC 9110, 5.6.1), in lower case."""
    return [
        member.strip(" \t").lower()
        for key, value in headers
        if key.lower() == name
        for member in value.split(",")
    ]


_CODINGS: Final = frozenset({"gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd"})


@frozen
class BodyKind:
    """What the head of an answer says of its body."""

    stream: bool
    """Whether it is an event stream."""
    small: bool
    """Whether it has a length, and that is not much."""
    coding: str | None
    """How it is compressed, in a word of ours; None when its bytes are what they seem."""

    @property
    def framed(self) -> bool:
        """Whether its frames can be told apart."""
        return self.stream and self.coding is None

    @classmethod
    def of(cls, headers: Iterable[tuple[str, str]]) -> "BodyKind":
        """Read the headers."""
        pairs = tuple(headers)
        lower = {name.lower(): value.strip(" \t") for name, value in pairs}
        length = lower.get("content-length", "")
        codings = [
            each for each in listed(pairs, "content-encoding") if each not in {"", "identity"}
        ]
        known = all(each in _CODINGS for each in codings)
        coding = (", ".join(codings) if known else "a coding that is unknown here") or None
        return cls(
            lower.get("content-type", "").lower().startswith("text/event-stream"),
            length.isascii()
            and length.isdigit()
            and len(length) < _DIGITS
            and int(length) <= _WHOLE,
            coding,
        )
