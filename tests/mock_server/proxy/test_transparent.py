"""The native proxy passes on header fields, lengths, targets and informational heads unchanged."""

import http.client
import threading
import urllib.request
from collections.abc import Iterator

import anyio
import httpx
import pytest

from mock_server import MockServer, RequestReceived, RequestRejected, Scenario, scenario_from_dict
from mock_server.proxy.origin import ProxyOrigin, Upstream
from mock_server.proxy.recorder import RecordingOrigin
from mock_server.scenario.files import scenario_to_toml
from tests.mock_server.parity import Rules
from tests.mock_server.rawclient import Answer, RawClient
from tests.mock_server.rawupstream import RawUpstream, raw_upstream

pytestmark = pytest.mark.anyio

REPEATED = {
    "Set-Cookie": ["a=1; Path=/", "b=2, c"],
    "Link": ["</a>; rel=next", "</b>; rel=prev"],
    "Warning": ['199 - "one"', '199 - "two"'],
    "WWW-Authenticate": ["Bearer", 'Basic realm="x, y"'],
    "X-Plain": ["1", "1"],
}
LINES = [f"{name}: {value}" for name, values in REPEATED.items() for value in values]
BODY = b"Content-Length: 2\r\n\r\n{}"


@pytest.fixture
def raw() -> Iterator[RawUpstream]:
    with raw_upstream() as upstream:
        yield upstream


def before(url: str, rules: Rules = ()) -> MockServer:
    scenario = scenario_from_dict({"rule": list(rules)})
    return MockServer(scenario, upstream=ProxyOrigin(Upstream.at(url)))


async def ask(port: int, head: bytes) -> Answer:
    async with RawClient(port) as client:
        await client.send(head)
        everything, ending = await client.read_to_end()
    top, mark, rest = everything.partition(b"\r\n\r\n")
    return Answer((top + mark).decode("latin-1"), rest, ending)


def request(method: str, target: str, *lines: str) -> bytes:
    fields = ["Host: h", "Connection: close", *lines]
    return "\r\n".join([f"{method} {target} HTTP/1.1", *fields, "", ""]).encode("latin-1")


@pytest.mark.parametrize(
    "rules",
    [[], [{"headers": {"X-Odd": "1"}}], [{"on": {"frame": 1}, "slice": 1}]],
    ids=["no rule", "a rule about the head", "a rule about the body"],
)
async def test_repeated_fields_of_an_answer_pass_in_their_order(
    raw: RawUpstream, rules: Rules
) -> None:
    raw.say("\r\n".join(["HTTP/1.1 200 OK", *LINES, ""]).encode() + BODY)
    async with before(raw.url, rules) as proxy:
        answer = await ask(proxy.port, request("GET", "/v1/me"))
    assert [line for line in answer.head.split("\r\n") if line in LINES] == LINES


async def test_repeated_fields_of_a_request_pass_in_their_order() -> None:
    lines = ("X-Forwarded-For: 1", "Cookie: a=1", "x-forwarded-for: 2", "Cookie: b=2")
    async with MockServer() as upstream, before(upstream.base_url) as proxy:
        await ask(proxy.port, request("GET", "/v1/me", *lines))
    (came,) = [record for record in upstream.journal if isinstance(record, RequestReceived)]
    assert [value for name, value in came.headers if name == "x-forwarded-for"] == ["1", "2"]
    assert len([name for name, _ in came.headers if name == "cookie"]) == 2


async def test_repeated_fields_are_recorded_and_replayed(raw: RawUpstream) -> None:
    raw.say("\r\n".join(["HTTP/1.1 200 OK", *LINES, ""]).encode() + BODY)
    cookies = ["Set-Cookie: a=[redacted]; Path=/", "Set-Cookie: b=[redacted]"]
    lines = [*cookies, *LINES[2:]]
    recording = RecordingOrigin(ProxyOrigin(Upstream.at(raw.url)))
    async with MockServer(upstream=recording) as proxy:
        await ask(proxy.port, request("GET", "/v1/me"))
    assert 'Link = ["</a>; rel=next", "</b>; rel=prev"]' in scenario_to_toml(recording.scenario())
    async with MockServer(recording.scenario()) as replay:
        answer = await ask(replay.port, request("GET", "/v1/me"))
    assert [line for line in answer.head.split("\r\n") if line in lines] == lines


async def test_a_rule_sends_a_field_several_times_or_takes_it_out(raw: RawUpstream) -> None:
    raw.say(b"HTTP/1.1 200 OK\r\nServer: x\r\nLink: old\r\nVary: y\r\n" + BODY)
    rule = {"headers": {"link": ["new", "newer"], "Server": []}}
    async with before(raw.url, [rule]) as proxy:
        answer = await ask(proxy.port, request("GET", "/v1/me"))
    fields = sorted(answer.head.split("\r\n")[1:-2])
    assert fields == [
        "Connection: close",
        "Content-Length: 2",
        "Vary: y",
        "link: new",
        "link: newer",
    ]


HOPS = (
    "Keep-Alive: 5",
    "Proxy-Connection: x",
    "TE: trailers",
    "Upgrade: h2c",
    "X-Hop: 1",
    "x-two: 2",
)


async def test_what_belongs_to_the_clients_connection_does_not_reach_the_upstream() -> None:
    asked = request("GET", "/v1/me", *HOPS, "Connection: X-Hop,\tx-TWO", "X-Stays: 3")
    async with MockServer() as upstream, before(upstream.base_url) as proxy:
        await ask(proxy.port, asked)
    (came,) = [record for record in upstream.journal if isinstance(record, RequestReceived)]
    assert [name for name, _ in came.headers] == ["host", "x-stays"]


async def test_what_belongs_to_the_upstreams_connection_does_not_reach_the_client(
    raw: RawUpstream,
) -> None:
    lines = ["HTTP/1.1 200 OK", *HOPS, "Connection: x-hop", "Connection: X-Two,close", "X-Stays: 3"]
    raw.say("\r\n".join([*lines, ""]).encode() + BODY)
    async with before(raw.url) as proxy:
        answer = await ask(proxy.port, request("GET", "/v1/me"))
    fields = sorted(answer.head.split("\r\n")[1:-2])
    assert fields == ["Connection: close", "Content-Length: 2", "X-Stays: 3"]


@pytest.mark.parametrize(
    ("method", "status", "length"),
    [("HEAD", "200 OK", "4321"), ("GET", "304 Not Modified", "99"), ("HEAD", "404 Not Found", "0")],
)
@pytest.mark.parametrize("rules", [[], [{"delay_ms": 1}]], ids=["no rule", "a rule"])
async def test_the_length_of_a_body_that_is_not_sent_passes(
    raw: RawUpstream, method: str, status: str, length: str, rules: Rules
) -> None:
    raw.say(f"HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n".encode())
    async with before(raw.url, rules) as proxy, RawClient(proxy.port) as client:
        await client.send(f"{method} /v1/me HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        head = (await client.read_until(b"\r\n\r\n")).decode()
        raw.say(b"HTTP/1.1 200 OK\r\n" + BODY)
        again = await client.ask("GET", "/v1/me")  # the connection can still be used
    assert head.lower().count("content-length: ") == 1
    assert f"Content-Length: {length}\r\n" in head
    assert again.body == b"{}"


async def test_the_length_that_answers_a_head_request_is_recorded_and_replayed(
    raw: RawUpstream,
) -> None:
    raw.say(b"HTTP/1.1 200 OK\r\nContent-Type: a/b\r\nContent-Length: 4321\r\n\r\n")
    recording = RecordingOrigin(ProxyOrigin(Upstream.at(raw.url)))
    async with MockServer(upstream=recording) as proxy:
        heard = await ask(proxy.port, request("HEAD", "/v1/me"))
    async with MockServer(recording.scenario()) as replay:
        answer = await ask(replay.port, request("HEAD", "/v1/me"))
    assert sorted(answer.head.split("\r\n")) == sorted(heard.head.split("\r\n"))
    assert (answer.header("Content-Length"), answer.body) == ("4321", b"")


ABSOLUTE = ["http://api.example/v1/me?x=1", "HTTP://u:secret@api.example:81/v1/me?x=1#part"]


@pytest.mark.parametrize("target", ABSOLUTE)
async def test_a_url_as_the_target_is_understood_by_mock_and_proxy(target: str) -> None:
    async with MockServer() as upstream, before(upstream.base_url) as proxy:
        asked = request("GET", target, "Authorization: Bearer t")
        assert (await ask(proxy.port, asked)).status == 200
        assert (await ask(upstream.port, asked)).status == 200
        records = [*proxy.journal, *upstream.journal]
    came = [record for record in records if isinstance(record, RequestReceived)]
    assert {(each.route.value, each.target) for each in came} == {("me", "/v1/me?x=1")}
    assert "secret" not in repr(came)


@pytest.mark.parametrize(
    ("target", "sent"),
    [("*", "*"), ("http://api.example", "*"), ("http://api.example/", "/"), ("/x", "/x")],
)
async def test_options_of_the_server_as_a_whole_pass(
    raw: RawUpstream, target: str, sent: str
) -> None:
    raw.say(b"HTTP/1.1 204 No Content\r\nAllow: GET\r\n\r\n")
    async with before(raw.url + "/prefix") as proxy:
        answer = await ask(proxy.port, request("OPTIONS", target))
    assert (answer.status, answer.header("Allow")) == (204, "GET")
    wanted = sent if sent == "*" else "/prefix" + sent
    assert raw.heads[0].startswith(f"OPTIONS {wanted} HTTP/1.1\r\n".encode())


async def test_the_mock_answers_options_of_the_server_as_a_whole() -> None:
    async with MockServer() as mock:
        answer = await ask(mock.port, request("OPTIONS", "*"))
    assert (answer.status, answer.header("Allow")) == (204, "GET, OPTIONS, POST")


@pytest.mark.parametrize(
    ("method", "target", "status", "said"),
    [
        ("GET", "*", 400, "the target must be a path"),
        ("GET", "ftp://u:secret@api.example/", 400, "the target must be a path"),
        ("GET", "v1/me", 400, "the target must be a path"),
    ],
)
async def test_a_target_that_names_nothing_here_is_refused_clearly(
    method: str, target: str, status: int, said: str
) -> None:
    async with MockServer() as upstream, before(upstream.base_url) as proxy:
        answer = await ask(proxy.port, request(method, target))
        assert answer.status == status
        assert str(answer.json["error"]).startswith(said)
        (rejected,) = [r for r in proxy.journal if isinstance(r, RequestRejected)]
        assert "secret" not in repr(rejected) + answer.body.decode()
        assert (await ask(proxy.port, request("GET", "/v1/me"))).status == 401  # it lives
        assert not [r for r in upstream.journal if isinstance(r, RequestRejected)]


async def test_a_client_told_to_use_a_proxy_finds_its_backend() -> None:
    async with MockServer() as upstream, before(upstream.base_url) as proxy:

        def ask_with_urllib() -> bytes:
            handler = urllib.request.ProxyHandler({"http": proxy.base_url})
            asked = urllib.request.Request(
                "http://api.example/v1/me", headers={"Authorization": "Bearer t"}
            )
            with urllib.request.build_opener(handler).open(asked, timeout=10) as answer:
                found: bytes = answer.read()
            return found

        def ask_with_httpx() -> bytes:
            with httpx.Client(proxy=proxy.base_url, trust_env=False) as client:
                headers = {"Authorization": "Bearer t"}
                return client.get("http://api.example/v1/me", headers=headers).content

        assert b"user-1" in await anyio.to_thread.run_sync(ask_with_urllib)
        assert b"user-1" in await anyio.to_thread.run_sync(ask_with_httpx)


@pytest.mark.parametrize("target", ["api.example:443", "u:secret@api.example:443", "a:1", "?"])
async def test_a_tunnel_is_refused_clearly(target: str) -> None:
    async with MockServer() as upstream, before(upstream.base_url) as proxy:
        for port, status in ((proxy.port, 501), (upstream.port, 404)):
            answer = await ask(port, request("CONNECT", target))
            assert answer.status == status
            assert str(answer.json["error"]).startswith(
                "CONNECT: this server does not open tunnels"
            )
            assert (await ask(port, request("GET", "/v1/me"))).status == 401  # it lives
        assert "secret" not in repr(proxy.journal) + repr(upstream.journal)


EARLY = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>\r\nConnection: X\r\nX: 1\r\n\r\n"


@pytest.mark.parametrize("rules", [[], [{"delay_ms": 1}]], ids=["no rule", "a rule"])
async def test_early_heads_pass_before_the_answer(raw: RawUpstream, rules: Rules) -> None:
    waiting = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
    raw.say(waiting + EARLY, b"HTTP/1.1 200 OK\r\n" + BODY)
    async with before(raw.url, rules) as proxy, RawClient(proxy.port) as client:
        await client.send(request("GET", "/v1/me"))
        everything, _ = await client.read_to_end()
    heads = everything.split(b"\r\n\r\n")
    assert heads[0] == b"HTTP/1.1 102 Processing"
    assert heads[1] == b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nLink: </b>"
    assert heads[2].startswith(b"HTTP/1.1 200 OK\r\n")
    assert heads[3] == b"{}"


async def test_an_early_head_passes_while_the_answer_is_awaited(raw: RawUpstream) -> None:
    answer = threading.Event()
    raw.say(EARLY, b"HTTP/1.1 200 OK\r\n" + BODY, go_on=answer)
    async with before(raw.url) as proxy, RawClient(proxy.port) as client:
        await client.send(request("GET", "/v1/me"))
        assert b"103" in await client.read_until(b"\r\n\r\n")
        answer.set()
        assert b"200 OK" in await client.read_until(b"\r\n\r\n")


async def test_a_client_of_the_first_version_gets_no_early_head(raw: RawUpstream) -> None:
    raw.say(EARLY, b"HTTP/1.1 200 OK\r\n" + BODY)
    async with before(raw.url) as proxy:
        answer = await ask(proxy.port, b"GET /v1/me HTTP/1.0\r\n\r\n")
    assert answer.status == 200


async def test_the_status_of_an_early_head_is_recorded_and_replayed(raw: RawUpstream) -> None:
    raw.say(EARLY, b"HTTP/1.1 200 OK\r\n" + BODY)
    recording = RecordingOrigin(ProxyOrigin(Upstream.at(raw.url)))
    async with MockServer(upstream=recording) as proxy:
        await ask(proxy.port, request("GET", "/v1/me"))
    async with MockServer(recording.scenario()) as replay:
        assert (await ask(replay.port, request("GET", "/v1/me"))).status == 103


async def test_an_answer_that_comes_before_the_request_was_read_passes() -> None:
    async def refuse(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.send(b"HTTP/1.1 413 Too Large\r\nContent-Length: 4\r\n\r\nlong")

    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as group,
    ):
        group.start_soon(listener.serve, refuse)
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        async with before(f"http://127.0.0.1:{port}") as proxy, RawClient(proxy.port) as client:
            answer = await client.ask("POST", "/v1/jobs", body=b"x" * 4_000_000)
            assert answer.status in {413, 502}
        group.cancel_scope.cancel()


def test_a_real_client_reads_a_head_answer_through_the_proxy() -> None:
    async def check() -> None:
        async with MockServer(Scenario()) as upstream, before(upstream.base_url) as proxy:

            def head() -> tuple[int, bytes]:
                client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=10)
                try:
                    client.request("HEAD", "/v1/me")
                    answer = client.getresponse()
                    return answer.status, answer.read()
                finally:
                    client.close()

            assert await anyio.to_thread.run_sync(head) == (405, b"")

    anyio.run(check)
