"""One request and its response, and the queue of a session's outputs.

The table (`_table.Exchange`) decides which reports from the network are possible. The bounds limit
how long a response may take and how much of it is kept (ARK-SEC).
"""

from collections import deque
from collections.abc import Mapping
from typing import Final

from attrs import define, field, frozen

from arkor_proto._errors import LocalProtocolError, StatusError
from arkor_proto._messages import (
    Broken,
    Close,
    Finished,
    Notify,
    Operation,
    Outcome,
    Output,
    Received,
    Report,
    Responded,
    Send,
    Settle,
)
from arkor_proto._secrets import Hider
from arkor_proto._table import Exchange, ExchangeSignal, next_state
from arkor_proto._types import Bounds, Deprecated, Headers, Notice, Request, UpgradeRequired
from arkor_proto._value import Value
from arkor_proto._wire import header, header_members, is_success, read_error

_SIGNAL_OF: Final[Mapping[type[Report], ExchangeSignal]] = {
    Responded: ExchangeSignal.RESPOND,
    Received: ExchangeSignal.RECEIVE,
    Finished: ExchangeSignal.FINISH,
    Broken: ExchangeSignal.BREAK,
}
_UPGRADE_REQUIRED: Final = 426


@frozen(repr=False, eq=False)
class Answer(Value):
    """The part of a response that was read; `broken` is the error if the exchange failed."""

    status: int
    headers: Headers
    body: bytes
    broken: Exception | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the status is 2xx."""
        return is_success(self.status)


@define(eq=False, repr=False)
class Pending:
    """A request in flight and its response so far. `deadline` applies to the whole response."""

    number: int
    operation: Operation
    request: Request
    hops: int = 0
    state: Exchange = Exchange.SENT
    status: int = 0
    headers: Headers = ()
    deadline: float | None = None
    _body: bytearray = field(factory=bytearray, init=False)

    def take(self, report: Report) -> None:
        """Apply a report; raise LocalProtocolError if it is impossible in this state."""
        to = next_state(self.state, _SIGNAL_OF[type(report)])
        assert isinstance(to, Exchange), "the table ignores a report only if the exchange is over"
        self.state = to
        if isinstance(report, Responded):
            self.status = report.status
            self.headers = report.headers

    def end_by(self, deadline: float) -> None:
        """Set the time by which the response must be complete."""
        self.deadline = deadline

    def keep(self, data: bytes, bound: int) -> bool:
        """Add `data` to the body that is kept; return whether it now exceeds `bound` bytes."""
        self._body += data[: bound + 1 - len(self._body)]
        return len(self._body) > bound

    def answer(self, broken: Exception | None = None) -> Answer:
        """Return what has been read of the response so far."""
        return Answer(self.status, self.headers, bytes(self._body), broken)


@define(eq=False, repr=False)
class Outbox:
    """The exchanges in flight, the pending operations, and the outputs waiting for `poll`."""

    bounds: Bounds
    hider: Hider
    outputs: deque[Output] = field(factory=deque[Output])
    pending: dict[int, Pending] = field(factory=dict[int, Pending])
    asked: set[Operation] = field(factory=set[Operation])
    _sent: int = field(default=0, init=False)
    _deprecated: Deprecated | None = field(default=None, init=False)

    def note(self, report: Report) -> Pending | None:
        """Apply a report to its exchange; return the exchange, or None if it was already over.

        Raise LocalProtocolError for an impossible report, without changing anything.
        """
        number = report.exchange
        pending = self.pending.get(number)
        if pending is None:
            if not 0 < number <= self._sent:
                raise LocalProtocolError(f"exchange {number}: no such exchange")
            next_state(Exchange.OVER, _SIGNAL_OF[type(report)])
            return None
        pending.take(report)
        if pending.state is Exchange.OVER:
            del self.pending[number]
        if isinstance(report, Responded):
            self._note_deprecation(report.headers)
        return pending

    def send(self, operation: Operation, request: Request, *, hops: int = 0) -> Pending:
        """Queue a new exchange on behalf of `operation`."""
        self._sent += 1
        pending = Pending(self._sent, operation, request, hops)
        self.pending[pending.number] = pending
        self.outputs.append(Send(pending.number, request))
        return pending

    def close(self, pending: Pending | None) -> None:
        """Close an exchange, unless it has already ended."""
        if pending is not None and self.pending.pop(pending.number, None) is not None:
            self.outputs.append(Close(pending.number))

    def keep(self, pending: Pending, data: bytes) -> bool:
        """Add `data` to the body that is kept for an exchange; return whether it is now too large.

        If it is, close the exchange.
        """
        describes = pending.operation is not Operation.CANCEL and is_success(pending.status)
        full = pending.keep(data, self.bounds.create_body if describes else self.bounds.error_body)
        if full:
            self.close(pending)
        return full

    def settle(self, operation: Operation, outcome: Outcome) -> None:
        """If `operation` is pending, end it with `outcome`."""
        if operation in self.asked:
            self.asked.remove(operation)
            self.outputs.append(Settle(operation, outcome))

    def notify(self, notice: Notice) -> None:
        """Queue a notice for the application."""
        self.outputs.append(Notify(notice))

    def status_error(self, answer: Answer) -> StatusError:
        """Return the error for a refusal; if it refuses the client's version, queue a notice."""
        error = read_error(answer.status, answer.headers, answer.body, self.hider)
        if answer.status == _UPGRADE_REQUIRED:
            words = (error.body.get(k) for k in ("currentVersion", "supportedRange", "upgrade"))
            self.notify(UpgradeRequired(*(w if isinstance(w, str) else None for w in words)))
        return error

    def _note_deprecation(self, headers: Headers) -> None:
        said = {member.lower() for member in header_members(headers, b"deprecation")}
        if said != {"true"}:
            return
        warning = next(iter(header_members(headers, b"warning")), "")
        quoted = warning.partition('"')[2].rpartition('"')[0]
        sunset = header(headers, b"sunset")
        hide = self.hider.text
        notice = Deprecated(hide(quoted or warning), None if sunset is None else hide(sunset))
        if notice != self._deprecated:
            self._deprecated = notice
            self.notify(notice)
