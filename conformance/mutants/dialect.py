"""The standard's parsing of event streams with single things changed, for mutants to speak.

It knows the algorithm of WHATWG HTML 9.2.6, written apart from the core. It refuses to know which
requirement a change violates.
"""

# Mutants patch private names.
# ruff: noqa: SLF001
# pyright: reportPrivateUsage=false

from collections.abc import Callable, Iterator
from typing import Final

from attrs import define, field, frozen

from arkor_proto._event import ServerSentEvent
from arkor_proto._sse import EventStreamParser
from conformance.mutants.patching import replace

_KNOWN: Final = frozenset({"data", "event", "id", "retry"})


def plain_field(line: str) -> tuple[str, str]:
    """Split a line as the standard does; a comment has no name."""
    name, _, value = line.partition(":")
    return name, value.removeprefix(" ")


def is_unknown(name: str) -> bool:
    """Tell whether a field has a name, and it is not one of the standard's."""
    return bool(name) and name not in _KNOWN


def _lf_lines(text: str) -> list[str]:
    return text.split("\n")[:-1]


@frozen(kw_only=True)
class Dialect:
    """The standard's algorithm with one thing changed.

    `throws_away` tells which field names throw away what the block has gathered, `is_event`
    whether data and a name make an event.
    """

    lines: Callable[[str], list[str]] = _lf_lines
    field: Callable[[str], tuple[str, str]] = plain_field
    join: Callable[[list[str]], str] = "\n".join
    throws_away: Callable[[str], bool] = lambda _: False
    is_event: Callable[[list[str], str], bool] = lambda data, _: bool(data)
    first_event_counts: bool = False
    event_carries_over: bool = False
    takes_nul_ids: bool = False
    ignores_empty_ids: bool = False

    def interpret(self, parser: EventStreamParser, text: str) -> list[ServerSentEvent]:
        """Interpret whole lines."""
        block = _Block(self, parser._cursor)
        events: list[ServerSentEvent] = []
        for line in self.lines(text):
            if line:
                block.take(*self.field(line), parser)
            else:
                parser._cursor = block.cursor
                events += block.dispatch()
        return events


@define
class _Block:
    dialect: Dialect
    cursor: str
    kind: str = ""
    data: list[str] = field(factory=list[str])
    has_id: bool = False

    def take(self, name: str, value: str, parser: EventStreamParser) -> None:
        """Take one field."""
        if self.dialect.throws_away(name):
            self.data.clear()
        elif name == "data":
            self.data.append(value)
        elif name == "event" and not (self.dialect.first_event_counts and self.kind):
            self.kind = value
        elif name == "id" and self._takes_id(value):
            self.cursor, self.has_id = value.replace("\0", ""), True
        elif name == "retry" and value.isascii() and value.isdigit():
            parser._retry = int(value)

    def _takes_id(self, value: str) -> bool:
        if not value and self.dialect.ignores_empty_ids:
            return False
        return "\0" not in value or self.dialect.takes_nul_ids

    def dispatch(self) -> Iterator[ServerSentEvent]:
        """End the block."""
        if self.dialect.is_event(self.data, self.kind):
            text = self.dialect.join(self.data)
            yield ServerSentEvent(self.kind or "message", text, self.cursor, has_id=self.has_id)
        self.data, self.has_id = [], False
        self.kind = self.kind if self.dialect.event_carries_over else ""


def speak(dialect: Dialect) -> None:
    """Let every parser speak a dialect, whatever shortcuts it knows for frames of a usual form."""

    def interpret(parser: EventStreamParser, text: str) -> list[ServerSentEvent]:
        return dialect.interpret(parser, text)

    replace(EventStreamParser, "_interpret", interpret)


def before_parsing(change: Callable[[bytes], bytes]) -> None:
    """Change the bytes of each chunk before they are parsed."""
    original = EventStreamParser.feed

    def feed(parser: EventStreamParser, data: bytes) -> list[ServerSentEvent]:
        return original(parser, change(bytes(data)))

    replace(EventStreamParser, "feed", feed)


def after_parsing(
    change: Callable[[EventStreamParser, bytes, list[ServerSentEvent]], list[ServerSentEvent]],
) -> None:
    """Change the events that each chunk has completed."""
    original = EventStreamParser.feed

    def feed(parser: EventStreamParser, data: bytes) -> list[ServerSentEvent]:
        return change(parser, bytes(data), original(parser, data))

    replace(EventStreamParser, "feed", feed)


def with_lines(change: Callable[[bytes], bytes]) -> None:
    """Change how the ends of lines become LF."""

    def with_lf_only(_: EventStreamParser, data: bytes) -> bytes:
        return change(data)

    replace(EventStreamParser, "_with_lf_only", with_lf_only)
