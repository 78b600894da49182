"""How an open stream is read: at once, no faster than its callback, for as long as it takes."""

import anyio
import pytest

from arkor_proto import HARDENED, Timer, TrainingLog
from arkor_proto.transports.anyio import Callbacks, Timeouts
from tests.arkor_proto.transports.fixtures_anyio import (
    VirtualClock,
    client_of,
    hearing,
    serve,
    trainer_of,
)
from tests.arkor_proto.transports.peer import LAST_CHUNK, STREAM_HEAD, Visit, chunk, listening
from tests.arkor_proto.wire_samples import COMPLETED, frame, log

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("nothing_is_left")]

END = chunk(frame(COMPLETED, id="9"))


async def test_the_connection_is_closed_while_the_terminal_callback_still_runs() -> None:
    left = anyio.Event()

    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(STREAM_HEAD + END)
        await visit.until_left()
        left.set()

    async def hear(_: object) -> None:
        await left.wait()

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        await client.attach("j", callbacks=Callbacks(on_completed=hear)).wait()


@pytest.mark.parametrize("last", [b"event: end\ndata: {}\n\n", frame(COMPLETED, id="9")])
async def test_the_connection_is_closed_even_where_it_could_be_kept(last: bytes) -> None:
    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(STREAM_HEAD + chunk(last) + LAST_CHUNK)
        await visit.until_left()

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        await client.attach("j").wait()
        await peer.all_left()


async def test_an_open_stream_has_no_time_limit() -> None:
    opened, heard = anyio.Event(), anyio.Event()
    nothing = Timeouts(connect=600, head=600, answer=0)

    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(STREAM_HEAD + chunk(frame(log(1), id="1")))
        await heard.wait()
        opened.set()
        await visit.send(END + LAST_CHUNK)

    async with listening(backend) as peer, client_of(peer.base_url, timeouts=nothing) as client:
        callbacks = Callbacks(on_log=lambda _: heard.set())
        await client.attach("j", callbacks=callbacks).wait()
    assert opened.is_set()


async def test_no_timer_runs_on_an_open_stream_of_the_founding_profile() -> None:
    clock = VirtualClock(rings=frozenset())

    async with serve(job=[{"events": 3}]) as mock, client_of(mock.base_url, clock=clock) as client:
        await trainer_of(client).wait()
    assert Timer.IDLE not in {timer for timer, _ in clock.sleeps}


async def test_the_byte_timer_of_the_hardened_profile_reopens_a_silent_stream() -> None:
    clock = VirtualClock(rings=frozenset({Timer.IDLE, Timer.RECONNECT}))

    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(STREAM_HEAD)
        if visit.number >= 3:
            await visit.send(END)
        await visit.until_left()

    async with (
        listening(backend) as peer,
        client_of(peer.base_url, clock=clock, profile=HARDENED) as client,
    ):
        await client.attach("j").wait()
    silences = [length for timer, length in clock.sleeps if timer is Timer.IDLE]
    assert silences[:2] == [45.0, 45.0]


async def test_an_earlier_deadline_replaces_the_one_that_is_waited_for() -> None:
    clock = VirtualClock(rings=frozenset())

    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(STREAM_HEAD)
        await clock.slept(Timer.IDLE)
        await visit.send(chunk(frame("{", event="training.completed", id="1")))
        await visit.until_left()

    async with (
        listening(backend) as peer,
        client_of(peer.base_url, clock=clock, profile=HARDENED) as client,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(client.attach("j").wait)
        await clock.slept(Timer.IDLE, 2)
        tasks.cancel_scope.cancel()
    assert clock.sleeps == [(Timer.IDLE, 45.0), (Timer.IDLE, 5.0)]


async def test_an_alarm_for_silence_is_not_set_anew_for_each_frame() -> None:
    clock = VirtualClock(rings=frozenset())
    heard = 0

    def hear(_: TrainingLog) -> None:
        nonlocal heard
        heard += 1
        clock.now += 1.0

    async def backend(visit: Visit) -> None:
        await visit.request()
        await visit.send(STREAM_HEAD)
        for step in range(5):
            await visit.send(chunk(frame(log(step), id=str(step))))
            while heard <= step:
                await anyio.lowlevel.checkpoint()
        await visit.send(END + LAST_CHUNK)

    async with (
        listening(backend) as peer,
        client_of(peer.base_url, clock=clock, profile=HARDENED) as client,
    ):
        await client.attach("j", callbacks=Callbacks(on_log=hear)).wait()
    assert [timer for timer, _ in clock.sleeps] == [Timer.IDLE]


async def test_callbacks_of_one_read_leave_room_for_other_tasks() -> None:
    others = 0
    seen: list[int] = []

    async def work() -> None:
        nonlocal others
        while True:
            others += 1
            await anyio.lowlevel.checkpoint()

    async def backend(visit: Visit) -> None:
        await visit.request()
        frames = b"".join(frame(log(step), id=str(step)) for step in range(200))
        await visit.send(STREAM_HEAD + chunk(frames) + END)
        await visit.until_left()

    async with listening(backend) as peer, client_of(peer.base_url) as client:
        callbacks = hearing(lambda _: seen.append(others))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(work)
            await client.attach("j", callbacks=callbacks).wait()
            tasks.cancel_scope.cancel()
    # Seven turns of 32 frames; trio may let two of them follow each other without the others' turn.
    assert len(set(seen)) > 3
