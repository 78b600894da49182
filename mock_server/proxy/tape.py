"""Save a recording while it is made, one line of JSON at a time, in `NAME.toml.partial`.

When `record` ends, it writes the scenario and removes the partial file. If it is killed,
`recovery.py` makes the scenario from the partial file. Like the scenario, the partial file
contains no secrets. In a body that is not an event stream, a secret may span two pieces, so the
pieces are written only when the body has ended.
"""

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from attrs import define, field

from mock_server.durable import AppendOnly, is_locked, kind_of_file, reason_of, write_whole
from mock_server.proxy.recorder import RecordingListener
from mock_server.proxy.replay import RecordedExchange, hidden, joined, kept_fields, kind_of_answer
from mock_server.redaction import redacted_answer, redacted_text
from mock_server.sse import Frame

VERSION: Final = 1
SUFFIX: Final = ".partial"


class TapeError(Exception):
    """A recording cannot be started, saved or recovered; the message names the file."""


def partial_of(out: Path) -> Path:
    """Return the path of the partial file for a recording."""
    return out.with_name(out.name + SUFFIX)


@define(eq=False)
class Tape(RecordingListener):
    """The partial file of one recording."""

    out: Path
    _file: AppendOnly
    _numbers: dict[int, int] = field(factory=dict[int, int], init=False)
    _asked: int = field(default=0, init=False)

    @classmethod
    def begin(cls, out: Path) -> "Tape":
        """Create the partial file next to the target file `out`, or raise TapeError."""
        partial = partial_of(out)
        try:
            odd = kind_of_file(out)
            if odd is not None:
                raise TapeError(f"{out}: {odd}; use a regular file or a new name")
            file = AppendOnly.create(partial)
        except FileExistsError:
            raise TapeError(_unfinished(out, partial)) from None
        except OSError as error:
            raise TapeError(f"{out}: {reason_of(error)}") from None
        tape = cls(out, file)
        tape._add({"arkor_recording": VERSION})
        return tape

    def asked(self, exchange: RecordedExchange) -> None:
        """Write the request that begins an exchange."""
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
        """Write the status of an informational (1xx) response."""
        self._note(exchange, {"early": status})

    def head(self, exchange: RecordedExchange) -> None:
        """Write the head of the response, and the body if it was forwarded in one piece."""
        head = exchange.head
        if head is None:
            return
        pairs = [list(pair) for pair in kept_fields(head)]
        length = head.header("content-length")
        said = {
            "status": head.status,
            "reason": head.reason,
            "fields": pairs,
            "length": [] if length is None else [length],
        }
        entry: dict[str, object] = {"head": said, "late": exchange.late}
        if exchange.body is not None:
            entry["body"] = _bytes_out(redacted_answer(exchange.body, kind_of_answer(head)))
        self._note(exchange, entry)

    def frame(self, exchange: RecordedExchange, frame: Frame) -> None:
        """Write a frame of an event stream; `ended` writes the pieces of any other body."""
        if exchange.is_event_stream:
            self._piece(exchange, hidden(frame))

    def _piece(self, exchange: RecordedExchange, frame: Frame) -> None:
        self._note(exchange, {"frame": _bytes_out(frame.raw), "id": frame.id, "delay": frame.delay})

    def ended(self, exchange: RecordedExchange) -> None:
        """Write how the body ended, or that the client left first."""
        if not exchange.is_event_stream:
            for piece in joined(exchange):
                self._piece(exchange, piece)
        end = None if exchange.end is None else exchange.end.value
        self._note(exchange, {"end": end, "silence": exchange.silence})

    def dropped(self, exchange: RecordedExchange) -> None:
        """Write an entry that marks an exchange as left out of the recording."""
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

        Raise TapeError if the scenario cannot be written; the message says where the recording is.
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
                f"{self.out}: {why}; the recording is in {self._file.path}; when the cause is "
                f"fixed, run `arkor-mock recover {self.out}`"
            )
        try:
            elsewhere = rescue_file(self.out, text)
        except OSError as error:
            return (
                f"{self.out}: {why}; it could not be saved in a temporary directory either: "
                f"{reason_of(error)}; {self._file.path} has only part of the recording; "
                f"run `arkor-mock recover {self.out}`"
            )
        self._file.path.unlink(missing_ok=True)
        return f"{self.out}: {why}; the recording is in {elsewhere} instead"


def rescue_file(out: Path, text: str) -> Path:
    """Save a recording that cannot be written to `out`; return its new path or raise OSError."""
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
        return f"{out}: another `arkor-mock record` is writing it; choose a different file"
    return (
        f"{partial}: this file is left over from a recording that was killed; "
        f"run `arkor-mock recover {out}`, or remove it"
    )


def _bytes_out(raw: bytes) -> str | dict[str, str]:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return {"hex": raw.hex()}
