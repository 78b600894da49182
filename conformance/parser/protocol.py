"""The messages of `arkor-parse/1`: one JSON object per line, on standard input and output.

There are two commands. `hello` asks for the parser's name and for what it reports. `parse` contains
a whole stream in chunks, each encoded in base64, and asks for the events of the stream. The parser
answers each command with one line.
"""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Final

from attrs import frozen

from conformance.parser.streams import RETRY_LIMIT, Parsed, ParsedEvent, Stream
from conformance.plain import shortened
from conformance.strict_data import Json, ReadingError, Table, parse_json

PROTOCOL: Final = "arkor-parse/1"
REPORTS: Final = ("last_event_id", "resume", "retry", "chunk", "max_event_size")
"""What a parser may report or support besides types and data; its answer to `hello` says which."""
_SHOWN: Final = 160


class NotAnAnswer(Exception):
    """A line from the parser is not a valid answer; the exception's message says why."""


@frozen(kw_only=True)
class Introduction:
    """The answer to `hello`."""

    implementation: str
    version: str
    reports: frozenset[str]


def hello() -> bytes:
    """Return the first command, `hello`."""
    return _line({"do": "hello", "protocol": PROTOCOL})


def parse(stream: Stream, chunks: Sequence[bytes]) -> bytes:
    """Return the command to parse a stream that arrives in these chunks."""
    message: dict[str, Json] = {"do": "parse", "chunks": [b64encode(c).decode() for c in chunks]}
    if stream.last_event_id is not None:
        message["last_event_id"] = stream.last_event_id
    if stream.max_event_size is not None:
        message["max_event_size"] = stream.max_event_size
    return _line(message)


def introduction(line: bytes) -> Introduction:
    """Read the answer to `hello`; raise NotAnAnswer if it is invalid."""
    table = _table(line)
    try:
        reports = table.texts("reports") if table.has("reports") else ()
        found = Introduction(
            implementation=table.text("impl"),
            version=table.text("version"),
            reports=frozenset(reports),
        )
    except ReadingError as error:
        raise NotAnAnswer(f"answered `hello` wrongly: {error.problem}") from error
    if strange := sorted(found.reports - set(REPORTS)):
        names = ", ".join(REPORTS)
        raise NotAnAnswer(
            f"listed the unknown report {strange[0]!r} in its answer to `hello`; use only {names}"
        )
    return found


def parsed(line: bytes, reports: frozenset[str]) -> Parsed:
    """Read the answer to `parse`; raise NotAnAnswer if it is invalid or lacks one of `reports`."""
    table = _table(line)
    try:
        cursor = table.text("last_event_id") if "last_event_id" in reports else None
        return Parsed(
            events=tuple(_event(each, reports) for each in table.tables("events")),
            last_event_id=cursor,
            retry=_retry(table) if "retry" in reports else None,
            error=table.text("error", ""),
        )
    except ReadingError as error:
        raise NotAnAnswer(f"printed {_shown(line)}: {error}") from error


def _retry(table: Table) -> int | None:
    """Return the last `retry` value, but at most 2^53 - 1, or None if there is none."""
    if not table.has("retry") or table.raw("retry") is None:
        return None
    return int(min(table.number("retry"), RETRY_LIMIT))


def _event(table: Table, reports: frozenset[str]) -> ParsedEvent:
    return ParsedEvent(
        type=table.text("type"),
        data=table.text("data"),
        last_event_id=table.text("last_event_id") if "last_event_id" in reports else None,
        chunk=table.count("chunk") if "chunk" in reports else None,
    )


def _line(message: Mapping[str, Json]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


def _table(line: bytes) -> Table:
    try:
        value = parse_json(line)
    except ValueError as error:
        why = "which is not a line of JSON; write logs to standard error"
        raise NotAnAnswer(f"printed {_shown(line)}, {why}") from error
    if not isinstance(value, Mapping):
        raise NotAnAnswer(f"printed {_shown(line)}, which is not a JSON object")
    return Table("", value)


def _shown(line: bytes) -> str:
    return shortened(repr(line.decode("utf-8", "replace")), _SHOWN)
