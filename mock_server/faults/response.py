"""The head of a response and the kind of body that it announces, before any rule is applied."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from http import HTTPStatus
from typing import Final

from attrs import frozen

BODILESS: Final = frozenset({204, 205, 304})
NO_BODY: Final = frozenset({204, 304})
"""The statuses for which HTTP framing allows no body; for a 205, only its meaning forbids one."""
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
    """The head of a response; its text is the bytes on the wire, decoded as Latin-1."""

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...]

    def header(self, name: str) -> str | None:
        """Return the value of the first field with this name, given in lower case, or None."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    def render(self) -> bytes:
        """Return the bytes of the head, including the blank line."""
        lines = [f"HTTP/1.1 {self.status} {self.reason}"]
        lines += [f"{name}: {value}" for name, value in self.headers]
        return "\r\n".join([*lines, "", ""]).encode("latin-1")


def phrase_of(status: int) -> str:
    """Return the standard reason phrase of a status, or `Unknown`."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


def replaced(
    headers: Iterable[tuple[str, str]],
    over: Sequence[tuple[str, str]],
    without: AbstractSet[str] = frozenset(),
) -> tuple[tuple[str, str], ...]:
    """Return the fields without those named in `over` or `without`, followed by those in `over`."""
    names = {name.lower() for name, _ in over} | without
    return (*(pair for pair in headers if pair[0].lower() not in names), *over)


def end_to_end(headers: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the header fields of a message that may be forwarded (RFC 9110, 7.6.1).

    Hop-by-hop fields are left out, including those that `Connection` names. So is Content-Length,
    because whatever sends the message frames the body itself.
    """
    pairs = tuple(headers)
    dropped = HOP_BY_HOP | {"content-length"} | set(listed(pairs, "connection"))
    return tuple(pair for pair in pairs if pair[0].lower() not in dropped)


def listed(headers: Iterable[tuple[str, str]], name: str) -> list[str]:
    """Return the members of a list-valued header (RFC 9110, 5.6.1), in lower case."""
    return [
        member.strip(" \t").lower()
        for key, value in headers
        if key.lower() == name
        for member in value.split(",")
    ]


_CODINGS: Final = frozenset({"gzip", "x-gzip", "deflate", "compress", "x-compress", "br", "zstd"})


@frozen
class BodyKind:
    """The kind of body that the head of a response announces."""

    stream: bool
    """Whether the body is an event stream."""
    small: bool
    """Whether the body has a known length of at most 1 MiB."""
    coding: str | None
    """The content codings, in words for messages; None if the body is not compressed."""

    @property
    def framed(self) -> bool:
        """Whether the body can be cut into frames."""
        return self.stream and self.coding is None

    @classmethod
    def of(cls, headers: Iterable[tuple[str, str]]) -> "BodyKind":
        """Determine the kind of body from the header fields."""
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
