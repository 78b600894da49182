"""One HTTP/1.1 exchange, with h11 and without I/O: bytes go in, and reports come out.

All transports share this code; each does its own I/O.
"""

import re
from collections.abc import Sequence
from typing import Final

import h11
from attrs import define, field

from arkor_proto._checks import check_header_value, wrong_kind
from arkor_proto._errors import NotConnected, TransportError
from arkor_proto._messages import Broken, Finished, Received, Report, Responded
from arkor_proto._types import Request
from arkor_proto.transports._chunks import ChunkMerger

_MAX_HEAD: Final = 64 * 2**10
_HEADERS_TOO_LARGE: Final = 431
_UNAUTHORIZED: Final = 401
_TLS_RECORD: Final = re.compile(rb"[\x14-\x17]\x03[\x00-\x04]")
# Bytes from the peer that h11 quotes may echo the request, token included (ARK-SEC-8).
_QUOTED: Final = re.compile(r":? (bytearray\()?b['\"].*", re.DOTALL)


def new_connection() -> h11.Connection:
    """Return the HTTP state of a new connection."""
    return h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD)


def checked_token(returned: object) -> str:
    """Return a provider's token if valid; raise TypeError or ValueError without quoting it."""
    name = "token from the provider"
    if not isinstance(returned, str):
        raise wrong_kind(name, returned, "a str")
    check_header_value(name, returned)
    return returned


def no_token(seconds: float) -> NotConnected:
    """Return the error for a token provider that exceeds its time limit."""
    return NotConnected(f"token provider: did not return within {seconds} seconds")


def is_unauthorized(reports: Sequence[Report]) -> bool:
    """Return whether these reports begin with the head of a 401 response."""
    head = reports[0] if reports else None
    return isinstance(head, Responded) and head.status == _UNAUTHORIZED


@define
class Conversation:
    """One request and its response on a connection that is ready for a new request."""

    exchange: int
    request: Request
    connection: h11.Connection = field(factory=new_connection)
    unsent: bool = field(default=False, init=False)
    """Whether part of the request may still be unsent; set by the transport."""
    answered: bool = field(default=False, init=False)
    over: bool = field(default=False, init=False)
    _chunks: ChunkMerger | None = field(default=None, init=False)

    @property
    def reusable(self) -> bool:
        """Whether the connection can carry another request now.

        It cannot if bytes follow the response: they would be taken for the next response.
        """
        states = self.connection.our_state, self.connection.their_state
        after, _ = self.connection.trailing_data
        return states == (h11.DONE, h11.DONE) and not after and not self.unsent

    def opening(self) -> bytes:
        """Return the bytes of the request; raise TransportError if it is not valid HTTP."""
        request = self.request
        try:
            head = h11.Request(
                method=request.method, target=request.target, headers=list(request.headers)
            )
            events = [head, h11.Data(data=request.body), h11.EndOfMessage()]
            return b"".join(self.connection.send(event) or b"" for event in events)
        except h11.LocalProtocolError as error:
            raise TransportError(f"request: not valid HTTP: {error}") from error

    def receive(self, data: bytes) -> list[Report]:
        """Process bytes from the peer (b"" if it has closed the connection); return the reports."""
        reports: list[Report] = []
        body: list[bytes] = []
        end: Report | None = None
        try:
            self._pass_on(data)
            while end is None and (event := self.connection.next_event()) is not h11.NEED_DATA:
                match event:
                    case h11.Response():
                        reports.append(self._head(event))
                    case h11.Data():
                        body.append(event.data)
                    case h11.EndOfMessage():
                        end = Finished(self.exchange)
                    case _:
                        pass  # a session does not need interim (1xx) responses
        except h11.RemoteProtocolError as error:
            end = self.broken(self._complaint(error, data))
        if body:
            reports.append(Received(self.exchange, b"".join(body)))
        if end is not None:
            self.over = True
            reports.append(end)
        return reports

    def broken(self, why: str, kind: type[TransportError] = TransportError) -> Broken:
        """Return a report saying that this exchange failed."""
        self.over = True
        return Broken(self.exchange, kind(f"connection: {why}"))

    def without_token(self, error: Exception) -> Broken:
        """Return the report for a token provider that raised `error`.

        After an OSError or a TransportError, only this attempt fails. Any other error ends the
        operation.
        """
        self.over = True
        final = not isinstance(error, OSError | TransportError)
        return Broken(self.exchange, error, final=final)

    def _pass_on(self, data: bytes) -> None:
        passed = data if self._chunks is None else self._chunks.feed(data)
        if passed:
            self.connection.receive_data(passed)
        if not data:
            self.connection.receive_data(b"")

    def _head(self, response: h11.Response) -> Responded:
        self.answered = True
        headers = tuple((bytes(name), bytes(value)) for name, value in response.headers)
        if any(name == b"transfer-encoding" for name, _ in headers):
            self._chunks = ChunkMerger()
            self._chunks.skip(self.connection.trailing_data[0])
        return Responded(self.exchange, response.status_code, headers)

    def _complaint(self, error: h11.RemoteProtocolError, data: bytes) -> str:
        if not data and not self.answered:
            return "the peer closed the connection before it responded; is it an HTTP server?"
        if not data:
            return f"the response was cut off: {error}"
        if not self.answered and _TLS_RECORD.match(data):
            return "the peer speaks TLS; use https://"
        if error.error_status_hint == _HEADERS_TOO_LARGE:
            what = "a chunk's head" if self.answered else "the head of the response"
            return f"{what} is larger than {_MAX_HEAD} bytes"
        said = _QUOTED.sub("", str(error))
        return f"the peer did not send valid HTTP/1.1: {said}"
