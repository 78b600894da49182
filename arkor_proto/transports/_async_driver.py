"""The driver of one session: it passes inputs to the session and acts on the outputs.

Exchanges and timers are tasks of the client. An open stream, however, is read by the tasks that
follow the job, one at a time: a task reads, runs the callbacks for what it has read, and reads on.
As a result, a slow callback slows the server down, and no event has to be passed to another task,
which would cost an extra turn of the event loop.
"""

import math
from collections.abc import Callable
from inspect import isawaitable
from time import monotonic
from types import CoroutineType
from typing import Final, Protocol, TypeAlias, assert_never

import anyio
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint, checkpoint_if_cancelled
from attrs import define, field

from arkor_proto._errors import LocalProtocolError, TransportError
from arkor_proto._messages import (
    Broken,
    Close,
    Deliver,
    Done,
    Follow,
    Handled,
    Idle,
    Input,
    Leave,
    Notify,
    Operation,
    Outcome,
    Output,
    Received,
    Rejected,
    Report,
    Send,
    Settle,
    Tick,
    Timer,
)
from arkor_proto._session import Session
from arkor_proto._table import Job, Stream
from arkor_proto._types import Notice, Request, TrainingEvent
from arkor_proto.transports._async_http import Connector, Exchange
from arkor_proto.transports._callbacks import logger
from arkor_proto.transports._surface import CLOSED

_IN_A_ROW: Final = 32
CallBack: TypeAlias = Callable[[TrainingEvent], object]
"""Calls the hook for an event and returns its result, which is awaited if it is awaitable."""


class Clock(Protocol):
    """A monotonic clock, in seconds."""

    def time(self) -> float:
        """Return the current time."""
        ...

    async def sleep_until(self, deadline: float, timer: Timer) -> None:
        """Return at `deadline`; `timer` says what the deadline is for."""
        ...


class MonotonicClock:
    """The system's monotonic clock, which is cheaper to read than the event loop's."""

    time: "staticmethod[[], float]" = staticmethod(monotonic)

    async def sleep_until(self, deadline: float, timer: Timer) -> None:  # noqa: ARG002 - a hook for other clocks
        """Return at `deadline`."""
        await anyio.sleep(max(0.0, deadline - monotonic()))


@define
class Waiter:
    """Lets any number of tasks wait for the outcome of one operation."""

    outcome: Outcome | None = None
    done: anyio.Event = field(factory=anyio.Event)

    @property
    def settled(self) -> Outcome:
        """The outcome of the operation, which must have settled."""
        assert self.outcome is not None, "the outcome must not be read before the operation settles"
        return self.outcome

    def settle(self, outcome: Outcome) -> None:
        """Record `outcome` and wake every waiting task."""
        self.outcome = outcome
        self.done.set()


@define
class _Alarm:
    """A deadline of the session, and the task that waits for it."""

    until: float
    timer: Timer
    scope: anyio.CancelScope = field(factory=anyio.CancelScope)


@define(eq=False)
class _OpenStream:
    """An open stream, read by one follower at a time; `over` is set when it ends."""

    exchange: Exchange
    over: anyio.Event = field(factory=anyio.Event)
    reading: anyio.CancelScope | None = None
    """Set while a task is reading, and cancelled to make that task look for something else to do."""


@define(eq=False)
class Driver:
    """Drives one session. All methods must be called in the event loop's thread."""

    session: Session
    clock: Clock
    connector: Connector
    tasks: TaskGroup
    call_back: CallBack
    announce: Callable[[Notice], None]
    _now: float = field(init=False, default=-math.inf)
    _waiters: dict[Operation, Waiter] = field(init=False, factory=dict[Operation, Waiter])
    _scopes: dict[int, anyio.CancelScope] = field(init=False, factory=dict[int, anyio.CancelScope])
    _delivery: Deliver | None = field(init=False, default=None)
    _stream: _OpenStream | None = field(init=False, default=None)
    _others_first: bool = field(init=False, default=False)
    """Whether other tasks get a turn before the next event is delivered."""
    _following: set[int] = field(init=False, factory=set[int])
    """The ids of the tasks and iterators that follow the job."""
    _closed: bool = field(init=False, default=False)
    _news: anyio.Event | None = field(init=False, default=None)
    _alarm: _Alarm | None = field(init=False, default=None)

    def tell(self, event: Input) -> None:
        """Give the session an input and act on the session's outputs.

        If the client was closed, do nothing.
        """
        if self._closed:
            return
        self._now = max(self._now, self.clock.time())
        self._pump(self.session.step(event, self._now))

    async def operate(self, operation: Operation, imperative: Input) -> Outcome:
        """Request `operation` and return its outcome, which concurrent callers share."""
        self._check_open()
        waiter = self._waiters.setdefault(operation, Waiter())
        self.tell(imperative)
        while waiter.outcome is None:
            await waiter.done.wait()
        return waiter.outcome

    async def follow(self) -> Outcome:
        """Follow the job, running its callbacks in this task, until the follow is settled.

        If this task is cancelled, it stops following. The session stops once no follower is left.
        """
        task = anyio.get_current_task().id
        waiter = self.join(task)
        try:
            while (delivery := await self.next_delivery(waiter)) is not None:
                await self._run_callbacks(delivery)
            return waiter.settled
        finally:
            self.part(task)

    def join(self, who: int) -> Waiter:
        """Add `who`, the id of a task or an iterator, to the followers; `part` removes it."""
        self._check_open()
        if who in self._following:
            raise LocalProtocolError(
                "wait() was called from one of its own callbacks and would deadlock; "
                "call it after the callback returns"
            )
        waiter = self._waiters.setdefault(Operation.FOLLOW, Waiter())
        self._following.add(who)
        try:
            self.tell(Follow())
        except BaseException:
            self.part(who)
            raise
        return waiter

    def part(self, who: int, in_hand: Deliver | None = None) -> None:
        """Remove the follower `who`; an event that it has in hand (`in_hand`) is delivered again."""
        self._following.remove(who)
        if in_hand is not None and not self._closed:
            self._delivery = in_hand
        if self._following:
            self._tell_news()  # another follower takes the event, or continues reading
            return
        self._leave()
        if self._delivery is not None:
            delivery, self._delivery = self._delivery, None
            self.hand_back(delivery, None, heard=False)

    async def next_delivery(self, waiter: Waiter) -> Deliver | None:
        """Return the next event to deliver, or None once the follow is settled."""
        while waiter.outcome is None:
            if self._delivery is None:
                if not await self._read_on():
                    self._news = self._news or anyio.Event()
                    await self._news.wait()
            elif self._others_first:
                self._others_first = False
                await checkpoint()  # another task may end the follow, or take the event
            else:
                delivery, self._delivery = self._delivery, None
                return delivery
        return None

    async def _read_on(self) -> bool:
        """Pass the stream's next report to the session; return whether there was a stream to read.

        The followers read the stream themselves: with a separate reading task, each event would
        cost one more turn of the event loop.
        """
        stream = self._stream
        ready = self.session.stream_state is Stream.STREAMING  # no callback is running
        if stream is None or stream.reading is not None or not ready:
            return False
        report: Report | None = None
        with anyio.CancelScope() as scope:
            stream.reading = scope
            try:
                report = await stream.exchange.next_report()
            except BaseException:
                stream.reading = None
                self._tell_news()  # if this task is cancelled, another one continues reading
                raise
            stream.reading = None
        if scope.cancelled_caught:
            return True
        if not isinstance(report, Received):
            stream.over.set()
        if report is not None:
            self.tell(report)
        return True

    def close(self) -> None:
        """Reject every pending operation, because the client has been closed."""
        self._closed = True
        if self.session.job_state is Job.CREATING:
            logger.warning(
                "the client was closed while creating a job: the backend may have created the job"
            )
        for waiter in self._waiters.values():
            waiter.settle(Rejected(TransportError("the client was closed")))
        self._tell_news()

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError(CLOSED)

    async def _run_callbacks(self, delivery: Deliver | None) -> None:
        """Run the callback for an event, then for each event that is ready when it returns."""
        while delivery is not None:
            error: Exception | None = None
            try:
                returned = self.call_back(delivery.event)
                if type(returned) is CoroutineType or (
                    returned is not None and isawaitable(returned)
                ):
                    await returned
            except Exception as raised:  # noqa: BLE001 - the session decides what it means
                error = raised
            except BaseException:
                self._give_back(delivery)
                raise
            delivery = self.hand_back(delivery, error)

    def _give_back(self, delivery: Deliver) -> None:
        """Deliver the event of a cancelled callback again, to another or a later follower."""
        if len(self._following) > 1 and Operation.FOLLOW in self._waiters:
            self._delivery = delivery
            self._tell_news()
        else:
            self._leave()
            self.hand_back(delivery, None)

    def _leave(self) -> None:
        if Operation.FOLLOW in self._waiters:
            self.tell(Leave())

    def hand_back(
        self, delivery: Deliver, error: Exception | None, *, heard: bool = True
    ) -> Deliver | None:
        """Report that an event was handled; return the next one if it is ready."""
        if not self._closed:
            now = self.clock.time()
            if now > self._now:  # noqa: PLR1730 - a comparison costs less than a call of max()
                self._now = now
            if error is None and heard:
                output = self.session.handled(delivery.delivery, self._now)
            else:
                handled = Handled(delivery.delivery, error, heard=heard)
                output = self.session.step(handled, self._now)
            if type(output) is Deliver:  # the last output before `Idle`, so no other one follows
                if output.delivery % _IN_A_ROW:
                    return output
                self._others_first = True
            self._pump(output)
        return None

    def _pump(self, output: Output) -> None:
        """Act on the session's outputs, starting with `output`, until there are no more."""
        while True:
            match output:
                case Deliver():
                    self._delivery = output
                    self._tell_news()
                case Idle():
                    self._set_alarm(output.until, output.timer)
                    return
                case Send(exchange, request):
                    scope = self._scopes[exchange] = anyio.CancelScope()
                    self.tasks.start_soon(self._exchange, exchange, request, scope)
                case Close(exchange):
                    if (open_scope := self._scopes.get(exchange)) is not None:
                        open_scope.cancel()
                case Notify(notice):
                    self.announce(notice)
                case Settle(operation, outcome):
                    self._waiters.pop(operation).settle(outcome)
                    self._tell_news()
                case Done():
                    self._silence_alarm()
                    return
                case never:
                    assert_never(never)
            output = self.session.poll()

    def _tell_news(self) -> None:
        """Wake every task that waits for an event, including the one that is reading the stream."""
        if self._news is not None:
            self._news.set()
            self._news = None
        if self._stream is not None and self._stream.reading is not None:
            self._stream.reading.cancel()

    async def _exchange(self, number: int, request: Request, scope: anyio.CancelScope) -> None:
        try:
            with scope:
                await self.connector.run(number, request, self._carry, self.session.hide)
        except anyio.get_cancelled_exc_class() as error:
            await checkpoint_if_cancelled()
            # Something that a token provider awaits was cancelled, but not this task.
            cancelled = RuntimeError(
                "token provider: an operation that it was awaiting was cancelled"
            )
            cancelled.__cause__ = error
            self.tell(Broken(number, cancelled, final=True))
        finally:
            del self._scopes[number]

    async def _carry(self, exchange: Exchange) -> None:
        """Pass an exchange's reports to the session, but leave an open stream to the followers."""
        while (report := await exchange.next_report()) is not None:
            opening = self.session.stream_state is Stream.OPENING
            self.tell(report)
            if opening and self.session.stream_state is Stream.STREAMING:
                await self._lend(exchange)

    async def _lend(self, exchange: Exchange) -> None:
        """Let the followers read an open stream until it ends."""
        self._tell_news()  # nothing more is read from the previous stream
        stream = self._stream = _OpenStream(exchange)
        try:
            await stream.over.wait()
        finally:
            if self._stream is stream:
                self._stream = None

    def _set_alarm(self, until: float | None, timer: Timer | None) -> None:
        """Set an alarm for the session's next deadline, `until`.

        An existing alarm for a silent stream is kept unless it would go off too late: an early
        alarm does no harm, and a new one for each frame would be expensive.
        """
        alarm = self._alarm
        if alarm is not None:
            if alarm.timer is Timer.IDLE and timer in {None, Timer.IDLE}:
                kept = until is None or alarm.until <= until
            else:
                kept = alarm.timer is timer and alarm.until == until
            if kept:
                return
            self._silence_alarm()
        if until is not None and timer is not None:
            self._alarm = _Alarm(until, timer)
            self.tasks.start_soon(self._sleep, self._alarm)

    def _silence_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.scope.cancel()
            self._alarm = None

    async def _sleep(self, alarm: _Alarm) -> None:
        with alarm.scope:
            await self.clock.sleep_until(alarm.until, alarm.timer)
        if self._alarm is alarm:
            self._alarm = None
            self._now = max(self._now, alarm.until)  # an alarm may go off slightly early
            self.tell(Tick())
