"""Connections that fail, hang, lie or are encrypted, seen by the blocking client."""

import ssl
import threading
from collections.abc import Callable

import pytest
import trustme
from anyio import to_thread
from attrs import define, field

from arkor_proto import (
    HARDENED,
    Aborted,
    Bounds,
    GaveUp,
    ResponseError,
    StatusError,
    Timer,
    TransportError,
)
from arkor_proto.transports.blocking import ArkorClient, Callbacks, MonotonicClock, Timeouts
from tests.arkor_proto.blocking.fixtures_blocking import (
    PATIENCE,
    Ready,
    VirtualClock,
    answering,
    client_of,
    hearing,
    trainer_of,
    unreachable_address,
)
from tests.arkor_proto.transports.peer import (
    STREAM_HEAD,
    Visit,
    chunk,
    json_answer,
    refused,
    stream_of,
)
from tests.arkor_proto.wire_samples import (
    COMPLETED,
    frame,
    job_answer,
    log,
)

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
def tls(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    return context


def hasty(base_url: str, timeouts: Timeouts, bounds: Bounds | None = None) -> ArkorClient:
    """Return a client on the system's clock, whose timeouts pass."""
    return client_of(base_url, clock=MonotonicClock(), timeouts=timeouts, bounds=bounds)


async def stream(visit: Visit) -> None:
    """Answer with a stream that ends well."""
    await visit.request()
    await visit.send(STREAM_HEAD + chunk(frame(log(1), id="1") + frame(COMPLETED, id="2")))
    await visit.until_left()


def test_a_refused_connection_says_where_and_why() -> None:
    address = refused()
    where = address.removeprefix("http://")
    with client_of(address) as client, pytest.raises(TransportError) as caught:
        trainer_of(client).start()
    assert str(caught.value) == f"connection: cannot connect to {where}: Connection refused"


def test_a_name_that_cannot_be_one_is_a_failure_of_the_connection() -> None:
    with (
        client_of(f"http://{'a' * 70}.example") as client,
        pytest.raises(TransportError, match=r"^connection: cannot connect to aaa"),
    ):
        client.me()


def test_a_connection_that_is_never_completed_is_given_up() -> None:
    limits = Timeouts(connect=SOON, head=600)
    with (
        unreachable_address() as address,
        hasty(address, limits) as client,
        pytest.raises(TransportError, match=f"no connection within {SOON} seconds"),
    ):
        trainer_of(client).start()


def test_an_answer_whose_head_never_comes_is_given_up() -> None:
    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-")
        await visit.until_left()

    with (
        answering(backend) as peer,
        hasty(peer.base_url, Timeouts(connect=600, head=SOON)) as client,
        pytest.raises(TransportError, match=f"no response head within {SOON} seconds"),
    ):
        trainer_of(client).start()


def test_interim_answers_without_end_do_not_outlast_the_time_for_the_head() -> None:
    async def backend(visit: Visit) -> None:
        await visit.request()
        while True:
            await visit.send(b"HTTP/1.1 102 Processing\r\n\r\n")

    with (
        answering(backend) as peer,
        hasty(peer.base_url, Timeouts(connect=600, head=SOON)) as client,
        pytest.raises(TransportError, match="no response head within"),
    ):
        trainer_of(client).start()


def test_a_call_whose_answer_never_ends_is_given_up() -> None:
    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{")
        await visit.until_left()

    with (
        answering(backend) as peer,
        hasty(peer.base_url, Timeouts(connect=600, head=600, answer=SOON)) as client,
        pytest.raises(TransportError, match=f"response: not complete after {SOON} seconds"),
    ):
        client.me()


def test_a_refusal_that_never_ends_is_a_refusal() -> None:
    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 403 No\r\nContent-Length: 99\r\n\r\ngo away")
        await visit.until_left()

    with (
        answering(backend) as peer,
        hasty(peer.base_url, Timeouts(), Bounds(error_wait=SOON)) as client,
        pytest.raises(StatusError, match="403: go away"),
    ):
        client.me()


def test_bytes_that_are_not_http_are_said_to_be_none() -> None:
    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"SSH-2.0-x\r\n\r\n")

    with (
        answering(backend) as peer,
        client_of(peer.base_url) as client,
        pytest.raises(TransportError, match=r"did not send valid HTTP/1\.1: illegal status line"),
    ):
        client.me()


def test_a_kept_connection_that_dies_under_the_next_call_is_not_noticed() -> None:
    lines: list[str] = []

    async def backend(visit: Visit) -> None:
        lines.append((await visit.request()).line)
        await visit.send(json_answer(b'{"user": {}}'))
        if visit.number == 1:
            lines.append((await visit.request()).line)
            await visit.reset()
        await visit.until_left()

    with answering(backend) as peer, client_of(peer.base_url) as client:
        client.me()
        client.me()
    assert lines == ["GET /v1/me"] * 3


def test_bytes_behind_an_answer_are_not_the_answer_to_the_next_call() -> None:
    async def backend(visit: Visit) -> None:
        await visit.request()
        name = b'{"user": {"id": "%d"}}' % visit.number
        await visit.send(json_answer(name) + json_answer(b'{"user": {"id": "poison"}}'))
        await visit.until_left()

    with answering(backend) as peer, client_of(peer.base_url) as client:
        answers = [client.me() for _ in range(2)]
    assert answers == [{"user": {"id": "1"}}, {"user": {"id": "2"}}]


def test_a_create_never_uses_a_connection_that_may_be_dead() -> None:
    numbers: list[int] = []

    async def backend(visit: Visit) -> None:
        while True:
            await visit.request()
            numbers.append(visit.number)
            await visit.send(json_answer(job_answer("j")))

    with answering(backend) as peer, client_of(peer.base_url) as client:
        client.me()
        trainer_of(client).start()
    assert numbers == [1, 2]


def test_an_answer_that_is_too_large_is_not_kept() -> None:
    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            await visit.send(chunk(b" " * 65_536))

    with (
        answering(backend) as peer,
        client_of(peer.base_url) as client,
        pytest.raises(ResponseError, match="larger than 1048576 bytes"),
    ):
        client.me()


@define(eq=False)
class ClockAheadOfTheReader(VirtualClock):
    """The idle timer rings when bytes have come, before the thread that is to read them wakes up."""

    main: int = field(factory=threading.get_ident)
    heard: bool = False
    silent: threading.Event = field(factory=threading.Event)
    sent: threading.Event = field(factory=threading.Event)
    rang: threading.Event = field(factory=threading.Event)

    def wait(
        self, select: Callable[[float | None], Ready], deadline: float | None, timer: Timer | None
    ) -> Ready:
        """Ring when the silence after the first event is over, and hold the reader up until then."""
        if threading.get_ident() != self.main:
            ready = select(None)
            if self.silent.is_set():
                self.rang.wait(PATIENCE)
            return ready
        if timer is Timer.IDLE and deadline is not None and self.heard and not self.silent.is_set():
            self.silent.set()
            self.sent.wait(PATIENCE)
            self.now = deadline
            return select(0)
        if self.silent.is_set():
            self.rang.set()
        return super().wait(select, deadline, timer)

    def hear(self, _: object) -> None:
        """Note that an event was heard."""
        self.heard = True


def test_bytes_that_have_come_and_were_not_read_yet_are_no_silence() -> None:
    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(STREAM_HEAD + chunk(frame(log(1), id="1")))
        await to_thread.run_sync(clock.silent.wait, PATIENCE)
        await visit.send(chunk(frame(log(2), id="2") + frame(COMPLETED, id="3")))
        clock.sent.set()
        await visit.until_left()

    clock = ClockAheadOfTheReader()
    with (
        answering(backend) as peer,
        client_of(peer.base_url, clock=clock, profile=HARDENED) as client,
    ):
        client.attach("j", callbacks=hearing(clock.hear)).wait()
        assert peer.visits == 1
    assert clock.rang.is_set()


def test_a_certificate_of_an_unknown_authority_is_refused(tls: ssl.SSLContext) -> None:
    with (
        answering(stream, tls=tls) as peer,
        client_of(peer.base_url) as client,
        pytest.raises(TransportError, match=r"the certificate is not trusted: .*ssl_context="),
    ):
        client.me()


def test_a_stream_cut_off_under_tls_is_a_failure_not_an_end(
    tls: ssl.SSLContext, trusting: ssl.SSLContext
) -> None:
    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(STREAM_HEAD)
        await visit.cut()

    with (
        answering(backend, tls=tls) as peer,
        client_of(peer.base_url, ssl_context=trusting, max_attempts=0) as client,
        pytest.raises(GaveUp, match="TLS ended without a close_notify"),
    ):
        client.attach("j").wait()


def test_a_plain_peer_on_an_https_address_is_recognised() -> None:
    async def backend(visit: Visit) -> None:
        await visit.stream.receive()
        await visit.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        await visit.until_left()

    with (
        answering(backend) as peer,
        client_of(peer.base_url.replace("http:", "https:")) as client,
        pytest.raises(TransportError, match="the peer does not speak TLS"),
    ):
        client.me()


def test_an_abort_by_a_hook_keeps_the_event_behind_it_from_being_heard() -> None:
    heard: list[int | None] = []

    backend = stream_of(frame(log(1), id="1"), frame("no json", id="2") + frame(log(3), id="3"))

    with answering(backend) as peer, client_of(peer.base_url) as client:
        callbacks = Callbacks(
            on_log=lambda event: heard.append(event.step), on_notice=lambda _: trainer.abort()
        )
        trainer = client.attach("job-1", callbacks=callbacks)
        with pytest.raises(Aborted):
            trainer.wait()
    assert (heard, trainer.last_event_id) == ([1], "2")
