"""Parse the frames that the backend sent, as a client must interpret them."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum
from typing import Final

from attrs import evolve, frozen

from arkor_proto import EventStreamParser
from conformance.strict_data import Json, parse_json
from conformance.trace.events import Event, Framed

CALLBACK_OF: Final[Mapping[str, str]] = {
    "training.started": "started",
    "training.log": "log",
    "checkpoint.saved": "checkpoint",
    "training.completed": "completed",
    "training.failed": "failed",
}


class Kind(Enum):
    """How a client must interpret a frame, judging by its `event` name and its data."""

    PING = "a ping"
    END = "an end frame"
    MALFORMED = "a frame whose data is not JSON"
    NO_OBJECT = "a frame whose data is JSON, but not an object"
    UNKNOWN = "a frame of an unknown type"
    EVENT = "a training event"


@frozen
class Frame:
    """A complete frame from the backend; `type` is the known event type in its data, or empty."""

    kind: Kind
    type: str = ""
    ends_in_cr: bool = False
    """Whether the last byte of the frame's block is a CR."""


def frames_of(events: Sequence[Event]) -> Iterator[Frame]:
    """Yield the frames of all streams, stream by stream."""
    pieces: dict[tuple[str, int], list[bytes]] = {}
    for event in events:
        if isinstance(event.fact, Framed):
            key = event.fact.route, event.fact.attempt
            pieces.setdefault(key, []).append(event.fact.data)
    for own in pieces.values():
        yield from frames_in(own)


def frames_in(pieces: Iterable[bytes]) -> Iterator[Frame]:
    """Yield the frames of one stream."""
    parser = EventStreamParser(max_event_size=sys.maxsize)  # frames of any size
    for piece in pieces:
        for event in parser.feed(piece):
            yield evolve(_frame(event.type, event.data), ends_in_cr=piece.endswith(b"\r"))


def _frame(name: str, data: str) -> Frame:
    if name == "end":
        return Frame(Kind.END)
    try:
        value: Json = parse_json(data)
    except ValueError:
        return Frame(Kind.PING if name == "ping" else Kind.MALFORMED)
    kind = value.get("type") if isinstance(value, Mapping) else None
    known = kind if isinstance(kind, str) and kind in CALLBACK_OF else ""
    if name == "ping":
        return Frame(Kind.PING, known)
    if not isinstance(value, Mapping):
        return Frame(Kind.NO_OBJECT)
    return Frame(Kind.EVENT, known) if known else Frame(Kind.UNKNOWN)
