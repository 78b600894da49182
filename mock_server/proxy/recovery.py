"""Read an unfinished recording from its partial file, which `tape.py` writes."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, TypeVar

from attrs import field, frozen

from mock_server.durable import is_locked, kind_of_file, read_regular, reason_of, say, write_whole
from mock_server.faults.response import Head
from mock_server.proxy.replay import RecordedExchange
from mock_server.proxy.tape import SUFFIX, VERSION, TapeError, partial_of
from mock_server.requests import Request
from mock_server.scenario.vocabulary import Route
from mock_server.scenario.words.end import Ending
from mock_server.sse import Frame
from mock_server.strict.shapes import ScenarioError, is_array, is_table

_MOST: Final = 1 << 34
_T = TypeVar("_T")


@frozen
class FoundTape:
    """An unfinished recording: its target file, its partial file and its exchanges."""

    out: Path
    partial: Path
    exchanges: list[RecordedExchange] = field(repr=False)

    def replace_by(self, text: str) -> None:
        """Write the target file, then remove the partial file; raise TapeError if either fails."""
        try:
            if (odd := kind_of_file(self.out)) is not None:
                raise TapeError(f"{self.out}: {odd}; remove it, and try again")
            write_whole(self.out, text)
            self.partial.unlink()
        except OSError as error:
            raise TapeError(f"{self.out}: {reason_of(error)}") from None


def read_tape(given: Path) -> FoundTape:
    """Read an unfinished recording, given the path of its partial file or of its target file.

    Stop at the first damaged line, with a note on stderr. Raise TapeError if the recording cannot
    be used.
    """
    partial = given if given.name.endswith(SUFFIX) else partial_of(given)
    out = partial.with_name(partial.name.removesuffix(SUFFIX))
    if out.suffix != ".toml":
        raise TapeError(
            f"{given}: is not a .toml file; give the name of the file that was being recorded"
        )
    try:
        odd = kind_of_file(partial)
        busy = odd is None and is_locked(partial)
        lines = [] if odd or busy else read_regular(partial, _MOST).split(b"\n")
    except FileNotFoundError:
        raise TapeError(f"{partial}: does not exist, so there is nothing to recover") from None
    except OSError as error:
        raise TapeError(f"{partial}: {reason_of(error)}") from None
    if odd:
        raise TapeError(f"{partial}: {odd}; an unfinished recording must be a regular file")
    if busy:
        raise TapeError(f"{partial}: is still being written; stop that `record` command first")
    return FoundTape(out, partial, list(_replayed(partial, lines)))


def _replayed(partial: Path, lines: list[bytes]) -> Iterator[RecordedExchange]:
    if not is_table(first := _entry(lines[0])) or first.get("arkor_recording") != VERSION:
        raise TapeError(f"{partial}: is not an unfinished recording that this version can read")
    exchanges: dict[object, RecordedExchange] = {}
    for number, line in enumerate(lines[1:], 2):
        if not line and number == len(lines):
            break
        try:
            _take(exchanges, _entry(line))
        except (ScenarioError, ValueError, KeyError, TypeError):
            rest = (
                "is cut off" if number == len(lines) else "is damaged; everything after it is lost"
            )
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
    """Apply one entry to the exchanges; a damaged one raises KeyError, TypeError or ValueError."""
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
        one.early.append(_of(int, entry["early"]))
    elif is_table(head := entry.get("head")):
        one.head, one.late = _head(head), _seconds(entry["late"])
        one.body = _bytes_in(entry["body"]) if "body" in entry else None
    elif "frame" in entry:
        id_ = None if entry["id"] is None else _of(str, entry["id"])
        raw = _bytes_in(entry["frame"])
        one.frames.append(Frame(raw, id_, delay=_seconds(entry["delay"])))
    else:
        one.end = None if entry["end"] is None else Ending(_of(str, entry["end"]))
        one.silence = _seconds(entry["silence"])


def _exchange(asked: Mapping[str, object]) -> RecordedExchange:
    cursor, job = asked["last_event_id"], asked["job"]
    request = Request(
        method=_of(str, asked["method"]),
        target="",
        headers=() if cursor is None else (("last-event-id", _of(str, cursor)),),
        body=b"",
        route=Route(_of(str, asked["route"])),
        methods=(),
        job=None if job is None else _of(str, job),
        query={},
    )
    return RecordedExchange(request, _of(int, asked["attempt"]))


def _head(head: Mapping[str, object]) -> Head:
    fields: list[tuple[str, str]] = []
    lengths = head["length"]
    for pair in (*_items(head["fields"]), *(["Content-Length", each] for each in _items(lengths))):
        name, value = _items(pair)
        fields.append((_of(str, name), _of(str, value)))
    return Head(_of(int, head["status"]), _of(str, head["reason"]), tuple(fields))


def _items(value: object) -> list[object]:
    if not is_array(value):
        raise TypeError("not an array")
    return list(value)


def _of(kind: type[_T], value: object) -> _T:
    """Return the value if it is of type `kind`; raise TypeError otherwise."""
    if isinstance(value, bool) or not isinstance(value, kind):
        raise TypeError(f"not a {kind.__name__}")
    return value


def _seconds(value: object) -> float:
    return float(_of(int, value)) if isinstance(value, int) else _of(float, value)


def _bytes_in(value: object) -> bytes:
    return bytes.fromhex(_of(str, value["hex"])) if is_table(value) else _of(str, value).encode()
