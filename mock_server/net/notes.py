"""Record an exchange in the journal, from its request to its end, with secrets redacted."""

from typing import Final, Protocol

from attrs import define, field

from mock_server.faults.actions import Exchange
from mock_server.faults.response import Head
from mock_server.journal.journal import Journal
from mock_server.journal.records import (
    ExchangeEnded,
    FrameSent,
    RequestReceived,
    ResponseStarted,
    UpstreamFailed,
)
from mock_server.net.failure import Failure
from mock_server.redaction import redacted_body, redacted_headers, redacted_target, redacted_text
from mock_server.requests import Request, json_of
from mock_server.scenario.vocabulary import Route
from mock_server.sse import Frame

_LONGEST_KEPT: Final = 1 << 20


class Journaled(Protocol):
    """An object whose journal may be replaced during an exchange."""

    journal: Journal


@define(eq=False)
class ExchangeNotes:
    """Writes the records of one exchange to the journal."""

    _owner: Journaled = field(repr=False)
    _connection: int
    _about: Exchange = field(repr=False)
    _frames: int = field(default=0, init=False)
    _begun: bytearray = field(factory=bytearray, init=False)
    """What has been sent of a frame whose end has not been sent yet."""
    _ended: bool = field(default=False, init=False)

    def _where(self) -> tuple[int, float, int, Route, int]:
        """Return the fields that every record of the exchange begins with."""
        return (
            *self._owner.journal.stamp(),
            self._connection,
            self._about.route,
            self._about.attempt,
        )

    def asked(self, request: Request, dropped: int = 0) -> None:
        """Record a complete request; `dropped` says how many bytes of its body were not kept."""
        if dropped:
            body = f"[dropped: {dropped} bytes of a request without a valid token]".encode()
        elif len(request.body) > _LONGEST_KEPT:
            body = f"[dropped: {len(request.body)} bytes, too many for the journal]".encode()
        else:
            body = redacted_body(request.body, request.header("content-type") or "")
        cursor = request.header("last-event-id")
        record = RequestReceived(
            *self._where(),
            request.method,
            redacted_target(request.target),
            redacted_headers(request.headers),
            authorized=request.header("authorization") is not None,
            body=body,
            json=json_of(body),
            job=request.job and redacted_text(request.job),
            last_event_id=cursor and redacted_text(cursor),
        )
        self._owner.journal.add(record)

    def answered(self, head: Head) -> None:
        """Record that the head of the response was sent."""
        after = head.header("retry-after")
        self._owner.journal.add(ResponseStarted(*self._where(), head.status, after))

    def frame(self, frame: Frame) -> None:
        """Record a frame that was sent; keep a part of a frame until the rest has been sent."""
        if frame.part:
            self._begun += frame.raw
            return
        self._frames += 1
        data = bytes(self._begun) + frame.raw if self._begun else frame.raw
        self._begun.clear()
        record = FrameSent(*self._where(), self._frames, frame.id, frame.event, frame.type)
        self._owner.journal.add_frame(record, data)

    def failed(self, failure: Failure) -> None:
        """Record that the upstream failed."""
        said = (failure.reason.value, failure.why)
        self._owner.journal.add(UpstreamFailed(*self._where(), *said))

    def ended(self, how: str, by: str) -> None:
        """Record how the exchange ended, and which side ended it; only the first call counts."""
        if not self._ended:
            self._ended = True
            self._owner.journal.add(ExchangeEnded(*self._where(), how, by))
