"""The blocks of a stream, each with its fields, its JSON and its arrival time."""

import json
import re
from collections.abc import Mapping
from typing import Final

from attrs import frozen

from conformance.plain import shortened
from conformance.strict_data import Json
from mock_server.sse import Frame

_LINE_END: Final = re.compile(rb"\r\n|\r|\n")
_FIELDS: Final = frozenset({b"id", b"event", b"data", b"retry"})
TERMINAL: Final = ("training.completed", "training.failed")
STARTED: Final = "training.started"
KNOWN: Final = (STARTED, "training.log", "checkpoint.saved", *TERMINAL)
_SIGNALS: Final = ("ping", "end")
_SHOWN: Final = 40


@frozen
class Block:
    """One block of a stream; `at` is its arrival time on the monotonic clock, in seconds."""

    at: float
    raw: bytes
    id: str | None = None
    event: str | None = None
    data: str | None = None
    retry: str | None = None
    stray: tuple[str, ...] = ()
    """The names of fields that the event stream format does not define."""
    type: str | None = None
    """The `type` of the JSON object in `data`."""
    value: Json = None
    """The JSON object in `data`."""
    problem: str = ""
    """What is wrong with `data`, which must be a JSON object; empty if nothing is."""
    is_whole: bool = True
    """False if the stream ended before the block's final blank line; clients drop such a block."""

    @property
    def is_comment(self) -> bool:
        """True if the block is whole and has neither data nor an id, like a keep-alive comment."""
        return self.data is None and self.id is None and self.is_whole

    @property
    def is_durable(self) -> bool:
        """True if the block is an event of the job's log: it has data and a known type or an id."""
        if self.data is None or self.event in _SIGNALS or not self.is_whole:
            return False
        return self.type in KNOWN or self.id is not None

    @property
    def is_terminal(self) -> bool:
        """True if clients stop following the job after this block."""
        if not self.is_whole:
            return False
        return self.data is not None and (self.event == "end" or self.type in TERMINAL)


def block_of(frame: Frame, at: float, *, is_whole: bool = True) -> Block:
    """Parse a frame into a block, following the WHATWG algorithm for event streams."""
    named: dict[bytes, bytes] = {}
    data: list[bytes] = []
    stray: list[str] = []
    for line in _LINE_END.split(frame.raw.removeprefix(b"\xef\xbb\xbf")):
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            data.append(value)
        elif name in _FIELDS:
            named[name] = value
        elif name:
            stray.append(shortened(name.decode("utf-8", "backslashreplace"), _SHOWN))
    text = _text(b"\n".join(data)) if data else None
    cursor = _text(named.get(b"id"))
    if cursor is not None and "\0" in cursor:  # an id with a NUL is ignored (WHATWG 9.2.6)
        cursor = None
    event = _text(named.get(b"event"))
    value, problem = (None, "") if text is None or event in _SIGNALS else _read(text)
    kind = value.get("type") if isinstance(value, Mapping) else None
    return Block(
        at,
        frame.raw,
        cursor,
        event,
        text,
        _text(named.get(b"retry")),
        tuple(stray),
        kind if isinstance(kind, str) else None,
        value,
        problem,
        is_whole,
    )


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "replace")


def _refused(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _read(text: str) -> tuple[Json, str]:
    """Parse a string as a JSON object; return it, or None, and the problem, or ""."""
    try:
        value: Json = json.loads(text, parse_constant=_refused)
    except RecursionError:
        return None, "is nested too deeply"
    except ValueError as error:
        return None, f"is not JSON: {error}"
    if not isinstance(value, Mapping):
        return None, "is JSON, but not an object"
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        return None, "is nested too deeply"
    except UnicodeEncodeError:
        return value, "contains a lone surrogate, which is not a character (RFC 8259 §8.2)"
    return value, ""
