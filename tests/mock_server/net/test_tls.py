"""TLS: endings as a raw TLS client sees them, faults, and parity of mock and proxy."""

import json
import socket
import ssl
from collections.abc import Iterator

import anyio
import pytest
from anyio.streams.tls import TLSStream

from mock_server import (
    ConnectionClosed,
    ExchangeEnded,
    MockServer,
    ScenarioError,
    scenario_from_dict,
)
from mock_server.net.tls.server import ServerTls
from mock_server.net.tls.settings import TlsSettings
from mock_server.net.tls.throw_away import throw_away_tls
from mock_server.net.wire import Wire
from mock_server.proxy.origin import ProxyOrigin, Upstream
from tests.mock_server.parity import ALL, CLOSED, CUT, JOB, Rules, tls_transcript
from tests.mock_server.rawclient import RawClient
from tests.mock_server.test_cli import Starter, starts

__all__ = ["starts"]
pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def tls() -> Iterator[TlsSettings]:
    with throw_away_tls() as settings:
        yield settings


async def transcript(mock: MockServer, tls: TlsSettings) -> tuple[bytes, str]:
    return await anyio.to_thread.run_sync(tls_transcript, mock.port, tls.client_context())


async def served(tls: TlsSettings, rules: Rules) -> tuple[bytes, str]:
    scenario = scenario_from_dict({"seed": 3, "rule": list(rules), "job": [JOB]})
    async with MockServer(scenario, tls=tls) as mock:
        return await transcript(mock, tls)


@pytest.mark.parametrize(
    ("end", "ending"),
    [("eof", CLOSED), ("fin", CLOSED), ("rst", "ECONNRESET"), ("half_close", CLOSED)],
)
async def test_an_ending_under_tls_is_seen_as_it_was_meant(
    tls: TlsSettings, end: str, ending: str
) -> None:
    rule = {"on": {"route": "stream"}, "after": {"frames": 2}, "end": end}
    found, how = await served(tls, [rule])
    assert how == ending
    assert found.count(b"id: ") == 2


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_a_stream_can_be_broken_off_by_an_alert(
    tls: TlsSettings, version: ssl.TLSVersion
) -> None:
    rule = {"on": {"route": "stream"}, "after": {"frames": 2}, "end": "tls_alert"}
    context = tls.client_context()
    context.maximum_version = version
    scenario = scenario_from_dict({"rule": [rule], "job": [JOB]})
    async with MockServer(scenario, tls=tls) as mock:
        found, how = await anyio.to_thread.run_sync(tls_transcript, mock.port, context)
        ended = await mock.wait_for("stream", ended=True)
    assert how == "SSLV3_ALERT_BAD_RECORD_MAC"
    assert found.count(b"id: ") == 2
    assert isinstance(ended, ExchangeEnded)
    assert (ended.how, ended.by) == ("tls_alert", "server")


async def test_garbage_in_a_stream_is_no_record_of_tls(tls: TlsSettings) -> None:
    rule = {"on": {"route": "stream"}, "after": {"frames": 2}, "end": "garbage"}
    found, how = await served(tls, [rule])
    assert how == "WRONG_VERSION_NUMBER"
    assert found.count(b"id: ") == 2


async def test_an_end_without_close_notify_is_a_bare_fin(tls: TlsSettings) -> None:
    assert (await served(tls, [{"tls": "no_close_notify"}]))[1] == CUT


@pytest.mark.parametrize(
    ("fault", "reason"),
    [("garbage", "WRONG_VERSION_NUMBER"), ("bad_certificate", "CERTIFICATE_VERIFY_FAILED")],
)
async def test_a_handshake_can_fail(tls: TlsSettings, fault: str, reason: str) -> None:
    assert await served(tls, [{"on": {"connection": 1}, "tls": fault}]) == (b"", reason)


async def test_a_strict_client_refuses_a_certificate_without_an_authority_key_id(
    tls: TlsSettings,
) -> None:
    scenario = scenario_from_dict({"rule": [{"tls": "no_authority_key_id"}], "job": [JOB]})
    strict, lenient = tls.client_context(), tls.client_context()
    strict.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    lenient.verify_flags &= ~ssl.VERIFY_X509_STRICT
    async with MockServer(scenario, tls=tls) as mock:
        refused = await anyio.to_thread.run_sync(tls_transcript, mock.port, strict)
        found, how = await anyio.to_thread.run_sync(tls_transcript, mock.port, lenient)
    assert refused == (b"", "CERTIFICATE_VERIFY_FAILED")
    assert (found.count(b"id: "), how) == (6, CLOSED)


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        (ssl.TLSVersion.TLSv1_2, "SSLV3_ALERT_HANDSHAKE_FAILURE"),
        (ssl.TLSVersion.TLSv1_3, "TLSV13_ALERT_CERTIFICATE_REQUIRED"),
    ],
)
async def test_a_client_certificate_can_be_demanded(
    tls: TlsSettings, version: ssl.TLSVersion, reason: str
) -> None:
    scenario = scenario_from_dict({"rule": [{"tls": "client_certificate"}], "job": [JOB]})
    without, with_one = tls.client_context(), tls.client_context(with_certificate=True)
    without.maximum_version = version
    async with MockServer(scenario, tls=tls) as mock:
        refused = await anyio.to_thread.run_sync(tls_transcript, mock.port, without)
        closed = await mock.wait_until(lambda record: isinstance(record, ConnectionClosed))
        found, how = await anyio.to_thread.run_sync(tls_transcript, mock.port, with_one)
    assert refused == (b"", reason)
    assert isinstance(closed, ConnectionClosed)
    assert (closed.by, closed.how) == ("server", "client_certificate")
    assert (found.count(b"id: "), how) == (6, CLOSED)


@pytest.mark.parametrize("ciphers", ["DEFAULT", "ALL:@SECLEVEL=0"])
async def test_client_and_server_can_have_no_cipher_in_common(
    tls: TlsSettings, ciphers: str
) -> None:
    scenario = scenario_from_dict({"rule": [{"tls": "no_shared_cipher"}]})
    context = tls.client_context()
    context.set_ciphers(ciphers)
    async with MockServer(scenario, tls=tls) as mock:
        seen = await anyio.to_thread.run_sync(tls_transcript, mock.port, context)
    assert seen == (b"", "SSLV3_ALERT_HANDSHAKE_FAILURE")


async def test_a_handshake_can_hang(tls: TlsSettings) -> None:
    scenario = scenario_from_dict({"rule": [{"tls": "hang"}]})
    async with MockServer(scenario, tls=tls) as mock:
        with anyio.move_on_after(0.1) as scope:
            async with await anyio.connect_tcp(
                "127.0.0.1", mock.port, tls=True, ssl_context=tls.client_context()
            ):
                pass
    assert scope.cancelled_caught


@pytest.mark.parametrize("rules", ALL.values(), ids=ALL)
async def test_the_proxy_gives_the_transcript_of_the_mock_over_tls(
    tls: TlsSettings, rules: Rules
) -> None:
    scenario = scenario_from_dict({"seed": 3, "rule": list(rules)})
    async with MockServer(scenario_from_dict({"job": [JOB]}), tls=tls) as upstream:
        origin = ProxyOrigin(Upstream.at(upstream.base_url, tls.client_context()))
        async with MockServer(scenario, upstream=origin, tls=tls) as proxy:
            through = await transcript(proxy, tls)
    assert through == await served(tls, rules)


@pytest.mark.parametrize(
    ("rule", "what"), [({"tls": "hang"}, "tls"), ({"end": "tls_alert"}, "end = tls_alert")]
)
def test_a_tls_fault_without_tls_is_refused(rule: dict[str, str], what: str) -> None:
    with pytest.raises(ScenarioError, match=f"'{what}' needs the tls_raw capability"):
        MockServer(scenario_from_dict({"rule": [rule]}))


async def test_what_a_cancelled_read_was_sending_is_sent_by_the_next_write(
    tls: TlsSettings,
) -> None:
    much = b"x" * 16_000_000  # more than the buffers of the kernel take
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        async with (
            await anyio.connect_tcp("127.0.0.1", port) as raw,
            anyio.create_task_group() as g,
        ):
            wire, secure = Wire(listening.accept()[0]), ServerTls(tls.context(None))
            g.start_soon(wire.secure, secure)
            context = tls.client_context()
            client = await TLSStream.wrap(raw, hostname="127.0.0.1", ssl_context=context)
            await anyio.wait_all_tasks_blocked()
            view = memoryview(much)
            while view:
                view = view[secure.write(view[:16_384]) :]
            async with anyio.create_task_group() as reading:
                reading.start_soon(wire.receive)
                await anyio.wait_all_tasks_blocked()
                reading.cancel_scope.cancel()
            g.start_soon(wire.finish, b"end")
            found = b"".join([piece async for piece in client])
            await client.aclose()
            assert found == much + b"end"


async def test_plain_text_to_a_tls_server_ends_that_connection_only(tls: TlsSettings) -> None:
    scenario = scenario_from_dict({"job": [JOB]})
    async with MockServer(scenario, tls=tls) as mock:
        async with RawClient(mock.port) as client:
            await client.send(b"GET / HTTP/1.1\r\n\r\n")
            found, _ = await client.read_to_end()
        assert b"HTTP/1.1 200" not in found
        assert (await transcript(mock, tls))[1] == CLOSED


def test_the_ready_line_says_where_the_authority_is(starts: Starter) -> None:
    process = starts("serve", "--tls").process
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    context = ssl.create_default_context(cafile=ready["ca_path"])
    port = int(ready["base_url"].rpartition(":")[2])
    assert ready["base_url"].startswith("https://")
    found, _ = tls_transcript(port, context)
    assert found.startswith(b"HTTP/1.1 404 ")
