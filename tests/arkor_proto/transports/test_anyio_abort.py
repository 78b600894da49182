"""Aborting in every state, from everywhere, on asyncio and on trio."""

from collections.abc import Awaitable, Callable

import anyio
import pytest

from arkor_proto import Aborted, Reconnecting, TrainingLog
from arkor_proto.transports.anyio import Callbacks, Trainer
from tests.arkor_proto.transports.fixtures_anyio import (
    asked,
    client_of,
    hearing,
    serve,
    trainer_of,
)
from tests.arkor_proto.transports.peer import (
    STREAM_HEAD,
    Visit,
    chunk,
    listening,
    stream_of,
)
from tests.arkor_proto.wire_samples import (
    COMPLETED,
    STARTED,
    frame,
    log,
)

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_is_left")]

STREAM = {"route": "stream"}


async def aborted(trainer: Trainer, ready: Callable[[], Awaitable[object]]) -> Aborted:
    """Wait in one task, abort from another when `ready` has returned; return what wait raised."""
    raised: list[Aborted] = []

    async def wait() -> None:
        with pytest.raises(Aborted) as caught:
            await trainer.wait()
        raised.append(caught.value)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await ready()
        trainer.abort("enough")
    return raised[0]


async def test_an_abort_while_connecting_leaves_no_socket() -> None:
    async def backend(visit: Visit) -> None:
        await visit.until_left()

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        trainer = client.attach("j")
        await aborted(trainer, anyio.lowlevel.checkpoint)
        await peer.all_left()


async def test_an_abort_inside_a_callback_beats_a_terminal_frame_that_is_buffered() -> None:
    heard: list[object] = []

    backend = stream_of(frame(STARTED, id="1") + frame(COMPLETED, id="2"))

    async with listening(backend) as peer, client_of(peer.base_url) as client:

        def hear(event: object) -> None:
            heard.append(event)
            trainer.abort("enough")

        trainer = client.attach("j", callbacks=hearing(hear))
        with pytest.raises(Aborted, match="enough"):
            await trainer.wait()
        await peer.all_left()
    assert len(heard) == 1


async def test_an_abort_from_a_hook_ends_the_wait() -> None:
    rule = {"on": STREAM, "status": 503}
    async with serve(rule=[rule]) as mock, client_of(mock.base_url) as client:

        def hear(_: Reconnecting) -> None:
            trainer.abort("enough")

        trainer = trainer_of(client, Callbacks(on_reconnect=hear))
        with pytest.raises(Aborted, match="enough"):
            await trainer.wait()
        assert len(asked(mock, "stream")) == 1


async def test_an_abort_after_the_result_changes_nothing() -> None:
    async with serve() as mock, client_of(mock.base_url) as client:
        trainer = trainer_of(client)
        result = await trainer.wait()
        trainer.abort("too late")
        assert await trainer.wait() == result


BUSY = 400


def many(count: int) -> bytes:
    """Return so many logs in one chunk, each with its number as step and id."""
    return chunk(b"".join(frame(log(n), id=str(n)) for n in range(1, count + 1)))


@pytest.mark.parametrize("last", [1, 31, 32, 63, 127, 128, 200])
async def test_an_abort_by_another_task_is_heard_before_the_next_event(last: int) -> None:
    """An event that is not heard any more is behind the cursor, so the next process hears it."""
    heard: list[int | None] = []
    ends: list[str] = []
    asked_for = anyio.Event()

    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(STREAM_HEAD + many(BUSY))
        await visit.until_left()

    async def abort_beside(trainer: Trainer) -> None:
        await asked_for.wait()
        trainer.abort("enough")
        ends.append(str(len(heard)))

    async with listening(backend) as peer, client_of(peer.base_url) as client:

        def hear(event: TrainingLog) -> None:
            heard.append(event.step)
            if event.step == last:
                asked_for.set()

        trainer = client.attach("job-1", callbacks=Callbacks(on_log=hear))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(abort_beside, trainer)
            with pytest.raises(Aborted):
                await trainer.wait()
        assert ends == [str(len(heard))], "an event was delivered after the abort"
        assert heard == [*range(1, len(heard) + 1)]
        assert trainer.last_event_id == str(len(heard))
        await peer.all_left()


async def test_a_wait_that_is_cancelled_at_a_pause_hears_the_event_again() -> None:
    heard: list[int | None] = []
    scopes: list[anyio.CancelScope] = []

    async def backend(visit: Visit) -> None:
        asked = await visit.request()
        after = int(asked.header("Last-Event-ID") or 0)
        body = b"".join(frame(log(n), id=str(n)) for n in range(after + 1, 65))
        end = frame(COMPLETED, id="65") if after else b""
        await visit.send(STREAM_HEAD + chunk(body + end))
        await visit.until_left()

    def hear(event: TrainingLog) -> None:
        heard.append(event.step)
        if event.step == 31:
            scopes[0].cancel()

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        trainer = client.attach("job-1", callbacks=Callbacks(on_log=hear))
        with anyio.CancelScope() as scope:
            scopes.append(scope)
            await trainer.wait()
        assert scope.cancelled_caught
        assert trainer.last_event_id == str(len(heard))
        await trainer.wait()
    assert heard == [*range(1, 65)]


async def test_an_abort_by_a_hook_keeps_the_event_behind_it_from_being_heard() -> None:
    heard: list[int | None] = []

    backend = stream_of(frame(log(1), id="1"), frame("no json", id="2") + frame(log(3), id="3"))

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        callbacks = Callbacks(
            on_log=lambda event: heard.append(event.step), on_notice=lambda _: trainer.abort()
        )
        trainer = client.attach("job-1", callbacks=callbacks)
        with pytest.raises(Aborted):
            await trainer.wait()
    assert (heard, trainer.last_event_id) == ([1], "2")
