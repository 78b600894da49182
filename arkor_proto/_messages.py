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


@frozen
class Start:
    """Submit the job, unless that has been done."""


@frozen
class Follow:
    """Wait for the job's result; submits the job first where that has not been done."""


@frozen
class Leave:
    """Stop waiting without prejudice: a later `Follow` goes on at the cursor."""


@frozen
class Cancel:
    """Ask the backend to stop the job."""


@frozen
class Abort:
    """Stop waiting for good. The backend hears nothing of it."""

    reason: object = None


@frozen
class Responded:
    """The head of a response arrived; interim (1xx) responses are the driver's own affair."""

    exchange: int
    status: int
    headers: Headers = field(default=(), repr=headers_repr)


@define(unsafe_hash=True)
class Received:
    """Bytes of a response's body arrived, with the transfer coding taken off."""

    exchange: int
    data: bytes = field(repr=lambda data: f"<{len(data)} bytes>")


@frozen
class Finished:
    """A response's body ended as its framing promised."""

    exchange: int


@frozen
class Broken:
    """The exchange failed: no connection, a lost one, or bytes that are not HTTP."""

    exchange: int
    error: Exception


@define(unsafe_hash=True)
class Handled:
    """The application is done with an event; `error` is what its callback raised.

    With `heard=False` no callback was called: the cursor goes back to before the event, so that the
    next stream brings it again.
    """

    delivery: int
    error: Exception | None = None
    heard: bool = field(default=True, kw_only=True)


@frozen
class Tick:
    """Time has passed. Early ticks change nothing."""


Report: TypeAlias = Responded | Received | Finished | Broken
"""What the network says of an exchange."""

Input: TypeAlias = Start | Follow | Leave | Cancel | Abort | Report | Handled | Tick


class Operation(Enum):
    """What the application can ask for and wait for."""

    START = "start"
    FOLLOW = "follow"
    CANCEL = "cancel"


@frozen
class Accepted:
    """Start: the backend has accepted the job."""

    job_id: str


@frozen
class Resolved:
    """Follow: the job is over."""

    result: TrainingResult


@frozen
class CancelSent:
    """Cancel: the backend has answered 2xx."""


@frozen
class NothingToCancel:
    """Cancel: there is no job, and no request was sent."""


@frozen
class Rejected:
    """Any operation: it failed with `error`."""

    error: Exception


Outcome: TypeAlias = Accepted | Resolved | CancelSent | NothingToCancel | Rejected


class Timer(Enum):
    """What a deadline is for."""

    RECONNECT = "reconnect"
    IDLE = "idle"
    ANSWER = "answer"


@frozen
class Send:
    """Send `request` and report what becomes of it as `exchange`."""

    exchange: int
    request: Request


@frozen
class Close:
    """Close the connection of `exchange`; whatever it still says is ignored."""

    exchange: int


@define(unsafe_hash=True)
class Deliver:
    """Hand `event` to the application and report `Handled(delivery, …)` when it is done."""

    delivery: int
    event: TrainingEvent


@frozen
class Notify:
    """Tell the application; nothing is expected back."""

    notice: Notice


@frozen
class Settle:
    """`operation` is over, for everyone who asked for it since it was settled last."""

    operation: Operation
    outcome: Outcome


@frozen
class Idle:
    """Nothing to do before the next input, or before `until` when that is not None."""

    until: float | None = None
    timer: Timer | None = None


@frozen
class Done:
    """Nothing is under way: only a new imperative of the application can change anything."""


Output: TypeAlias = Send | Close | Deliver | Notify | Settle | Idle | Done
