"""A recording while it goes on: one line of JSON for everything heard, in `NAME.toml.partial`.

When `record` ends, the scenario is written and the partial file goes. When it is killed, the
partial file is what `arkor-mock recover` makes the scenario of. It holds no secret: what is written
down is what the scenario would say. Of a body that is no event stream a secret may lie across two
pieces, so its pieces are written when it has ended.
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
    """A recording cannot begin, or cannot be recovered; the message names the file."""


def partial_of(out: Path) -> Path:
    """Return where the unfinished recording of a file is."""
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
        """Make the partial file beside its target; raises TapeError."""
        partial = partial_of(out)
        try:
            odd = kind_of_file(out)
            if odd is not None:
                raise TapeError(f"{out}: {odd}; name a file, new or to be replaced")
            file = AppendOnly.create(partial)
        except FileExistsError:
            raise TapeError(_unfinished(out, partial)) from None
        except OSError as error:
            raise TapeError(f"{out}: {reason_of(error)}") from None
        tape = cls(out, file)
        tape._add({"arkor_recording": _VERSION})
        return tape

    def asked(self, heard: RecordedExchange) -> None:
        """Write down that a request came; what is heard of it next belongs to it."""
        self._asked += 1
        self._numbers[id(heard)] = self._asked
        request = heard.request
        cursor = request.header("last-event-id")
        asked = {
            "method": request.method,
            "route": request.route.value,
            "job": request.job and redacted_text(request.job),
            "attempt": heard.attempt,
            "last_event_id": cursor and redacted_text(cursor),
        }
        self._note(heard, {"asked": asked})

    def early(self, heard: RecordedExchange, status: int) -> None:
        """Write down a head that came before the answer's."""
        self._note(heard, {"early": status})

    def head(self, heard: RecordedExchange) -> None:
        """Write down the head of the answer, and its body if that came with it."""
        head = heard.head
        if head is None:
            return
        pairs = [list(pair) for pair in kept_fields(head)]
        said: dict[str, object] = {"status": head.status, "reason": head.reason, "fields": pairs}
        length = [value for name, value in head.headers if name.lower() == "content-length"]
        entry: dict[str, object] = {"head": {**said, "length": length[:1]}, "late": heard.late}
        if heard.body is not None:
            entry["body"] = _bytes_out(redacted_answer(heard.body, kind_of_answer(head)))
        self._note(heard, entry)

    def frame(self, heard: RecordedExchange, frame: Frame) -> None:
        """Write down a frame of an event stream."""
        if heard.is_event_stream:
            self._piece(heard, evolve(frame, raw=redacted_frame(frame.raw)))

    def _piece(self, heard: RecordedExchange, frame: Frame) -> None:
        self._note(heard, {"frame": _bytes_out(frame.raw), "id": frame.id, "delay": frame.delay})

    def ended(self, heard: RecordedExchange) -> None:
        """Write down how the body ended, or that the client left before it did."""
        if not heard.is_event_stream:
            for piece in joined(heard):
                self._piece(heard, piece)
        end = None if heard.end is None else heard.end.value
        self._note(heard, {"end": end, "silence": heard.silence})

    def dropped(self, heard: RecordedExchange) -> None:
        """Write down that an exchange is no part of the recording after all."""
        self._note(heard, {"dropped": True})
        del self._numbers[id(heard)]

    def _note(self, heard: RecordedExchange, entry: Mapping[str, object]) -> None:
        self._add({"n": self._numbers[id(heard)], **entry})

    def _add(self, entry: Mapping[str, object]) -> None:
        self._file.add(json.dumps(entry).encode() + b"\n")

    def discard(self) -> None:
        """Remove the partial file: there is nothing to keep."""
        self._file.close(remove=True)

    def finish(self, text: str) -> None:
        """Put the scenario in place of the partial file.

        Raises TapeError when it cannot be written; the message says where everything is then.
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
                f"{self.out}: {why}; everything is in {self._file.path}: "
                f"`arkor-mock recover {self.out}` writes the scenario when there is room"
            )
        try:
            elsewhere = rescue_file(self.out, text)
        except OSError as error:
            return (
                f"{self.out}: {why}; in the directory for temporary files: {reason_of(error)}; "
                f"only what is in {self._file.path} is left: `arkor-mock recover {self.out}`"
            )
        self._file.path.unlink(missing_ok=True)
        return f"{self.out}: {why}; the recording is in {elsewhere} instead"


def rescue_file(out: Path, text: str) -> Path:
    """Write a recording that has no room at its place among the temporary files; raises OSError."""
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
            return f"{partial}: {odd}, where the recording has to be; remove it"
        busy = is_locked(partial)
    except OSError as error:
        return f"{partial}: {reason_of(error)}"
    if busy:
        return f"{out}: another `arkor-mock record` is writing it"
    return (
        f"{partial}: is the recording of a run that did not end; `arkor-mock recover {out}` makes "
        "a scenario of it, or remove it"
    )


@frozen
class FoundTape:
    """An unfinished recording: where it was to go, where it is, what was heard."""

    out: Path
    partial: Path
    heard: list[RecordedExchange] = field(repr=False)

    def replace_by(self, text: str) -> None:
        """Put the scenario in place of the partial file; raises TapeError, and then that stays."""
        try:
            if (odd := kind_of_file(self.out)) is not None:
                raise TapeError(f"{self.out}: {odd}; name a file, new or to be replaced")
            write_whole(self.out, text)
            self.partial.unlink()
        except OSError as error:
            raise TapeError(f"{self.out}: {reason_of(error)}") from None


def read_tape(given: Path) -> FoundTape:
    """Read an unfinished recording, named by its own path or by its target's.

    A last line that is cut off is left out, and said. Raises TapeError.
    """
    partial = given if given.name.endswith(_SUFFIX) else partial_of(given)
    out = partial.with_name(partial.name.removesuffix(_SUFFIX))
    if out.suffix != ".toml":
        raise TapeError(f"{given}: name the .toml file that was being recorded")
    try:
        odd = kind_of_file(partial)
        busy = odd is None and is_locked(partial)
        lines = [] if odd or busy else read_regular(partial, _MOST).split(b"\n")
    except FileNotFoundError:
        raise TapeError(f"{partial}: is not there; nothing is left to recover") from None
    except OSError as error:
        raise TapeError(f"{partial}: {reason_of(error)}") from None
    if odd:
        raise TapeError(f"{partial}: {odd}; an unfinished recording is a file")
    if busy:
        raise TapeError(f"{partial}: is still being written; end that `record` first")
    return FoundTape(out, partial, list(_replayed(partial, lines)))


def _replayed(partial: Path, lines: list[bytes]) -> Iterator[RecordedExchange]:
    if not is_table(first := _entry(lines[0])) or first.get("arkor_recording") != _VERSION:
        raise TapeError(f"{partial}: is no unfinished recording of this version")
    heard: dict[object, RecordedExchange] = {}
    for number, line in enumerate(lines[1:], 2):
        if not line and number == len(lines):
            break
        try:
            _take(heard, _entry(line))
        except (ScenarioError, ValueError, KeyError, TypeError):
            rest = "is cut off" if number == len(lines) else "is damaged; what follows it is lost"
            say(f"{partial}: line {number} {rest}")
            break
    yield from heard.values()


def _entry(line: bytes) -> object:
    try:
        found: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found


def _take(heard: dict[object, RecordedExchange], entry: object) -> None:
    """Do to what was heard so far what one line says; raises KeyError, TypeError and ValueError for none."""
    if not is_table(entry):
        raise TypeError("no table")
    number = entry["n"]
    if is_table(asked := entry.get("asked")):
        heard[number] = _heard(asked)
        return
    one = heard[number]
    if "dropped" in entry:
        del heard[number]
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


def _heard(asked: Mapping[str, object]) -> RecordedExchange:
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
        raise TypeError("no array")
    return list(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


def _integer(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("no whole number")
    return value


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("no number")
    return float(value)


def _bytes_out(raw: bytes) -> str | dict[str, str]:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"hex": raw.hex()}


def _bytes_in(value: object) -> bytes:
    return bytes.fromhex(_text(value["hex"])) if is_table(value) else _text(value).encode()
