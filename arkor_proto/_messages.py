"""The inputs and the outputs of a session, each a closed union.

Exchanges and deliveries are numbered from 1. All messages are frozen except the three that are
created for every frame, because creating a frozen value takes five times as long.
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
    """Submit the job, unless it has been submitted already."""

    __slots__ = ()


class Follow(Value):
    """Wait for the job's result, submitting the job first if necessary."""

    __slots__ = ()


class Leave(Value):
    """Stop waiting for now: a later `Follow` resumes from the cursor."""

    __slots__ = ()


class Cancel(Value):
    """Ask the backend to stop the job."""

    __slots__ = ()


@frozen(repr=False, eq=False)
class Abort(Value):
    """Stop waiting for good. Nothing is sent to the backend."""

    reason: object = None


@frozen(repr=False, eq=False)
class Responded(Value):
    """The head of a response arrived. The driver handles interim (1xx) responses itself."""

    exchange: int
    status: int
    headers: Headers = field(default=(), repr=headers_repr)


@define(repr=False, eq=False)
class Received(Value):
    """Bytes of a response's body arrived, with the transfer coding removed."""

    exchange: int
    data: bytes = field(repr=lambda data: f"<{len(data)} bytes>")


@frozen(repr=False, eq=False)
class Finished(Value):
    """A response's body ended cleanly, according to its framing."""

    exchange: int


@frozen(repr=False, eq=False)
class Broken(Value):
    """The exchange failed: the connection was not made or was lost, or the bytes were not HTTP.

    `final=True` means that another attempt would not help, so a follow ends with `error`.
    """

    exchange: int
    error: Exception
    final: bool = field(default=False, kw_only=True)


@define(repr=False, eq=False)
class Handled(Value):
    """The application has finished with an event; `error` is what its callback raised.

    `heard=False` means that no callback was called: the cursor is set back to where it was before
    the event, so that the next stream delivers the event again.
    """

    delivery: int
    error: Exception | None = None
    heard: bool = field(default=True, kw_only=True)


class Tick(Value):
    """Time has passed. A tick before any deadline has no effect."""

    __slots__ = ()


Report: TypeAlias = Responded | Received | Finished | Broken
"""What a driver can report about an exchange."""

Input: TypeAlias = Start | Follow | Leave | Cancel | Abort | Report | Handled | Tick


class Operation(Enum):
    """What the application can request and wait for."""

    START = "start"
    FOLLOW = "follow"
    CANCEL = "cancel"


@frozen(repr=False, eq=False)
class Accepted(Value):
    """Outcome of a start: the backend accepted the job."""

    job_id: str


@frozen(repr=False, eq=False)
class Resolved(Value):
    """Outcome of a follow: the job has ended."""

    result: TrainingResult


class CancelSent(Value):
    """Outcome of a cancel: the backend's response has a 2xx status."""

    __slots__ = ()


class NothingToCancel(Value):
    """Outcome of a cancel: there is no job, so no request was sent."""

    __slots__ = ()


@frozen(repr=False, eq=False)
class Rejected(Value):
    """Outcome of any operation: it failed with `error`."""

    error: Exception


Outcome: TypeAlias = Accepted | Resolved | CancelSent | NothingToCancel | Rejected


class Timer(Enum):
    """What a deadline is for."""

    RECONNECT = "reconnect"
    IDLE = "idle"
    ANSWER = "answer"


@frozen(repr=False, eq=False)
class Send(Value):
    """Send `request`; reports about it must carry the number `exchange`."""

    exchange: int
    request: Request


@frozen(repr=False, eq=False)
class Close(Value):
    """Close the connection of `exchange`; any further reports about the exchange are ignored."""

    exchange: int


@define(repr=False, eq=False)
class Deliver(Value):
    """Hand `event` to the application, then report `Handled(delivery, …)`."""

    delivery: int
    event: TrainingEvent


@frozen(repr=False, eq=False)
class Notify(Value):
    """Pass `notice` to the application; no reply is expected."""

    notice: Notice


@frozen(repr=False, eq=False)
class Settle(Value):
    """`operation` has ended for every caller that has requested it since it was last settled."""

    operation: Operation
    outcome: Outcome


@frozen(repr=False, eq=False)
class Idle(Value):
    """There is nothing to do until the next input or, if `until` is not None, until that time."""

    until: float | None = None
    timer: Timer | None = None


class Done(Value):
    """Nothing is in progress, and nothing will happen until the application requests something."""

    __slots__ = ()


Output: TypeAlias = Send | Close | Deliver | Notify | Settle | Idle | Done
