"""Where both clients connect to, and what the peer is told of it."""

import errno
import socket
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
import trustme
from anyio import to_thread
from attrs import define, field

from tests.arkor_proto.blocking import fixtures_blocking
from tests.arkor_proto.transports import fixtures_anyio
from tests.arkor_proto.transports.peer import Peer, Visit, json_answer, listening

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_is_left")]

JOB = json_answer(b'{"job": {"id": "j"}}')
KINDS = pytest.mark.parametrize("kind", ["anyio", "blocking"])


@define
class Heard:
    """What a peer was told."""

    hosts: list[str | None] = field(factory=list[str | None])
    names: list[str | None] = field(factory=list[str | None])


@asynccontextmanager
async def hearing(
    heard: Heard, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncGenerator[Peer, None]:
    """Serve a job, and note how the peer was called."""

    async def backend(visit: Visit) -> None:
        heard.hosts.append((await visit.request()).header("Host"))
        await visit.send(JOB)
        await visit.until_left()

    def note(_: object, name: str | None, __: object) -> None:
        heard.names.append(name)

    if tls is not None:
        tls.sni_callback = note
    async with listening(backend, tls=tls, host=host) as peer:
        yield peer


async def ask(kind: str, base_url: str, trusting: ssl.SSLContext | None = None) -> str:
    """Ask for a job with either client."""
    if kind == "anyio":
        async with fixtures_anyio.client_of(base_url, ssl_context=trusting) as client:
            return (await client.job("j")).id

    def block() -> str:
        with fixtures_blocking.client_of(base_url, ssl_context=trusting) as client:
            return client.job("j").id

    return await to_thread.run_sync(block)


@KINDS
@pytest.mark.parametrize("certificate", ["localhost", "127.0.0.1"])
async def test_a_dot_at_the_end_of_a_host_is_no_part_of_its_name_in_tls(
    kind: str, certificate: str
) -> None:
    authority = trustme.CA()
    server, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(server)
    authority.configure_trust(trusting)
    heard = Heard()
    dot = "." if certificate == "localhost" else ""
    async with hearing(heard, server, certificate + dot) as peer:
        assert await ask(kind, peer.base_url, trusting) == "j"
    assert heard.names == ["localhost" if dot else None]
    assert heard.hosts == [peer.base_url.removeprefix("https://")]


@KINDS
async def test_the_zone_of_an_address_is_for_connecting_alone(kind: str) -> None:
    heard = Heard()

    async def backend(visit: Visit) -> None:
        heard.hosts.append((await visit.request()).header("Host"))
        await visit.send(JOB)
        await visit.until_left()

    async with listening(backend, host="[::1%251]", local="::1") as peer:
        assert await ask(kind, peer.base_url) == "j"
    assert heard.hosts == [peer.base_url.removeprefix("http://").replace("%251", "")]


class NoIPv6(socket.socket):
    """The socket of a system that was built without IPv6."""

    def __init__(
        self,
        family: int = -1,
        type: int = -1,  # noqa: A002 - the standard library's own
        proto: int = -1,
        fileno: int | None = None,
    ) -> None:
        if family == socket.AF_INET6 and fileno is None:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        super().__init__(family, type, proto, fileno)


def both_families(
    host: str | bytes | None, port: int | str | None, *_: object, **__: object
) -> list[tuple[object, ...]]:
    """Answer as a resolver that knows an IPv6 address first."""
    del host
    addresses = [
        (socket.AF_INET6, ("::1", port, 0, 0)),
        (socket.AF_INET, ("127.0.0.1", port)),
    ]
    return [(family, socket.SOCK_STREAM, 6, "", address) for family, address in addresses]


@KINDS
async def test_an_address_of_a_family_that_the_system_lacks_is_passed_over(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = Heard()
    async with hearing(heard, host="backend.example") as peer:
        monkeypatch.setattr(socket, "socket", NoIPv6)
        monkeypatch.setattr(socket, "getaddrinfo", both_families)
        assert await ask(kind, peer.base_url) == "j"


async def test_every_reason_why_no_address_answered_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setattr(socket, "socket", NoIPv6)
    monkeypatch.setattr(socket, "getaddrinfo", both_families)
    with pytest.raises(Exception, match=r"family not supported.*; Connection refused"):
        await ask("blocking", f"http://backend.example:{port}")
