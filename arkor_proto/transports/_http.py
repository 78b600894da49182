"""One HTTP/1.1 exchange over h11, as bytes in and reports out.

It knows how to turn a request into bytes and bytes into the reports a session takes. It refuses
to know where the bytes go and come from, so that every transport shares it.
"""

from typing import Final

import h11
from attrs import define, field

from arkor_proto._errors import TransportError
from arkor_proto._exchange import Report
from arkor_proto._messages import Broken, Finished, Received, Responded
from arkor_proto._types import Request

_MAX_HEAD: Final = 64 * 2**10


def new_connection() -> h11.Connection:
    """Return the state of a connection that nothing has been sent on."""
    return h11.Connection(h11.CLIENT, max_incomplete_event_size=_MAX_HEAD)


@define
class Conversation:
    """One request and its response on a connection that is ready for it."""

    exchange: int
    request: Request
    connection: h11.Connection = field(factory=new_connection)
    answered: bool = field(default=False, init=False)
    over: bool = field(default=False, init=False)

    @property
    def reusable(self) -> bool:
        """Whether the connection can carry another request now."""
        return self.connection.our_state is h11.DONE and self.connection.their_state is h11.DONE

    def opening(self) -> bytes:
        """Return the bytes to send; raises TransportError for what HTTP cannot carry."""
        request = self.request
        try:
            head = h11.Request(
                method=request.method, target=request.target, headers=list(request.headers)
            )
            events = [head, h11.Data(data=request.body), h11.EndOfMessage()]
            return b"".join(self.connection.send(event) or b"" for event in events)
        except h11.LocalProtocolError as error:
            raise TransportError(f"request: HTTP cannot carry it: {error}") from error

    def receive(self, data: bytes) -> list[Report]:
        """Take what the peer sent, b"" for its end; return what that amounts to."""
        reports: list[Report] = []
        body: list[bytes] = []
        end: Report | None = None
        try:
            self.connection.receive_data(data)
            while end is None and (event := self.connection.next_event()) is not h11.NEED_DATA:
                match event:
                    case h11.Response():
                        self.answered = True
                        headers = tuple(
                            (bytes(name), bytes(value)) for name, value in event.headers
                        )
                        reports.append(Responded(self.exchange, event.status_code, headers))
                    case h11.Data():
                        body.append(event.data)
                    case h11.EndOfMessage():
                        end = Finished(self.exchange)
                    case _:
                        pass  # an interim (1xx) response says nothing to a session
        except h11.RemoteProtocolError as error:
            end = self.broken(f"the peer broke HTTP: {error}")
        if body:
            reports.append(Received(self.exchange, b"".join(body)))
        if end is not None:
            self.over = True
            reports.append(end)
        return reports

    def broken(self, why: str) -> Broken:
        """Return the report that this exchange failed."""
        self.over = True
        return Broken(self.exchange, TransportError(f"connection: {why}"))
