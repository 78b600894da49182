"""A misspelt gate is an error on both ends: for who opens it, and for what waits at it."""

from collections.abc import Mapping

import anyio
import pytest

from mock_server import MockServer, ScenarioError, ScriptedFrame, scenario_from_dict
from mock_server.journal.verification import VERIFICATION, problems_of
from mock_server.journal.verify import VerificationError
from mock_server.testing.sync import mock_in_thread
from tests.mock_server.rawclient import RawClient, request_bytes

pytestmark = pytest.mark.anyio
STREAM = "/v1/jobs/j/events/stream"
STALL: Mapping[str, object] = {"on": {"route": "stream"}, "stall": {"gate": "mid"}}
WAITING: dict[str, Mapping[str, object]] = {
    "a stall": {"rule": [STALL]},
    "a frame": {"rule": [{"frames": [{"data": "x", "gate": "mid"}]}]},
    "a frame put in": {"rule": [{"on": {"frame": 1}, "inject": [{"data": "x", "gate": "mid"}]}]},
    "a frame after it": {
        "rule": [{"on": {"frame": 1}, "inject": {"after": [{"data": "x", "gate": "mid"}]}}]
    },
    "a frame instead": {"rule": [{"on": {"frame": 1}, "replace": {"data": "x", "gate": "mid"}}]},
    "a job": {"job": [{"events": [{"data": "x", "gate": "mid"}]}]},
}


@pytest.mark.parametrize("words", WAITING.values(), ids=WAITING)
def test_a_misspelt_gate_is_refused_when_it_is_opened_and_when_it_is_shut(
    words: Mapping[str, object],
) -> None:
    mock = MockServer(scenario_from_dict(words))
    for do in (mock.gate("mdi").open, mock.gate("mdi").shut):
        with pytest.raises(ScenarioError, match="waits at 'mdi'; did you mean 'mid'"):
            do()
    mock.gate("mid").open()
    assert mock.gate("mid").is_open


def test_a_gate_that_nothing_names_is_refused() -> None:
    with pytest.raises(ScenarioError, match="waits at 'mid'; this scenario uses no gates"):
        MockServer().gate("mid").open()


async def test_what_is_added_later_may_be_opened_as_well() -> None:
    async with MockServer(scenario_from_dict({"rule": [STALL]})) as mock:
        mock.on.stream(attempt=2).stall(gate="two")
        mock.job(id="j", events=[{"data": "x", "gate": "three"}], status="running")
        mock.push("j", ScriptedFrame(data="x", gate="four"))
        for name in ("mid", "two", "three", "four"):
            mock.gate(name).open()
        mock.load(scenario_from_dict({}))
        with pytest.raises(ScenarioError, match="waits at 'mid'"):
            mock.gate("mid").open()


def test_a_synchronous_test_is_told_as_well() -> None:
    with mock_in_thread(scenario_from_dict({"rule": [STALL]})) as mock:
        with pytest.raises(ScenarioError, match="did you mean 'mid'"):
            mock.gate("midd").open()
        mock.gate("mid").open()


async def test_a_gate_that_is_never_opened_is_told_to_whoever_waits_and_verifies() -> None:
    rules = [STALL, {"on": {"route": "me"}, "stall": {"gate": "mdi"}}]
    async with MockServer(scenario_from_dict({"rule": rules})) as mock:
        mock.job(id="j")
        mock.gate("mdi").open()
        async with RawClient(mock.port) as client:
            await client.send(request_bytes("GET", STREAM))
            await client.read_until(b"\r\n\r\n")
            with pytest.raises(
                TimeoutError, match="gate 'mid': something waited at it, but it was never opened"
            ):
                await mock.wait_for("stream", frame=1, within=0.05)
            with pytest.raises(VerificationError, match="did you mean 'mdi'"):
                mock.verify.gates_opened()
            assert len(problems_of(VERIFICATION.read({"gates_opened": True}, ""), mock.verify)) == 1
            mock.gate("mid").open()
            await client.read_until(b"id: 1")
        mock.verify.gates_opened()


async def test_the_gate_called_never_stays_shut() -> None:
    rule = {**STALL, "stall": {"gate": "never"}}
    async with MockServer(scenario_from_dict({"rule": [rule]})) as mock:
        mock.job(id="j")
        async with RawClient(mock.port) as client:
            await client.send(request_bytes("GET", STREAM))
            with anyio.move_on_after(0.05):
                await client.read_until(b"id: 1")
        mock.verify.gates_opened()
        with pytest.raises(ScenarioError, match="'never' always stays shut"):
            mock.gate("never").open()
