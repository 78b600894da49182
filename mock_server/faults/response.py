"""The head of a response and the kind of body that it announces, before any rule is applied."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from http import HTTPStatus
from typing import Final

from attrs import frozen

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


@frozen
class Head:
    """A head ready for the wire; its text is what Latin-1 makes of the bytes."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> str | None:
        """Return the first header field of this (lower-case) name."""
        return next((value for key, value in self.headers if key.lower() == name), None)

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


def replaced(
    headers: Iterable[tuple[str, str]],
    over: Sequence[tuple[str, str]],
    without: AbstractSet[str] = frozenset(),
) -> tuple[tuple[str, str], ...]:
    """Put header fields over others of the same names, without case; fields may be repeated."""
    names = {name.lower() for name, _ in over} | without
    return (*(pair for pair in headers if pair[0].lower() not in names), *over)


def end_to_end(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the header fields of a message that are forwarded (RFC 9110, 7.6.1).

    Fields about the connection are left out, and so are those that `Connection` names; the carrier
    frames the body itself.
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
    """The kind of body that the head of an answer announces."""

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
        coding = (", ".join(codings) if known else "an unsupported coding") or None
        return cls(
            lower.get("content-type", "").lower().startswith("text/event-stream"),
            length.isascii()
            and length.isdigit()
            and len(length) < _DIGITS
            and int(length) <= _WHOLE,
            coding,
        )
