"""The change from a stream's replay to its live phase, where a test can hold it."""

import anyio
import pytest

from mock_server import MockServer, ScriptedFrame, scenario_from_dict
from tests.mock_server.rawclient import RawClient, event_ids, follow, request_bytes

pytestmark = pytest.mark.anyio

STREAM = "/v1/jobs/j/events/stream"
LOG = {"json": {"type": "training.log", "step": 1}}
DONE = {"json": {"type": "training.completed"}}


def serve(**words: object) -> MockServer:
    job = {"id": "j", "submitted": True, "events": [LOG, LOG], "emitted": True, "status": "running"}
    return MockServer(scenario_from_dict({"job": [job], **words}))


async def test_a_held_stream_stops_after_its_replay_and_goes_on_when_released() -> None:
    async with serve() as mock, RawClient(mock.port) as client:
        hold = mock.hold("j")
        assert mock.hold("j") is hold
        await client.send(request_bytes("GET", STREAM))
        with anyio.fail_after(5):
            await hold.held()
        mock.push("j", ScriptedFrame(json=LOG["json"]))
        mock.push("j", ScriptedFrame(json=DONE["json"]))
        other = await follow(mock.port, "j")
        assert event_ids(other.unchunked) == ["1", "2", "3", "4"]
        await client.read_until(b"id: 2")
        with anyio.move_on_after(0.05) as waited:
            await client.read_until(b"id: 3")
        assert waited.cancelled_caught
        hold.release()
        assert event_ids(await client.read_until(b"0\r\n\r\n")) == ["3", "4"]


async def test_a_hold_is_for_one_stream_and_one_released_early_stops_none() -> None:
    async with serve() as mock:
        first = mock.hold("j")
        first.release()
        mock.push("j", ScriptedFrame(json=DONE["json"]))
        assert event_ids((await follow(mock.port, "j")).unchunked) == ["1", "2", "3"]
        assert mock.hold("j") is not first


async def test_a_resume_after_the_last_event_is_held_before_anything_comes() -> None:
    async with serve() as mock, RawClient(mock.port) as client:
        hold = mock.hold("j")
        await client.send(request_bytes("GET", STREAM, {"Last-Event-ID": "2"}))
        with anyio.fail_after(5):
            await hold.held()
        mock.push("j", ScriptedFrame(json=DONE["json"]))
        hold.release()
        assert event_ids(await client.read_until(b"0\r\n\r\n")) == ["3"]


async def test_a_client_may_leave_while_its_stream_is_held() -> None:
    async with serve() as mock:
        hold = mock.hold("j")
        async with RawClient(mock.port) as client:
            await client.send(request_bytes("GET", STREAM))
            with anyio.fail_after(5):
                await hold.held()
        await mock.wait_for("stream", ended=True)
        hold.release()


async def test_a_hold_needs_a_job_that_exists() -> None:
    async with serve() as mock:
        with pytest.raises(KeyError):
            mock.hold("k")
