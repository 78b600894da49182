"""Every command of the control program, and what it makes the backend do."""

import json
import re
import signal
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from arkor_proto import __version__
from mock_server.control import CONFORMING
from mock_server.strict.shapes import is_array, is_table
from tests.mock_server.control.program import (
    COMMAND,
    PATIENCE,
    Client,
    Program,
    message_of,
    program,
)
from tests.mock_server.rawclient import event_ids

LAST_CHUNK = b"\r\n0\r\n\r\n"


@pytest.fixture(scope="module")
def mock() -> Iterator[Program]:
    """Start one program for all tests that do not end it."""
    with program() as found:
        found.greet()
        yield found


@pytest.fixture
def own() -> Iterator[Program]:
    """Start a program for one test."""
    with program() as found:
        found.greet()
        yield found


def events(body: bytes) -> list[dict[str, object]]:
    return [json.loads(line[6:]) for line in body.splitlines() if line.startswith(b"data: ")]


def shown(mock: Program, job: str) -> Mapping[str, object]:
    found = mock.get(f"/v1/jobs/{job}").json["job"]
    assert is_table(found)
    return found


def test_hello_says_what_it_is_and_where_it_serves(mock: Program) -> None:
    hello = mock.hello
    assert hello["impl"] == "arkor-mock"
    assert hello["version"] == __version__
    words = ["job", "emit", "finish", "fail", "drop", "rotate", "forget", "hold", "revoke"]
    assert hello["words"] == words
    first, second = CONFORMING.backend.tenants[:2]
    own = [hello[name] for name in ("token", "org", "project")]
    other = [hello[f"other_{name}"] for name in ("token", "org", "project")]
    assert own == [first.token, first.org, first.projects[0]]
    assert other == [second.token, second.org, second.projects[0]]
    assert mock.get("/v1/me").status == 200


def test_a_job_is_known_and_does_nothing_by_itself(mock: Program) -> None:
    job = mock.job()
    with mock.stream(job) as stream:
        stream.until(b"\r\n\r\n")
        found = shown(mock, job)
    assert found["status"] == "queued"
    assert (found["orgId"], found["projectId"]) == (mock.hello["org"], mock.hello["project"])


def test_what_is_emitted_is_in_the_log_and_on_the_stream(mock: Program) -> None:
    job = mock.job()
    with mock.stream(job) as stream:
        stream.until(b"\r\n\r\n")
        assert mock.ask("emit", job=job, n=3) == {"ids": ["1", "2", "3"]}
        assert mock.ask("emit", job=job, n=1, bytes=5000) == {"ids": ["4"]}
        assert mock.ask("finish", job=job) == {"id": "5"}
        body = stream.until(LAST_CHUNK)
    assert event_ids(body) == ["1", "2", "3", "4", "5"]
    found = events(body)
    assert [each["type"] for each in found] == [
        "training.started",
        *["training.log"] * 3,
        "training.completed",
    ]
    assert [each["step"] for each in found[1:4]] == [1, 2, 3]
    assert all("käfer \N{EN DASH} 𝄞" in str(each["note"]) for each in found[:4])
    assert len(body) > 5000
    listed = mock.get(f"/v1/jobs/{job}").json
    assert listed["events"] == found
    assert shown(mock, job)["status"] == "completed"


def test_many_events_are_all_emitted(mock: Program) -> None:
    job = mock.job()
    answer = mock.ask("emit", job=job, n=1000)
    assert answer == {"ids": [str(number) for number in range(1, 1001)]}


def test_a_job_fails_for_the_given_reason(mock: Program) -> None:
    job = mock.job()
    assert mock.ask("fail", job=job, error="no memory") == {"id": "1"}
    found = shown(mock, job)
    assert (found["status"], found["error"]) == ("failed", "no memory")


@pytest.mark.parametrize("how", ["fin", "rst"])
def test_a_drop_cuts_every_stream_of_the_job_and_no_other(mock: Program, how: str) -> None:
    job, other = mock.job(), mock.job()
    with mock.stream(job) as one, mock.stream(job) as two, mock.stream(other) as third:
        for stream in (one, two, third):
            stream.until(b"\r\n\r\n")
        assert mock.ask("drop", job=job, how=how) == {"dropped": 2}
        assert [stream.rest()[1] for stream in (one, two)] == [how] * 2
        mock.ask("finish", job=other)
        third.until(LAST_CHUNK)
    assert mock.ask("drop", job=job, how=how) == {"dropped": 0}


def test_a_rotation_cuts_every_connection_and_keeps_the_log(mock: Program) -> None:
    job = mock.job()
    mock.ask("emit", job=job, n=2)
    with mock.stream(job) as one, Client.of(mock) as idle:
        one.until(b"id: 2")
        assert mock.ask("rotate") == {"base_url": mock.hello["base_url"]}
        assert one.rest()[1] == idle.rest()[1] == "rst"
    mock.ask("emit", job=job, n=1)
    mock.ask("finish", job=job)
    with mock.stream(job, Last_Event_ID="1") as two:
        assert event_ids(two.until(LAST_CHUNK)) == ["2", "3", "4"]


def test_what_is_forgotten_is_an_unknown_cursor(mock: Program) -> None:
    job = mock.job()
    mock.ask("emit", job=job, n=5)
    with mock.stream(job) as before:
        before.until(b"id: 5")
        assert mock.ask("forget", job=job, keep=2) == {}
        mock.ask("finish", job=job)
        assert event_ids(before.until(LAST_CHUNK)) == ["6"]
    path = f"/v1/jobs/{job}/events/stream"
    assert mock.get(path).status == 410
    assert mock.get(path, Last_Event_ID="3").status == 410
    assert event_ids(mock.get(path, Last_Event_ID="4").body) == ["5", "6"]
    listed = mock.get(f"/v1/jobs/{job}").json["events"]
    assert is_array(listed)
    assert len(listed) == 3


def test_a_stream_is_held_between_replay_and_live_until_it_is_released(mock: Program) -> None:
    job = mock.job()
    mock.ask("emit", job=job, n=2)
    assert mock.ask("hold", job=job) == {}
    asked = mock.send("held", job=job)
    assert mock.ask("emit", job=job, n=1) == {"ids": ["3"]}
    with mock.stream(job) as stream:
        assert mock.hear() == {"re": asked, "ok": {}}
        mock.ask("emit", job=job, n=1)
        assert event_ids(stream.until(b"id: 3\n")) == ["1", "2", "3"]
        mock.ask("finish", job=job)
        assert mock.ask("release", job=job) == {}
        assert event_ids(stream.until(LAST_CHUNK)) == ["4", "5"]


def test_a_release_without_a_stream_disarms_the_hold(mock: Program) -> None:
    job = mock.job()
    mock.ask("finish", job=job)
    for _ in range(2):
        mock.ask("hold", job=job)
        mock.ask("hold", job=job)
        mock.ask("release", job=job)
    with mock.stream(job) as stream:
        assert event_ids(stream.until(LAST_CHUNK)) == ["1"]
    mock.ask("hold", job=job)
    with mock.stream(job) as stream:
        mock.ask("held", job=job)
        mock.ask("release", job=job)
        assert event_ids(stream.until(LAST_CHUNK)) == ["1"]


def test_a_revoked_token_is_no_longer_accepted(own: Program) -> None:
    job = own.job()
    token = own.hello["token"]
    with own.stream(job) as stream:
        stream.until(b"\r\n\r\n")
        assert own.ask("revoke", token=token) == {}
        rest, how = stream.rest()
    assert (how, b"0\r\n" in rest) == ("fin", False)
    assert own.get(f"/v1/jobs/{job}").status == 401
    assert own.get("/v1/me", Authorization=f"Bearer {own.hello['other_token']}").status == 200


def test_bye_ends_the_program_and_what_it_serves(own: Program) -> None:
    with own.stream(own.job()) as stream:
        stream.until(b"\r\n\r\n")
        assert own.ask("bye") == {}
        stream.rest()
    assert own.ended() == 0


def test_the_end_of_stdin_ends_the_program(own: Program) -> None:
    assert own.process.stdin is not None
    own.process.stdin.close()
    assert own.ended() == 0


def test_without_a_stdin_the_program_ends_at_once() -> None:
    ended = subprocess.run(
        [*COMMAND], stdin=subprocess.DEVNULL, capture_output=True, timeout=PATIENCE, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"", b"")


def test_a_program_that_is_killed_leaves_nothing_running(own: Program) -> None:
    with own.stream(own.job()) as stream:
        stream.until(b"\r\n\r\n")
        own.process.kill()
        assert own.ended() == -signal.SIGKILL
        stream.rest()
    with pytest.raises(ConnectionRefusedError):
        Client.of(own)


def test_a_parent_may_end_while_a_stream_is_awaited(own: Program) -> None:
    job = own.job()
    own.ask("hold", job=job)
    own.send("held", job=job)
    own.ask("bye")
    assert own.ended() == 0


def test_a_last_line_without_its_end_is_a_command(own: Program) -> None:
    assert own.process.stdin is not None
    own.process.stdin.write(b'{"id": 7, "do": "job"}')
    own.process.stdin.close()
    assert own.hear()["re"] == 7
    assert own.ended() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_program_cleanly(own: Program, number: signal.Signals) -> None:
    own.process.send_signal(number)
    assert own.ended() == 0


def test_a_parent_that_stops_reading_ends_the_program(own: Program) -> None:
    assert own.process.stdout is not None
    own.process.stdout.close()
    own.send("job")
    assert own.ended() == 141


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("garbage", "the line is not JSON: "),
        ("", "the line is not JSON: "),
        ("[1]", "the line is not a JSON object; send one such as"),
        ('{"do": "job"}', "the command needs an 'id' that is a whole number"),
        ('{"id": "1", "do": "job"}', "the command needs an 'id' that is a whole number"),
        ('{"id": true, "do": "job"}', "the command needs an 'id' that is a whole number"),
        ('{"id": 1}', "the command needs a 'do' that is a string"),
        ('{"id": 1, "do": 5}', "the command needs a 'do' that is a string"),
        ('{"id": 1, "do": "emti"}', "'emti' is not a command; did you mean 'emit'?"),
        ('{"id": 1, "x": ' + "[" * 1000 + "]" * 1000 + "}", "nested more than 100 levels deep"),
        ('{"id": 1, "x": "' + "x" * (1 << 21) + '"}', "the line is longer than 1 MiB"),
    ],
)
def test_a_line_that_is_not_a_command_is_answered_and_the_next_one_works(
    mock: Program, line: str, says: str
) -> None:
    mock.say(line)
    assert says in message_of(mock.hear())
    assert mock.job()


def test_a_line_that_is_not_utf8_is_answered(mock: Program) -> None:
    mock.say(b'{"id": 1, "do": "\xff"}')
    assert message_of(mock.hear()) == "the line is not UTF-8 (byte 17)"
    assert mock.job()


@pytest.mark.parametrize(
    ("do", "words", "says"),
    [
        ("hello", {}, "hello: 'protocol' is missing"),
        (
            "hello",
            {"protocol": "arkor-control/2"},
            "hello: unknown protocol 'arkor-control/2'; this program supports arkor-control/1",
        ),
        ("job", {"jobs": 1}, "job: 'jobs' is unknown; no value is allowed here"),
        ("emit", {"n": 1}, "emit: 'job' is missing"),
        ("emit", {"job": "x", "n": 1}, "job 'x' not found"),
        (
            "emit",
            {"job": "x", "n": 0},
            "emit.n: 0 (integer) is not a whole number from 1 to 100000",
        ),
        (
            "emit",
            {"job": 5, "n": "1"},
            "emit.job: 5 (integer) is not a string of at most 1000 characters; emit.n: ",
        ),
        ("finish", {"job": "x"}, "job 'x' not found"),
        ("fail", {"job": "x"}, "job 'x' not found"),
        ("drop", {"job": "x", "how": "rst"}, "job 'x' not found"),
        ("drop", {"job": "x"}, "drop: 'how' is missing"),
        ("rotate", {"job": "x"}, "rotate: 'job' is unknown; no value is allowed here"),
        ("forget", {"job": "x", "keep": 1}, "job 'x' not found"),
        ("forget", {"job": "x", "keep": -1}, "forget.keep: -1 (integer) is not a whole number"),
        ("hold", {"job": "x"}, "job 'x' not found"),
        ("held", {"job": "x"}, "job 'x' not found"),
        ("release", {"job": "x"}, "job 'x' not found"),
        ("revoke", {}, "revoke: 'token' is missing"),
        ("revoke", {"token": "s3cret"}, "revoke: the backend has no such token"),
        ("bye", {"now": True}, "bye: 'now' is unknown; no value is allowed here"),
        ("drop", {"job": "x", "how": "rest"}, "drop.how: 'rest' is unknown; did you mean 'rst'?"),
    ],
)
def test_a_command_with_wrong_arguments_is_refused(
    mock: Program, do: str, words: dict[str, object], says: str
) -> None:
    assert mock.refused(do, **words).startswith(says)
    assert mock.job()


@pytest.mark.parametrize("do", ["held", "release"])
def test_a_job_without_a_hold_is_not_held(mock: Program, do: str) -> None:
    job = mock.job()
    assert mock.refused(do, job=job) == f"job '{job}' has no hold; send 'hold' first"


def test_a_job_that_has_ended_takes_no_more_events(mock: Program) -> None:
    job = mock.job()
    mock.ask("finish", job=job)
    for do, words in (("emit", {"n": 1}), ("finish", {}), ("fail", {})):
        says = f"job {job} has the status completed and accepts no more events"
        assert mock.refused(do, job=job, **words).startswith(says)


def test_a_scenario_of_the_user_is_served_as_it_is(tmp_path: Path) -> None:
    scenario = tmp_path / "own.toml"
    scenario.write_text("schema = 1\n[backend]\ntoken = 'own'\n[[job]]\nid_prefix = 'e-'\n")
    with program(str(scenario)) as mock:
        assert mock.greet()["token"] == "own"
        assert mock.ask("emit", job=mock.job(), n=1) == {"ids": ["e-1"]}
        assert mock.get("/v1/me", Authorization="Bearer other").status == 401


def test_events_that_take_too_much_memory_are_refused(tmp_path: Path) -> None:
    scenario = tmp_path / "small.toml"
    scenario.write_text("schema = 1\n[limits]\njob_bytes = 70000\n")
    with program(str(scenario)) as mock:
        mock.greet()
        says = mock.refused("emit", job=mock.job(), n=100, bytes=10_000)
        assert re.match(r"event: jobs and projects may take at most 70000 bytes", says)
