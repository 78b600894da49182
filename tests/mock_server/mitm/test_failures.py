"""The mitmproxy addon when something is wrong: a clear message, and no frame lost."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from mock_server import MockServer, ScenarioError, ScriptedFrame, scenario_from_dict
from tests.mock_server.mitm.mitmdump import (
    Behind,
    Mitmdump,
    Proxied,
    anyio_backend,
    before_a_raw_upstream,
    command,
    mitmdump,
    needs_mitmproxy,
)
from tests.mock_server.parity import JOB, Rules, transcript
from tests.mock_server.rawclient import EOF, RawClient, follow, request_bytes

__all__ = ["anyio_backend", "mitmdump"]
pytestmark = [pytest.mark.anyio, needs_mitmproxy]
STREAM = "/v1/jobs/j/events/stream"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
STRIP = {"on": {"route": "stream"}, "strip_id": True}
RULES: Rules = [STRIP]
RUNNING = {"id": "j", "events": 1, "status": "running", "submitted": True}


@pytest.fixture(scope="module")
def stripping(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    with before_a_raw_upstream(tmp_path_factory.mktemp("mitm"), RULES) as running:
        yield running


def break_journal(proxied: Proxied) -> None:
    """Make writing the journal fail from now on, wherever the addon adds a record."""
    proxied.journal.unlink()
    proxied.journal.mkdir()


@pytest.mark.parametrize(
    ("rules", "message"),
    [([], "the addon failed to record a frame"), ([STRIP], "the addon failed during an exchange")],
    ids=["observed", "taken over"],
)
@pytest.mark.thorough
async def test_an_exception_amid_a_stream_is_loud_and_eats_no_frame(
    mitmdump: Mitmdump, rules: list[dict[str, object]], message: str
) -> None:
    async with MockServer(scenario_from_dict({"job": [RUNNING]})) as upstream:
        proxied = await mitmdump.before(upstream.base_url, rules)
        async with RawClient(proxied.port) as client:
            await client.send(request_bytes("GET", STREAM))
            await proxied.record("FrameSent")
            break_journal(proxied)
            upstream.push("j", ScriptedFrame(data="second"))
            await client.read_until(b"second\n\n")
        await proxied.logged(message)
        await proxied.logged("IsADirectoryError")


@pytest.mark.thorough
async def test_an_exception_at_a_request_is_loud_and_answered(mitmdump: Mitmdump) -> None:
    async with MockServer(scenario_from_dict({"job": [JOB]})) as upstream:
        proxied = await mitmdump.before(upstream.base_url, [STRIP])
        break_journal(proxied)
        answer = await follow(proxied.port, "j")
        assert upstream.journal == []
    assert answer.status == 502
    assert answer.json == {"error": "the addon failed; see mitmproxy's log"}
    assert "the addon failed on a request" in proxied.log.read_text()


@pytest.mark.parametrize(
    "pieces",
    [
        [CHUNKED, b"1a\r\nid: 1\ndata: a\n\nid: 2\ndata: b"],
        [CHUNKED, b"10\r\nid: 1\ndata: a\n\n\r\n", b"nonsense\r\n"],
        [HEAD + b"Content-Length: 999\r\n\r\n", b"id: 1\ndata: a\n\n"],
    ],
    ids=["ends in a chunk", "a size that is none", "ends before its length"],
)
async def test_what_came_before_the_upstream_broke_off_arrives_and_no_end_is_invented(
    stripping: Behind, pieces: list[bytes]
) -> None:
    stripping.raw.say(*pieces)
    answer = await transcript(stripping.port)
    assert answer.unchunked.startswith(b"data: a\n\n")
    assert not answer.body.endswith(b"0\r\n\r\n")
    assert answer.ending == EOF


@pytest.mark.parametrize(
    "pieces",
    [[b"SSH-2.0-no\r\n\r\n"], [b"HTTP/1.1 200 OK\r\n"], []],
    ids=["garbage", "half", "none"],
)
async def test_an_upstream_without_a_head_is_a_502_that_says_so(
    stripping: Behind, pieces: list[bytes]
) -> None:
    stripping.raw.say(*pieces)
    answer = await follow(stripping.port, "j")
    assert answer.status == 502
    assert str(answer.json["error"]).startswith("upstream: ")


@pytest.mark.thorough
async def test_an_upstream_that_is_away_is_a_502(mitmdump: Mitmdump) -> None:
    async with MockServer() as upstream:
        proxied = await mitmdump.before(upstream.base_url, [STRIP])
    assert (await follow(proxied.port, "j")).status == 502


def ended(directory: Path, *arguments: str, **options: str) -> str:
    """Run a mitmdump that must end by itself, with an exit code that says so; return its words."""
    found = subprocess.run(
        [*command(directory, options), "--mode", "regular@127.0.0.1:0", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert found.returncode == 1
    assert "Traceback" not in found.stdout + found.stderr
    return found.stdout + found.stderr


def test_a_scenario_that_it_cannot_carry_ends_it_with_the_file_and_the_rule(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text('[[rule]]\nbom = true\n[[rule]]\nlistener = "down"\n')
    words = ended(tmp_path, arkor_scenario=str(path))
    assert f"arkor_scenario: {path}: rule 2: 'listener' needs the listener capability" in words


@pytest.mark.thorough
def test_no_scenario_at_all_ends_it(tmp_path: Path) -> None:
    assert "arkor_scenario: missing; add --set arkor_scenario=file.toml" in ended(tmp_path)


@pytest.mark.thorough
def test_a_journal_that_cannot_be_written_ends_it(tmp_path: Path) -> None:
    words = ended(tmp_path, arkor_journal=str(tmp_path))
    assert f"arkor_journal: {tmp_path}: Is a directory" in words


@pytest.mark.thorough
def test_a_busy_port_ends_it(tmp_path: Path) -> None:
    path = tmp_path / "s.toml"
    path.write_text("schema = 1\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        mode = f"reverse:http://127.0.0.1:1@127.0.0.1:{taken.getsockname()[1]}"
        words = ended(tmp_path, "--mode", mode, arkor_scenario=str(path))
    assert "address already in use" in words.lower()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of mitmproxy's own imports
def test_a_busy_port_is_told_to_whoever_embeds_it() -> None:
    # The module imports mitmproxy, which is not installed everywhere.
    from mock_server.mitm.embedded import NotStarted, embedded  # noqa: PLC0415 - mitmproxy may not be installed

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = int(taken.getsockname()[1])
        with (
            pytest.raises(NotStarted, match="address already in use"),
            embedded("http://127.0.0.1:1", scenario_from_dict({}), port),
        ):
            pass


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_it_cannot_carry_is_told_to_whoever_embeds_it() -> None:
    from mock_server.mitm.embedded import embedded  # noqa: PLC0415 - mitmproxy may not be installed

    scenario = scenario_from_dict({"rule": [{"accept": "rst"}]})
    with (
        pytest.raises(ScenarioError, match="rule 1: 'accept' needs the listener capability"),
        embedded("http://127.0.0.1:1", scenario),
    ):
        pass
