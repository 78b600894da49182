"""The mitmproxy addon and the native proxy pass on the answers of an upstream in the same way."""

from collections.abc import Iterator

import pytest

from mock_server import MockServer, RequestReceived, scenario_from_dict
from mock_server.net.names.addresses import Addresses
from mock_server.proxy.origin import ProxyOrigin, Upstream
from tests.mock_server.mitm.mitmdump import (
    SEED,
    Behind,
    Mitmdump,
    anyio_backend,
    before_a_raw_upstream,
    mitmdump,
    needs_mitmproxy,
)
from tests.mock_server.parity import Rules
from tests.mock_server.rawclient import EOF, Answer, RawClient
from tests.mock_server.rawupstream import raw_upstream

__all__ = ["anyio_backend", "mitmdump"]
pytestmark = [pytest.mark.anyio, needs_mitmproxy]
STREAM = "/v1/jobs/j/events/stream"
OK = b"HTTP/1.1 200 OK\r\n"
EVENTS = OK + b"Content-Type: text/event-stream\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
RULE = {"headers": {"X-Odd": "1"}}
RULES: Rules = [RULE]


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    with before_a_raw_upstream(tmp_path_factory.mktemp("mitm"), RULES) as running:
        yield running


ANSWERS = {
    "json": (OK + b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",),
    "nothing": (OK + b"Content-Length: 0\r\n\r\n",),
    "no content": (b"HTTP/1.1 204 No Content\r\n\r\n",),
    "not modified": (b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n",),
    "bytes in chunks": (OK + CHUNKED, b"3\r\na\n\n\r\n", b"1\r\nb\r\n0\r\n\r\n"),
    "bytes until the end": (OK + b"X: y\r\n\r\n", b"all of it"),
    "events until the end": (EVENTS + b"\r\n", b"data: a\n\n"),
    "events of a known length": (EVENTS + b"Content-Length: 9\r\n\r\ndata: a\n\n",),
    "the rest of a frame": (EVENTS + CHUNKED, b"b\r\ndata: a\n\nid\r\n0\r\n\r\n"),
    "a refusal": (b"HTTP/1.1 410 Gone\r\nContent-Length: 4\r\n\r\ngone",),
    "a name that says nothing": (b"HTTP/1.1 299 \r\nContent-Length: 0\r\n\r\n",),
    "repeated fields": (
        OK + b"Set-Cookie: a\r\nLink: <b>\r\nSet-Cookie: c\r\nContent-Length: 0\r\n\r\n",
    ),
    "fields of its connection": (
        OK + b"Keep-Alive: 5\r\nX-Hop: 1\r\nConnection: x-hop\r\nContent-Length: 0\r\n\r\n",
    ),
    "a length without a body": (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n",),
    "a compressed stream": (EVENTS + b"Content-Encoding: gzip\r\n\r\n", b"\x1f\x8b\n\n\x08"),
}


async def asked(port: int, method: str) -> Answer:
    async with RawClient(port) as client:
        return await client.ask_to_end(method, STREAM, {"Connection": "close"})


async def test_every_answer_is_handed_on_as_the_native_proxy_does(behind: Behind) -> None:
    raw = behind.raw
    scenario = scenario_from_dict({"seed": SEED, "rule": [RULE]})
    async with MockServer(scenario, upstream=ProxyOrigin(Upstream.at(raw.url))) as proxy:
        for name, pieces in ANSWERS.items():
            raw.say(*pieces)
            carried = await asked(behind.port, "GET")
            raw.say(*pieces)
            assert carried == await asked(proxy.port, "GET"), name


async def test_the_head_alone_is_handed_on_as_the_native_proxy_does(behind: Behind) -> None:
    raw = behind.raw
    scenario = scenario_from_dict({"seed": SEED, "rule": [RULE]})
    async with MockServer(scenario, upstream=ProxyOrigin(Upstream.at(raw.url))) as proxy:
        raw.say(EVENTS + CHUNKED)
        carried = await asked(behind.port, "HEAD")
        raw.say(EVENTS + CHUNKED)
        assert carried == await asked(proxy.port, "HEAD")


@pytest.mark.parametrize("kind", [b"application/json", b"text/event-stream"])
async def test_a_head_request_is_answered_with_the_length_that_the_upstream_tells(
    behind: Behind, kind: bytes
) -> None:
    behind.raw.say(OK + b"Content-Type: %b\r\nContent-Length: 4321\r\n\r\n" % kind)
    answer = await asked(behind.port, "HEAD")
    assert answer.head.lower().count("content-length") == 1
    assert (answer.header("Content-Length"), answer.body) == ("4321", b"")


@pytest.mark.parametrize("last", [b"", b"\r\n0\r\n\r\n"], ids=["until the end", "in chunks"])
async def test_a_client_of_the_first_version_gets_no_chunks(behind: Behind, last: bytes) -> None:
    framing, size = (CHUNKED, b"9\r\n") if last else (b"\r\n", b"")
    behind.raw.say(EVENTS + framing, size + b"data: a\n\n" + last)
    async with RawClient(behind.port) as client:
        await client.send(b"GET %b HTTP/1.0\r\nHost: mock\r\n\r\n" % STREAM.encode())
        everything, ending = await client.read_to_end()
    head, _, body = everything.partition(b"\r\n\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert (body, ending) == (b"data: a\n\n", EOF)


async def test_a_small_answer_that_is_cut_off_is_a_502(behind: Behind) -> None:
    raw = behind.raw
    raw.say(OK + b"Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{")
    answer = await asked(behind.port, "GET")
    assert answer.status == 502
    assert answer.json["reason"] == "truncated"


@pytest.mark.parametrize(("rules", "asked_for"), [(RULES, None), ([], "gzip")])
@pytest.mark.thorough
async def test_the_upstream_is_asked_to_compress_only_what_no_rule_is_about(
    mitmdump: Mitmdump, rules: Rules, asked_for: str | None
) -> None:
    async with MockServer() as upstream:
        proxied = await mitmdump.before(upstream.base_url, rules)
        async with RawClient(proxied.port) as client:
            headers = {"Accept-Encoding": "gzip", "Connection": "close"}
            await client.ask_to_end("GET", "/v1/me", headers)
        sent = next(record for record in upstream.journal if isinstance(record, RequestReceived))
    assert dict(sent.headers).get("accept-encoding") == asked_for


@pytest.mark.thorough
async def test_a_part_of_a_frame_is_passed_on_before_the_rest_comes(mitmdump: Mitmdump) -> None:
    frames = [{"raw": "data: ha"}, {"raw": "lf\n\n", "gate": "rest"}]
    rule = {"on": {"route": "stream"}, "frames": frames}
    async with MockServer(scenario_from_dict({"rule": [rule]})) as upstream:
        proxied = await mitmdump.before(upstream.base_url, [RULE])
        async with RawClient(proxied.port) as client:
            await client.send(b"GET " + STREAM.encode() + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            await client.read_until(b"data: ha")
            upstream.gate("rest").open()
            await client.read_until(b"0\r\n\r\n")
        assert [record["index"] for record in proxied.records("FrameSent")] == [1]


HOPS = "Keep-Alive: 5\r\nTE: trailers\r\nX-Hop: 1\r\nProxy-Connection: x\r\nConnection: close, x-hop\r\n"


@pytest.mark.parametrize("rules", [RULES, []], ids=["a rule", "no rule"])
@pytest.mark.thorough
async def test_what_belongs_to_one_connection_is_not_handed_on(
    mitmdump: Mitmdump, rules: Rules
) -> None:
    rule = {
        "headers": {"Link": ["<a>", "<b>"], "Connection": "x-odd", "X-Odd": "1", "X-Stays": "2"}
    }
    async with MockServer(scenario_from_dict({"rule": [rule]})) as upstream:
        proxied = await mitmdump.before(upstream.base_url, rules)
        async with RawClient(proxied.port) as client:
            await client.send(f"GET /v1/me HTTP/1.1\r\nHost: x\r\n{HOPS}\r\n".encode())
            everything, _ = await client.read_to_end()
        sent = next(record for record in upstream.journal if isinstance(record, RequestReceived))
    names = {name for name, _ in sent.headers}
    assert not names & {"keep-alive", "te", "x-hop", "proxy-connection"}
    head = everything.partition(b"\r\n\r\n")[0].decode().lower().split("\r\n")
    assert [line for line in head if line.startswith("link")] == ["link: <a>", "link: <b>"]
    assert "x-stays: 2" in head
    if not rules:  # a rule sets its own
        assert not [line for line in head if line.startswith("x-odd")]


LOOKING: Rules = [{"on": {"frame": 1}, "drop": True}]
CASES = {
    "refused": ("refused", 502),
    "dns": ("dns", 502),
    "garbage": ("malformed", 502),
    "nothing": ("truncated", 502),
    "compressed": ("compressed", 502),
    "early": ("malformed", 502),
}


@pytest.mark.thorough
async def test_an_upstream_that_fails_is_told_with_its_reason(mitmdump: Mitmdump) -> None:
    addresses = Addresses()
    with raw_upstream() as raw:
        raw.say(b"SSH-2.0-secret\r\n")
        raw.say()
        raw.say(EVENTS + b"Content-Encoding: gzip\r\n\r\n", b"\x1f\x8b\n\n\x08")
        raw.say(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        urls = {"refused": addresses.refused_url(), "dns": addresses.dns_url()}
        behind_raw = await mitmdump.before(raw.url, LOOKING)
        for name, (reason, status) in CASES.items():
            proxied = await mitmdump.before(urls[name], LOOKING) if name in urls else behind_raw
            answer = await asked(proxied.port, "GET")
            body = answer.unchunked or answer.body
            assert (answer.status, b"secret" in body) == (status, False), name
            assert f'"reason":"{reason}"'.encode() in body, name
            assert [each["reason"] for each in proxied.records("UpstreamFailed")][-1] == reason, (
                name
            )
    addresses.close()


@pytest.mark.thorough
async def test_a_failure_is_in_the_journal_also_without_a_rule(mitmdump: Mitmdump) -> None:
    addresses = Addresses()
    proxied = await mitmdump.before(addresses.refused_url(), [])
    assert (await asked(proxied.port, "GET")).status == 502
    record = await proxied.record("UpstreamFailed")
    addresses.close()
    assert (record["reason"], record["route"], record["attempt"]) == ("refused", "stream", 1)
