"""Connect an event-stream parser to `arkor-conformance parser`, by default this project's own.

`serve` speaks `arkor-parse/1` on standard input and output. A parser is a function that takes the
chunks of a stream and returns its events. If it raises an exception, `serve` reports the error.
"""

import json
import sys
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import arkor_proto
from arkor_proto import EventStreamParser
from conformance.strict_data import Json, Table, parse_json

Parser = Callable[[Iterable[bytes], str, int], Mapping[str, object]]
"""Takes the chunks, the initial cursor and the event size limit in bytes; returns the answer to `parse`."""
_BOUND: Final = 8 * 2**20


def serve(hello: Mapping[str, Json], parse: Parser) -> None:
    """Answer commands until standard input is closed."""
    for line in sys.stdin.buffer:
        command = Table.of("command", parse_json(line))
        if command.text("do") == "hello":
            answer: Mapping[str, object] = hello
        else:
            chunks = map(b64decode, command.texts("chunks"))
            bound = command.count("max_event_size") if command.has("max_event_size") else _BOUND
            answer = _answer(parse, chunks, command.text("last_event_id", ""), bound)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _answer(
    parse: Parser, chunks: Iterable[bytes], cursor: str, bound: int
) -> Mapping[str, object]:
    try:
        return parse(chunks, cursor, bound)
    except Exception as error:  # noqa: BLE001 - it is the parser's answer
        return {"events": [], "last_event_id": cursor, "error": f"{type(error).__name__}: {error}"}


def own(chunks: Iterable[bytes], cursor: str, bound: int) -> Mapping[str, object]:
    """Parse a stream with this project's own parser; return the answer to `parse`."""
    parser = EventStreamParser(cursor, bound)
    events: list[Mapping[str, object]] = []
    error = ""
    for number, chunk in enumerate(chunks):
        try:
            found = parser.feed(chunk)
        except arkor_proto.EventTooLarge as too_large:
            found, error = list(too_large.events), str(too_large)
        for event in found:
            told = {"type": event.type, "data": event.data, "last_event_id": event.last_event_id}
            events.append({**told, "chunk": number})
        if error:
            break
    rest = {"last_event_id": parser.last_event_id, "retry": parser.retry, "error": error}
    return {"events": events, **rest}


if __name__ == "__main__":
    serve(
        {
            "impl": "arkor-proto (EventStreamParser)",
            "version": arkor_proto.__version__,
            "reports": ["last_event_id", "resume", "retry", "chunk", "max_event_size"],
        },
        own,
    )
