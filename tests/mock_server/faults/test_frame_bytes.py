"""The bytes of frames: what a listener sees of each, and what the journal keeps of them."""

import pytest

from mock_server import FrameSent, MockServer, Record, record_to_dict, scenario_from_dict
from mock_server.proxy.origin import ProxyOrigin, Upstream
from tests.mock_server.rawclient import RawClient, create, follow, request_bytes

pytestmark = pytest.mark.anyio

RULES = {
    "untouched": [],
    "two lines": [{"frames": [{"id": "1", "data": "é\nü"}, {"comment": "hm"}]}],
    "other bytes": [{"on": {"frame": "2-3"}, "corrupt": "bits"}],
    "no id": [{"on": {"frame": "1-"}, "strip_id": True}],
    "in pieces": [{"on": {"frame": "1-"}, "slice": 5}],
    "in pieces, then damaged": [
        {"on": {"frame": "1-"}, "slice": 5},
        {"on": {"frame": "1-"}, "corrupt": "json"},
    ],
    "twice, together": [{"on": {"frame": 1}, "duplicate": 1}, {"coalesce": 3}],
    "stalled within": [{"after": {"frames": 1, "bytes": 4}, "stall": {"ms": 1}}],
}


def scenario(rules: list[dict[str, object]]) -> dict[str, object]:
    def about_the_stream(rule: dict[str, object]) -> dict[str, object]:
        on = rule.get("on", {})
        assert isinstance(on, dict)
        return {**rule, "on": {**on, "route": "stream"}}

    return {"rule": [about_the_stream(rule) for rule in rules]}


def frames(records: list[Record]) -> list[FrameSent]:
    return [record for record in records if isinstance(record, FrameSent)]


@pytest.mark.parametrize("rules", RULES.values(), ids=RULES)
async def test_a_listener_reads_every_byte_of_the_frames_that_were_sent(
    rules: list[dict[str, object]],
) -> None:
    heard: list[Record] = []
    async with MockServer(scenario_from_dict(scenario(rules)), heard.append) as mock:
        answer = await follow(mock.port, await create(mock.port))
        assert b"".join(record.data for record in frames(heard)) == answer.unchunked
        assert len(frames(heard)) == len(frames(mock.journal))
        assert frames(heard) == frames(mock.journal)


async def test_the_journal_keeps_no_byte_of_a_frame_and_shows_none() -> None:
    heard: list[Record] = []
    async with MockServer(on_record=heard.append) as mock:
        await follow(mock.port, await create(mock.port))
        assert {record.data for record in frames(mock.journal)} == {b""}
        first = frames(heard)[0]
        assert b"training.started" in first.data
        assert "data" not in record_to_dict(first)
        assert "jobId" not in repr(first)


async def test_a_frame_that_was_passed_on_in_parts_is_heard_whole() -> None:
    parts = [{"raw": "id: 1\ndata: ha"}, {"raw": "lf\n\n", "gate": "rest"}]
    rule = {"on": {"route": "stream"}, "frames": [*parts, {"raw": "data: next\n\n"}]}
    heard: list[Record] = []
    async with MockServer(scenario_from_dict({"rule": [rule]})) as upstream:
        origin = ProxyOrigin(Upstream.at(upstream.base_url))
        async with (
            MockServer(on_record=heard.append, upstream=origin) as proxy,
            RawClient(proxy.port) as client,
        ):
            await client.send(request_bytes("GET", "/v1/jobs/j/events/stream"))
            await client.read_until(b"data: ha")
            upstream.gate("rest").open()
            await client.read_until(b"0\r\n\r\n")
    assert [record.data for record in frames(heard)] == [
        b"id: 1\ndata: half\n\n",
        b"data: next\n\n",
    ]
