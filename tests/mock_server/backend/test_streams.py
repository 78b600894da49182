"""Streams of the mock: the default job, resume, scripted frames, live pushes, gates."""

import json

import anyio
import pytest

from mock_server import (
    FrameSent,
    JobEnded,
    MockServer,
    RequestReceived,
    ResponseStarted,
    RuleFired,
    ScenarioError,
    ScriptedFrame,
    scenario_from_dict,
)
from tests.mock_server.rawclient import CREATE_BODY, RawClient, create, follow, request_bytes

pytestmark = pytest.mark.anyio


def serve(**words: object) -> MockServer:
    return MockServer(scenario_from_dict(words))


async def test_without_rules_a_job_starts_logs_saves_and_completes() -> None:
    async with serve() as mock:
        answer = await follow(mock.port, await create(mock.port))
    events = [line[7:] for line in answer.unchunked.decode().split("\n") if line[:6] == "event:"]
    assert events[0] == "training.started"
    assert "training.log" in events
    assert events[-2:] == ["checkpoint.saved", "training.completed"]


async def test_a_stream_resumes_strictly_after_the_last_event_id() -> None:
    async with serve(job=[{"events": 4}]) as mock:
        job = await create(mock.port)
        await follow(mock.port, job)
        answer = await follow(mock.port, job, cursor="3")
    assert [line for line in answer.unchunked.split(b"\n") if line[:3] == b"id:"] == [b"id: 4"]


async def test_a_stream_resumed_after_the_last_event_ends_at_once() -> None:
    async with serve(job=[{"events": 4}]) as mock:
        job = await create(mock.port)
        await follow(mock.port, job)
        assert (await follow(mock.port, job, cursor="4")).unchunked == b""


async def test_an_id_beyond_ascii_comes_back_as_its_utf8_bytes() -> None:
    frames = [{"id": "é✓", "json": {"type": "training.started"}}, {"json": {"type": "x"}}]
    async with serve(job=[{"events": frames, "status": "running"}]) as mock:
        job = await create(mock.port)
        async with RawClient(mock.port) as client:
            target = f"/v1/jobs/{job}/events/stream"
            raw = request_bytes("GET", target).replace(
                b"Host: mock", b"Host: mock\r\nLast-Event-ID: " + "é✓".encode()
            )
            await follow_some(mock, job)
            await client.send(raw)
            assert b"id: 2" in await client.read_until(b'"x"')


async def follow_some(mock: MockServer, job: str) -> None:
    async with RawClient(mock.port) as client:
        await client.send(request_bytes("GET", f"/v1/jobs/{job}/events/stream"))
        await client.read_until(b'"x"')


async def test_scripted_frames_replace_the_backend_and_the_stream_ends() -> None:
    frames = [
        {"id": "a", "event": "training.log", "json": {"type": "training.log", "step": 1}},
        {"raw": "data: half\n"},
        {"bytes_hex": "64617461 3a ff 0a0a"},
        {"comment": "still here"},
        {"retry_ms": 250},
    ]
    async with serve(rule=[{"on": {"route": "stream"}, "frames": frames}]) as mock:
        answer = await follow(mock.port, "nobody-knows-it")
    assert answer.status == 200
    assert answer.header("Content-Type") == "text/event-stream"
    assert answer.unchunked == (
        b'id: a\nevent: training.log\ndata: {"type":"training.log","step":1}\n\n'
        b"data: half\ndata:\xff\n\n: still here\n\nretry: 250\n\n"
    )


async def test_a_status_by_attempt_answers_that_attempt_only() -> None:
    rule = {"on": {"route": "stream", "attempt": "1-2"}, "status": 503, "retry_after": 0.2}
    async with serve(rule=[rule]) as mock:
        job = await create(mock.port)
        answers = [await follow(mock.port, job) for _ in range(3)]
    assert [answer.status for answer in answers] == [503, 503, 200]
    assert answers[0].header("Retry-After") == "0.2"
    assert answers[0].json == {"error": "Service Unavailable"}


async def test_a_pushed_event_reaches_a_live_stream() -> None:
    async with serve(job=[{"events": 1, "status": "running"}]) as mock:
        job = await create(mock.port)
        async with RawClient(mock.port) as client:
            await client.send(request_bytes("GET", f"/v1/jobs/{job}/events/stream"))
            await client.read_until(b"id: 1")
            mock.push(job, ScriptedFrame(json={"type": "training.completed"}))
            rest = await client.read_until(b"0\r\n\r\n")
    assert b"id: 2\n" in rest


async def test_a_push_after_the_end_of_a_job_is_refused() -> None:
    async with serve() as mock:
        job = await create(mock.port)
        await follow(mock.port, job)
        with pytest.raises(JobEnded, match="accepts no more events"):
            mock.push(job, ScriptedFrame(data="late"))


async def test_a_stall_holds_the_stream_until_its_gate_opens() -> None:
    rule = {"on": {"route": "stream"}, "after": {"frames": 2}, "stall": {"gate": "mid"}}
    async with serve(rule=[rule]) as mock:
        job = await create(mock.port)
        async with RawClient(mock.port) as client:
            await client.send(request_bytes("GET", f"/v1/jobs/{job}/events/stream"))
            await mock.wait_for("stream", frame=2)
            assert len([r for r in mock.journal if isinstance(r, FrameSent)]) == 2
            mock.gate("mid").open()
            await client.read_until(b"0\r\n\r\n")
    assert len([r for r in mock.journal if isinstance(r, FrameSent)]) == 6


async def test_cancelling_a_stalled_job_ends_its_stream_with_end() -> None:
    rule = {"on": {"route": "stream"}, "after": {"frames": 2}, "stall": {"gate": "mid"}}
    async with serve(rule=[rule]) as mock:
        job = await create(mock.port)
        async with RawClient(mock.port) as client, RawClient(mock.port) as other:
            await client.send(request_bytes("GET", f"/v1/jobs/{job}/events/stream"))
            await mock.wait_for("stream", frame=2)
            assert (await other.ask("POST", f"/v1/jobs/{job}/cancel")).status == 200
            assert (await other.ask("POST", f"/v1/jobs/{job}/cancel")).status == 409
            mock.gate("mid").open()
            assert b"event: end\n" in await client.read_until(b"0\r\n\r\n")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ({"drop": True}, ["1", "3"]),
        ({"duplicate": 2}, ["1", "2", "2", "2", "3"]),
        ({"reorder": 1}, ["1", "3", "2"]),
        ({"strip_id": True}, ["1", None, "3"]),
        ({"replace": {"id": "new", "data": "{}"}}, ["1", "new", "3"]),
        ({"inject": [{"event": "ping", "data": "{}"}]}, ["1", None, "2", "3"]),
        ({"inject": {"after": [{"id": "x", "data": "1"}]}}, ["1", "2", "x", "3"]),
    ],
)
async def test_a_fault_on_the_second_frame_changes_what_is_sent(
    words: dict[str, object], expected: list[str | None]
) -> None:
    rule = {"on": {"route": "stream", "frame": 2}, **words}
    async with serve(job=[{"events": 3}], rule=[rule]) as mock:
        await follow(mock.port, await create(mock.port))
    assert [record.id for record in mock.journal if isinstance(record, FrameSent)] == expected


async def test_a_sliced_frame_leaves_in_chunks_of_that_size() -> None:
    rule = {"on": {"route": "stream"}, "frames": [{"raw": "data: 12345\n\n"}], "slice": 5}
    async with serve(rule=[rule]) as mock:
        answer = await follow(mock.port, "j")
    assert answer.body == b"5\r\ndata:\r\n5\r\n 1234\r\n3\r\n5\n\n\r\n0\r\n\r\n"


async def test_the_journal_tells_an_exchange_in_order_without_the_token() -> None:
    seen: list[object] = []
    async with MockServer(scenario_from_dict({"job": [{"events": 1}]}), seen.append) as mock:
        job = await create(mock.port, {"Authorization": "Bearer hunter2"})
        await follow(mock.port, job)
        await mock.wait_for("stream", ended=True)
        journal = mock.journal
    assert seen[: len(journal)] == journal
    assert [record.seq for record in journal] == list(range(1, len(journal) + 1))
    assert "hunter2" not in repr(journal)
    request = next(record for record in journal if isinstance(record, RequestReceived))
    assert request.authorized
    assert dict(request.headers)["authorization"] == "Bearer [redacted]"
    assert request.body == CREATE_BODY


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("bearer hunter2", "bearer [redacted]"),
        ("Basic aHVudGVyMg==", "Basic [redacted]"),
        ("hunter2", "[redacted]"),
        ("hunter2 hunter2", "[redacted]"),
    ],
)
async def test_credentials_are_redacted_and_their_scheme_is_kept(sent: str, kept: str) -> None:
    async with serve(backend={"authenticate": False}) as mock:
        await create(mock.port, {"Authorization": sent, "Cookie": "a=hunter2"})
        request = next(record for record in mock.journal if isinstance(record, RequestReceived))
    assert (dict(request.headers)["authorization"], dict(request.headers)["cookie"]) == (
        kept,
        "[redacted]",
    )


@pytest.mark.parametrize("reply", ["Hello  from\nthe model.", "", "one "])
async def test_inference_says_the_same_in_one_piece_and_in_many(reply: str) -> None:
    asked: dict[str, object] = {"messages": [], "stream": True}
    async with serve(backend={"reply": reply}) as mock, RawClient(mock.port) as client:
        streamed = await client.ask("POST", "/v1/inference/chat", body=json.dumps(asked).encode())
        whole = await client.ask("POST", "/v1/inference/chat", body=b'{"messages":[]}')
    pieces = [json.loads(line[6:]) for line in streamed.unchunked.split(b"\n") if b"{" in line]
    assert "".join(each["choices"][0]["delta"]["content"] for each in pieces) == reply
    assert json.loads(whole.body)["choices"][0]["message"]["content"] == reply


async def test_a_token_in_a_dataset_never_reaches_the_journal() -> None:
    body = b'{"name":"n","config":{"model":"m","datasetSource":{"type":"blob","token":"hunter2"}}}'
    async with serve() as mock:
        async with RawClient(mock.port) as client:
            answer = await client.ask("POST", "/v1/jobs", body=body)
        assert b"hunter2" not in answer.body
        assert "hunter2" not in repr(mock.journal)


async def test_a_rule_that_acted_is_written_down_by_its_number() -> None:
    rules = [
        {"on": {"route": "me"}, "status": 500},
        {"on": {"route": "stream"}, "status": 500},
    ]
    async with serve(rule=rules) as mock:
        await follow(mock.port, "j")
        started = await mock.wait_for("stream", answered=True)
    assert isinstance(started, ResponseStarted)
    assert [record.rule for record in mock.journal if isinstance(record, RuleFired)] == [2]


async def test_two_followers_of_one_job_get_the_same_events() -> None:
    async with serve(job=[{"events": 50}]) as mock:
        job = await create(mock.port)
        bodies: list[bytes] = []

        async def one() -> None:
            bodies.append((await follow(mock.port, job)).unchunked)

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(one)
    assert len(set(bodies)) == 1
    assert bodies[0].count(b"id: ") == 50


async def test_a_failure_inside_the_block_is_raised_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with serve():
            raise ZeroDivisionError


async def test_waiting_for_what_never_comes_ends_and_says_what_came() -> None:
    async with serve() as mock:
        await create(mock.port)
        with pytest.raises(TimeoutError) as caught:
            await mock.wait_for("stream", attempt=3, frame=2, within=0.01)
        assert str(caught.value) == (
            "frame 2 in the response to request 3 of stream did not arrive within 0.01 s; "
            "requests received: 1 of create"
        )
        with pytest.raises(TimeoutError, match="the wanted record did not arrive"):
            await mock.wait_until(lambda _: False, within=0.01)


async def test_waiting_for_an_unknown_route_names_the_nearest() -> None:
    async with serve() as mock:
        with pytest.raises(ScenarioError, match="'steam' is unknown; did you mean 'stream'"):
            await mock.wait_for("steam")
