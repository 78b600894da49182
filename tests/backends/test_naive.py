"""What each stack does by default, which the guide says as well: `--naive` leaves it as it is."""

import socket
from collections.abc import Generator
from http.client import IncompleteRead

import pytest

from tests.backends.program import Program, running
from tests.backends.wire import Client

SOON = 1.0
"""Seconds in which a backend on this machine would have answered."""


@pytest.fixture(scope="module")
def program(backend: str) -> Generator[Program]:
    """Run a backend with the defaults of its stack."""
    with running(backend, "--naive") as program:
        yield program


def received(client: Client, request: bytes, *, half_close: bool = False) -> bytes:
    """Return what comes within a second, b"" if nothing does."""
    with client.connect() as plug:
        plug.settimeout(SOON)
        if half_close:  # FIN in the packet of the request, so that nothing races
            plug.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        plug.sendall(request)
        if half_close:
            plug.shutdown(socket.SHUT_WR)
        try:
            return plug.recv(65536)
        except TimeoutError:
            return b""


def test_a_client_that_half_closes_gets_nothing_that_takes_time(
    program: Program, client: Client
) -> None:
    request = client.head("GET", f"/v1/jobs/{program.job()}")
    assert received(client, request).startswith(b"HTTP/1.1 200 ")
    assert received(client, request, half_close=True) == b""


def test_node_sends_no_head_before_an_event(backend: str, program: Program, client: Client) -> None:
    job = program.job()
    got = received(client, client.head("GET", f"/v1/jobs/{job}/events/stream"))
    head, _, body = got.partition(b"\r\n\r\n")
    assert (head.startswith(b"HTTP/1.1 200 "), body) == (backend == "starlette", b"")
    assert (b"x-accel-buffering" in head.lower()) == (backend == "starlette")


def test_node_does_not_answer_a_head(backend: str, program: Program, client: Client) -> None:
    job = program.job()
    got = received(client, client.head("HEAD", f"/v1/jobs/{job}/events/stream"))
    assert got.startswith(b"HTTP/1.1 200 ") == (backend == "starlette")


def test_a_restart_cuts_the_streams(program: Program, client: Client) -> None:
    job = program.job()
    program.emit(job, 1)
    with client.follow(job) as follower:
        follower.ids(1)
        program.do("rotate")
        with pytest.raises((IncompleteRead, ConnectionResetError)):
            follower.read()


def test_starlette_splits_a_segment_at_an_encoded_slash(
    backend: str, program: Program, client: Client
) -> None:
    job = program.job()
    status = client.ask("POST", f"/v1/jobs/{job}%2Fcancel").status
    assert (status, client.show(job)["status"]) == (
        (200, "cancelled") if backend == "starlette" else (404, "queued")
    )


def test_starlette_has_errors_without_json(backend: str, client: Client) -> None:
    refused = client.ask("GET", "/v1/elsewhere")
    text = refused.headers["content-type"].startswith("text/plain")
    assert (refused.status, text) == (404, backend == "starlette")


def test_uvicorn_with_h11_takes_a_whole_url_for_a_path(
    backend: str, program: Program, client: Client
) -> None:
    answer = client.ask("GET", f"{client.base_url}/v1/jobs/{program.job()}")
    assert answer.status == (404 if backend == "starlette" else 200)
