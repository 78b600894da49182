"""Names that resolve badly, as clients in this process meet them."""

import errno
import socket
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest

from mock_server import MockServer
from mock_server.net.names.addresses import Addresses
from tests.mock_server.rawclient import request_bytes

pytestmark = pytest.mark.anyio
FOREVER = 3600.0


def name_and_port(url: str) -> tuple[str, int]:
    name, _, port = url.removeprefix("http://").rpartition(":")
    return name, int(port)


async def status_of(url: str) -> bytes:
    """Ask who one is, as any client on this event loop would connect."""
    async with await anyio.connect_tcp(*name_and_port(url)) as stream:
        await stream.send(request_bytes("GET", "/v1/me"))
        return (await stream.receive())[:12]


async def test_a_name_fails_for_the_moment() -> None:
    addresses = Addresses()
    url = addresses.failing_dns_url()
    with addresses.resolving(), pytest.raises(socket.gaierror) as failed:
        await status_of(url)
    assert failed.value.errno == socket.EAI_AGAIN


@pytest.mark.parametrize("silent", [False, True])
async def test_a_client_that_tries_every_address_gets_past_a_dead_one(*, silent: bool) -> None:
    async with MockServer() as mock:
        url = mock.addresses.dead_first_url(mock.port, silent=silent)
        with mock.addresses.resolving():
            dead, live = [found[4][0] for found in socket.getaddrinfo(*name_and_port(url), proto=6)]
            assert await status_of(url) == b"HTTP/1.1 200"
    assert dead != live == "127.0.0.1"


async def test_the_first_address_is_dead_in_its_own_way() -> None:
    async with MockServer() as mock:
        refusing = mock.addresses.dead_first_url(mock.port)
        silent = mock.addresses.dead_first_url(mock.port, silent=True)
        with mock.addresses.resolving():
            first = [
                socket.getaddrinfo(*name_and_port(url), proto=6)[0] for url in (refusing, silent)
            ]
        endings: list[int] = []
        for family, kind, _, _, where in first:
            with socket.socket(family, kind) as client:
                client.setblocking(False)  # noqa: FBT003
                endings.append(client.connect_ex(where))
                await anyio.lowlevel.checkpoint()
                endings.append(client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR))
    assert errno.ECONNREFUSED in endings[:2]
    assert endings[2:] == [errno.EINPROGRESS, 0]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
def test_a_slow_name_is_known_when_its_time_has_come_or_the_resolver_goes(
    anyio_backend: str,
) -> None:
    del anyio_backend
    addresses = Addresses()
    slow = name_and_port(addresses.slow_dns_url(80, FOREVER))
    quick = name_and_port(addresses.slow_dns_url(80, 0.001))
    with ThreadPoolExecutor(1) as pool:
        with addresses.resolving():
            waiting = pool.submit(socket.getaddrinfo, *slow)
            assert socket.getaddrinfo(*quick)[0][4] == ("127.0.0.1", 80)
            assert not waiting.done()
        assert waiting.result()[0][4] == ("127.0.0.1", 80)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
def test_other_names_and_numbers_are_resolved_as_always(anyio_backend: str) -> None:
    del anyio_backend
    addresses = Addresses()
    name, _ = name_and_port(addresses.failing_dns_url())
    expected = socket.getaddrinfo("127.0.0.1", 80)
    with addresses.resolving():
        assert socket.getaddrinfo(b"127.0.0.1", 80) == expected
        with pytest.raises(socket.gaierror) as failed:
            socket.getaddrinfo(name, 80, flags=socket.AI_NUMERICHOST)
    assert failed.value.errno == socket.EAI_NONAME
    assert socket.getaddrinfo("127.0.0.1", 80) == expected


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
def test_a_port_that_every_address_listens_on_cannot_be_dead(anyio_backend: str) -> None:
    del anyio_backend
    with (
        socket.create_server(("0.0.0.0", 0)) as everywhere,  # noqa: S104 - that is the point
        pytest.raises(OSError, match="in use on every loopback address"),
    ):
        Addresses().dead_first_url(everywhere.getsockname()[1])
