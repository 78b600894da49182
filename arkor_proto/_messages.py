"""What goes into a session and what comes out of it: two closed unions.

Exchanges and deliveries are numbers, counted from 1. All messages are frozen but for the three of
which there is one for each frame: making a frozen value takes five times as long.
"""

from enum import Enum
from typing import TypeAlias

from attrs import define, field, frozen

from arkor_proto._secrets import headers_repr
from arkor_proto._types import (
    Headers,
    Notice,
    Request,
    TrainingEvent,
    TrainingResult,
)
from arkor_proto._value import Value


class Start(Value):
    """Submit the job, unless that has been done."""

    __slots__ = ()


class Follow(Value):
    """Wait for the job's result; submits the job first where that has not been done."""

    __slots__ = ()


class Leave(Value):
    """Stop waiting without prejudice: a later `Follow` goes on at the cursor."""

    __slots__ = ()


class Cancel(Value):
    """Ask the backend to stop the job."""

    __slots__ = ()


@frozen(repr=False, eq=False)
class Abort(Value):
    """Stop waiting for good. The backend hears nothing of it."""

    reason: object = None


@frozen(repr=False, eq=False)
class Responded(Value):
    """The head of a response arrived; interim (1xx) responses are the driver's own affair."""

    exchange: int
    status: int
    headers: Headers = field(default=(), repr=headers_repr)


@define(repr=False, eq=False)
class Received(Value):
    """Bytes of a response's body arrived, with the transfer coding taken off."""

    exchange: int
    data: bytes = field(repr=lambda data: f"<{len(data)} bytes>")


@frozen(repr=False, eq=False)
class Finished(Value):
    """A response's body ended as its framing promised."""

    exchange: int


@frozen(repr=False, eq=False)
class Broken(Value):
    """The exchange failed: no connection, a lost one, or bytes that are not HTTP.

    With `final=True` another attempt would not help: a wait ends with `error` itself.
    """

    exchange: int
    error: Exception
    final: bool = field(default=False, kw_only=True)


@define(repr=False, eq=False)
class Handled(Value):
    """The application is done with an event; `error` is what its callback raised.

    With `heard=False` no callback was called: the cursor goes back to before the event, so that the
    next stream brings it again.
    """

    delivery: int
    error: Exception | None = None
    heard: bool = field(default=True, kw_only=True)


class Tick(Value):
    """Time has passed. Early ticks change nothing."""

    __slots__ = ()


Report: TypeAlias = Responded | Received | Finished | Broken
"""What the network says of an exchange."""

Input: TypeAlias = Start | Follow | Leave | Cancel | Abort | Report | Handled | Tick


class Operation(Enum):
    """What the application can ask for and wait for."""

    START = "start"
    FOLLOW = "follow"
    CANCEL = "cancel"


@frozen(repr=False, eq=False)
class Accepted(Value):
    """Start: the backend has accepted the job."""

    job_id: str


@frozen(repr=False, eq=False)
class Resolved(Value):
    """Follow: the job is over."""

    result: TrainingResult


class CancelSent(Value):
    """Cancel: the backend has answered 2xx."""

    __slots__ = ()


class NothingToCancel(Value):
    """Cancel: there is no job, and no request was sent."""

    __slots__ = ()


@frozen(repr=False, eq=False)
class Rejected(Value):
    """Any operation: it failed with `error`."""

    error: Exception


Outcome: TypeAlias = Accepted | Resolved | CancelSent | NothingToCancel | Rejected


class Timer(Enum):
    """What a deadline is for."""

    RECONNECT = "reconnect"
    IDLE = "idle"
    ANSWER = "answer"


@frozen(repr=False, eq=False)
class Send(Value):
    """Send `request` and report what becomes of it as `exchange`."""

    exchange: int
    request: Request


@frozen(repr=False, eq=False)
class Close(Value):
    """Close the connection of `exchange`; whatever it still says is ignored."""

    exchange: int


@define(repr=False, eq=False)
class Deliver(Value):
    """Hand `event` to the application and report `Handled(delivery, …)` when it is done."""

    delivery: int
    event: TrainingEvent


@frozen(repr=False, eq=False)
class Notify(Value):
    """Tell the application; nothing is expected back."""

    notice: Notice


@frozen(repr=False, eq=False)
class Settle(Value):
    """`operation` is over, for everyone who asked for it since it was settled last."""

    operation: Operation
    outcome: Outcome


@frozen(repr=False, eq=False)
class Idle(Value):
    """Nothing to do before the next input, or before `until` when that is not None."""

    until: float | None = None
    timer: Timer | None = None


class Done(Value):
    """Nothing is under way: only a new imperative of the application can change anything."""

    __slots__ = ()


Output: TypeAlias = Send | Close | Deliver | Notify | Settle | Idle | Done
