"""The bytes sent by the suite's backend: frames, responses, and streams with various endings."""

import json
from collections.abc import Callable
from typing import Final

from arkor_proto import encode_event
from conformance.transport_suite.peer import Script, Visit

HEAD: Final = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED_HEAD: Final = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
LAST_CHUNK: Final = b"0\r\n\r\n"
PING: Final = encode_event("{}", type="ping")


def frame(kind: str, number: int, **members: object) -> bytes:
    """Return the frame of a training event that has `number` as its id."""
    return encode_event(json.dumps({"type": f"training.{kind}", **members}), id=str(number))


def log(step: int, note: str = "") -> bytes:
    """Return the frame of a log event; its id is its step."""
    members = {"note": note} if note else {}
    return frame("log", step, step=step, **members)


def checkpoint(step: int) -> bytes:
    """Return the frame of a checkpoint; its id is its step."""
    return encode_event(json.dumps({"type": "checkpoint.saved", "step": step}), id=str(step))


COMPLETED: Final = frame("completed", 9999, artifacts=["a"])


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def whole(*frames: bytes) -> Script:
    """Answer with a complete chunked stream of these frames, each in its own chunk."""
    return sends(CHUNKED_HEAD, *map(chunk, frames), LAST_CHUNK)


def endless(*frames: bytes) -> Script:
    """Answer with a chunked stream that stays open after these frames."""
    return then_left(CHUNKED_HEAD, *map(chunk, frames))


def job(*frames: bytes) -> Script:
    """Answer with these frames and a terminal event, and keep the stream open."""
    return endless(*frames, COMPLETED)


def answer(status: int, body: bytes, *headers: str) -> bytes:
    """Return a complete response with a JSON body."""
    head = [f"HTTP/1.1 {status} OK", "Content-Type: application/json", *headers]
    return "\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body


def refusal(status: int, words: str = "no", *headers: str) -> bytes:
    """Return a complete error response with the message `words`."""
    return answer(status, json.dumps({"error": words}).encode(), *headers)


def accepted(job_id: str = "job-1") -> bytes:
    """Return the response to a create request that the backend accepts."""
    return answer(201, json.dumps({"job": {"id": job_id, "status": "queued"}}).encode())


def sends(*pieces: bytes) -> Script:
    """Send these bytes and keep the connection open."""

    def script(visit: Visit) -> None:
        visit.send(b"".join(pieces))

    return script


def then_left(*pieces: bytes) -> Script:
    """Send these bytes and wait until the client closes the connection."""

    def script(visit: Visit) -> None:
        visit.send(b"".join(pieces))
        visit.until_left()
        visit.socket.close()

    return script


def then_closed(*pieces: bytes) -> Script:
    """Send these bytes and close the connection."""

    def script(visit: Visit) -> None:
        visit.send(b"".join(pieces))
        visit.socket.close()

    return script


def then_reset(visit: Visit) -> None:
    """Reset the connection immediately."""
    visit.reset()


def after(ready: Callable[[], object], *pieces: bytes) -> Script:
    """Call `ready`, send these bytes, and wait until the client closes the connection."""

    def script(visit: Visit) -> None:
        ready()
        then_left(*pieces)(visit)

    return script
