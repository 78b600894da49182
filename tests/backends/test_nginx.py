"""Both backends behind nginx, whose default is to hold an answer back until it has buffers of it."""

import socket
from collections.abc import Generator
from http.client import IncompleteRead

import pytest

from tests.backends.nginx import needs_nginx, nginx
from tests.backends.program import Program, running
from tests.backends.wire import Client

pytestmark = needs_nginx

HELD = 1.0
"""Seconds that a test waits for what should not come."""


@pytest.fixture(params=["", "proxy_buffering off;"])
def client(program: Program, request: pytest.FixtureRequest) -> Generator[Client]:
    """Return a client that sees the backend through nginx."""
    with nginx(program["base_url"], more=str(request.param)) as base_url:
        yield Client.of(program, base_url)


def test_each_event_passes_without_the_next_one(program: Program, client: Client) -> None:
    job = program.job()
    with client.follow(job) as follower:
        assert follower.read().startswith(b": open")
        seen = list[str]()
        for count in range(1, 6):
            seen += program.emit(job, 1)
            assert follower.ids(count) == seen
        last = program.do("finish", job=job)["id"]
        assert follower.read_all() == [*seen, last]
    assert client.rest(job, seen[-1]) == [last]


def test_a_client_that_leaves_is_noticed_behind_nginx(program: Program, client: Client) -> None:
    job = program.job()
    with client.follow(job) as follower:
        follower.read()
    program.until_unfollowed(job)


def test_requests_pass_as_they_are(program: Program, client: Client) -> None:
    job = program.job()
    assert client.show(f"%6A{job[1:]}")["id"] == job
    assert client.ask("POST", f"/v1/jobs/{job}%2Fcancel").status in {404, 405}
    assert client.ask("HEAD", f"/v1/jobs/{job}/events/stream").status == 200
    assert client.cancel(job).job()["status"] == "cancelled"


@pytest.mark.parametrize("more", ["", "proxy_buffering off;"])
def test_events_are_held_back_unless_one_of_the_two_says_no(backend: str, more: str) -> None:
    if backend != "node":
        pytest.skip("sse-starlette always says X-Accel-Buffering: no")
    with running(backend, "--naive") as program, nginx(program["base_url"], more=more) as base_url:
        client = Client.of(program, base_url)
        job = program.job()
        program.emit(job, 3)
        with client.connect() as plug:
            plug.settimeout(HELD)
            plug.sendall(client.head("GET", f"/v1/jobs/{job}/events/stream"))
            if more:
                assert plug.recv(65536).startswith(b"HTTP/1.1 200 ")
            else:
                with pytest.raises(TimeoutError):
                    plug.recv(65536)
            program.do("finish", job=job)
            plug.settimeout(None)
            seen = b""
            while not seen.endswith(b"\r\n0\r\n\r\n"):
                seen += plug.recv(65536)
        assert b"training.completed" in seen


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_a_stream_that_was_cut_looks_whole_if_nginx_speaks_1_0(
    program: Program, version: str
) -> None:
    more = f"proxy_http_version {version};"
    with nginx(program["base_url"], more=more) as base_url:
        client = Client.of(program, base_url)
        job = program.job()
        ids = program.emit(job, 1)
        with client.follow(job) as follower:
            follower.ids(1)
            program.do("drop", job=job, how="fin")
            if version == "1.0":
                assert follower.read_all() == ids
            else:
                with pytest.raises(IncompleteRead):
                    follower.read_all()


def test_a_client_that_half_closes_has_left_for_nginx(program: Program, client: Client) -> None:
    with client.connect() as plug:
        plug.sendall(client.head("GET", f"/v1/jobs/{program.job()}"))
        plug.shutdown(socket.SHUT_WR)
        assert plug.recv(65536) == b""
