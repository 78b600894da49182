"""The actions that a plan asks its carrier to perform, and the exchange that is being planned."""

from attrs import frozen

from mock_server.scenario.vocabulary import Route
from mock_server.scenario.words.end import Ending
from mock_server.sse import Frame


@frozen
class Write:
    """Send these bytes in one piece; `frames` are the frames that they complete."""

    data: bytes
    frames: tuple[Frame, ...] = ()


@frozen
class Pause:
    """Wait for this many seconds."""

    seconds: float


@frozen
class AwaitGate:
    """Wait until the named gate opens."""

    gate: str


@frozen
class End:
    """End the response; `extra` is sent after an orderly end. No other action follows."""

    how: Ending
    extra: bytes = b""


Action = Write | Pause | AwaitGate | End


@frozen
class Exchange:
    """The properties of a request that rules select by; header names are lower case."""

    route: Route
    job: str | None
    method: str
    headers: tuple[tuple[str, str], ...]
    attempt: int
    """The number of the request within its route, from 1."""
    job_attempt: int
    """The number of the request within its route and job, from 1."""
