"""Faults of the head, as bytes on the wire; faults of connections and of the port."""

import errno

import anyio
import pytest

from mock_server import MockServer, PortChanged, ResponseStarted, ScenarioError, scenario_from_dict
from tests.mock_server.rawclient import EOF, Answer, RawClient, create, follow, request_bytes

pytestmark = pytest.mark.anyio


async def me(rule: dict[str, object]) -> Answer:
    scenario = scenario_from_dict({"rule": [{"on": {"route": "me"}, **rule}]})
    async with MockServer(scenario) as mock, RawClient(mock.port) as client:
        return await client.ask_to_end("GET", "/v1/me", {"Connection": "close"})


async def test_a_json_body_goes_with_its_status_and_headers() -> None:
    answer = await me({"status": 426, "json": {"error": "old"}, "headers": {"X-A": "b"}})
    assert answer.status == 426
    assert answer.json == {"error": "old"}
    assert answer.header("X-A") == "b"
    assert answer.header("Content-Type") == "application/json"


async def test_a_header_of_a_rule_replaces_the_backends_whatever_its_case() -> None:
    answer = await me({"headers": {"content-type": "text/html"}})
    assert answer.head.lower().count("content-type") == 1
    assert answer.header("Content-Type") == "text/html"


async def test_text_beyond_ascii_in_a_head_is_sent_as_utf8() -> None:
    answer = await me({"status": 500, "reason": "Müde", "headers": {"X-A": "é✓"}})
    assert answer.head.split("\r\n")[0].encode("latin-1") == "HTTP/1.1 500 Müde".encode()
    assert (answer.header("X-A") or "").encode("latin-1") == "é✓".encode()


async def test_a_retry_after_is_written_down_whatever_its_case() -> None:
    rule = {"on": {"route": "me"}, "status": 503, "headers": {"retry-after": "7"}}
    async with MockServer(scenario_from_dict({"rule": [rule]})) as mock:
        async with RawClient(mock.port) as client:
            await client.ask("GET", "/v1/me")
        started = await mock.wait_for("me", answered=True)
    assert isinstance(started, ResponseStarted)
    assert started.retry_after == "7"


async def test_a_redirect_is_a_307_with_its_location() -> None:
    answer = await me({"redirect": "https://elsewhere.invalid/"})
    assert (answer.status, answer.header("Location")) == (307, "https://elsewhere.invalid/")


async def test_early_heads_come_before_the_answer() -> None:
    answer = await me({"early": [100, 103]})
    assert answer.head.startswith("HTTP/1.1 100 Continue\r\n\r\n")
    assert answer.body.startswith(b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n")


async def test_a_lying_content_length_is_sent_as_it_stands() -> None:
    answer = await me({"content_length": [5, 7]})
    assert answer.head.count("Content-Length: ") == 2
    assert answer.ending == EOF


async def test_a_raw_head_is_sent_as_it_stands() -> None:
    answer = await me({"raw_head_hex": b"HTTP/9 nonsense\xff\r\n\r\n".hex(), "body": "x"})
    assert answer.head == "HTTP/9 nonsense\xff\r\n\r\n"
    assert answer.body == b"x"


async def test_extra_bytes_follow_a_polite_end() -> None:
    answer = await me({"extra": "HTTP/1.1 200 stray"})
    assert answer.body.endswith(b"HTTP/1.1 200 stray")


async def test_a_body_can_be_cut_after_some_bytes() -> None:
    answer = await me({"body": "0123456789", "after": {"bytes": 4}, "end": "rst"})
    assert answer.header("Content-Length") == "10"
    assert (answer.body, answer.ending) == (b"0123", "ECONNRESET")


async def test_a_204_has_no_body() -> None:
    answer = await me({"status": 204})
    assert answer.body == b""
    assert answer.header("Content-Length") is None


async def test_a_body_delimited_by_close_has_no_chunks() -> None:
    scenario = scenario_from_dict({"rule": [{"on": {"route": "stream"}, "framing": "close"}]})
    async with MockServer(scenario) as mock:
        answer = await follow(mock.port, await create(mock.port))
    assert answer.header("Transfer-Encoding") is None
    assert answer.body.startswith(b"id: 1\n")


@pytest.mark.parametrize(("accept", "ending"), [("rst", "ECONNRESET"), ("fin", EOF)])
async def test_a_connection_can_be_ended_as_soon_as_it_is_accepted(
    accept: str, ending: str
) -> None:
    rule = {"on": {"connection": 1}, "accept": accept}
    async with MockServer(scenario_from_dict({"rule": [rule]})) as mock:
        async with RawClient(mock.port) as client:
            assert await client.read_to_end() == (b"", ending)
        async with RawClient(mock.port) as client:
            assert (await client.ask("GET", "/v1/me")).status == 200


async def test_a_connection_can_be_answered_with_garbage() -> None:
    scenario = scenario_from_dict({"rule": [{"accept": "garbage"}]})
    async with MockServer(scenario) as mock, RawClient(mock.port) as client:
        found, ending = await client.read_to_end()
    assert b"garbage" in found
    assert ending == EOF


async def test_a_port_that_is_down_refuses_and_comes_back_on_its_own() -> None:
    rule = {"on": {"route": "me", "attempt": 1}, "listener": "down", "listener_ms": 100}
    async with MockServer(scenario_from_dict({"rule": [rule]})) as mock:
        async with RawClient(mock.port) as client:
            await client.ask("GET", "/v1/me")
            await mock.wait_until(lambda record: isinstance(record, PortChanged))
            with pytest.raises(OSError, match=r".") as caught:
                await RawClient(mock.port).__aenter__()
            assert caught.value.errno == errno.ECONNREFUSED
            # The connection that stood goes on standing.
            assert (await client.ask("GET", "/v1/me")).status == 200
        await mock.wait_until(lambda record: record == PortChanged(record.seq, record.at, "up"))
        async with RawClient(mock.port) as client:
            assert (await client.ask("GET", "/v1/me")).status == 200


async def test_a_blackhole_answers_no_connection_at_all() -> None:
    rule = {"on": {"route": "me", "attempt": 1}, "listener": "blackhole", "listener_ms": 60_000}
    scenario = scenario_from_dict({"rule": [rule]})
    async with MockServer(scenario) as mock, RawClient(mock.port) as client:
        await client.ask("GET", "/v1/me")
        await mock.wait_until(lambda record: isinstance(record, PortChanged))
        with anyio.move_on_after(0.1) as scope:
            async with RawClient(mock.port):
                pass
    assert scope.cancelled_caught


async def test_a_delayed_head_does_not_delay_another_connection() -> None:
    rule = {"on": {"route": "me"}, "delay_ms": 60_000}
    scenario = scenario_from_dict({"rule": [rule]})
    async with MockServer(scenario) as mock, RawClient(mock.port) as slow:
        await slow.send(request_bytes("GET", "/v1/me"))
        await mock.wait_for("me")
        assert (await follow(mock.port, await create(mock.port))).status == 200


async def test_rules_written_in_python_are_in_force_at_once() -> None:
    async with MockServer() as mock:
        mock.on.stream(attempt=1).after(frames=2).end("rst")
        mock.on.stream(attempt=2).status(503, retry_after=0.2)
        mock.on.stream(attempt=3, frame=1).does(drop=True)
        job = await create(mock.port)
        answers = [await follow(mock.port, job) for _ in range(3)]
    assert answers[0].ending == "ECONNRESET"
    assert answers[1].header("Retry-After") == "0.2"
    assert answers[2].unchunked.startswith(b"id: 2\n")


async def test_a_word_mistyped_in_python_is_named_as_in_a_file() -> None:
    async with MockServer() as mock:
        with pytest.raises(ScenarioError, match="did you mean 'rst'"):
            mock.on.stream().end("rts")


def port_of(url: str) -> int:
    return int(url.rpartition(":")[2])


async def test_a_refused_url_refuses_and_stays_refused() -> None:
    async with MockServer() as mock:
        port = port_of(mock.addresses.refused_url())
        for _ in range(2):
            with pytest.raises(ConnectionRefusedError):
                await RawClient(port).__aenter__()


async def test_a_blackhole_url_answers_nothing() -> None:
    async with MockServer() as mock:
        port = port_of(mock.addresses.blackhole_url())
        with anyio.move_on_after(0.1) as scope:
            await RawClient(port).__aenter__()
    assert scope.cancelled_caught


async def test_a_dns_url_has_a_name_that_cannot_exist() -> None:
    async with MockServer() as mock:
        assert mock.addresses.dns_url().endswith(".invalid")
