"""The mitmproxy addon without rules passes on every byte of an answer, however it is chunked."""

import socket
import ssl
from collections.abc import Iterator, Sequence
from itertools import accumulate, pairwise

import anyio
import pytest
from attrs import frozen
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from tests.mock_server.mitm.mitmdump import mitmdumps, needs_mitmproxy
from tests.mock_server.parity import Rules
from tests.mock_server.rawclient import Answer, request_bytes
from tests.mock_server.rawupstream import RawUpstream, raw_upstream

pytestmark = needs_mitmproxy
SEED = 20_260_501
NO_RULES: Rules = []
STREAM = "text/event-stream"
PART = st.binary(min_size=1, max_size=60) | st.sampled_from(
    [
        b"data: one\n\n",
        b"id: 2\r\n",
        b"\r",
        b"\n",
        b"\r\n\r\n",
        b"data: \xc3",
        b"\xa9\n",
        b": hm\n\n",
    ]
)


@frozen
class Path:
    """The way from a client to the raw upstream."""

    upstream: RawUpstream
    port: int
    context: ssl.SSLContext | None
    """The TLS context that trusts mitmproxy's authority; None for plain text."""


@pytest.fixture(scope="module", params=["plain", pytest.param("tls", marks=pytest.mark.thorough)])
def path(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    with raw_upstream() as upstream, mitmdumps(tmp_path_factory.mktemp("mitm")) as runner:
        proxied = anyio.run(runner.before, upstream.url, NO_RULES)
        secure = request.param == "tls"
        context = ssl.create_default_context(cafile=proxied.authority) if secure else None
        yield Path(upstream, proxied.port, context)


def framed(parts: Sequence[bytes], framing: str) -> tuple[bytes, bytes]:
    """Return the header field for the length of a body, and the body as it is sent."""
    body = b"".join(parts)
    match framing:
        case "length":
            return b"Content-Length: %d\r\n" % len(body), body
        case "close":
            return b"", body
        case _:
            chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
            return b"Transfer-Encoding: chunked\r\n", chunks + b"0\r\n\r\n"


def cut(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """Cut bytes into pieces of these sizes and a rest."""
    ends = [0, *accumulate(sizes), max(len(data), sum(sizes))]
    return [data[a:b] for a, b in pairwise(ends) if data[a:b]]


def read_to_end(path: Path) -> Answer:
    with socket.create_connection(("127.0.0.1", path.port), timeout=30) as raw:
        client: socket.socket = raw
        if path.context is not None:
            client = path.context.wrap_socket(raw, server_hostname="127.0.0.1")
        with client:
            client.sendall(
                request_bytes("GET", "/v1/jobs/j/events/stream", {"Connection": "close"})
            )
            found = b""
            while data := client.recv(65_536):
                found += data
    head, mark, body = found.partition(b"\r\n\r\n")
    return Answer((head + mark).decode("latin-1"), body, None)


@seed(SEED)
@settings(deadline=None)
@given(
    parts=st.lists(PART, max_size=12),
    framing=st.sampled_from(["chunked", "length", "close"]),
    kind=st.sampled_from([STREAM, "application/json", "application/octet-stream"]),
    sizes=st.lists(st.integers(1, 50), max_size=20),
)
def test_without_rules_every_byte_of_any_body_passes_in_any_chunking(
    path: Path, parts: list[bytes], framing: str, kind: str, sizes: list[int]
) -> None:
    length, body = framed(parts, framing)
    head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n%b\r\n" % (kind.encode(), length)
    path.upstream.say(head, *cut(body, sizes))
    answer = read_to_end(path)
    chunked = answer.header("Transfer-Encoding") == "chunked"
    assert answer.status == 200
    assert answer.header("Content-Type") == kind
    assert (answer.unchunked if chunked else answer.body) == b"".join(parts), f"seed {SEED}"
    assert chunked is (framing == "chunked")


def test_a_stream_that_is_cut_off_stays_cut_off(path: Path) -> None:
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    path.upstream.say(head, b"b\r\ndata: one\n\n\r\n", b"f\r\ndata: ")
    answer = read_to_end(path)
    assert answer.unchunked == b"data: one\n\ndata: "
    assert not answer.body.endswith(b"0\r\n\r\n")
