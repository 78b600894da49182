"""Requests of other processes that reach the port by chance must not count."""

from collections.abc import Callable

import pytest

from mock_server import (
    ConnectionOpened,
    MockServer,
    Record,
    Request,
    RequestReceived,
    RequestRejected,
    Route,
    scenario_from_dict,
    to_jsonl,
)
from tests.mock_server.rawclient import CREATE_BODY, RawClient, create, request_bytes

pytestmark = pytest.mark.anyio

MINE = "Bearer mine-0123"
STREAM = "/v1/jobs/job-1/events/stream"
OURS = {"Authorization": MINE}
THEIRS = {"Authorization": "Bearer theirs-4567"}


def is_mine(request: Request) -> bool:
    """Claim the requests with our token."""
    return request.header("authorization") == MINE


def server(*rules: object, claims: Callable[[Request], bool] = is_mine) -> MockServer:
    return MockServer(scenario_from_dict({"rule": list(rules)}), claims=claims)


def rejected(journal: list[Record]) -> list[RequestRejected]:
    return [record for record in journal if isinstance(record, RequestRejected)]


def attempts(mock: MockServer) -> list[tuple[str, int]]:
    received = [record for record in mock.journal if isinstance(record, RequestReceived)]
    return [(record.route.value, record.attempt) for record in received]


async def test_an_unclaimed_request_is_told_421_and_its_connection_is_closed() -> None:
    async with server() as mock:
        async with RawClient(mock.port) as stranger:
            answer = await stranger.ask_to_end("GET", STREAM, THEIRS)
        assert (answer.status, answer.ending) == (421, "FIN")
        assert answer.header("Connection") == "close"
        assert answer.json == {"error": "this request is not meant for this server"}
        assert int(answer.header("Content-Length") or 0) == len(answer.body)
        assert attempts(mock) == []


async def test_an_unclaimed_stream_between_two_claimed_ones_moves_no_attempt() -> None:
    cut = {"on": {"route": "stream", "attempt": 2}, "after": {"frames": 1}, "end": "eof"}
    once = {"on": {"route": "stream", "attempt": "2-", "times": 1}, "headers": {"X-Once": "1"}}
    async with server(cut, once) as mock:
        await create(mock.port, OURS)
        async with RawClient(mock.port) as client, RawClient(mock.port) as stranger:
            first = await client.ask("GET", STREAM, OURS)
            await stranger.ask_to_end("GET", STREAM, THEIRS)
            second = await client.ask("GET", STREAM, OURS)
        assert first.unchunked.count(b"id: ") == 6
        assert second.unchunked.count(b"id: ") == 1
        assert second.header("X-Once") == "1"
        assert attempts(mock) == [("create", 1), ("stream", 1), ("stream", 2)]
        mock.verify.stream().times(2)


async def test_an_unclaimed_create_makes_no_job_whatever_its_body_names() -> None:
    def about_n(request: Request) -> bool:
        return request.route is not Route.CREATE or b'"name": "n"' in request.body

    lost = {"on": {"route": "create", "attempt": 1}, "headers": {"X-First": "1"}}
    async with server(lost, claims=about_n) as mock:
        foreign = CREATE_BODY.replace(b'"n"', b'"other"')
        async with RawClient(mock.port) as stranger:
            headers = {"Idempotency-Key": "k"}
            answer = await stranger.ask_to_end("POST", "/v1/jobs", headers, foreign)
        assert answer.status == 421
        assert dict(mock.jobs) == {}
        async with RawClient(mock.port) as client:
            answer = await client.ask("POST", "/v1/jobs", {"Idempotency-Key": "k"}, CREATE_BODY)
        assert (answer.status, answer.header("X-First")) == (200, "1")
        assert list(mock.jobs) == ["job-1"]


async def test_the_journal_says_what_was_not_claimed_and_no_header_of_it() -> None:
    async with server() as mock:
        async with RawClient(mock.port) as stranger:
            headers = {**THEIRS, "X-Secret": "hush"}
            await stranger.ask_to_end("POST", "/v1/jobs?orgSlug=o", headers, CREATE_BODY)
        (record,) = rejected(mock.journal)
        assert (record.status, record.method, record.path) == (421, "POST", "/v1/jobs")
        assert record.why == "this request is not meant for this server"
        for secret in ("theirs-4567", "hush"):
            assert secret not in to_jsonl(mock.journal)
            assert secret not in repr(mock.journal)


async def test_an_unclaimed_head_request_gets_no_body() -> None:
    async with server() as mock, RawClient(mock.port) as stranger:
        answer = await stranger.ask_to_end("HEAD", "/v1/me", THEIRS)
    assert (answer.status, answer.body, answer.ending) == (421, b"", "FIN")


async def test_the_body_of_an_unclaimed_request_is_bounded_like_any_other() -> None:
    scenario = scenario_from_dict({"limits": {"body_bytes": 100}})
    async with MockServer(scenario, claims=is_mine) as mock, RawClient(mock.port) as stranger:
        answer = await stranger.ask_to_end("POST", "/v1/jobs", THEIRS, b"x" * 101)
        assert answer.status == 413
        assert attempts(mock) == []


async def test_a_connection_takes_its_number_as_it_is_accepted_claimed_or_not() -> None:
    second = {"on": {"connection": 2}, "accept": "fin"}
    async with server(second) as mock:
        async with RawClient(mock.port) as client:
            assert (await client.ask("GET", "/v1/me", OURS)).status == 200
            # The other process's connection is the second, so the rule fires on it and not on our next one.
            async with RawClient(mock.port) as stranger:
                assert await stranger.read_to_end() == (b"", "FIN")
            assert (await client.ask("GET", "/v1/me", OURS)).status == 200
        async with RawClient(mock.port) as client:
            assert (await client.ask("GET", "/v1/me", OURS)).status == 200
        opened = [record for record in mock.journal if isinstance(record, ConnectionOpened)]
        assert [record.connection for record in opened] == [1, 2, 3]


async def test_a_slow_read_is_still_chosen_by_attempt_where_requests_are_claimed() -> None:
    slow = {"on": {"route": "create", "attempt": 2}, "slow_read": 100_000}
    async with server(slow) as mock:
        await create(mock.port, OURS)
        async with RawClient(mock.port) as stranger:
            await stranger.ask_to_end("POST", "/v1/jobs", THEIRS, CREATE_BODY)
        assert [fired for _, _, fired in mock.rules] == [0]
        await create(mock.port, OURS)
        assert [fired for _, _, fired in mock.rules] == [1]
        assert attempts(mock) == [("create", 1), ("create", 2)]


async def test_a_continue_is_sent_before_the_claim_because_the_body_may_decide_it() -> None:
    async with server() as mock, RawClient(mock.port) as stranger:
        raw = request_bytes("POST", "/v1/jobs", {**THEIRS, "Expect": "100-continue"}, CREATE_BODY)
        await stranger.send(raw.removesuffix(CREATE_BODY))
        assert await stranger.read_until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        await stranger.send(CREATE_BODY)
        assert (await stranger.read_until(b"\r\n\r\n")).startswith(b"HTTP/1.1 421 ")


async def test_claims_outlive_another_scenario() -> None:
    async with server() as mock:
        mock.load(scenario_from_dict({"name": "next"}))
        async with RawClient(mock.port) as stranger:
            assert (await stranger.ask_to_end("GET", "/v1/me", THEIRS)).status == 421
        assert len(rejected(mock.journal)) == 1


def test_a_request_shown_in_a_message_hides_its_headers_and_body() -> None:
    request = Request("GET", "/v1/me", (("authorization", "s3"),), b"s4", Route.ME, (), None, {})
    assert "s3" not in repr(request)
    assert "s4" not in repr(request)
