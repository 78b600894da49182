"""A connection belongs to the process that opened it: forked children make their own."""

import asyncio
import json
import os
import signal
import ssl
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial

import pytest
import trustme
from anyio import to_thread

from arkor_proto import TrainingLog
from arkor_proto._calls import chat_request
from arkor_proto.transports.blocking import ArkorClient, Callbacks, Trainer
from tests.arkor_proto.blocking.fixtures_blocking import (
    PATIENCE,
    answering,
    client_of,
    hearing,
    serving,
    threads,
    trainer_of,
)
from tests.arkor_proto.transports.fixtures_anyio import client_of as asynchronous_client_of
from tests.arkor_proto.transports.peer import (
    STREAM_HEAD,
    Visit,
    chunk,
    json_answer,
    listening,
    stream_of,
)
from tests.arkor_proto.wire_samples import COMPLETED, ENDPOINT, delta, frame, log

pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


def in_child(say: Callable[[], object]) -> object:
    """Return what `say` returns in a forked child, as JSON carries it."""
    with child() as (is_child, told):
        if is_child:
            told(say())
        return read_child(told)


def end_soon() -> None:
    """See that a child that hangs ends: a test that failed."""
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(15)


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
    end_soon()
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
            end_soon()
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


def refusals(client: ArkorClient, trainer: Trainer) -> list[str]:
    """Return what each use of a client in a forked child raises."""
    other = client.attach("k")
    uses = [trainer.wait, trainer.start, trainer.cancel, other.wait, client.me]
    refused: list[str] = []
    for use in uses:
        with pytest.raises(RuntimeError) as caught:
            use()
        refused.append(str(caught.value))
    trainer.abort()
    client.close()
    return refused


REFUSED = [
    "client: it was in use when this process was forked; create a new client in this process"
] * 5


def test_a_child_forked_in_a_callback_is_refused_and_its_parent_hears_every_event() -> None:
    backend = stream_of(frame(log(1), id="1"), frame(log(2), id="2") + frame(COMPLETED, id="3"))
    heard: list[int | None] = []
    forked: list[Told] = []
    refused: list[object] = []

    def hear(event: TrainingLog) -> None:
        heard.append(event.step)
        if event.step == 1:
            forked.append(told := Told())
            told.pid = os.fork()
            if told.pid:
                refused.append(read_child(told))
            else:
                end_soon()

    with answering(backend) as peer, client_of(peer.base_url) as client:
        trainer = client.attach("j", callbacks=Callbacks(on_log=hear))
        try:
            trainer.wait()
        except RuntimeError as error:
            forked[0]([str(error), *refusals(client, trainer)])
        finally:
            if not forked[0].pid:
                os._exit(1)
        assert peer.visits == 1
    assert refused == [[*REFUSED, REFUSED[0]]]
    assert heard == [1, 2]


def test_a_child_forked_in_the_middle_of_an_inference_is_refused() -> None:
    pieces: list[str] = []
    told, go_on = Told(), threading.Event()

    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(STREAM_HEAD + chunk(delta("Hel")))
        await to_thread.run_sync(go_on.wait, PATIENCE)
        await visit.send(chunk(delta("lo") + b"data: [DONE]\n\n"))

    def hear(piece: str) -> None:
        pieces.append(piece)
        if piece == "Hel":
            told.pid = os.fork()
            if not told.pid:
                end_soon()
            go_on.set()

    chat = chat_request(ENDPOINT, [], job_id="j", step=1)
    with answering(backend) as peer, client_of(peer.base_url) as client:
        try:
            assert client.chat(chat, hear) == "Hello"
        except RuntimeError as error:
            told([str(error), pieces])
        finally:
            if not told.pid:
                os._exit(1)
        assert read_child(told) == [REFUSED[0], ["Hel"]]
        assert peer.visits == 1


def test_a_child_forked_while_another_thread_waits_is_refused_at_once() -> None:
    rule = {"on": {"route": "stream"}, "after": {"frames": 2}, "stall": {"gate": "stream"}}
    heard: list[object] = []
    with serving(rule=[rule]) as backend, client_of(backend.base_url) as client, threads() as run:
        trainer = trainer_of(client, hearing(heard.append))
        wait = run(trainer.wait)
        backend.wait_for("stream", frame=2)
        for _ in range(20):  # the lock may be held at one moment and not at another
            assert in_child(partial(refusals, client, trainer)) == REFUSED
        backend.open("stream")
        wait.result(PATIENCE)
    assert len(heard) == 6


def test_a_trainer_at_rest_is_used_by_a_forked_child() -> None:
    with serving() as backend, client_of(backend.base_url) as client:
        trainer = trainer_of(client)
        trainer.start()
        assert in_child(lambda: trainer.wait().job.status) == "completed"
        assert trainer.wait().job.status == "completed"
        assert len(backend.asked("create")) == 1
