"""A transport of a third party, of plain sockets and threads, written from the guide alone.

The caller that waits runs the callbacks and the timers; `plain_http.py` carries the exchanges. What
a broken transport does otherwise is a method of its own.
"""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Final, assert_never

from arkor_proto import (
    Abort,
    Accepted,
    Broken,
    Cancel,
    Close,
    Deliver,
    Done,
    Finished,
    Follow,
    Handled,
    Idle,
    Input,
    Notify,
    Operation,
    Outcome,
    Output,
    Received,
    Rejected,
    Resolved,
    Responded,
    Send,
    Settle,
    Start,
    Tick,
    TrainingResult,
    TransportError,
)
from conformance.transport_suite import Setup
from tests.conformance.transport_suite.plain_http import Exchanges

CLOSED: Final = "the client was closed"


class Waiter:
    """A caller that waits for the outcome of an operation."""

    def __init__(self) -> None:
        self.outcome: Outcome | None = None


class Plain(Exchanges):
    """A client of one trainer."""

    def __init__(self, setup: Setup) -> None:
        super().__init__(setup)
        self.session = setup.session()
        self.waiters: dict[Operation, Waiter] = {}
        self.delivery: Deliver | None = None
        self.delivered = self.handled = 0
        self.in_callback = False
        self.idle = Idle()
        self.closed = False

    def start(self) -> str:
        """Submit the job."""
        outcome = self.operate(Operation.START, Start())
        assert isinstance(outcome, Accepted)
        return outcome.job_id

    def wait(self) -> TrainingResult:
        """Follow the job."""
        outcome = self.operate(Operation.FOLLOW, Follow())
        assert isinstance(outcome, Resolved)
        return outcome.result

    def cancel(self) -> None:
        """Cancel the job."""
        self.operate(Operation.CANCEL, Cancel())

    def abort(self, reason: object, /) -> None:
        """Abort the wait."""
        self.tell(Abort(reason))

    def close(self) -> None:
        """Let every caller go, and close every connection."""
        with self.changed:
            self.closed = True
            for number in list(self.sockets):
                self.close_exchange(number)
            for waiter in self.waiters.values():
                waiter.outcome = Rejected(TransportError(CLOSED))
            self.changed.notify_all()

    def operate(self, operation: Operation, imperative: Input) -> Outcome:
        """Ask for an operation, and work until it is settled."""
        with self.changed:
            if self.closed:
                raise RuntimeError(CLOSED)
            waiter = self.waiters.setdefault(operation, Waiter())
            self.tell(imperative)
            while waiter.outcome is None:
                if self.delivery is not None and operation is Operation.FOLLOW and self.may_call():
                    self.call_back(self.delivery)
                else:
                    self.rest()
        if isinstance(waiter.outcome, Rejected):
            raise waiter.outcome.error
        return waiter.outcome

    def may_call(self) -> bool:
        """Return whether the next callback may begin."""
        return not self.in_callback

    def rest(self) -> None:
        """Wait for something to happen, or for the deadline of the session."""
        until, timer, clock = self.idle.until, self.idle.timer, self.setup.clock
        if until is None or timer is None:
            self.changed.wait()
        elif clock is None:
            self.changed.wait(max(0.0, self.deadline(until) - time.monotonic()))
            self.tick(until)
        elif clock.passes(self.deadline(until), timer):
            self.tick(until)
        else:
            self.changed.wait()

    def deadline(self, until: float) -> float:
        """Return when to tick for a deadline of the session."""
        return until

    def tick(self, until: float) -> None:
        """Tell the session that a deadline has passed."""
        if self.now() >= until:
            self.tell(Tick())

    def now(self) -> float:
        """Return the time."""
        return time.monotonic() if self.setup.clock is None else self.setup.clock.time()

    def call_back(self, delivery: Deliver) -> None:
        """Run a callback, without the lock."""
        self.delivery, self.in_callback = None, True
        error: Exception | None = None
        with self.unlocked():
            try:
                self.setup.on_event(delivery.event)
            except Exception as raised:  # noqa: BLE001 - the session decides what it means
                error = raised
        self.in_callback, self.handled = False, delivery.delivery
        self.tell(self.answer_of(delivery, error))

    def answer_of(self, delivery: Deliver, error: Exception | None) -> Handled:
        """Return what to tell the session of a callback."""
        return Handled(delivery.delivery, error)

    @contextmanager
    def unlocked(self) -> Generator[None, None, None]:
        """Release the lock for the length of a `with`."""
        self.changed.release()
        try:
            yield
        finally:
            self.changed.acquire()

    def tell(self, event: Input) -> None:
        """Give the session an input, and do what it says."""
        with self.changed:
            if self.closed:
                return
            self.session.handle(event, self.now())
            while not isinstance(output := self.session.poll(), Idle | Done):
                self.do(output)
            self.idle = output if isinstance(output, Idle) else Idle()
            self.changed.notify_all()

    def do(self, output: Output) -> None:
        """Do one thing that the session says."""
        match output:
            case Send(number, request):
                self.sockets[number] = None
                run = threading.Thread(target=self.exchange, args=(number, request), daemon=True)
                run.start()
            case Close(number):
                self.close_exchange(number)
            case Deliver():
                self.delivery, self.delivered = output, output.delivery
            case Notify(notice):
                with suppress(Exception):
                    self.setup.on_notice(notice)
            case Settle(operation, outcome):
                self.settle(operation, outcome)
            case Idle() | Done():
                pass
            case never:
                assert_never(never)

    def settle(self, operation: Operation, outcome: Outcome) -> None:
        """Let the callers of an operation go."""
        self.waiters.pop(operation).outcome = outcome
        if operation is Operation.FOLLOW:
            self.delivery = None

    def report(self, number: int, report: Responded | Received | Finished | Broken) -> bool:
        """Report what became of an exchange; False once it has been closed."""
        with self.changed:
            if number not in self.sockets:
                return False
            if isinstance(report, Finished | Broken):
                del self.sockets[number]
            before = self.delivered
            self.tell(report)
            if self.delivered != before:
                self.after_delivery()
            return number in self.sockets

    def after_delivery(self) -> None:
        """Read no further while a callback has yet to return."""
        while self.handled != self.delivered and self.waiters and not self.closed:
            self.changed.wait()
