"""The event-stream parsers that are compared: ours, and each peer that is installed.

If a peer has a parser below its HTTP client, only the parser is measured. Reading a stream includes
reading the type, the data and the id of every event, so that a parser gains nothing by postponing
this work. `bound_parsers.py` has the parsers that cannot be used without their client.
"""

import codecs
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from importlib.metadata import version
from typing import Final, Protocol, TypeAlias

from attrs import frozen

from arkor_proto import EventStreamParser

Row: TypeAlias = tuple[str, str, str]
"""Type, data and id of one event."""

LARGE: Final = 2**28
FLOOR: Final = "floor"


class NamedParts(Protocol):
    """An event with the attribute names that most peers use."""

    event: str | None
    data: str
    id: str | None


@frozen
class Parser:
    """One parser, by the name of its distribution."""

    name: str
    version: str
    read: Callable[[Iterable[bytes]], None]
    """Reads a stream; its time is measured."""
    rows: Callable[[Iterable[bytes], str], list[Row]]
    """Reads a stream, from a cursor if the parser takes one; its result is compared."""
    resumes: bool = False
    """Whether the parser takes a cursor."""


def ours() -> Parser:
    """Return the parser of this project."""
    return Parser("arkor-proto", version("arkor-proto"), _read_ours, _rows_of_ours, resumes=True)


def _read_ours(chunks: Iterable[bytes]) -> None:
    parser = EventStreamParser(max_event_size=LARGE)
    for chunk in chunks:
        for event in parser.feed(chunk):
            _type, _data, _id = event.type, event.data, event.last_event_id


def _rows_of_ours(chunks: Iterable[bytes], cursor: str) -> list[Row]:
    parser = EventStreamParser(cursor, max_event_size=LARGE)
    return [(e.type, e.data, e.last_event_id) for chunk in chunks for e in parser.feed(chunk)]


class _Bare:
    __slots__ = ("data", "has_id", "last_event_id", "type")

    type: str
    data: str
    last_event_id: str
    has_id: bool


def floor(lines_per_event: int) -> Parser:
    """Return the least that a parser in Python must do: decode, split, make events, read them."""

    def read(chunks: Iterable[bytes]) -> None:
        for chunk in chunks:
            lines = chunk.decode(errors="replace").split("\n")
            columns = (lines[start::lines_per_event] for start in (0, 1, lines_per_event - 2))
            for first, second, last in zip(*columns, strict=False):
                event = _Bare()
                event.type = second
                event.data = last
                event.last_event_id = first
                event.has_id = True
                _type, _data, _id = event.type, event.data, event.last_event_id

    def rows(_chunks: Iterable[bytes], _cursor: str) -> list[Row]:
        return []

    return Parser(f"{FLOOR} {lines_per_event}", "", read, rows)


def _read_named(events: Iterable[NamedParts]) -> None:
    for event in events:
        _type, _data, _id = event.event, event.data, event.id


def _rows_of_named(events: Iterable[NamedParts]) -> list[Row]:
    return [(event.event or "message", event.data, event.id or "") for event in events]


def named(name: str, events: Callable[[Iterable[bytes]], Iterable[NamedParts]]) -> Parser:
    """Return a parser whose events name their parts `event`, `data` and `id`."""
    return Parser(
        name,
        version(name),
        lambda chunks: _read_named(events(chunks)),
        lambda chunks, _cursor: _rows_of_named(events(chunks)),
    )


def httpx_sse() -> Parser:
    """Return the parser of httpx-sse: its decoders of lines and of events."""
    module = import_module("httpx_sse._decoders")

    def events(chunks: Iterable[bytes]) -> Iterator[NamedParts]:
        text = codecs.getincrementaldecoder("utf-8")("replace")
        lines, decoder = module.SSELineDecoder(), module.SSEDecoder()
        for chunk in chunks:
            for line in lines.decode(text.decode(chunk)):
                event = decoder.decode(line)
                if event is not None:
                    yield event
        for line in lines.flush():
            event = decoder.decode(line)
            if event is not None:
                yield event

    return named("httpx-sse", events)


def httpx2() -> Parser:
    """Return the parser of httpx2, which has event streams built in."""
    module = import_module("httpx2._sse")

    def events(chunks: Iterable[bytes]) -> Iterator[NamedParts]:
        text = codecs.getincrementaldecoder("utf-8")("replace")
        parser = module._SSEParser()  # noqa: SLF001 - it has no public parser
        for chunk in chunks:
            yield from parser.decode(text.decode(chunk))
        yield from parser.flush()

    return named("httpx2", events)


def decoder(name: str, module: str) -> Callable[[], Parser]:
    """Return a function that makes the parser of a language model's client."""

    def make() -> Parser:
        kind = import_module(module).SSEDecoder

        def events(chunks: Iterable[bytes]) -> Iterable[NamedParts]:
            found: Iterable[NamedParts] = kind().iter_bytes(iter(chunks))
            return found

        return named(name, events)

    return make


def sseclient_py() -> Parser:
    """Return the parser of sseclient-py, which reads any iterable of chunks."""
    module = import_module("sseclient")

    def events(chunks: Iterable[bytes]) -> Iterable[NamedParts]:
        found: Iterable[NamedParts] = module.SSEClient(chunks).events()
        return found

    return named("sseclient-py", events)


def launchdarkly() -> Parser:
    """Return the parser of launchdarkly-eventsource: its readers of lines and of events."""
    reader = import_module("ld_eventsource.reader")
    event_type = import_module("ld_eventsource.actions").Event

    def read(chunks: Iterable[bytes]) -> None:
        lines = reader._BufferedLineReader.lines_from(chunks)  # noqa: SLF001 - it has no public parser
        for event in reader._SSEReader(lines).events_and_comments():  # noqa: SLF001 - it has no public parser
            if isinstance(event, event_type):
                _type, _data, _id = event.event, event.data, event.last_event_id

    def rows(chunks: Iterable[bytes], cursor: str) -> list[Row]:
        lines = reader._BufferedLineReader.lines_from(chunks)  # noqa: SLF001 - it has no public parser
        return [
            (event.event, event.data, event.last_event_id or "")
            for event in reader._SSEReader(lines, cursor).events_and_comments()  # noqa: SLF001 - it has no public parser
            if isinstance(event, event_type)
        ]

    name = "launchdarkly-eventsource"
    return Parser(name, version(name), read, rows, resumes=True)
