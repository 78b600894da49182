"""Scenarios that every carrier must carry out in the same way, and how to take a transcript.

Each is a list of rules in the words of a scenario, for a job that emits six events.
"""

import errno
import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import Final

from attrs import frozen

from mock_server.strict.shapes import is_table
from tests.mock_server.rawclient import Answer, RawClient, request_bytes

Rules = Sequence[Mapping[str, object]]
STREAM: Final = {"route": "stream"}


def on(**words: object) -> dict[str, object]:
    """Return the `on` table for the stream."""
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
    "held bytes": [{"on": on(), "hold_bytes": 200}],
    "rate": [{"on": on(), "rate": 1_000_000}],
    "delay with jitter": [{"on": on(frame="1-"), "delay_ms": 2, "jitter_ms": 1}],
    "stall": [{"on": on(), "after": {"frames": 2}, "stall": {"ms": 5}}],
    "byte order mark": [{"on": on(), "bom": True}],
    "chance": [{"on": on(frame="1-", probability=0.5), "drop": True}],
    "two rules": [{"on": on(id="2"), "drop": True}, {"on": on(), "strip_id": True}],
    "cut politely": [{"on": on(), "after": {"frames": 2}, "end": "eof"}],
    "status": [{"on": on(), "status": 503, "retry_after": 1}],
    "other type": [{"on": on(), "content_type": "text/html"}],
    "other words": [{"on": on(), "status": 200, "reason": "Well", "headers": {"X-Odd": "1"}}],
    "headers twice": [{"on": on(), "headers_twice": ["Content-Type", "transfer-encoding", "Nix"]}],
    "a body": [{"on": on(), "status": 418, "body": "short and stout"}],
    "a body in hexadecimal": [{"on": on(), "status": 400, "body_hex": "ff00"}],
    "json": [{"on": on(), "status": 404, "json": {"error": "gone"}}],
    "redirect": [{"on": on(), "redirect": "/v1/elsewhere"}],
    "late head": [{"on": on(), "delay_ms": 5}],
    "scripted": [{"on": on(), "frames": [{"id": "1", "data": "é\nü"}, {"comment": "hm"}]}],
    "cut in a character": [
        {"on": on(), "frames": [{"raw": "data: éü\r\n\r\n"}]},
        {"on": on(frame=1), "slice": "mid_utf8"},
        {"on": on(frame=1), "slice": "mid_crlf"},
    ],
    "lf": [{"on": on(), "line_ending": "crlf"}, {"on": on(frame=2), "line_ending": "lf"}],
    "stall at an id": [{"on": on(), "after": {"id": "2"}, "stall": {"ms": 5}}],
    "cut at an event": [{"on": on(), "after": {"event": "training.log"}, "end": "eof"}],
    "twice at most": [{"on": on(frame="1-", times=2), "drop": True}],
    "by method and header": [
        {"on": on(method="GET", header={"authorization": "*", "last-event-id": "!"}), "bom": True}
    ],
    "never": [{"on": on(attempt=9), "end": "eof"}, {"on": on(), "strip_id": True}],
}
RAW: Final[Mapping[str, Rules]] = {
    "reset": [{"on": on(), "after": {"frames": 2}, "end": "rst"}],
    "reset in a frame": [{"on": on(), "after": {"frames": 1, "bytes": 9}, "end": "rst"}],
    "fin": [{"on": on(), "after": {"frames": 3}, "end": "fin"}],
    "fin before any": [{"on": on(), "after": {"frames": 0}, "end": "fin"}],
    "half close": [{"on": on(), "after": {"frames": 1}, "end": "half_close"}],
    "bad chunk": [{"on": on(), "after": {"frames": 1}, "end": "bad_chunk"}],
    "short chunk": [{"on": on(), "after": {"frames": 1}, "end": "short_chunk"}],
    "garbage": [{"on": on(), "after": {"frames": 1}, "end": "garbage"}],
    "gzip": [{"on": on(), "gzip": "always"}, {"on": on(frame=2), "drop": True}],
    "gzip, cut": [{"on": on(), "gzip": "always", "after": {"frames": 2}, "end": "fin"}],
    "no gzip": [{"on": on(), "gzip": "accepted"}],
    "lost request": [{"on": on(), "lose": "request"}],
    "lost response": [{"on": on(), "lose": "response", "end": "fin"}],
    "close delimited": [{"on": on(), "framing": "close"}],
    "early hints": [{"on": on(), "early": [103]}],
    "raw head": [{"on": on(), "raw_head": "HTTP/1.1 200 Strange\r\nX: y\r\n\r\n"}],
    "raw head in hexadecimal": [{"on": on(), "raw_head_hex": b"HTTP/1.1 200 X\r\n\r\n".hex()}],
    "extra bytes": [{"on": on(), "extra": "stray"}],
    "extra bytes and fin": [{"on": on(), "extra_hex": "ff00", "end": "fin"}],
    "lying length": [{"on": on(), "content_length": [5]}],
    "two lengths": [{"on": on(), "content_length": [5, 6]}],
    "in chunks": [{"on": on(), "status": 500, "body": "oh", "framing": "chunked"}],
}
ALL: Final[Mapping[str, Rules]] = {**FRAMES_ONLY, **RAW}
JOB: Final = {"id": "j", "events": 6, "submitted": True}


@frozen
class Together:
    """Several scenarios in one, for one process; the rules of each are for its own job."""

    rules: Rules
    jobs: Mapping[str, str]
    """The id of the job for each scenario, by the scenario's name."""

    @property
    def plans(self) -> list[Mapping[str, object]]:
        """The jobs in the words of a scenario."""
        return [{**JOB, "id": job} for job in self.jobs.values()]


def together(scenarios: Mapping[str, Rules]) -> Together:
    """Combine several scenarios."""
    jobs = {name: f"j{n}" for n, name in enumerate(scenarios)}
    rules = [
        {**rule, "on": {**selection_of(rule), "job": jobs[name]}}
        for name, found in scenarios.items()
        for rule in found
    ]
    return Together(rules, jobs)


def selection_of(rule: Mapping[str, object]) -> Mapping[str, object]:
    """Return the `on` table of a rule."""
    found = rule["on"]
    assert is_table(found)
    return found


CLOSED: Final = "close_notify"
CUT: Final = "FIN without close_notify"


async def transcript(port: int, job: str = "j") -> Answer:
    """Open the stream once and return everything that a raw socket receives."""
    async with RawClient(port) as client:
        await client.send(
            request_bytes("GET", f"/v1/jobs/{job}/events/stream", {"Connection": "close"})
        )
        everything, ending = await client.read_to_end()
    head, mark, body = everything.partition(b"\r\n\r\n")
    return Answer((head + mark).decode("latin-1"), body, ending)


def tls_transcript(port: int, context: ssl.SSLContext, job: str = "j") -> tuple[bytes, str]:
    """Open the stream over TLS; return everything that came, and how it ended for the kernel.

    Blocks. It uses TLS in memory over a raw socket, to tell a FIN with close_notify from one
    without.
    """
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
    target = f"/v1/jobs/{job}/events/stream"
    request = request_bytes("GET", target, {"Connection": "close"})
    found = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as raw:
        while True:
            try:
                tls.do_handshake()
                if request:
                    tls.write(request)
                    request = b""
                while part := tls.read(65_536):
                    found += part
            except ssl.SSLWantReadError:
                pass
            except ssl.SSLError as error:
                return found, error.reason
            else:
                return found, CLOSED
            try:
                if outgoing.pending:
                    raw.sendall(outgoing.read())
                data = raw.recv(65_536)
            except ConnectionError as error:
                return found, errno.errorcode[error.errno or 0]
            if not data:
                return found, CUT
            incoming.write(data)
