"""The mitmproxy addon carries out the same scenarios as the mock, inside `mitmdump`."""

from pathlib import Path

import pytest

from mock_server import MockServer, RuleFired, scenario_from_dict
from mock_server.__main__ import main
from mock_server.mitm.settings import ADDON_CAPABILITIES
from mock_server.scenario.rule import WORDS
from mock_server.scenario.words.end import Ending
from mock_server.scenario.words.frame import Damage, LineEnding, SliceAt
from mock_server.scenario.words.head import Framing, Gzip
from mock_server.scenario.words.request import Lost
from tests.mock_server.mitm.mitmdump import (
    SEED,
    Mitmdump,
    anyio_backend,
    mitmdump,
    needs_mitmproxy,
)
from tests.mock_server.parity import ALL, JOB, together, transcript
from tests.mock_server.rawclient import EOF, RawClient, create, follow, request_bytes

__all__ = ["anyio_backend", "mitmdump"]
pytestmark = [pytest.mark.anyio, needs_mitmproxy]
STREAM = "/v1/jobs/j/events/stream"


async def test_every_rule_gives_the_transcript_of_the_mock(mitmdump: Mitmdump) -> None:
    everything = together(ALL)
    backend = {"job": everything.plans}
    async with MockServer(scenario_from_dict(backend)) as upstream:
        proxied = await mitmdump.before(upstream.base_url, everything.rules)
        carried = {
            name: await transcript(proxied.port, job) for name, job in everything.jobs.items()
        }
    whole = {"seed": SEED, "rule": everything.rules, **backend}
    async with MockServer(scenario_from_dict(whole)) as mock:
        mocked = {name: await transcript(mock.port, job) for name, job in everything.jobs.items()}
    del carried["nothing"], mocked["nothing"]  # mitmproxy writes that head itself
    for name, expected in mocked.items():
        assert carried[name] == expected, f"{name}: {proxied.log.read_text()}"


def test_the_scenarios_use_every_word_that_the_addon_carries() -> None:
    carried = {
        name for name, word in WORDS.items() if not word.needs or word.needs in ADDON_CAPABILITIES
    }
    used = {word for rules in ALL.values() for rule in rules for word in rule}
    assert carried - used == {"name", "slow_read", "listener_ms", "idle_ms"}


@pytest.mark.parametrize(
    ("word", "choices"),
    [
        # A hang has a test of its own: the client has to leave. An alert is refused, as all of TLS.
        ("end", {*Ending} - {Ending.HANG, Ending.TLS_ALERT}),
        ("corrupt", {*Damage}),
        ("line_ending", {*LineEnding}),
        ("slice", {*SliceAt, 7}),
        ("lose", {*Lost}),
        ("framing", {*Framing}),
        ("gzip", {*Gzip}),
    ],
)
def test_the_scenarios_make_every_choice(word: str, choices: set[object]) -> None:
    made = {rule[word] for rules in ALL.values() for rule in rules if word in rule}
    assert made >= choices


@pytest.mark.thorough
async def test_a_stream_that_no_rule_is_about_is_observed(mitmdump: Mitmdump) -> None:
    async with MockServer(scenario_from_dict({"job": [JOB]})) as upstream:
        proxied = await mitmdump.before(upstream.base_url, [])
        through = await follow(proxied.port, "j")
        direct = await follow(upstream.port, "j")
    assert through.unchunked == direct.unchunked
    assert [record["id"] for record in proxied.records("FrameSent")] == list("123456")


@pytest.mark.thorough
async def test_a_stalled_stream_does_not_hold_another_up(mitmdump: Mitmdump) -> None:
    rule = {"on": {"route": "stream", "attempt": 1}, "stall": {"ms": 60_000}}
    async with MockServer(scenario_from_dict({"job": [{"id": "j"}]})) as upstream:
        proxied = await mitmdump.before(upstream.base_url, [rule])
        job = await create(proxied.port)
        async with RawClient(proxied.port) as stalled:
            await stalled.send(request_bytes("GET", STREAM))
            await stalled.read_until(b"\r\n\r\n")
            assert b"training.completed" in (await follow(proxied.port, job)).body


@pytest.mark.thorough
async def test_after_a_half_close_the_client_is_the_one_who_closes(mitmdump: Mitmdump) -> None:
    rule = {"on": {"route": "stream"}, "after": {"frames": 1}, "end": "half_close"}
    async with MockServer(scenario_from_dict({"job": [JOB]})) as upstream:
        proxied = await mitmdump.before(upstream.base_url, [rule])
        async with RawClient(proxied.port) as client:
            await client.send(request_bytes("GET", STREAM))
            assert (await client.read_to_end())[1] == EOF
            for _ in range(20):
                await client.send(b"more")
        assert (await proxied.record("ConnectionClosed"))["by"] == "client"


@pytest.mark.thorough
async def test_a_hang_lasts_until_the_client_leaves(mitmdump: Mitmdump) -> None:
    rule = {"on": {"route": "stream"}, "after": {"frames": 1}, "end": "hang"}
    async with MockServer(scenario_from_dict({"job": [JOB]})) as upstream:
        proxied = await mitmdump.before(upstream.base_url, [rule])
        async with RawClient(proxied.port) as client:
            await client.send(request_bytes("GET", STREAM))
            await client.read_until(b"id: 1")
        ended = await proxied.record("ExchangeEnded")
    assert (ended["how"], ended["by"]) == ("hang", "client")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of mitmproxy's own imports
async def test_it_runs_inside_a_process_too() -> None:
    # The module imports mitmproxy, which is not installed everywhere.
    from mock_server.mitm.embedded import embedded  # noqa: PLC0415 - mitmproxy may not be installed

    rule = {"on": {"route": "stream"}, "after": {"frames": 2}, "end": "rst"}
    scenario = scenario_from_dict({"rule": [rule]})
    async with MockServer(scenario_from_dict({"job": [JOB]})) as upstream:
        with embedded(upstream.base_url, scenario) as proxy:
            answer = await transcript(int(proxy.base_url.rpartition(":")[2]))
            assert any(isinstance(record, RuleFired) for record in proxy.journal)
    assert answer.ending == "ECONNRESET"
    assert answer.unchunked.count(b"id: ") == 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_a_stall_inside_a_process_lasts_until_its_gate_opens() -> None:
    from mock_server.mitm.embedded import embedded  # noqa: PLC0415 - mitmproxy may not be installed

    rule = {"on": {"route": "stream"}, "after": {"frames": 2}, "stall": {"gate": "g"}}
    scenario = scenario_from_dict({"rule": [rule]})
    async with MockServer(scenario_from_dict({"job": [JOB]})) as upstream:
        with embedded(upstream.base_url, scenario) as proxy:
            async with RawClient(int(proxy.base_url.rpartition(":")[2])) as client:
                await client.send(request_bytes("GET", STREAM))
                assert b"id: 3" not in await client.read_until(b"id: 2")
                proxy.open_gate("g")
                await client.read_until(b"0\r\n\r\n")


def test_the_path_of_the_addon_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["addon-path"]) == 0
    assert Path(capsys.readouterr().out.strip()).parts[-2:] == ("mitm", "addon.py")
