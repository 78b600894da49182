"""Time limits and TLS of the asynchronous client, on asyncio and on trio."""

import ssl

import anyio
import pytest
import trustme

from arkor_proto import Bounds, GaveUp, StatusError, TransportError
from arkor_proto.transports.anyio import Timeouts
from tests.arkor_proto.transports.fixtures_anyio import client_of, trainer_of
from tests.arkor_proto.transports.peer import (
    LAST_CHUNK,
    STREAM_HEAD,
    Visit,
    chunk,
    json_answer,
    listening,
    unreachable,
)
from tests.arkor_proto.wire_samples import (
    COMPLETED,
    frame,
    job_answer,
    log,
)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_is_left")]

SOON = 0.05


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture(scope="module")
def serving(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


async def stream(visit: Visit) -> None:
    await visit.request()
    await visit.send(STREAM_HEAD + chunk(frame(log(1), id="1") + frame(COMPLETED, id="2")))
    await visit.until_left()


async def test_a_connection_that_is_never_completed_is_given_up() -> None:
    limits = Timeouts(connect=SOON, head=600)
    async with unreachable() as address, client_of(address, timeouts=limits) as client:
        with pytest.raises(TransportError, match=f"no connection within {SOON} seconds"):
            await trainer_of(client).start()


async def test_an_answer_whose_head_never_comes_is_given_up() -> None:
    limits = Timeouts(connect=600, head=SOON)

    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-")
        await visit.until_left()

    async with listening(backend) as peer, client_of(peer.base_url, timeouts=limits) as client:
        with pytest.raises(TransportError, match=f"no response head within {SOON} seconds"):
            await trainer_of(client).start()
        await peer.all_left()


async def test_interim_answers_without_end_do_not_outlast_the_time_for_the_head() -> None:
    limits = Timeouts(connect=600, head=SOON)

    async def backend(visit: Visit) -> None:
        await visit.request()
        while True:
            await visit.send(b"HTTP/1.1 102 Processing\r\n\r\n")

    async with listening(backend) as peer, client_of(peer.base_url, timeouts=limits) as client:
        with pytest.raises(TransportError, match="no response head within"):
            await trainer_of(client).start()


async def test_a_call_whose_answer_never_ends_is_given_up() -> None:
    limits = Timeouts(connect=600, head=600, answer=SOON)

    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
        await visit.until_left()

    async with listening(backend) as peer, client_of(peer.base_url, timeouts=limits) as client:
        with pytest.raises(TransportError, match=f"response: not complete after {SOON} seconds"):
            await client.me()
        await peer.all_left()


async def test_a_refusal_that_never_ends_is_a_refusal() -> None:
    bounds = Bounds(error_wait=SOON)

    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 403 No\r\nContent-Length: 99\r\n\r\ngo away")
        await visit.until_left()

    async with listening(backend) as peer, client_of(peer.base_url, bounds=bounds) as client:
        with pytest.raises(StatusError, match="403: go away"):
            await client.me()
        await peer.all_left()


async def test_a_certificate_of_an_unknown_authority_is_refused(serving: ssl.SSLContext) -> None:
    async with (
        listening(stream, tls=serving, host="localhost") as peer,
        client_of(peer.base_url) as client,
    ):
        with pytest.raises(TransportError, match=r"certificate is not trusted: .*ssl_context="):
            await client.me()


async def test_a_certificate_of_another_host_is_refused(
    serving: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async with (
        listening(stream, tls=serving) as peer,
        client_of(peer.base_url, ssl_context=trusting) as client,
    ):
        # Trusting another authority would not help, so nothing says so.
        with pytest.raises(TransportError, match=r"not trusted: .*for '127\.0\.0\.1'$"):
            await client.me()


async def test_short_calls_share_a_connection_over_tls(
    serving: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async def backend(visit: Visit) -> None:
        while True:
            await visit.request()
            await visit.send(json_answer(job_answer("j")))

    async with (
        listening(backend, tls=serving, host="localhost") as peer,
        client_of(peer.base_url, ssl_context=trusting) as client,
    ):
        for _ in range(3):
            assert (await client.job("j")).id == "j"
        assert peer.visits < 3


async def test_a_stream_cut_off_under_tls_is_a_failure_not_an_end(
    serving: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(STREAM_HEAD)
        await visit.cut()

    async with (
        listening(backend, tls=serving, host="localhost") as peer,
        client_of(peer.base_url, ssl_context=trusting, max_attempts=0) as client,
    ):
        with pytest.raises(GaveUp, match="TLS ended without a close_notify"):
            await client.attach("j").wait()


async def test_a_stream_that_tls_ends_inside_a_chunk_is_a_failure(
    serving: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(STREAM_HEAD)
        await visit.stream.aclose()

    async with (
        listening(backend, tls=serving, host="localhost") as peer,
        client_of(peer.base_url, ssl_context=trusting, max_attempts=0) as client,
    ):
        with pytest.raises(GaveUp, match="incomplete chunked read"):
            await client.attach("j").wait()


async def test_a_plain_peer_on_an_https_address_is_recognised() -> None:
    async def backend(visit: Visit) -> None:
        await visit.stream.receive()
        await visit.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await visit.until_left()

    async with listening(backend) as peer:
        address = peer.base_url.replace("http://", "https://")
        async with client_of(address) as client:
            with pytest.raises(TransportError, match="the peer does not speak TLS"):
                await client.me()


async def test_a_tls_peer_on_an_http_address_is_recognised() -> None:
    async def backend(visit: Visit) -> None:
        alert = b"\x15\x03\x03\x00\x02\x02\x46"
        await visit.stream.receive()
        await visit.send(alert)

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        with pytest.raises(TransportError, match="the peer speaks TLS; use https://"):
            await client.me()


async def test_a_tls_handshake_that_hangs_is_given_up(trusting: ssl.SSLContext) -> None:
    limits = Timeouts(connect=SOON)
    async with listening(Visit.until_left) as peer:
        address = peer.base_url.replace("http://", "https://")
        async with client_of(address, ssl_context=trusting, timeouts=limits) as client:
            with pytest.raises(TransportError, match="no connection within"):
                await client.me()
        await peer.all_left()


async def test_an_abort_during_a_tls_handshake_leaves_no_socket(trusting: ssl.SSLContext) -> None:
    async with listening(Visit.until_left) as peer:
        address = peer.base_url.replace("http://", "https://")
        async with client_of(address, ssl_context=trusting) as client:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.attach("j").wait)
                await peer.visited(1)
                tasks.cancel_scope.cancel()
            await peer.all_left()


async def test_the_last_chunk_is_not_needed_after_the_terminal_frame() -> None:
    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(STREAM_HEAD + chunk(frame(COMPLETED, id="1")) + LAST_CHUNK[:2])

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        assert (await client.attach("j").wait()).job.status == "completed"
