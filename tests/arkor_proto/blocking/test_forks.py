"""A connection belongs to the process that opened it: forked children make their own."""

import asyncio
import json
import os
import signal
import ssl
from collections.abc import Callable, Generator
from contextlib import contextmanager

import anyio
import pytest
import trustme
from anyio import to_thread

from arkor_proto import TrainingLog
from arkor_proto.transports.blocking import Callbacks
from tests.arkor_proto.blocking.fixtures_blocking import answering, client_of
from tests.arkor_proto.transports.fixtures_anyio import client_of as asynchronous_client_of
from tests.arkor_proto.transports.peer import (
    STREAM_HEAD,
    Peer,
    Visit,
    chunk,
    json_answer,
    listening,
)
from tests.arkor_proto.wire_samples import COMPLETED, frame, log

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


def in_child(say: Callable[[], object]) -> object:
    """Return what `say` returns in a forked child, as JSON carries it."""
    with child() as (is_child, told):
        if is_child:
            told(say())
        return read_child(told)


class Told:
    """The pipe from a child."""

    def __init__(self) -> None:
        self.ends = os.pipe()
        self.pid = 0

    def __call__(self, value: object) -> None:
        """Say a value and end the child."""
        os.write(self.ends[1], json.dumps(value).encode())
        os._exit(0)


@contextmanager
def child() -> Generator[tuple[bool, Told]]:
    """Fork; yield whether this is the child, which cannot leave the block but through `Told`."""
    told = Told()
    told.pid = os.fork()
    if told.pid:
        try:
            yield False, told
        finally:
            for end in told.ends:
                os.close(end)
        return
    signal.alarm(15)  # a child that hangs is a test that failed
    try:
        yield True, told
    finally:
        os._exit(1)


def read_child(told: Told) -> object:
    """Return what the child says; fails where it says nothing."""
    _, status = os.waitpid(told.pid, 0)
    assert status == 0, "the child failed"
    return json.loads(os.read(told.ends[0], 65536))


async def numbered(visit: Visit) -> None:
    """Answer every request with the number of its connection."""
    while True:
        await visit.request()
        body = {"job": {"id": "j", "name": f"connection {visit.number}"}}
        await visit.send(json_answer(json.dumps(body).encode()))


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
def test_a_child_asks_over_a_connection_of_its_own_and_leaves_its_parents_alone(
    *, secure: bool
) -> None:
    authority = trustme.CA()
    server, trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server)
    authority.configure_trust(trusting)
    with (
        answering(numbered, tls=server if secure else None) as peer,
        client_of(peer.base_url, ssl_context=trusting if secure else None) as client,
    ):

        def ask() -> str:
            return client.job("j").name

        def ask_and_close() -> list[str]:
            said = [ask(), ask()]
            client.close()
            return said

        assert ask() == "connection 1"
        assert in_child(ask_and_close) == ["connection 2", "connection 2"]
        assert ask() == "connection 1"
        assert in_child(ask) == "connection 3"
        assert ask() == "connection 1"


def test_a_child_that_only_closes_the_client_does_not_close_its_parents_connection() -> None:
    with answering(numbered) as peer, client_of(peer.base_url) as client:
        assert client.job("j").name == "connection 1"
        assert in_child(client.close) is None
        assert client.job("j").name == "connection 1"
        assert peer.visits == 1


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])  # a child of trio has no event loop
async def test_an_asynchronous_client_does_not_share_its_connections_with_a_child() -> None:
    async with listening(numbered) as peer, asynchronous_client_of(peer.base_url) as client:
        assert (await client.job("j")).name == "connection 1"
        read, write = os.pipe()
        pid = os.fork()
        if not pid:
            signal.alarm(15)
            try:
                name = asyncio.run(client.job("j")).name
                os.write(write, name.encode())
            finally:
                os._exit(0)
        await peer.visited(2)
        await to_thread.run_sync(os.waitpid, pid, 0)
        assert os.read(read, 100) == b"connection 2"
        os.close(read)
        os.close(write)
        assert (await client.job("j")).name == "connection 1"


def test_a_child_that_goes_on_waiting_follows_over_a_stream_of_its_own() -> None:
    cursors: list[str | None] = []

    async def backend(visit: Visit) -> None:
        asked = await visit.request()
        cursors.append(asked.header("Last-Event-ID"))
        if visit.number == 1:
            await visit.send(STREAM_HEAD + chunk(frame(log(1), id="1")))
            await peers[0].visited(2)
            await released[0].wait()
        rest = chunk(frame(log(2), id="2") + frame(COMPLETED, id="3"))
        await visit.send(rest if visit.number == 1 else STREAM_HEAD + rest)
        if visit.number != 1:
            await visit.until_left()
            released[0].set()

    released: list[anyio.Event] = []
    peers: list[Peer] = []
    heard: list[int | None] = []
    forked: list[Told] = []

    def hear(event: TrainingLog) -> None:
        heard.append(event.step)
        if event.step == 1:
            told = Told()
            told.pid = os.fork()
            forked.append(told)
            if not told.pid:
                signal.alarm(15)

    with answering(backend) as peer:
        peers.append(peer)
        released.append(anyio.Event())
        with client_of(peer.base_url) as client:
            trainer = client.attach("j", callbacks=Callbacks(on_log=hear))
            try:
                trainer.wait()
            finally:
                if not forked[0].pid:
                    forked[0](heard)
            assert read_child(forked[0]) == [1, 2]
    assert heard == [1, 2]
    assert cursors == [None, "1"]
