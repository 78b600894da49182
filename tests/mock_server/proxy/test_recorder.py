"""A replay of a recording has the same bytes, heads and ends, and no secrets."""

from collections.abc import Callable, Iterator
from itertools import count
from typing import Self

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mock_server import Ending, MockServer, Scenario, scenario_from_dict, scenario_from_toml
from mock_server.faults.response import Head
from mock_server.proxy.origin import ProxyOrigin, Upstream
from mock_server.proxy.recorder import RecordingOrigin
from mock_server.proxy.replay import RecordedExchange, replay_of
from mock_server.requests import request_of
from mock_server.scenario.files import scenario_to_toml
from mock_server.scenario.frames import render
from mock_server.sse import frame_of
from tests.mock_server.parity import ALL, JOB, Rules, transcript
from tests.mock_server.rawclient import Answer, RawClient, create, follow, request_bytes

pytestmark = pytest.mark.anyio


class Taped:
    """A recording proxy in front of a mock, which plays the real backend."""

    def __init__(self, clock: Callable[[], float] | None = None, **words: object) -> None:
        self.backend = MockServer(scenario_from_dict(words))
        self._clock = clock

    async def __aenter__(self) -> Self:
        await self.backend.__aenter__()
        origin = ProxyOrigin(Upstream.at(self.backend.base_url))
        given = () if self._clock is None else (self._clock,)
        self.recording = RecordingOrigin(origin, *given)
        self.proxy = MockServer(upstream=self.recording)
        await self.proxy.__aenter__()
        self.port = self.proxy.port
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.proxy.__aexit__(None, None, None)
        await self.backend.__aexit__(None, None, None)

    @property
    def file(self) -> str:
        """The text that `record` would write."""
        return scenario_to_toml(self.recording.scenario())

    @property
    def replay(self) -> MockServer:
        """A server for the recorded scenario, read back from its file."""
        return MockServer(scenario_from_toml(self.file))


def seen(answer: Answer) -> tuple[str, list[str], bytes, str | None]:
    """Return the parts of an answer that must be the same; order of headers and chunks may differ."""
    line, *headers = answer.head.split("\r\n")
    body = answer.unchunked if answer.header("Transfer-Encoding") else answer.body
    return line, sorted(headers), body, answer.ending


# A compressed answer is not recorded: its frames could not be read.
RECORDED = {name: rules for name, rules in ALL.items() if not name.startswith("gzip")}


@pytest.mark.parametrize("rules", RECORDED.values(), ids=RECORDED)
async def test_whatever_a_backend_does_to_a_stream_is_replayed(rules: Rules) -> None:
    async with Taped(rule=list(rules), job=[JOB], seed=3) as taped:
        recorded = await transcript(taped.port)
    async with taped.replay as replay:
        assert seen(await transcript(replay.port)) == seen(recorded)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(st.binary(max_size=300), st.sampled_from(["eof", "fin", "rst"]))
def test_any_bytes_are_replayed(anyio_backend: str, body: bytes, end: str) -> None:
    async def check() -> None:
        rule = {"on": {"route": "stream"}, "frames": [{"bytes_hex": body.hex()}], "end": end}
        async with Taped(rule=[rule]) as taped:
            recorded = await transcript(taped.port)
        async with taped.replay as replay:
            assert seen(await transcript(replay.port)) == seen(recorded)

    anyio.run(check, backend=anyio_backend)


NASTY = [
    "null",
    "NaN",
    "-Infinity",
    "1e400",
    "1e5",
    "-0",
    "-0.0",
    "1.10",
    "123456789012345678901234567890",
    '"\\ud800"',
    '"\x7f\u2028\u0085"',
    '"\\\\"',
    "[[1,[2]],{}]",
    '{"":1}',
    "[" * 60 + "]" * 60,
    '{"a":1,"a":2}',
    "true",
]


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.one_of(
        st.sampled_from(NASTY).map(lambda value: f'id: 1\ndata: {{"k":{value}}}\n\n'.encode()),
        st.text().map(lambda text: f"event: {text}\nid: {text}\ndata: {text}\n\n".encode()),
        st.binary(),
    )
)
def test_any_frame_is_written_and_read_back_as_the_same_bytes(raw: bytes) -> None:
    request = request_of("GET", "/v1/jobs/j/events/stream", (), b"")
    head = Head(200, "OK", (("content-type", "text/event-stream"),))
    heard = RecordedExchange(request, 1, head, frames=[frame_of(raw)], end=Ending.EOF)
    scenario = scenario_from_toml(scenario_to_toml(replay_of([heard])))
    frames = scenario.rules[0].head.frames
    assert frames is not None
    assert [render(frame).raw for frame in frames] == [raw]


OTHER_ANSWERS: dict[str, dict[str, object]] = {
    "JSON with blanks of its own": {
        "body": '{ "a" :1}\n',
        "headers": {"content-type": "application/json"},
    },
    "bytes that are no text": {"body_hex": "1f8b0800ff", "content_type": "application/gzip"},
    "a body without a type": {"body_hex": "6162"},
    "a refusal": {"status": 426, "json": {"error": "old", "upgrade": "x"}, "retry_after": 2},
    "nothing": {"status": 204},
    "an empty refusal": {"status": 500, "body_hex": ""},
    "a reason of its own": {"status": 599, "reason": "Größer"},
    "headers": {"headers": {"Deprecation": "true", "Sunset": "never", "x-LOWER": "é", "ETag": "1"}},
    "a redirect": {"redirect": "https://elsewhere.invalid/"},
    "chunks": {"framing": "chunked"},
    "a body that is cut": {"body": "0123456789", "after": {"bytes": 4}, "end": "fin"},
    "a body that is reset": {"body": "0123456789", "after": {"bytes": 4}, "end": "rst"},
}


async def me(port: int) -> Answer:
    async with RawClient(port) as client:
        return await client.ask_to_end("GET", "/v1/me", {"Connection": "close"})


@pytest.mark.parametrize("answer", OTHER_ANSWERS.values(), ids=OTHER_ANSWERS)
async def test_an_answer_of_another_route_is_replayed(answer: dict[str, object]) -> None:
    async with Taped(rule=[{"on": {"route": "me"}, **answer}]) as taped:
        recorded = await me(taped.port)
    async with taped.replay as replay:
        assert seen(await me(replay.port)) == seen(recorded)


async def conversation(port: int) -> list[object]:
    """Send every request of a client once, from its token to the end of a job."""
    async with RawClient(port) as client:
        answers = [
            await client.ask("POST", "/v1/auth/anonymous", body=b'{"kind":"cli"}'),
            await client.ask("GET", "/v1/me"),
            await client.ask("POST", "/v1/projects?orgSlug=o", body=b'{"name":"Bot"}'),
            await client.ask("GET", "/v1/projects?orgSlug=o"),
        ]
        job = await create(port)
        answers += [await follow(port, job), await follow(port, job, "2")]
        answers += [
            await client.ask("GET", f"/v1/jobs/{job}"),
            await client.ask("POST", f"/v1/jobs/{job}/cancel"),
            await client.ask("POST", "/v1/inference/chat", body=b'{"messages":[],"stream":true}'),
            await client.ask("GET", "/elsewhere"),
        ]
    return [seen(answer) for answer in answers]


async def test_a_whole_conversation_is_replayed() -> None:
    cut = {"on": {"route": "stream", "attempt": 1}, "after": {"frames": 2}, "end": "rst"}
    hidden = {"on": {"route": "anonymous"}, "json": {"kind": "cli", "anonymousId": "a"}}
    async with Taped(job=[{"events": 4}], rule=[cut, hidden]) as taped:
        recorded = await conversation(taped.port)
    async with taped.replay as replay:
        assert await conversation(replay.port) == recorded
        replay.verify.rules_fired()


CUT = {"on": {"route": "stream", "attempt": 1}, "after": {"frames": 3}, "end": "rst"}


@pytest.fixture
async def taped() -> Taped:
    """Record a job of six events that is cut after three and resumed to its end."""
    async with Taped(job=[{"events": 6}], rule=[CUT]) as found:
        job = await create(found.port)
        await follow(found.port, job)
        await follow(found.port, job, "3")
    return found


def ids(answer: Answer) -> list[bytes]:
    return [line for line in answer.unchunked.split(b"\n") if line.startswith(b"id: ")]


@pytest.mark.parametrize(("cursor", "first"), [(None, 1), ("1", 2), ("2", 3), ("5", 6), ("6", 7)])
async def test_a_client_that_resumes_elsewhere_gets_what_comes_strictly_after(
    taped: Taped, cursor: str | None, first: int
) -> None:
    async with taped.replay as replay:
        await follow(replay.port, "job-1")
        answer = await follow(replay.port, "job-1", cursor)
    assert ids(answer) == [b"id: %d" % n for n in range(first, 7)]


async def test_a_cursor_that_was_never_heard_is_gone(taped: Taped) -> None:
    async with taped.replay as replay:
        answer = await follow(replay.port, "job-1", "never")
    assert answer.status == 410
    assert b"unknown event id 'never'" in answer.body


async def test_a_stream_opened_more_often_than_recorded_goes_on(taped: Taped) -> None:
    async with taped.replay as replay:
        answers = [await follow(replay.port, "job-1", cursor) for cursor in (None, "3", "3", "5")]
    assert [len(ids(answer)) for answer in answers] == [3, 3, 3, 1]


async def test_a_question_asked_more_often_than_recorded_gets_the_last_answer() -> None:
    rules = [{"on": {"route": "me", "attempt": n}, "json": {"n": n}} for n in (1, 2)]
    async with Taped(rule=rules) as taped:
        for _ in rules:
            await me(taped.port)
    async with taped.replay as replay:
        answers = [(await me(replay.port)).json["n"] for _ in range(4)]
    assert answers == [1, 2, 2, 2]


async def test_a_comment_at_every_opening_is_no_event_twice() -> None:
    rules = [
        {
            "on": {"route": "stream", "attempt": attempt},
            "frames": [{"comment": "hello"}, *({"id": str(n), "data": "x"} for n in numbers)],
        }
        for attempt, numbers in ((1, (1, 2)), (2, (2, 3)))
    ]
    async with Taped(rule=rules) as taped:
        for cursor in (None, "1"):
            await follow(taped.port, "j", cursor)
    (job,) = taped.recording.scenario().jobs
    assert isinstance(job.events, tuple)
    assert [each.raw or each.id for each in job.events] == [": hello\n\n", "1", "2", "3"]


SECRETS: dict[str, dict[str, object]] = {
    "a token": {"on": {"route": "anonymous"}, "json": {"token": "hunter2", "kind": "cli"}},
    "a token in chunks": {
        "on": {"route": "anonymous"},
        "frames": [{"raw": '{"tok'}, {"raw": 'en": "hun'}, {"raw": 'ter2"}'}],
        "content_type": "application/json",
    },
    "a token that is cut off": {
        "on": {"route": "anonymous"},
        "body": '{"token":"hunter2","kind":1}',
        "after": {"bytes": 15},
        "end": "fin",
    },
    "a token in a frame": {
        "on": {"route": "anonymous"},
        "frames": [{"event": "x", "data": '{"a":{"token":"hunter2"}}'}],
    },
    "headers": {
        "on": {"route": "anonymous"},
        "headers": {"Set-Cookie": "s=hunter2", "X-Api-Key": "hunter2", "Connection": "X-Hop"},
    },
}


@pytest.mark.parametrize("rule", SECRETS.values(), ids=SECRETS)
async def test_a_secret_is_never_written_down(rule: dict[str, object]) -> None:
    async with Taped(rule=[rule]) as taped, RawClient(taped.port) as client:
        await client.ask_to_end(
            "POST",
            "/v1/auth/anonymous",
            {"Authorization": "Bearer hunter2", "Cookie": "hunter2", "Connection": "close"},
            b'{"kind":"cli"}',
        )
    assert 'route = "anonymous"' in taped.file
    assert "hunter" not in taped.file
    assert "X-Hop" not in taped.file


async def test_what_is_asked_of_the_backend_is_not_compressed() -> None:
    async with Taped() as taped, RawClient(taped.port) as client:
        await client.ask("GET", "/v1/me", {"Accept-Encoding": "gzip"})
        taped.backend.verify.route("me", headers={"Accept-Encoding": "!"}).once()


@pytest.mark.parametrize(
    ("frame", "written"),
    [
        (
            {"id": "1", "event": "e", "json": {"type": "x", "n": [1.5, "é"]}},
            '{id = "1", event = "e", json = {type = "x", n = [1.5, "é"]}}',
        ),
        ({"raw": 'data: {"a": 1}\n\n'}, '{data = "{\\"a\\": 1}"}'),
        ({"raw": 'data: {"a":null}\n\n'}, '{data = "{\\"a\\":null}"}'),
        ({"raw": "data:x\n\n"}, '{raw = "data:x\\n\\n"}'),
        ({"raw": "id: a\0b\ndata: x\n\n"}, '{raw = "id: a\\u0000b\\ndata: x\\n\\n"}'),
        ({"bytes_hex": "646174613aff0a0a"}, '{bytes_hex = "646174613aff0a0a"}'),
    ],
)
async def test_a_frame_is_written_in_the_most_readable_form_of_its_bytes(
    frame: dict[str, object], written: str
) -> None:
    rule = {"on": {"route": "stream"}, "frames": [frame]}
    async with Taped(lambda: 0.0, rule=[rule]) as taped:
        recorded = await transcript(taped.port)
    assert f"frames = [{written}]" in taped.file
    async with taped.replay as replay:
        assert seen(await transcript(replay.port)) == seen(recorded)


async def test_a_request_that_was_left_unanswered_is_left_unanswered_again() -> None:
    rule = {"on": {"route": "me", "attempt": 1}, "delay_ms": 60_000}
    async with Taped(rule=[rule]) as taped:
        async with RawClient(taped.port) as client:
            await client.send(request_bytes("GET", "/v1/me"))
            await taped.backend.wait_for("me")
        await taped.proxy.wait_for("me", ended=True)
        await me(taped.port)
    async with taped.replay as replay:
        async with RawClient(replay.port) as client:
            await client.send(request_bytes("GET", "/v1/me"))
            with anyio.move_on_after(0.05) as scope:
                await client.read()
        assert scope.cancelled_caught
        assert (await me(replay.port)).status == 200


def ticking() -> Iterator[float]:
    """Return a clock that advances half a second each time it is read."""
    return (n / 2 for n in count())


async def recorded_stream(rule: dict[str, object]) -> Scenario:
    ticks = ticking()
    async with Taped(lambda: next(ticks), rule=[{"on": {"route": "stream"}, **rule}]) as taped:
        await follow(taped.port, "j")
    return scenario_from_toml(taped.file)


async def test_the_time_to_the_head_to_every_frame_and_to_the_end_is_kept() -> None:
    frames = [{"data": "a"}, {"data": "b", "delay_ms": 10}]
    (rule,) = (await recorded_stream({"frames": frames, "end": "rst"})).rules
    assert rule.head.delay == 0.5
    assert rule.head.frames is not None
    assert [frame.delay for frame in rule.head.frames] == [0.5, 0.5]
    assert rule.end.after is not None
    assert rule.end.after.frames == 2
    assert rule.end.stall is not None
    assert rule.end.stall.seconds == 0.5


@pytest.mark.parametrize("slow", [(0.0, 1000.0, 1000.0, 1000.0), (0.0, 0.0, 0.0, 1000.0)])
async def test_a_silence_longer_than_a_stall_may_be_lifts_the_limit(
    slow: tuple[float, ...],
) -> None:
    ticks = iter(slow)
    async with Taped(
        lambda: next(ticks), rule=[{"on": {"route": "stream"}, "frames": list[object]()}]
    ) as taped:
        await follow(taped.port, "j")
    assert scenario_from_toml(taped.file).limits.stall_time == 1000


async def test_a_stream_whose_end_nobody_saw_goes_on_for_ever() -> None:
    async with Taped(job=[{"events": 2, "status": "running"}]) as taped:
        job = await create(taped.port)
        async with RawClient(taped.port) as client:
            await client.send(request_bytes("GET", f"/v1/jobs/{job}/events/stream"))
            await client.read_until(b"id: 2")
        await taped.proxy.wait_for("stream", ended=True)
    async with taped.replay as replay, RawClient(replay.port) as client:
        await client.send(request_bytes("GET", f"/v1/jobs/{job}/events/stream"))
        await client.read_until(b"id: 2")
        with anyio.move_on_after(0.05) as scope:
            await client.read_to_end()
    assert scope.cancelled_caught
