"""Every word of a rule, shown by what a raw socket sees: bytes, pieces, endings, errno.

A word without such a test fails the last test of this module.
"""

import errno
import gzip
import time
import zlib
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import TypeVar

import anyio
import pytest

from mock_server import (
    ConnectionClosed,
    FrameSent,
    MockServer,
    PortChanged,
    RequestReceived,
    scenario_from_dict,
)
from mock_server.scenario.rule import WORDS
from mock_server.scenario.vocabulary import ScriptedFrame, Select
from mock_server.scenario.words.end import After, Stall
from mock_server.scenario.words.frame import Insert
from mock_server.scenario.words.head import Handoff, Shift
from mock_server.strict.shapes import is_table
from mock_server.strict.words import words_of
from tests.mock_server.rawclient import (
    CREATE_BODY,
    EOF,
    Answer,
    RawClient,
    create,
    event_ids,
    follow,
    request_bytes,
)

pytestmark = pytest.mark.anyio

TABLES = {
    "on.": Select,
    "after.": After,
    "stall.": Stall,
    "frame.": ScriptedFrame,
    "inject.": Insert,
    "resume.": Shift,
    "handoff.": Handoff,
}
# Shown elsewhere, over TLS; and words that change no byte.
ELSEWHERE = {"tls"}
SILENT = {"name"}
SHOWN: set[str] = set()
T = TypeVar("T")


def shows(*words: str) -> Callable[[T], T]:
    """Say which words a test shows on the wire."""
    SHOWN.update(words)
    return lambda test: test


def streaming(rule: Mapping[str, object], *more: Mapping[str, object]) -> MockServer:
    """Serve a job of four short events, under rules about its stream."""
    frames = [
        {"id": str(n), "event": "training.log", "json": {"type": "training.log", "n": f"é{n}"}}
        for n in (1, 2, 3)
    ]
    end = {"id": "4", "event": "training.completed", "json": {"type": "training.completed"}}
    rules = [
        {**each, "on": {"route": "stream", **on}}
        for each in (rule, *more)
        if is_table(on := each.get("on", {}))
    ]
    job = {"id": "j", "submitted": True, "events": [*frames, end]}
    return MockServer(scenario_from_dict({"seed": 1, "job": [job], "rule": rules}))


def block(n: int) -> bytes:
    """Return the bytes of one of these events."""
    if n == 4:
        return b'id: 4\nevent: training.completed\ndata: {"type":"training.completed"}\n\n'
    data = f'{{"type":"training.log","n":"é{n}"}}'.encode()
    return b"id: %d\nevent: training.log\ndata: %b\n\n" % (n, data)


def blocks(*numbers: int) -> bytes:
    """Return the bytes of some of these events."""
    return b"".join(block(n) for n in numbers)


async def streamed(rule: Mapping[str, object], *more: Mapping[str, object]) -> Answer:
    """Open the stream once."""
    async with streaming(rule, *more) as mock:
        return await follow(mock.port, "j")


async def asked(rule: Mapping[str, object]) -> Answer:
    """Ask who one is of a server with one rule and read to the end of the connection."""
    scenario = scenario_from_dict({"rule": [rule]})
    async with MockServer(scenario) as mock, RawClient(mock.port) as client:
        return await client.ask_to_end("GET", "/v1/me", {"Connection": "close"})


def chunks(answer: Answer) -> list[bytes]:
    """Return the chunks of a body, the last one left out."""
    found, rest = list[bytes](), answer.body
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size, 16)
        if not length:
            return found
        found.append(rest[:length])
        rest = rest[length + 2 :]
    return found


# --- listener


@shows("accept", "on.connection")
@pytest.mark.parametrize(("how", "seen"), [("rst", "ECONNRESET"), ("fin", EOF), ("garbage", EOF)])
async def test_a_connection_ends_as_it_is_accepted(how: str, seen: str) -> None:
    rule = {"on": {"connection": 2}, "accept": how}
    async with MockServer(scenario_from_dict({"rule": [rule]})) as mock:
        async with RawClient(mock.port) as first:
            assert (await first.ask("GET", "/v1/me")).status == 200
        async with RawClient(mock.port) as second:
            found, ending = await second.read_to_end()
    assert ending == seen
    assert (b"garbage" in found) == (how == "garbage")


@shows("accept")
async def test_an_accepted_connection_can_hang_whatever_it_is_told() -> None:
    scenario = scenario_from_dict({"rule": [{"accept": "hang"}]})
    async with MockServer(scenario) as mock:
        async with RawClient(mock.port) as client:
            await client.send(request_bytes("GET", "/v1/me"))
            with anyio.move_on_after(0.05) as scope:
                await client.read_to_end()
        assert scope.cancelled_caught
        closed = await mock.wait_until(lambda record: isinstance(record, ConnectionClosed))
        assert isinstance(closed, ConnectionClosed)
        assert (closed.by, closed.how) == ("client", "fin")


@shows("listener", "listener_ms")
async def test_a_port_that_is_down_refuses_with_econnrefused_for_its_time() -> None:
    rule = {"on": {"attempt": 1}, "listener": "down", "listener_ms": 50}
    async with MockServer(scenario_from_dict({"rule": [rule]})) as mock:
        async with RawClient(mock.port) as client:
            await client.ask("GET", "/v1/me")
            with pytest.raises(OSError, match=r".") as caught:
                await RawClient(mock.port).__aenter__()
        assert caught.value.errno == errno.ECONNREFUSED
        await mock.wait_until(lambda record: record == PortChanged(record.seq, record.at, "up"))
        assert await create(mock.port) == "job-1"


@shows("listener")
async def test_a_blackhole_answers_no_syn() -> None:
    rule = {"listener": "blackhole", "listener_ms": 60_000}
    scenario = scenario_from_dict({"rule": [rule]})
    async with MockServer(scenario) as mock, RawClient(mock.port) as client:
        await client.ask("GET", "/v1/me")
        with anyio.move_on_after(0.05) as scope:
            await RawClient(mock.port).__aenter__()
    assert scope.cancelled_caught


# --- request


@shows("lose")
@pytest.mark.parametrize(("which", "jobs"), [("request", []), ("response", ["job-1"])])
@pytest.mark.parametrize(("end", "seen"), [("rst", "ECONNRESET"), ("fin", EOF)])
async def test_a_lost_half_of_an_exchange_leaves_no_byte(
    which: str, jobs: list[str], end: str, seen: str
) -> None:
    rule = {"on": {"route": "create"}, "lose": which, "end": end}
    async with MockServer(scenario_from_dict({"rule": [rule]})) as mock:
        async with RawClient(mock.port) as client:
            answer = await client.ask_to_end("POST", "/v1/jobs", body=CREATE_BODY)
        assert (answer.head, answer.body, answer.ending) == ("", b"", seen)
        assert list(mock.jobs) == jobs


@shows("slow_read")
async def test_a_slowly_read_body_fills_the_clients_send_buffer() -> None:
    rule = {"on": {"route": "create"}, "slow_read": 1}
    scenario = scenario_from_dict({"rule": [rule], "limits": {"body_bytes": 1 << 28}})
    async with MockServer(scenario) as mock, RawClient(mock.port) as client:
        head = b"POST /v1/jobs HTTP/1.1\r\nHost: a\r\nContent-Length: 200000000\r\n\r\n"
        await client.send(head)
        with anyio.move_on_after(0.2) as scope:
            while True:
                await client.send(b" " * 65_536)
        assert scope.cancelled_caught
        assert not any(isinstance(record, RequestReceived) for record in mock.journal)


# --- head


@shows("status", "reason", "retry_after", "headers", "json")
async def test_a_head_says_what_it_is_told_to_say() -> None:
    answer = await asked(
        {
            "status": 429,
            "reason": "Enough",
            "retry_after": 1.5,
            "headers": {"X-Mark": "y"},
            "json": {"a": [1]},
        }
    )
    lines = answer.head.split("\r\n")
    assert lines[0] == "HTTP/1.1 429 Enough"
    assert {"Retry-After: 1.5", "X-Mark: y", "Content-Type: application/json"} <= set(lines)
    assert answer.body == b'{"a":[1]}'


@shows("body", "body_hex", "content_type")
@pytest.mark.parametrize(
    ("rule", "kind", "body"),
    [
        ({"body": "é"}, "text/plain; charset=utf-8", "é".encode()),
        ({"body_hex": "00ff"}, None, b"\x00\xff"),
        ({"body_hex": "00ff", "content_type": "a/b"}, "a/b", b"\x00\xff"),
    ],
)
async def test_a_body_is_sent_as_it_is_given(
    rule: dict[str, object], kind: str | None, body: bytes
) -> None:
    answer = await asked(rule)
    assert (answer.header("Content-Type"), answer.body) == (kind, body)
    assert answer.header("Content-Length") == str(len(body))


@shows("redirect")
async def test_a_redirect_names_where_to_go() -> None:
    answer = await asked({"redirect": "/x", "status": 302})
    assert (answer.status, answer.header("Location")) == (302, "/x")


@shows("early")
async def test_early_heads_stand_before_the_answer() -> None:
    answer = await asked({"early": [100, 103]})
    raw = answer.head.encode() + answer.body
    assert raw.startswith(
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n"
    )


@shows("content_length")
@pytest.mark.parametrize("lengths", [[3], [9000], [5, 7]])
async def test_a_content_length_can_lie(lengths: list[int]) -> None:
    answer = await asked({"body": "12345", "content_length": lengths})
    told = [line for line in answer.head.split("\r\n") if line.startswith("Content-Length")]
    assert told == [f"Content-Length: {length}" for length in lengths]
    assert (answer.body, answer.ending) == (b"12345", EOF)


@shows("raw_head", "raw_head_hex")
@pytest.mark.parametrize(
    ("rule", "head"),
    [
        ({"raw_head": "HTTP/1.1 200\nX\r\n\r\n"}, "HTTP/1.1 200\nX\r\n\r\n"),
        ({"raw_head_hex": "ff0d0a0d0a"}, "\xff\r\n\r\n"),
    ],
)
async def test_a_raw_head_is_the_head(rule: dict[str, object], head: str) -> None:
    assert (await asked({**rule, "body": "b"})).head == head


@shows("framing")
async def test_a_stream_can_be_delimited_by_close() -> None:
    answer = await streamed({"framing": "close"})
    assert "Transfer-Encoding" not in answer.head
    assert "Content-Length" not in answer.head
    assert (answer.body, answer.ending) == (blocks(1, 2, 3, 4), EOF)


@shows("framing")
async def test_a_body_can_be_sent_in_chunks() -> None:
    answer = await asked({"body": "12345", "framing": "chunked"})
    assert answer.body == b"5\r\n12345\r\n0\r\n\r\n"


# --- time: a gate or a comparison, never a stop-watch


async def gaps(rule: Mapping[str, object]) -> list[float]:
    """Return the seconds between the frames of a stream, by the journal."""
    async with streaming(rule) as mock:
        await follow(mock.port, "j")
        times = [record.at for record in mock.journal if isinstance(record, FrameSent)]
    return [later - earlier for earlier, later in pairwise(times)]


@shows("delay_ms", "on.frame")
async def test_a_delayed_frame_comes_later_than_its_delay() -> None:
    found = await gaps({"on": {"frame": 3}, "delay_ms": 40})
    assert found[1] >= 0.04


@shows("delay_ms")
async def test_a_delayed_head_comes_later_than_its_delay() -> None:
    start = time.monotonic()
    await asked({"delay_ms": 40})
    assert time.monotonic() - start >= 0.04


@shows("jitter_ms")
async def test_jitter_makes_the_delays_differ_within_its_bounds() -> None:
    found = await gaps({"on": {"frame": "1-"}, "delay_ms": 30, "jitter_ms": 10})
    assert min(found) >= 0.02
    assert len({round(gap, 4) for gap in found}) > 1


@shows("rate")
async def test_a_rate_makes_every_frame_take_its_time() -> None:
    found = await gaps({"rate": 2000})
    assert min(found) >= len(block(1)) / 2000


@shows("stall", "stall.gate", "stall.ms", "after", "after.frames")
@pytest.mark.parametrize("stall", [{"gate": "g"}, {"ms": 60_000}])
async def test_a_stall_after_two_frames_lets_two_frames_through(stall: dict[str, object]) -> None:
    rule = {"after": {"frames": 2}, "stall": stall}
    async with streaming(rule) as mock, RawClient(mock.port) as client:
        await client.send(request_bytes("GET", "/v1/jobs/j/events/stream"))
        await client.read_until(block(2))
        with anyio.move_on_after(0.05) as scope:
            await client.read_until(b"id: 3")
        assert scope.cancelled_caught
        if "gate" in stall:
            mock.gate("g").open()
            await client.read_until(b"0\r\n\r\n")


@shows("stall.ms")
async def test_a_stall_goes_on_by_itself_when_its_time_is_over() -> None:
    answer = await streamed({"after": {"frames": 2}, "stall": {"ms": 5}})
    assert answer.unchunked == blocks(1, 2, 3, 4)


# --- stream


STREAM_FAULTS: list[tuple[str, dict[str, object], bytes]] = [
    ("drop", {"on": {"frame": 2}, "drop": True}, blocks(1, 3, 4)),
    ("duplicate", {"on": {"frame": 2}, "duplicate": True}, blocks(1, 2, 2, 3, 4)),
    ("reorder", {"on": {"frame": 2}, "reorder": True}, blocks(1, 3, 2, 4)),
    ("replace", {"on": {"frame": 2}, "replace": {"data": "x"}}, b""),
    ("inject", {"on": {"frame": 2}, "inject": [{"event": "ping", "data": "{}"}]}, b""),
    ("strip_id", {"on": {"frame": 2}, "strip_id": True}, b""),
    ("line_ending", {"on": {"frame": 2}, "line_ending": "crlf"}, b""),
    ("bom", {"bom": True}, b"\xef\xbb\xbf" + blocks(1, 2, 3, 4)),
    ("frames", {"frames": [{"data": "x"}]}, b"data: x\n\n"),
]
_EXPECTED = {
    "replace": block(1) + b"data: x\n\n" + blocks(3, 4),
    "inject": block(1) + b"event: ping\ndata: {}\n\n" + blocks(2, 3, 4),
    "strip_id": block(1) + block(2).removeprefix(b"id: 2\n") + blocks(3, 4),
    "line_ending": block(1) + block(2).replace(b"\n", b"\r\n") + blocks(3, 4),
}


@shows(*(word for word, _, _ in STREAM_FAULTS))
@pytest.mark.parametrize(("word", "rule", "expected"), STREAM_FAULTS)
async def test_a_fault_of_the_stream_is_these_bytes(
    word: str, rule: dict[str, object], expected: bytes
) -> None:
    answer = await streamed(rule)
    assert answer.unchunked == (expected or _EXPECTED[word])
    assert answer.body.endswith(b"0\r\n\r\n")


@shows("corrupt")
@pytest.mark.parametrize("damage", ["bits", "utf8", "json"])
async def test_a_corrupted_frame_differs_in_its_data_only(damage: str) -> None:
    body = (await streamed({"on": {"frame": 2}, "corrupt": damage})).unchunked
    assert body.startswith(block(1) + b"id: 2\nevent: training.log\ndata:")
    assert body.endswith(blocks(3, 4))
    assert block(2) not in body
    assert (b"\xff" in body) == (damage == "utf8")


@shows("inject.before", "inject.after")
async def test_injected_frames_stand_around_the_frame() -> None:
    inject = {"before": [{"comment": "a"}], "after": [{"comment": "b"}]}
    body = (await streamed({"on": {"frame": 2}, "inject": inject})).unchunked
    assert body == block(1) + b": a\n\n" + block(2) + b": b\n\n" + blocks(3, 4)


@shows("slice")
@pytest.mark.parametrize(
    ("how", "cut"), [(10, b"id: 2\neven"), ("mid_utf8", b"\xc3"), ("random", b"")]
)
async def test_a_sliced_frame_leaves_in_several_chunks(how: object, cut: bytes) -> None:
    answer = await streamed({"on": {"frame": 2}, "slice": how})
    found = chunks(answer)
    assert len(found) > 4
    assert found[1].endswith(cut)
    assert b"".join(found) == blocks(1, 2, 3, 4)


@shows("slice")
async def test_a_frame_can_be_sliced_between_cr_and_lf() -> None:
    rule = {"on": {"frame": 1}, "line_ending": "crlf", "slice": "mid_crlf"}
    assert chunks(await streamed(rule))[0] == b"id: 1\r"


@shows("coalesce")
async def test_coalesced_frames_leave_in_one_chunk() -> None:
    assert chunks(await streamed({"coalesce": 3})) == [blocks(1, 2, 3), block(4)]


@shows("hold_bytes")
async def test_held_bytes_leave_together_when_there_are_enough_of_them_or_at_the_end() -> None:
    size = len(blocks(1, 2))
    assert chunks(await streamed({"hold_bytes": size})) == [blocks(1, 2), blocks(3, 4)]
    assert chunks(await streamed({"hold_bytes": size + 1})) == [blocks(1, 2, 3), block(4)]
    assert chunks(await streamed({"hold_bytes": 1 << 20})) == [blocks(1, 2, 3, 4)]


@shows("hold_bytes")
async def test_a_pause_between_frames_sends_none_of_the_bytes_that_are_held() -> None:
    held = {"hold_bytes": 1 << 20}
    paused = {"on": {"frame": 3}, "delay_ms": 1}
    stalled = {"after": {"frames": 2}, "stall": {"ms": 1}}
    assert chunks(await streamed(held, paused, stalled)) == [blocks(1, 2, 3, 4)]


@shows("hold_bytes")
async def test_held_bytes_are_sent_before_a_stream_is_cut() -> None:
    answer = await streamed({"hold_bytes": 1 << 20, "after": {"frames": 2}, "end": "rst"})
    assert answer.body == b"%x\r\n%b\r\n" % (len(blocks(1, 2)), blocks(1, 2))
    assert answer.ending == "ECONNRESET"


# --- end


@shows("end", "after.bytes")
@pytest.mark.parametrize(
    ("end", "last", "seen"),
    [
        ("eof", b"0\r\n\r\n", EOF),
        ("fin", b"\r\n", EOF),
        ("rst", b"\r\n", "ECONNRESET"),
        ("half_close", b"\r\n", EOF),
        ("bad_chunk", b"zz\r\nno chunk\r\n", EOF),
        ("short_chunk", b"40\r\n: short", EOF),
        ("garbage", b"4\r\nid: \r\n\x00\xffgarbage\xfe\r\n", EOF),
    ],
)
async def test_an_end_within_a_frame_is_what_the_kernel_says(
    end: str, last: bytes, seen: str
) -> None:
    answer = await streamed({"after": {"frames": 1, "bytes": 4}, "end": end})
    assert answer.ending == seen
    assert answer.body.endswith(b"4\r\nid: \r\n" if last == b"\r\n" else last)


@shows("end")
async def test_a_hang_is_an_open_connection_without_a_byte() -> None:
    async with streaming({"after": {"frames": 1}, "end": "hang"}) as mock:
        async with RawClient(mock.port) as client:
            await client.send(request_bytes("GET", "/v1/jobs/j/events/stream"))
            await client.read_until(block(1) + b"\r\n")
            with anyio.move_on_after(0.05) as scope:
                await client.read()
        assert scope.cancelled_caught


@shows("after.id", "after.event")
@pytest.mark.parametrize(
    ("after", "last"), [({"id": "3"}, 3), ({"event": "training.log"}, 1), ({"frames": 0}, 0)]
)
async def test_an_end_comes_after_the_frame_that_is_named(
    after: dict[str, object], last: int
) -> None:
    answer = await streamed({"after": after, "end": "rst"})
    assert answer.unchunked == blocks(*range(1, last + 1))


@shows("extra", "extra_hex")
@pytest.mark.parametrize(
    ("rule", "extra"), [({"extra": "é"}, "é".encode()), ({"extra_hex": "ff"}, b"\xff")]
)
async def test_extra_bytes_stand_after_the_last_chunk(
    rule: dict[str, object], extra: bytes
) -> None:
    assert (await streamed(rule)).body.endswith(b"0\r\n\r\n" + extra)


# --- resume


@shows("resume", "resume.overlap", "resume.gap")
@pytest.mark.parametrize(
    ("resume", "expected"),
    [
        ("honour", (3, 4)),
        ("ignore", (1, 2, 3, 4)),
        ({"overlap": 1}, (2, 3, 4)),
        ({"gap": 1}, (4,)),
    ],
)
async def test_a_resume_sends_what_the_rule_says(resume: object, expected: tuple[int, ...]) -> None:
    async with streaming({"on": {"attempt": 2}, "resume": resume}) as mock:
        await follow(mock.port, "j")
        answer = await follow(mock.port, "j", "2")
    assert answer.unchunked == blocks(*expected)


@shows("handoff", "handoff.lose", "handoff.repeat")
@pytest.mark.parametrize("cursor", [None, "1"])
@pytest.mark.parametrize(
    ("handoff", "expected"),
    [
        ({"lose": 1}, (2, 4, 5, 6)),
        ({"lose": 9}, (2, 6)),
        ({"repeat": 1}, (2, 3, 4, 5, 5, 6)),
        ({"repeat": 9}, (2, 3, 4, 5, 3, 4, 5, 6)),
        ({"lose": 1, "repeat": 1}, (2, 4, 5, 5, 6)),
    ],
)
async def test_a_handoff_loses_or_repeats_what_arrived_in_between(
    handoff: object, expected: tuple[int, ...], cursor: str | None
) -> None:
    job = {"id": "j", "submitted": True, "events": 2, "emitted": True, "status": "running"}
    rule = {"on": {"route": "stream"}, "handoff": handoff}
    scenario = scenario_from_dict({"job": [job], "rule": [rule]})
    log = ScriptedFrame(json={"type": "training.log"})
    async with MockServer(scenario) as mock, RawClient(mock.port) as client:
        hold = mock.hold("j")
        headers = {} if cursor is None else {"Last-Event-ID": cursor}
        await client.send(request_bytes("GET", "/v1/jobs/j/events/stream", headers))
        await hold.held()
        for _ in range(3):
            mock.push("j", log)
        hold.release()
        await anyio.wait_all_tasks_blocked()
        mock.push("j", ScriptedFrame(json={"type": "training.completed"}))
        answer = await client.answer()
    assert event_ids(answer.unchunked) == [*([] if cursor else ["1"]), *map(str, expected)]


@shows("handoff")
async def test_a_handoff_without_an_event_in_between_changes_nothing() -> None:
    answer = await streamed({"handoff": {"lose": 2, "repeat": 2}})
    assert answer.unchunked == blocks(1, 2, 3, 4)


@shows("handoff")
async def test_a_handoff_meets_the_events_that_came_due_while_the_head_was_late() -> None:
    rule = {"on": {"route": "stream"}, "delay_ms": 450, "handoff": {"lose": 9}}
    async with MockServer(scenario_from_dict({"rule": [rule]})) as mock:
        job = mock.job(events=2, interval_ms=200)
        assert b"id: 2" not in (await follow(mock.port, job.id)).unchunked
        assert b"id: 2" in job.log[1].raw


@shows("status")
@pytest.mark.parametrize("status", [204, 404, 410])
async def test_a_resume_can_be_refused(status: int) -> None:
    async with streaming({"on": {"header": {"Last-Event-ID": "*"}}, "status": status}) as mock:
        answers = [await follow(mock.port, "j", cursor) for cursor in (None, "2")]
    assert [answer.status for answer in answers] == [200, status]
    assert b"id: " not in answers[1].body


# --- frames written by hand


@shows(
    "frame.id", "frame.event", "frame.data", "frame.json", "frame.raw", "frame.bytes_hex",
    "frame.comment", "frame.retry_ms",
)  # fmt: skip
@pytest.mark.parametrize(
    ("frame", "raw"),
    [
        ({"id": "é", "event": "e", "data": "a\nb"}, "event: e\nid: é\ndata: a\ndata: b\n\n"),
        ({"json": {"a": "é"}, "retry_ms": 5}, 'retry: 5\ndata: {"a":"é"}\n\n'),
        ({"raw": "data:x\r\r"}, "data:x\r\r"),
        ({"comment": "a\nb"}, ": a\n: b\n\n"),
        ({"retry_ms": 0}, "retry: 0\n\n"),
    ],
)
async def test_a_frame_is_rendered_as_its_fields_say(frame: dict[str, object], raw: str) -> None:
    answer = await streamed({"frames": [frame, {"bytes_hex": "ff"}]})
    lines = sorted(answer.unchunked.removesuffix(b"\xff").split(b"\n"))
    assert lines == sorted(raw.encode().split(b"\n"))


@shows("frame.gate", "frame.delay_ms")
async def test_a_frame_waits_for_its_delay_and_its_gate() -> None:
    frames = [{"data": "a"}, {"data": "b", "delay_ms": 1, "gate": "g"}]
    async with streaming({"frames": frames}) as mock, RawClient(mock.port) as client:
        await client.send(request_bytes("GET", "/v1/jobs/j/events/stream"))
        await client.read_until(b"data: a\n\n\r\n")
        with anyio.move_on_after(0.05) as scope:
            await client.read()
        assert scope.cancelled_caught
        mock.gate("g").open()
        await client.read_until(b"data: b\n\n")


# --- select


async def statuses(on: Mapping[str, object], *asks: tuple[str, str, Mapping[str, str]]) -> str:
    """Ask several things of a server with one rule; tell which it was about, as x and dots."""
    job = {"submitted": True, "events": 1}
    words = {"job": [{**job, "id": "a"}, {**job, "id": "b"}], "rule": [{"on": on, "status": 418}]}
    found = ""
    async with MockServer(scenario_from_dict(words)) as mock, RawClient(mock.port) as client:
        for method, target, headers in asks:
            answer = await client.ask(method, target, headers)
            found += "x" if answer.status == 418 else "."
    return found


ME = ("GET", "/v1/me", dict[str, str]())
JOB_A = ("GET", "/v1/jobs/a", dict[str, str]())
JOB_B = ("GET", "/v1/jobs/b", dict[str, str]())
CANCEL_A = ("POST", "/v1/jobs/a/cancel", dict[str, str]())
TAGGED = ("GET", "/v1/me", {"X-Mark": "é".encode().decode("latin-1")})
OTHER_TAG = ("GET", "/v1/me", {"X-Mark": "z"})


@shows("on", "on.route", "on.job", "on.attempt", "on.method", "on.header", "on.times")
@pytest.mark.parametrize(
    ("on", "asks", "expected"),
    [
        ({"route": "me"}, [ME, JOB_A, ME], "x.x"),
        ({"job": "b"}, [JOB_A, JOB_B, ME], ".x."),
        ({"route": "me", "attempt": 2}, [ME, ME, ME], ".x."),
        ({"attempt": "2-3"}, [ME, ME, ME, ME, JOB_A], ".xx.."),
        ({"attempt": "2-"}, [ME, JOB_A, ME, ME], "..xx"),
        ({"job": "b", "attempt": 2}, [JOB_A, JOB_B, JOB_A, JOB_B], "...x"),
        ({"method": "POST"}, [ME, CANCEL_A], ".x"),
        ({"header": {"x-mark": "é"}}, [ME, TAGGED, OTHER_TAG], ".x."),
        ({"header": {"X-Mark": "*"}}, [ME, TAGGED, OTHER_TAG], ".xx"),
        ({"header": {"X-Mark": "!"}}, [ME, TAGGED, OTHER_TAG], "x.."),
        ({"times": 2}, [ME, ME, ME], "xx."),
    ],
)
async def test_a_rule_is_about_the_requests_that_it_selects(
    on: dict[str, object], asks: list[tuple[str, str, Mapping[str, str]]], expected: str
) -> None:
    assert await statuses(on, *asks) == expected


@shows("on.probability")
async def test_a_chance_is_drawn_from_the_seed() -> None:
    on = {"probability": 0.5}
    first = await statuses(on, *[ME] * 30)
    assert first == await statuses(on, *[ME] * 30)
    assert {"x", "."} == set(first)


@shows("on.frame", "on.id", "on.event", "on.type", "on.last")
@pytest.mark.parametrize(
    ("on", "left"),
    [
        ({"frame": 2}, (1, 3, 4)),
        ({"frame": "2-3"}, (1, 4)),
        ({"frame": "3-"}, (1, 2)),
        ({"id": "1"}, (2, 3, 4)),
        ({"event": "training.completed"}, (1, 2, 3)),
        ({"type": "training.log"}, (4,)),
        ({"last": True}, (1, 2, 3)),
        ({"type": "training.log", "times": 2}, (3, 4)),
        ({"type": "training.log", "id": "2"}, (1, 3, 4)),
    ],
)
async def test_a_rule_is_about_the_frames_that_it_selects(
    on: dict[str, object], left: tuple[int, ...]
) -> None:
    assert (await streamed({"on": on, "drop": True})).unchunked == blocks(*left)


@shows("idle_end")
@pytest.mark.parametrize("how", ["fin", "rst", "408"])
async def test_a_connection_that_was_kept_ends_while_it_is_idle(how: str) -> None:
    scenario = scenario_from_dict({"rule": [{"on": {"attempt": 2}, "idle_end": how}]})
    async with MockServer(scenario) as mock:
        async with RawClient(mock.port) as client:
            assert [(await client.ask("GET", "/v1/me")).status for _ in range(2)] == [200, 200]
            found, ending = await client.read_to_end()
        closed = await mock.wait_until(lambda record: isinstance(record, ConnectionClosed))
    assert ending == ("ECONNRESET" if how == "rst" else EOF)
    assert found.startswith(b"HTTP/1.1 408 Request Timeout\r\n") == (how == "408")
    assert (b"\r\nConnection: close\r\n" in found) == (how == "408")
    assert isinstance(closed, ConnectionClosed)
    assert (closed.by, closed.how) == ("server", how)


@shows("idle_end", "idle_ms")
async def test_a_request_that_comes_in_time_is_answered_and_the_connection_kept() -> None:
    rule = {"on": {"attempt": 1}, "idle_end": "rst", "idle_ms": 60_000}
    async with (
        MockServer(scenario_from_dict({"rule": [rule]})) as mock,
        RawClient(mock.port) as client,
    ):
        assert [(await client.ask("GET", "/v1/me")).status for _ in range(3)] == [200] * 3


@shows("idle_end")
async def test_a_request_that_is_there_already_is_answered_before_the_connection_ends() -> None:
    rule = {"on": {"attempt": 1}, "idle_end": "fin"}
    async with (
        MockServer(scenario_from_dict({"rule": [rule]})) as mock,
        RawClient(mock.port) as client,
    ):
        await client.send(request_bytes("GET", "/v1/me") * 2)
        assert [(await client.answer()).status for _ in range(2)] == [200] * 2


async def gzipped(rule: Mapping[str, object], headers: Mapping[str, str]) -> Answer:
    """Open the stream once with these header fields."""
    async with streaming(rule) as mock, RawClient(mock.port) as client:
        given = {"Connection": "close", **headers}
        return await client.ask_to_end("GET", "/v1/jobs/j/events/stream", given)


@shows("gzip")
async def test_every_frame_of_a_compressed_stream_can_be_read_when_it_has_come() -> None:
    answer = await gzipped({"gzip": "always"}, {"Accept-Encoding": "identity"})
    reader = zlib.decompressobj(wbits=31)
    assert (answer.header("Content-Encoding"), answer.header("Vary")) == ("gzip", "Accept-Encoding")
    read = [reader.decompress(piece) for piece in chunks(answer)]
    assert read == [block(1), block(2), block(3), block(4), b""]
    assert reader.eof


@shows("gzip")
@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        (None, None),
        ("identity, br", None),
        ("gzip;q=0, *", None),
        ("gzip ; q=0.000", None),
        ("br, gzip;q=0.1", "gzip"),
        ("X-GZIP", "gzip"),
        ("*", "gzip"),
        ("*;q=0", None),
    ],
)
async def test_a_stream_is_compressed_if_the_client_asks_for_it(
    asked: str | None, answered: str | None
) -> None:
    headers = {} if asked is None else {"Accept-Encoding": asked}
    answer = await gzipped({"gzip": "accepted"}, headers)
    assert answer.header("Content-Encoding") == answered
    assert (answer.unchunked == blocks(1, 2, 3, 4)) == (answered is None)


@shows("gzip")
async def test_a_compressed_stream_that_is_cut_lacks_its_end() -> None:
    answer = await gzipped({"gzip": "always", "after": {"frames": 2}, "end": "fin"}, {})
    reader = zlib.decompressobj(wbits=31)
    assert reader.decompress(b"".join(chunks(answer))) == blocks(1, 2)
    assert not reader.eof


@shows("gzip")
async def test_a_whole_body_is_compressed_too_unless_it_is_compressed_already() -> None:
    answer = await asked({"gzip": "always"})
    assert b'"user"' in gzip.decompress(answer.unchunked)
    coded = {"Content-Encoding": "gzip"}
    again = await asked({"gzip": "always", "headers": coded, "body_hex": gzip.compress(b"x").hex()})
    assert gzip.decompress(again.unchunked) == b"x"


@shows("gzip")
async def test_the_head_of_a_compressed_answer_comes_without_a_body_where_there_is_none() -> None:
    scenario = scenario_from_dict({"rule": [{"gzip": "always"}]})
    async with MockServer(scenario) as mock, RawClient(mock.port) as client:
        answer = await client.ask_to_end("HEAD", "/v1/me", {"Connection": "close"})
    assert (answer.header("Content-Encoding"), answer.body) == ("gzip", b"")


@shows("headers_twice")
async def test_a_header_field_is_sent_twice_whoever_set_it() -> None:
    rule = {"headers": {"X-Odd": "1"}, "headers_twice": ["x-odd", "Content-Length", "X-Absent"]}
    answer = await asked(rule)
    fields = [line.partition(": ")[0] for line in answer.head.split("\r\n")[1:] if line]
    assert fields.count("X-Odd") == fields.count("Content-Length") == 2
    assert fields.count("Content-Type") == 1
    assert "X-Absent" not in fields
    assert answer.json["user"]


@shows("headers_twice")
async def test_a_body_whose_transfer_coding_is_said_twice_is_in_chunks_all_the_same() -> None:
    answer = await streamed({"headers_twice": ["Transfer-Encoding"]})
    assert answer.head.count("Transfer-Encoding: chunked\r\n") == 2
    assert answer.unchunked == blocks(1, 2, 3, 4)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
def test_every_word_of_a_rule_is_shown_on_the_wire(anyio_backend: str) -> None:
    del anyio_backend
    words = {prefix + word for prefix, cls in TABLES.items() for word in words_of(cls)} | {*WORDS}
    assert words - SHOWN - ELSEWHERE - SILENT == set()
    assert SHOWN - words == set()
