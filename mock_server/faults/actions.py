"""The actions that a plan makes its carrier perform, and the exchange that a plan is made for.

The carrier is the program that injects the faults.
"""

from attrs import frozen

from mock_server.scenario.vocabulary import Route
from mock_server.scenario.words.end import Ending
from mock_server.sse import Frame


@frozen
class Write:
    """Send these bytes in one piece; `frames` are the frames that these bytes complete."""

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
    """End the response, as the last action; `extra` is sent after an orderly end."""

    how: Ending
    extra: bytes = b""


Action = Write | Pause | AwaitGate | End


@frozen
class Exchange:
    """The properties by which rules select a request; header names are in lower case."""

    route: Route
    job: str | None
    method: str
    headers: tuple[tuple[str, str], ...]
    attempt: int
    """The request's position among all requests to its route, counting from 1."""
    job_attempt: int
    """The request's position among those with its route and job; `attempt` if it has no job."""
