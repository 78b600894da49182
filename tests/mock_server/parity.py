"""The scenarios that every carrier must carry alike, and how a transcript is taken.

Each is a list of rules in the words of a scenario; the job behind them emits six events.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from tests.mock_server.rawclient import Answer, RawClient, request_bytes

Rules = Sequence[Mapping[str, object]]
STREAM: Final = {"route": "stream"}


def on(**words: object) -> dict[str, object]:
    """Select within the stream."""
    return {**STREAM, **words}


FRAMES_ONLY: Final[Mapping[str, Rules]] = {
    "nothing": [],
    "drop": [{"on": on(frame=2), "drop": True}],
    "drop the last": [{"on": on(last=True), "drop": True}],
    "duplicate": [{"on": on(id="3"), "duplicate": True}],
    "reorder": [{"on": on(frame=1), "reorder": 2}],
    "reorder to the end": [{"on": on(frame=6), "reorder": True}],
    "corrupt bits": [{"on": on(frame="2-3"), "corrupt": "bits"}],
    "corrupt utf8": [{"on": on(frame=2), "corrupt": "utf8"}],
    "corrupt json": [{"on": on(frame=2), "corrupt": "json"}],
    "replace": [{"on": on(frame=2), "replace": {"id": "x", "data": "y"}}],
    "inject a ping": [{"on": on(frame=1), "inject": [{"event": "ping", "data": "{}"}]}],
    "inject garbage": [{"on": on(frame=1), "inject": {"after": [{"bytes_hex": "ff00fe0a0a"}]}}],
    "strip ids": [{"on": on(frame="1-"), "strip_id": True}],
    "by type": [{"on": on(type="checkpoint.saved"), "drop": True}],
    "by event": [{"on": on(event="training.log"), "duplicate": 1}],
    "crlf": [{"on": on(frame="1-"), "line_ending": "crlf"}],
    "cr": [{"on": on(frame="1-"), "line_ending": "cr"}],
    "slices": [{"on": on(frame="1-"), "slice": 7}],
    "random slices": [{"on": on(frame="1-"), "slice": "random"}],
    "coalesce": [{"on": on(), "coalesce": 4}],
    "rate": [{"on": on(), "rate": 1_000_000}],
    "delay with jitter": [{"on": on(frame="1-"), "delay_ms": 2, "jitter_ms": 1}],
    "stall": [{"on": on(), "after": {"frames": 2}, "stall": {"ms": 5}}],
    "byte order mark": [{"on": on(), "bom": True}],
    "chance": [{"on": on(frame="1-", probability=0.5), "drop": True}],
    "two rules": [{"on": on(id="2"), "drop": True}, {"on": on(), "strip_id": True}],
    "cut politely": [{"on": on(), "after": {"frames": 2}, "end": "eof"}],
    "status": [{"on": on(), "status": 503, "retry_after": 1}],
    "other type": [{"on": on(), "content_type": "text/html"}],
}
RAW: Final[Mapping[str, Rules]] = {
    "reset": [{"on": on(), "after": {"frames": 2}, "end": "rst"}],
    "reset in a frame": [{"on": on(), "after": {"frames": 1, "bytes": 9}, "end": "rst"}],
    "fin": [{"on": on(), "after": {"frames": 3}, "end": "fin"}],
    "fin before any": [{"on": on(), "after": {"frames": 0}, "end": "fin"}],
    "half close": [{"on": on(), "after": {"frames": 1}, "end": "half_close"}],
    "bad chunk": [{"on": on(), "after": {"frames": 1}, "end": "bad_chunk"}],
    "short chunk": [{"on": on(), "after": {"frames": 1}, "end": "short_chunk"}],
    "lost request": [{"on": on(), "lose": "request"}],
    "lost response": [{"on": on(), "lose": "response", "end": "fin"}],
    "close delimited": [{"on": on(), "framing": "close"}],
    "early hints": [{"on": on(), "early": [103]}],
    "raw head": [{"on": on(), "raw_head": "HTTP/1.1 200 Strange\r\nX: y\r\n\r\n"}],
    "extra bytes": [{"on": on(), "extra": "stray"}],
}
ALL: Final[Mapping[str, Rules]] = {**FRAMES_ONLY, **RAW}
JOB: Final = {"id": "j", "events": 6, "submitted": True}


async def transcript(port: int, job: str = "j") -> Answer:
    """Open the stream once and return everything that a raw socket sees of it."""
    async with RawClient(port) as client:
        await client.send(
            request_bytes("GET", f"/v1/jobs/{job}/events/stream", {"Connection": "close"})
        )
        everything, ending = await client.read_to_end()
    head, mark, body = everything.partition(b"\r\n\r\n")
    return Answer((head + mark).decode("latin-1"), body, ending)
