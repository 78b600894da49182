"""The control programs answer each command when its effect is there."""

import re
import socket
import subprocess
import sys
import time
from http.client import IncompleteRead

import pytest

from tests.backends.program import HERE, PATIENCE, ROOT, Program, RefusedError, running, texts
from tests.backends.wire import Client


def test_the_program_introduces_itself(program: Program) -> None:
    words = "job emit finish fail drop rotate forget hold revoke"
    assert texts(program.hello["words"]) == words.split()
    assert program["token"] != program["other_token"]


def test_a_job_does_nothing_by_itself(program: Program, client: Client) -> None:
    job = program.job()
    time.sleep(0.3)  # three steps of a job that works
    assert client.show(job)["status"] == "queued"


def test_emit_adds_events_of_the_size_asked_for(program: Program, client: Client) -> None:
    job = program.job()
    ids = [*program.emit(job, 2, bytes=500), *program.emit(job, 2)]
    with client.follow(job) as follower:
        assert follower.ids(4) == ids
    kinds = ["training.started", *["training.log"] * 3]
    assert follower.types() == kinds
    assert [len(event.data) >= 500 for event in follower.events] == [True, True, False, False]
    assert all("käfer 𝄞" in event.data for event in follower.events)
    assert client.show(job)["status"] == "running"


def test_a_job_that_is_over_takes_no_more_events(program: Program, client: Client) -> None:
    job, failed = program.job(), program.job()
    program.emit(job, 1)
    done = program.do("finish", job=job)["id"]
    program.do("fail", job=failed, error="no memory")
    for command in ("emit", "finish", "fail"):
        with pytest.raises(RefusedError):
            program.do(command, job=job, n=1)
    assert client.rest(job)[-1] == done
    assert (client.show(job)["status"], client.show(failed)["error"]) == ("completed", "no memory")


def test_drop_cuts_the_streams_of_one_job(program: Program, client: Client) -> None:
    job, other = program.job(), program.job()
    program.emit(job, 1)
    program.emit(other, 1)
    with client.follow(job) as one, client.follow(job) as two, client.follow(other) as third:
        for follower in (one, two, third):
            follower.ids(1)
        assert program.do("drop", job=job, how="fin") == {"dropped": 2}
        for follower in (one, two):
            with pytest.raises(IncompleteRead):
                follower.read()
        program.emit(other, 1)
        assert len(third.ids(2)) == 2
        assert program.do("drop", job=other, how="rst") == {"dropped": 1}
        with pytest.raises(ConnectionResetError):
            third.read()


def test_the_log_outlives_a_restart(program: Program, client: Client) -> None:
    job = program.job()
    ids = program.emit(job, 3)
    with client.follow(job) as follower:
        follower.ids(3)
        program.do("rotate")
        client.base_url = program["base_url"]
        assert follower.read_all() == ids  # it ended with a last chunk, and nothing more
    ids += program.emit(job, 1)
    program.do("finish", job=job)
    assert client.rest(job, ids[0])[:-1] == ids[1:]
    assert len(set(client.rest(job))) == 5


def test_a_restart_does_not_wait_for_a_client_that_does_not_read(
    program: Program, client: Client
) -> None:
    job = program.job()
    program.emit(job, 1, bytes=20 * 2**20)  # one write, larger than all that the sockets hold
    with client.follow(job) as follower:
        follower.plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
        follower.response.read(2**10)  # it is being sent
        program.do("rotate")
        with pytest.raises((IncompleteRead, ConnectionResetError)):
            follower.response.read()


def test_what_is_forgotten_is_not_passed_over_in_silence(program: Program, client: Client) -> None:
    job = program.job()
    ids = program.emit(job, 5)
    program.do("forget", job=job, keep=2)
    program.do("finish", job=job)
    assert client.rest(job, ids[2])[:-1] == ids[3:]
    assert [client.refusal(job, cursor) for cursor in ("", ids[0], ids[1])] == [410] * 3


def test_ids_are_not_used_again_when_all_was_forgotten(program: Program) -> None:
    job = program.job()
    ids = program.emit(job, 3)
    program.do("forget", job=job, keep=0)
    program.do("rotate")
    assert set(program.emit(job, 3)).isdisjoint(ids)


def test_a_stream_can_be_held_between_replay_and_live(program: Program, client: Client) -> None:
    job = program.job()
    ids = program.emit(job, 3)
    program.do("hold", job=job)
    held = program.ask("held", job=job)
    assert not held.done()
    with client.follow(job, ids[0]) as follower, client.follow(job) as second:
        held.result(PATIENCE)
        assert {len(follower.ids(2)), len(second.ids(3))} == {2, 3}
        ids += program.emit(job, 2)
        program.do("release", job=job)
        assert (follower.ids(4), second.ids(5)) == (ids[1:], ids)


def test_a_revoked_token_ends_open_streams(backend: str) -> None:
    with running(backend) as program:
        client = Client.of(program)
        job = program.job()
        program.emit(job, 1)
        with client.follow(job) as follower:
            follower.ids(1)
            program.do("revoke", token=program["token"])
            follower.read_all()
        assert client.refusal(job) == 401


def test_a_command_that_there_is_not_is_an_error(program: Program) -> None:
    with pytest.raises(RefusedError):
        program.do("explode")


@pytest.mark.parametrize("word", ["bye", ""])
def test_the_program_ends_when_it_is_told_and_with_its_input(backend: str, word: str) -> None:
    with running(backend) as program:
        if word:
            assert program.do(word) == {}
        else:
            assert program.process.stdin is not None
            program.process.stdin.close()
        assert program.process.wait(PATIENCE) == 0


def test_the_backends_share_no_code_with_the_project() -> None:
    imported = "import sys, tests.backends.starlette_backend.control; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", imported], cwd=ROOT, capture_output=True, text=True, check=True
    )
    ours = {"arkor_proto", "conformance", "mock_server"}
    assert ours.isdisjoint(name.partition(".")[0] for name in done.stdout.split())
    for source in (HERE / "node_backend").iterdir():
        found = re.findall(r'^import .* from "([^"]+)"', source.read_text("utf-8"), re.MULTILINE)
        assert all(name.startswith(("node:", "./")) for name in found)
