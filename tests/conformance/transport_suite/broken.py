"""Transports with one fault each, made of the sound one."""

import logging
import queue
import socket
import ssl
import threading
import time

import h11

from arkor_proto import (
    Broken,
    Close,
    Deliver,
    Finished,
    Handled,
    Input,
    Notify,
    Operation,
    Outcome,
    Output,
    Received,
    Rejected,
    Request,
    Responded,
)
from conformance.transport_suite import Setup
from tests.conformance.transport_suite.plain import Plain
from tests.conformance.transport_suite.plain_http import READ

_LONG = 600.0


class SwallowsErrors(Plain):
    """Reports every callback to the session as successful."""

    def answer_of(self, delivery: Deliver, error: Exception | None) -> Handled:  # noqa: ARG002 - the fault
        """Leave the error out."""
        return Handled(delivery.delivery)


class ReadsOn(Plain):
    """Keeps reading while a callback runs."""

    def after_delivery(self) -> None:
        """Read on."""


class DoesNotAwait(Plain):
    """Runs each callback in a thread, and reports it as finished without waiting for it."""

    def call_back(self, delivery: Deliver) -> None:
        """Begin a callback."""
        self.delivery, self.handled = None, delivery.delivery
        call = self.setup.on_event
        threading.Thread(target=call, args=(delivery.event,), daemon=True).start()
        self.tell(Handled(delivery.delivery))


class CallsAfterTheEnd(Plain):
    """Delivers an event although the wait has already been settled."""

    def settle(self, operation: Operation, outcome: Outcome) -> None:
        """Call back first."""
        if operation is Operation.FOLLOW and self.delivery is not None:
            self.setup.on_event(self.delivery.event)
        super().settle(operation, outcome)

    def do(self, output: Output) -> None:
        """Hand an event over before the notice that came with it."""
        if isinstance(output, Notify):
            self.late.append(output)
            return
        super().do(output)
        while self.late:
            super().do(self.late.pop())

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.late: list[Output] = []


class SettlesTwice(Plain):
    """Gives the outcome of a failed operation to the next caller as well."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.stale: dict[Operation, Outcome] = {}

    def settle(self, operation: Operation, outcome: Outcome) -> None:
        """Keep the outcome."""
        self.stale[operation] = outcome
        super().settle(operation, outcome)

    def operate(self, operation: Operation, imperative: Input) -> Outcome:
        """Return an old outcome, if there is one."""
        stale = self.stale.pop(operation, None)
        if isinstance(stale, Rejected):
            raise stale.error
        return super().operate(operation, imperative)


class LetsAHookFail(Plain):
    """Lets an exception that a hook raises end the operation."""

    def do(self, output: Output) -> None:
        """Call the hook as it is."""
        if isinstance(output, Notify):
            self.setup.on_notice(output.notice)
        else:
            super().do(output)


class LosesAByte(Plain):
    """Loses the last byte of a read that fills the buffer."""

    def read(self, opened: socket.socket, end: float | None) -> bytes:
        """Lose a byte."""
        data = super().read(opened, end)
        return data[:-1] if len(data) == READ else data


class FillsItsBuffer(Plain):
    """Reports nothing until its read buffer is full or the peer has closed the connection."""

    def read(self, opened: socket.socket, end: float | None) -> bytes:
        """Read until the buffer is full."""
        pieces = [super().read(opened, end)]
        while pieces[-1] and sum(map(len, pieces)) < READ and end is None:
            pieces.append(super().read(opened, end))
        return b"".join(pieces)


class IgnoresClose(Plain):
    """Leaves a connection open after the session's `Close`."""

    def do(self, output: Output) -> None:
        """Do anything but close."""
        if not isinstance(output, Close):
            super().do(output)


class TakesACutForAnEnd(Plain):
    """Reports Finished for every body that ends, even one that is cut off."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.answered: set[int] = set()

    def report(self, number: int, report: Responded | Received | Finished | Broken) -> bool:
        """Make a clean end of a cut."""
        if isinstance(report, Responded):
            self.answered.add(number)
        cut = isinstance(report, Broken) and number in self.answered
        return super().report(number, Finished(number) if cut else report)


class TakesAnEndForACut(Plain):
    """Reports Broken for every body that ends, even one that is complete."""

    def report(self, number: int, report: Responded | Received | Finished | Broken) -> bool:
        """Make a failure of an end."""
        ended = isinstance(report, Finished)
        return super().report(number, Broken(number, OSError("it ended")) if ended else report)


class NeverTicks(Plain):
    """Never tells the session that a deadline has been reached."""

    def tick(self, until: float) -> None:  # noqa: ARG002 - the fault
        """Wait for something else."""
        self.changed.wait()


class TicksLate(Plain):
    """Gives the session its `Tick` one second after the deadline."""

    def deadline(self, until: float) -> float:
        """Add a second."""
        return until + 1


class RepeatsRequests(Plain):
    """Repeats a request whose connection was lost."""

    def converse(self, number: int, request: Request, opened: socket.socket) -> None:
        """Try twice."""
        try:
            super().converse(number, request, opened)
        except (OSError, h11.RemoteProtocolError):
            with self.connect(number) as again:
                super().converse(number, request, again)


class SendsFirst(Plain):
    """Does not read the response until the whole request has been sent."""

    def send(self, opened: socket.socket, data: bytes) -> None:
        """Send all of it."""
        opened.sendall(data)


class LeavesHeadersOut(Plain):
    """Sends only some of the headers of a request."""

    def headers(self, request: Request) -> list[tuple[bytes, bytes]]:
        """Leave the cursor out."""
        return [each for each in request.headers if each[0] != b"Last-Event-ID"]


class StopsAtInterimAnswers(Plain):
    """Mistakes an interim response for the final one."""

    def interim(self, number: int, event: object) -> bool:  # noqa: ARG002 - the fault
        """Stop."""
        return False


class TrustsEveryone(Plain):
    """Does not verify certificates."""

    def tls(self) -> ssl.SSLContext:
        """Trust anyone."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context


class TakesARaggedEnd(Plain):
    """Mistakes a TLS connection that was cut off for one that was closed properly."""

    def read(self, opened: socket.socket, end: float | None) -> bytes:
        """Make an end of a cut."""
        try:
            return super().read(opened, end)
        except ssl.SSLEOFError:
            return b""


class LooksUpWithoutLimit(Plain):
    """Starts the timeout for connecting only after the look-up."""

    def first(self, found: "queue.Queue[socket.socket | OSError]", end: float) -> socket.socket:
        """Wait for long."""
        return super().first(found, end + _LONG)


class LimitsEachRead(Plain):
    """Restarts the timeout for the response head at each read."""

    def read(self, opened: socket.socket, end: float | None) -> bytes:
        """Begin anew."""
        anew = time.monotonic() + self.setup.head_timeout
        return super().read(opened, None if end is None else anew)


class LimitsTheStream(Plain):
    """Applies the timeout for the response head to the body too."""

    def read(self, opened: socket.socket, end: float | None) -> bytes:
        """Have a limit always."""
        return super().read(opened, end or time.monotonic() + self.setup.head_timeout)


class ConnectsUnderItsLock(Plain):
    """Blocks everything else while it connects."""

    def connect(self, number: int) -> socket.socket:
        """Keep the lock."""
        with self.changed:
            return super().connect(number)


class OneAtATime(Plain):
    """Runs only one exchange at a time."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.turn = threading.Lock()

    def exchange(self, number: int, request: Request) -> None:
        """Take turns."""
        with self.turn:
            super().exchange(number, request)


class ForgetsItsCallers(Plain):
    """Closes its connections, but leaves the callers waiting."""

    def close(self) -> None:
        """Forget them first."""
        self.waiters = {}
        super().close()


class LogsRequests(Plain):
    """Logs the requests that it sends."""

    def send(self, opened: socket.socket, data: bytes) -> None:
        """Log it."""
        logging.getLogger("plain").debug("sent %r", data)
        super().send(opened, data)


class QuotesThePeer(Plain):
    """Quotes an unparsable response in its error message."""

    def why(self, error: Exception) -> str:
        """Quote it."""
        return str(error)
