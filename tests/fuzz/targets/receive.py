"""The receive path of the session: what arrives on its connections, against a plain reader.

An input is read as for the chunks, and its choice is the profile and the bound on events. The session
follows a job over as many connections as the plan makes, and the plain reader reads each of these with
the slow parser and the standard library's JSON: the same events are handed over, each request has the
same cursor, and the wait ends in the same way. After the last connection the session opens another.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NoReturn

from attrs import define, field

from arkor_proto import (
    HARDENED,
    PROFILE_2026_05,
    Bounds,
    EventTooLarge,
    Finished,
    Operation,
    Rejected,
    Resolved,
    UnsendableCursor,
    encode_event_data,
)
from mock_server.strict.shapes import is_array, is_table
from tests.arkor_proto.session_driver import Trainer, following
from tests.arkor_proto.sse_oracle import read
from tests.arkor_proto.wire_samples import COMPLETED, FAILED, STARTED, frame, log, route
from tests.fuzz.targets import reading
from tests.fuzz.targets.plan import RESET, Chunk, arrival_of, planned, vectors

LONGEST: Final = 3072
TOKENS: Final = (
    *reading.TOKENS,
    *(b"|", b"event: ping\n", b"event: end\n", b'{"type":"training.log","step":1}', b'{"type":"'),
    *(b"training.started", b"training.completed", b"training.failed", b"checkpoint.saved"),
    *(b'"jobId":"', b'"timestamp":"', b'"loss":', b'"artifacts":[', b'"metadata":{', b'"error":'),
    *(b"null", b"NaN", b"1e999", b"-Infinity", b"\\ud800", b"0.0", b"[[[[", b"true", b'"step":'),
)
_TYPES: Final = {
    *("training.started", "training.log", "checkpoint.saved"),
    *("training.completed", "training.failed"),
}
_TERMINAL: Final = {"training.completed", "training.failed"}
_BOUNDS: Final = (reading.DEFAULT_BOUND, 8, 64, 200)
_DEEPEST: Final = 150
_BEYOND: Final = 2**1024 - 2**970
_LONGEST_CURSOR: Final = 1024
_DIGITS: Final = 400
"""A longer number is beyond every double."""


@define
class Plainly:
    """What a client hears, read in the plainest way."""

    cursor: str = ""
    events: list[object] = field(factory=list[object])
    cursors: list[bytes | None] = field(factory=list[bytes | None])
    """The cursor of each request."""
    end: str = ""
    """How the wait ended, if it has: resolved, too large or unsendable."""

    def connect(self, stream: bytes, bound: int) -> None:
        """Read what one connection brings."""
        self.cursors.append(self.cursor.encode() if self.cursor else None)
        found = read(stream, last_event_id=self.cursor, max_event_size=bound)
        for each in found.events:
            self.cursor = each.last_event_id
            if each.type == "ping":
                continue
            event = None if each.type == "end" else _event(each.data)
            if event is not None:
                self.events.append(event)
            if each.type == "end" or (event is not None and event["type"] in _TERMINAL):
                self.end = "resolved"
                return
        self.cursor = found.last_event_id
        if found.too_large:
            self.end = "too large"
        elif not _is_sendable(self.cursor):
            self.end = "unsendable"


def _is_sendable(cursor: str) -> bool:
    """Return whether a header can have this value (RFC 9110, 5.5)."""
    raw = cursor.encode()
    text = all(byte == ord("\t") or (byte >= ord(" ") and byte != 0x7F) for byte in raw)
    return text and raw == raw.strip(b" \t") and len(raw) <= _LONGEST_CURSOR


def _event(text: str) -> Mapping[str, object] | None:
    """Return the event that a frame carries, normalised; None if it carries none."""
    try:
        found: object = json.loads(text, parse_constant=_refuse, parse_int=_whole_number)
    except (ValueError, RecursionError):
        return None
    if not is_table(found) or _depth(found) > _DEEPEST or str(found.get("type")) not in _TYPES:
        return None
    return _normal(found)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _whole_number(digits: str) -> int | None:
    if len(digits) > _DIGITS:
        return None
    found = int(digits)
    return found if -_BEYOND < found < _BEYOND else None


def _depth(value: object) -> int:
    if is_table(value):
        return 1 + max(map(_depth, value.values()), default=0)
    if is_array(value):
        return 1 + max(map(_depth, value), default=0)
    return 0


def _normal(event: Mapping[str, object]) -> Mapping[str, object]:
    """Return an event without what says as much as its absence."""
    plain = {name: _finite(value) for name, value in event.items()}
    return {name: value for name, value in plain.items() if value is not None and value != []}


def _finite(value: object) -> object:
    if isinstance(value, float):
        return value if abs(value) < math.inf else None
    if is_table(value):
        return {name: _finite(item) for name, item in value.items()}
    return [_finite(item) for item in value] if is_array(value) else value


def target(data: bytes) -> None:
    """Follow a job through what arrives; raise where the session hears something else."""
    arrival = arrival_of(data)
    hardened, chosen = divmod(arrival.choice % 8, len(_BOUNDS))
    bound = _BOUNDS[chosen]
    plainly = Plainly()
    trainer = following(HARDENED if hardened else PROFILE_2026_05, bounds=Bounds(event=bound))
    for chunks in arrival.connections:
        plainly.connect(b"".join(map(bytes, chunks)), bound)
        _connect(trainer, chunks)
        if not trainer.is_waiting:
            break
        trainer.due()
    _compare(trainer, plainly)


def _connect(trainer: Trainer, chunks: Sequence[Chunk]) -> None:
    """Let the chunks arrive, as far as the session reads them, and end the stream."""
    trainer.open()
    exchange = trainer.exchange("stream")
    for chunk in chunks:
        if exchange in trainer.open_exchanges:
            trainer.receive(exchange, bytes(chunk))
    if exchange in trainer.open_exchanges:
        trainer.take(Finished(exchange))
    trainer.say_job()


def _compare(trainer: Trainer, plainly: Plainly) -> None:
    heard = [_normal(encode_event_data(event)) for event in trainer.events]
    assert heard == plainly.events, f"heard {heard}, and not {plainly.events}"
    cursors = trainer.last_event_ids[: len(plainly.cursors)]
    assert cursors == plainly.cursors, f"asked with {cursors}, and not {plainly.cursors}"
    outcomes = trainer.outcomes(Operation.FOLLOW)
    ends = {"": None, "too large": EventTooLarge, "unsendable": UnsendableCursor}
    match outcomes:
        case []:
            assert not plainly.end, f"the wait goes on, though it is over: {plainly.end}"
            stream = trainer.exchange("stream")
            last = dict(trainer.sent[stream].headers).get(b"Last-Event-ID", b"")
            assert last.decode() == plainly.cursor, f"would go on after {last!r}"
        case [Resolved(result)]:
            assert plainly.end == "resolved", f"the wait is over: {result}"
            assert result.last_event_id == plainly.cursor, f"the wait ended at {result}"
        case [Rejected(error)]:
            assert type(error) is ends.get(plainly.end), f"the wait failed: {error!r}"
        case _:
            raise AssertionError(f"settled more than once: {outcomes}")
    calls = {route(trainer.sent[number]) for number in trainer.open_exchanges}
    assert calls <= {"stream"}, f"left open: {calls}"


def seeds() -> Iterator[bytes]:
    """Yield the life of a job, and the streams of the vectors."""
    life = [frame(STARTED, id="1"), *(frame(log(n), id=str(n)) for n in (2, 3))]
    ends: tuple[Mapping[str, object], ...] = (
        COMPLETED,
        FAILED,
        {"type": "checkpoint.saved", "step": 3, "artifacts": [{"a": 1}]},
    )
    for number, end in enumerate(ends):
        stream = b"".join([*life, b": ping\n\n", frame(end, id="9")])
        yield planned(number, b"\x40\x07", stream)
        yield planned(number + 4, bytes([60, RESET, 90, RESET]), stream)
    yield planned(0, b"\x20", life[0] + frame(None, id="5") + frame("{}", event="end"))
    yield planned(4, b"\x20", life[0] + frame("NaN", event="training.completed"))
    yield planned(0, b"\x20", frame({"type": "training.log", "loss": 1e300, "step": "x", "y": [1]}))
    for number, chunks in enumerate(vectors(LONGEST // 2)):
        yield planned(number % 8, b"\x05\xff\x20", b"".join(chunks))
