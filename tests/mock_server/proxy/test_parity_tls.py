"""The mock and the native proxy end TLS connections in the same way, with close_notify or without."""

from collections.abc import Iterator

import anyio
import pytest

from mock_server import ConnectionClosed, MockServer, scenario_from_dict
from mock_server.net.tls.settings import TlsSettings
from mock_server.net.tls.throw_away import throw_away_tls
from mock_server.proxy.origin import ProxyOrigin, Upstream
from tests.mock_server.parity import CLOSED, CUT, JOB, tls_transcript

pytestmark = pytest.mark.anyio
BARE = {"tls": "no_close_notify"}


@pytest.fixture(scope="module")
def tls() -> Iterator[TlsSettings]:
    with throw_away_tls() as settings:
        yield settings


async def seen(server: MockServer, tls: TlsSettings) -> tuple[bytes, str, str]:
    """Return what came, how it ended for the client, and which side closed for the server."""
    context = tls.client_context()
    found, ending = await anyio.to_thread.run_sync(tls_transcript, server.port, context)
    closed = await server.wait_until(lambda record: isinstance(record, ConnectionClosed))
    assert isinstance(closed, ConnectionClosed)
    return found, ending, closed.by


@pytest.mark.parametrize("bare", [False, True], ids=["close_notify", "no close_notify"])
@pytest.mark.parametrize(
    ("end", "by"),
    [("eof", "server"), ("fin", "server"), ("half_close", "client"), ("rst", "server")],
)
async def test_the_mock_and_the_proxy_end_alike(
    tls: TlsSettings, end: str, by: str, *, bare: bool
) -> None:
    rule = {"on": {"route": "stream"}, "after": {"frames": 2}, "end": end}
    faults = {"rule": [rule, BARE] if bare else [rule]}
    async with MockServer(scenario_from_dict({**faults, "job": [JOB]}), tls=tls) as mock:
        mocked = await seen(mock, tls)
    async with MockServer(scenario_from_dict({"job": [JOB]}), tls=tls) as upstream:
        origin = ProxyOrigin(Upstream.at(upstream.base_url, tls.client_context()))
        async with MockServer(scenario_from_dict(faults), upstream=origin, tls=tls) as proxy:
            proxied = await seen(proxy, tls)
    assert proxied == mocked
    expected = "ECONNRESET" if end == "rst" else CUT if bare else CLOSED
    assert mocked[1:] == (expected, by)
