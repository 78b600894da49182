"""The native proxy gives the same transcripts as the mock, and changes nothing without rules."""

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mock_server import (
    FrameSent,
    MockServer,
    RequestReceived,
    Scenario,
    ScenarioError,
    scenario_from_dict,
)
from mock_server.proxy.origin import ProxyOrigin, Upstream
from tests.mock_server.parity import ALL, JOB, Rules, transcript
from tests.mock_server.rawclient import RawClient, create, follow, request_bytes

pytestmark = pytest.mark.anyio


def proxy_before(mock: MockServer, scenario: Scenario | None = None) -> MockServer:
    origin = ProxyOrigin(Upstream.at(mock.base_url))
    return MockServer(scenario or Scenario(), upstream=origin)


@pytest.mark.parametrize("rules", ALL.values(), ids=ALL)
async def test_the_proxy_gives_the_transcript_of_the_mock(rules: Rules) -> None:
    scenario = scenario_from_dict({"seed": 3, "rule": list(rules)})
    mocked = scenario_from_dict({"seed": 3, "rule": list(rules), "job": [JOB]})
    async with MockServer(mocked) as mock:
        expected = await transcript(mock.port)
    real = scenario_from_dict({"job": [JOB]})
    async with MockServer(real) as upstream, proxy_before(upstream, scenario) as proxy:
        assert await transcript(proxy.port) == expected


async def test_a_connection_that_the_proxy_kept_ends_while_it_is_idle() -> None:
    scenario = scenario_from_dict({"rule": [{"idle_end": "408"}]})
    async with (
        MockServer() as upstream,
        proxy_before(upstream, scenario) as proxy,
        RawClient(proxy.port) as client,
    ):
        assert (await client.ask("GET", "/v1/me")).status == 200
        found, ending = await client.read_to_end()
    assert (found[:12], ending) == (b"HTTP/1.1 408", "FIN")


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=300), st.lists(st.integers(1, 40), max_size=12))
def test_without_rules_every_byte_passes_in_any_chunking(
    anyio_backend: str, body: bytes, sizes: list[int]
) -> None:
    async def check() -> None:
        cut = [body[i : i + n] for i, n in zip(_starts(sizes), sizes, strict=True)]
        rest = body[sum(sizes) :]
        frames = [{"bytes_hex": part.hex()} for part in [*cut, rest] if part]
        rule = {"on": {"route": "stream"}, "frames": frames}
        real = scenario_from_dict({"rule": [rule]})
        async with MockServer(real) as upstream, proxy_before(upstream) as proxy:
            answer = await follow(proxy.port, "j")
        assert answer.unchunked == body
        assert answer.ending == "FIN"

    anyio.run(check, backend=anyio_backend)


def _starts(sizes: list[int]) -> list[int]:
    return [sum(sizes[:n]) for n in range(len(sizes))]


async def test_a_part_of_a_frame_is_passed_on_before_the_rest_comes() -> None:
    frames = [{"raw": "data: ha"}, {"raw": "lf\n\n", "gate": "rest"}]
    rule = {"on": {"route": "stream"}, "frames": frames}
    async with MockServer(scenario_from_dict({"rule": [rule]})) as upstream:
        async with proxy_before(upstream) as proxy, RawClient(proxy.port) as client:
            await client.send(request_bytes("GET", "/v1/jobs/j/events/stream"))
            await client.read_until(b"data: ha")
            upstream.gate("rest").open()
            await client.read_until(b"0\r\n\r\n")
        assert len([r for r in proxy.journal if isinstance(r, FrameSent)]) == 1


@pytest.mark.parametrize(("end", "seen"), [("fin", "FIN"), ("rst", "ECONNRESET")])
async def test_an_end_of_the_upstream_is_the_end_of_the_client(end: str, seen: str) -> None:
    rule = {"on": {"route": "stream"}, "after": {"frames": 2}, "end": end}
    real = scenario_from_dict({"job": [JOB], "rule": [rule]})
    async with MockServer(real) as upstream, proxy_before(upstream) as proxy:
        answer = await transcript(proxy.port)
    assert answer.unchunked.count(b"id: ") == 2
    assert answer.ending == seen
    assert not answer.body.endswith(b"0\r\n\r\n")


async def test_every_other_call_passes_with_its_body_and_status() -> None:
    async with MockServer() as upstream, proxy_before(upstream) as proxy:
        assert await create(proxy.port) == "job-1"
        async with RawClient(proxy.port) as client:
            assert (await client.ask("GET", "/v1/jobs/none")).status == 404
            assert (await client.ask("POST", "/v1/jobs/job-1/cancel")).status == 200
        sent = next(r for r in upstream.journal if isinstance(r, RequestReceived))
        assert dict(sent.headers)["host"] == f"127.0.0.1:{upstream.port}"


async def test_headers_beyond_ascii_pass_the_proxy_byte_by_byte() -> None:
    rule = {"on": {"route": "me"}, "headers": {"X-A": "é✓"}}
    async with (
        MockServer(scenario_from_dict({"rule": [rule]})) as upstream,
        proxy_before(upstream) as proxy,
        RawClient(proxy.port) as client,
    ):
        answer = await client.ask_to_end("GET", "/v1/me", {"Connection": "close"})
    assert (answer.header("X-A") or "").encode("latin-1") == "é✓".encode()


async def test_a_lost_request_never_reaches_the_upstream() -> None:
    scenario = scenario_from_dict({"rule": [{"on": {"route": "me"}, "lose": "request"}]})
    async with MockServer() as upstream, proxy_before(upstream, scenario) as proxy:
        async with RawClient(proxy.port) as client:
            await client.ask_to_end("GET", "/v1/me")
        assert upstream.journal == []


async def test_an_upstream_that_is_away_is_a_502() -> None:
    async with MockServer() as upstream:
        url = upstream.base_url
    origin = ProxyOrigin(Upstream.at(url))
    async with MockServer(upstream=origin) as proxy, RawClient(proxy.port) as client:
        answer = await client.ask("GET", "/v1/me")
    assert answer.status == 502
    assert "upstream 127.0.0.1:" in str(answer.json["error"])


async def test_an_upstream_that_talks_garbage_is_a_502() -> None:
    scenario = scenario_from_dict({"rule": [{"accept": "garbage"}]})
    async with (
        MockServer(scenario) as upstream,
        proxy_before(upstream) as proxy,
        RawClient(proxy.port) as client,
    ):
        assert (await client.ask("GET", "/v1/me")).status == 502


@pytest.mark.parametrize("url", ["ftp://x", "http://", "x", "http://a:99999", "http://u:p@a"])
def test_what_is_no_upstream_is_refused(url: str) -> None:
    with pytest.raises(ScenarioError, match="must be an http:// or https:// URL"):
        Upstream.at(url)


def test_what_only_a_backend_can_do_is_refused_by_the_proxy() -> None:
    origin = ProxyOrigin(Upstream.at("http://127.0.0.1:1"))
    scenario = scenario_from_dict({"rule": [{"resume": "ignore"}]})
    with pytest.raises(ScenarioError, match="rule 1: 'resume' needs the backend capability"):
        MockServer(scenario, upstream=origin)
    silent = scenario_from_dict({"backend": {"keep_alive_ms": 9}})
    with pytest.raises(ScenarioError, match="backend: 'keep_alive_ms' needs the backend"):
        MockServer(silent, upstream=origin)


async def test_the_proxy_treats_requests_and_connections_as_the_scenario_says() -> None:
    words = {"targets": "origin", "half_close": "dropped"}
    async with (
        MockServer() as upstream,
        proxy_before(upstream, scenario_from_dict({"backend": words})) as proxy,
    ):
        async with RawClient(proxy.port) as client:
            assert (await client.ask("GET", "http://elsewhere.invalid/v1/me")).status == 400
        async with RawClient(proxy.port) as client:
            await client.send(request_bytes("GET", "/v1/me"))
            client.half_close()
            assert await client.read_to_end() == (b"", "FIN")
        async with RawClient(proxy.port) as client:
            assert (await client.ask("GET", "/v1/me")).status == 200


@pytest.mark.parametrize(("end", "seen"), [("fin", "FIN"), ("rst", "ECONNRESET")])
async def test_a_body_that_the_upstream_cuts_is_cut_for_the_client(end: str, seen: str) -> None:
    rule = {"on": {"route": "me"}, "body": "0123456789", "after": {"bytes": 4}, "end": end}
    async with (
        MockServer(scenario_from_dict({"rule": [rule]})) as upstream,
        proxy_before(upstream) as proxy,
        RawClient(proxy.port) as client,
    ):
        answer = await client.ask_to_end("GET", "/v1/me", {"Connection": "close"})
    assert (answer.status, answer.unchunked, answer.ending) == (200, b"0123", seen)
    assert not answer.body.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    ("rules", "asked_for"),
    [
        ([], "gzip"),
        ([{"on": {"route": "stream"}, "strip_id": True}], "gzip"),
        ([{"bom": True}], None),
    ],
    ids=["no rule", "a rule about something else", "a rule about it"],
)
async def test_where_a_rule_acts_the_upstream_is_asked_for_no_compression(
    rules: Rules, asked_for: str | None
) -> None:
    async with MockServer() as upstream:
        scenario = scenario_from_dict({"rule": list(rules)})
        async with proxy_before(upstream, scenario) as proxy, RawClient(proxy.port) as client:
            await client.ask("GET", "/v1/me", {"Accept-Encoding": "gzip"})
        sent = next(record for record in upstream.journal if isinstance(record, RequestReceived))
    assert dict(sent.headers).get("accept-encoding") == asked_for


@pytest.mark.parametrize("rules", [[], [{"stall": {"ms": 1}}]], ids=["no rule", "a rule"])
async def test_a_head_request_is_answered_with_the_length_that_the_upstream_tells(
    rules: Rules,
) -> None:
    length = {"on": {"method": "HEAD"}, "content_length": [4321]}
    scenario = scenario_from_dict({"rule": list(rules)})
    async with (
        MockServer(scenario_from_dict({"rule": [length]})) as upstream,
        proxy_before(upstream, scenario) as proxy,
        RawClient(proxy.port) as client,
    ):
        headers = {"Connection": "close"}
        answer = await client.ask_to_end("HEAD", "/v1/me", headers)
    assert answer.head.lower().count("content-length") == 1
    assert (answer.header("Content-Length"), answer.body) == ("4321", b"")


async def test_a_head_request_whose_upstream_tells_no_length_gets_none() -> None:
    chunks = {"on": {"method": "HEAD"}, "framing": "chunked"}
    async with (
        MockServer(scenario_from_dict({"rule": [chunks]})) as upstream,
        proxy_before(upstream) as proxy,
        RawClient(proxy.port) as client,
    ):
        answer = await client.ask_to_end("HEAD", "/v1/me", {"Connection": "close"})
    assert (answer.header("Content-Length"), answer.body) == (None, b"")
