"""A recording survives a killed process, a full disk and bad target paths."""

import json
import os
import resource
import stat
import subprocess
import sys
import urllib.request
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from mock_server.__main__ import main
from mock_server.durable import AppendOnly, write_whole
from mock_server.proxy.origin import ProxyOrigin, Upstream
from mock_server.proxy.recorder import RecordingOrigin
from mock_server.proxy.recovery import read_tape
from mock_server.proxy.replay import replay_of
from mock_server.proxy.tape import Tape, TapeError
from mock_server.scenario.files import scenario_from_dict, scenario_from_file
from mock_server.server import MockServer
from mock_server.strict.shapes import is_table
from mock_server.testing.sync import mock_in_thread
from tests.mock_server.parity import ALL, Rules, transcript
from tests.mock_server.rawclient import follow

JOB = {"id": "j", "events": 6, "submitted": True}


def get(url: str) -> bytes:
    request = urllib.request.Request(url, headers={"Authorization": "Bearer t"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        found: bytes = answer.read()
    return found


@contextmanager
def recording(
    upstream: str, out: Path, limit: int | None = None
) -> Generator[tuple["subprocess.Popen[str]", str], None, None]:
    """Run `record` in another process that can write files of at most `limit` bytes."""

    def restrict() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    # Bytecode that is cut off at the limit would break every process that imports it later.
    command = [sys.executable, "-B", "-P", "-m", "mock_server", "record", "--exit-on-stdin-eof"]
    with subprocess.Popen(
        [*command, "--upstream", upstream, "--out", str(out)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=restrict,  # noqa: PLW1509 - no threads yet in the child
    ) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.stderr.read() if process.stderr else ""
        ready: Mapping[str, str] = json.loads(line)
        try:
            yield process, ready["base_url"]
        finally:
            if process.poll() is None:
                process.kill()


def ended(process: "subprocess.Popen[str]") -> tuple[int, str]:
    _, said = process.communicate(timeout=30)
    return process.returncode, said


def test_what_was_heard_before_a_kill_is_recovered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.toml"
    with mock_in_thread() as mock:
        mock.job(**JOB)
        mock.job(id="live", status="running", events=2, submitted=True)
        with recording(mock.base_url, out) as (process, url):
            get(url + "/v1/me")
            get(url + "/v1/jobs/j/events/stream")
            request = urllib.request.Request(
                url + "/v1/jobs/live/events/stream", headers={"Authorization": "Bearer t"}
            )
            with urllib.request.urlopen(request, timeout=10) as stream:
                while stream.readline() != b"id: 2\n":
                    pass
                process.kill()
                assert process.wait(10) == -9
    partial = out.with_name("out.toml.partial")
    assert not out.exists()
    assert stat.S_IMODE(partial.stat().st_mode) == 0o600
    assert main(["record", "--upstream", "http://127.0.0.1:1", "--out", str(out)]) == 2
    assert "was killed; run `arkor-mock recover" in capsys.readouterr().err
    assert main(["recover", str(out)]) == 0
    assert "recorded 3 exchanges" in capsys.readouterr().err
    assert (partial.exists(), stat.S_IMODE(out.stat().st_mode)) == (False, 0o600)
    scenario = scenario_from_file(out)
    frames = [len(rule.head.frames or ()) for rule in scenario.rules]
    assert frames == [0, 6, 2]
    assert scenario.rules[0].head.body is not None
    assert [job.id for job in scenario.jobs] == ["j", "live"]


OTHERS: dict[str, Rules] = {
    "secrets": [
        {
            "on": {"route": "stream"},
            "headers": {"Set-Cookie": ["a=hush", "b=hush"], "X": ["1", "2"]},
        },
        {"on": {"route": "stream"}, "content_type": "text/plain"},
        {"on": {"route": "stream"}, "frames": [{"raw": '{"token": "hu'}, {"raw": 'sh"}'}]},
    ],
    "early heads": [{"on": {"route": "stream"}, "early": [103, 102], "retry_after": 1}],
    "no body": [{"on": {"route": "stream"}, "status": 304, "content_length": [77]}],
    "a half frame": [{"on": {"route": "stream"}, "frames": [{"raw": "id: 7\ndata: x"}]}],
}


@pytest.mark.anyio
@pytest.mark.parametrize("rules", [*ALL.values(), *OTHERS.values()], ids=[*ALL, *OTHERS])
async def test_what_is_recovered_is_what_would_have_been_written(
    tmp_path: Path, rules: Rules
) -> None:
    tape = Tape.begin(tmp_path / "out.toml")
    scenario = scenario_from_dict({"job": [JOB], "rule": list(rules), "seed": 3})
    async with MockServer(scenario) as backend:
        origin = RecordingOrigin(ProxyOrigin(Upstream.at(backend.base_url)), tape=tape)
        async with MockServer(upstream=origin) as proxy:
            await transcript(proxy.port)
            await follow(proxy.port, "j", "3")
            await follow(proxy.port, "none")
    content = (tmp_path / "out.toml.partial").read_bytes()
    assert b"hush" not in content
    (tmp_path / "copy.toml.partial").write_bytes(content)
    assert replay_of(read_tape(tmp_path / "copy.toml").exchanges) == origin.scenario()
    tape.discard()


def record_and_kill(out: Path, tail: bytes) -> None:
    """Record one exchange, kill the recorder, and append `tail` to the partial file."""
    with mock_in_thread() as mock, recording(mock.base_url, out) as (process, url):
        get(url + "/v1/me")
        process.kill()
        process.wait(10)
    with out.with_name("out.toml.partial").open("ab") as partial:
        partial.write(tail)


def test_a_line_that_was_being_written_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.toml"
    record_and_kill(out, b'{"n": 2, "asked": {"meth')
    assert main(["recover", str(out.with_name("out.toml.partial"))]) == 0
    said = capsys.readouterr().err
    assert "is cut off" in said
    assert "recorded 1 exchange," in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "does not exist, so there is nothing to recover"),
        (b"", "is not an unfinished recording that this version can read"),
        (b"x = 1\n", "is not an unfinished recording that this version can read"),
        (b'{"arkor_recording": 2}\n', "is not an unfinished recording that this version can read"),
        (b"\xff\xfe\n", "is not an unfinished recording that this version can read"),
        (b"[" * 100_000, "is not an unfinished recording that this version can read"),
    ],
)
def test_what_is_no_unfinished_recording_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "out.toml.partial").write_bytes(content)
    assert main(["recover", str(tmp_path / "out.toml")]) == 2
    message = capsys.readouterr().err
    assert said in message
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    "line",
    [b"{}", b"[]", b'{"n": 9, "end": "eof"}', b'{"n": 1, "asked": {}}', b"\0\0\0", b'{"n": [1]}'],
)
def test_what_comes_before_a_damaged_line_is_recovered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: bytes
) -> None:
    out = tmp_path / "out.toml"
    record_and_kill(out, line + b"\n{}\n")
    assert main(["recover", str(out)]) == 0
    assert "is damaged; everything after it is lost" in capsys.readouterr().err
    assert len(scenario_from_file(out).rules) == 1


def test_a_recording_that_goes_on_is_not_recovered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.toml"
    with mock_in_thread() as mock, recording(mock.base_url, out):
        assert main(["recover", str(out)]) == 2
        assert "is still being written" in capsys.readouterr().err
        assert main(["record", "--upstream", mock.base_url, "--out", str(out)]) == 2
        assert "another `arkor-mock record` is writing it" in capsys.readouterr().err


def test_a_full_disk_is_told_once_and_loses_nothing(tmp_path: Path) -> None:
    out = tmp_path / "out.toml"
    with mock_in_thread() as mock:
        mock.job(**JOB)
        with recording(mock.base_url, out, limit=200) as (process, url):
            for _ in range(3):
                get(url + "/v1/me")
            assert get(url + "/v1/jobs/j/events/stream").count(b"id: ") == 6
            # There is room again.
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (-1, -1))
            status, said = ended(process)
    assert status == 0
    assert said.count("File too large; the proxy keeps running") == 1
    assert said.endswith(f"arkor-mock: recorded 4 exchanges, in {out}\n")
    assert len(scenario_from_file(out).rules) == 4


def test_a_disk_that_stays_full_is_told_with_what_is_left(tmp_path: Path) -> None:
    out = tmp_path / "out.toml"
    out.write_text("seed = 3\n")
    with mock_in_thread() as mock, recording(mock.base_url, out, limit=600) as (process, url):
        for _ in range(5):
            get(url + "/v1/me")
        status, said = ended(process)
    assert status == 3
    assert "File too large" in said
    assert "Traceback" not in said
    assert out.read_text() == "seed = 3\n"
    assert main(["recover", str(out)]) == 0
    assert len(scenario_from_file(out).rules) >= 1


def test_where_only_the_target_has_no_room_the_partial_file_stays(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    tape = Tape.begin(tmp_path / "here" / "out.toml")
    (tmp_path / "here").rename(tmp_path / "there")
    with pytest.raises(
        TapeError, match=r"No such file or directory; the recording is in .*recover"
    ):
        tape.finish("schema = 1\n")
    assert read_tape(tmp_path / "there" / "out.toml").exchanges == []


def test_a_device_without_room_is_told_once() -> None:
    said: list[str] = []
    descriptor = os.open("/dev/full", os.O_WRONLY)
    file = AppendOnly(Path("/dev/full"), descriptor, said.append)
    for _ in range(3):
        file.add(b"x")
    assert [line.partition("; ")[0] for line in said] == ["/dev/full: No space left on device"]
    assert not file.is_whole
    file.close()


def test_a_file_is_put_in_place_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text("before")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "\ud800")
    assert path.read_text() == "before"
    write_whole(path, "after")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("after", 0o600)
    assert [each.name for each in tmp_path.iterdir()] == ["x.toml"]


def test_an_odd_target_is_refused_before_anything_is_recorded(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "real.toml").write_text("")
    (tmp_path / "link.toml").symlink_to(tmp_path / "real.toml")
    (tmp_path / "dangling.toml").symlink_to(tmp_path / "nothing")
    (tmp_path / "full.toml").symlink_to("/dev/full")
    (tmp_path / "directory.toml").mkdir()
    os.mkfifo(tmp_path / "pipe.toml")
    (tmp_path / "odd.toml.partial").symlink_to("/dev/null")
    targets = {
        "link.toml": "is a symbolic link",
        "dangling.toml": "is a symbolic link",
        "full.toml": "is a symbolic link",
        "directory.toml": "is a directory",
        "pipe.toml": "is a named pipe",
        "odd.toml": "is a symbolic link, but the recording needs this path",
        "no/x.toml": "No such file or directory",
        "real.toml/x.toml": "Not a directory",
        "x" * 300 + ".toml": "File name too long",
    }
    for name, said in targets.items():
        arguments = ["record", "--upstream", "http://127.0.0.1:1", "--out", str(tmp_path / name)]
        assert main(arguments) == 2, name
        message = capsys.readouterr().err
        assert said in message, name
        assert message.count("\n") == 1
    assert (tmp_path / "real.toml").read_text() == ""


def test_a_partial_file_is_lines_of_tables(tmp_path: Path) -> None:
    out = tmp_path / "out.toml"
    with mock_in_thread() as mock, recording(mock.base_url, out) as (process, url):
        get(url + "/v1/me")
        lines = out.with_name("out.toml.partial").read_text().splitlines()
        process.kill()
    assert all(is_table(json.loads(line)) for line in lines)
    assert "Bearer" not in "".join(lines)
