"""One request and its answer, and everything that leaves a session.

It knows which reports of the network are possible, how much of an answer is kept and for how long
(ARK-SEC), and what waits to be polled. It refuses to know what an answer means for the trainer.
"""

from collections import deque
from collections.abc import Mapping
from typing import Final, TypeAlias

from attrs import define, field, frozen

from arkor_proto._errors import LocalProtocolError, StatusError
from arkor_proto._machines import next_state
from arkor_proto._messages import (
    Broken,
    Close,
    Finished,
    Notify,
    Operation,
    Outcome,
    Output,
    Received,
    Responded,
    Send,
    Settle,
)
from arkor_proto._table import Exchange, ExchangeSignal
from arkor_proto._types import Bounds, Deprecated, Headers, Notice, Request, UpgradeRequired
from arkor_proto._wire import Hider, header, header_members, read_error

Report: TypeAlias = Responded | Received | Finished | Broken
"""What the network says of an exchange."""

_SIGNAL_OF: Final[Mapping[type[Report], ExchangeSignal]] = {
    Responded: ExchangeSignal.RESPOND,
    Received: ExchangeSignal.RECEIVE,
    Finished: ExchangeSignal.FINISH,
    Broken: ExchangeSignal.BREAK,
}
_UPGRADE_REQUIRED: Final = 426


@frozen
class Answer:
    """An answer as far as it was read; `broken` says why it is not whole."""

    status: int
    headers: Headers
    body: bytes
    broken: Exception | None = None

    @property
    def succeeded(self) -> bool:
        """Whether the status is of the 2xx class."""
        return is_success(self.status)


def is_success(status: int) -> bool:
    """Tell whether `status` is of the 2xx class (RFC 9110 §15.3)."""
    return 200 <= status < 300  # noqa: PLR2004 - these two numbers are the class


@define(eq=False)
class Pending:
    """A request under way, and what has come back so far."""

    number: int
    operation: Operation
    request: Request
    hops: int = 0
    state: Exchange = Exchange.SENT
    status: int = 0
    headers: Headers = ()
    body: bytearray = field(factory=bytearray)
    deadline: float | None = None

    def answer(self, broken: Exception | None = None) -> Answer:
        """Return what has come back."""
        return Answer(self.status, self.headers, bytes(self.body), broken)


@define(eq=False)
class Outbox:
    """The exchanges under way, the operations asked for, and the outputs nobody has polled."""

    bounds: Bounds
    hider: Hider
    outputs: deque[Output] = field(factory=deque[Output])
    pending: dict[int, Pending] = field(factory=dict[int, Pending])
    asked: set[Operation] = field(factory=set[Operation])
    _sent: int = field(default=0, init=False)
    _deprecated: Deprecated | None = field(default=None, init=False)

    def note(self, report: Report) -> Pending | None:
        """Move the exchange as reported; return it, None where it is over and nobody cares.

        Raises LocalProtocolError for a report that cannot be true; then nothing has changed.
        """
        number = report.exchange
        if not 0 < number <= self._sent:
            raise LocalProtocolError(f"exchange {number}: none of this number was asked for")
        pending = self.pending.get(number)
        state = Exchange.OVER if pending is None else pending.state
        to = next_state(state, _SIGNAL_OF[type(report)])
        if pending is None:
            return None
        if to is Exchange.OVER:
            del self.pending[number]
        else:
            pending.state = Exchange.ANSWERED
        if isinstance(report, Responded):
            pending.status = report.status
            pending.headers = report.headers
            self._note_deprecation(report.headers)
        return pending

    def send(self, operation: Operation, request: Request, *, hops: int = 0) -> Pending:
        """Ask for a new exchange on behalf of `operation`."""
        self._sent += 1
        pending = Pending(self._sent, operation, request, hops)
        self.pending[pending.number] = pending
        self.outputs.append(Send(pending.number, request))
        return pending

    def close(self, pending: Pending | None) -> None:
        """Close an exchange, unless it is over by itself."""
        if pending is not None and self.pending.pop(pending.number, None) is not None:
            self.outputs.append(Close(pending.number))

    def keep(self, pending: Pending, data: bytes) -> bool:
        """Add to a short answer's body; return whether it has reached its bound."""
        describes = pending.operation is not Operation.CANCEL and is_success(pending.status)
        bound = self.bounds.create_body if describes else self.bounds.error_body
        pending.body += data[: bound + 1 - len(pending.body)]
        return len(pending.body) > bound

    def settle(self, operation: Operation, outcome: Outcome) -> None:
        """End `operation` for everyone who asked for it; nobody did: nobody hears of it."""
        if operation in self.asked:
            self.asked.remove(operation)
            self.outputs.append(Settle(operation, outcome))

    def notify(self, notice: Notice) -> None:
        """Tell the application something."""
        self.outputs.append(Notify(notice))

    def status_error(self, answer: Answer) -> StatusError:
        """Return the error that an answer stands for; a refused version is a notice as well."""
        error = read_error(answer.status, answer.headers, answer.body, secrets=self.hider.secrets)
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
