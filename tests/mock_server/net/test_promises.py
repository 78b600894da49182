"""Every response ends the way its head promised, unless a rule injects a fault."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mock_server import MockServer, scenario_from_dict
from mock_server.proxy.origin import ProxyOrigin, Upstream
from tests.mock_server.pooling import PoolingClient
from tests.mock_server.rawclient import RawClient, request_bytes

pytestmark = pytest.mark.anyio

JOB = {"id": "j", "events": 3, "submitted": True}
STREAM = "/v1/jobs/j/events/stream"
CALLS = [
    ("GET", "/v1/me"),
    ("HEAD", "/v1/me"),
    ("POST", "/v1/jobs"),
    ("GET", "/v1/jobs/j"),
    ("GET", STREAM),
    ("HEAD", STREAM),
    ("POST", "/v1/jobs/j/cancel"),
    ("POST", "/v1/inference/chat"),
    ("GET", "/v1/nothing"),
]
FRAME = {"id": "x", "data": "y"}
HARMLESS: dict[str, dict[str, object]] = {
    "a late head": {"delay_ms": 1},
    "a late frame": {"on": {"frame": "1-"}, "delay_ms": 1},
    "a stall": {"stall": {"ms": 1}},
    "a stall before a frame": {"on": {"frame": 1}, "stall": {"ms": 1}},
    "a stall within a frame": {"after": {"bytes": 3}, "stall": {"ms": 1}},
    "an open gate": {"stall": {"gate": "open"}},
    "a gate that opens too late": {"stall": {"gate": "shut"}},
    "slices": {"on": {"frame": "1-"}, "slice": 3},
    "random slices": {"slice": "random"},
    "a rate": {"rate": 1_000_000},
    "coalescing": {"coalesce": 3},
    "a dropped frame": {"on": {"frame": 1}, "drop": True},
    "a duplicate": {"on": {"frame": 1}, "duplicate": 2},
    "a frame held back": {"on": {"frame": 1}, "reorder": 1},
    "damaged UTF-8": {"corrupt": "utf8"},
    "damaged JSON": {"on": {"frame": "1-"}, "corrupt": "json"},
    "a replacement": {"on": {"frame": 1}, "replace": FRAME},
    "frames put in": {"on": {"frame": 1}, "inject": {"before": [FRAME], "after": [FRAME]}},
    "no ids": {"strip_id": True},
    "CRLF": {"line_ending": "crlf"},
    "a byte order mark": {"bom": True},
    "its own frames": {"frames": [{**FRAME, "gate": "open"}, {"comment": "hm", "delay_ms": 1}]},
    "no frames": {"frames": []},
    "a body": {"body": "short and stout"},
    "an empty body": {"body": ""},
    "JSON": {"json": {"error": "é"}},
    "a redirect": {"redirect": "/v1/elsewhere"},
    "early heads": {"early": [100, 103]},
    "chunks": {"framing": "chunked"},
    "an end without a length": {"framing": "close"},
    "a polite end": {"end": "eof"},
    "an announced end": {"headers": {"Connection": "close"}},
    "an announced end in a list": {"headers": {"connection": "x, Close"}},
    "words of its own": {"reason": "Well", "retry_after": 1, "content_type": "text/html"},
    "a slow read": {"slow_read": 1 << 20},
    **{f"status {code}": {"status": code} for code in (200, 201, 204, 205, 304, 404, 503)},
}


@asynccontextmanager
async def carrier(name: str, rules: list[dict[str, object]]) -> AsyncGenerator[MockServer]:
    words: dict[str, object] = {"rule": rules, "limits": {"stall_ms": 5}}
    real = {**words, "job": [JOB]} if name == "mock" else {"job": [JOB]}
    async with MockServer(scenario_from_dict(real)) as mock:
        open_gates(mock)
        if name == "mock":
            yield mock
            return
        origin = ProxyOrigin(Upstream.at(mock.base_url))
        async with MockServer(scenario_from_dict(words), upstream=origin) as proxy:
            open_gates(proxy)
            yield proxy


def open_gates(server: MockServer) -> None:
    for gate in server.gate_names & {"open"}:
        server.gate(gate).open()


async def play(
    name: str, rules: list[dict[str, object]], calls: list[tuple[tuple[str, str], bool]]
) -> None:
    async with carrier(name, rules) as server, PoolingClient(server.port) as client:
        ends = 0
        # The last call shows whether the connection of the one before was reused.
        for (method, target), close in [*calls, (("GET", "/v1/me"), False)]:
            with anyio.fail_after(10):
                answer = await client.ask(method, target, close=close)
            assert not (close and answer.kept)
            ends += not answer.kept
        assert client.connections <= ends + 1


@pytest.mark.parametrize("name", ["mock", "proxy"])
@pytest.mark.parametrize("rule", HARMLESS.values(), ids=HARMLESS)
async def test_a_pooled_connection_is_what_the_head_promised(
    name: str, rule: dict[str, object]
) -> None:
    await play(name, [rule], [(call, False) for call in CALLS])


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("name", ["mock", "proxy"])
@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(sorted(HARMLESS)), max_size=4),
    st.lists(st.tuples(st.sampled_from(CALLS), st.booleans()), min_size=2, max_size=6),
)
def test_no_mix_of_rules_breaks_what_heads_promise(
    anyio_backend: str, name: str, drawn: list[str], calls: list[tuple[tuple[str, str], bool]]
) -> None:
    rules = [HARMLESS[each] for each in drawn]
    anyio.run(play, name, rules, calls, backend=anyio_backend)


@pytest.mark.parametrize(
    "rule",
    [
        {"stall": {"gate": "open"}},
        {"delay_ms": 1},
        {"stall": {"ms": 1}},
        {"on": {"frame": 1}, "delay_ms": 1},
        {"on": {"frame": 1}, "slice": 4},
        {"rate": 1_000_000},
        {"coalesce": 2},
        {"early": [103]},
        {"body": "12345", "content_length": [5]},
        {"body": "12345", "content_length": [5, 5]},
        {"raw_head": "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", "body": "{}"},
        {"raw_head": "HTTP/1.1 200 \r\ntransfer-encoding:chunked\r\n\r\n"},
        {"status": 204, "delay_ms": 1},
        {"status": 304, "body": "x", "stall": {"ms": 1}},
        {"status": 205, "framing": "chunked"},
        {"redirect": "/v1/elsewhere", "stall": {"ms": 1}},
    ],
    ids=str,
)
async def test_a_connection_that_is_not_announced_as_ended_is_kept(
    rule: dict[str, object],
) -> None:
    async with carrier("mock", [rule]) as mock, PoolingClient(mock.port) as client:
        for _ in range(2):
            for method, target in (("POST", "/v1/jobs"), ("GET", "/v1/me"), ("HEAD", "/v1/me")):
                with anyio.fail_after(10):
                    assert (await client.ask(method, target)).kept
        assert client.connections == 1


@pytest.mark.parametrize(
    "head",
    [
        "HTTP/1.1 200 OK\r\nX: y\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\n",
    ],
)
async def test_a_head_written_by_hand_that_keeps_nothing_ends_the_connection(head: str) -> None:
    rule: dict[str, object] = {"raw_head": head, "body": "{}"}
    async with carrier("mock", [rule]) as mock, PoolingClient(mock.port) as client:
        answer = await client.ask("GET", "/v1/me")
    assert (answer.body, answer.kept) == (b"{}", False)


async def test_a_body_without_a_length_in_a_head_written_by_hand_has_no_chunks() -> None:
    rule: dict[str, object] = {"raw_head": "HTTP/1.1 200 OK\r\nX: y\r\n\r\n"}
    async with carrier("mock", [rule]) as mock, PoolingClient(mock.port) as client:
        answer = await client.ask("GET", STREAM)
    assert answer.body.startswith(b"id: 1\nevent: training.started\n")


@pytest.mark.parametrize("status", [204, 304])
@pytest.mark.parametrize(
    "more",
    [{}, {"delay_ms": 1}, {"stall": {"ms": 1}}, {"framing": "chunked"}, {"frames": [FRAME]}],
    ids=str,
)
async def test_an_answer_that_ends_with_its_head_tells_no_length(
    status: int, more: dict[str, object]
) -> None:
    rule = {"status": status, **more}
    async with carrier("mock", [rule]) as mock, PoolingClient(mock.port) as client:
        answer = await client.ask("GET", STREAM)
    assert (answer.status, answer.body, answer.kept) == (status, b"", True)
    assert not {"content-length", "transfer-encoding"} & set(answer.headers)


@pytest.mark.parametrize("more", [{}, {"delay_ms": 1}, {"stall": {"ms": 1}}], ids=str)
async def test_a_205_says_that_its_body_is_empty(more: dict[str, object]) -> None:
    rule = {"status": 205, **more}
    async with carrier("mock", [rule]) as mock, PoolingClient(mock.port) as client:
        answer = await client.ask("GET", "/v1/me")
    assert (answer.headers["content-length"], answer.body, answer.kept) == ("0", b"", True)


@pytest.mark.parametrize("name", ["mock", "proxy"])
@pytest.mark.parametrize("rule", HARMLESS.values(), ids=HARMLESS)
async def test_an_http_1_0_client_is_told_of_the_end_and_gets_no_chunks(
    name: str, rule: dict[str, object]
) -> None:
    async with carrier(name, [rule]) as server:
        for _, target in CALLS[:1] + CALLS[4:5]:
            async with RawClient(server.port) as client:
                await client.send(request_bytes("GET", target).replace(b"HTTP/1.1", b"HTTP/1.0"))
                found, ending = await client.read_to_end()
            head, _, _ = found.partition(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")[1:]
            assert any(line.startswith(b"connection:") and b"close" in line for line in lines)
            assert b"transfer-encoding: chunked" not in lines
            assert not head.startswith((b"HTTP/1.1 100", b"HTTP/1.1 103"))
            assert ending == "FIN"


@pytest.mark.parametrize(
    "fields", ["Connection: x\r\nConnection: close", "Connection: close\t,x", "Connection: CLOSE"]
)
async def test_a_client_that_announces_its_end_in_any_spelling_is_answered_and_let_go(
    fields: str,
) -> None:
    async with MockServer() as mock:
        async with RawClient(mock.port) as client:
            raw = f"GET /v1/me HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\n{fields}\r\n\r\n"
            await client.send(raw.encode())
            found, ending = await client.read_to_end()
        assert b"\r\nConnection: close\r\n" in found
        assert ending == "FIN"


async def test_a_refused_tunnel_leaves_the_connection_as_it_promised() -> None:
    async with MockServer() as mock, RawClient(mock.port) as client:
        assert (await client.ask("CONNECT", "else:443")).status == 404
        assert (await client.ask("GET", "/v1/me")).status == 200
