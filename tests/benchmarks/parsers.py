"""Parsers of event streams side by side: ours, and each peer that is installed.

A peer is shown in its best light: the parser beneath its HTTP client, where there is one. Reading a
stream means reading the type, the data and the id of every event, as a client must; a parser that
puts this work off gains nothing by it.
"""

import codecs
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from typing import Final, Protocol, TypeAlias

from attrs import frozen

from arkor_proto import EventStreamParser

Row: TypeAlias = tuple[str, str, str]
"""Type, data and id of one event."""

LARGE: Final = 2**28


class _Named(Protocol):
    """An event as most peers name its parts."""

    @property
    def event(self) -> str | None: ...
    @property
    def data(self) -> str: ...
    @property
    def id(self) -> str | None: ...


@frozen
class Parser:
    """One parser, by the name of its distribution."""

    name: str
    version: str
    read: Callable[[Iterable[bytes]], None]
    """Reads a stream; what is measured."""
    rows: Callable[[Iterable[bytes], str], list[Row]]
    """Reads a stream with a cursor to start from, if the parser takes one; what is compared."""


def ours() -> Parser:
    """Return the parser of this project."""
    return Parser("arkor-proto", version("arkor-proto"), _read_ours, _rows_of_ours)


def _read_ours(chunks: Iterable[bytes]) -> None:
    parser = EventStreamParser(max_event_size=LARGE)
    for chunk in chunks:
        for event in parser.feed(chunk):
            _type, _data, _id = event.type, event.data, event.last_event_id


def _rows_of_ours(chunks: Iterable[bytes], cursor: str) -> list[Row]:
    parser = EventStreamParser(cursor)
    return [(e.type, e.data, e.last_event_id) for chunk in chunks for e in parser.feed(chunk)]


def _read_named(events: Iterable[_Named]) -> None:
    for event in events:
        _type, _data, _id = event.event, event.data, event.id


def _rows_of_named(events: Iterable[_Named]) -> list[Row]:
    return [(event.event or "message", event.data, event.id or "") for event in events]


def _named(name: str, events: Callable[[Iterable[bytes]], Iterable[_Named]]) -> Parser:
    return Parser(
        name,
        version(name),
        lambda chunks: _read_named(events(chunks)),
        lambda chunks, _cursor: _rows_of_named(events(chunks)),
    )


def _httpx_sse() -> Parser:
    module = import_module("httpx_sse._decoders")

    def events(chunks: Iterable[bytes]) -> Iterator[_Named]:
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

    return _named("httpx-sse", events)


def _openai() -> Parser:
    module = import_module("openai._streaming")

    def events(chunks: Iterable[bytes]) -> Iterable[_Named]:
        found: Iterable[_Named] = module.SSEDecoder().iter_bytes(iter(chunks))
        return found

    return _named("openai", events)


def _sseclient_py() -> Parser:
    module = import_module("sseclient")

    def events(chunks: Iterable[bytes]) -> Iterable[_Named]:
        found: Iterable[_Named] = module.SSEClient(chunks).events()
        return found

    return _named("sseclient-py", events)


def _launchdarkly() -> Parser:
    reader = import_module("ld_eventsource.reader")
    event_type = import_module("ld_eventsource.actions").Event

    def read(chunks: Iterable[bytes]) -> None:
        lines = reader._BufferedLineReader.lines_from(chunks)  # noqa: SLF001 - httpx-sse has no public parser
        for event in reader._SSEReader(lines).events_and_comments():  # noqa: SLF001 - httpx-sse has no public parser
            if isinstance(event, event_type):
                _type, _data, _id = event.event, event.data, event.last_event_id

    def rows(chunks: Iterable[bytes], cursor: str) -> list[Row]:
        lines = reader._BufferedLineReader.lines_from(chunks)  # noqa: SLF001 - httpx-sse has no public parser
        return [
            (event.event, event.data, event.last_event_id or "")
            for event in reader._SSEReader(lines, cursor).events_and_comments()  # noqa: SLF001 - httpx-sse has no public parser
            if isinstance(event, event_type)
        ]

    name = "launchdarkly-eventsource"
    return Parser(name, version(name), read, rows)


_PEERS: Final = (_httpx_sse, _launchdarkly, _openai, _sseclient_py)


def installed_peers() -> Iterator[Parser]:
    """Return the peers that can be imported here."""
    for make in _PEERS:
        try:
            yield make()
        except (ImportError, PackageNotFoundError):
            continue
