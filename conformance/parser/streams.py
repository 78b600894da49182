"""Test streams for parsers, read from `spec/vectors/sse.json`."""

from collections.abc import Mapping, Sequence
from typing import Final

from attrs import frozen

from arkor_proto import EventStreamParser
from conformance.casefile.requirements import specification_directory
from conformance.strict_data import Json, Table, parse_json

FILE: Final = "sse.json"
RETRY_LIMIT: Final = 2**53 - 1
"""In milliseconds; every longer reconnection time is treated as equal to this one."""
_UNBOUNDED: Final = 1 << 40


@frozen(kw_only=True)
class ParsedEvent:
    """An event, and the value of the cursor after it.

    `chunk` is the number of the chunk that made the parser dispatch the event, or None if the
    parser does not report it.
    """

    type: str
    data: str
    last_event_id: str | None = None
    chunk: int | None = None

    def __str__(self) -> str:
        id_ = f" (last event id {self.last_event_id!r})" if self.last_event_id else ""
        return f"{self.type} {self.data!r}{id_}"


@frozen(kw_only=True)
class Parsed:
    """The result of parsing a stream; a value that is not set or not reported is None."""

    events: tuple[ParsedEvent, ...]
    last_event_id: str | None = None
    retry: int | None = None
    error: str = ""


@frozen(kw_only=True)
class Stream:
    """A test stream and its expected result, however the stream is cut into chunks."""

    id: str
    source: str
    requires: tuple[str, ...]
    chunks: tuple[bytes, ...]
    expected: Parsed
    last_event_id: str | None = None
    """The cursor after which the stream resumes; None if it starts without a cursor."""
    max_event_size: int | None = None

    @property
    def data(self) -> bytes:
        """The whole stream."""
        return b"".join(self.chunks)

    def dispatched(self, chunks: Sequence[bytes]) -> tuple[int, ...]:
        """Return the number of the chunk that completes each event's block, counting from 0."""
        bound = self.max_event_size or _UNBOUNDED
        parser = EventStreamParser(self.last_event_id or "", bound)
        return tuple(number for number, chunk in enumerate(chunks) for _ in parser.feed(chunk))


def load_streams() -> tuple[Stream, ...]:
    """Read the vectors; raise ReadingError if the file is invalid."""
    text = (specification_directory() / "vectors" / FILE).read_bytes()
    document = Table.of(FILE, parse_json(text))
    return tuple(map(_stream, document.tables("vectors")))


def _stream(table: Table) -> Stream:
    expect = table.table("expect")
    retry = expect.raw("retry")
    return Stream(
        id=table.text("id"),
        source=table.text("source"),
        requires=table.texts("requires"),
        chunks=tuple(map(_bytes, table.items("chunks"))),
        expected=Parsed(
            events=tuple(map(_event, expect.items("events"))),
            last_event_id=expect.text("last_event_id"),
            retry=retry if isinstance(retry, int) else None,
            error=expect.text("error", ""),
        ),
        last_event_id=table.text("last_event_id") if table.has("last_event_id") else None,
        max_event_size=table.count("max_event_size") if table.has("max_event_size") else None,
    )


def _event(row: Json) -> ParsedEvent:
    kind, data, cursor = Table("event", {"row": row}).texts("row")
    return ParsedEvent(type=kind, data=data, last_event_id=cursor)


def _bytes(chunk: Json) -> bytes:
    match chunk:
        case str():
            return chunk.encode()
        case Mapping() if "hex" in chunk:
            return bytes.fromhex(Table("chunk", chunk).text("hex"))
        case Mapping():
            repeated = Table("chunk", chunk)
            return repeated.text("repeat").encode() * repeated.count("times")
        case Sequence():
            return b"".join(map(_bytes, chunk))
        case _:
            raise ValueError(
                "a chunk must be a string, an object with 'hex' or 'repeat', or a list of chunks, "
                f"not {chunk!r}"
            )
