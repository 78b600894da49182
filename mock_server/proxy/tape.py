"""Save a recording while it is made, one line of JSON at a time, in `NAME.toml.partial`.

When `record` ends, it writes the scenario and removes the partial file. If it is killed,
`arkor-mock recover` makes the scenario from the partial file. Like the scenario, the partial file
contains no secrets. In a body that is not an event stream, a secret may span two pieces, so the
pieces are written only when the body has ended.
"""

import json
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from attrs import define, evolve, field, frozen

from mock_server.durable import (
    AppendOnly,
    is_locked,
    kind_of_file,
    read_regular,
    reason_of,
    say,
    write_whole,
)
from mock_server.faults.response import Head
from mock_server.proxy.recorder import Listener
from mock_server.proxy.replay import (
    RecordedExchange,
    joined,
    kept_fields,
    kind_of_answer,
)
from mock_server.redaction import redacted_answer, redacted_frame, redacted_text
from mock_server.requests import Request
from mock_server.scenario.vocabulary import Route
from mock_server.scenario.words.end import Ending
from mock_server.sse import Frame
from mock_server.strict.shapes import ScenarioError, is_array, is_table

_VERSION: Final = 1
_SUFFIX: Final = ".partial"
_MOST: Final = 1 << 34


class TapeError(Exception):
    """A recording cannot be started, saved or recovered; the message names the file."""


def partial_of(out: Path) -> Path:
    """Return the path of the partial file for a recording."""
    return out.with_name(out.name + _SUFFIX)


@define(eq=False)
class Tape(Listener):
    """The partial file of one recording."""

    out: Path
    _file: AppendOnly
    _numbers: dict[int, int] = field(factory=dict[int, int], init=False)
    _asked: int = field(default=0, init=False)

    @classmethod
    def begin(cls, out: Path) -> "Tape":
        """Create the partial file next to its target; raises TapeError."""
        partial = partial_of(out)
        try:
            odd = kind_of_file(out)
            if odd is not None:
                raise TapeError(f"{out}: {odd}; name a new or a regular file")
            file = AppendOnly.create(partial)
        except FileExistsError:
            raise TapeError(_unfinished(out, partial)) from None
        except OSError as error:
            raise TapeError(f"{out}: {reason_of(error)}") from None
        tape = cls(out, file)
        tape._add({"arkor_recording": _VERSION})
        return tape

    def asked(self, exchange: RecordedExchange) -> None:
        """Write the request, which begins an exchange."""
        self._asked += 1
        self._numbers[id(exchange)] = self._asked
        request = exchange.request
        cursor = request.header("last-event-id")
        asked = {
            "method": request.method,
            "route": request.route.value,
            "job": request.job and redacted_text(request.job),
            "attempt": exchange.attempt,
            "last_event_id": cursor and redacted_text(cursor),
        }
        self._note(exchange, {"asked": asked})

    def early(self, exchange: RecordedExchange, status: int) -> None:
        """Write the status of an informational head."""
        self._note(exchange, {"early": status})

    def head(self, exchange: RecordedExchange) -> None:
        """Write the head of the answer, and its body if it was passed on whole."""
        head = exchange.head
        if head is None:
            return
        pairs = [list(pair) for pair in kept_fields(head)]
        said: dict[str, object] = {"status": head.status, "reason": head.reason, "fields": pairs}
        length = [value for name, value in head.headers if name.lower() == "content-length"]
        entry: dict[str, object] = {"head": {**said, "length": length[:1]}, "late": exchange.late}
        if exchange.body is not None:
            entry["body"] = _bytes_out(redacted_answer(exchange.body, kind_of_answer(head)))
        self._note(exchange, entry)

    def frame(self, exchange: RecordedExchange, frame: Frame) -> None:
        """Write a frame of an event stream; pieces of other bodies are written at their end."""
        if exchange.is_event_stream:
            self._piece(exchange, evolve(frame, raw=redacted_frame(frame.raw)))

    def _piece(self, exchange: RecordedExchange, frame: Frame) -> None:
        self._note(exchange, {"frame": _bytes_out(frame.raw), "id": frame.id, "delay": frame.delay})

    def ended(self, exchange: RecordedExchange) -> None:
        """Write how the body ended, or that the client left before it."""
        if not exchange.is_event_stream:
            for piece in joined(exchange):
                self._piece(exchange, piece)
        end = None if exchange.end is None else exchange.end.value
        self._note(exchange, {"end": end, "silence": exchange.silence})

    def dropped(self, exchange: RecordedExchange) -> None:
        """Write that an exchange is not part of the recording."""
        self._note(exchange, {"dropped": True})
        del self._numbers[id(exchange)]

    def _note(self, exchange: RecordedExchange, entry: Mapping[str, object]) -> None:
        self._add({"n": self._numbers[id(exchange)], **entry})

    def _add(self, entry: Mapping[str, object]) -> None:
        self._file.add(json.dumps(entry).encode() + b"\n")

    def discard(self) -> None:
        """Remove the partial file of an empty recording."""
        self._file.close(remove=True)

    def finish(self, text: str) -> None:
        """Write the scenario and remove the partial file.

        Raises TapeError if it cannot be written; the message says where the recording is instead.
        """
        try:
            write_whole(self.out, text)
        except OSError as error:
            whole = self._file.is_whole
            self._file.close()
            raise TapeError(self._rescue(text, reason_of(error), whole=whole)) from None
        self._file.close(remove=True)

    def _rescue(self, text: str, why: str, *, whole: bool) -> str:
        if whole:
            return (
                f"{self.out}: {why}; the recording is in {self._file.path}; make room and run "
                f"`arkor-mock recover {self.out}`"
            )
        try:
            elsewhere = rescue_file(self.out, text)
        except OSError as error:
            return (
                f"{self.out}: {why}; in the directory for temporary files: {reason_of(error)}; "
                f"only {self._file.path} is left; run `arkor-mock recover {self.out}`"
            )
        self._file.path.unlink(missing_ok=True)
        return f"{self.out}: {why}; the recording is in {elsewhere} instead"


def rescue_file(out: Path, text: str) -> Path:
    """Write a recording to a temporary directory because its target is full; raises OSError."""
    directory = Path(tempfile.mkdtemp(prefix="arkor-recording-"))
    try:
        write_whole(directory / out.name, text)
    except OSError:
        directory.rmdir()
        raise
    return directory / out.name


def _unfinished(out: Path, partial: Path) -> str:
    try:
        if (odd := kind_of_file(partial)) is not None:
            return f"{partial}: {odd}, but the recording needs this path; remove it"
        busy = is_locked(partial)
    except OSError as error:
        return f"{partial}: {reason_of(error)}"
    if busy:
        return f"{out}: another `arkor-mock record` is writing it; name another file"
    return (
        f"{partial}: is left from a recording that was killed; run `arkor-mock recover {out}`, or "
        "remove it"
    )


@frozen
class FoundTape:
    """An unfinished recording: its target, its partial file, its exchanges."""

    out: Path
    partial: Path
    exchanges: list[RecordedExchange] = field(repr=False)

    def replace_by(self, text: str) -> None:
        """Write the scenario, then remove the partial file; raises TapeError and keeps it."""
        try:
            if (odd := kind_of_file(self.out)) is not None:
                raise TapeError(f"{self.out}: {odd}; remove it, and try again")
            write_whole(self.out, text)
            self.partial.unlink()
        except OSError as error:
            raise TapeError(f"{self.out}: {reason_of(error)}") from None


def read_tape(given: Path) -> FoundTape:
    """Read an unfinished recording, given the path of the partial file or of its target.

    Leaves out a last line that is cut off, and reports it on stderr. Raises TapeError.
    """
    partial = given if given.name.endswith(_SUFFIX) else partial_of(given)
    out = partial.with_name(partial.name.removesuffix(_SUFFIX))
    if out.suffix != ".toml":
        raise TapeError(f"{given}: is not a .toml file; name the file that was being recorded")
    try:
        odd = kind_of_file(partial)
        busy = odd is None and is_locked(partial)
        lines = [] if odd or busy else read_regular(partial, _MOST).split(b"\n")
    except FileNotFoundError:
        raise TapeError(f"{partial}: does not exist; there is nothing to recover") from None
    except OSError as error:
        raise TapeError(f"{partial}: {reason_of(error)}") from None
    if odd:
        raise TapeError(f"{partial}: {odd}; an unfinished recording is a regular file")
    if busy:
        raise TapeError(f"{partial}: is still being written; end that `record` first")
    return FoundTape(out, partial, list(_replayed(partial, lines)))


def _replayed(partial: Path, lines: list[bytes]) -> Iterator[RecordedExchange]:
    if not is_table(first := _entry(lines[0])) or first.get("arkor_recording") != _VERSION:
        raise TapeError(f"{partial}: is not an unfinished recording of this version")
    exchanges: dict[object, RecordedExchange] = {}
    for number, line in enumerate(lines[1:], 2):
        if not line and number == len(lines):
            break
        try:
            _take(exchanges, _entry(line))
        except (ScenarioError, ValueError, KeyError, TypeError):
            rest = "is cut off" if number == len(lines) else "is damaged; what follows it is lost"
            say(f"{partial}: line {number} {rest}")
            break
    yield from exchanges.values()


def _entry(line: bytes) -> object:
    try:
        found: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found


def _take(exchanges: dict[object, RecordedExchange], entry: object) -> None:
    """Apply one line to the exchanges so far; raises KeyError, TypeError or ValueError if damaged."""
    if not is_table(entry):
        raise TypeError("not an object")
    number = entry["n"]
    if is_table(asked := entry.get("asked")):
        exchanges[number] = _exchange(asked)
        return
    one = exchanges[number]
    if "dropped" in entry:
        del exchanges[number]
    elif "early" in entry:
        one.early.append(_integer(entry["early"]))
    elif is_table(head := entry.get("head")):
        one.head, one.late = _head(head), _seconds(entry["late"])
        one.body = _bytes_in(entry["body"]) if "body" in entry else None
    elif "frame" in entry:
        id_ = None if entry["id"] is None else _text(entry["id"])
        raw = _bytes_in(entry["frame"])
        one.frames.append(Frame(raw, id_, delay=_seconds(entry["delay"])))
    else:
        one.end = None if entry["end"] is None else Ending(_text(entry["end"]))
        one.silence = _seconds(entry["silence"])


def _exchange(asked: Mapping[str, object]) -> RecordedExchange:
    cursor, job = asked["last_event_id"], asked["job"]
    request = Request(
        method=_text(asked["method"]),
        target="",
        headers=() if cursor is None else (("last-event-id", _text(cursor)),),
        body=b"",
        route=Route(_text(asked["route"])),
        methods=(),
        job=None if job is None else _text(job),
        query={},
    )
    return RecordedExchange(request, _integer(asked["attempt"]))


def _head(head: Mapping[str, object]) -> Head:
    fields: list[tuple[str, str]] = []
    lengths = head["length"]
    for pair in (*_items(head["fields"]), *(["Content-Length", each] for each in _items(lengths))):
        name, value = _items(pair)
        fields.append((_text(name), _text(value)))
    return Head(_integer(head["status"]), _text(head["reason"]), tuple(fields))


def _items(value: object) -> list[object]:
    if not is_array(value):
        raise TypeError("not an array")
    return list(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("not a whole number")
    return value


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    return float(value)


def _bytes_out(raw: bytes) -> str | dict[str, str]:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"hex": raw.hex()}


def _bytes_in(value: object) -> bytes:
    return bytes.fromhex(_text(value["hex"])) if is_table(value) else _text(value).encode()
