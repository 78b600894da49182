"""The driver of one session: it passes inputs to the session and acts on the outputs.

Theory of operation
-------------------
*Threads.* A call such as `wait` is a waiter: it sleeps in the caller's thread until there is
something for it to do. Each request has its own thread, which connects, sends and reads, and ends
with the response. There are no other threads. All threads take turns giving inputs to the session:
the exchange threads give it reports; the waiters give it requests, `Tick` and `Handled`.

*The lock* protects the session and every field of the driver. It is held while the session works,
and released while a thread sleeps or runs the application's code. Bytes are read with the lock
held, so any that the session has not seen are still in the kernel. Before an idle timer fires, the
driver checks for such bytes.

*Division of work.* `_todo` returns what a waiter has to do next: report a notice, return its
outcome, run the callback of an event (followers only), or sleep. The first waiter that is not in
the application's code sleeps until the session's next deadline, the others until they are woken. A
follower that has run a callback tells the session so directly, and continues with the next event
of the same read, without involving another thread. Meanwhile the exchange that received the
event pauses, so that a slow callback slows the server down; other exchanges continue.

*Waking up.* Each change ends with a call to `_wake`, which wakes every waiter that now has
something to do, and a paused exchange once no event is left. `abort` only queues its input and
wakes the waiters: it takes no lock, so a signal handler may call it.

*Interrupts.* A signal handler may raise an exception in the main thread at any moment. The shield
holds signals back until the thread sleeps or runs a callback, when the lock is free and all state
is consistent. The state is in the driver's fields and not on the thread's stack, so a waiter can
leave at any such moment: an event whose callback has not returned goes to another follower, or back
to the session.

*Forks.* Threads do not survive a fork, and one of them may hold the lock. If a client was waiting
when the process forked, every call in the child raises an error before it takes a lock or touches
a socket.

*At exit* no thread can be started on Python 3.12. The latest waiter then runs an exchange that has
no thread, step by step; during that time it does not notice an abort.
"""

import math
import os
import threading
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Final, TypeAlias, assert_never

from attrs import define, field

from arkor_proto import _messages as msg
from arkor_proto._errors import LocalProtocolError, TransportError
from arkor_proto._session import Session
from arkor_proto._table import Job
from arkor_proto._types import Notice, TrainingEvent
from arkor_proto.transports._blocking_clock import Bell
from arkor_proto.transports._blocking_http import FORKED, Connector, Exchange, start_thread
from arkor_proto.transports._blocking_shield import Shield
from arkor_proto.transports._callbacks import logger
from arkor_proto.transports._plain import AsyncCallbackError

_REST: Final = msg.Idle()
_Act: TypeAlias = msg.Send | msg.Close | msg.Notify | msg.Settle | msg.Idle | msg.Done
_Todo: TypeAlias = msg.Deliver | msg.Idle | msg.Notify | Exchange | msg.Outcome
"""What a waiter has to do next; if this is an `Outcome`, the waiter returns it."""


@define(eq=False)
class Waiter:
    """A call that waits for the outcome of its operation."""

    operation: msg.Operation
    thread: int = field(factory=threading.get_ident)
    bell: Bell = field(factory=Bell)
    outcome: msg.Outcome | None = None
    asleep: msg.Idle | None = None
    """What the waiter is sleeping for; None while it is awake or running the application's code."""


@define(eq=False)
class Driver:
    """Drives one session on behalf of any number of threads."""

    session: Session
    connector: Connector
    call_back: Callable[[TrainingEvent], object]
    announce: Callable[[Notice], object]
    _owner: int = field(init=False, factory=os.getpid)
    _lock: threading.Lock = field(init=False, factory=threading.Lock)
    _now: float = field(init=False, default=-math.inf)
    _alarm: msg.Idle = field(init=False, factory=msg.Idle)
    _aborts: deque[msg.Abort] = field(init=False, factory=deque[msg.Abort])
    _waiters: list[Waiter] = field(init=False, factory=list[Waiter])
    _exchanges: dict[int, Exchange] = field(init=False, factory=dict[int, Exchange])
    _resting: Exchange | None = field(init=False, default=None)
    _notices: deque[msg.Notify] = field(init=False, factory=deque[msg.Notify])
    _delivery: msg.Deliver | None = field(init=False, default=None)
    """The event that has not been handled yet: a follower has it or is about to take it."""
    _calling: Waiter | None = field(init=False, default=None)
    """The follower that is running the callback for `_delivery`."""
    _failure: Exception | None = field(init=False, default=None)
    """The error that stopped the driver."""

    def operate(self, operation: msg.Operation, asking: msg.Input) -> msg.Outcome:
        """Request `operation` and return its outcome, which concurrent callers share.

        If a thread is interrupted, only that thread stops waiting. When the last follower leaves,
        the session stops following.
        """
        with Shield() as shield:
            waiter = self.join(operation)
            try:
                todo = self.proceed(waiter, asking, shield)
                while isinstance(todo, msg.Deliver):
                    self._run_callbacks(todo, shield)
                    todo = self.proceed(waiter, None, shield)
                return todo
            finally:
                self.leave(waiter)

    def proceed(
        self, waiter: Waiter, event: msg.Input | None, shield: Shield
    ) -> msg.Deliver | msg.Outcome:
        """Give the session an input, if any; return the waiter's next event, or its outcome."""
        while True:
            todo, event = self._next(waiter, event), None
            match todo:
                case msg.Idle(until, timer):
                    wait = partial(self.connector.clock.wait, waiter.bell.wait, until)
                    if not shield.outside(wait, timer):
                        event = msg.Tick()
                case msg.Notify(notice):
                    shield.outside(self.announce, notice)
                case Exchange():
                    self._step(todo, shield)
                case _:
                    return todo

    def abort(self, reason: object) -> None:
        """Stop following. This takes no lock, so it may be called from a signal handler."""
        self._aborts.append(msg.Abort(reason))
        for waiter in list(self._waiters):
            waiter.bell.ring()

    def close(self) -> None:
        """End every pending and later operation with an error, because the client is closed."""
        with Shield(), self._lock:
            if self.session.job_state is Job.CREATING:
                logger.warning(
                    "the client was closed while creating a job: the backend may have created the job"
                )
            self._fail(TransportError("the client was closed"))

    def join(self, operation: msg.Operation) -> Waiter:
        """Add a waiter for the outcome of `operation`; `leave` removes it."""
        self.connector.check_usable()
        if self._owner != os.getpid():  # a thread of the parent may have held the old lock
            self._owner, self._lock = os.getpid(), threading.Lock()
        waiter = Waiter(operation)
        with self._lock:
            if self._failure is not None:
                raise self._failure
            calling = self._calling
            if operation is msg.Operation.FOLLOW and calling and calling.thread == waiter.thread:
                raise LocalProtocolError(
                    "wait() was called from one of its own callbacks and would deadlock; "
                    "call it after the callback returns"
                )
            self._waiters.append(waiter)
            self.connector.busy.add(self.close)
        return waiter

    def _next(self, waiter: Waiter, event: msg.Input | None) -> _Todo:
        """Give the session a waiter's input, if any, and return what the waiter has to do next."""
        if self.connector.forked:
            raise RuntimeError(FORKED)
        with self._lock:
            slept = waiter.asleep
            if slept is not None:
                waiter.bell.clear()
            if isinstance(event, msg.Handled):
                self._delivery = None
            if isinstance(event, msg.Tick) and slept is not None:
                self._tick(slept)
            elif event is not None or self._aborts:
                self._feed(event or msg.Tick())
            todo = self._todo(waiter)
            waiter.asleep = todo if isinstance(todo, msg.Idle) else None
            if isinstance(todo, msg.Notify):
                self._notices.popleft()
            if isinstance(todo, msg.Deliver) or self._calling is waiter:
                self._calling = waiter if isinstance(todo, msg.Deliver) else None
            self._wake()
            return todo

    def _todo(self, waiter: Waiter) -> _Todo:
        if self._notices:
            return self._notices[0]
        if waiter.outcome is not None:
            return waiter.outcome
        free = self._calling is None or self._calling is waiter
        if self._delivery is not None and free and waiter.operation is msg.Operation.FOLLOW:
            return self._delivery
        if waiter is self._waiters[-1]:
            for exchange in self._exchanges.values():
                if exchange.threadless:
                    return exchange
        keeper = next(each for each in self._waiters if each is waiter or each.asleep is not None)
        return self._alarm if keeper is waiter else msg.Idle()

    def _tick(self, alarm: msg.Idle) -> None:
        """Tell the session that `alarm` is due, unless it is an idle alarm and bytes are unread."""
        self._now = max(self._now, -math.inf if alarm.until is None else alarm.until)
        if alarm.timer is msg.Timer.IDLE and any(each.unread for each in self._exchanges.values()):
            self._alarm = msg.Idle()  # a thread is about to read, and then sets another alarm
        else:
            self._feed(msg.Tick())

    def _run_callbacks(self, delivery: msg.Deliver | None, shield: Shield) -> None:
        """Run the callback for an event, then for each event that is ready when it returns."""
        while delivery is not None:
            try:
                handled: msg.Handled | None = None
                if self._aborts:  # an abort arrived at the last moment
                    handled = msg.Handled(delivery.delivery, heard=False)
                else:
                    shield.outside(self.call_back, delivery.event)
            except Exception as error:
                if error is shield.raised or isinstance(error, AsyncCallbackError):
                    raise  # the callback was interrupted, or did not run
                handled = msg.Handled(delivery.delivery, error)
            if self._owner != os.getpid():
                raise RuntimeError(FORKED)
            with self._lock:
                self._delivery = None
                self._feed(delivery if handled is None else handled)
                delivery = None if self._notices or self._aborts else self._delivery

    def leave(self, waiter: Waiter) -> None:
        """Stop waiting; an event that the waiter has not handled is delivered again."""
        if self.connector.forked:
            return
        with self._lock:
            self._waiters.remove(waiter)
            if self._calling is waiter:
                self._calling = None
            if waiter.operation is msg.Operation.FOLLOW and not self._waiting(waiter.operation):
                if waiter.outcome is None:
                    self._feed(msg.Leave())
                if self._delivery is not None and self._calling is None:
                    unheard, self._delivery = self._delivery, None
                    self._feed(msg.Handled(unheard.delivery, heard=False))
            self._wake()

    def _waiting(self, for_: msg.Operation) -> list[Waiter]:
        return [each for each in self._waiters if each.operation is for_ and each.outcome is None]

    def _feed(self, event: msg.Input | msg.Deliver) -> None:
        """Give the session an input, after any queued aborts, and act on the session's outputs.

        If the input is a `Deliver`, it reports that the event in it has been handled.
        """
        if self._failure is not None:
            return
        try:
            now = self.connector.clock.time()
            if now > self._now:  # noqa: PLR1730 - a comparison costs less than a call of max()
                self._now = now
            while self._aborts:
                self.session.handle(self._aborts.popleft(), self._now)
            if isinstance(event, msg.Deliver):
                output = self.session.handled(event.delivery, self._now)
            else:
                output = self.session.step(event, self._now)
            while not isinstance(output, msg.Deliver):
                if not self._act(output):
                    return
                output = self.session.poll()
            self._delivery, self._alarm = output, _REST  # an event is the last output
        except BaseException as error:
            self._fail(error)
            raise

    def _act(self, output: _Act) -> bool:
        """Act on an output of the session; return whether more outputs may follow."""
        match output:
            case msg.Idle() | msg.Done():
                self._alarm = output if isinstance(output, msg.Idle) else msg.Idle()
                return False
            case msg.Send(number, request):
                self._send(Exchange(self.connector, number, request))
            case msg.Close(number):
                self._drop(number)
            case msg.Notify():
                self._notices.append(output)
            case msg.Settle(operation, outcome):
                for waiter in self._waiting(operation):
                    waiter.outcome = outcome
            case never:
                assert_never(never)
        return True

    def _send(self, exchange: Exchange) -> None:
        self._exchanges[exchange.number] = exchange
        name = f"arkor-exchange-{exchange.number}"
        exchange.threadless = not start_thread(partial(self._carry, exchange), name)

    def _wake(self) -> None:
        """Wake every sleeping or paused thread that has something to do."""
        if self._resting is not None and self._delivery is None:
            rested, self._resting = self._resting, None
            rested.bell.ring()
        for each in self._waiters:
            if each.asleep is not None and self._todo(each) != each.asleep:
                each.bell.ring()
        if not self._waiters and not self._exchanges:
            self.connector.busy.discard(self.close)

    def _carry(self, exchange: Exchange) -> None:
        """Run an exchange; this is the main function of its thread."""
        try:
            while self._step(exchange, Shield()):
                pass
        except BaseException as error:  # noqa: BLE001 - every waiter gets it
            with self._lock:
                self._fail(error)
        finally:
            exchange.close()

    def _step(self, exchange: Exchange, shield: Shield) -> bool:
        """Wait for an exchange's reports and pass them on; return whether more may follow."""
        shield.outside(exchange.wait, math.inf)
        while self._resting is exchange:  # until the callback has returned
            exchange.bell.wait(None)
        with self._lock:
            before = self._delivery
            exchange.tell_tokens(self.session.hide)
            reports = exchange.read() if exchange.number in self._exchanges else []
            if exchange.over:
                exchange.close()  # the caller may reuse the connection for its next request
            for event in reports or (msg.Tick(),):
                if exchange.number in self._exchanges:
                    self._feed(event)
            if exchange.over:
                self._exchanges.pop(exchange.number, None)
            if self._delivery is not before:
                self._resting = exchange
            self._wake()
            return exchange.number in self._exchanges

    def _drop(self, number: int) -> None:
        if (exchange := self._exchanges.pop(number, None)) is not None:
            if self._resting is exchange:
                self._resting = None
            exchange.stop()
            if exchange.threadless:
                exchange.close()

    def _fail(self, error: BaseException) -> None:
        """End all current and future operations with `error`."""
        if not isinstance(error, Exception):
            error = TransportError(f"trainer: stopped by {error!r}; attach a new trainer")
        self._failure = self._failure or error
        for waiter in self._waiters:
            waiter.outcome = waiter.outcome or msg.Rejected(self._failure)
        for number in list(self._exchanges):
            self._drop(number)
        self._notices.clear()
        self._wake()
