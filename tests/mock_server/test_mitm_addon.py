"""The mitmproxy addon, inside `mitmdump` as its users run it."""

import importlib.util
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

import anyio
import pytest
from attrs import define, frozen

from mock_server import MockServer, ScriptedFrame, scenario_from_dict, scenario_to_toml
from mock_server.__main__ import main
from mock_server.shapes import is_table
from tests.mock_server.parity import ALL, JOB, Rules, transcript
from tests.mock_server.rawclient import RawClient, create, follow, request_bytes

MITMDUMP = Path(sys.executable).with_name("mitmdump")
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        importlib.util.find_spec("mitmproxy") is None or sys.version_info < (3, 12),
        reason="mitmproxy 12.2 needs Python 3.12 and is not installed here",
    ),
]


@pytest.fixture
def anyio_backend() -> str:
    """Only the client runs here; the addon has mitmproxy's loop."""
    return "asyncio"


@frozen
class Proxied:
    """A running mitmdump."""

    port: int
    log: Path
    journal: Path


@define
class Mitmdump:
    """Starts mitmdump processes and ends them."""

    directory: Path
    processes: list[subprocess.Popen[bytes]]

    async def before(self, mock: MockServer, rules: Rules) -> Proxied:
        """Start one in front of a mock, with these rules; wait until it listens."""
        scenario = self.directory / "scenario.toml"
        scenario.write_text(scenario_to_toml(scenario_from_dict({"seed": 3, "rule": list(rules)})))
        log, journal = self.directory / "log", self.directory / "journal.jsonl"
        process = self._start(mock.base_url, scenario, log, journal)
        with anyio.fail_after(60):
            while (port := _port_in(log)) is None:
                assert process.poll() is None, log.read_text()
                await anyio.sleep(0.02)
        return Proxied(port, log, journal)

    def _start(self, url: str, scenario: Path, log: Path, journal: Path) -> subprocess.Popen[bytes]:
        options = {
            "listen_port": "0",
            "confdir": str(self.directory / "conf"),
            "connection_strategy": "lazy",
            "arkor_scenario": str(scenario),
            "arkor_journal": str(journal),
        }
        settings = [part for key, value in options.items() for part in ("--set", f"{key}={value}")]
        addon = Path(main.__code__.co_filename).with_name("mitm_addon.py")
        command = [str(MITMDUMP), "-s", str(addon), "--mode", f"reverse:{url}@127.0.0.1:0"]
        with log.open("wb") as out:
            process = subprocess.Popen(  # noqa: S603 -- our own command
                [*command, *settings], stdout=out, stderr=subprocess.STDOUT
            )
        self.processes.append(process)
        return process


def _port_in(log: Path) -> int | None:
    for line in log.read_text().splitlines():
        if "listening at" in line:
            return int(line.rstrip(".").rpartition(":")[2])
    return None


@pytest.fixture
def mitmdump(tmp_path: Path) -> Iterator[Mitmdump]:
    runner = Mitmdump(tmp_path, [])
    yield runner
    for process in runner.processes:
        process.terminate()
        process.wait(30)


async def test_every_rule_gives_the_transcript_of_the_mock(mitmdump: Mitmdump) -> None:
    # One process carries all: rule n is for job n.
    names = list(ALL)
    jobs = [{**JOB, "id": f"j{n}"} for n in range(len(names))]
    rules = [
        {**rule, "on": {**selection_of(rule), "job": f"j{n}"}}
        for n, name in enumerate(names)
        for rule in ALL[name]
    ]
    async with MockServer(scenario_from_dict({"job": jobs})) as upstream:
        proxied = await mitmdump.before(upstream, rules)
        carried = {name: await transcript(proxied.port, f"j{n}") for n, name in enumerate(names)}
    async with MockServer(scenario_from_dict({"seed": 3, "rule": rules, "job": jobs})) as mock:
        mocked = {name: await transcript(mock.port, f"j{n}") for n, name in enumerate(names)}
    del carried["nothing"], mocked["nothing"]
    for name, expected in mocked.items():
        assert carried[name] == expected, f"{name}: {proxied.log.read_text()}"


def selection_of(rule: Mapping[str, object]) -> Mapping[str, object]:
    found = rule["on"]
    assert is_table(found)
    return found


async def test_without_rules_every_byte_passes_and_is_written_down(mitmdump: Mitmdump) -> None:
    job = {**JOB, "id": "j"}
    async with MockServer(scenario_from_dict({"job": [job]})) as upstream:
        proxied = await mitmdump.before(upstream, [])
        through = await follow(proxied.port, "j")
        direct = await follow(upstream.port, "j")
    assert through.unchunked == direct.unchunked
    assert proxied.journal.read_text().count('"kind": "FrameSent"') == 6


async def test_a_stalled_stream_does_not_delay_another(mitmdump: Mitmdump) -> None:
    rule = {"on": {"route": "stream", "attempt": 1}, "stall": {"ms": 60_000}}
    async with MockServer(scenario_from_dict({"job": [{"id": "j"}]})) as upstream:
        proxied = await mitmdump.before(upstream, [rule])
        job = await create(proxied.port)
        async with RawClient(proxied.port) as stalled:
            await stalled.send(request_bytes("GET", f"/v1/jobs/{job}/events/stream"))
            await stalled.read_until(b"\r\n\r\n")
            assert b"training.completed" in (await follow(proxied.port, job)).body


async def test_an_exception_is_loud_and_eats_no_frame(mitmdump: Mitmdump) -> None:
    job = {"id": "j", "events": 1, "status": "running", "submitted": True}
    async with MockServer(scenario_from_dict({"job": [job]})) as upstream:
        proxied = await mitmdump.before(upstream, [])
        async with RawClient(proxied.port) as client:
            await client.send(request_bytes("GET", "/v1/jobs/j/events/stream"))
            await client.read_until(b"id: 1")
            proxied.journal.unlink()
            proxied.journal.mkdir()  # from now on every record fails to be written
            upstream.push("j", scenario_frame("second"))
            await client.read_until(b"second")
    assert "a frame could not be written down" in proxied.log.read_text()


def scenario_frame(data: str) -> ScriptedFrame:
    return ScriptedFrame(data=data)


async def test_an_upstream_that_is_away_is_a_502(mitmdump: Mitmdump) -> None:
    rule = {"on": {"route": "stream"}, "strip_id": True}
    async with MockServer() as upstream:
        proxied = await mitmdump.before(upstream, [rule])
    assert (await follow(proxied.port, "j")).status == 502


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ('[[rule]]\nedn = "rst"\n', "rule 1: 'edn' is unknown; did you mean 'end'?"),
        (
            '[[rule]]\naccept = "rst"\n',
            "rule 1: 'accept' needs the listener capability; the mitmproxy carrier lacks it",
        ),
    ],
)
def test_a_scenario_that_it_cannot_carry_ends_it_with_a_message(
    tmp_path: Path, toml: str, message: str
) -> None:
    path = tmp_path / "s.toml"
    path.write_text(toml)
    addon = Path(main.__code__.co_filename).with_name("mitm_addon.py")
    command = [str(MITMDUMP), "-s", str(addon), "--set", f"arkor_scenario={path}", "-p", "0"]
    ended = subprocess.run(  # noqa: S603 -- our own command
        [*command, "--set", f"confdir={tmp_path}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode != 0
    assert message in ended.stdout + ended.stderr


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of mitmproxy's own imports
async def test_it_runs_inside_a_process_too() -> None:
    from mock_server.mitm_embedded import embedded  # noqa: PLC0415 -- not everywhere installed

    rule = {"on": {"route": "stream"}, "after": {"frames": 2}, "end": "rst"}
    scenario = scenario_from_dict({"rule": [rule]})
    async with MockServer(scenario_from_dict({"job": [JOB]})) as upstream:
        with embedded(upstream.base_url, scenario) as proxy:
            port = int(proxy.base_url.rpartition(":")[2])
            answer = await transcript(port)
            assert answer.ending == "ECONNRESET"
            assert answer.unchunked.count(b"id: ") == 2
            assert any(type(record).__name__ == "RuleFired" for record in proxy.journal)


def test_the_path_of_the_addon_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["addon-path"]) == 0
    assert Path(capsys.readouterr().out.strip()).name == "mitm_addon.py"


async def test_without_rules_any_chunking_of_any_bytes_passes_unchanged(
    mitmdump: Mitmdump,
) -> None:
    seed = 20_260_501
    dice = random.Random(seed)  # noqa: S311 -- seeded on purpose
    bodies = [dice.randbytes(dice.randrange(1, 400)) for _ in range(60)]
    bodies += [b"data: " + body + b"\r\n\r\n" for body in bodies[:20]]
    rules = [
        {"on": {"route": "stream", "attempt": n}, "frames": chunked(body, dice)}
        for n, body in enumerate(bodies, 1)
    ]
    async with MockServer(scenario_from_dict({"rule": rules})) as upstream:
        proxied = await mitmdump.before(upstream, [])
        for body in bodies:
            assert (await follow(proxied.port, "j")).unchunked == body, f"seed {seed}"


def chunked(body: bytes, dice: random.Random) -> list[dict[str, str]]:
    cuts = sorted({0, len(body), *(dice.randrange(len(body) + 1) for _ in range(5))})
    return [{"bytes_hex": body[a:b].hex()} for a, b in pairwise(cuts)]
