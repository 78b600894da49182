"""When an upstream fails, the client and the journal get the reason, and the proxy keeps running."""

import gzip
import socket
from collections.abc import Iterator

import anyio
import pytest

from mock_server import MockServer, Scenario, UpstreamFailed, scenario_from_dict
from mock_server.net.names.addresses import Addresses
from mock_server.net.tls.throw_away import throw_away_tls
from mock_server.proxy.origin import ProxyOrigin, Upstream
from mock_server.proxy.recorder import RecordingOrigin
from mock_server.strict.shapes import ScenarioError
from tests.mock_server.parity import Rules
from tests.mock_server.rawclient import Answer, RawClient
from tests.mock_server.rawupstream import RawUpstream, Said, raw_upstream

pytestmark = pytest.mark.anyio
OK = b"HTTP/1.1 200 OK\r\n"
EVENTS = OK + b"Content-Type: text/event-stream\r\n"
SHORT = 0.05


@pytest.fixture
def raw() -> Iterator[RawUpstream]:
    with raw_upstream() as upstream:
        yield upstream


def before(url: str, rules: Rules = (), **times: float) -> MockServer:
    scenario = scenario_from_dict({"rule": list(rules)})
    return MockServer(scenario, upstream=ProxyOrigin(Upstream.at(url), **times))


async def told(proxy: MockServer) -> tuple[Answer, UpstreamFailed]:
    """Send a request; return its answer and the journal's record of the failure."""
    async with RawClient(proxy.port) as client:
        answer = await client.ask_to_end("GET", "/v1/jobs/j/events/stream", {"Connection": "close"})
    while answer.status < 200:
        head, mark, body = answer.body.partition(b"\r\n\r\n")
        answer = Answer((head + mark).decode(), body, answer.ending)
    (failure,) = [record for record in proxy.journal if isinstance(record, UpstreamFailed)]
    return answer, failure


def is_told(answer: Answer, failure: UpstreamFailed, status: int, reason: str) -> None:
    assert answer.status == status
    assert answer.header("Content-Type") == "application/json"
    assert answer.json["reason"] == reason
    assert failure.reason == reason
    assert str(answer.json["error"]).endswith(failure.why)
    assert "\n" not in answer.body.decode()
    assert (failure.route.value, failure.attempt) == ("stream", 1)


async def test_a_refused_connection_is_told() -> None:
    addresses = Addresses()
    async with before(addresses.refused_url()) as proxy:
        is_told(*await told(proxy), 502, "refused")
    addresses.close()


async def test_a_name_without_an_address_is_told() -> None:
    async with before(Addresses().dns_url()) as proxy:
        is_told(*await told(proxy), 502, "dns")


async def test_a_name_that_no_resolver_takes_is_told() -> None:
    async with before(f"http://{'x' * 70}.example") as proxy:
        is_told(*await told(proxy), 502, "dns")


async def test_a_connection_that_is_never_accepted_is_told() -> None:
    addresses = Addresses()
    async with before(addresses.blackhole_url(), connect_time=SHORT) as proxy:
        answer, failure = await told(proxy)
    addresses.close()
    is_told(answer, failure, 504, "timeout")
    assert failure.why == "no connection within 0.05 s"


async def test_an_answer_that_never_comes_is_told() -> None:
    rule = {"on": {"route": "stream"}, "lose": "request", "end": "hang"}
    async with (
        MockServer(scenario_from_dict({"rule": [rule]})) as upstream,
        before(upstream.base_url, answer_time=SHORT) as proxy,
    ):
        answer, failure = await told(proxy)
    is_told(answer, failure, 504, "timeout")
    assert failure.why == "no response within 0.05 s"


ANSWERS = {
    "nothing": (Said(()), "truncated"),
    "a part of a head": (Said((OK + b"X: ",)), "truncated"),
    "a reset": (Said((), reset=True), "reset"),
    "a reset within a head": (Said((OK,), reset=True), "reset"),
    "another protocol": (Said((b"SSH-2.0-secret\r\n",)), "malformed"),
    "a bad field": (Said((OK + b"secret\r\n\r\n",)), "malformed"),
    "two lengths": (
        Said((OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",)),
        "malformed",
    ),
    "an unknown coding": (Said((OK + b"Transfer-Encoding: gzip\r\n\r\n",)), "malformed"),
    "a protocol that was not asked for": (
        Said((b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",)),
        "malformed",
    ),
    "a flood of early heads": (Said((b"HTTP/1.1 102 Processing\r\n\r\n" * 102,)), "malformed"),
    "a head without end": (Said((OK + b"X: " + b"y" * 1_200_000,)), "malformed"),
}


@pytest.mark.parametrize(("said", "reason"), ANSWERS.values(), ids=ANSWERS)
@pytest.mark.parametrize(
    "rules",
    [
        [],
        [{"headers": {"X": "1"}}],
        [
            {"on": {"frame": 1}, "drop": True},
            {"on": {"route": "stream"}, "after": {"frames": 1}, "end": "rst"},
        ],
    ],
    ids=["no rule", "a rule about the head", "rules about the body"],
)
async def test_an_answer_that_is_none_is_told_without_a_word_of_it(
    raw: RawUpstream, said: Said, reason: str, rules: Rules
) -> None:
    raw.say(*said.pieces, reset=said.reset)
    async with before(raw.url, rules) as proxy:
        answer, failure = await told(proxy)
        is_told(answer, failure, 502, reason)
        assert "secret" not in repr(failure) + answer.body.decode()
        raw.say(OK + b"Content-Length: 0\r\n\r\n")
        async with RawClient(proxy.port) as client:
            assert (await client.ask("GET", "/v1/me")).status == 200


CHUNKED = EVENTS + b"Transfer-Encoding: chunked\r\n\r\n9\r\ndata: a\n\n\r\n"


@pytest.mark.parametrize(
    ("said", "reason", "seen"),
    [
        (Said((CHUNKED,)), "truncated", "FIN"),
        (Said((EVENTS + b"Content-Length: 99\r\n\r\ndata: a\n\n",)), "truncated", "FIN"),
        (Said((CHUNKED,), reset=True), "reset", "ECONNRESET"),
        (Said((CHUNKED + b"zz\r\n",)), "malformed", "FIN"),
    ],
)
async def test_a_stream_that_breaks_is_cut_for_the_client_and_told_to_the_journal(
    raw: RawUpstream, said: Said, reason: str, seen: str
) -> None:
    raw.say(*said.pieces, reset=said.reset)
    async with before(raw.url) as proxy:
        answer, failure = await told(proxy)
    assert (answer.status, answer.ending, failure.reason) == (200, seen, reason)
    assert not answer.body.endswith(b"0\r\n\r\n")


async def test_tls_that_cannot_be_trusted_is_told() -> None:
    with throw_away_tls() as tls:
        async with MockServer(Scenario(), tls=tls) as upstream, before(upstream.base_url) as proxy:
            answer, failure = await told(proxy)
    is_told(answer, failure, 502, "tls")
    assert failure.why.startswith("the certificate is not trusted: ")


@pytest.mark.parametrize("fault", ["garbage", "rst", "fin"])
async def test_tls_that_breaks_off_is_told(fault: str) -> None:
    rule = {"tls": "garbage"} if fault == "garbage" else {"accept": fault}
    with throw_away_tls() as tls:
        scenario = scenario_from_dict({"rule": [rule]})
        async with MockServer(scenario, tls=tls) as upstream, before(upstream.base_url) as proxy:
            is_told(*await told(proxy), 502, "tls")


async def test_plain_text_where_tls_is_wanted_is_told(raw: RawUpstream) -> None:
    raw.say(OK)
    async with (
        MockServer() as upstream,
        before(upstream.base_url.replace("http", "https")) as proxy,
    ):
        is_told(*await told(proxy), 502, "tls")


async def test_a_handshake_that_never_ends_is_told() -> None:
    with throw_away_tls() as tls:
        scenario = scenario_from_dict({"rule": [{"tls": "hang"}]})
        async with (
            MockServer(scenario, tls=tls) as upstream,
            before(upstream.base_url, connect_time=SHORT) as proxy,
        ):
            is_told(*await told(proxy), 504, "timeout")


async def test_a_client_that_leaves_is_no_failure_of_the_upstream() -> None:
    rule = {"on": {"route": "me"}, "delay_ms": 60_000}
    async with MockServer(scenario_from_dict({"rule": [rule]})) as upstream:
        async with before(upstream.base_url) as proxy:
            async with RawClient(proxy.port) as client:
                await client.send(b"GET /v1/me HTTP/1.1\r\nHost: h\r\n\r\n")
                await upstream.wait_for("me")
            await proxy.wait_for("me", ended=True)
        assert not [r for r in proxy.journal if isinstance(r, UpstreamFailed)]


PACKED = gzip.compress(b"id: 1\ndata: a\n\n", mtime=0)
ZIPPED = (
    b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"%x\r\n%b\r\n0\r\n\r\n" % (len(PACKED), PACKED)
)
LOOKING: list[dict[str, object]] = [
    {"on": {"id": "1"}, "drop": True},
    {"on": {"frame": 1}, "delay_ms": 1},
    {"strip_id": True},
    {"after": {"frames": 1}, "end": "rst"},
    {"after": {"id": "1"}, "stall": {"ms": 1}},
    {"bom": True},
    {"coalesce": 2},
]


@pytest.mark.parametrize("rule", LOOKING, ids=str)
async def test_a_compressed_stream_that_a_rule_looks_into_is_refused(
    raw: RawUpstream, rule: dict[str, object]
) -> None:
    raw.say(EVENTS + ZIPPED)
    async with before(raw.url, [rule]) as proxy:
        answer, failure = await told(proxy)
    is_told(answer, failure, 502, "compressed")
    assert "turn off compression at the upstream" in failure.why


@pytest.mark.parametrize(
    "rules",
    [[], [{"headers": {"X": "1"}}], [{"rate": 1_000_000}], [{"on": {"route": "me"}, "bom": True}]],
    ids=str,
)
async def test_a_compressed_stream_that_no_rule_looks_into_passes(
    raw: RawUpstream, rules: Rules
) -> None:
    raw.say(EVENTS + ZIPPED)
    async with before(raw.url, rules) as proxy, RawClient(proxy.port) as client:
        answer = await client.ask_to_end(
            "GET", "/v1/jobs/j/events/stream", {"Connection": "close", "Accept-Encoding": "gzip"}
        )
    assert (answer.status, answer.unchunked) == (200, PACKED)
    assert answer.header("Content-Encoding") == "gzip"


@pytest.mark.parametrize("coding", [b"identity", b"", b"Identity, identity"])
async def test_a_coding_that_changes_nothing_is_no_compression(
    raw: RawUpstream, coding: bytes
) -> None:
    raw.say(EVENTS + b"Content-Encoding: %b\r\n\r\nid: 1\ndata: a\n\n" % coding)
    async with before(raw.url, [{"strip_id": True}]) as proxy, RawClient(proxy.port) as client:
        answer = await client.ask_to_end("GET", "/v1/jobs/j/events/stream", {"Connection": "close"})
    assert answer.unchunked == b"data: a\n\n"


@pytest.mark.parametrize("coding", [b"gzip", b"x-secret", b"identity\r\nContent-Encoding: br"])
async def test_a_recording_refuses_what_is_compressed(raw: RawUpstream, coding: bytes) -> None:
    raw.say(OK + b"Content-Encoding: %b\r\nContent-Length: 1\r\n\r\nx" % coding)
    recording = RecordingOrigin(ProxyOrigin(Upstream.at(raw.url)))
    async with MockServer(upstream=recording) as proxy:
        answer, failure = await told(proxy)
    is_told(answer, failure, 502, "compressed")
    assert "secret" not in repr(failure)
    assert recording.exchanges == 0


ODD_URLS = [
    "http://u:secret@h",
    "http://:secret@h",
    "http://h\n.example",
    "http://h:",
    "http://h:99999",
    "http://h/a b",
    "http://[::1",
    "//h",
    "http://h/?x=secret",
    "",
]


@pytest.mark.parametrize("url", ODD_URLS)
def test_a_url_that_is_no_upstream_is_refused_without_being_quoted(url: str) -> None:
    with pytest.raises(ScenarioError, match="must be an http:// or https:// URL") as caught:
        Upstream.at(url)
    assert "secret" not in str(caught.value)


async def test_an_upstream_of_the_other_address_family_is_reached() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    async with await anyio.create_tcp_listener(local_host="::1") as listener:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        heads: list[bytes] = []

        async def serve(stream: anyio.abc.SocketStream) -> None:
            async with stream:
                heads.append(await stream.receive())
                await stream.send(OK + b"Content-Length: 0\r\n\r\n")

        async with anyio.create_task_group() as group:
            group.start_soon(listener.serve, serve)
            async with before(f"http://[::1]:{port}") as proxy, RawClient(proxy.port) as client:
                assert (await client.ask("GET", "/v1/me")).status == 200
            group.cancel_scope.cancel()
    assert f"\r\nHost: [::1]:{port}\r\n".encode() in heads[0]
