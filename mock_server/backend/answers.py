"""The responses of the backend, as values for a carrier (the program that injects the faults)."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from attrs import evolve, field, frozen

from mock_server.backend.jobs import Job
from mock_server.sse import Frame
from mock_server.strict.json import compact

JSON_TYPE: Final = (("Content-Type", "application/json"),)
_STREAM: Final = (("Content-Type", "text/event-stream"), ("Cache-Control", "no-store"))
_AT_ONCE: Final = 128
_PIECE: Final = 65_536


@frozen
class Reply:
    """A complete response."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes = field(repr=False)


@frozen
class Follow:
    """The live event stream of a job, from a position in its log."""

    job: Job
    position: int
    status: int = 200
    headers: tuple[tuple[str, str], ...] = _STREAM


@frozen
class Stream:
    """An event stream whose frames are all known in advance."""

    frames: tuple[Frame, ...]
    status: int = 200
    headers: tuple[tuple[str, str], ...] = _STREAM


@frozen
class Listing:
    """A job and its events so far, as one JSON object, which may be long."""

    job: Job
    status: int = 200
    headers: tuple[tuple[str, str], ...] = JSON_TYPE

    def pieces(self) -> Iterator[bytes]:
        """Yield the JSON object in pieces; events added between pieces are left out."""
        yield b'{"job":' + compact(self.job.public()).encode() + b',"events":['
        end, position, comma = len(self.job.log), self.job.forgotten, b""
        while position < end:
            stop, size = position, 0
            while stop < min(end, position + _AT_ONCE) and size < _PIECE:
                size += len(self.job.log[stop].raw)
                stop += 1
            if texts := self.job.event_texts(position, stop):
                yield comma + ",".join(texts).encode()
                comma = b","
            position = stop
        yield b"]}"

    @property
    def short(self) -> bool:
        """Whether the listing fits in one piece."""
        begin = self.job.forgotten
        frames = self.job.log[begin : begin + _AT_ONCE + 1]
        return len(frames) <= _AT_ONCE and sum(len(frame.raw) for frame in frames) <= _PIECE


Answer = Reply | Follow | Stream | Listing


@frozen
class Later:
    """A delayed response; `make` builds it after the delay, from the monotonic time."""

    seconds: float
    make: Callable[[float], Answer]


class BackendFull(Exception):
    """Storing a job or project would exceed `limits.job_bytes` or the limit on projects."""


def reply_json(status: int, value: Mapping[str, object]) -> Reply:
    """Build a response with a JSON body."""
    return Reply(status, JSON_TYPE, compact(value).encode())


def refuse(status: int, message: str, *headers: tuple[str, str]) -> Reply:
    """Build an error response as the protocol defines it, with additional `headers`."""
    reply = reply_json(status, {"error": message})
    return evolve(reply, headers=(*reply.headers, *headers))


def listed(job: Job) -> Reply | Listing:
    """Build a response with a job and its events; a long listing is sent in pieces."""
    listing = Listing(job)
    return Reply(200, JSON_TYPE, b"".join(listing.pieces())) if listing.short else listing
