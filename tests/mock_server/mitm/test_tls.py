"""The mitmproxy addon over TLS: mitmproxy terminates it, and the rules still work."""

import socket
import ssl
from collections.abc import Iterator
from functools import partial

import anyio
import pytest

from mock_server import MockServer, scenario_from_dict
from mock_server.net.tls.settings import TlsSettings
from mock_server.net.tls.throw_away import throw_away_tls
from tests.mock_server.mitm.mitmdump import (
    SEED,
    Mitmdump,
    anyio_backend,
    mitmdump,
    needs_mitmproxy,
)
from tests.mock_server.parity import ALL, CLOSED, JOB, tls_transcript, together
from tests.mock_server.rawclient import request_bytes

__all__ = ["anyio_backend", "mitmdump"]
pytestmark = [pytest.mark.anyio, needs_mitmproxy]


@pytest.fixture(scope="module")
def tls() -> Iterator[TlsSettings]:
    with throw_away_tls() as settings:
        yield settings


async def seen(port: int, context: ssl.SSLContext, job: str) -> tuple[bytes, str]:
    return await anyio.to_thread.run_sync(tls_transcript, port, context, job)


@pytest.mark.thorough
async def test_every_rule_gives_the_transcript_of_the_mock_under_tls_on_both_sides(
    mitmdump: Mitmdump, tls: TlsSettings
) -> None:
    everything = together(ALL)
    backend = {"job": everything.plans}
    trust = {"ssl_verify_upstream_trusted_ca": str(tls.ca_path)}
    async with MockServer(scenario_from_dict(backend), tls=tls) as upstream:
        proxied = await mitmdump.before(upstream.base_url, everything.rules, **trust)
        context = ssl.create_default_context(cafile=proxied.authority)
        carried = {
            name: await seen(proxied.port, context, job) for name, job in everything.jobs.items()
        }
    whole = {"seed": SEED, "rule": everything.rules, **backend}
    async with MockServer(scenario_from_dict(whole), tls=tls) as mock:
        trusting = tls.client_context()
        mocked = {
            name: await seen(mock.port, trusting, job) for name, job in everything.jobs.items()
        }
    del carried["nothing"], mocked["nothing"]  # mitmproxy writes that head itself
    for name, expected in mocked.items():
        assert carried[name] == expected, f"{name}: {proxied.log.read_text()}"


def chatty_transcript(port: int, context: ssl.SSLContext) -> bytes:
    """Ask for the stream and send more TLS records while it comes."""
    target = "/v1/jobs/j/events/stream"
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as raw,
        context.wrap_socket(raw, server_hostname="127.0.0.1") as client,
    ):
        client.sendall(request_bytes("GET", target, {"Connection": "close"}))
        for _ in range(50):
            client.sendall(b"\r\n")
        found = b""
        while data := client.recv(65_536):
            found += data
    return found


@pytest.mark.thorough
async def test_a_client_that_goes_on_talking_gets_its_stream_all_the_same(
    mitmdump: Mitmdump,
) -> None:
    rule = {"on": {"route": "stream"}, "delay_ms": 20}
    async with MockServer(scenario_from_dict({"job": [JOB]})) as upstream:
        proxied = await mitmdump.before(upstream.base_url, [rule])
        context = ssl.create_default_context(cafile=proxied.authority)
        found = await anyio.to_thread.run_sync(chatty_transcript, proxied.port, context)
    assert found.endswith(b"0\r\n\r\n"), proxied.log.read_text()


def ids_through_a_tunnel(port: int, context: ssl.SSLContext, target: int) -> int:
    """Ask for the stream through CONNECT; count the ids that come before the reset."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as raw:
        raw.sendall(f"CONNECT 127.0.0.1:{target} HTTP/1.1\r\n\r\n".encode())
        assert raw.recv(65_536).endswith(b"\r\n\r\n")
        with context.wrap_socket(raw, server_hostname="127.0.0.1") as client:
            client.sendall(request_bytes("GET", "/v1/jobs/j/events/stream"))
            return until_reset(client).count(b"id: ")


def until_reset(client: socket.socket) -> bytes:
    found = b""
    try:
        while data := client.recv(65_536):
            found += data
    except ConnectionResetError:
        return found
    raise AssertionError("the connection ended without a reset")


@pytest.mark.thorough
async def test_rules_act_within_the_tunnel_of_a_forward_proxy(
    mitmdump: Mitmdump, tls: TlsSettings
) -> None:
    rule = {"on": {"route": "stream"}, "after": {"frames": 2}, "end": "rst"}
    trust = {"ssl_verify_upstream_trusted_ca": str(tls.ca_path)}
    async with MockServer(scenario_from_dict({"job": [JOB]}), tls=tls) as upstream:
        proxied = await mitmdump.start("regular", [rule], **trust)
        context = ssl.create_default_context(cafile=proxied.authority)
        count = partial(ids_through_a_tunnel, proxied.port, context, upstream.port)
        assert await anyio.to_thread.run_sync(count) == 2, proxied.log.read_text()


def status_over_http2(port: int, context: ssl.SSLContext) -> bytes:
    """Ask for the stream over HTTP/2 and return the status."""
    import h2.connection  # noqa: PLC0415 - comes with mitmproxy, which is not everywhere installed
    import h2.events  # noqa: PLC0415 - mitmproxy may not be installed

    context.set_alpn_protocols(["h2"])
    http = h2.connection.H2Connection()
    http.initiate_connection()
    target = "/v1/jobs/j/events/stream"
    asked = {":method": "GET", ":scheme": "https", ":authority": "127.0.0.1", ":path": target}
    http.send_headers(1, list(asked.items()), end_stream=True)
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as raw,
        context.wrap_socket(raw, server_hostname="127.0.0.1") as client,
    ):
        client.sendall(http.data_to_send())
        while data := client.recv(65_536):
            for event in http.receive_data(data):
                if isinstance(event, h2.events.ResponseReceived):
                    return dict(event.headers)[b":status"]
    raise AssertionError("no head")


@pytest.mark.thorough
async def test_over_http2_a_rule_that_would_act_is_refused_by_name(mitmdump: Mitmdump) -> None:
    rule = {"on": {"route": "stream"}, "end": "rst"}
    async with MockServer(scenario_from_dict({"job": [JOB]})) as upstream:
        proxied = await mitmdump.before(upstream.base_url, [rule])
        context = ssl.create_default_context(cafile=proxied.authority)
        status = await anyio.to_thread.run_sync(status_over_http2, proxied.port, context)
    assert status == b"502"
    await proxied.logged("a rule matches GET /v1/jobs/j/events/stream, but the client uses HTTP/2")


@pytest.mark.thorough
async def test_after_a_half_close_the_client_is_the_one_who_closes(mitmdump: Mitmdump) -> None:
    rule = {"on": {"route": "stream"}, "after": {"frames": 1}, "end": "half_close"}
    async with MockServer(scenario_from_dict({"job": [JOB]})) as upstream:
        proxied = await mitmdump.before(upstream.base_url, [rule])
        context = ssl.create_default_context(cafile=proxied.authority)
        assert (await seen(proxied.port, context, "j"))[1] == CLOSED
        assert (await proxied.record("ConnectionClosed"))["by"] == "client"
