"""What a plan asks its carrier to do with one exchange, and what it needs to know about it."""

from attrs import frozen

from mock_server.scenario.vocabulary import Route
from mock_server.scenario.words.end import Ending
from mock_server.sse import Frame


@frozen
class Write:
    """Send these bytes in one piece; `frames` are those whose last byte is among them."""

    data: bytes
    frames: tuple[Frame, ...] = ()


@frozen
class Pause:
    """Wait for this many seconds."""

    seconds: float


@frozen
class AwaitGate:
    """Wait until the gate of this name opens."""

    gate: str


@frozen
class End:
    """End the response like this; `extra` follows a polite end. Nothing comes after it."""

    how: Ending
    extra: bytes = b""


Action = Write | Pause | AwaitGate | End


@frozen
class Exchange:
    """What a selection can ask about one request; header names are lower case."""

    route: Route
    job: str | None
    method: str
    headers: tuple[tuple[str, str], ...]
    attempt: int
    """Which request of its route it is, from 1."""
    job_attempt: int
    """Which request of its route and job it is, from 1."""
