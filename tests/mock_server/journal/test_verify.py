"""Checks of good and bad clients over real sockets."""

from collections.abc import Mapping

import pytest

from arkor_proto import PROFILE_2026_05
from mock_server import MockServer, ScenarioError, scenario_from_dict
from mock_server.journal.verify import VerificationError
from tests.mock_server.rawclient import CREATE_BODY, RawClient, create, request_bytes

pytestmark = pytest.mark.anyio

GOOD = {"X-Arkor-Client": "test/1", "Accept": "text/event-stream"}


def serve(*rules: Mapping[str, object], **words: object) -> MockServer:
    return MockServer(scenario_from_dict({"rule": list(rules), "job": [{"events": 4}], **words}))


async def opening(port: int, job: str, cursor: str | None = None, **headers: str) -> None:
    more = {} if cursor is None else {"Last-Event-ID": cursor}
    async with RawClient(port) as client:
        target = f"/v1/jobs/{job}/events/stream"
        everything = {**GOOD, **more, **headers, "Connection": "close"}
        await client.ask_to_end("GET", target, everything)


CUT: dict[str, object] = {
    "on": {"route": "stream", "attempt": 1},
    "after": {"frames": 2},
    "end": "eof",
}


async def test_counts_are_exact_and_say_how_many_came() -> None:
    async with serve() as mock:
        await create(mock.port)
        assert mock.verify.create().once().json is not None
        mock.verify.stream().never()
        with pytest.raises(VerificationError, match=r"create\(\): expected exactly 2, got 1"):
            mock.verify.create().times(2)
        with pytest.raises(VerificationError, match="expected at least 1, got 0"):
            mock.verify.cancel().at_least(1)


async def test_a_near_miss_is_shown_field_by_field() -> None:
    async with serve() as mock:
        await create(mock.port, {"X-Arkor-Client": "a/1"})
        with pytest.raises(VerificationError) as caught:
            mock.verify.create(
                json={"name": "other", "config": {"model": "m"}}, headers={"X-Arkor-Client": "b/1"}
            ).once()
    message = str(caught.value)
    assert "nearest: POST /v1/jobs" in message
    assert "json.name: expected 'other', got 'n'" in message
    assert "header x-arkor-client: expected 'b/1', got 'a/1'" in message
    assert "json.config" not in message


async def test_the_requests_that_matched_are_listed_if_there_are_too_many() -> None:
    async with serve() as mock:
        await create(mock.port, {"X-Arkor-Client": "a/1"})
        for _ in range(9):
            await opening(mock.port, "job-1")
        with pytest.raises(VerificationError) as caught:
            mock.verify.stream().once()
    message = str(caught.value)
    assert message.startswith("stream(): expected exactly 1, got 9\n  matched: GET /v1/jobs/job-1/")
    assert message.count("matched: ") == 8
    assert message.endswith("\n  and 1 more")
    assert "nearest" not in message


async def test_order_is_judged_by_the_first_of_each() -> None:
    async with serve() as mock:
        await opening(mock.port, await create(mock.port))
        mock.verify.create().before(mock.verify.stream())
        with pytest.raises(VerificationError, match="expected before"):
            mock.verify.stream().before(mock.verify.create())


async def test_a_mistyped_word_of_a_verification_is_named() -> None:
    async with serve() as mock:
        with pytest.raises(ScenarioError, match="did you mean 'json'"):
            mock.verify.create(jsn={})


async def test_the_right_cursor_makes_a_chain() -> None:
    async with serve(CUT) as mock:
        job = await create(mock.port, GOOD)
        await opening(mock.port, job)
        await opening(mock.port, job, "2")
        mock.verify.resume_chain(mock.jobs[job])
        mock.verify.conduct()


@pytest.mark.parametrize(
    ("cursor", "message"),
    [
        (None, "stream 2 has no Last-Event-ID, expected '2'"),
        ("1", "stream 2 has Last-Event-ID '1', expected '2'"),
    ],
)
async def test_a_wrong_cursor_breaks_the_chain(cursor: str | None, message: str) -> None:
    async with serve(CUT) as mock:
        job = await create(mock.port, GOOD)
        await opening(mock.port, job)
        await opening(mock.port, job, cursor)
        with pytest.raises(VerificationError, match=message):
            mock.verify.resume_chain()


async def test_a_cursor_after_a_cut_before_any_id_is_none() -> None:
    rule = {**CUT, "after": {"frames": 0}}
    async with serve(rule) as mock:
        job = await create(mock.port, GOOD)
        await opening(mock.port, job)
        await opening(mock.port, job, "1")
        with pytest.raises(VerificationError, match="has Last-Event-ID '1', expected none"):
            mock.verify.resume_chain()


async def test_after_a_reset_every_cursor_that_may_have_arrived_is_right() -> None:
    async with serve({**CUT, "end": "rst"}) as mock:
        job = await create(mock.port, GOOD)
        await opening(mock.port, job)
        await opening(mock.port, job, "1")
        mock.verify.resume_chain()


async def test_an_opening_after_the_end_of_the_job_is_bad_conduct() -> None:
    async with serve() as mock:
        job = await create(mock.port, GOOD)
        await opening(mock.port, job)
        await opening(mock.port, job, "4")
        with pytest.raises(VerificationError, match="opened after the end of the job"):
            mock.verify.conduct()


@pytest.mark.parametrize("how", ["hang", "stall"])
async def test_an_opening_after_the_end_is_bad_conduct_also_when_the_client_closed_first(
    how: str,
) -> None:
    act: dict[str, object] = {"end": "hang"} if how == "hang" else {"stall": {"gate": "never"}}
    rule = {"on": {"route": "stream", "attempt": 1}, "after": {"frames": 4}, **act}
    async with serve(rule) as mock:
        job = await create(mock.port, GOOD)
        async with RawClient(mock.port) as client:
            await client.send(request_bytes("GET", f"/v1/jobs/{job}/events/stream", GOOD))
            await client.read_until(b"training.completed")
            await client.read_until(b"\n\n\r\n")
            mock.verify.conduct()
        await mock.wait_for("stream", ended=True)
        await opening(mock.port, job, "4")
        with pytest.raises(VerificationError, match="stream 2 was opened after the end of the job"):
            mock.verify.conduct()


async def test_a_client_that_left_before_the_end_reached_it_may_come_back() -> None:
    rule = {"on": {"route": "stream", "attempt": 1, "last": True}, "stall": {"gate": "end"}}
    async with serve(rule) as mock:
        job = await create(mock.port, GOOD)
        async with RawClient(mock.port) as client:
            await client.send(request_bytes("GET", f"/v1/jobs/{job}/events/stream", GOOD))
            await client.read_until(b"id: 3\n")
        await mock.wait_for("stream", ended=True)
        mock.gate("end").open()
        await opening(mock.port, job, "3")
        mock.verify.conduct()


async def test_credentials_cannot_be_demanded_because_the_journal_has_none() -> None:
    async with serve() as mock:
        await create(mock.port, {"Authorization": "Bearer hunter2"})
        with pytest.raises(ScenarioError) as caught:
            mock.verify.create(headers={"Authorization": "Bearer hunter2"})
        assert "hunter2" not in str(caught.value)
        mock.verify.create(headers={"Authorization": "Bearer [redacted]"}).once()
        with pytest.raises(VerificationError, match=r"got 'Bearer \[redacted\]'"):
            mock.verify.create(headers={"Authorization": "!"}).once()


async def test_a_cursor_beyond_ascii_is_demanded_as_it_was_sent() -> None:
    async with serve() as mock:
        await opening(mock.port, "j", "é✓".encode().decode("latin-1"))
        mock.verify.stream(last_event_id="é✓").once()


async def test_a_permanent_status_is_final_under_the_profile_that_says_so() -> None:
    rule: dict[str, object] = {"on": {"route": "stream", "attempt": 1}, "status": 403}
    async with serve(rule) as mock:
        job = await create(mock.port, GOOD)
        await opening(mock.port, job)
        await opening(mock.port, job)
        mock.verify.conduct(PROFILE_2026_05)
        with pytest.raises(VerificationError, match="after status 403, which is permanent"):
            mock.verify.conduct()


async def test_coming_back_before_retry_after_is_bad_conduct() -> None:
    rule: dict[str, object] = {
        "on": {"route": "stream", "attempt": 1},
        "status": 503,
        "retry_after": 60,
    }
    async with serve(rule) as mock:
        job = await create(mock.port, GOOD)
        await opening(mock.port, job)
        await opening(mock.port, job)
        with pytest.raises(VerificationError, match="Retry-After asked for 60 s"):
            mock.verify.conduct()


async def test_more_failures_than_allowed_are_bad_conduct() -> None:
    async with serve({"on": {"route": "stream"}, "status": 500}) as mock:
        job = await create(mock.port, GOOD)
        for _ in range(3):
            await opening(mock.port, job)
        mock.verify.conduct(max_attempts=2)
        await opening(mock.port, job)
        with pytest.raises(VerificationError, match="3 consecutive failures, but the limit is 2"):
            mock.verify.conduct(max_attempts=2)


@pytest.mark.parametrize(("keys", "good"), [(("a", "a"), True), (("a", "b"), False)])
async def test_a_second_create_needs_the_same_key(*, keys: tuple[str, str], good: bool) -> None:
    async with serve() as mock, RawClient(mock.port) as client:
        for key in keys:
            headers = {**GOOD, "Idempotency-Key": key}
            await client.ask("POST", "/v1/jobs", headers, CREATE_BODY)
        if good:
            mock.verify.conduct()
        else:
            with pytest.raises(VerificationError, match="the job would be paid for twice"):
                mock.verify.conduct()


async def test_missing_headers_are_bad_conduct() -> None:
    async with serve() as mock:
        await opening(mock.port, await create(mock.port), Accept="*/*")
        with pytest.raises(VerificationError) as caught:
            mock.verify.conduct()
    assert "create 1: has no X-Arkor-Client (ARK-WIR)" in caught.value.problems
    assert "accepts '*/*', not text/event-stream" in str(caught.value)


async def test_a_rule_that_never_acted_is_named_with_what_came() -> None:
    rule = {"name": "third try", "on": {"route": "stream", "attempt": 3}, "status": 500}
    async with serve(rule) as mock:
        await opening(mock.port, await create(mock.port))
        with pytest.raises(VerificationError) as caught:
            mock.verify.rules_fired()
    assert str(caught.value) == (
        "rule 1 (third try): never fired; requests to route stream: 1; "
        "the rule applies only if attempt is 3"
    )
