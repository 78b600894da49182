"""The driver of one session: poll, act, feed back, on the threads that wait.

It knows which thread does what `poll` says. It refuses to know why any of it is done.

There is no thread of its own. Whoever waits for something takes a step of whatever there is to do:
run a callback (only who follows), carry an exchange on, or lead, which is to wait for sockets and
timers on behalf of all. The lock is held while the session is at work and never while a thread is
in a callback, in an exchange or asleep. An exchange belongs to nobody: the thread that ran it may
go away, and the next one takes it over where it was.
"""

import math
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from typing import Final, TypeAlias, assert_never

from attrs import define, field

from arkor_proto._errors import LocalProtocolError, TransportError
from arkor_proto._messages import (
    Abort,
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
    Leave,
    Notify,
    Operation,
    Outcome,
    Rejected,
    Report,
    Send,
    Settle,
    Start,
    Tick,
    Timer,
)
from arkor_proto._session import Session
from arkor_proto._table import Job
from arkor_proto._types import Notice, TrainingEvent
from arkor_proto.transports._blocking_clock import Clock, Watch, new_watch
from arkor_proto.transports._blocking_http import Connector, Need, Steps, resume
from arkor_proto.transports._blocking_shield import Shield, shielded
from arkor_proto.transports._callbacks import logger
from arkor_proto.transports._plain import AsyncCallbackError
from arkor_proto.transports._surface import CLOSED

CallBack: TypeAlias = Callable[[TrainingEvent], object]

_IMPERATIVES: Final[Mapping[Operation, Input]] = {
    Operation.START: Start(),
    Operation.FOLLOW: Follow(),
    Operation.CANCEL: Cancel(),
}


@define(eq=False)
class _Waiter:
    """Everyone who waits for the next settlement of one operation."""

    outcome: Outcome | None = None
    threads: int = 0


@define(eq=False)
class _Exchange:
    """An exchange under way: it can go on unless it has a need, or a thread is busy with it."""

    number: int
    steps: Steps
    need: Need | None = None
    busy: bool = False
    opened: bool = False
    late: bool = False


@define(eq=False)
class Driver:
    """Carries one session, for any number of threads."""

    session: Session
    clock: Clock
    connector: Connector
    call_back: CallBack
    announce: Callable[[Notice], object]
    busy: set["Driver"] = field(repr=False)
    """Where every driver is that has threads or exchanges, so that its client can close it."""
    _owner: int = field(init=False, factory=os.getpid)
    _shields: dict[int, Shield | None] = field(init=False, factory=dict[int, Shield | None])
    _turn: threading.Condition = field(init=False, factory=threading.Condition)
    _inbox: deque[Abort] = field(init=False, factory=deque[Abort])
    _now: float = field(init=False, default=-math.inf)
    _alarm: Idle = field(init=False, factory=Idle)
    _waiters: dict[Operation, _Waiter] = field(init=False, factory=dict[Operation, _Waiter])
    _exchanges: dict[int, _Exchange] = field(init=False, factory=dict[int, _Exchange])
    _notices: deque[Notice] = field(init=False, factory=deque[Notice])
    _delivery: Deliver | None = field(init=False, default=None)
    _delivered: int = field(init=False, default=0)
    _handled: int = field(init=False, default=0)
    _resting: int = field(init=False, default=0)
    _calling: int | None = field(init=False, default=None)
    _present: int = field(init=False, default=0)
    _watch: Watch | None = field(init=False, default=None)
    _leading: bool = field(init=False, default=False)
    _closed: bool = field(init=False, default=False)

    def operate(self, operation: Operation) -> Outcome:
        """Ask for `operation` and return its outcome; whoever asks meanwhile shares it.

        A thread that is interrupted leaves; when the last follower has left, so does the session.
        """
        with self._shielded(), self._turn, self._enlisted():
            if self.connector.closed:
                raise RuntimeError(CLOSED)
            if operation is Operation.FOLLOW and self._calling == threading.get_ident():
                raise LocalProtocolError(
                    "wait: called by one of its own callbacks, which it waits for; "
                    "calling it when the callback has returned would be right"
                )
            waiter = self._waiters.setdefault(operation, _Waiter())
            with self._presence(operation, waiter):
                self._tell(_IMPERATIVES[operation])
                while waiter.outcome is None or self._notices:
                    self._step(operation)
                return waiter.outcome

    def abort(self, reason: object) -> None:
        """Abort the follow. Takes no lock, so it may be called from a signal handler."""
        self._inbox.append(Abort(reason))
        self._ring()

    def close(self) -> None:
        """Settle whatever somebody still waits for: the client goes."""
        with self._turn:
            self._closed = True
            if self.session.job_state is Job.CREATING:
                logger.warning(
                    "the client was closed during a create: the backend may have the job"
                )
            for waiter in self._waiters.values():
                waiter.outcome = Rejected(TransportError("client: it was closed"))
            self._waiters.clear()
            for number in list(self._exchanges):
                self._drop(number)
            self._stir()

    @contextmanager
    def _shielded(self) -> Generator[None]:
        with shielded() as shield:
            me, before = threading.get_ident(), self._shields.get(threading.get_ident())
            self._shields[me] = shield or before
            try:
                yield
            finally:
                self._shields[me] = before
                if before is None:
                    del self._shields[me]

    @contextmanager
    def _enlisted(self) -> Generator[None]:
        self.busy.add(self)
        try:
            yield
        finally:
            if not self._present and not self._exchanges:
                self.busy.discard(self)

    @contextmanager
    def _presence(self, operation: Operation, waiter: _Waiter) -> Generator[None]:
        self._watch = self._watch or new_watch()
        self._present += 1
        waiter.threads += 1
        try:
            yield
        finally:
            self._present -= 1
            waiter.threads -= 1
            if operation is Operation.FOLLOW and not waiter.threads:
                self._leave()
            self._stir()
            if not self._present:
                self._watch.close()
                self._watch = None

    def _step(self, operation: Operation) -> None:
        """Do one thing that has to be done, or wait for somebody who does."""
        if self._owner != os.getpid():
            self._disown()
        ready = (each for each in self._exchanges.values() if self._can_go_on(each))
        if self._inbox:
            self._tell(Tick())
        elif self._notices:
            notice = self._notices.popleft()
            with self._released():
                self.announce(notice)
        elif operation is Operation.FOLLOW and self._delivery is not None:
            self._run_callback(self._delivery)
        elif (exchange := next(ready, None)) is not None:
            self._carry_on(exchange)
        elif not self._leading:
            self._lead()
        else:
            with self._lowered():
                self._turn.wait()

    def _disown(self) -> None:
        """Have every exchange find out that this is a forked child, where it cannot go on."""
        self._owner = os.getpid()
        for exchange in self._exchanges.values():
            exchange.need = None

    def _tell(self, event: Input) -> None:
        """Give the session an input, after the aborts that came before it, and do what it says."""
        if self._closed:
            self._inbox.clear()
            return
        self._now = max(self._now, self.clock.time())
        while self._inbox:
            self.session.handle(self._inbox.popleft(), self._now)
        self.session.handle(event, self._now)
        self._pump()
        self._stir()

    def _pump(self) -> None:
        while True:
            match self.session.poll():
                case Send(number, request):
                    steps = self.connector.steps(number, request)
                    self._exchanges[number] = _Exchange(number, steps)
                case Close(number):
                    self._drop(number)
                case Deliver(number, _) as delivery:
                    self._delivery, self._delivered = delivery, number
                case Notify(notice):
                    self._notices.append(notice)
                case Settle(operation, outcome):
                    # An abort and a wait that joined in the same breath settle one waiter twice.
                    if (waiter := self._waiters.pop(operation, None)) is not None:
                        waiter.outcome = outcome
                case Idle() as alarm:
                    self._alarm = alarm
                    return
                case Done():
                    self._alarm = Idle()
                    return
                case never:
                    assert_never(never)

    def _drop(self, number: int) -> None:
        exchange = self._exchanges.pop(number, None)
        if exchange is not None and not exchange.busy:
            exchange.steps.close()

    def _can_go_on(self, exchange: _Exchange) -> bool:
        return exchange.need is None and not exchange.busy and not self._rests(exchange)

    def _rests(self, exchange: _Exchange) -> bool:
        # The reader rests while the callback runs, so a slow callback slows the server.
        return exchange.number == self._resting and self._handled != self._delivered

    def _carry_on(self, exchange: _Exchange) -> None:
        """Let an exchange take one step, which belongs to this thread alone."""
        exchange.busy = True
        try:
            # The look-up of a name may take its time; nothing has been sent before.
            with self._released(shielded=exchange.opened):
                step = resume(exchange.steps, late=exchange.late)
        except BaseException:
            # Interrupted amid a step: nobody can tell any more what was read and what was not.
            if self._exchanges.pop(exchange.number, None) is not None:
                self._tell(Broken(exchange.number, TransportError("connection: interrupted")))
            raise
        exchange.busy, exchange.late, exchange.opened = False, False, True
        if exchange.number not in self._exchanges:
            exchange.steps.close()
        elif step is None:
            del self._exchanges[exchange.number]
        elif isinstance(step, Need):
            exchange.need = step
            self._stir()
        else:
            self._hear(exchange, step)

    def _hear(self, exchange: _Exchange, report: Report) -> None:
        if isinstance(report, Finished | Broken):
            # Whoever waited may leave now, and nobody might come to let the connection go.
            self._drop(exchange.number)
        before = self._delivered
        self._tell(report)
        if self._delivered != before:
            self._resting = exchange.number

    def _lead(self) -> None:
        """Wait for the sockets, for the next deadline, or until somebody rings."""
        waiting = {
            each.need: each
            for each in self._exchanges.values()
            if each.need is not None and not self._rests(each)
        }
        met = self._wait_for(list(waiting))
        for need, exchange in waiting.items():
            if need in met:
                exchange.need = None
            elif need.deadline is not None and need.deadline <= self._now:
                exchange.need, exchange.late = None, True
        if self._alarm.until is not None and self._alarm.until <= self._now:
            self._tell(Tick())

    def _wait_for(self, needs: list[Need]) -> list[Need]:
        watch = self._watch
        if watch is None:
            return []
        deadlines: list[tuple[float, Timer | None]] = [
            (need.deadline, None) for need in needs if need.deadline is not None
        ]
        if self._alarm.until is not None:
            deadlines.append((self._alarm.until, self._alarm.timer))
        first = min(deadlines, key=lambda each: each[0], default=(None, None))
        self._leading = True
        try:
            with self._released():
                met, rung = self.clock.wait(partial(watch.select, needs), *first)
        finally:
            self._leading = False
            self._turn.notify_all()
        # With nothing met and nobody calling, the wait can only have ended at its deadline.
        passed = -math.inf if met or rung or first[0] is None else first[0]
        self._now = max(self._now, passed, self.clock.time())
        return met

    def _run_callback(self, delivery: Deliver) -> None:
        self._delivery, self._calling = None, threading.get_ident()
        error: Exception | None = None
        try:
            with self._released():
                self.call_back(delivery.event)
        except AsyncCallbackError:
            self._calling = None
            self._give_back(delivery)  # it returned an awaitable: it has not run
            raise
        except Exception as raised:  # noqa: BLE001 - the session decides what it means
            error = raised
        except BaseException:
            self._calling = None
            self._give_back(delivery)
            raise
        self._calling = None
        self._handle(delivery, error)

    def _give_back(self, delivery: Deliver) -> None:
        """See that an event whose callback was interrupted is heard again, by whoever waits next."""
        self._delivery = delivery
        waiter = self._waiters.get(Operation.FOLLOW)
        if waiter is None or waiter.threads == 1:
            self._leave()

    def _leave(self) -> None:
        if Operation.FOLLOW in self._waiters:
            self._tell(Leave())
        if self._delivery is not None:
            delivery, self._delivery = self._delivery, None
            self._handle(delivery, None, heard=False)

    def _handle(self, delivery: Deliver, error: Exception | None, *, heard: bool = True) -> None:
        self._handled = delivery.delivery
        self._tell(Handled(delivery.delivery, error, heard=heard))

    @contextmanager
    def _released(self, *, shielded: bool = False) -> Generator[None]:
        self._turn.release()
        try:
            with nullcontext() if shielded else self._lowered():
                yield
        finally:
            self._turn.acquire()

    def _lowered(self) -> AbstractContextManager[None]:
        shield = self._shields.get(threading.get_ident())
        return nullcontext() if shield is None else shield.lowered()

    def _stir(self) -> None:
        """Have every other thread look again at what there is to do."""
        self._turn.notify_all()
        if self._leading:
            self._ring()

    def _ring(self) -> None:
        if (watch := self._watch) is not None:
            watch.ring()
